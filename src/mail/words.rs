//! Encoded words (RFC 2047), as senders write them: adjacent ones, ones split inside a character,
//! ones in the middle of a word, and ones that never end.

use mail_parser::decoders::base64::base64_decode;

use super::decode;

/// Longest charset name with language (RFC 2231 section 5) that is looked at.
const MAX_CHARSET: usize = 64;

/// One encoded word, decoded to octets.
struct Word<'a> {
    charset: &'a str,
    octets: Vec<u8>,
    /// Length as written.
    length: usize,
}

/// The text of an unstructured value. Octets that are not UTF-8 count as windows-1252. White space
/// between encoded words goes, and neighbours of one charset are decoded together, which mends
/// characters split between them.
pub(super) fn decode(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    // Octets of encoded words that still wait for their neighbours.
    let mut open: Option<(&str, Vec<u8>)> = None;
    // Where what is not decoded yet starts, and where the next word is looked for.
    let (mut from, mut at) = (0, 0);
    while let Some(start) = value[at..].windows(2).position(|pair| pair == b"=?").map(|found| at + found) {
        let Some(word) = word(&value[start..]) else {
            at = start + 2;
            continue;
        };
        let before = &value[from..start];
        let adjacent = open.is_some() && before.iter().all(u8::is_ascii_whitespace);
        match &mut open {
            Some((charset, octets)) if adjacent && joins(charset, word.charset) => octets.extend(word.octets),
            _ => {
                close(&mut text, &mut open);
                if !adjacent {
                    text.push_str(&decode::text(before, None));
                }
                open = Some((word.charset, word.octets));
            }
        }
        from = start + word.length;
        at = from;
    }
    close(&mut text, &mut open);
    text.push_str(&decode::text(&value[from..], None));
    text
}

/// Whether octets of words in these charsets may be decoded together. Not where each word starts
/// in a state of its own (ISO-2022 and its escape sequences).
fn joins(one: &str, other: &str) -> bool {
    let stateful = one.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("iso-2022"));
    one.eq_ignore_ascii_case(other) && !stateful
}

fn close(text: &mut String, open: &mut Option<(&str, Vec<u8>)>) {
    if let Some((charset, octets)) = open.take() {
        text.push_str(&decode::text(&octets, Some(charset)));
    }
}

/// Reads `=?charset?encoding?text?=` at the start of `source`. Looks no further than the next `=?`,
/// so that words that never end cost no more than those that do.
fn word(source: &[u8]) -> Option<Word<'_>> {
    let inner = source.strip_prefix(b"=?")?;
    let charset_end = inner.iter().take(MAX_CHARSET).position(|&b| b == b'?')?;
    let charset = std::str::from_utf8(&inner[..charset_end]).ok()?;
    let charset = charset.split('*').next().filter(|name| name.len() >= 2)?;
    let [b'?', encoding, b'?', payload @ ..] = &inner[charset_end..] else { return None };
    let end = payload_end(payload)?;
    let octets = match encoding {
        b'q' | b'Q' => decode::q_word(&payload[..end]),
        b'b' | b'B' => {
            let alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
            let payload: Vec<u8> = payload[..end].iter().copied().filter(alphabet).collect();
            base64_decode(&payload)?
        }
        _ => return None,
    };
    Some(Word { charset, octets, length: source.len() - payload.len() + end + 2 })
}

/// Where the `?=` that ends the payload stands. `=?` starts another word, unless it is the payload's
/// own last `=` in front of `?=`.
fn payload_end(payload: &[u8]) -> Option<usize> {
    payload.windows(2).enumerate().find_map(|(i, pair)| match pair {
        b"?=" => Some(Some(i)),
        b"=?" if payload.get(i + 2) != Some(&b'=') => Some(None),
        _ => None,
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(&str, &str)]) {
        for (written, expected) in cases {
            assert_eq!(decode(written.as_bytes()), *expected, "{written:?}");
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
            ("=?utf-8?q?never ends", "=?utf-8?q?never ends"),
            ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
            ("=??q?abc?=", "=??q?abc?="),
            ("=?", "=?"),
            ("a=?b?c", "a=?b?c"),
            ("=?utf-8?q?open =?utf-8?q?closed?=", "=?utf-8?q?open closed"),
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
        assert_eq!(decode(b"Caff\xe8 \x80 5"), "Caffè € 5");
        assert_eq!(decode(b"=?iso-8859-1?Q?unescaped_\xe8?="), "unescaped è");
    }
}
