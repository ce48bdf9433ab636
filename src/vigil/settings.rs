//! What the watch is told by the configuration.

use std::time::Duration;

use super::Schedule;
use crate::model::{Lane, MailAddress, Source};
use crate::wording::OwnTemplate;

/// What the watch is told by the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Who is to be heard of.
    pub expected: Vec<Expectation>,
    /// The tests, by names of which there are no two alike.
    pub heartbeats: Vec<Heartbeat>,
    /// Whether the relay counts as not ready while somebody is silent.
    pub silence_is_trouble: bool,
    /// Who is told by mail; nobody without one, and where there is no smarthost.
    pub operator: Option<MailAddress>,
    /// `From:` of the mail.
    pub from: MailAddress,
    /// The right side of message ids.
    pub hostname: String,
    /// When a mail is given up.
    pub lifetime: Duration,
}

impl Settings {
    /// All whom the relay's own SMS are for, as written.
    pub fn recipients(&self) -> impl Iterator<Item = &String> {
        let silent = self.expected.iter().flat_map(|one| &one.tell);
        silent.chain(self.heartbeats.iter().flat_map(|test| test.to.iter().chain(&test.tell)))
    }
}

/// Somebody who is to be heard of.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Who.
    pub source: Source,
    /// How long they may be silent.
    pub within: Duration,
    /// Who gets a text: numbers, aliases or rotas; nobody where it is empty.
    pub tell: Vec<String>,
    /// The words of the text, where they are not the usual ones.
    pub text: Option<OwnTemplate>,
}

/// A test that the relay sends at times.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// Its name, which rules know as its listener.
    pub name: String,
    /// When.
    pub schedule: Schedule,
    /// Whom it is for.
    pub to: Vec<String>,
    /// Its words, where they are not the usual ones.
    pub text: Option<OwnTemplate>,
    /// In what time it is to be delivered.
    pub within: Duration,
    /// Who gets a text where it is not.
    pub tell: Vec<String>,
    /// How urgent it is where no rule says.
    pub lane: Lane,
}
