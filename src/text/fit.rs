//! From any words to an [`SmsText`] of at most so many parts.
//!
//! The one place where words are cleaned for phones ([`clean`]) and where they are cut. A cut never
//! leaves half a grapheme cluster (unless one cluster alone is longer than the whole SMS), prefers
//! the end of a word, and ends in an ellipsis of the encoding that it keeps.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use super::gsm;
use super::measure::{Packer, measure};
use crate::model::{Encoding, SmsText};

/// A cut goes back at most this many grapheme clusters to the end of a word; longer words are cut
/// inside, rather than waste much of a part.
const STRETCH: usize = 30;

/// The text as phones should get it: CR LF and CR become LF, and so do the line and paragraph
/// separators; every other control character, tab and NUL among them, becomes a space; white space
/// at both ends goes. Linear.
pub fn clean(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let wrong = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}');
    if !trimmed.contains(wrong) {
        return Cow::Borrowed(trimmed);
    }
    let mut clean = String::with_capacity(trimmed.len());
    let mut after_cr = false;
    for character in trimmed.chars() {
        match character {
            '\n' if after_cr => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            c if c.is_control() => clean.push(' '),
            c => clean.push(c),
        }
        after_cr = character == '\r';
    }
    Cow::Owned(clean)
}

/// Fits `text` into at most `max_parts` parts (0 counts as 1): [cleaned](clean), unchanged when it
/// fits, otherwise cut with an ellipsis. `None` when nothing is left to send.
///
/// Cutting may drop every character outside the GSM alphabet: of the GSM text and the UCS-2 text
/// that fit, the one with more words is taken. The cost is linear in `text`.
pub fn fit(text: &str, max_parts: u32) -> Option<SmsText> {
    let text = clean(text);
    if text.is_empty() {
        return None;
    }
    let max_parts = max_parts.max(1);
    let size = measure(&text);
    if size.parts <= max_parts {
        return Some(measured(text.into_owned()));
    }
    let gsm = cut(&text, Encoding::Gsm7, max_parts);
    let ucs2 = match size.encoding {
        Encoding::Gsm7 => 0,
        Encoding::Ucs2 => cut(&text, Encoding::Ucs2, max_parts),
    };
    let (kept, encoding) = if gsm >= ucs2 { (gsm, Encoding::Gsm7) } else { (ucs2, Encoding::Ucs2) };
    Some(measured(format!("{}{}", &text[..kept], ellipsis(encoding))))
}

fn measured(body: String) -> SmsText {
    let size = measure(&body);
    SmsText { body, encoding: size.encoding, parts: size.parts }
}

/// Three full stops where the alphabet has no ellipsis.
fn ellipsis(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gsm7 => "...",
        Encoding::Ucs2 => "…",
    }
}

/// How many octets of `text` to keep in front of the ellipsis, in that encoding and that many
/// parts. Reads no further than what fits.
fn cut(text: &str, encoding: Encoding, max_parts: u32) -> usize {
    let travels = |piece: &str| match encoding {
        Encoding::Gsm7 => piece.chars().all(|c| gsm::encode(c).is_some()),
        Encoding::Ucs2 => true,
    };
    let room = |packer: &Packer| {
        let mut with_ellipsis = *packer;
        with_ellipsis.push_str(ellipsis(encoding));
        with_ellipsis.parts() <= max_parts
    };
    let mut packer = Packer::new(encoding);
    // End of the last visible cluster, and of the last whole word with the clusters seen since.
    let mut end = 0;
    let mut word = None;
    let mut clusters_since_word = 0;
    for (start, cluster) in text.grapheme_indices(true) {
        let blank = cluster.chars().all(char::is_whitespace);
        if blank && end > 0 {
            word = Some(end);
            clusters_since_word = 0;
        }
        packer.push_str(cluster);
        if !travels(cluster) || !room(&packer) {
            break;
        }
        clusters_since_word += 1;
        if !blank {
            end = start + cluster.len();
        }
    }
    match word {
        Some(word) if clusters_since_word <= STRETCH => word,
        Some(_) | None if end > 0 => end,
        Some(_) | None => cut_inside_a_cluster(text, encoding, travels, room),
    }
}

/// For a first cluster that is longer than all parts together, such as a letter under a hundred
/// accents: as many of its characters as fit.
fn cut_inside_a_cluster(
    text: &str,
    encoding: Encoding,
    travels: impl Fn(&str) -> bool,
    room: impl Fn(&Packer) -> bool,
) -> usize {
    let mut packer = Packer::new(encoding);
    let mut end = 0;
    for (start, character) in text.char_indices() {
        let next = start + character.len_utf8();
        packer.push_str(&text[start..next]);
        if !travels(&text[start..next]) || !room(&packer) {
            break;
        }
        end = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fitted(text: &str, max_parts: u32) -> (String, Encoding, u32) {
        let fitted = fit(text, max_parts).unwrap();
        (fitted.body, fitted.encoding, fitted.parts)
    }

    #[test]
    fn nothing_is_left_of_blank_text() {
        for text in ["", " ", "\r\n\r\n", "\0\0", " \t\u{A0}\u{2003}\n"] {
            assert_eq!(fit(text, 1), None, "{text:?}");
        }
    }

    #[test]
    fn line_ends_become_lf_and_other_controls_spaces() {
        assert_eq!(clean("a\r\nb\rc\n\nd\r\r\ne"), "a\nb\nc\n\nd\n\ne");
        assert_eq!(clean("a\0b\tc\u{0C}d\u{85}e\u{7F}f\u{1B}g"), "a b c d e f g");
        assert_eq!(clean("a\u{2028}b\u{2029}c"), "a\nb\nc");
        assert_eq!(clean("\r\n a \n b \r\n\0 "), "a \n b");
        assert!(matches!(clean("plain\ntext "), Cow::Borrowed("plain\ntext")));
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let text = "a".repeat(160);
        assert_eq!(fitted(&text, 1), (text.clone(), Encoding::Gsm7, 1));
        let text = "a".repeat(306);
        assert_eq!(fitted(&text, 2), (text.clone(), Encoding::Gsm7, 2));
        let text = "ж".repeat(70);
        assert_eq!(fitted(&text, 1), (text.clone(), Encoding::Ucs2, 1));
        let text = "ж".repeat(134);
        assert_eq!(fitted(&text, 9), (text.clone(), Encoding::Ucs2, 2));
    }

    #[test]
    fn one_unit_too_many_is_cut_with_an_ellipsis_of_the_encoding() {
        assert_eq!(fitted(&"a".repeat(161), 1), (format!("{}...", "a".repeat(157)), Encoding::Gsm7, 1));
        assert_eq!(fitted(&"a".repeat(307), 2), (format!("{}...", "a".repeat(303)), Encoding::Gsm7, 2));
        assert_eq!(fitted(&"ж".repeat(71), 1), (format!("{}…", "ж".repeat(69)), Encoding::Ucs2, 1));
        assert_eq!(fitted(&"ж".repeat(135), 2), (format!("{}…", "ж".repeat(133)), Encoding::Ucs2, 2));
        assert_eq!(fitted(&"a".repeat(161), 0), fitted(&"a".repeat(161), 1));
    }

    #[test]
    fn an_extension_character_at_the_border_is_cut_whole() {
        // 156 + 2 + 3 is one too many, 155 + 2 + 3 is not.
        let text = format!("{}€{}", "a".repeat(156), "b".repeat(9));
        assert_eq!(fitted(&text, 1), (format!("{}...", "a".repeat(156)), Encoding::Gsm7, 1));
        let text = format!("{}€{}", "a".repeat(155), "b".repeat(9));
        assert_eq!(fitted(&text, 1), (format!("{}€...", "a".repeat(155)), Encoding::Gsm7, 1));
        // In two parts the pair wastes the last septet of the first: 152 + (2 + 148 + 3).
        let text = format!("{}€{}", "a".repeat(152), "b".repeat(200));
        assert_eq!(
            fitted(&text, 2),
            (format!("{}€{}...", "a".repeat(152), "b".repeat(148)), Encoding::Gsm7, 2)
        );
    }

    #[test]
    fn an_emoji_at_the_border_is_cut_whole() {
        let text = format!("{}😀{}", "ж".repeat(68), "ж".repeat(9));
        assert_eq!(fitted(&text, 1), (format!("{}…", "ж".repeat(68)), Encoding::Ucs2, 1));
        let text = format!("{}😀{}", "ж".repeat(67), "ж".repeat(9));
        assert_eq!(fitted(&text, 1), (format!("{}😀…", "ж".repeat(67)), Encoding::Ucs2, 1));
        // A family of four is one cluster of 11 units, and a flag one of 4.
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(fitted(&family.repeat(7), 1), (format!("{}…", family.repeat(6)), Encoding::Ucs2, 1));
        assert_eq!(fitted(&"🇮🇹".repeat(18), 1), (format!("{}…", "🇮🇹".repeat(17)), Encoding::Ucs2, 1));
        // A letter with a combining accent.
        assert_eq!(fitted(&"e\u{301}".repeat(36), 1).0, format!("{}…", "e\u{301}".repeat(34)));
    }

    #[test]
    fn a_cut_goes_back_to_the_end_of_a_word() {
        let text = format!("{} temperature high", "word ".repeat(30).trim_end());
        assert_eq!(fitted(&text, 1).0, format!("{}...", "word ".repeat(30).trim_end()));
        // The limit falls exactly behind a word.
        let text = format!("{} {} more", "a".repeat(100), "b".repeat(56));
        assert_eq!(fitted(&text, 1).0, format!("{} {}...", "a".repeat(100), "b".repeat(56)));
        // A line end is a word's end, and white space in front of the ellipsis goes.
        let text = format!("{} \n\n {}", "a".repeat(140), "b".repeat(40));
        assert_eq!(fitted(&text, 1).0, format!("{}...", "a".repeat(140)));
    }

    #[test]
    fn a_word_longer_than_the_stretch_is_cut_inside() {
        let short = format!("{} {}", "a".repeat(126), "b".repeat(99));
        assert_eq!(fitted(&short, 1).0, format!("{} {}...", "a".repeat(126), "b".repeat(30)));
        let shorter = format!("{} {}", "a".repeat(127), "b".repeat(99));
        assert_eq!(fitted(&shorter, 1).0, format!("{}...", "a".repeat(127)));
    }

    #[test]
    fn a_cut_that_drops_the_only_foreign_character_keeps_the_longer_gsm_text() {
        let text = format!("{} ж", "word ".repeat(40).trim_end());
        assert_eq!(fitted(&text, 1), (format!("{}...", "word ".repeat(31).trim_end()), Encoding::Gsm7, 1));
        // Up to the foreign character GSM keeps 100 characters, UCS-2 only 69.
        let text = format!("{}ж{}", "a".repeat(100), "b".repeat(100));
        assert_eq!(fitted(&text, 1), (format!("{}...", "a".repeat(100)), Encoding::Gsm7, 1));
        // When it comes early, UCS-2 keeps more.
        let text = format!("{}ж{}", "a".repeat(40), "b".repeat(100));
        assert_eq!(fitted(&text, 1), (format!("{}ж{}…", "a".repeat(40), "b".repeat(28)), Encoding::Ucs2, 1));
    }

    #[test]
    fn a_cluster_longer_than_the_sms_is_cut_inside_since_nothing_else_is_left() {
        let text = format!("e{}", "\u{301}".repeat(200));
        assert_eq!(fitted(&text, 1), (format!("e{}…", "\u{301}".repeat(68)), Encoding::Ucs2, 1));
    }

    #[test]
    fn ten_megabytes_are_cut_like_ten_lines() {
        for piece in ["word ", "x", "😀", "e\u{301}", "\u{301}", "🇮", " ", "ж a"] {
            let fitted = fit(&format!("x{}x", piece.repeat(10_000_000 / piece.len())), 3).unwrap();
            assert!(fitted.parts <= 3, "{piece:?}");
        }
    }

    /// Text in which borders, pairs and clusters are frequent.
    fn words() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z]{1,12}",
            3 => Just(" ".to_owned()),
            1 => Just("€".to_owned()),
            1 => Just("[{".to_owned()),
            1 => Just("\r\n".to_owned()),
            1 => prop::sample::select(vec!["😀", "👨‍👩‍👧‍👦", "🇮🇹", "e\u{301}", "ж", "\u{200D}", "\0", "ن", "न्दी"]).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ];
        (prop::collection::vec(piece, 0..120), 0..3_u8).prop_map(|(pieces, plain)| {
            let text = pieces.concat();
            if plain == 0 { text } else { text.replace(|c| gsm::encode(c).is_none(), "") }
        })
    }

    proptest! {
        #[test]
        fn fit_keeps_its_promises(text in words(), max_parts in 1..5_u32) {
            let cleaned = clean(&text).into_owned();
            let Some(fitted) = fit(&text, max_parts) else {
                prop_assert!(cleaned.is_empty());
                return Ok(());
            };
            prop_assert!((1..=max_parts).contains(&fitted.parts));
            let size = measure(&fitted.body);
            prop_assert_eq!((size.encoding, size.parts), (fitted.encoding, fitted.parts));
            let again = fit(&fitted.body, max_parts);
            prop_assert_eq!(again.as_ref(), Some(&fitted), "idempotent");
            if measure(&cleaned).parts <= max_parts {
                prop_assert_eq!(fitted.body, cleaned);
                return Ok(());
            }
            let kept = fitted.body.strip_suffix(ellipsis(fitted.encoding)).unwrap();
            prop_assert!(cleaned.starts_with(kept));
            prop_assert!(!kept.is_empty());
            let first = cleaned.graphemes(true).next().unwrap().len();
            let border = cleaned.grapheme_indices(true).any(|(start, _)| start == kept.len());
            prop_assert!(border || kept.len() < first, "{:?} cuts a cluster", kept);
        }

        #[test]
        fn parts_hold_what_they_say(text in words()) {
            let size = measure(&text);
            let (alone, each) = match size.encoding {
                Encoding::Gsm7 => (160, 153),
                Encoding::Ucs2 => (70, 67),
            };
            let parts = size.parts as usize;
            if size.units <= alone {
                prop_assert_eq!(parts, usize::from(!text.is_empty()));
            } else {
                prop_assert!(size.units <= parts * each);
                prop_assert!(size.units > (parts - 1) * (each - 1), "at most one unit of a part is wasted");
            }
        }
    }
}
