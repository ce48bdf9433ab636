//! One rule: what it asks for and what it does.

use std::sync::Arc;
use std::time::Duration;

use super::{Delivering, Facts, Origin};
use crate::model::{PhoneNumber, SenderId};
use crate::pattern::Pattern;
use crate::wording::{Groups, Wording};
use ipnet::IpNet;

/// Octets of a value that [`Unmet`] repeats.
const MAX_FOUND: usize = 1000;

/// A rule: all conditions must hold, and then the action is taken.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name in logs and timelines; unique, and not `default`.
    pub name: String,
    /// What must hold.
    pub when: Conditions,
    /// What is done.
    pub action: Action,
}

/// What a rule asks for. `None` asks for nothing; all that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The client's address is in one of these networks.
    pub networks: Option<Vec<IpNet>>,
    /// It came through one of these listeners.
    pub listeners: Option<Vec<String>>,
    /// It came from one of these HTTP accounts.
    pub accounts: Option<Vec<String>>,
    /// `MAIL FROM`, as `local@domain` or `<>`. Never holds for a form post.
    pub envelope_sender: Option<Pattern>,
    /// The decoded `From:` field. Never holds for a form post or a mail without one.
    pub header_sender: Option<Pattern>,
    /// The recipient's local part (a form's destination) as written, or the number in
    /// international form.
    pub recipient: Option<Pattern>,
    /// The decoded subject; the empty text for a form post.
    pub subject: Option<Pattern>,
    /// The text of the mail or form.
    pub text: Option<Pattern>,
}

/// What a rule does.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "most rules send, and there are few")]
pub enum Action {
    /// Send it so.
    Send(SendAction),
    /// Take it and send nothing; recorded, not reported.
    Drop {
        /// Why, for the timeline.
        reason: String,
    },
    /// Refuse it.
    Refuse {
        /// Why, for the sender.
        reason: String,
    },
}

/// How a rule sends. `None` takes the default.
#[derive(Clone, Debug, Default)]
pub struct SendAction {
    /// What the phone shows as sender; wins over the sender that a form asks for.
    pub sender: Option<SenderId>,
    /// How its words are made.
    pub wording: Option<Arc<Wording>>,
    /// The platform's campaign, at most 255 characters.
    pub campaign_id: Option<String>,
    /// How long it is tried.
    pub lifetime: Option<Duration>,
    /// Checked by the platform and not sent.
    pub simulation: bool,
    /// Sent as SMS even where the account prefers RCS.
    pub skip_rcs_override: bool,
    /// Whether the platform calls back.
    pub enable_notification: Option<bool>,
    /// How it is to reach the phone.
    pub delivering: Delivering,
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Its key in the configuration, like `subject`.
    pub key: &'static str,
    /// What it asks for, as the configuration writes it.
    pub wanted: String,
    /// What was there instead, up to 1,000 octets from its beginning; `None` where there was nothing, like a
    /// `From:` field in a form.
    pub found: Option<String>,
}

impl Conditions {
    /// The first condition that does not hold of those that can be told when a recipient is named (`RCPT`).
    fn unmet_at_recipient(
        &self,
        origin: &Origin,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Option<&'static str> {
        let Self {
            networks,
            listeners,
            accounts,
            envelope_sender,
            header_sender: _,
            recipient: to,
            subject: _,
            text: _,
        } = self;
        let client = origin.client;
        let one_of = |names: &[String], name: &str| names.iter().any(|known| known == name);
        if networks.as_ref().is_some_and(|nets| !nets.iter().any(|net| net.contains(&client.address))) {
            Some("client")
        } else if listeners.as_ref().is_some_and(|names| !one_of(names, &client.listener)) {
            Some("listener")
        } else if accounts
            .as_ref()
            .is_some_and(|names| !client.account.as_ref().is_some_and(|name| one_of(names, name)))
        {
            Some("account")
        } else if envelope_sender
            .as_ref()
            .is_some_and(|pattern| !origin.sender_text().is_some_and(|sender| pattern.is_in(&sender)))
        {
            Some("envelope_sender")
        } else if to
            .as_ref()
            .is_some_and(|pattern| !pattern.is_in(recipient) && !pattern.is_in(destination.as_str()))
        {
            Some("recipient")
        } else {
            None
        }
    }

    /// Whether everything holds that is known when a recipient is named (`RCPT`).
    pub(super) fn hold_at_recipient(
        &self,
        origin: &Origin,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> bool {
        self.unmet_at_recipient(origin, recipient, destination).is_none()
    }

    /// Whether something is asked for that only the content can tell.
    pub(super) fn need_content(&self) -> bool {
        self.header_sender.is_some() || self.subject.is_some() || self.text.is_some()
    }

    /// The key of the first condition that does not hold; `None` when everything holds.
    pub(super) fn unmet(
        &self,
        facts: &Facts,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Option<&'static str> {
        self.unmet_at_recipient(&facts.origin, recipient, destination)
            .or_else(|| self.unmet_in_content(facts))
    }

    /// The same of those that only the content can tell; it is so for every recipient.
    pub(super) fn unmet_in_content(&self, facts: &Facts) -> Option<&'static str> {
        let missing = |pattern: &Option<Pattern>, text: Option<&str>| {
            pattern.as_ref().is_some_and(|pattern| !text.is_some_and(|text| pattern.is_in(text)))
        };
        if missing(&self.header_sender, facts.header_sender) {
            Some("header_sender")
        } else if missing(&self.subject, Some(facts.subject)) {
            Some("subject")
        } else if missing(&self.text, Some(facts.text)) {
            Some("text")
        } else {
            None
        }
    }

    /// What people are told of the unmet condition `key`.
    pub(super) fn explain(
        &self,
        key: &'static str,
        facts: &Facts,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Unmet {
        let client = facts.origin.client;
        // A copy for every rule and phone: a mail's whole text would be too much.
        let beginning = |text: &str| text[..text.floor_char_boundary(MAX_FOUND)].to_owned();
        let names = |names: &Option<Vec<String>>| names.iter().flatten().cloned().collect::<Vec<_>>();
        let source = |pattern: &Option<Pattern>| pattern.iter().map(|p| p.source().to_owned()).collect();
        let (wanted, found): (Vec<String>, Option<String>) = match key {
            "client" => (
                self.networks.iter().flatten().map(ToString::to_string).collect(),
                Some(client.address.to_string()),
            ),
            "listener" => (names(&self.listeners), Some(client.listener.clone())),
            "account" => (names(&self.accounts), client.account.clone()),
            "envelope_sender" => (source(&self.envelope_sender), facts.origin.sender_text()),
            "recipient" => (source(&self.recipient), Some(format!("{recipient} ({destination})"))),
            "header_sender" => (source(&self.header_sender), facts.header_sender.map(str::to_owned)),
            "subject" => (source(&self.subject), Some(beginning(facts.subject))),
            _ => (source(&self.text), Some(beginning(facts.text))),
        };
        Unmet { key, wanted: wanted.join(", "), found }
    }

    /// The named groups of its patterns. Where two patterns have one name, the later in the order of
    /// the fields counts.
    pub(super) fn groups(&self, facts: &Facts, recipient: &str, destination: &PhoneNumber) -> Groups {
        let sender = self.envelope_sender.as_ref().and_then(|_| facts.origin.sender_text());
        let to = self.recipient.as_ref().map(|pattern| match pattern.is_in(recipient) {
            true => recipient,
            false => destination.as_str(),
        });
        let pairs = [
            (&self.envelope_sender, sender.as_deref()),
            (&self.header_sender, facts.header_sender),
            (&self.recipient, to),
            (&self.subject, Some(facts.subject)),
            (&self.text, Some(facts.text)),
        ];
        let mut groups = Groups::new();
        for (pattern, text) in pairs {
            if let (Some(pattern), Some(text)) = (pattern, text)
                && pattern.group_names().next().is_some()
            {
                let found = pattern.groups(text).unwrap_or_default();
                groups.extend(found.into_iter().map(|(name, value)| (name.to_owned(), value)));
            }
        }
        groups
    }

    /// The names of all groups that its patterns have.
    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        [&self.envelope_sender, &self.header_sender, &self.recipient, &self.subject, &self.text]
            .into_iter()
            .flatten()
            .flat_map(Pattern::group_names)
    }
}
