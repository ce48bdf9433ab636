//! How each decision came about, written down while it is made: for whoever asks before anything is sent.

use std::collections::HashMap;

use super::explain::{ExplainedFate, ExplainedPhone};
use super::refusal::Refusal;
use crate::model::PhoneNumber;
use crate::routing::Tried;

/// What was decided for the recipients of one mail or form, in their order.
#[derive(Debug, Default)]
pub(super) struct Notes {
    recipients: Vec<Result<Vec<ExplainedPhone>, Refusal>>,
    /// The rules that were asked for what is being decided.
    tried: Vec<Tried>,
    /// The phone that they were asked for.
    asked: Option<PhoneNumber>,
    /// Where the SMS are told of, by their places among the messages.
    places: HashMap<usize, (usize, usize, usize)>,
    /// Whether it came to the end.
    all_decided: bool,
}

impl Notes {
    /// Another recipient's turn.
    pub(super) fn begin(&mut self) {
        self.recipients.push(Ok(Vec::new()));
    }

    /// The recipient whose turn it is was left out.
    pub(super) fn left_out(&mut self, refusal: &Refusal) {
        if let Some(recipient) = self.recipients.last_mut() {
            *recipient = Err(refusal.clone());
        }
    }

    /// The rules that were asked for the next decision, which may be for several phones.
    /// `asked` is the phone that the recipient stands for.
    pub(super) fn tried(&mut self, tried: Vec<Tried>, asked: &PhoneNumber) {
        (self.tried, self.asked) = (tried, Some(asked.clone()));
    }

    /// What that phone gets. `named` is the destination where the mail's text names it.
    pub(super) fn decided(
        &mut self,
        destination: &PhoneNumber,
        named: Option<&str>,
        rule: &str,
        fate: ExplainedFate,
    ) {
        let phone = ExplainedPhone {
            destination: destination.clone(),
            named: named.map(str::to_owned),
            is_of_rule: self.asked.as_ref().is_some_and(|asked| asked != destination),
            tried: self.tried.clone(),
            rule: rule.to_owned(),
            fate,
        };
        if let Some(Ok(phones)) = self.recipients.last_mut() {
            phones.push(phone);
        }
    }

    /// The phone that was decided last has its SMS from this place among the messages on.
    pub(super) fn placed(&mut self, first: usize) {
        let Some(recipient) = self.recipients.len().checked_sub(1) else { return };
        let Ok(phones) = &self.recipients[recipient] else { return };
        let Some(phone) = phones.len().checked_sub(1) else { return };
        if let ExplainedFate::Sent { sms, .. } = &phones[phone].fate {
            self.places.extend((0..sms.len()).map(|n| (first + n, (recipient, phone, n))));
        }
    }

    /// The SMS at this place is not sent after all, since a more urgent one for `to` says the same.
    pub(super) fn superseded(&mut self, place: usize, to: &str) {
        let Some((recipient, phone, n)) = self.places.get(&place) else { return };
        let Ok(phones) = &mut self.recipients[*recipient] else { return };
        if let ExplainedFate::Sent { sms, .. } = &mut phones[*phone].fate {
            sms[*n].same_as = Some(to.to_owned());
            sms[*n].price = None;
        }
    }

    /// Everything is decided.
    pub(super) fn end(&mut self) {
        self.all_decided = true;
    }

    /// The phones of each recipient whose turn it was, or why it was left out, and whether everything was
    /// decided.
    pub(super) fn into_recipients(self) -> (Vec<Result<Vec<ExplainedPhone>, Refusal>>, bool) {
        (self.recipients, self.all_decided)
    }
}
