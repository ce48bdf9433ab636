//! What a killed relay left on disk: a copy of its spool, so that looking at it changes nothing for the
//! next start.

use std::path::Path;

use rusqlite::Connection;
use sms_relay::model::{MessageId, State, SubmissionId};
use sms_relay::spool::sqlite::{Settings, SqliteSpool};
use sms_relay::spool::{Spool, SubmissionView};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A copy of a spool.
pub struct Remains {
    directory: TempDir,
}

impl Remains {
    /// Copies the spool in `directory`; only while no relay runs on it.
    pub fn of(directory: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        Self { directory: copy }
    }

    fn rows(&self, sql: &str) -> Vec<(String, String)> {
        let connection = Connection::open(self.directory.path().join("spool.sqlite")).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0).unwrap(), row.get(1).unwrap()))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Every submission, in the order of acceptance.
    pub fn submissions(&self) -> Vec<String> {
        let rows = self.rows("SELECT id, door FROM submission ORDER BY received_at, id");
        rows.into_iter().map(|(id, _)| id).collect()
    }

    /// Every submission that came in, in the order of acceptance: not those of the relay itself.
    pub fn came(&self) -> Vec<String> {
        let rows =
            self.rows("SELECT id, door FROM submission WHERE door <> 'relay' ORDER BY received_at, id");
        rows.into_iter().map(|(id, _)| id).collect()
    }

    /// Every SMS and where it is, in the order of acceptance.
    pub fn messages(&self) -> Vec<(MessageId, State)> {
        let rows = self.rows("SELECT submission || '-' || ordinal, state FROM sms ORDER BY seq");
        rows.into_iter().map(|(id, state)| (id.parse().unwrap(), state.parse().unwrap())).collect()
    }

    /// Where each mail is, also those that are about no submission, in the order in which they were filed.
    pub fn mails(&self) -> Vec<String> {
        let rows = self.rows("SELECT state, id FROM outgoing_mail ORDER BY rowid");
        rows.into_iter().map(|(state, _)| state).collect()
    }

    /// One submission with its timeline.
    pub fn submission(&self, id: &str) -> SubmissionView {
        let id: SubmissionId = id.parse().unwrap();
        Runtime::new().unwrap().block_on(async {
            let settings = Settings { directory: self.directory.path().to_owned(), min_free_octets: 0 };
            let spool = SqliteSpool::open(settings).unwrap();
            let view = spool.submission(id).await.unwrap().unwrap();
            spool.close().await;
            view
        })
    }
}
