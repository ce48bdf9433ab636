//! What a client is told of a form that it may send again: the same each time.

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::model::{Fate, FinalState, Message, State, Submission};
use crate::spool::Before;

/// What became of a form that may have come before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// It is on disk, since now or since then.
    Taken(Answer),
    /// Its key stands for another request, and nothing of this one is kept.
    Other,
}

/// What is told of a form that was taken. It is kept as JSON beside the form's key: names and meaning of its members
/// stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The submission's id.
    pub id: String,
    /// Its SMS in order, also those that are not sent.
    pub messages: Vec<AnswerSms>,
}

/// One SMS as it was when it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerSms {
    /// Its id.
    pub id: String,
    /// The destination as written.
    pub to: String,
    /// The phone behind it, in E.164.
    pub phone: String,
    /// In how many parts it goes, by our count.
    pub parts: u32,
    /// Its first state: `due` or `held`, or `failed` or `cancelled` where a rule decided so.
    pub state: String,
}

impl Answer {
    pub(super) fn of(submission: &Submission) -> Self {
        let sms = |message: &Message| AnswerSms {
            id: message.sms.id.to_string(),
            to: message.recipient.address.clone(),
            phone: message.sms.destination.to_string(),
            parts: message.sms.text.parts,
            state: first_state(&message.fate).to_string(),
        };
        Self { id: submission.id.to_string(), messages: submission.messages.iter().map(sms).collect() }
    }

    pub(super) fn to_json(&self) -> Result<String, Refusal> {
        serde_json::to_string(self)
            .map_err(|error| Refusal::temporary(format!("no answer can be kept: {error}")))
    }
}

impl Once {
    /// # Errors
    /// Where what was kept cannot be read back.
    pub(super) fn of_before(before: Before) -> Result<Self, Refusal> {
        match before {
            Before::Other => Ok(Self::Other),
            Before::Same(kept) => serde_json::from_str(&kept).map(Self::Taken).map_err(|error| {
                tracing::error!(%error, "the answer kept for an idempotency key is damaged");
                Refusal::temporary("what was answered to this request before cannot be read back".to_owned())
            }),
        }
    }
}

fn first_state(fate: &Fate) -> State {
    match fate {
        Fate::Due => State::Due,
        Fate::Held { .. } => State::Held,
        Fate::Refused(_) => State::Final(FinalState::Failed),
        Fate::Dropped(_) | Fate::SameAs(_) => State::Final(FinalState::Cancelled),
    }
}
