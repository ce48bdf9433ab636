//! What a relay at work has still to do, read from beside it.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::{PATIENCE, World};

/// Every row of the spool after which something is still to come.
const UNFINISHED: &str = "SELECT 'SMS ' || submission || '-' || ordinal || ' ' || state FROM sms \
     WHERE state NOT IN ('delivered', 'undelivered', 'failed', 'expired', 'cancelled') \
     UNION ALL SELECT 'news of ' || submission || '-' || ordinal FROM sms \
     WHERE 'owed' IN (report, delay_report, expand_report) \
     UNION ALL SELECT 'mail ' || state FROM outgoing_mail WHERE state IN ('due', 'claimed') \
     UNION ALL SELECT 'telling ' || state FROM telling WHERE state IN ('due', 'claimed')";

/// Between two looks: nothing tells from outside that a spool has changed.
pub const PAUSE: Duration = Duration::from_millis(25);

impl World {
    /// Waits until every SMS is final, everybody has been told, and every mail is sent or given up.
    pub fn wait_until_finished(&self) {
        let path = self.directory.path().join("spool/spool.sqlite");
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut statement = connection.prepare_cached(UNFINISHED).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            let left: Vec<String> = rows.map(Result::unwrap).collect();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still to be done: {left:#?}");
            std::thread::sleep(PAUSE);
        }
    }
}
