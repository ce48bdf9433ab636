//! What one connection has sent, against its allotment.
//!
//! Whoever has used up its allotment is to come again in a new connection, at once and without losing
//! anything. What is said depends on where the client is:
//!
//! - **At MAIL**, when anything is used up: 421 with 4.7.0, and the connection is closed. Nothing was begun,
//!   so nothing is lost. 452 would not do, although it leaves the connection open: a client goes on in it and
//!   is refused again and again. 421 means the connection and not the mail (RFC 5321 section 3.8).
//!   A queueing client tries again in a new connection, but not at once; hence the next.
//! - **At RSET**, when anything is used up: the same. Postfix keeps connections, and sends RSET before the
//!   next mail to see whether one still works; if it does not, a new one is opened and the mail delayed
//!   by nothing, where 421 at MAIL would put it back into the queue for minutes. Inside a transaction
//!   RSET is an ordinary RSET: the client gives a mail up and does not ask for the connection's health.
//! - **At RCPT**, when the recipients are used up: 452 with 4.5.3, and the mail goes on with those that
//!   were accepted, which RFC 5321 section 4.5.3.1.10 has clients know: they send the mail again for the
//!   rest. Its MAIL is then answered as above. 421 here would have to throw the accepted ones away.
//! - **In a message** never: one that has begun is never cut. So the last may go beyond the octets, by what
//!   [`Limits::message_octets`](super::Limits::message_octets) allows.
//!
//! Clients that read `LIMITS` (RFC 9422) learn the number of messages as `MAILMAX` and need none of this.

use std::fmt;

use super::rates::{What, amount};
use super::settings::Allotment;

/// What a connection has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    messages: u64,
    recipients: u64,
    octets: u64,
}

/// A connection has used up its allotment; its text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Of what.
    pub what: What,
    /// What one connection may have of it.
    pub granted: u64,
}

impl Used {
    /// Counts a message; to be called at MAIL.
    ///
    /// # Errors
    /// Something is used up: 421 with 4.7.0 and close. The message was not counted.
    pub fn message(&mut self, allotment: &Allotment) -> Result<(), Spent> {
        self.is_left(allotment)?;
        self.messages += 1;
        Ok(())
    }

    /// Counts a recipient; to be called at RCPT, before anybody judges it.
    ///
    /// # Errors
    /// The recipients are used up: 452 with 4.5.3, and the session goes on.
    pub fn recipient(&mut self, allotment: &Allotment) -> Result<(), Spent> {
        self.of(What::Recipients, allotment)?;
        self.recipients += 1;
        Ok(())
    }

    /// Counts octets of a message that have arrived.
    pub fn octets(&mut self, octets: u64) {
        self.octets = self.octets.saturating_add(octets);
    }

    /// Octets of messages that have arrived.
    pub fn octets_sent(&self) -> u64 {
        self.octets
    }

    /// Whether there may be another mail in this connection; for RSET outside of one.
    ///
    /// # Errors
    /// Something is used up: 421 with 4.7.0 and close.
    pub fn is_left(&self, allotment: &Allotment) -> Result<(), Spent> {
        What::ALL.into_iter().try_for_each(|what| self.of(what, allotment))
    }

    fn of(&self, what: What, allotment: &Allotment) -> Result<(), Spent> {
        let used = match what {
            What::Messages => self.messages,
            What::Recipients => self.recipients,
            What::Octets => self.octets,
        };
        match what.granted(allotment) {
            Some(granted) if used >= granted => Err(Spent { what, granted }),
            Some(_) | None => Ok(()),
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a connection takes ")?;
        amount(f, self.granted, self.what)?;
        f.write_str(" at most; go on in a new one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_TWO_FIVE: Allotment = Allotment { messages: Some(3), recipients: Some(2), octets: Some(5) };

    fn spent(what: What, granted: u64) -> Result<(), Spent> {
        Err(Spent { what, granted })
    }

    #[test]
    fn messages_hold_at_n_and_not_at_n_plus_one() {
        let mut used = Used::default();
        for _ in 0..3 {
            assert_eq!(used.is_left(&THREE_TWO_FIVE), Ok(()));
            assert_eq!(used.message(&THREE_TWO_FIVE), Ok(()));
        }
        let at_rset = used.is_left(&THREE_TWO_FIVE);
        assert_eq!(at_rset, spent(What::Messages, 3));
        assert_eq!(used.message(&THREE_TWO_FIVE), at_rset);
        assert_eq!(
            at_rset.unwrap_err().to_string(),
            "a connection takes 3 messages at most; go on in a new one"
        );
    }

    #[test]
    fn recipients_hold_at_n_and_not_at_n_plus_one_and_then_no_mail_begins() {
        let mut used = Used::default();
        used.message(&THREE_TWO_FIVE).unwrap();
        assert_eq!(used.recipient(&THREE_TWO_FIVE), Ok(()));
        assert_eq!(used.is_left(&THREE_TWO_FIVE), Ok(()));
        assert_eq!(used.recipient(&THREE_TWO_FIVE), Ok(()));
        assert_eq!(used.recipient(&THREE_TWO_FIVE), spent(What::Recipients, 2));
        assert_eq!(used.message(&THREE_TWO_FIVE), spent(What::Recipients, 2));
        let one = Spent { what: What::Recipients, granted: 1 };
        assert_eq!(one.to_string(), "a connection takes 1 recipient at most; go on in a new one");
    }

    #[test]
    fn octets_hold_at_n_and_are_looked_at_between_mails_only() {
        let mut used = Used::default();
        used.message(&THREE_TWO_FIVE).unwrap();
        used.octets(4);
        assert_eq!(used.message(&THREE_TWO_FIVE), Ok(()), "one is left");
        used.octets(1);
        assert_eq!(used.recipient(&THREE_TWO_FIVE), Ok(()), "this mail has begun");
        assert_eq!(used.message(&THREE_TWO_FIVE), spent(What::Octets, 5));
        used.octets(u64::MAX);
        let error = used.is_left(&THREE_TWO_FIVE).unwrap_err();
        assert_eq!(error.to_string(), "a connection takes 5 octets at most; go on in a new one");
    }

    #[test]
    fn without_bound_nothing_is_refused() {
        let mut used = Used::default();
        let none = Allotment::default();
        for _ in 0..1000 {
            used.message(&none).unwrap();
            used.recipient(&none).unwrap();
            used.octets(u64::MAX);
        }
        assert_eq!(used.is_left(&none), Ok(()));
    }
}
