//! What happened in the spool in which order: notes that the bookkeeper has the database itself take, in the commits of
//! what they are about.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::clock::millis;

const TAKE_NOTES: &str = "
CREATE TABLE room_journal (
  n INTEGER PRIMARY KEY, what TEXT NOT NULL, of INTEGER NOT NULL, at INTEGER NOT NULL, one TEXT NOT NULL,
  two TEXT NOT NULL, number INTEGER NOT NULL, amount INTEGER NOT NULL
) STRICT;
CREATE TRIGGER room_event AFTER INSERT ON event BEGIN
  INSERT INTO room_journal (what, of, at, one, two, number, amount)
    SELECT 'event', NEW.sms, NEW.at, NEW.state, NEW.note, sms.parts, 0 FROM sms WHERE sms.seq = NEW.sms;
END;
CREATE TRIGGER room_notice AFTER INSERT ON notice BEGIN
  INSERT INTO room_journal (what, of, at, one, two, number, amount)
    VALUES ('notice', NEW.seq, NEW.at, NEW.about, NEW.words, 0, 0);
END;
CREATE TRIGGER room_price AFTER INSERT ON callback WHEN NEW.price IS NOT NULL BEGIN
  INSERT INTO room_journal (what, of, at, one, two, number, amount)
    VALUES ('price', NEW.sms, NEW.at, '', '', NEW.part, NEW.price);
END;
";

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// The SMS of this row, which had so many parts then, came into a state.
    Event { seq: i64, at: i64, state: String, note: String, parts: u64 },
    /// The operator is to be told.
    Notice { at: i64, about: String, words: String },
    /// The platform tells what a part of the SMS of this row costs.
    Price { seq: i64, at: i64, part: i64, price: u64 },
}

pub(super) fn take_notes(directory: &Path) {
    let path = directory.join("spool/spool.sqlite");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.execute_batch(TAKE_NOTES).unwrap();
}

/// All of it, in order.
pub(super) fn read(connection: &Connection) -> Vec<Entry> {
    let sql = "SELECT what, of, at, one, two, number, amount FROM room_journal ORDER BY n";
    let mut find = connection.prepare(sql).unwrap();
    let found = find
        .query_map([], |row| {
            let (what, of): (String, i64) = (row.get(0)?, row.get(1)?);
            let at = millis(jiff::Timestamp::from_millisecond(row.get(2)?).unwrap());
            let (one, two): (String, String) = (row.get(3)?, row.get(4)?);
            let (number, amount): (i64, i64) = (row.get(5)?, row.get(6)?);
            Ok(match what.as_str() {
                "event" => {
                    Entry::Event { seq: of, at, state: one, note: two, parts: number.try_into().unwrap() }
                }
                "notice" => Entry::Notice { at, about: one, words: two },
                _ => Entry::Price { seq: of, at, part: number, price: amount.try_into().unwrap() },
            })
        })
        .unwrap();
    found.map(Result::unwrap).collect()
}
