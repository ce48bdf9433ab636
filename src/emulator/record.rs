//! What has happened at the platform, for tests and the demo to look at.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::{Accepted, Channel, Status};

/// The accepted messages that are kept unless said otherwise; older ones are forgotten and only counted.
pub(super) const MESSAGES: usize = 100_000;
/// Octets of text that are kept; beyond, the oldest messages are forgotten early.
const OCTETS: usize = 64 * 1024 * 1024;
/// The same for each message, where more of them are to be kept.
const OCTETS_OF_ONE: usize = OCTETS / MESSAGES;

/// Requests by endpoint, whatever became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// To send an SMS by the universal API.
    pub send: u64,
    /// For a status.
    pub status: u64,
    /// To send by the legacy API.
    pub legacy: u64,
    /// For the credit.
    pub credit: u64,
    /// To send by RCS or WhatsApp.
    pub template: u64,
    /// Of these, refused for their credentials.
    pub unauthorized: u64,
    /// Of these, met by an ordered fault.
    pub faulted: u64,
}

/// Callbacks, one a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callbacks {
    /// Answered with 2xx.
    pub taken: u64,
    /// Given up after the last try.
    pub given_up: u64,
    /// Still to be made, those under way among them.
    pub waiting: u64,
}

/// Everything that was accepted and asked, in order.
#[derive(Debug)]
pub struct Record {
    /// How many messages are kept.
    most: usize,
    accepted: VecDeque<Accepted>,
    /// The numbers of the messages under each id, oldest first.
    by_id: HashMap<String, Vec<u64>>,
    /// How many of the kept ones have each status.
    by_status: [usize; 5],
    octets: usize,
    total: u64,
    pub(super) requests: Requests,
    pub(super) callbacks: Callbacks,
    pub(super) held: usize,
}

impl Record {
    /// An empty one that keeps so many messages.
    pub(super) fn keeping(most: usize) -> Self {
        Self {
            most,
            accepted: VecDeque::new(),
            by_id: HashMap::new(),
            by_status: [0; 5],
            octets: 0,
            total: 0,
            requests: Requests::default(),
            callbacks: Callbacks::default(),
            held: 0,
        }
    }

    /// The accepted messages in order, simulated ones among them.
    pub fn accepted(&self) -> impl DoubleEndedIterator<Item = &Accepted> + ExactSizeIterator {
        self.accepted.iter()
    }

    /// The accepted messages with a number above `number`, in order.
    pub(super) fn accepted_after(&self, number: u64) -> impl Iterator<Item = &Accepted> {
        let forgotten = self.total - self.accepted.len() as u64;
        let known = usize::try_from(number.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        self.accepted.iter().skip(known)
    }

    /// How many were accepted since the start, forgotten ones among them.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The ids that were accepted more than once: what the platform would have sent twice.
    pub fn repeated(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.by_id.iter().filter(|(_, numbers)| numbers.len() > 1).map(|(id, _)| id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// The last message under an id.
    pub fn message(&self, id: &str) -> Option<&Accepted> {
        self.by_id.get(id).and_then(|numbers| self.numbered(*numbers.last()?))
    }

    /// How many messages have this status now.
    pub fn with_status(&self, status: Status) -> usize {
        // Asked after every change by whoever waits, so that it must not cost more with every message.
        self.by_status[place_of(status)]
    }

    /// Requests so far.
    pub fn requests(&self) -> Requests {
        self.requests
    }

    /// Callbacks so far.
    pub fn callbacks(&self) -> Callbacks {
        self.callbacks
    }

    /// Requests that a hold keeps waiting now.
    pub fn held(&self) -> usize {
        self.held
    }

    /// The last message under an id in a channel.
    pub(super) fn in_channel(&self, id: &str, channel: Channel) -> Option<&Accepted> {
        let numbers = self.by_id.get(id)?;
        numbers.iter().rev().filter_map(|n| self.numbered(*n)).find(|message| message.channel == channel)
    }

    pub(super) fn numbered(&self, number: u64) -> Option<&Accepted> {
        self.accepted.get(self.place(number)?)
    }

    /// Gives a message its number and keeps it. The numbers of those forgotten for it come back.
    pub(super) fn keep(&mut self, mut message: Accepted) -> (u64, Vec<u64>) {
        self.total += 1;
        message.number = self.total;
        self.octets += message.octets();
        self.by_status[place_of(message.status)] += 1;
        self.by_id.entry(message.message_id.clone()).or_default().push(message.number);
        self.accepted.push_back(message);
        let mut forgotten = Vec::new();
        let most_octets = OCTETS.max(self.most.saturating_mul(OCTETS_OF_ONE));
        while self.accepted.len() > self.most.max(1) || self.octets > most_octets && self.accepted.len() > 1 {
            let Some(oldest) = self.accepted.pop_front() else { break };
            self.octets -= oldest.octets();
            self.by_status[place_of(oldest.status)] -= 1;
            if let Some(numbers) = self.by_id.get_mut(&oldest.message_id) {
                numbers.retain(|number| *number != oldest.number);
                if numbers.is_empty() {
                    self.by_id.remove(&oldest.message_id);
                }
            }
            forgotten.push(oldest.number);
        }
        (self.total, forgotten)
    }

    /// Moves a message on; without an effect when it is forgotten.
    pub(super) fn set_status(&mut self, number: u64, status: Status, ended_at: Option<Timestamp>) {
        if let Some(place) = self.place(number)
            && let Some(message) = self.accepted.get_mut(place)
        {
            self.by_status[place_of(message.status)] -= 1;
            self.by_status[place_of(status)] += 1;
            message.status = status;
            message.ended_at = ended_at;
        }
    }

    fn place(&self, number: u64) -> Option<usize> {
        let first = self.total + 1 - self.accepted.len() as u64;
        usize::try_from(number.checked_sub(first)?).ok().filter(|place| *place < self.accepted.len())
    }
}

/// Where the number of messages with a status stands.
fn place_of(status: Status) -> usize {
    match status {
        Status::Unknown => 0,
        Status::Sent => 1,
        Status::Delivered => 2,
        Status::Error => 3,
        Status::Expired => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Encoding;

    fn message(id: String, body: String) -> Accepted {
        Accepted {
            number: 0,
            accepted_at: Timestamp::UNIX_EPOCH,
            channel: Channel::Sms,
            message_id: id,
            platform_id: None,
            destination: String::new(),
            sender: String::new(),
            text: String::new(),
            body,
            encoding: Encoding::Gsm7,
            parts: 1,
            simulation: false,
            campaign_id: None,
            udh_data: None,
            enable_notification: true,
            placeholders: None,
            scheduled_at: None,
            skip_rcs_override: false,
            status: Status::Sent,
            ended_at: None,
        }
    }

    #[test]
    fn a_hundred_thousand_messages_are_kept_and_the_oldest_forgotten() {
        let mut record = Record::keeping(MESSAGES);
        for n in 1..=100_000_u64 {
            assert_eq!(record.keep(message(format!("m{n}"), String::new())), (n, Vec::new()));
        }
        assert!(record.message("m1").is_some());
        assert_eq!(record.keep(message("m1".to_owned(), String::new())), (100_001, vec![1]));
        assert_eq!((record.accepted().len(), record.total()), (100_000, 100_001));
        assert_eq!(record.message("m1").unwrap().number, 100_001);
        assert_eq!(record.message("m2").unwrap().number, 2);
        assert_eq!(record.repeated(), Vec::<String>::new());
        record.set_status(1, Status::Delivered, None);
        record.set_status(2, Status::Delivered, None);
        record.set_status(100_002, Status::Delivered, None);
        assert_eq!(record.with_status(Status::Delivered), 1);
    }

    #[test]
    fn large_texts_make_it_forget_earlier() {
        let mut record = Record::keeping(MESSAGES);
        let half = "x".repeat(OCTETS / 2 - 1);
        assert_eq!(record.keep(message("a".to_owned(), half.clone())).1, Vec::<u64>::new());
        assert_eq!(record.keep(message("b".to_owned(), half)).1, Vec::<u64>::new());
        assert_eq!(record.keep(message("c".to_owned(), String::new())).1, [1]);
    }

    #[test]
    fn so_many_are_kept_as_was_said_and_every_status_is_counted() {
        let mut record = Record::keeping(2);
        for id in ["a", "b", "c"] {
            record.keep(message(id.to_owned(), "x".repeat(OCTETS / 3)));
        }
        let numbers = |record: &Record, after| {
            record.accepted_after(after).map(|message| message.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&record, 0), [2, 3]);
        assert_eq!(numbers(&record, 2), [3]);
        assert!(numbers(&record, 3).is_empty());
        assert!(numbers(&record, u64::MAX).is_empty());
        record.set_status(2, Status::Error, None);
        let counts = |record: &Record| {
            [Status::Unknown, Status::Sent, Status::Delivered, Status::Error, Status::Expired]
                .map(|status| record.with_status(status))
        };
        assert_eq!(counts(&record), [0, 1, 0, 1, 0]);
        record.keep(message("d".to_owned(), String::new()));
        assert_eq!(counts(&record), [0, 2, 0, 0, 0]);
    }

    #[test]
    fn an_id_that_comes_twice_is_two_messages_and_told() {
        let mut record = Record::keeping(MESSAGES);
        for id in ["a", "b", "a"] {
            record.keep(message(id.to_owned(), String::new()));
        }
        assert_eq!(record.repeated(), ["a"]);
        assert_eq!(record.accepted().map(|m| m.number).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
