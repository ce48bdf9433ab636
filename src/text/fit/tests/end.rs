//! Texts whose end is kept.

use super::*;

#[track_caller]
fn end(text: &str, max_parts: u32) -> (String, Encoding, u32) {
    only(text, &Fitting { keep: Keep::End, ..off(max_parts) })
}

#[test]
fn what_fits_stays_and_one_more_is_cut_in_front() {
    assert_eq!(end(&"a".repeat(160), 1), ("a".repeat(160), Encoding::Gsm7, 1));
    assert_eq!(end(&"a".repeat(161), 1), (format!("...{}", "a".repeat(157)), Encoding::Gsm7, 1));
    assert_eq!(end(&"a".repeat(307), 2), (format!("...{}", "a".repeat(303)), Encoding::Gsm7, 2));
    assert_eq!(end(&"ж".repeat(71), 1), (format!("…{}", "ж".repeat(69)), Encoding::Ucs2, 1));
    assert_eq!(end(&"ж".repeat(135), 2), (format!("…{}", "ж".repeat(133)), Encoding::Ucs2, 2));
}

#[test]
fn it_begins_with_a_word_unless_the_word_is_long() {
    let text = format!("first {}", "word ".repeat(40).trim_end());
    assert_eq!(end(&text, 1).0, format!("...{}", "word ".repeat(31).trim_end()));
    let short = format!("{} {}", "b".repeat(99), "a".repeat(126));
    assert_eq!(end(&short, 1).0, format!("...{} {}", "b".repeat(30), "a".repeat(126)));
    let shorter = format!("{} {}", "b".repeat(99), "a".repeat(127));
    assert_eq!(end(&shorter, 1).0, format!("...{}", "a".repeat(127)));
    let lines = format!("{} \n\n {}", "b".repeat(40), "a".repeat(140));
    assert_eq!(end(&lines, 1).0, format!("...{}", "a".repeat(140)));
}

#[test]
fn pairs_and_clusters_at_the_border_are_cut_whole() {
    // 3 + 2 + 156 is one too many, 3 + 2 + 155 is not.
    let text = format!("{}€{}", "b".repeat(9), "a".repeat(156));
    assert_eq!(end(&text, 1).0, format!("...{}", "a".repeat(156)));
    let text = format!("{}€{}", "b".repeat(9), "a".repeat(155));
    assert_eq!(end(&text, 1).0, format!("...€{}", "a".repeat(155)));
    // In two parts the pair wastes the last septet of the first: (3 + 149) + (2 + 151).
    let text = format!("{}€{}", "b".repeat(200), "a".repeat(151));
    assert_eq!(end(&text, 2).0, format!("...{}€{}", "b".repeat(150), "a".repeat(151)));
    let family = "👨‍👩‍👧‍👦";
    assert_eq!(end(&family.repeat(7), 1).0, format!("…{}", family.repeat(6)));
    assert_eq!(end(&"🇮🇹".repeat(18), 1).0, format!("…{}", "🇮🇹".repeat(17)));
    assert_eq!(end(&"x\u{301}".repeat(36), 1).0, format!("…{}", "x\u{301}".repeat(34)));
}

#[test]
fn a_cluster_longer_than_the_sms_is_cut_inside() {
    let text = format!("x{}", "\u{301}".repeat(200));
    assert_eq!(end(&text, 1), (format!("…{}", "\u{301}".repeat(69)), Encoding::Ucs2, 1));
}

#[test]
fn the_encoding_that_keeps_more_of_the_end_is_taken() {
    let text = format!("{}ж{}", "b".repeat(100), "a".repeat(100));
    assert_eq!(end(&text, 1), (format!("...{}", "a".repeat(100)), Encoding::Gsm7, 1));
    let text = format!("{}ж{}", "b".repeat(100), "a".repeat(40));
    assert_eq!(end(&text, 1), (format!("…{}ж{}", "b".repeat(28), "a".repeat(40)), Encoding::Ucs2, 1));
}
