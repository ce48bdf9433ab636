//! Words to SMS.
//!
//! The first line says how: a digit for the parts (0 for ten), `o` or `a` for transliteration off or always (auto
//! otherwise), `e` to keep the end, `m` for several SMS, `p` for placeholders. The rest is the words.

use std::collections::BTreeMap;

use sms_relay::model::{Encoding, SmsText};
use sms_relay::text::{Fitting, Keep, Split, Transliteration, clean, fit, measure, parts};
use unicode_segmentation::UnicodeSegmentation;

use super::options;

/// The values of the placeholders: none, short, of another alphabet, as long as a part.
const VALUES: [(&str, &str); 4] = [("none", ""), ("name", "Ada"), ("foreign", "жж🔥"), ("long", LONG)];
const LONG: &str = "one hundred and sixty characters that would fill a part by themselves, and so they do, \
    up to the last one, which stands at the very end of this long, long sentence.";

/// No more parts than allowed, and as many as told; something is sent unless there is nothing; a text that fits
/// stays as it is or needs no more parts; a cut keeps one end and no half of a cluster; what was fitted fits.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let (line, text) = options::split(input);
    let fitting = fitting(&line);
    let cleaned = clean(&text);
    let fitted = fit(&text, &fitting);
    // A value may be nothing.
    let filled =
        if fitting.placeholders.is_empty() { cleaned.to_string() } else { cleaned.replace("{none}", "") };
    let shows = filled.chars().any(|c| !c.is_whitespace() && !is_unseen(c));
    assert_eq!(!fitted.is_empty(), shows, "{fitted:?} is sent of {cleaned:?}");
    assert_eq!(clean(&cleaned), cleaned, "clean, once more");
    let total: u32 = fitted.iter().map(|sms| sms.parts).sum();
    assert!(total <= fitting.max_parts, "{total} parts: {fitted:?}");
    for (number, sms) in fitted.iter().enumerate() {
        check_sms(sms, &fitting);
        match fitting.split {
            Split::Parts => assert_eq!(fitted.len(), 1, "{fitted:?}"),
            Split::Messages if fitted.len() > 1 => {
                assert_eq!(sms.parts, 1, "{sms:?}");
                let mark = format!("{}/{}", number + 1, fitted.len());
                assert!(sms.body.contains(&mark), "{sms:?} is not marked {mark}");
            }
            Split::Messages => {}
        }
    }
    if let [sms] = fitted.as_slice()
        && fitting.placeholders.is_empty()
    {
        let again = fit(&sms.body, &fitting);
        assert_eq!(again, fitted, "what was fitted is fitted otherwise");
        check_cut(&cleaned, sms, &fitting);
    }
    check_transliteration(&text, &cleaned, &fitting);
}

/// Format characters and variation selectors, which show nothing by themselves.
fn is_unseen(c: char) -> bool {
    matches!(u32::from(c), 0xAD | 0x34F | 0x61C | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
        | 0x2060..=0x206F | 0xFE00..=0xFE0F | 0xFEFF | 0xE0000..=0xE0FFF)
}

fn fitting(line: &str) -> Fitting {
    let has = |letter| line.contains(letter);
    let digit = line.chars().find_map(|c| c.to_digit(10)).unwrap_or(1);
    let values = VALUES.iter().filter(|_| has('p'));
    Fitting {
        max_parts: if digit == 0 { 10 } else { digit },
        transliteration: match (has('o'), has('a')) {
            (true, _) => Transliteration::Off,
            (false, true) => Transliteration::Always,
            (false, false) => Transliteration::Auto,
        },
        keep: if has('e') { Keep::End } else { Keep::Start },
        split: if has('m') { Split::Messages } else { Split::Parts },
        placeholders: values.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn check_sms(sms: &SmsText, fitting: &Fitting) {
    assert!(!sms.body.is_empty() && sms.parts > 0, "{sms:?}");
    assert!(!sms.body.contains(|c: char| c.is_control() && c != '\n'), "{sms:?}");
    let arrives = filled(&sms.body, &fitting.placeholders);
    let size = measure(&arrives);
    assert_eq!(
        (sms.encoding, sms.parts),
        (size.encoding, size.parts.max(1)),
        "{sms:?} arrives as {arrives:?}"
    );
    let pieces = parts(&arrives);
    assert_eq!(pieces.concat(), arrives, "its parts together");
    assert_eq!(pieces.len(), size.parts as usize, "how many parts there are");
}

/// What arrives: `{name}` is replaced once, from the left.
fn filled(body: &str, placeholders: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut rest = body;
    while let Some(open) = rest.find('{') {
        let (before, behind) = rest.split_at(open);
        filled.push_str(before);
        let value =
            behind[1..].split_once('}').and_then(|(name, rest)| Some((placeholders.get(name)?, rest)));
        match value {
            Some((value, behind)) => {
                filled.push_str(value);
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = &behind[1..];
            }
        }
    }
    filled + rest
}

/// Where no character may change, a text that fits is left alone, and of one that does not an end is kept, up to
/// where a cluster ends; but of a first cluster that is longer than the whole SMS a part is kept.
fn check_cut(cleaned: &str, sms: &SmsText, fitting: &Fitting) {
    if fitting.transliteration != Transliteration::Off || fitting.split != Split::Parts {
        return;
    }
    if measure(cleaned).parts <= fitting.max_parts {
        assert_eq!(sms.body, cleaned, "it would have fitted");
        return;
    }
    let ellipsis = if sms.encoding == Encoding::Gsm7 { "..." } else { "…" };
    let borders: Vec<usize> = cleaned.grapheme_indices(true).map(|(at, _)| at).collect();
    let (at, whole) = match fitting.keep {
        Keep::Start => {
            let kept = sms.body.strip_suffix(ellipsis).expect("an ellipsis behind it");
            assert!(cleaned.starts_with(kept) && !kept.is_empty(), "{kept:?} is not the beginning");
            (kept.len(), borders.get(1).is_some_and(|first| kept.len() >= *first))
        }
        Keep::End => {
            let kept = sms.body.strip_prefix(ellipsis).expect("an ellipsis in front of it");
            assert!(cleaned.ends_with(kept) && !kept.is_empty(), "{kept:?} is not the end");
            let at = cleaned.len() - kept.len();
            (at, borders.last().is_some_and(|last| at <= *last))
        }
    };
    assert!(!whole || borders.contains(&at), "{:?} cuts a cluster", sms.body);
}

/// Writing characters otherwise costs no part where it is done to save some; where all are written otherwise,
/// none outside GSM is left, unless the text stays as it is.
fn check_transliteration(text: &str, cleaned: &str, fitting: &Fitting) {
    let plain = Fitting { split: Split::Parts, max_parts: 255, ..fitting.clone() };
    let written = |transliteration| fit(text, &Fitting { transliteration, ..plain.clone() });
    if fitting.placeholders.is_empty() && measure(cleaned).parts <= plain.max_parts {
        let [off, auto] = [Transliteration::Off, Transliteration::Auto].map(written);
        let parts = |fitted: &[SmsText]| fitted.iter().map(|sms| sms.parts).sum::<u32>();
        assert!(parts(&auto) <= parts(&off), "{off:?} became {auto:?}");
        let changed = auto != off;
        assert!(!changed || parts(&auto) < parts(&off), "{off:?} became {auto:?} for nothing");
        let always = written(Transliteration::Always);
        let is_gsm = always.iter().all(|sms| sms.encoding == Encoding::Gsm7);
        assert!(is_gsm || always == off, "{off:?} became {always:?}");
        assert!(parts(&always) <= parts(&off), "{off:?} became {always:?}");
    }
}
