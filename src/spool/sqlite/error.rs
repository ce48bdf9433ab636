//! What an error of SQLite means to the spool's callers.

use rusqlite::ErrorCode;

use super::super::SpoolError;

/// A record that cannot be read back. Names the column only: its content may be a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its `{0}` cannot be read back")]
pub(super) struct Damage(pub(super) &'static str);

/// Damaged files stay damaged; everything else (full, read-only, locked, failing) may pass.
impl From<rusqlite::Error> for SpoolError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let is = |wanted: &[ErrorCode]| code.is_some_and(|code| wanted.contains(&code));
        if is(&[ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase]) {
            Self::Unusable(format!(
                "its file is damaged ({error}); nothing was deleted: stop the relay, keep a copy and repair it with \
                 `sqlite3 spool.sqlite .recover`"
            ))
        } else if is(&[ErrorCode::DiskFull]) {
            Self::Unavailable(format!("the disk is full ({error})"))
        } else if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
            Self::Unavailable(format!("another program holds its file locked ({error})"))
        } else {
            Self::Unavailable(error.to_string())
        }
    }
}
