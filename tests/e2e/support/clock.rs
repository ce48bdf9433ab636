//! Time that passes, or a clock that is put back, while no relay runs: what takes hours is seen in seconds.

use std::time::Duration;

use jiff::SignedDuration;
use rusqlite::{Connection, params};
use sms_relay::model::MailId;

use super::World;

/// Every column of the spool that holds a time; what the platform said, by its own clock, is not ours.
const TIMES: [(&str, &[&str]); 8] = [
    ("submission", &["received_at", "case_at"]),
    ("sms", &["since", "next_at", "expires_at", "ended_at", "delayed_at", "late_at"]),
    ("attempt", &["began_at", "ended_at"]),
    ("event", &["at"]),
    ("callback", &["at"]),
    ("telling", &["since", "next_at"]),
    ("outgoing_mail", &["since", "next_at", "expires_at"]),
    ("mail_event", &["at"]),
];

impl World {
    /// Makes everything in the spool so much older, reports by the time in their ids, too; only while no relay
    /// runs on it. Ids of submissions stay, since they are what a test knows them by.
    pub fn let_time_pass(&self, time: Duration) {
        self.make_older(SignedDuration::try_from(time).unwrap());
    }

    /// Makes everything in the spool so much younger, so that it comes from a clock that has been put back since;
    /// otherwise as [`let_time_pass`](Self::let_time_pass).
    pub fn put_clock_back(&self, time: Duration) {
        self.make_older(-SignedDuration::try_from(time).unwrap());
    }

    fn make_older(&self, time: SignedDuration) {
        let path = self.directory.path().join("spool/spool.sqlite");
        let mut connection = Connection::open(path).unwrap();
        let spool = connection.transaction().unwrap();
        let millis = i64::try_from(time.as_millis()).unwrap();
        for (table, columns) in TIMES {
            for column in columns {
                spool.execute(&format!("UPDATE {table} SET {column} = {column} - ?1"), [millis]).unwrap();
            }
        }
        let ids: Vec<String> = {
            let mut ids = spool.prepare("SELECT id FROM outgoing_mail").unwrap();
            ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        for id in ids {
            let earlier = id.parse::<MailId>().unwrap().time().checked_sub(time).unwrap();
            let change = "UPDATE outgoing_mail SET id = ?2 WHERE id = ?1";
            spool.execute(change, params![id, MailId::new(earlier).to_string()]).unwrap();
        }
        spool.commit().unwrap();
    }
}
