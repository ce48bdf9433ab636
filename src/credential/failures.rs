//! Failed authentications of each client, so that nobody tries passwords one after the other.
//!
//! A client's first failure opens a window. Failures within it count; with the limit reached, the client may try no
//! more until a whole window after that failure.
//!
//! A success takes nothing back. Otherwise whoever has one account, such as a stolen printer's, would
//! guess at the others for ever by logging in between. A machine with a right password does not fail, so
//! it has no failures to be forgiven.
//!
//! Attempts that are being checked at the same time do not count yet: a client may go over the limit by as
//! many as it may have connections. Counting them would turn away a machine that opens many at once
//! with the right password.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::model::ClientKey;

/// Most clients that are remembered; under 1 MB.
const CLIENTS: usize = 10_000;

/// Who failed how often.
#[derive(Debug)]
pub struct Failures {
    limit: usize,
    window: Duration,
    room: usize,
    clients: HashMap<ClientKey, Failed>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: usize,
    forgotten_at: Instant,
}

impl Failures {
    /// Nobody has failed yet. After `limit` failures within `window` a client may try no more for
    /// another `window`; a limit of 0 lets nobody try.
    pub fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, room: CLIENTS, clients: HashMap::new() }
    }

    /// Other limits from now on. Who has failed is not forgotten by it: certificates are renewed by reloads,
    /// too. Windows that have begun stay as long as they are.
    pub fn change(&mut self, limit: usize, window: Duration) {
        (self.limit, self.window) = (limit, window);
    }

    /// Whether `client` may show credentials. Ask before they are checked, as that is what costs.
    pub fn may_try(&mut self, client: ClientKey, now: Instant) -> bool {
        self.wait(client, now).is_none()
    }

    /// How long `client` has to wait before it may show credentials; `None` when it may now.
    pub fn wait(&mut self, client: ClientKey, now: Instant) -> Option<Duration> {
        let (times, wait) = match self.clients.get(&client) {
            Some(failed) if failed.forgotten_at > now => (failed.times, failed.forgotten_at - now),
            Some(_) => {
                self.clients.remove(&client);
                (0, self.window)
            }
            None => (0, self.window),
        };
        (times >= self.limit).then_some(wait)
    }

    /// Counts a failure of `client`.
    pub fn failed(&mut self, client: ClientKey, now: Instant) {
        if self.clients.get(&client).is_none_or(|failed| failed.forgotten_at <= now) {
            self.clients.remove(&client);
            self.make_room(now);
        }
        let (limit, until) = (self.limit, now + self.window);
        let failed = self.clients.entry(client).or_insert(Failed { times: 0, forgotten_at: until });
        failed.times += 1;
        if failed.times == limit {
            failed.forgotten_at = until;
        }
    }

    /// Lets one client go when there is no room for another: of those that may still try the one whose
    /// window ends first. A client that may not try is let go only when there are no others: otherwise
    /// whoever has many addresses would free the used ones by failing from the rest. What such an attacker
    /// gains is that a few failures of each address are forgotten early. Turning away all new clients
    /// instead would let it lock everybody out.
    fn make_room(&mut self, now: Instant) {
        if self.clients.len() < self.room {
            return;
        }
        self.clients.retain(|_, failed| failed.forgotten_at > now);
        while self.clients.len() >= self.room {
            let first = |failed: &Failed| (failed.times >= self.limit, failed.forgotten_at);
            let Some(client) = self.clients.iter().min_by_key(|(_, failed)| first(failed)) else { return };
            let client = *client.0;
            self.clients.remove(&client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);
    const TICK: Duration = Duration::from_nanos(1);

    fn client(text: &str) -> ClientKey {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn nth(number: usize) -> ClientKey {
        IpAddr::from(u32::try_from(number).unwrap().to_be_bytes()).into()
    }

    fn fail(failures: &mut Failures, client: ClientKey, times: usize, now: Instant) {
        for _ in 0..times {
            failures.failed(client, now);
        }
    }

    #[test]
    fn the_limit_is_reached_at_n_and_not_before() {
        let (now, ups) = (Instant::now(), client("192.0.2.1"));
        let mut failures = Failures::new(10, WINDOW);
        fail(&mut failures, ups, 9, now);
        assert!(failures.may_try(ups, now));
        fail(&mut failures, ups, 1, now);
        assert!(!failures.may_try(ups, now));
        fail(&mut failures, ups, 1, now);
        assert!(!failures.may_try(ups, now));
        assert!(failures.may_try(client("192.0.2.2"), now), "others are not concerned");
        assert!(!Failures::new(0, WINDOW).may_try(ups, now));
    }

    #[test]
    fn the_wait_is_what_is_left_of_the_window() {
        let (start, ups) = (Instant::now(), client("192.0.2.1"));
        let mut failures = Failures::new(2, WINDOW);
        fail(&mut failures, ups, 1, start);
        assert_eq!(failures.wait(ups, start), None);
        fail(&mut failures, ups, 1, start + WINDOW / 2);
        assert_eq!(failures.wait(ups, start + WINDOW / 2), Some(WINDOW));
        assert_eq!(failures.wait(ups, start + WINDOW), Some(WINDOW / 2));
        assert_eq!(failures.wait(ups, start + WINDOW + WINDOW / 2), None);
        assert_eq!(Failures::new(0, WINDOW).wait(ups, start), Some(WINDOW), "nobody may ever");
    }

    #[test]
    fn failures_are_forgotten_a_window_after_the_first() {
        let (start, ups) = (Instant::now(), client("192.0.2.1"));
        let mut failures = Failures::new(3, WINDOW);
        fail(&mut failures, ups, 2, start);
        fail(&mut failures, ups, 1, start + WINDOW);
        assert!(failures.may_try(ups, start + WINDOW), "the first two are over, this is one");
        fail(&mut failures, ups, 1, start + WINDOW);
        assert!(failures.may_try(ups, start + WINDOW));
        fail(&mut failures, ups, 1, start + WINDOW);
        assert!(!failures.may_try(ups, start + WINDOW));
    }

    #[test]
    fn the_last_failure_shuts_for_a_whole_window() {
        let (start, ups) = (Instant::now(), client("192.0.2.1"));
        let mut failures = Failures::new(3, WINDOW);
        fail(&mut failures, ups, 2, start);
        let last = start + WINDOW - TICK;
        fail(&mut failures, ups, 1, last);
        // One that was under way meanwhile makes it no longer.
        fail(&mut failures, ups, 1, last + WINDOW / 2);
        assert!(!failures.may_try(ups, last + WINDOW - TICK));
        assert!(failures.may_try(ups, last + WINDOW));
        fail(&mut failures, ups, 2, last + WINDOW);
        assert!(failures.may_try(ups, last + WINDOW), "the count begins anew");
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_64() {
        let now = Instant::now();
        let mut failures = Failures::new(1, WINDOW);
        fail(&mut failures, client("2001:db8:0:1::1"), 1, now);
        fail(&mut failures, client("192.0.2.1"), 1, now);
        assert!(!failures.may_try(client("2001:db8:0:1:ffff:ffff:ffff:ffff"), now));
        assert!(failures.may_try(client("2001:db8:0:2::1"), now));
        assert!(failures.may_try(client("2001:db8::1"), now));
        assert!(!failures.may_try(client("::ffff:192.0.2.1"), now));
        assert!(failures.may_try(client("::ffff:192.0.2.2"), now));
    }

    #[test]
    fn a_reload_forgets_nobody() {
        let (now, ups, pbx) = (Instant::now(), client("192.0.2.1"), client("192.0.2.2"));
        let mut failures = Failures::new(3, WINDOW);
        fail(&mut failures, ups, 3, now);
        fail(&mut failures, pbx, 1, now);
        failures.change(2, WINDOW * 2);
        assert!(!failures.may_try(ups, now + WINDOW - TICK));
        assert!(failures.may_try(ups, now + WINDOW), "the window of then");
        assert!(failures.may_try(pbx, now));
        fail(&mut failures, pbx, 1, now);
        assert!(!failures.may_try(pbx, now + WINDOW * 2 - TICK), "the limit and the window of now");
        assert!(failures.may_try(pbx, now + WINDOW * 2));
    }

    #[test]
    fn ten_thousand_clients_are_remembered_and_not_one_more() {
        let now = Instant::now();
        let mut failures = Failures::new(2, WINDOW);
        for number in 0..10_001_usize {
            failures.failed(nth(number), now + TICK * u32::try_from(number).unwrap());
        }
        assert_eq!(failures.clients.len(), 10_000);
        assert!(!failures.clients.contains_key(&nth(0)), "the oldest went");
        assert!(failures.clients.contains_key(&nth(1)));
    }

    #[test]
    fn a_flood_from_many_addresses_does_not_free_those_that_may_not_try() {
        let now = Instant::now();
        let mut failures = Failures { room: 10, ..Failures::new(2, WINDOW) };
        fail(&mut failures, nth(0), 2, now);
        for number in 1..100 {
            failures.failed(nth(number), now + TICK);
        }
        assert_eq!(failures.clients.len(), 10);
        assert!(!failures.may_try(nth(0), now + TICK));
        // Where all may not try, the oldest goes; the others stay.
        let mut failures = Failures { room: 10, ..Failures::new(1, WINDOW) };
        for number in 0..11_u32 {
            failures.failed(nth(number as usize), now + TICK * number);
        }
        assert!(failures.may_try(nth(0), now + TICK));
        assert!((1..11).all(|number| !failures.may_try(nth(number), now + TICK)));
    }

    #[test]
    fn whose_window_is_over_makes_room_first() {
        let now = Instant::now();
        let mut failures = Failures { room: 3, ..Failures::new(2, WINDOW) };
        fail(&mut failures, nth(0), 2, now);
        failures.failed(nth(1), now + WINDOW / 2);
        failures.failed(nth(2), now + WINDOW / 2);
        failures.failed(nth(3), now + WINDOW);
        assert_eq!(failures.clients.len(), 3);
        assert!(!failures.clients.contains_key(&nth(0)));
    }
}
