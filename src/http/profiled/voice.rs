//! In whose words a request is answered: those of its endpoint, and before them those that are its account's own.

use std::collections::BTreeMap;

use crate::profile::{Action, Answers, BodyError, Endpoint, Outcome, Reply, Words};

/// What the words of an answer depend on, beside what came of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Voice {
    /// The parameters that conditions and answers may use.
    pub(super) asked: BTreeMap<String, String>,
    /// Whether the client wants JSON.
    pub(super) json: bool,
    /// What the account is answered in the place of the endpoint's own answers.
    pub(super) of_account: Answers,
}

impl Voice {
    /// The answer of `endpoint`; `None` where it has none.
    ///
    /// # Errors
    /// [`BodyError`] when its template fails on these words.
    pub(super) fn reply(
        &self,
        endpoint: &Endpoint,
        outcome: Outcome,
        words: &Words<'_>,
    ) -> Result<Option<Reply>, BodyError> {
        // What a retry may cure is no 4xx for what posts webhooks, which would not come again.
        let is_for_now = matches!(outcome, Outcome::TooFast | Outcome::TooSlow);
        let is_webhook = matches!(endpoint.action, Action::Webhook(_));
        let outcome = match is_for_now && is_webhook && !endpoint.answers.has(outcome) {
            true => Outcome::Unavailable,
            false => outcome,
        };
        match self.of_account.reply(outcome, words)? {
            Some(reply) => Ok(Some(reply)),
            None => endpoint.answers.reply(outcome, words),
        }
    }

    /// Whether what was taken will be told of destination by destination.
    pub(super) fn tells_each(&self, endpoint: &Endpoint) -> bool {
        let of_account = self.of_account.tells_each(&self.asked, self.json);
        of_account.or_else(|| endpoint.answers.tells_each(&self.asked, self.json)).unwrap_or(false)
    }
}
