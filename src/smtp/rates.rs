//! What each client has sent lately, against an allotment for each minute.
//!
//! A leaky bucket for each kind: what is sent fills it, and it drains evenly by the allotment a minute.
//! Into an empty one goes the whole allotment at once and nothing more, so an alarm storm of that size
//! gets in, and whoever keeps to the rate is never refused. In any span of time a client gets in no more
//! than one allotment and what drained meanwhile: at most twice the allotment in the worst minute, and
//! exactly the allotment each minute in the long run. A window that begins anew each minute has the same
//! worst case and then shuts the client out for the rest of it; one that slides needs a time for each
//! event to be exact. Three numbers a client are enough here. Counting is in whole numbers, so that
//! nothing is rounded: the limit holds at n and not at n + 1 for every n.
//!
//! What is refused fills nothing: a client that tries again too soon loses nothing by it.
//!
//! A client is forgotten once its buckets are empty, as that is the same as never seen. Each question
//! looks at two of the remembered clients and no more, those whose last look is longest ago, and at none
//! before a minute has gone; since a question brings one new client at most, the old ones go faster than
//! new ones come. Beyond [`CLIENTS`] the one whose look is longest ago is forgotten early: whoever has
//! that many addresses is not held by limits for each.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use super::settings::Allotment;
use crate::model::ClientKey;

/// Clients that are remembered at most, in some 25 MB.
pub const CLIENTS: usize = 100_000;
const MINUTE: Duration = Duration::from_secs(60);
/// What one message, recipient or octet adds to its bucket. With this many parts to each, a bucket
/// drains by the allotment's number of parts in a nanosecond.
const ONE: u128 = MINUTE.as_nanos();
/// Remembered clients that one question looks at.
const LOOKS: usize = 2;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Messages, at MAIL.
    Messages,
    /// Recipients, at RCPT, refused ones too.
    Recipients,
    /// Octets of messages, as they arrive.
    Octets,
}

impl What {
    /// The three.
    pub const ALL: [Self; 3] = [Self::Messages, Self::Recipients, Self::Octets];

    /// How much of it `allotment` grants; `None` is without bound.
    pub fn granted(self, allotment: &Allotment) -> Option<u64> {
        match self {
            Self::Messages => allotment.messages,
            Self::Recipients => allotment.recipients,
            Self::Octets => allotment.octets,
        }
    }
}

/// `1 message`, `2 messages`.
pub(super) fn amount(f: &mut fmt::Formatter<'_>, number: u64, what: What) -> fmt::Result {
    let word = match what {
        What::Messages => "message",
        What::Recipients => "recipient",
        What::Octets => "octet",
    };
    write!(f, "{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// A client has used up its allotment for now. The reply is 450 with 4.7.1; its text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Who.
    pub client: ClientKey,
    /// Of what.
    pub what: What,
    /// What it may have of it in a minute.
    pub granted: u64,
    /// How long until one more gets in, if it sends nothing else meanwhile.
    pub wait: Duration,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.what {
            What::Messages | What::Octets => "sent",
            What::Recipients => "named",
        };
        write!(f, "{} has {verb} its ", self.client)?;
        amount(f, self.granted, self.what)?;
        let seconds = self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0);
        let plural = if seconds == 1 { "" } else { "s" };
        write!(f, " of this minute; try again in {seconds} second{plural}")
    }
}

/// What the clients have sent. The allotment comes with each question, since a reload may change it; at
/// any time it is the same for all of them. Whatever is `None` in it costs nothing and is not counted.
#[derive(Debug, Default)]
pub struct Rates {
    clients: HashMap<ClientKey, Buckets>,
    /// Each of `clients` once, with the time before which it is not looked at; the earliest first.
    looks: VecDeque<(Instant, ClientKey)>,
}

/// One for each of [`What`], in its order, as of `at`.
#[derive(Clone, Copy, Debug)]
struct Buckets {
    full: [u128; 3],
    at: Instant,
}

impl Rates {
    /// Nobody has sent anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a message; to be called at MAIL.
    ///
    /// # Errors
    /// The client has sent its messages of this minute; this one was not counted.
    pub fn message(
        &mut self,
        client: ClientKey,
        allotment: &Allotment,
        now: Instant,
    ) -> Result<(), Exceeded> {
        self.ask(client, What::Messages, 1, allotment, now)
    }

    /// Counts a recipient; to be called at RCPT, before anybody judges it.
    ///
    /// # Errors
    /// The client has named its recipients of this minute; this one was not counted.
    pub fn recipient(
        &mut self,
        client: ClientKey,
        allotment: &Allotment,
        now: Instant,
    ) -> Result<(), Exceeded> {
        self.ask(client, What::Recipients, 1, allotment, now)
    }

    /// Whether a message may begin: at least one octet is left. To be called before 354, and at the first
    /// BDAT of a message; counts nothing.
    ///
    /// How large the message is, nobody knows yet, and one that has begun is never cut: whatever the client
    /// has sent of it would have to be sent again. So it may overdraw, and the debt is waited for
    /// before the next. Its size is bounded by [`Limits::message_octets`](super::Limits::message_octets).
    ///
    /// # Errors
    /// The client has sent its octets of this minute.
    pub fn room_for_octets(
        &mut self,
        client: ClientKey,
        allotment: &Allotment,
        now: Instant,
    ) -> Result<(), Exceeded> {
        self.ask(client, What::Octets, 0, allotment, now)
    }

    /// Counts octets that have arrived; to be called when a message has ended, however it ended, or for
    /// each piece of it.
    pub fn octets(&mut self, client: ClientKey, octets: u64, allotment: &Allotment, now: Instant) {
        if allotment.octets.is_some() && octets > 0 {
            self.forget_old(allotment, now);
            let full = &mut self.buckets(client, allotment, now).full[What::Octets as usize];
            *full = full.saturating_add(u128::from(octets) * ONE);
        }
    }

    /// Whether one more fits, and adds `adds`.
    fn ask(
        &mut self,
        client: ClientKey,
        what: What,
        adds: u128,
        allotment: &Allotment,
        now: Instant,
    ) -> Result<(), Exceeded> {
        let Some(granted) = what.granted(allotment) else { return Ok(()) };
        self.forget_old(allotment, now);
        if adds == 0 && !self.clients.contains_key(&client) && granted > 0 {
            return Ok(());
        }
        let full = &mut self.buckets(client, allotment, now).full[what as usize];
        let brim = u128::from(granted) * ONE;
        let over = full.saturating_add(ONE).saturating_sub(brim);
        if over == 0 {
            *full += adds * ONE;
            return Ok(());
        }
        let nanoseconds = over.div_ceil(drained_a_nanosecond(granted));
        let wait = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        Err(Exceeded { client, what, granted, wait })
    }

    /// The client's buckets, drained up to `now`.
    fn buckets(&mut self, client: ClientKey, allotment: &Allotment, now: Instant) -> &mut Buckets {
        if !self.clients.contains_key(&client) {
            if self.clients.len() >= CLIENTS
                && let Some((_, oldest)) = self.looks.pop_front()
            {
                self.clients.remove(&oldest);
            }
            self.looks.push_back((now + MINUTE, client));
        }
        let buckets = self.clients.entry(client).or_insert(Buckets { full: [0; 3], at: now });
        buckets.drain(allotment, now);
        buckets
    }

    fn forget_old(&mut self, allotment: &Allotment, now: Instant) {
        for _ in 0..LOOKS {
            match self.looks.front() {
                Some((due, client)) if *due <= now => {
                    let client = *client;
                    self.looks.pop_front();
                    if let Some(buckets) = self.clients.get_mut(&client) {
                        buckets.drain(allotment, now);
                        if buckets.full == [0; 3] {
                            self.clients.remove(&client);
                        } else {
                            self.looks.push_back((now + MINUTE, client));
                        }
                    }
                }
                Some(_) => return,
                None => {
                    // Gives back what a storm of clients had taken; nothing is in it.
                    self.clients = HashMap::new();
                    self.looks = VecDeque::new();
                    return;
                }
            }
        }
    }
}

/// A grant of nothing, which no client can ever use, drains as one of 1: a client that filled its bucket
/// before a reload is to be forgotten some day.
fn drained_a_nanosecond(granted: u64) -> u128 {
    u128::from(granted.max(1))
}

impl Buckets {
    /// Time never goes back, even if `now` was taken before another thread's.
    fn drain(&mut self, allotment: &Allotment, now: Instant) {
        let nanoseconds = now.saturating_duration_since(self.at).as_nanos();
        self.at = self.at.max(now);
        for (full, what) in self.full.iter_mut().zip(What::ALL) {
            *full = match what.granted(allotment) {
                Some(granted) => {
                    full.saturating_sub(nanoseconds.saturating_mul(drained_a_nanosecond(granted)))
                }
                None => 0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn client(number: u32) -> ClientKey {
        IpAddr::V4(Ipv4Addr::from_bits(number)).into()
    }

    fn messages(n: u64) -> Allotment {
        Allotment { messages: Some(n), ..Allotment::default() }
    }

    fn octets(n: u64) -> Allotment {
        Allotment { octets: Some(n), ..Allotment::default() }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_limit_holds_at_n_and_not_at_n_plus_one() {
        let now = Instant::now();
        let allotment = Allotment { messages: Some(7), recipients: Some(3), octets: Some(1) };
        let mut rates = Rates::new();
        let key: ClientKey = "192.0.2.7".parse::<IpAddr>().unwrap().into();
        for _ in 0..7 {
            assert_eq!(rates.message(key, &allotment, now), Ok(()));
        }
        let refused = rates.message(key, &allotment, now).unwrap_err();
        assert_eq!((refused.what, refused.granted), (What::Messages, 7));
        assert_eq!(
            refused.to_string(),
            "192.0.2.7 has sent its 7 messages of this minute; try again in 9 seconds"
        );
        for _ in 0..3 {
            assert_eq!(rates.recipient(key, &allotment, now), Ok(()));
        }
        assert_eq!(
            rates.recipient(key, &allotment, now).unwrap_err().to_string(),
            "192.0.2.7 has named its 3 recipients of this minute; try again in 20 seconds"
        );
        assert_eq!(rates.room_for_octets(key, &allotment, now), Ok(()));
        rates.octets(key, 1, &allotment, now);
        assert_eq!(
            rates.room_for_octets(key, &allotment, now).unwrap_err().to_string(),
            "192.0.2.7 has sent its 1 octet of this minute; try again in 60 seconds"
        );
        let other = client(1);
        assert_eq!(rates.message(other, &allotment, now), Ok(()), "clients do not share");
    }

    #[test]
    fn an_odd_share_of_the_minute_is_not_rounded() {
        let now = Instant::now();
        // 60 s / 700001 is no whole number of nanoseconds.
        let (mut rates, n) = (Rates::new(), 700_001);
        for _ in 0..n {
            assert_eq!(rates.message(client(1), &messages(n), now), Ok(()));
        }
        let refused = rates.message(client(1), &messages(n), now).unwrap_err();
        assert_eq!(refused.wait, Duration::from_nanos(85_715));
        assert!(refused.to_string().ends_with("; try again in 1 second"), "{refused}");
    }

    #[test]
    fn after_the_wait_that_was_told_one_more_gets_in_and_not_before() {
        let start = Instant::now();
        let (mut rates, allotment) = (Rates::new(), messages(100));
        for _ in 0..100 {
            rates.message(client(1), &allotment, start).unwrap();
        }
        let wait = rates.message(client(1), &allotment, start).unwrap_err().wait;
        assert_eq!(wait, Duration::from_millis(600));
        let early = start + wait - Duration::from_nanos(1);
        assert_eq!(rates.message(client(1), &allotment, early).unwrap_err().wait, Duration::from_nanos(1));
        assert_eq!(rates.message(client(1), &allotment, start + wait), Ok(()));
        assert!(rates.message(client(1), &allotment, start + wait).is_err());
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused_and_a_refusal_costs_nothing() {
        let start = Instant::now();
        let (mut rates, allotment) = (Rates::new(), messages(60));
        for n in 0..600 {
            assert_eq!(rates.message(client(1), &allotment, start + SECOND * n), Ok(()));
        }
        let end = start + SECOND * 599;
        for _ in 0..59 {
            assert_eq!(rates.message(client(1), &allotment, end), Ok(()));
        }
        for _ in 0..1000 {
            assert_eq!(rates.message(client(1), &allotment, end).unwrap_err().wait, SECOND);
        }
        assert_eq!(rates.message(client(1), &allotment, end + SECOND), Ok(()));
    }

    #[test]
    fn a_message_that_overdraws_is_paid_off_before_the_next() {
        let start = Instant::now();
        let (mut rates, allotment) = (Rates::new(), octets(1000));
        rates.octets(client(1), 999, &allotment, start);
        assert_eq!(rates.room_for_octets(client(1), &allotment, start), Ok(()), "one is left");
        rates.octets(client(1), 9_001, &allotment, start);
        let refused = rates.room_for_octets(client(1), &allotment, start).unwrap_err();
        // 9000 beyond the minute's, and one octet of room.
        assert_eq!(refused.wait, Duration::from_millis(9 * 60_000 + 60));
        let paid = start + refused.wait;
        assert!(rates.room_for_octets(client(1), &allotment, paid - SECOND / 1000).is_err());
        assert_eq!(rates.room_for_octets(client(1), &allotment, paid), Ok(()));
    }

    #[test]
    fn without_a_limit_nothing_is_remembered() {
        let (mut rates, now, none) = (Rates::new(), Instant::now(), Allotment::default());
        for n in 0..1000 {
            assert_eq!(rates.message(client(n), &none, now), Ok(()));
            assert_eq!(rates.recipient(client(n), &none, now), Ok(()));
            assert_eq!(rates.room_for_octets(client(n), &none, now), Ok(()));
            rates.octets(client(n), u64::MAX, &none, now);
            // A look alone remembers nobody either.
            assert_eq!(rates.room_for_octets(client(n), &octets(1), now), Ok(()));
        }
        assert!(rates.clients.is_empty() && rates.looks.is_empty());
    }

    #[test]
    fn a_grant_of_nothing_refuses_and_the_largest_numbers_are_survived() {
        let (mut rates, now) = (Rates::new(), Instant::now());
        assert!(rates.message(client(1), &messages(0), now).is_err());
        assert!(rates.room_for_octets(client(1), &octets(0), now).is_err());
        for _ in 0..3 {
            rates.octets(client(1), u64::MAX, &octets(1), now);
        }
        let wait = rates.room_for_octets(client(1), &octets(1), now).unwrap_err().wait;
        assert_eq!(wait, Duration::from_nanos(u64::MAX));
        rates.octets(client(2), u64::MAX, &octets(u64::MAX), now);
        assert!(rates.room_for_octets(client(2), &octets(u64::MAX), now).is_err());
    }

    #[test]
    fn what_was_sent_stays_sent_when_a_reload_changes_the_grant() {
        let (mut rates, now) = (Rates::new(), Instant::now());
        for _ in 0..10 {
            rates.message(client(1), &messages(100), now).unwrap();
        }
        assert!(rates.message(client(1), &messages(10), now).is_err());
        assert_eq!(rates.message(client(1), &messages(11), now), Ok(()));
        assert_eq!(rates.message(client(1), &Allotment::default(), now), Ok(()));
    }

    #[test]
    fn a_clock_read_too_early_harms_nobody() {
        let (mut rates, now) = (Rates::new(), Instant::now());
        let later = now + SECOND * 30;
        rates.message(client(1), &messages(2), later).unwrap();
        rates.message(client(1), &messages(2), now).unwrap();
        assert_eq!(rates.message(client(1), &messages(2), now).unwrap_err().wait, SECOND * 30);
        assert_eq!(rates.message(client(1), &messages(2), later).unwrap_err().wait, SECOND * 30);
    }

    #[test]
    fn clients_that_are_gone_are_forgotten_by_those_who_come() {
        let start = Instant::now();
        let (mut rates, allotment) = (Rates::new(), messages(60));
        for n in 0..10_000 {
            rates.message(client(n), &allotment, start).unwrap();
        }
        let debtor = client(1_000_000);
        let both = Allotment { octets: Some(1), ..allotment };
        rates.octets(debtor, 10, &both, start);
        let later = start + MINUTE - Duration::from_nanos(1);
        rates.message(client(0), &both, later).unwrap();
        assert_eq!(rates.clients.len(), 10_001, "a minute has not gone");
        let later = start + MINUTE;
        for n in 0..5_001 {
            let before = rates.clients.len();
            rates.message(client(2_000_000), &both, later + SECOND * n).unwrap();
            assert!(rates.clients.len() + LOOKS >= before, "one question looks at {LOOKS}");
            assert_eq!(rates.looks.len(), rates.clients.len());
            if n == 0 {
                assert_eq!(rates.clients.len(), 10_001 - LOOKS + 2, "client 0 sent lately; one is new");
            }
        }
        let mut left: Vec<ClientKey> = rates.clients.keys().copied().collect();
        left.sort_by_key(ToString::to_string);
        assert!(left.len() <= 2 && left.contains(&client(2_000_000)), "{left:?}");
    }

    #[test]
    fn who_has_not_paid_off_is_not_forgotten() {
        let start = Instant::now();
        let (mut rates, allotment) = (Rates::new(), octets(10));
        rates.octets(client(1), 100, &allotment, start);
        for n in 1..9 * 60 {
            // Each question looks at the oldest.
            rates.octets(client(2), 1, &allotment, start + SECOND * n);
            assert!(rates.room_for_octets(client(1), &allotment, start + SECOND * n).is_err(), "{n}");
        }
        for n in 9 * 60..12 * 60 {
            rates.octets(client(2), 1, &allotment, start + SECOND * n);
        }
        assert!(!rates.clients.contains_key(&client(1)));
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let start = Instant::now();
        let (mut rates, allotment) = (Rates::new(), messages(1));
        for n in 0..=u32::try_from(CLIENTS).unwrap() {
            rates.message(client(n), &allotment, start).unwrap();
        }
        assert_eq!((rates.clients.len(), rates.looks.len()), (CLIENTS, CLIENTS));
        assert!(!rates.clients.contains_key(&client(0)), "the first went for the last");
        assert!(rates.message(client(1), &allotment, start).is_err(), "and no other");
        let later = start + MINUTE;
        for _ in 0..=CLIENTS / LOOKS {
            rates.room_for_octets(client(0), &octets(1), later).unwrap();
        }
        assert_eq!((rates.clients.len(), rates.clients.capacity(), rates.looks.capacity()), (0, 0, 0));
    }

    proptest! {
        /// However a client spreads its messages: none gets in that makes more than the allotment and
        /// what drained since any earlier moment, and none is refused without need.
        #[test]
        fn no_span_of_time_gets_more_than_the_allotment_and_its_share(
            n in 1u64..20,
            gaps in proptest::collection::vec(0u64..8_000, 1..120),
        ) {
            let (mut rates, allotment) = (Rates::new(), messages(n));
            let mut now = Instant::now();
            let mut taken: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                // In 1/60000 of a message, as the gaps are in milliseconds.
                let fits = |since: usize| {
                    let span = u64::try_from((now - taken[since]).as_millis()).unwrap();
                    (taken.len() - since + 1) as u64 * 60_000 <= n * 60_000 + span * n
                };
                let expected = (0..taken.len()).all(fits);
                let refused = rates.message(client(1), &allotment, now).err();
                prop_assert_eq!(refused.is_none(), expected);
                match refused {
                    None => taken.push(now),
                    Some(exceeded) => {
                        prop_assert!(exceeded.wait <= MINUTE);
                    }
                }
            }
        }
    }
}
