//! Whose call is next: so many at a time, so many to one host, and the hosts take turns.
//!
//! The spool hands calls out in the order of their times and knows of no hosts, so a host that is slow or gone
//! may have the whole front of the queue. Only so many of its calls are kept here; the others go back into the
//! spool for a while, and what is behind them comes into reach.

use std::collections::{HashMap, VecDeque};

use crate::spool::Telling;

/// Calls that are claimed at a time, under way or waiting here.
pub(super) const MOST_CLAIMED: usize = 256;
/// Of these, calls of one host that wait.
const MOST_WAITING: usize = 32;

/// The calls that are claimed.
#[derive(Debug)]
pub(super) struct Turns {
    concurrency: usize,
    per_host: usize,
    under_way: usize,
    waiting: usize,
    hosts: HashMap<String, Host>,
    /// Hosts with calls that wait, the next one first.
    order: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Host {
    under_way: usize,
    waiting: VecDeque<Telling>,
}

impl Turns {
    pub(super) fn new(concurrency: usize, per_host: usize) -> Self {
        let (hosts, order) = (HashMap::new(), VecDeque::new());
        Self { concurrency, per_host, under_way: 0, waiting: 0, hosts, order }
    }

    /// How many more may be claimed.
    pub(super) fn room(&self) -> usize {
        MOST_CLAIMED.saturating_sub(self.under_way + self.waiting)
    }

    /// Takes in a call to `host`; gives it back when enough of that host wait.
    pub(super) fn put(&mut self, host: String, telling: Telling) -> Option<Telling> {
        let queue = self.hosts.entry(host.clone()).or_default();
        if queue.waiting.len() >= MOST_WAITING {
            return Some(telling);
        }
        if queue.waiting.is_empty() {
            self.order.push_back(host);
        }
        queue.waiting.push_back(telling);
        self.waiting += 1;
        None
    }

    /// The next call that may begin, with its host; it counts as under way until it has [`ended`](Self::ended).
    pub(super) fn next(&mut self) -> Option<(String, Telling)> {
        if self.under_way >= self.concurrency {
            return None;
        }
        let free = |host: &String| self.hosts.get(host).is_some_and(|queue| queue.under_way < self.per_host);
        let at = self.order.iter().position(free)?;
        let host = self.order.remove(at)?;
        let queue = self.hosts.get_mut(&host)?;
        let telling = queue.waiting.pop_front()?;
        queue.under_way += 1;
        if !queue.waiting.is_empty() {
            self.order.push_back(host.clone());
        }
        self.waiting -= 1;
        self.under_way += 1;
        Some((host, telling))
    }

    /// A call to `host` has ended.
    pub(super) fn ended(&mut self, host: &str) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(queue) = self.hosts.get_mut(host) {
            queue.under_way = queue.under_way.saturating_sub(1);
            if queue.under_way == 0 && queue.waiting.is_empty() {
                self.hosts.remove(host);
            }
        }
    }

    /// All that wait; for the end.
    pub(super) fn take_waiting(&mut self) -> Vec<Telling> {
        self.order.clear();
        self.waiting = 0;
        self.hosts.values_mut().flat_map(|queue| queue.waiting.drain(..)).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{
        Cause, Encoding, EnhancedStatus, FinalState, PhoneNumber, SenderId, Sms, SmsOptions, SmsText,
        SubmissionId, TellStyle, TellUrl,
    };

    /// The end of an SMS with this ordinal, for the program at `url`.
    pub(in super::super) fn telling(url: &str, ordinal: u32) -> Telling {
        let submission: SubmissionId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let id = submission.message(ordinal);
        Telling {
            id,
            to: TellUrl { url: url.to_owned(), account: "shop".to_owned(), style: TellStyle::Signed },
            attempt: 1,
            ended_at: Timestamp::from_second(1_700_000_000).unwrap(),
            recipient: "347 1234567".to_owned(),
            sms: Sms {
                id,
                destination: PhoneNumber::from_e164("+393471234567").unwrap(),
                sender: SenderId::new("Shop").unwrap(),
                text: SmsText { body: "Hello".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
                options: SmsOptions::default(),
            },
            state: FinalState::Undelivered,
            cause: Cause::new(EnhancedStatus::UNDELIVERABLE, "the handset was not reached"),
            price: None,
        }
    }

    fn put(turns: &mut Turns, host: &str, ordinal: u32) -> bool {
        turns.put(host.to_owned(), telling("http://a/", ordinal)).is_none()
    }

    fn next(turns: &mut Turns) -> Option<String> {
        turns.next().map(|(host, telling)| format!("{host}{}", telling.id.ordinal))
    }

    #[test]
    fn hosts_take_turns_and_none_has_more_than_its_share() {
        let mut turns = Turns::new(8, 2);
        for ordinal in 1..=3 {
            assert!(put(&mut turns, "a", ordinal));
        }
        assert!(put(&mut turns, "b", 4) && put(&mut turns, "c", 5));
        let begun: Vec<_> = std::iter::from_fn(|| next(&mut turns)).collect();
        assert_eq!(begun, ["a1", "b4", "c5", "a2"]);
        turns.ended("b");
        assert_eq!(next(&mut turns), None, "the third of a waits for the first two");
        turns.ended("a");
        assert_eq!(next(&mut turns).as_deref(), Some("a3"));
        for host in ["a", "a", "c"] {
            turns.ended(host);
        }
        assert_eq!((turns.under_way, turns.waiting, turns.hosts.len(), turns.room()), (0, 0, 0, 256));
    }

    #[test]
    fn all_together_are_no_more_than_may_be() {
        let mut turns = Turns::new(3, 2);
        for (ordinal, host) in (1..).zip(["a", "b", "c", "d"]) {
            assert!(put(&mut turns, host, ordinal));
        }
        let begun: Vec<_> = std::iter::from_fn(|| next(&mut turns)).collect();
        assert_eq!(begun, ["a1", "b2", "c3"]);
        turns.ended("b");
        assert_eq!(next(&mut turns).as_deref(), Some("d4"));
    }

    #[test]
    fn of_one_host_32_wait_and_the_next_goes_back() {
        let mut turns = Turns::new(8, 2);
        for ordinal in 1..=32 {
            assert!(put(&mut turns, "a", ordinal), "{ordinal}");
        }
        assert!(!put(&mut turns, "a", 33));
        assert!(put(&mut turns, "b", 34));
        assert_eq!(turns.room(), 256 - 33);
        assert_eq!(next(&mut turns).as_deref(), Some("a1"));
        assert!(put(&mut turns, "a", 33));
        let waiting: Vec<u32> = turns.take_waiting().iter().map(|telling| telling.id.ordinal).collect();
        assert_eq!((waiting.len(), turns.room()), (33, 255));
        assert_eq!(next(&mut turns), None);
    }
}
