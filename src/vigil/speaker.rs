//! The way in for what the relay itself has to say.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::{Lane, OutgoingMail, SubmissionId};

/// The way in for what the relay itself has to say.
#[async_trait]
pub trait Speaker: Send + Sync + 'static {
    /// Hands an SMS in, with its mails and notes in one commit.
    ///
    /// # Errors
    /// [`Unspoken`]; nothing was kept then.
    async fn speak(&self, spoken: Spoken, now: Timestamp) -> Result<SubmissionId, Unspoken>;
}

/// An SMS of the relay's own.
pub struct Spoken {
    /// What rules know as its listener.
    pub listener: String,
    /// Whom it is for.
    pub to: Vec<String>,
    /// The text.
    pub text: String,
    /// How urgent it is where no rule says.
    pub lane: Lane,
    /// Whether its failures are reported to the operator.
    pub is_reported: bool,
    /// Mail of the same commit.
    pub mails: Vec<OutgoingMail>,
    /// Notes of the same commit, once its id is known.
    pub notes: Box<dyn FnOnce(SubmissionId) -> Vec<(String, String)> + Send>,
}

/// Why an SMS was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unspoken {
    /// It never will be, as things stand: why.
    Refused(String),
    /// Not now: why.
    Later(String),
}
