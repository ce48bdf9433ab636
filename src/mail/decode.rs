//! Transfer encodings (RFC 2045 section 6), best effort: damaged input gives what can be read of it.

use std::borrow::Cow;

use mail_parser::decoders::quoted_printable::quoted_printable_decode_char;

/// How a part's octets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransferEncoding {
    /// 7bit, 8bit, binary, and names that nobody knows.
    Identity,
    /// RFC 2045 section 6.7.
    QuotedPrintable,
    /// RFC 2045 section 6.8.
    Base64,
}

impl TransferEncoding {
    /// By the first word of `Content-Transfer-Encoding:`.
    pub(super) fn from_name(name: &[u8]) -> Self {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"quoted-printable") {
            Self::QuotedPrintable
        } else if is(b"base64") {
            Self::Base64
        } else {
            Self::Identity
        }
    }
}

/// The octets of a part.
pub(super) fn transfer(body: &[u8], encoding: TransferEncoding) -> Cow<'_, [u8]> {
    match encoding {
        TransferEncoding::Identity => Cow::Borrowed(body),
        TransferEncoding::QuotedPrintable => Cow::Owned(quoted_printable(body)),
        TransferEncoding::Base64 => base64(body).map_or(Cow::Borrowed(body), Cow::Owned),
    }
}

/// Quoted-printable in which an `=` that escapes nothing stands for itself.
fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|&b| b == b'\n') {
        // White space at the end of a line was added on the way (rule 3).
        let content = line.trim_ascii_end();
        let (content, soft) = match content.strip_suffix(b"=") {
            Some(content) => (content, true),
            None => (content, false),
        };
        escapes(content, &mut octets);
        if !soft && line.ends_with(b"\n") {
            octets.push(b'\n');
        }
    }
    octets
}

/// The Q encoding of encoded words (RFC 2047 section 4.2): `_` is a space. A soft line end, which has no
/// business there, joins as it does in bodies.
pub(super) fn q_word(payload: &[u8], octets: &mut Vec<u8>) {
    let mut rest = payload;
    while let Some(at) = rest.iter().position(|&b| b == b'=') {
        spaced(&rest[..at], octets);
        let behind = &rest[at + 1..];
        let next = behind.trim_ascii_start();
        rest = if behind[..behind.len() - next.len()].contains(&b'\n') {
            next
        } else if let Some(octet) = escaped(behind) {
            octets.push(octet);
            &behind[2..]
        } else {
            octets.push(b'=');
            behind
        };
    }
    spaced(rest, octets);
}

/// The octet of the two hexadecimal digits behind an `=`.
fn escaped(behind: &[u8]) -> Option<u8> {
    let [high, low, ..] = behind else { return None };
    quoted_printable_decode_char(*high, *low)
}

fn spaced(text: &[u8], octets: &mut Vec<u8>) {
    octets.extend(text.iter().map(|&b| if b == b'_' { b' ' } else { b }));
}

/// Decodes each `=XX`; an `=` that escapes nothing stays.
fn escapes(source: &[u8], octets: &mut Vec<u8>) {
    let mut rest = source;
    while let Some(at) = rest.iter().position(|&b| b == b'=') {
        octets.extend_from_slice(&rest[..at]);
        let behind = &rest[at + 1..];
        rest = match escaped(behind) {
            Some(octet) => {
                octets.push(octet);
                &behind[2..]
            }
            None => {
                octets.push(b'=');
                behind
            }
        };
    }
    octets.extend_from_slice(rest);
}

/// Base64, of which damaged lines are left out where there are others; `None` when no line is
/// base64, so that the text was never encoded.
fn base64(body: &[u8]) -> Option<Vec<u8>> {
    let alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let mut octets = Vec::with_capacity(body.len() / 4 * 3);
    let mut decoder = Base64::default();
    let mut any = false;
    for line in body.split(|&b| b == b'\n').map(<[u8]>::trim_ascii) {
        let wrong = line.iter().filter(|b| !alphabet(b)).count();
        if !line.is_empty() && wrong * 16 <= line.len() && !line.contains(&b' ') {
            any = true;
            line.iter().for_each(|&b| decoder.push(b, &mut octets));
        }
    }
    decoder.finish(&mut octets);
    any.then_some(octets)
}

/// Base64 one character at a time, because mail has it cut anywhere: padding missing, or in the middle where
/// two encoded texts were put together, and words of 4n + 1 characters. What is not of the alphabet is
/// passed over.
#[derive(Clone, Copy, Default)]
pub(super) struct Base64 {
    bits: u32,
    count: u8,
}

impl Base64 {
    /// Takes one character.
    pub(super) fn push(&mut self, character: u8, octets: &mut Vec<u8>) {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => return self.finish(octets),
            _ => return,
        };
        self.bits = self.bits << 6 | u32::from(value);
        self.count += 1;
        if self.count == 4 {
            let [_, group @ ..] = self.bits.to_be_bytes();
            octets.extend_from_slice(&group);
            *self = Self::default();
        }
    }

    /// The text ends, or one of several does.
    pub(super) fn finish(&mut self, octets: &mut Vec<u8>) {
        match self.count {
            2 => octets.push(self.bits.to_be_bytes()[3] >> 4 | self.bits.to_be_bytes()[2] << 4),
            3 => {
                let [_, _, first, second] = (self.bits >> 2).to_be_bytes();
                octets.extend_from_slice(&[first, second]);
            }
            _ => {}
        }
        *self = Self::default();
    }

    /// Whether the characters that came can be all there are: whole groups, or ones whose surplus bits are
    /// zero, as encoders leave them that save the padding.
    pub(super) fn may_end(self) -> bool {
        match self.count {
            0 => true,
            2 => self.bits & 0xF == 0,
            3 => self.bits & 0x3 == 0,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_joins_soft_lines_and_keeps_what_is_not_an_escape() {
        for (written, expected) in [
            ("a=E8=\r\nb\r\n", &b"a\xe8b\n"[..]),
            ("trailing  \t\r\nspace=20\r\n", b"trailing\nspace \n"),
            ("100=, 5==6, =zz, =4", b"100=, 5==6, =zz, =4"),
            ("=e8=E8", b"\xe8\xe8"),
            ("end=", b"end"),
            ("soft= \r\nbreak", b"softbreak"),
        ] {
            assert_eq!(quoted_printable(written.as_bytes()), expected, "{written:?}");
        }
    }

    #[test]
    fn base64_passes_over_damage() {
        let decoded = |text: &str| base64(text.as_bytes()).map(|o| String::from_utf8(o).unwrap());
        assert_eq!(decoded("Q2Fm\r\nZsOo\r\n").as_deref(), Some("Caffè"));
        assert_eq!(
            decoded("Q2FmZsOo\r\n_______________\r\nlist footer, not encoded\r\n").as_deref(),
            Some("Caffè")
        );
        assert_eq!(
            decoded(
                "Q2Fm*ZsOo
"
            )
            .as_deref(),
            None,
            "one in nine is too much"
        );
        assert_eq!(
            decoded(
                "Q2FmZsOoQ2FmZsOo*
"
            )
            .as_deref(),
            Some("CaffèCaffè")
        );
        assert_eq!(decoded("this was never encoded!\r\n"), None);
        assert_eq!(decoded("Temperature exceeded\r\n"), None, "base64 has no spaces inside its lines");
    }

    #[test]
    fn base64_may_be_cut_or_put_together() {
        let decoded = |text: &str| base64(text.as_bytes()).unwrap();
        assert_eq!(decoded("Zg==Zm8=Zm9v"), b"ffofoo");
        assert_eq!(decoded("Zm8"), b"fo");
        assert_eq!(decoded("Zg"), b"f");
        assert_eq!(decoded("Zm9vZ"), b"foo", "4n + 1 characters");
    }

    #[test]
    fn q_words_have_spaces_and_soft_ends() {
        for (written, expected) in
            [("a_=E8=e8", &b"a \xe8\xe8"[..]), ("a=\r\n b", b"ab"), ("a= b=", b"a= b="), ("==E8", b"=\xe8")]
        {
            let mut octets = Vec::new();
            q_word(written.as_bytes(), &mut octets);
            assert_eq!(octets, expected, "{written:?}");
        }
    }
}
