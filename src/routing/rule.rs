//! One rule: what it asks for and what it does.

use std::ops::Range;
use std::time::Duration;

use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

use super::template::Template;
use super::{Facts, Origin};
use crate::model::{PhoneNumber, SenderId};

/// Memory that one compiled pattern may take, in octets.
const MAX_COMPILED: usize = 1 << 20;
/// How deep groups may stand in each other.
const MAX_NESTING: u32 = 50;

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
    /// What becomes of subject and text.
    pub text: Option<Template>,
    /// The platform's campaign, at most 255 characters.
    pub campaign_id: Option<String>,
    /// Most parts; 1 to 255.
    pub max_parts: Option<u32>,
    /// How long it is tried.
    pub lifetime: Option<Duration>,
    /// Checked by the platform and not sent.
    pub simulation: bool,
    /// Sent as SMS even where the account prefers RCS.
    pub skip_rcs_override: bool,
    /// Whether the platform calls back.
    pub enable_notification: Option<bool>,
}

/// A regular expression, found anywhere in the text unless anchored. It pays no regard to case;
/// `(?-i)` at its beginning changes that. Its cost is linear in the text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid regular expression: {reason}")]
pub struct PatternError {
    /// What is wrong.
    pub reason: String,
    /// Octets of the expression that it is about, where that is known.
    pub range: Option<Range<usize>>,
}

impl Pattern {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`PatternError`] when it is not a regular expression, or too large once compiled.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        // `regex` tells the place of an error only inside its text; its parser tells it as numbers.
        regex_syntax::ParserBuilder::new()
            .nest_limit(MAX_NESTING)
            .case_insensitive(true)
            .build()
            .parse(source)
            .map_err(|error| syntax_error(&error))?;
        RegexBuilder::new(source)
            .case_insensitive(true)
            .nest_limit(MAX_NESTING)
            .size_limit(MAX_COMPILED)
            .build()
            .map(Self)
            .map_err(|error| {
                let too_big = matches!(error, regex::Error::CompiledTooBig(_));
                let small = || "it is too large; use smaller repetitions".to_owned();
                PatternError { reason: if too_big { small() } else { error.to_string() }, range: None }
            })
    }

    /// Whether it is found in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

fn syntax_error(error: &regex_syntax::Error) -> PatternError {
    let (reason, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
        // The enum is open; its other variants have a text only.
        other => (other.to_string(), None),
    };
    PatternError { reason, range: span.map(|span| span.start.offset..span.end.offset) }
}

impl Conditions {
    /// Whether everything holds that is known when a recipient is named (`RCPT`).
    pub(super) fn hold_at_recipient(
        &self,
        origin: &Origin,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> bool {
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
        networks.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&client.address)))
            && listeners.as_ref().is_none_or(|names| one_of(names, &client.listener))
            && accounts
                .as_ref()
                .is_none_or(|names| client.account.as_ref().is_some_and(|name| one_of(names, name)))
            && envelope_sender
                .as_ref()
                .is_none_or(|pattern| origin.sender_text().is_some_and(|sender| pattern.is_in(&sender)))
            && to
                .as_ref()
                .is_none_or(|pattern| pattern.is_in(recipient) || pattern.is_in(destination.as_str()))
    }

    /// Whether something is asked for that only the content can tell.
    pub(super) fn need_content(&self) -> bool {
        self.header_sender.is_some() || self.subject.is_some() || self.text.is_some()
    }

    /// Whether everything holds.
    pub(super) fn hold(&self, facts: &Facts, recipient: &str, destination: &PhoneNumber) -> bool {
        let found = |pattern: &Option<Pattern>, text: Option<&str>| {
            pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| pattern.is_in(text)))
        };
        self.hold_at_recipient(&facts.origin, recipient, destination)
            && found(&self.header_sender, facts.header_sender)
            && found(&self.subject, Some(facts.subject))
            && found(&self.text, Some(facts.text))
    }
}
