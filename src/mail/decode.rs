//! Transfer encodings (RFC 2045 section 6) and charsets, best effort: damaged input gives what can
//! be read of it.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
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
    /// By the first word of `Content-Transfer-Encoding:`, lower case.
    pub(super) fn from_name(name: &str) -> Self {
        match name.trim_matches('"') {
            "quoted-printable" => Self::QuotedPrintable,
            "base64" => Self::Base64,
            _ => Self::Identity,
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

/// Text of octets in the declared charset. Where none is declared, or ASCII, UTF-8 or an unknown
/// one, it is UTF-8 if it can be, and otherwise windows-1252: what undeclared mail is written in.
pub(super) fn text(octets: &[u8], charset: Option<&str>) -> String {
    let declared = charset.map(|name| name.trim().to_ascii_lowercase());
    let decoder = match declared.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => None,
        Some(name) => charset_decoder(name.as_bytes()),
    };
    let text = match decoder {
        Some(decoder) => decoder(octets),
        None => utf8_or_windows_1252(octets),
    };
    match text.strip_prefix('\u{FEFF}') {
        Some(without_mark) => without_mark.to_owned(),
        None => text,
    }
}

/// One wrong octet in a UTF-8 text is damage; a text without any right sequence is not UTF-8.
fn utf8_or_windows_1252(octets: &[u8]) -> String {
    let (mut right, mut wrong) = (0_usize, 0_usize);
    for chunk in octets.utf8_chunks() {
        right += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    if right >= wrong {
        String::from_utf8_lossy(octets).into_owned()
    } else {
        WINDOWS_1252.decode_without_bom_handling(octets).0.into_owned()
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
        escapes(content, &mut octets, |b| b);
        if !soft && line.ends_with(b"\n") {
            octets.push(b'\n');
        }
    }
    octets
}

/// The Q encoding of encoded words (RFC 2047 section 4.2): `_` is a space.
pub(super) fn q_word(payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(payload.len());
    escapes(payload, &mut octets, |b| if b == b'_' { b' ' } else { b });
    octets
}

/// Decodes `=XX`, and maps what is not escaped.
fn escapes(source: &[u8], octets: &mut Vec<u8>, map: impl Fn(u8) -> u8) {
    let mut rest = source;
    while let [first, tail @ ..] = rest {
        rest = tail;
        octets.push(match (first, tail) {
            (b'=', [high, low, after @ ..]) => match quoted_printable_decode_char(*high, *low) {
                Some(octet) => {
                    rest = after;
                    octet
                }
                None => b'=',
            },
            (&octet, _) => map(octet),
        });
    }
}

/// Base64, of which damaged lines are left out where there are others; `None` when no line is
/// base64, so that the text was never encoded. By lines, because the library takes two words of
/// plain text for base64.
fn base64(body: &[u8]) -> Option<Vec<u8>> {
    let alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let mut payload = Vec::with_capacity(body.len());
    for line in body.split(|&b| b == b'\n').map(<[u8]>::trim_ascii) {
        let wrong = line.iter().filter(|b| !alphabet(b)).count();
        if wrong * 16 <= line.len() && !line.contains(&b' ') {
            payload.extend(line.iter().copied().filter(alphabet));
        }
    }
    if payload.is_empty() { None } else { base64_decode(&payload) }
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
    fn undeclared_octets_are_utf8_or_else_windows_1252() {
        assert_eq!(text("Caffè €".as_bytes(), None), "Caffè €");
        assert_eq!(text(b"Caff\xe8 \x80", None), "Caffè €");
        assert_eq!(text(b"Caff\xe8", Some("us-ascii")), "Caffè");
        assert_eq!(text(b"Caff\xe8", Some("x-unknown")), "Caffè");
        assert_eq!(text("Caffè".as_bytes(), Some("us-ascii")), "Caffè");
    }

    #[test]
    fn one_wrong_octet_does_not_make_a_utf8_text_latin() {
        assert_eq!(text(b"\xc3\xa8 \xc3\xa8 \xff", Some("utf-8")), "è è \u{FFFD}");
        assert_eq!(text(b"Caff\xe8", Some("UTF-8")), "Caffè");
    }

    #[test]
    fn declared_charsets_are_believed() {
        assert_eq!(text(b"\xa4", Some("ISO-8859-15")), "€");
        assert_eq!(text(b"\x83n", Some("shift_jis")), "ハ");
        assert_eq!(text(b"\xff\xfea\0", Some("utf-16")), "a");
        assert_eq!(text(b"\xef\xbb\xbfa", None), "a");
    }
}
