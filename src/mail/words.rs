//! Encoded words (RFC 2047), as senders write them: adjacent ones, ones split inside a character,
//! ones in the middle of a word, and ones that never end.

use super::charset;
use super::decode::{self, Base64};

/// Longest charset name with language (RFC 2231 section 5) that is looked at.
const MAX_CHARSET: usize = 64;

/// One encoded word, as written.
struct Word<'a> {
    charset: &'a str,
    encoding: Encoding,
    payload: &'a [u8],
    /// Length with all that is around the payload.
    length: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Q,
    B,
}

/// Encoded words of one charset that still wait for their neighbours.
struct Open<'a> {
    charset: &'a str,
    octets: Vec<u8>,
    base64: Base64,
}

impl<'a> Open<'a> {
    fn new(charset: &'a str) -> Self {
        Self { charset, octets: Vec::new(), base64: Base64::default() }
    }

    fn add(&mut self, word: &Word<'_>) {
        // Some senders cut base64 at any character, and others save the padding.
        if word.encoding == Encoding::Q || self.base64.may_end() {
            self.base64.finish(&mut self.octets);
        }
        match word.encoding {
            Encoding::Q => decode::q_word(word.payload, &mut self.octets),
            Encoding::B => word.payload.iter().for_each(|&b| self.base64.push(b, &mut self.octets)),
        }
    }

    fn close(mut self, text: &mut String) {
        self.base64.finish(&mut self.octets);
        text.push_str(&charset::text(&self.octets, Some(self.charset)));
    }
}

/// The text of an unstructured value. Octets that are not UTF-8 are in the charset that the body declares,
/// or windows-1252. White space between encoded words goes, and neighbours of one charset are decoded
/// together, which mends characters split between them.
pub(super) fn decode(value: &[u8], body_charset: Option<&str>) -> String {
    let mut text = String::with_capacity(value.len());
    let mut open: Option<Open<'_>> = None;
    // Where what is not decoded yet starts.
    let mut from = 0;
    for (start, word) in words(value) {
        let before = &value[from..start];
        let adjacent = open.is_some() && before.iter().all(u8::is_ascii_whitespace);
        match &mut open {
            Some(open) if adjacent && joins(open.charset, word.charset) => open.add(&word),
            _ => {
                if let Some(open) = open.take() {
                    open.close(&mut text);
                }
                if !adjacent {
                    text.push_str(&charset::text(before, body_charset));
                }
                open.insert(Open::new(word.charset)).add(&word);
            }
        }
        from = start + word.length;
    }
    if let Some(open) = open {
        open.close(&mut text);
    }
    text.push_str(&charset::text(&value[from..], body_charset));
    text
}

/// The value with each run of encoded words replaced by a placeholder, and the runs: for parsers that would
/// trip over what senders leave unencoded in them, or decode them one by one.
pub(super) fn hide(value: &[u8]) -> (Vec<u8>, Vec<&[u8]>) {
    let mut hidden = Vec::with_capacity(value.len());
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (start, word) in words(value) {
        let end = start + word.length;
        match runs.last_mut() {
            Some(last) if value[last.1..start].iter().all(u8::is_ascii_whitespace) => last.1 = end,
            _ => runs.push((start, end)),
        }
    }
    let mut from = 0;
    for (number, (start, end)) in runs.iter().enumerate() {
        hidden.extend_from_slice(&value[from..*start]);
        hidden.extend_from_slice(format!("{PLACEHOLDER}{number}{PLACEHOLDER}").as_bytes());
        from = *end;
    }
    hidden.extend_from_slice(&value[from..]);
    (hidden, runs.into_iter().map(|(start, end)| &value[start..end]).collect())
}

/// The text with its placeholders replaced by what the hidden runs say.
pub(super) fn reveal(text: &str, runs: &[&[u8]]) -> String {
    let mut pieces = text.split(PLACEHOLDER);
    let mut revealed = pieces.next().unwrap_or_default().to_owned();
    while let Some(number) = pieces.next() {
        let run = number.parse::<usize>().ok().and_then(|number| runs.get(number));
        revealed.push_str(&run.map_or_else(String::new, |run| decode(run, None)));
        revealed.push_str(pieces.next().unwrap_or_default());
    }
    revealed
}

/// Stands around the number of a hidden run: a character that no mail has.
const PLACEHOLDER: char = '\u{1}';

/// The encoded words of a value, each with where it starts.
fn words(value: &[u8]) -> impl Iterator<Item = (usize, Word<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(start) =
            value.get(at..)?.windows(2).position(|pair| pair == b"=?").map(|found| at + found)
        {
            if let Some(word) = word(&value[start..]) {
                at = start + word.length;
                return Some((start, word));
            }
            at = start + 2;
        }
        None
    })
}

/// Whether octets of words in these charsets may be decoded together. Not where each word starts
/// in a state of its own (ISO-2022 and its escape sequences).
fn joins(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) && !charset::has_state(one)
}

/// Reads `=?charset?encoding?text?=` at the start of `source`. Looks no further than the next `=?`,
/// so that words that never end cost no more than those that do. The last word of a value may lack its end.
fn word(source: &[u8]) -> Option<Word<'_>> {
    let inner = source.strip_prefix(b"=?")?;
    let charset_end = inner.iter().take(MAX_CHARSET).position(|&b| b == b'?')?;
    let charset = std::str::from_utf8(&inner[..charset_end]).ok()?;
    let charset = charset.split('*').next().filter(|name| name.len() >= 2)?;
    let [b'?', encoding, b'?', payload @ ..] = &inner[charset_end..] else { return None };
    let encoding = match encoding {
        b'q' | b'Q' => Encoding::Q,
        b'b' | b'B' => Encoding::B,
        _ => return None,
    };
    let (end, length) = match payload_end(payload)? {
        End::Marked(end) => (end, end + 2),
        End::Missing(end) => (end, payload.len()),
    };
    let payload_start = source.len() - payload.len();
    let payload = &payload[..end];
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=".contains(b);
    // Words of a text that only looks encoded are not taken for base64.
    let marked = length == end + 2;
    if encoding == Encoding::B && !marked && !payload.iter().all(base64) {
        return None;
    }
    Some(Word { charset, encoding, payload, length: payload_start + length })
}

enum End {
    /// A `?=` stands there.
    Marked(usize),
    /// The value ends there, but for what came of the mark.
    Missing(usize),
}

/// Where the payload ends. `=?` starts another word, unless it is the payload's own last `=` in front of
/// `?=`.
fn payload_end(payload: &[u8]) -> Option<End> {
    for (i, pair) in payload.windows(2).enumerate() {
        match pair {
            b"?=" => return Some(End::Marked(i)),
            b"=?" if !matches!(payload.get(i + 2), Some(b'=') | None) => return None,
            _ => {}
        }
    }
    let rest = payload.trim_ascii_end();
    let end = rest.strip_suffix(b"?").unwrap_or(rest).len();
    (end > 0).then_some(End::Missing(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(&str, &str)]) {
        for (written, expected) in cases {
            assert_eq!(decode(written.as_bytes(), None), *expected, "{written:?}");
        }
    }

    #[test]
    fn words_are_decoded_wherever_they_stand() {
        check(&[
            ("=?utf-8?Q?Caff=C3=A8_pronto?=", "Caffè pronto"),
            ("=?ISO-8859-1?q?a=E8?= b", "aè b"),
            ("=?utf-8?B?Q2FmZsOo?=", "Caffè"),
            ("=?utf-8*it?B?Q2FmZsOo?=", "Caffè"),
            ("x=?utf-8?q?=C3=A8?=y", "xèy"),
            ("\"=?utf-8?q?=C3=A8?=\"", "\"è\""),
            ("=?utf-8?q?two words?=", "two words"),
            ("=?koi8-r?B?9NLF18/HwQ==?=", "Тревога"),
        ]);
    }

    #[test]
    fn white_space_between_words_goes_and_around_them_stays() {
        check(&[
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?= =?iso-8859-1?q?=E8?=", "aè"),
            ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
            ("=?utf-8?q?a_?= =?utf-8?q?b?=", "a b"),
        ]);
    }

    #[test]
    fn a_character_split_between_words_is_mended() {
        check(&[
            ("=?utf-8?q?Caff=C3?= =?UTF-8?q?=A8?=", "Caffè"),
            ("=?utf-8?B?8J8=?= =?utf-8?B?mIA=?=", "😀"),
            ("=?utf-8?B?8J8=?= =?utf-8?q?=98=80?=", "😀"),
        ]);
    }

    #[test]
    fn broken_words_stay_as_they_are_written() {
        check(&[
            ("=?utf-8?q?", "=?utf-8?q?"),
            ("=?utf-8?b?never, ever", "=?utf-8?b?never, ever"),
            ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
            ("=??q?abc?=", "=??q?abc?="),
            ("=?", "=?"),
            ("a=?b?c", "a=?b?c"),
            ("=?utf-8?q?open =?utf-8?q?closed?=", "=?utf-8?q?open closed"),
            ("=?utf-8?q?open =?utf-8?q?last", "=?utf-8?q?open last"),
        ]);
    }

    #[test]
    fn wrong_details_are_let_pass() {
        check(&[
            ("=?utf-8?q?100=?=", "100="),
            ("=?utf-8?q?=ZZ=4?=", "=ZZ=4"),
            ("=?utf-8?B?Q2FmZsOo=?=", "Caffè"),
            ("=?utf-8?B?Q2 FmZsOo?=", "Caffè"),
            ("=?no-such-charset?q?=E8?=", "è"),
            ("=?utf-8?q?=E8?=", "è"),
        ]);
    }

    #[test]
    fn words_with_a_state_are_decoded_one_by_one() {
        check(&[("=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?= =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=", "テストテスト")]);
    }

    #[test]
    fn octets_that_are_not_utf8_are_windows_1252() {
        assert_eq!(decode(b"Caff\xe8 \x80 5", None), "Caffè € 5");
        assert_eq!(decode(b"=?iso-8859-1?Q?unescaped_\xe8?=", None), "unescaped è");
    }

    #[test]
    fn the_last_word_may_lack_its_end() {
        check(&[
            ("=?utf-8?q?Caff=C3=A8 never ends", "Caffè never ends"),
            ("a =?utf-8?Q?Caff=C3=A8?", "a Caffè"),
            ("=?utf-8?B?Q2FmZsOo", "Caffè"),
            ("=?utf-8?B?Q2FmZsOo?", "Caffè"),
            ("=?utf-8?B?Zm8=", "fo"),
            ("=?utf-8?B?Zm8=?", "fo"),
            ("=?utf-8?q?a?= =?utf-8?q?b", "ab"),
        ]);
    }

    #[test]
    fn base64_is_cut_anywhere() {
        check(&[
            ("=?utf-8?B?Q2Fm?= =?utf-8?B?ZsO?= =?utf-8?B?o?=", "Caffè"),
            ("=?utf-8?B?Q2FmZ?= =?utf-8?B?sOo?=", "Caffè"),
            ("=?utf-8?B?w6g?= =?utf-8?B?w6g?=", "èè"),
            ("=?utf-8?B?YQ?= =?utf-8?B?Yg?=", "ab"),
            ("=?utf-8?B?Zg==Zm8=?=", "ffo"),
            ("=?utf-8?B?Q2Fm\r\n ZsOo?=", "Caffè"),
        ]);
    }

    #[test]
    fn q_words_have_unencoded_octets_and_soft_ends() {
        check(&[
            ("=?UTF-8?q?Caff=c3=a8, pronto: \"ok\"?=", "Caffè, pronto: \"ok\""),
            ("=?utf-8?Q?Caff=C3=\r\n =A8?=", "Caffè"),
            ("=?iso-8859-1?q?Caffè?=", "Caffè"),
            ("=?us-ascii?q?Caff=C3=A8?=", "Caffè"),
            ("=?cp437?q?27_=F8C?=", "27 °C"),
            ("=?utf-7?q?Caff+AOg-?=", "Caffè"),
            ("=?gb2312?B?u/DU1g==?= =?gb2312?B?vq+xqA==?=", "火灾警报"),
        ]);
    }

    #[test]
    fn raw_octets_are_in_the_charset_of_the_body() {
        let raw = b"\xd2\xf0\xe5\xe2\xee\xe3\xe0";
        assert_eq!(decode(raw, Some("windows-1251")), "Тревога");
        assert_eq!(decode("Тревога".as_bytes(), Some("utf-8")), "Тревога");
    }

    #[test]
    fn what_is_hidden_is_revealed() {
        let value = b"=?utf-8?q?Rossi, Mario?= =?utf-8?q?_jr?= (=?utf-8?q?\xc3\xa8?=) x";
        let (hidden, runs) = hide(value);
        assert_eq!(hidden, b"\x010\x01 (\x011\x01) x");
        assert_eq!(reveal("\u{1}0\u{1} (\u{1}1\u{1}) x", &runs), "Rossi, Mario jr (è) x");
        assert_eq!(reveal("\u{1}7\u{1} \u{1}x", &runs), " ");
    }
}
