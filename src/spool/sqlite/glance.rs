//! Looking into a spool from beside the relay that uses it, or while none runs: for reading only, without its lock.

use std::path::Path;

use rusqlite::Connection;

use super::super::{SpoolError, SubmissionView};
use super::{FILE, schema, view};
use crate::model::SubmissionId;

/// A spool that somebody else may be using.
#[derive(Debug)]
pub struct Glance(Connection);

impl Glance {
    /// Opens the spool in `directory`. Nothing of it is changed, also where it is older than this program.
    ///
    /// # Errors
    /// [`SpoolError::Unavailable`] where it cannot be opened, [`SpoolError::Unusable`] where it is no spool, or one of
    /// another version.
    pub fn open(directory: &Path) -> Result<Self, SpoolError> {
        let path = directory.join(FILE);
        if !path.try_exists().unwrap_or(true) {
            return Err(SpoolError::Unusable(format!(
                "there is no spool in `{}`; the relay makes it when it first runs",
                directory.display()
            )));
        }
        schema::open_glance(&path).map(Self)
    }

    /// Everything known about a submission; `None` for an unknown id.
    ///
    /// # Errors
    /// [`SpoolError`] when it cannot be read.
    pub fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError> {
        let transaction = self.0.unchecked_transaction()?;
        view::submission(&transaction, id)
    }
}
