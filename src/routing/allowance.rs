//! What one account may do beyond what everybody may, narrower and never wider; and who hears of what failed.
//!
//! The configuration gives each account at most one [`Allowance`]; what it leaves open is not
//! limited. They are part of the [`Routing`](super::Routing), so that a reload swaps them together
//! with the rules. Here is what can be said without a clock or a counter; the counting is intake's.

use std::fmt;
use std::num::NonZeroU32;

use super::recipient::{Prefix, RecipientRefusal, shown};
use super::{Origin, Routing};
use crate::model::{MailAddress, PhoneNumber, ReversePath, SenderId};

/// What an account may do. `None` is without bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The reverse paths that it may send as.
    pub senders: Option<Vec<SenderPattern>>,
    /// The senders of an SMS that its form posts may choose.
    pub sender_ids: Option<Vec<SenderId>>,
    /// The destinations that it may reach, of those that are allowed at all.
    pub destinations: Option<Vec<Prefix>>,
    /// Mails and form posts in any 60 seconds.
    pub messages_per_minute: Option<NonZeroU32>,
    /// Parts of SMS on one calendar day.
    pub parts_per_day: Option<NonZeroU32>,
    /// Who is told of what failed, where it has no sender of its own: of form posts. Here and not with the form, so that
    /// no door can forget it.
    pub reports_to: Option<MailAddress>,
}

/// For whom nothing is configured.
static UNLIMITED: Allowance = Allowance {
    senders: None,
    sender_ids: None,
    destinations: None,
    messages_per_minute: None,
    parts_per_day: None,
    reports_to: None,
};

/// Reverse paths that an account may send as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderPattern {
    /// `<>`, the null reverse path.
    Null,
    /// One address: the local part exactly, the domain without regard to case (RFC 5321 section 2.4).
    Address(MailAddress),
    /// `@domain`: every address of the domain, but none of a domain below it.
    Domain(String),
}

/// The text is not a pattern of senders.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a sender; write an address like \"ups@example.com\", a domain like \"@example.com\", or \"<>\""
)]
pub struct SenderPatternError(String);

/// An account may not send under this reverse path. `Display` is one sentence for the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "account `{account}` may not send as `{sender}`; use a sender of its own, or have the operator add this one"
)]
pub struct SenderRefused {
    /// The account.
    pub account: String,
    /// The reverse path as given.
    pub sender: String,
}

impl Allowance {
    /// Whether the account may send under this reverse path.
    pub fn may_send_as(&self, reverse_path: &ReversePath) -> bool {
        let covers = |patterns: &Vec<SenderPattern>| patterns.iter().any(|one| one.covers(reverse_path));
        self.senders.as_ref().is_none_or(covers)
    }

    /// Whether a form post of the account may choose this sender. A number is the same with and without `+`.
    pub fn may_choose(&self, sender: &SenderId) -> bool {
        let bare = |sender: &SenderId| sender.as_str().trim_start_matches('+').to_owned();
        let is_one = |senders: &Vec<SenderId>| senders.iter().any(|one| bare(one) == bare(sender));
        self.sender_ids.as_ref().is_none_or(is_one)
    }

    /// Whether the account may reach this phone, as far as it depends on the account.
    pub fn may_reach(&self, destination: &PhoneNumber) -> bool {
        let covers = |prefixes: &Vec<Prefix>| prefixes.iter().any(|prefix| prefix.covers(destination));
        self.destinations.as_ref().is_none_or(covers)
    }
}

impl SenderPattern {
    /// Reads a pattern as a configuration writes it.
    ///
    /// # Errors
    /// [`SenderPatternError`] when it is neither `<>` nor a mail address with or without its local
    /// part.
    pub fn new(text: &str) -> Result<Self, SenderPatternError> {
        let wrong = || SenderPatternError(shown(text));
        match text.strip_prefix('@') {
            None if text == "<>" => Ok(Self::Null),
            None => MailAddress::parse(text).map(Self::Address).map_err(|_| wrong()),
            Some(domain) => {
                MailAddress::new("x", domain).map_err(|_| wrong())?;
                Ok(Self::Domain(domain.to_owned()))
            }
        }
    }

    fn covers(&self, reverse_path: &ReversePath) -> bool {
        match (self, reverse_path) {
            (Self::Null, ReversePath::Null) => true,
            (Self::Address(allowed), ReversePath::Path(given)) => {
                allowed.local() == given.local() && same_domain(allowed.domain(), given.domain())
            }
            (Self::Domain(allowed), ReversePath::Path(given)) => same_domain(allowed, given.domain()),
            (Self::Null, ReversePath::Path(_)) | (Self::Address(_) | Self::Domain(_), ReversePath::Null) => {
                false
            }
        }
    }
}

fn same_domain(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// As the configuration writes it.
impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}

impl Routing {
    /// What `account` may do; everything where nothing is configured for it, and for a client
    /// without account.
    pub fn allowance(&self, account: Option<&str>) -> &Allowance {
        account.and_then(|account| self.allowances.get(account)).unwrap_or(&UNLIMITED)
    }

    /// Whether the client may send under its envelope sender. A form post has none and may.
    ///
    /// # Errors
    /// [`SenderRefused`], for the reply to `MAIL`.
    pub fn check_sender(&self, origin: &Origin) -> Result<(), SenderRefused> {
        let (Some(account), Some(sender)) = (&origin.client.account, origin.envelope_sender) else {
            return Ok(());
        };
        if self.allowance(Some(account)).may_send_as(sender) {
            return Ok(());
        }
        let sender = origin.sender_text().unwrap_or_default();
        Err(SenderRefused { account: account.clone(), sender: shown(&sender) })
    }

    /// Whether the client may reach all of `destinations`, to which `written` resolved: an alias with one
    /// number that its account may not reach is refused whole, as [`Routing::resolve`] does.
    ///
    /// # Errors
    /// [`RecipientRefusal::NotForAccount`], for the reply to `RCPT` or the answer to a form.
    pub fn check_reach(
        &self,
        origin: &Origin,
        written: &str,
        destinations: &[PhoneNumber],
    ) -> Result<(), RecipientRefusal> {
        let Some(account) = &origin.client.account else { return Ok(()) };
        let allowance = self.allowance(Some(account));
        if destinations.iter().all(|destination| allowance.may_reach(destination)) {
            return Ok(());
        }
        Err(RecipientRefusal::NotForAccount { account: account.clone(), written: shown(written) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ReversePath {
        match text {
            "<>" => ReversePath::Null,
            address => ReversePath::Path(MailAddress::parse(address).unwrap()),
        }
    }

    fn senders(patterns: &[&str]) -> Allowance {
        let read = |text: &&str| SenderPattern::new(text).unwrap();
        Allowance { senders: Some(patterns.iter().map(read).collect()), ..Allowance::default() }
    }

    #[test]
    fn an_address_is_compared_exactly_but_for_the_case_of_its_domain() {
        let one = senders(&["ups@Example.com"]);
        for (sender, may) in [
            ("ups@example.com", true),
            ("ups@EXAMPLE.COM", true),
            ("Ups@example.com", false),
            ("ups@mail.example.com", false),
            ("ups@example.org", false),
            ("ups2@example.com", false),
            ("<>", false),
        ] {
            assert_eq!(one.may_send_as(&path(sender)), may, "{sender}");
        }
    }

    #[test]
    fn a_domain_covers_its_own_addresses_only_and_nobody_is_listed_by_name() {
        let domain = senders(&["@example.com"]);
        for (sender, may) in [
            ("anybody@example.com", true),
            ("anybody@Example.COM", true),
            ("anybody@sub.example.com", false),
            ("anybody@badexample.com", false),
            ("<>", false),
        ] {
            assert_eq!(domain.may_send_as(&path(sender)), may, "{sender}");
        }
        assert!(senders(&["@example.com", "<>"]).may_send_as(&ReversePath::Null));
        assert!(!senders(&["<>"]).may_send_as(&path("a@example.com")));
        assert!(!senders(&[]).may_send_as(&path("a@example.com")), "an empty list allows nobody");
        assert!(Allowance::default().may_send_as(&ReversePath::Null));
    }

    #[test]
    fn a_list_bounds_the_senders_of_an_sms() {
        let sender = |text: &str| SenderId::new(text).unwrap();
        let sender_ids = Some(vec![sender("Shop"), sender("+393471234567")]);
        let narrow = Allowance { sender_ids, ..Allowance::default() };
        for (chosen, may) in [
            ("Shop", true),
            ("shop", false),
            ("Shop2", false),
            ("+393471234567", true),
            ("393471234567", true),
            ("393471234568", false),
        ] {
            assert_eq!(narrow.may_choose(&sender(chosen)), may, "{chosen}");
            assert!(Allowance::default().may_choose(&sender(chosen)));
        }
    }

    #[test]
    fn prefixes_bound_what_is_reached() {
        let destinations = Some(vec![Prefix::new("+39347").unwrap(), Prefix::new("+4179").unwrap()]);
        let narrow = Allowance { destinations, ..Allowance::default() };
        let reach =
            |allowance: &Allowance, number| allowance.may_reach(&PhoneNumber::from_e164(number).unwrap());
        assert!(reach(&narrow, "+393471234567") && reach(&narrow, "+41791234567"));
        assert!(!reach(&narrow, "+393481234567") && !reach(&narrow, "+41781234567"));
        assert!(reach(&Allowance::default(), "+393481234567"));
    }

    #[test]
    fn patterns_are_written_as_they_are_read_and_others_are_refused() {
        for text in ["ups@example.com", "@example.com", "<>"] {
            assert_eq!(SenderPattern::new(text).unwrap().to_string(), text);
        }
        for wrong in ["", "@", "ups", "ups@", "*@example.com >", "a b@x", "@a b", "<ups@example.com>", "< >"]
        {
            assert!(SenderPattern::new(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            SenderPattern::new("ups\n").unwrap_err().to_string(),
            "`ups\\n` is not a sender; write an address like \"ups@example.com\", a domain like \"@example.com\", \
             or \"<>\""
        );
    }
}
