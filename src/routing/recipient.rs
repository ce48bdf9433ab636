//! Who a recipient is: our domains, aliases, numbers as people write them, and which
//! destinations are allowed.

use std::fmt;

use jiff::Timestamp;

use super::names::Names;
use crate::model::{DialPlan, MailAddress, PhoneError, PhoneNumber, same_domain};
use crate::rota::Rota;

/// Most characters of a recipient that are read and repeated in a refusal; a local part has 64
/// octets (RFC 5321 section 4.5.3.1.1).
pub(super) const MAX_SHOWN: usize = 64;
/// Most digits of a prefix; longer than any number makes no sense (E.164).
const MAX_PREFIX_DIGITS: usize = 15;

/// Why a recipient is not taken. `Display` is one sentence for the peer, without line ends or
/// other control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientRefusal {
    /// The domain is not one of ours.
    #[error("`{address}` is not served here; write number@{ours}")]
    DomainNotOurs {
        /// The address as given.
        address: String,
        /// Our first domain.
        ours: String,
    },
    /// Neither an alias nor a phone number.
    #[error("{0}, and there is no alias of that name")]
    Unknown(PhoneError),
    /// No allowed prefix covers the destination.
    #[error("destination `{written}` is not allowed here; the operator has to allow its prefix")]
    NotAllowed {
        /// The recipient as given; for an alias its name, not the number behind it.
        written: String,
    },
    /// The account may not reach the destination, though others may.
    #[error(
        "account `{account}` may not send to `{written}`; the operator has to add its prefix to the account's `allowed`"
    )]
    NotForAccount {
        /// The account.
        account: String,
        /// The recipient as given, as above.
        written: String,
    },
}

/// The beginning of allowed numbers: `+` and 1 to 15 digits, matched on the E.164 form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// The text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a prefix of phone numbers; write a plus and digits, like +39 or +39347")]
pub struct PrefixError(String);

impl Prefix {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`PrefixError`] unless it is `+` and 1 to 15 digits, the first not zero. A plus alone is
    /// refused too: whoever wants to allow the whole world says so digit by digit.
    pub fn new(text: &str) -> Result<Self, PrefixError> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let good = (1..=MAX_PREFIX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if good { Ok(Self(text.to_owned())) } else { Err(PrefixError(shown(text))) }
    }

    /// How many characters it has: the longer, the narrower.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are numbers that begin with both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }

    /// Whether `number` begins with it.
    pub fn covers(&self, number: &PhoneNumber) -> bool {
        number.as_str().starts_with(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that turns a recipient into numbers.
#[derive(Clone, Debug)]
pub(super) struct Recipients {
    pub(super) domains: Vec<String>,
    pub(super) dial_plan: DialPlan,
    pub(super) allowed: Vec<Prefix>,
    /// Local parts, in lower case, of mail that names its destinations in its text.
    pub(super) text_recipients: Vec<String>,
    /// Aliases and rotas.
    pub(super) names: Names,
    /// The names of the rotas as written, in order.
    pub(super) rotas: Vec<String>,
}

impl Recipients {
    pub(super) fn resolve(
        &self,
        recipient: &MailAddress,
        at: Timestamp,
    ) -> Result<Vec<PhoneNumber>, RecipientRefusal> {
        if !self.serves(recipient.domain()) {
            return Err(RecipientRefusal::DomainNotOurs {
                address: shown(&recipient.to_string()),
                ours: self.domains.first().cloned().unwrap_or_default(),
            });
        }
        self.resolve_written(recipient.local(), at)
    }

    pub(super) fn names_in_text(&self, recipient: &MailAddress) -> bool {
        let local = recipient.local().to_lowercase();
        self.serves(recipient.domain()) && self.text_recipients.contains(&local)
    }

    pub(super) fn serves(&self, domain: &str) -> bool {
        self.domains.iter().any(|ours| same_domain(ours, domain))
    }

    pub(super) fn resolve_written(
        &self,
        written: &str,
        at: Timestamp,
    ) -> Result<Vec<PhoneNumber>, RecipientRefusal> {
        self.resolved(written, |name| self.names.phones(name, at))
    }

    /// The same at any time: every phone that may ever be meant.
    pub(super) fn resolve_ever(&self, written: &str) -> Result<Vec<PhoneNumber>, RecipientRefusal> {
        self.resolved(written, |name| self.names.contains(name).then(|| self.names.all_phones(name)))
    }

    /// The rota of this name.
    pub(super) fn rota(&self, name: &str) -> Option<&Rota> {
        self.names.rota(&name.to_lowercase())
    }

    fn resolved(
        &self,
        written: &str,
        behind: impl Fn(&str) -> Option<Vec<PhoneNumber>>,
    ) -> Result<Vec<PhoneNumber>, RecipientRefusal> {
        // Made fit to be shown first, since every refusal repeats it.
        let written = shown(written.trim());
        let numbers = match behind(&written.to_lowercase()) {
            Some(numbers) => numbers,
            None => vec![PhoneNumber::parse(&written, &self.dial_plan).map_err(RecipientRefusal::Unknown)?],
        };
        if numbers.iter().all(|number| self.allows(number)) {
            Ok(numbers)
        } else {
            Err(RecipientRefusal::NotAllowed { written })
        }
    }

    pub(super) fn allows(&self, number: &PhoneNumber) -> bool {
        self.allowed.iter().any(|prefix| prefix.covers(number))
    }
}

/// `text` as a reply may repeat it: cut to a bound, control characters escaped (RFC 5321 replies
/// are lines).
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == MAX_SHOWN {
            out.push_str("...");
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
