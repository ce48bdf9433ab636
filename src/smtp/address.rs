//! Paths of `MAIL` and `RCPT`, as RFC 5321 section 4.1.2 writes them (R6) or as a [`Profile`] forgives.
//!
//! Source routes are read and dropped (section 3.6.1, appendix C), quoted local parts lose their
//! quotes, address literals are checked. Characters outside ASCII pass here (RFC 6531 section 3.3);
//! the session decides whether the mail asked for SMTPUTF8. Two things are wider than the grammar
//! on purpose: `_` in a mailbox's domain, because hosts with such names do send mail, and a path
//! longer than 256 octets when its mailbox is within the limits of its own.

use crate::model::{AddressError, MailAddress, ReversePath, address_literal, is_domain, is_international};

use super::profile::Profile;

/// What stands between the brackets of `RCPT TO:<...>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardPath {
    /// A mailbox, its source route dropped.
    Mailbox(MailAddress),
    /// `<Postmaster>` without a domain, in any case (RFC 5321 section 4.5.1).
    Postmaster,
}

/// Why something is not a path. The sentences are for the client and repeat nothing of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The first character is not `<`.
    #[error("the address must stand in angle brackets right behind the colon, like <name@domain>")]
    NotBracketed,
    /// Something else where `>` belongs.
    #[error("the address must end with a closing angle bracket behind its domain")]
    NotClosed,
    /// A source route that is not `@domain,@domain:`.
    #[error("the source route before the address is malformed; leave it out")]
    Route,
    /// `<>` where a recipient is needed.
    #[error("a recipient cannot be empty")]
    Empty,
    /// Not a dot-string and not a quoted string.
    #[error("the part before the @ is malformed; names with special characters need double quotes")]
    Local,
    /// No `@`.
    #[error("the address needs an @ and a domain")]
    NoDomain,
    /// Not a domain.
    #[error("the domain of the address is malformed")]
    Domain,
    /// In brackets, but not an IP address.
    #[error("the address literal is malformed; it looks like [192.0.2.1] or [IPv6:2001:db8::1]")]
    Literal,
    /// Local part over 64 octets or domain over 255.
    #[error("the address is too long; 64 octets are allowed before the @ and 255 behind it")]
    TooLong,
}

/// Reads the reverse path at the start of `text` and answers with what follows it.
///
/// # Errors
/// A [`PathError`] when there is no path.
pub fn reverse_path<'a>(text: &'a str, profile: &Profile) -> Result<(ReversePath, &'a str), PathError> {
    if profile.bare_addresses && is_left_out(text) {
        return Ok((ReversePath::Null, text));
    }
    let (brackets, inside) = Brackets::open(text, profile)?;
    if brackets.is_open
        && let Some(rest) = inside.strip_prefix('>')
    {
        return Ok((ReversePath::Null, rest));
    }
    let (address, rest) = mailbox(inside)?;
    Ok((ReversePath::Path(address), brackets.close(rest)?))
}

/// Reads the forward path at the start of `text` and answers with what follows it.
///
/// # Errors
/// A [`PathError`] when there is no path; [`PathError::Empty`] for `<>`.
pub fn forward_path<'a>(text: &'a str, profile: &Profile) -> Result<(ForwardPath, &'a str), PathError> {
    const POSTMASTER: &str = "postmaster";
    if profile.bare_addresses && trim_start(text).is_empty() {
        return Err(PathError::Empty);
    }
    let (brackets, inside) = Brackets::open(text, profile)?;
    if inside.starts_with('>') {
        return Err(PathError::Empty);
    }
    if let Some(start) = inside.get(..POSTMASTER.len())
        && start.eq_ignore_ascii_case(POSTMASTER)
        && let Ok(rest) = brackets.close(&inside[POSTMASTER.len()..])
    {
        return Ok((ForwardPath::Postmaster, rest));
    }
    let (address, rest) = mailbox(inside)?;
    Ok((ForwardPath::Mailbox(address), brackets.close(rest)?))
}

/// `text` without the spaces and tabs at its start.
pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches(BLANK)
}

/// White space of a command line.
const BLANK: [char; 2] = [' ', '\t'];

/// Whether nothing stands where the sender belongs: the end of the line, or a parameter at once. A
/// device does that when the field for the sender's address was left empty. It means what `<>`
/// means, nobody to be told of a failure, and an alarm is not refused for that.
fn is_left_out(text: &str) -> bool {
    let rest = trim_start(text);
    let word = rest.split(BLANK).next().unwrap_or_default();
    let is_parameter = rest.len() < text.len() && word.contains('=') && !word.contains(['<', '@']);
    rest.is_empty() || is_parameter
}

/// The angle brackets around a path.
struct Brackets<'p> {
    profile: &'p Profile,
    is_open: bool,
}

impl<'p> Brackets<'p> {
    /// Answers with what stands behind the opening bracket.
    fn open<'a>(text: &'a str, profile: &'p Profile) -> Result<(Self, &'a str), PathError> {
        let text = if profile.stray_spaces { trim_start(text) } else { text };
        match text.strip_prefix('<') {
            Some(inside) => {
                let inside = if profile.stray_spaces { trim_start(inside) } else { inside };
                Ok((Self { profile, is_open: true }, inside))
            }
            None if profile.bare_addresses && !text.starts_with(BLANK) => {
                Ok((Self { profile, is_open: false }, text))
            }
            None => Err(PathError::NotBracketed),
        }
    }

    /// Answers with what stands behind the closing bracket. Where brackets may be missing, one of
    /// the two may be, too.
    fn close<'a>(&self, rest: &'a str) -> Result<&'a str, PathError> {
        let inside = if self.profile.stray_spaces { trim_start(rest) } else { rest };
        match inside.strip_prefix('>') {
            Some(behind) => Ok(behind),
            None if !self.profile.bare_addresses => Err(PathError::NotClosed),
            None if rest.is_empty() || rest.starts_with(BLANK) => Ok(rest),
            None if self.is_open => Err(PathError::NotClosed),
            None => Err(PathError::Domain),
        }
    }
}

/// Whether `text` is what `EHLO` and `HELO` name: a domain of letters, digits and hyphens, or an
/// address literal (RFC 5321 section 4.1.3), of at most 255 octets.
pub fn is_hello_name(text: &str) -> bool {
    if text.len() > MAX_DOMAIN || !text.is_ascii() || text.contains('_') {
        return false;
    }
    matches!(domain_or_literal(text), Ok((_, "")))
}

/// Longest domain in octets (RFC 5321 section 4.5.3.1.2).
const MAX_DOMAIN: usize = 255;

fn mailbox(text: &str) -> Result<(MailAddress, &str), PathError> {
    let text = skip_route(text)?;
    let (local, rest) = local_part(text)?;
    let rest = rest.strip_prefix('@').ok_or(match rest.chars().next() {
        Some('>') | None => PathError::NoDomain,
        Some(_) => PathError::Local,
    })?;
    let (domain, rest) = domain_or_literal(rest)?;
    let address = MailAddress::new(&local, domain).map_err(|error| match error {
        AddressError::Incomplete(_) | AddressError::Character(_) => PathError::Local,
        AddressError::TooLong => PathError::TooLong,
    })?;
    Ok((address, rest))
}

/// `@a,@b:` before the mailbox (RFC 5321 `A-d-l`).
fn skip_route(mut text: &str) -> Result<&str, PathError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    loop {
        let hop = text.strip_prefix('@').ok_or(PathError::Route)?;
        let (_, rest) = domain_or_literal(hop).map_err(|_| PathError::Route)?;
        if let Some(mailbox) = rest.strip_prefix(':') {
            return Ok(mailbox);
        }
        text = rest.strip_prefix(',').ok_or(PathError::Route)?;
    }
}

fn local_part(text: &str) -> Result<(String, &str), PathError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted_local(quoted);
    }
    let end = text.find(|c: char| !is_atext(c) && c != '.').unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    if local.split('.').any(str::is_empty) {
        return Err(PathError::Local);
    }
    Ok((local.to_owned(), rest))
}

/// The inside of a quoted string, up to and over its closing quote.
fn quoted_local(text: &str) -> Result<(String, &str), PathError> {
    let mut local = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((local, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ' '..='~')) => local.push(escaped),
                Some(_) | None => return Err(PathError::Local),
            },
            _ if c.is_control() => return Err(PathError::Local),
            _ => local.push(c),
        }
    }
    Err(PathError::Local)
}

fn domain_or_literal(text: &str) -> Result<(&str, &str), PathError> {
    if text.starts_with('[') {
        let end = text.find(']').ok_or(PathError::Literal)? + 1;
        let (literal, rest) = text.split_at(end);
        return if address_literal(literal).is_some() {
            Ok((literal, rest))
        } else {
            Err(PathError::Literal)
        };
    }
    let end = text.find(|c: char| !is_domain_character(c)).unwrap_or(text.len());
    let (domain, rest) = text.split_at(end);
    if domain.len() > MAX_DOMAIN {
        return Err(PathError::TooLong);
    }
    if is_domain(domain) { Ok((domain, rest)) } else { Err(PathError::Domain) }
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_international(c)
}

fn is_domain_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._".contains(c) || is_international(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Profile = Profile { bare_addresses: false, stray_spaces: false, ..Profile::APPLIANCE };

    fn forward(text: &str) -> String {
        match forward_path(text, &STRICT) {
            Ok((ForwardPath::Mailbox(address), rest)) => {
                format!("{} at {}, then {rest:?}", address.local(), address.domain())
            }
            Ok((ForwardPath::Postmaster, rest)) => format!("postmaster, then {rest:?}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn mailboxes_are_read_exactly() {
        let sixty_four = "l".repeat(64);
        let table = [
            ("<a@x.it>", "a at x.it, then \"\""),
            ("<A.b+c@X.It> SIZE=1", "A.b+c at X.It, then \" SIZE=1\""),
            ("<+393471234567@sms.local>", "+393471234567 at sms.local, then \"\""),
            ("<\"a b\"@x>", "a b at x, then \"\""),
            ("<\"a\\\"\\\\>@\"@x>", "a\"\\>@ at x, then \"\""),
            ("<a@[192.0.2.1]>", "a at [192.0.2.1], then \"\""),
            ("<a@[IPv6:2001:db8::1]>", "a at [IPv6:2001:db8::1], then \"\""),
            ("<a@[ipv6:::1]>", "a at [ipv6:::1], then \"\""),
            ("<@r.it:a@x>", "a at x, then \"\""),
            ("<@r.it,@[192.0.2.1]:a@x>", "a at x, then \"\""),
            ("<Postmaster>", "postmaster, then \"\""),
            ("<POSTMASTER> NOTIFY=NEVER", "postmaster, then \" NOTIFY=NEVER\""),
            ("<postmaster@x>", "postmaster at x, then \"\""),
            ("<root@my_host>", "root at my_host, then \"\""),
            ("<müller@straße.de>", "müller at straße.de, then \"\""),
            ("<a%b@x>", "a%b at x, then \"\""),
            ("<a!b@x>", "a!b at x, then \"\""),
        ];
        for (text, expected) in table {
            assert_eq!(forward(text), expected, "{text}");
        }
        assert_eq!(forward(&format!("<{sixty_four}@x>")), format!("{sixty_four} at x, then \"\""));
        assert_eq!(forward(&format!("<{sixty_four}l@x>")), "TooLong");
    }

    #[test]
    fn what_is_no_path_is_refused_by_its_fault() {
        let table = [
            ("", PathError::NotBracketed),
            ("a@x", PathError::NotBracketed),
            (" <a@x>", PathError::NotBracketed),
            ("<>", PathError::Empty),
            ("<a@x", PathError::NotClosed),
            ("<a@x >", PathError::NotClosed),
            ("<a@x@y>", PathError::NotClosed),
            ("<a>", PathError::NoDomain),
            ("<postmaster", PathError::NoDomain),
            ("<a b@x>", PathError::Local),
            ("<@x>", PathError::Route),
            ("<@x,a@y>", PathError::Route),
            ("<@x,:a@y>", PathError::Route),
            ("<a..b@x>", PathError::Local),
            ("<.a@x>", PathError::Local),
            ("<a.@x>", PathError::Local),
            ("<\"\"@x>", PathError::Local),
            ("<\"a@x>", PathError::Local),
            ("<\"a\\", PathError::Local),
            ("<\"a\"b@x>", PathError::Local),
            ("<a\rb@x>", PathError::Local),
            ("<a\u{85}b@x>", PathError::Local),
            ("<a\u{2028}b@x>", PathError::Local),
            ("<a@>", PathError::Domain),
            ("<a@x..y>", PathError::Domain),
            ("<a@x.>", PathError::Domain),
            ("<a@-x>", PathError::Domain),
            ("<a@x->", PathError::Domain),
            ("<a@[192.0.2]>", PathError::Literal),
            ("<a@[192.0.2.256]>", PathError::Literal),
            ("<a@[IPv6:xyz]>", PathError::Literal),
            ("<a@[2001:db8::1]>", PathError::Literal),
            ("<a@[192.0.2.1>", PathError::Literal),
        ];
        for (text, expected) in table {
            assert_eq!(forward_path(text, &STRICT), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_reverse_path_may_be_null_but_not_postmaster() {
        assert_eq!(reverse_path("<> X", &STRICT), Ok((ReversePath::Null, " X")));
        assert_eq!(reverse_path("<postmaster>", &STRICT), Err(PathError::NoDomain));
        let (path, _) = reverse_path("<@a,@b:ups@[192.0.2.7]>", &STRICT).unwrap();
        assert_eq!(path.to_string(), "<ups@[192.0.2.7]>");
    }

    #[test]
    fn domains_are_bounded_at_n_and_not_n_plus_one() {
        let domain = |octets: usize| format!("<a@{}>", "d".repeat(octets));
        assert!(forward_path(&domain(255), &STRICT).is_ok());
        assert_eq!(forward_path(&domain(256), &STRICT), Err(PathError::TooLong));
    }

    #[test]
    fn a_path_of_256_octets_is_accepted() {
        let path = format!("<{}@{}>", "l".repeat(64), "d".repeat(189));
        assert_eq!(path.len(), 256);
        assert!(forward_path(&path, &STRICT).is_ok());
    }

    #[test]
    fn hello_names_are_domains_or_literals() {
        for good in ["x", "mail.example.com", "3com", "[192.0.2.1]", "[IPv6:fe80::1]", "[010.001.0.1]"] {
            assert!(is_hello_name(good), "{good}");
        }
        for bad in ["", "my_host", "a b", "-x", "x.", "x..y", "[x]", "münchen", "a@b", "(none)"] {
            assert!(!is_hello_name(bad), "{bad}");
        }
        assert!(is_hello_name(&"d".repeat(255)) && !is_hello_name(&"d".repeat(256)));
    }
}
