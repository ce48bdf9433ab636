//! Parameters of `MAIL` and `RCPT` (RFC 1870, 3461, 4954, 6152, 6531).

use super::CommandError;
use crate::model::{Notify, Orcpt, Ret};

/// Longest `ENVID` value as sent, in octets (RFC 3461 section 4.4).
const MAX_ENVID: usize = 100;
/// Longest `ORCPT` value as sent, in octets (RFC 3461 section 4.2).
const MAX_ORCPT: usize = 500;
/// Longest `AUTH` value as sent, in octets (RFC 4954 section 3).
const MAX_AUTH: usize = 500;
/// Longest number of octets, in digits (RFC 1870 section 3).
const MAX_DIGITS: usize = 20;

/// Octets of an unknown keyword that the reply repeats; a line has room for 12,000.
const MAX_SHOWN: usize = 64;

/// Keyword and value.
type Parameter<'a> = (&'a str, Option<&'a str>);

/// White space between words. A tab comes so far only where stray spaces are forgiven.
const BLANK: [char; 2] = [' ', '\t'];

/// What follows a path: nothing, or a space and parameters with spaces between them.
pub(super) fn all(
    rest: &str,
) -> Result<impl Iterator<Item = Result<Parameter<'_>, CommandError>>, CommandError> {
    if !rest.is_empty() && !rest.starts_with(BLANK) {
        return Err(CommandError::ParameterSyntax);
    }
    Ok(rest.split(BLANK).filter(|word| !word.is_empty()).map(parameter))
}

/// `esmtp-keyword ["=" esmtp-value]` (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
fn parameter(word: &str) -> Result<Parameter<'_>, CommandError> {
    let (keyword, value) = match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    };
    let keyword_ok = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
        && keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let value_ok = value.is_none_or(|value| !value.is_empty() && !value.contains('='));
    if keyword_ok && value_ok { Ok((keyword, value)) } else { Err(CommandError::ParameterSyntax) }
}

/// Puts a value into its slot, once.
pub(super) fn once<T>(slot: &mut Option<T>, keyword: &'static str, value: T) -> Result<(), CommandError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(CommandError::Duplicate(keyword)),
    }
}

/// The fault of a keyword that means nothing here. It is ASCII.
pub(super) fn unknown(keyword: &str) -> CommandError {
    CommandError::UnknownParameter(keyword.chars().take(MAX_SHOWN).collect())
}

/// A number that does not fit is a syntax error and never wraps (R13).
pub(super) fn size(value: Option<&str>) -> Result<u64, CommandError> {
    value.and_then(octets).ok_or(CommandError::ParameterValue("SIZE needs a number of octets"))
}

/// A number of octets, of at most 20 digits.
pub(super) fn octets(digits: &str) -> Option<u64> {
    let good = digits.len() <= MAX_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| good)
}

/// `AUTH=`: who first handed the mail in, or `<>` (RFC 4954 section 5). It is for a system that
/// trusts this one with the mail's origin; none does, so it is checked and dropped.
pub(super) fn auth(value: Option<&str>) -> Result<(), CommandError> {
    value
        .filter(|value| value.len() <= MAX_AUTH)
        .and_then(|value| decode_xtext(value, NonAscii::Kept))
        .map(|_| ())
        .ok_or(CommandError::ParameterValue("AUTH needs <> or up to 500 octets of xtext (RFC 4954)"))
}

pub(super) fn body(value: Option<&str>) -> Result<(), CommandError> {
    match value {
        Some(value) if value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME") => Ok(()),
        Some(value) if value.eq_ignore_ascii_case("BINARYMIME") => {
            Err(CommandError::ValueNotImplemented("BODY=BINARYMIME"))
        }
        Some(_) | None => Err(CommandError::ParameterValue("BODY is 7BIT or 8BITMIME")),
    }
}

pub(super) fn ret(value: Option<&str>) -> Result<Ret, CommandError> {
    match value {
        Some(value) if value.eq_ignore_ascii_case("FULL") => Ok(Ret::Full),
        Some(value) if value.eq_ignore_ascii_case("HDRS") => Ok(Ret::Headers),
        Some(_) | None => Err(CommandError::ParameterValue("RET is FULL or HDRS")),
    }
}

pub(super) fn envid(value: Option<&str>) -> Result<String, CommandError> {
    value
        .filter(|value| value.len() <= MAX_ENVID)
        .and_then(|value| decode_xtext(value, NonAscii::Refused))
        .ok_or(CommandError::ParameterValue("ENVID needs up to 100 octets of xtext (RFC 3461)"))
}

pub(super) fn notify(value: Option<&str>) -> Result<Notify, CommandError> {
    value.filter(|value| !value.is_empty()).and_then(Notify::from_parameter).ok_or(
        CommandError::ParameterValue("NOTIFY is NEVER, or SUCCESS, FAILURE and DELAY with commas between"),
    )
}

/// `addr-type ";" xtext`. The type `utf-8` may carry characters outside ASCII (RFC 6533 section 3).
pub(super) fn orcpt(value: Option<&str>) -> Result<Orcpt, CommandError> {
    let wrong =
        CommandError::ParameterValue("ORCPT needs type;address, up to 500 octets of xtext (RFC 3461)");
    let Some((kind, address)) =
        value.filter(|value| value.len() <= MAX_ORCPT).and_then(|value| value.split_once(';'))
    else {
        return Err(wrong);
    };
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/?^_`{|}~".contains(&b);
    if kind.is_empty() || address.is_empty() || !kind.bytes().all(atom) {
        return Err(wrong);
    }
    let non_ascii = if kind.eq_ignore_ascii_case("utf-8") { NonAscii::Kept } else { NonAscii::Refused };
    let address = decode_xtext(address, non_ascii).ok_or(wrong)?;
    Ok(Orcpt { kind: kind.to_owned(), address })
}

/// What [`decode_xtext`] does with characters that stand there as UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NonAscii {
    Kept,
    Refused,
}

/// xtext (RFC 3461 section 4): `+` and two upper-case hexadecimal digits stand for an octet. What
/// comes out is printable ASCII, or it is `None`: a report repeats it in a header field.
fn decode_xtext(value: &str, non_ascii: NonAscii) -> Option<String> {
    let mut decoded = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            '+' => {
                let mut digit = || characters.next().filter(|c| matches!(c, '0'..='9' | 'A'..='F'));
                let (high, low) = (digit()?.to_digit(16)?, digit()?.to_digit(16)?);
                let octet = char::from_u32(high * 16 + low)?;
                decoded.push(Some(octet).filter(|c| matches!(c, ' '..='~'))?);
            }
            '=' => return None,
            '!'..='~' => decoded.push(c),
            _ if non_ascii == NonAscii::Kept && !c.is_ascii() && !c.is_control() => decoded.push(c),
            _ => return None,
        }
    }
    Some(decoded)
}
