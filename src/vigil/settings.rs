//! What the watch is told by the configuration.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::telling::filled;
use super::{Schedule, words};
use crate::model::{Lane, MailAddress, Source};
use crate::wording::{OwnTemplate, OwnWords};

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

impl Expectation {
    /// What a text says that tells of this silence alone, once it has lasted as long as it may.
    pub fn words(&self, now: Timestamp) -> String {
        let items = [words::Item { source: self.source.clone(), silent: self.within, last: None }];
        let usual = || words::silent_text(&items);
        let silent = words::spelled(self.within);
        let words = OwnWords {
            name: &self.source.name,
            kind: self.source.kind.as_str(),
            silent: &silent,
            now: now.to_zoned(TimeZone::system()),
        };
        self.text.as_ref().map_or_else(usual, |template| filled(template, &words, usual))
    }
}

impl Heartbeat {
    /// What the test says that is sent at `now`.
    pub fn words(&self, now: Timestamp) -> String {
        let now = now.to_zoned(self.schedule.zone.clone());
        let usual = || words::test_text(&self.name, &now);
        let words = OwnWords { name: &self.name, kind: "heartbeat", silent: "", now: now.clone() };
        self.text.as_ref().map_or_else(usual, |template| filled(template, &words, usual))
    }

    /// What a text says that tells of a failure; `why` is what is known of it.
    pub fn failure_words(&self, why: &str) -> String {
        words::failed_text(&self.name, why)
    }
}
