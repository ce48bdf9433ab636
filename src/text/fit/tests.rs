mod end;
mod languages;
mod messages;
mod properties;
mod transliteration;

use super::*;

fn off(max_parts: u32) -> Fitting {
    Fitting { transliteration: Transliteration::Off, ..Fitting::in_parts(max_parts) }
}

/// The only SMS, without transliteration.
#[track_caller]
fn fitted(text: &str, max_parts: u32) -> (String, Encoding, u32) {
    only(text, &off(max_parts))
}

#[track_caller]
fn only(text: &str, fitting: &Fitting) -> (String, Encoding, u32) {
    let mut fitted = fit(text, fitting);
    assert_eq!(fitted.len(), 1, "{fitted:?}");
    let fitted = fitted.remove(0);
    (fitted.body, fitted.encoding, fitted.parts)
}

#[test]
fn nothing_is_left_of_blank_text() {
    for text in ["", " ", "\r\n\r\n", "\0\0", " \t\u{A0}\u{2003}\n"] {
        for transliteration in [Transliteration::Off, Transliteration::Auto, Transliteration::Always] {
            for split in [Split::Parts, Split::Messages] {
                let fitting = Fitting { transliteration, split, ..Fitting::in_parts(3) };
                assert_eq!(fit(text, &fitting), [], "{text:?}");
            }
        }
    }
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
    assert_eq!(fitted(&text, 2), (format!("{}€{}...", "a".repeat(152), "b".repeat(148)), Encoding::Gsm7, 2));
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
    assert_eq!(fitted(&"x\u{301}".repeat(36), 1).0, format!("{}…", "x\u{301}".repeat(34)));
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
    let text = format!("x{}", "\u{301}".repeat(200));
    assert_eq!(fitted(&text, 1), (format!("x{}…", "\u{301}".repeat(68)), Encoding::Ucs2, 1));
}

#[test]
fn clusters_longer_than_any_language_has_fill_every_part() {
    for piece in ["न्", "👨\u{200D}", "\u{301}", "e\u{301}", "\u{600}", "🇮"] {
        // It would take minutes if each piece looked for the end of the cluster.
        let text = piece.repeat(128 * 1024 / piece.len());
        for (keep, split) in [
            (Keep::Start, Split::Parts),
            (Keep::Start, Split::Messages),
            (Keep::End, Split::Parts),
            (Keep::End, Split::Messages),
        ] {
            let fitted = fit(&text, &Fitting { keep, split, ..off(255) });
            let parts: u32 = fitted.iter().map(|sms| sms.parts).sum();
            assert!((250..=255).contains(&parts), "{piece:?} {keep:?} {split:?}: {parts}");
        }
    }
}
