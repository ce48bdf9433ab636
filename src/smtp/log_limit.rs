//! How many lines the log gets about what clients do wrong.
//!
//! Each of them costs a client a few octets, at the speed of the network, so that anybody on it could fill the
//! disk or push everything else out of the journal. What is left out is counted, and the next line that
//! gets in says how many these were; the metrics count all of it in any case.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use super::rates::Rates;
use super::settings::Allotment;
use crate::model::ClientKey;

/// Lines of one client, at once or in a minute.
const PER_CLIENT: u64 = 30;
/// Lines of all clients together.
const IN_ALL: u64 = 600;

/// Lets lines in, or counts them. It is a limit for each client and one for all, so that a noisy one does not
/// hide the others, nor many each with a few lines the rest.
#[derive(Debug, Default)]
pub(super) struct LogLimit {
    clients: Rates,
    /// Has one client, which stands for all.
    all: Rates,
    left_out: u64,
}

impl LogLimit {
    /// Whether a line about `client` may be written now: then with how many were left out since the last that
    /// was, if any.
    pub(super) fn line(&mut self, client: ClientKey, now: Instant) -> Option<Option<u64>> {
        let lines = |lines| Allotment { messages: Some(lines), ..Allotment::default() };
        let everybody = ClientKey::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let may = self.clients.message(client, &lines(PER_CLIENT), now).is_ok()
            && self.all.message(everybody, &lines(IN_ALL), now).is_ok();
        if may {
            return Some(Some(std::mem::take(&mut self.left_out)).filter(|lines| *lines > 0));
        }
        self.left_out += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn nth(number: u32) -> ClientKey {
        IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)).into()
    }

    #[test]
    fn a_client_has_thirty_lines_a_minute_and_the_next_line_tells_of_those_left_out() {
        let (mut limit, start) = (LogLimit::default(), Instant::now());
        assert!((0..30).all(|_| limit.line(nth(1), start) == Some(None)));
        assert!((0..1000).all(|_| limit.line(nth(1), start).is_none()));
        assert_eq!(limit.line(nth(2), start), Some(Some(1000)), "others are not silenced");
        assert_eq!(limit.line(nth(2), start), Some(None));
        let later = start + Duration::from_secs(2);
        assert_eq!(limit.line(nth(1), later), Some(None));
        assert_eq!(limit.line(nth(1), later), None);
    }

    #[test]
    fn all_clients_together_have_six_hundred() {
        let (mut limit, now) = (LogLimit::default(), Instant::now());
        assert!((0..600).all(|number| limit.line(nth(number), now) == Some(None)));
        assert!((600..700).all(|number| limit.line(nth(number), now).is_none()));
        assert_eq!(limit.line(nth(700), now + Duration::from_millis(100)), Some(Some(100)));
    }
}
