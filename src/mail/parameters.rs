//! `Content-Type:` and `Content-Disposition:` values (RFC 2045 section 5.1, RFC 2183) with their parameters,
//! also in pieces and in other charsets (RFC 2231), and as senders write them wrong: encoded words in them,
//! quotes or semicolons missing, quotes and backslashes not escaped.
//!
//! Read where they stand each time they are asked for: a part is asked for two or three of them. Linear in
//! the value, of which a bounded part is looked at.

use std::borrow::Cow;

use super::{charset, headers, words};

/// Of a longer value only so much is read, in octets.
const MAX_VALUE: usize = 4 * 1024;

/// A value with parameters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parameterised<'a>(&'a [u8]);

/// One parameter as written.
struct Parameter<'a> {
    /// Its name with what RFC 2231 puts behind it.
    name: &'a [u8],
    value: Cow<'a, [u8]>,
}

/// One piece of a parameter (RFC 2231 section 3).
struct Piece<'a> {
    number: u32,
    /// Whether it is percent-encoded.
    encoded: bool,
    value: Cow<'a, [u8]>,
}

impl<'a> Parameterised<'a> {
    /// The value of a field.
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self(value[..value.len().min(MAX_VALUE)].trim_ascii())
    }

    /// What stands in front of the parameters, without comments.
    pub(super) fn word(self) -> &'a [u8] {
        headers::first_word(self.0)
    }

    /// Both halves of a media type; the second may be blank.
    pub(super) fn media_type(self) -> (&'a [u8], &'a [u8]) {
        // White space around the slash is wrong, and is let pass.
        let end = self.0.iter().position(|b| matches!(b, b';' | b'(' | b',')).unwrap_or(self.0.len());
        let word = &self.0[..end];
        match word.iter().position(|&b| b == b'/') {
            Some(slash) => (word[..slash].trim_ascii(), headers::first_word(&word[slash + 1..])),
            None => (headers::first_word(word), b""),
        }
    }

    /// The decoded value of a parameter (its name in lower case), as it is for people to read; `None` where
    /// there is none or it is blank.
    pub(super) fn text(self, name: &str) -> Option<String> {
        let (value, declared) = self.octets(name)?;
        let text = match declared {
            Some(charset) => charset::text(&value, Some(&charset)).into_owned(),
            None => undeclared(&value),
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// The first word of a parameter that is made of one: a charset, `flowed`, `yes`.
    pub(super) fn token(self, name: &str) -> Option<String> {
        let (value, _) = self.octets(name)?;
        let word = String::from_utf8_lossy(headers::first_word(&value)).into_owned();
        (!word.is_empty()).then_some(word)
    }

    /// The octets of a parameter without white space at the end, as `boundary` has it.
    pub(super) fn exact(self, name: &str) -> Option<Vec<u8>> {
        let (value, _) = self.octets(name)?;
        let value = value.trim_ascii_end();
        (!value.is_empty()).then(|| value.to_vec())
    }

    /// A parameter, put together of its pieces, and the charset that they declare.
    fn octets(self, name: &str) -> Option<(Cow<'a, [u8]>, Option<String>)> {
        let mut plain = None;
        let mut pieces: Vec<Piece<'a>> = Vec::new();
        for parameter in self.parameters() {
            let Some((start, rest)) = parameter.name.split_at_checked(name.len()) else { continue };
            if !start.eq_ignore_ascii_case(name.as_bytes()) {
                continue;
            }
            match rest {
                [] if plain.is_none() => plain = Some(parameter.value),
                [b'*', rest @ ..] => {
                    let (digits, encoded) = match rest.strip_suffix(b"*") {
                        Some(digits) => (digits, true),
                        None => (rest, rest.is_empty()),
                    };
                    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                    if digits.is_empty() || number.is_some() {
                        pieces.push(Piece { number: number.unwrap_or(0), encoded, value: parameter.value });
                    }
                }
                _ => {}
            }
        }
        if pieces.is_empty() {
            return plain.map(|value| (value, None));
        }
        pieces.sort_by_key(|piece| piece.number);
        let (joined, declared) = join(&pieces);
        match plain {
            // Senders give both, for old readers and new ones.
            Some(plain) if joined.is_empty() => Some((plain, None)),
            _ => Some((Cow::Owned(joined), declared)),
        }
    }

    fn parameters(self) -> impl Iterator<Item = Parameter<'a>> {
        let mut rest = behind_word(self.0);
        std::iter::from_fn(move || {
            loop {
                rest = skip_between(rest);
                if rest.is_empty() {
                    return None;
                }
                let end =
                    rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'=' | b';' | b'"'));
                let name = &rest[..end.unwrap_or(rest.len())];
                let behind = rest[name.len()..].trim_ascii_start();
                match behind.strip_prefix(b"=") {
                    Some(behind) if !name.is_empty() => {
                        let (value, after) = value(behind.trim_ascii_start());
                        rest = after;
                        return Some(Parameter { name, value });
                    }
                    // A name without a value, or a stray character, is passed over.
                    _ => rest = &rest[name.len().max(1)..],
                }
            }
        })
    }
}

/// What stands behind the type, with or without its semicolon.
fn behind_word(value: &[u8]) -> &[u8] {
    // A value may start with a parameter, its type forgotten.
    let end = value.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b';' | b'=' | b'(' | b','));
    match end {
        Some(end) if value[end] == b'=' => value,
        Some(end) => &value[end..],
        None => b"",
    }
}

/// Passes over white space, semicolons, commas and comments.
fn skip_between(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest.first() {
            Some(b) if b.is_ascii_whitespace() || matches!(b, b';' | b',') => &rest[1..],
            Some(b'(') => match rest.iter().position(|&b| b == b')') {
                Some(end) => &rest[end + 1..],
                None => b"",
            },
            _ => return rest,
        }
    }
}

/// The value that `rest` starts with, and what stands behind it.
fn value(rest: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        let end = unquoted_end(rest);
        return (Cow::Borrowed(rest[..end].trim_ascii_end()), &rest[end..]);
    };
    // A path may end in a backslash, which then escapes nothing.
    if let Some(end) = quote_end(quoted, true).or_else(|| quote_end(quoted, false)) {
        return (unescape(&quoted[..end]), &quoted[end + 1..]);
    }
    // Its second quote is missing.
    let end = quoted.iter().position(|&b| b == b';').unwrap_or(quoted.len());
    (unescape(quoted[..end].trim_ascii_end()), &quoted[end..])
}

/// The quote that ends a value: one inside it that is not escaped ends nothing.
fn quote_end(quoted: &[u8], escapes: bool) -> Option<usize> {
    let mut escaped = false;
    quoted.iter().enumerate().position(|(i, &byte)| {
        let ends = byte == b'"' && !escaped && ends_value(&quoted[i + 1..]);
        escaped = escapes && byte == b'\\' && !escaped;
        ends
    })
}

/// Whether a quote in front of `behind` is one that ends a value: a semicolon follows, or nothing, or
/// another parameter without its semicolon.
fn ends_value(behind: &[u8]) -> bool {
    let next = behind.trim_ascii_start();
    match next.first() {
        None | Some(b';' | b'(' | b',') => true,
        Some(_) => next.len() < behind.len() && starts_parameter(next),
    }
}

/// Whether `text` starts like `name=`.
fn starts_parameter(text: &[u8]) -> bool {
    let name =
        text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'-' | b'_')).count();
    name > 0 && text.get(name) == Some(&b'=') && text.get(name + 1) != Some(&b'?')
}

/// Where a value without quotes ends: spaces may be in it, but not another parameter. Encoded words have
/// whatever there is.
fn unquoted_end(rest: &[u8]) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b';' => return at,
            b if b.is_ascii_whitespace() => {
                let next = rest[at..].trim_ascii_start();
                if starts_parameter(next) {
                    return at;
                }
                at = rest.len() - next.len();
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// Without folds, and without the backslashes that escape a quote or a backslash. Those in paths stay.
fn unescape(written: &[u8]) -> Cow<'_, [u8]> {
    if !written.iter().any(|b| matches!(b, b'\\' | b'\r' | b'\n')) {
        return Cow::Borrowed(written);
    }
    let mut value = Vec::with_capacity(written.len());
    let mut rest = written;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [next @ (b'"' | b'\\'), tail @ ..]) => {
                value.push(*next);
                rest = tail;
            }
            (b'\r' | b'\n', _) => {}
            (octet, _) => value.push(*octet),
        }
    }
    Cow::Owned(value)
}

/// Pieces put together, and the charset that the first declares. They are decoded together, which mends
/// characters split between them.
fn join(pieces: &[Piece<'_>]) -> (Vec<u8>, Option<String>) {
    let mut declared = None;
    let mut joined = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        let mut value: &[u8] = &piece.value;
        if i == 0
            && piece.encoded
            && let Some((name, rest)) = extended(value)
        {
            declared = Some(name);
            value = rest;
        }
        if piece.encoded { percent(value, &mut joined) } else { joined.extend_from_slice(value) }
    }
    (joined, declared.filter(|name| !name.is_empty()))
}

/// Takes `charset'language'` off.
fn extended(value: &[u8]) -> Option<(String, &[u8])> {
    let mut parts = value.splitn(3, |&b| b == b'\'');
    let (name, _language, rest) = (parts.next()?, parts.next()?, parts.next()?);
    Some((String::from_utf8_lossy(name).into_owned(), rest))
}

fn percent(value: &[u8], octets: &mut Vec<u8>) {
    octets.extend(percent_encoding::percent_decode(value));
}

/// A value that declares no charset: encoded words are not allowed in one (RFC 2047 section 5), but common;
/// so is the extended form without its asterisk.
fn undeclared(value: &[u8]) -> String {
    if value.windows(2).any(|pair| pair == b"=?") {
        return words::decode(value, None);
    }
    match extended(value) {
        Some((name, rest)) if name.eq_ignore_ascii_case("utf-8") => {
            let mut octets = Vec::with_capacity(rest.len());
            percent(rest, &mut octets);
            charset::text(&octets, Some(&name)).into_owned()
        }
        _ => charset::text(value, None).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_however_they_are_written() {
        for (written, expected) in [
            ("attachment; filename=a.txt", "a.txt"),
            ("attachment; filename=\"a b.txt\"; size=1", "a b.txt"),
            ("attachment; FileName = \"a.txt\"", "a.txt"),
            ("attachment; filename=my scan.pdf; size=1", "my scan.pdf"),
            ("attachment; filename=my scan.pdf size=1", "my scan.pdf"),
            ("attachment; filename=report (1).pdf", "report (1).pdf"),
            ("attachment filename=\"a.txt\"", "a.txt"),
            ("filename=a.txt", "a.txt"),
            ("attachment; filename=\"a \"quoted\" b.txt\"; size=1", "a \"quoted\" b.txt"),
            ("attachment; filename=\"a \\\"quoted\\\" b.txt\"", "a \"quoted\" b.txt"),
            ("attachment; filename=\"C:\\Temp\\a.txt\"", "C:\\Temp\\a.txt"),
            ("attachment; filename=\"C:\\\\Temp\\\\a.txt\"", "C:\\Temp\\a.txt"),
            ("attachment; filename=\"C:\\Temp\\\"; size=1", "C:\\Temp\\"),
            ("attachment; filename=\"open.txt; size=1", "open.txt"),
            ("attachment; filename=\"open.txt", "open.txt"),
            ("attachment; filename=\"a.txt\" size=1", "a.txt"),
            ("attachment; (a comment; filename=no) filename=a.txt", "a.txt"),
            ("attachment; filename=\"fol\r\n ded.txt\"", "fol ded.txt"),
            ("attachment; size=1;; filename=a.txt;", "a.txt"),
            ("attachment; filename*=utf-8''Caff%C3%A8%20a.txt", "Caffè a.txt"),
            ("attachment; filename*=iso-8859-1'it'Caff%E8.txt", "Caffè.txt"),
            ("attachment; filename*=\"UTF-8''Caff%c3%a8.txt\"", "Caffè.txt"),
            ("attachment; filename*=Caff%C3%A8.txt", "Caffè.txt"),
            ("attachment; filename*=''Caff%C3%A8.txt", "Caffè.txt"),
            ("attachment; filename*=utf-8''100%25%zz", "100%%zz"),
            ("attachment; filename=old.txt; filename*=utf-8''new.txt", "new.txt"),
            ("attachment; filename=old.txt; filename*=utf-8''", "old.txt"),
            ("attachment; filename*0=long; filename*1=\" name\"; filename*2=.txt", "long name.txt"),
            ("attachment; filename*0*=utf-8''Caff%C3; filename*1*=%A8; filename*2=%41.txt", "Caffè%41.txt"),
            ("attachment; filename*2=c; filename*10=d; filename*0*=koi8-r''%F4; filename*1=b", "Тbcd"),
            ("attachment; filename*0=a; filename*x=b; filename*1=c", "ac"),
            ("attachment; filename=\"=?utf-8?B?Q2FmZsOo?=.txt\"", "Caffè.txt"),
            ("attachment; filename==?utf-8?Q?Caff=C3=A8.txt?=", "Caffè.txt"),
            ("attachment; filename=\"=?utf-8?Q?Caff=C3?=\r\n =?utf-8?Q?=A8.txt?=\"", "Caffè.txt"),
            ("attachment; filename=utf-8''Caff%C3%A8.txt", "Caffè.txt"),
            ("attachment; filename=\"Caffè.txt\"", "Caffè.txt"),
        ] {
            assert_eq!(
                Parameterised::new(written.as_bytes()).text("filename").as_deref(),
                Some(expected),
                "{written}"
            );
        }
        let latin = Parameterised::new(b"attachment; filename=\"Caff\xe8.txt\"");
        assert_eq!(latin.text("filename").as_deref(), Some("Caffè.txt"));
        for none in
            ["", "attachment", "attachment; filename", "attachment; filename=", "a; filename=\" \"", "; ="]
        {
            assert_eq!(Parameterised::new(none.as_bytes()).text("filename"), None, "{none}");
        }
    }

    #[test]
    fn charsets_and_boundaries_are_read_however_they_are_written() {
        for (written, expected) in [
            ("text/plain; charset=utf-8", "utf-8"),
            ("text/plain; charset=\"utf-8\"", "utf-8"),
            ("text/plain; charset=\"utf-8", "utf-8"),
            ("text/plain; charset=utf-8 (Unicode)", "utf-8"),
            ("text/plain; charset=utf-8 format=flowed", "utf-8"),
            ("text/plain charset=utf-8", "utf-8"),
            ("text/plain, charset=utf-8", "utf-8"),
            ("text/plain; format=flowed; charset = utf-8 ;", "utf-8"),
            ("text/plain; charset*=us-ascii'en'utf-8", "utf-8"),
            ("text/plain; charset*0=\"utf\"; charset*1=\"-8\"", "utf-8"),
        ] {
            let value = Parameterised::new(written.as_bytes());
            assert_eq!(value.token("charset").as_deref(), Some(expected), "{written}");
        }
        let boundary = |written: &'static str| Parameterised::new(written.as_bytes()).exact("boundary");
        assert_eq!(boundary("multipart/mixed; boundary=\"a; b=c \"").as_deref(), Some(&b"a; b=c"[..]));
        assert_eq!(boundary("multipart/mixed; boundary==_x=?y").as_deref(), Some(&b"=_x=?y"[..]));
        assert_eq!(boundary("multipart/mixed; boundary*0=a; boundary*1=b").as_deref(), Some(&b"ab"[..]));
        assert_eq!(boundary("multipart/mixed; boundary=\"\""), None);
    }

    #[test]
    fn media_types_have_two_halves() {
        for (written, expected) in [
            ("text/plain", ("text", "plain")),
            ("Text / HTML ; charset=x", ("Text", "HTML")),
            ("text/plain(comment)", ("text", "plain")),
            ("text/plain charset=x", ("text", "plain")),
            ("text", ("text", "")),
            ("", ("", "")),
        ] {
            let (main, sub) = Parameterised::new(written.as_bytes()).media_type();
            assert_eq!((main, sub), (expected.0.as_bytes(), expected.1.as_bytes()), "{written}");
        }
    }

    #[test]
    fn of_a_long_value_the_start_is_read() {
        let long = |n: usize| {
            let value = format!("a/b; {}; name=x", "y".repeat(n));
            Parameterised::new(value.as_bytes()).text("name")
        };
        assert_eq!(long(MAX_VALUE - 13).as_deref(), Some("x"));
        assert_eq!(long(MAX_VALUE - 12), None);
    }
}
