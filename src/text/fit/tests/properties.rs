//! What must hold of every text, and what it costs.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;
use crate::text::gsm;
use crate::text::take::ellipsis;

const CLUSTERS: [&str; 12] =
    ["😀", "👨‍👩‍👧‍👦", "🇮🇹", "x\u{301}", "e\u{301}", "ж", "Ω", "\u{200D}", "\0", "ن", "न्दी", "日"];
const LATIN: [&str; 13] =
    ["’", "…", "–", "ł", "ő", "\u{A0}", "½", "2²", "°", "“", "\u{202A}", "\u{200B}", "™"];

/// Text in which borders, pairs, clusters and what can be transliterated are frequent.
fn words() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z]{1,12}",
        4 => Just(" ".to_owned()),
        1 => Just("€".to_owned()),
        1 => Just("[{".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => prop::sample::select(&CLUSTERS[..]).prop_map(str::to_owned),
        1 => prop::sample::select(&LATIN[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    (prop::collection::vec(piece, 0..160), 0..4_u8).prop_map(move |(pieces, kind)| {
        let text = pieces.concat();
        match kind {
            0 => text,
            1 => text.replace(|c| gsm::encode(c).is_none(), ""),
            _ => text.replace(|c: char| gsm::encode(c).is_none() && !LATIN.concat().contains(c), ""),
        }
    })
}

fn fittings() -> impl Strategy<Value = Fitting> {
    let transliteration =
        prop::sample::select(vec![Transliteration::Off, Transliteration::Auto, Transliteration::Always]);
    let keep = prop::sample::select(vec![Keep::Start, Keep::End]);
    (1..6_u32, transliteration, keep).prop_map(|(max_parts, transliteration, keep)| Fitting {
        transliteration,
        keep,
        ..Fitting::in_parts(max_parts)
    })
}

fn without_blanks(text: &str) -> String {
    text.replace(char::is_whitespace, "")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn ucs2_is_left_out_only_where_it_could_not_win(text in words(), fitting in fittings()) {
        let text = clean(&text);
        let max_parts = fitting.max_parts;
        let take = |script| taken(&text, fitting.keep, script, max_parts);
        let (short, long) = (one(&text, &fitting, max_parts), best(fitting.transliteration, take, |_| false));
        prop_assert_eq!((short.body, short.source, short.parts), (long.body, long.source, long.parts));
    }

    #[test]
    fn one_sms_keeps_its_promises(text in words(), fitting in fittings()) {
        let cleaned = clean(&text).into_owned();
        let fitted = fit(&text, &fitting);
        let [sms] = fitted.as_slice() else {
            prop_assert!(fitted.is_empty());
            prop_assert!(!shows_something(&cleaned));
            return Ok(());
        };
        prop_assert!((1..=fitting.max_parts).contains(&sms.parts));
        let size = measure(&sms.body);
        prop_assert_eq!((size.encoding, size.parts), (sms.encoding, sms.parts));
        prop_assert_eq!(&fit(&sms.body, &fitting), &fitted, "idempotent");

        let before = measure(&cleaned);
        let fits = before.parts <= fitting.max_parts;
        if fits {
            prop_assert!(sms.parts <= before.parts, "never more parts");
        }
        match fitting.transliteration {
            Transliteration::Off if fits => prop_assert_eq!(&sms.body, &cleaned),
            Transliteration::Auto if fits && sms.parts == before.parts => prop_assert_eq!(&sms.body, &cleaned),
            Transliteration::Always if fits && sms.body != cleaned => prop_assert_eq!(sms.encoding, Encoding::Gsm7),
            Transliteration::Off | Transliteration::Auto | Transliteration::Always => {}
        }
        if fitting.transliteration == Transliteration::Off && !fits {
            let kept = match fitting.keep {
                Keep::Start => sms.body.strip_suffix(ellipsis(sms.encoding)),
                Keep::End => sms.body.strip_prefix(ellipsis(sms.encoding)),
            }.unwrap();
            prop_assert!(!kept.is_empty());
            let (border, alone) = match fitting.keep {
                Keep::Start => {
                    prop_assert!(cleaned.starts_with(kept));
                    (kept.len(), cleaned.graphemes(true).next().unwrap())
                }
                Keep::End => {
                    prop_assert!(cleaned.ends_with(kept));
                    (cleaned.len() - kept.len(), cleaned.graphemes(true).next_back().unwrap())
                }
            };
            let whole = cleaned.grapheme_indices(true).any(|(start, _)| start == border);
            prop_assert!(whole || kept.len() < alone.len(), "{:?} cuts a cluster", kept);
        }
    }

    #[test]
    fn more_of_a_text_is_kept_with_transliteration(text in words(), fitting in fittings()) {
        let off = one(&clean(&text), &Fitting { transliteration: Transliteration::Off, ..fitting.clone() }, fitting.max_parts);
        let now = one(&clean(&text), &fitting, fitting.max_parts);
        prop_assert!(now.source >= off.source);
        prop_assert!(now.source > off.source || now.parts <= off.parts);
    }

    #[test]
    fn several_messages_hold_the_text(text in words(), fitting in fittings()) {
        let fitting = Fitting { split: Split::Messages, ..fitting };
        let cleaned = clean(&text).into_owned();
        let fitted = fit(&text, &fitting);
        prop_assert!(fitted.len() <= fitting.max_parts as usize);
        let count = fitted.len();
        let mut joined = String::new();
        for (at, sms) in fitted.iter().enumerate() {
            prop_assert_eq!(sms.parts, 1);
            let size = measure(&sms.body);
            prop_assert_eq!((size.encoding, size.parts), (sms.encoding, sms.parts));
            let words = match count {
                1 => sms.body.as_str(),
                _ => sms.body.strip_prefix(&format!("{}/{count} ", at + 1)).unwrap(),
            };
            prop_assert_eq!(words.trim_end(), words);
            joined.push_str(words);
        }
        if fitting.transliteration == Transliteration::Off && count > 0 {
            let (joined, all) = (without_blanks(&joined), without_blanks(&cleaned));
            if joined != all {
                // Not all of it fits into so many.
                prop_assert_eq!(count, fitting.max_parts as usize);
                let kept = match fitting.keep {
                    Keep::Start => joined.strip_suffix("...").or(joined.strip_suffix('…')),
                    Keep::End => joined.strip_prefix("...").or(joined.strip_prefix('…')),
                };
                let kept = kept.unwrap();
                prop_assert!(match fitting.keep {
                    Keep::Start => all.starts_with(kept),
                    Keep::End => all.ends_with(kept),
                }, "{}", kept);
            }
        }
        let off = fit(&text, &Fitting { transliteration: Transliteration::Off, ..fitting.clone() });
        if off.len() < fitting.max_parts as usize {
            prop_assert!(count <= off.len(), "never more messages");
        }
    }

    #[test]
    fn the_end_is_kept_as_the_beginning_would_be(text in "([a-z]{1,9} ){0,99}", max_parts in 1..4_u32) {
        // With ASCII the two are mirror images.
        let mirror = |text: &str| text.chars().rev().collect::<String>();
        let start = fit(&text, &off(max_parts)).pop();
        let end = fit(&mirror(&text), &Fitting { keep: Keep::End, ..off(max_parts) }).pop();
        prop_assert_eq!(start.map(|sms| sms.body), end.map(|sms| mirror(&sms.body)));
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

#[test]
fn ten_megabytes_are_cut_like_ten_lines() {
    for piece in ["word ", "😀", "\u{301}", "🇮", "’ "] {
        let text = format!("x{}x", piece.repeat(10_000_000 / piece.len()));
        let fitted = fit(&text, &Fitting::in_parts(3));
        assert!(fitted.len() == 1 && fitted[0].parts <= 3, "{piece:?}");
    }
}

#[test]
fn a_quarter_megabyte_is_cut_from_its_end_and_into_messages() {
    for piece in ["word ", "😀", "e\u{301}", "\u{301}", "🇮", " ", "’ ", "日"] {
        let text = format!("x{}x", piece.repeat(250_000 / piece.len()));
        for keep in [Keep::Start, Keep::End] {
            let split = Split::Messages;
            let transliteration = Transliteration::Always;
            let fitted = fit(&text, &Fitting { keep, split, transliteration, ..Fitting::in_parts(3) });
            assert!((1..=3).contains(&fitted.len()), "{piece:?}");
        }
    }
}
