//! How many mails an address has had in the last hour: the guard against backscatter and against
//! burying somebody in reports when the platform is down.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::MailAddress;
use crate::retry::later;

/// The time over which mails are counted.
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// The mails of the last hour, by address. It holds one entry for each mail of the last hour, and at most
/// `limit` and the summaries beyond it for one address.
#[derive(Debug)]
pub(crate) struct Ledger {
    limit: usize,
    sent: HashMap<String, VecDeque<Timestamp>>,
}

impl Ledger {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), sent: HashMap::new() }
    }

    /// With what was `filed` before, the oldest first.
    pub(crate) fn recall(limit: usize, filed: &[(MailAddress, Timestamp)]) -> Self {
        let mut ledger = Self::new(limit);
        for (address, at) in filed {
            ledger.note(address, *at);
        }
        ledger
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Forgets what is older than an hour, or from a future that a set clock has taken back.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.sent.retain(|_, times| {
            times.retain(|time| *time <= now && later(*time, HOUR) > now);
            !times.is_empty()
        });
    }

    /// How many more mails `address` may have.
    pub(super) fn room(&self, address: &MailAddress) -> usize {
        self.limit.saturating_sub(self.sent.get(&key(address)).map_or(0, VecDeque::len))
    }

    /// When `address`, which has no room, has some again.
    pub(super) fn room_at(&self, address: &MailAddress) -> Option<Timestamp> {
        let times = self.sent.get(&key(address))?;
        let oldest_in_the_way = times.len().checked_sub(self.limit)?;
        times.get(oldest_in_the_way).map(|time| later(*time, HOUR))
    }

    /// A mail to `address` was queued.
    pub(super) fn note(&mut self, address: &MailAddress, now: Timestamp) {
        self.sent.entry(key(address)).or_default().push_back(now);
    }
}

/// Local parts differ by case in theory only; for a limit they are the same person.
pub(super) fn key(address: &MailAddress) -> String {
    address.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn n_mails_fit_into_an_hour_and_the_next_when_the_first_is_an_hour_old() {
        let address = MailAddress::parse("nas@example.com").unwrap();
        let other_case = MailAddress::parse("NAS@Example.com").unwrap();
        let mut ledger = Ledger::new(2);
        assert_eq!(ledger.room(&address), 2);
        ledger.note(&address, at(0));
        assert_eq!((ledger.room(&address), ledger.room_at(&address)), (1, None));
        ledger.note(&other_case, at(10));
        assert_eq!((ledger.room(&address), ledger.room_at(&address)), (0, Some(at(3600))));
        ledger.forget(at(3599));
        assert_eq!(ledger.room(&address), 0);
        ledger.forget(at(3600));
        assert_eq!(ledger.room(&address), 1);
        ledger.note(&address, at(3600));
        ledger.note(&address, at(3601));
        assert_eq!((ledger.room(&address), ledger.room_at(&address)), (0, Some(at(7200))));
        assert_eq!(ledger.room(&MailAddress::parse("other@example.com").unwrap()), 2);
    }

    #[test]
    fn what_was_filed_before_a_restart_counts_until_it_is_an_hour_old() {
        let [one, two] = ["a@example.com", "b@example.com"].map(|text| MailAddress::parse(text).unwrap());
        let filed = [(one.clone(), at(0)), (two.clone(), at(5)), (one.clone(), at(9))];
        let mut ledger = Ledger::recall(2, &filed);
        ledger.forget(at(3599));
        assert_eq!((ledger.room(&one), ledger.room_at(&one)), (0, Some(at(3600))));
        assert_eq!(ledger.room(&two), 1);
        ledger.forget(at(3600));
        assert_eq!(ledger.room(&one), 1);
    }

    #[test]
    fn a_clock_set_back_does_not_silence_anybody() {
        let address = MailAddress::parse("nas@example.com").unwrap();
        let mut ledger = Ledger::new(0);
        ledger.note(&address, at(1_000_000));
        assert_eq!(ledger.room(&address), 0);
        ledger.forget(at(0));
        assert_eq!(ledger.room(&address), 1);
    }
}
