//! What a client is told of a form that it may send again: the same each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as Waiting, OwnedMutexGuard};

use super::refusal::Refusal;
use crate::model::{Fate, FinalState, Message, State, Submission};
use crate::spool::{Before, RequestKey};

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

/// The keys whose forms are being taken, so that one that comes at the same time waits until the first is on disk or
/// refused: it could not be told before, and might be refused for the parts of the day that the first takes.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashMap<Name, Weak<Waiting<()>>>>);

/// Account, key and item.
type Name = (String, String, u32);

/// The right to take the form of a key. Until it is dropped nobody else has it.
#[must_use]
pub(super) struct Turn<'a> {
    under_way: &'a UnderWay,
    name: Name,
    line: Arc<Waiting<()>>,
    held: Option<OwnedMutexGuard<()>>,
}

impl UnderWay {
    /// Waits until no other form of this key is being taken.
    pub(super) async fn turn(&self, key: &RequestKey) -> Turn<'_> {
        let name = (key.account.clone(), key.key.clone(), key.item);
        let line = {
            let mut lines = self.lines();
            let line = lines.get(&name).and_then(Weak::upgrade).unwrap_or_default();
            lines.insert(name.clone(), Arc::downgrade(&line));
            line
        };
        // Made before it waits: whoever gives up waiting leaves nothing behind.
        let mut turn = Turn { under_way: self, name, line: Arc::clone(&line), held: None };
        turn.held = Some(line.lock_owned().await);
        turn
    }

    /// Nothing panics while the lock is held, so that a poisoned one is still consistent.
    fn lines(&self) -> MutexGuard<'_, HashMap<Name, Weak<Waiting<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut lines = self.under_way.lines();
        // Whoever waits has one, too, and takes it with the lines locked.
        if Arc::strong_count(&self.line) == 1 {
            lines.remove(&self.name);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> RequestKey {
        RequestKey { account: "ups".to_owned(), key: key.to_owned(), item: 0, digest: [0; 32] }
    }

    /// Whether it has its turn without waiting.
    async fn is_free(under_way: &UnderWay, key: &RequestKey) -> bool {
        tokio::select! {
            biased;
            _ = under_way.turn(key) => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn who_has_the_same_key_waits_and_nothing_is_left_behind() {
        let under_way = UnderWay::default();
        let first = under_way.turn(&key("a")).await;
        assert!(!is_free(&under_way, &key("a")).await);
        for other in [
            key("b"),
            RequestKey { account: "nas".to_owned(), ..key("a") },
            RequestKey { item: 1, ..key("a") },
        ] {
            assert!(is_free(&under_way, &other).await, "{other:?}");
        }
        assert_eq!(under_way.lines().len(), 1, "who gave up or is done has left");
        let second = async {
            let second = under_way.turn(&key("a")).await;
            assert!(!is_free(&under_way, &key("a")).await);
            drop(second);
        };
        tokio::join!(second, async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert!(under_way.lines().is_empty());
    }
}
