//! When characters are written otherwise, and when not; and placeholders.

use super::*;

fn with(transliteration: Transliteration, max_parts: u32) -> Fitting {
    Fitting { transliteration, ..Fitting::in_parts(max_parts) }
}

#[test]
fn auto_changes_nothing_that_does_not_lower_the_parts() {
    let auto = with(Transliteration::Auto, 3);
    let text = format!("’{}", "a".repeat(69));
    assert_eq!(only(&text, &auto), (text.clone(), Encoding::Ucs2, 1));
    let text = format!("’{}", "a".repeat(70));
    assert_eq!(only(&text, &auto), (format!("'{}", "a".repeat(70)), Encoding::Gsm7, 1));
    // One character is beyond it, so nothing changes.
    let text = format!("’ж{}", "a".repeat(70));
    assert_eq!(only(&text, &auto), (text.clone(), Encoding::Ucs2, 2));
    // Longer so: three septets for one unit.
    let text = "…".repeat(70);
    assert_eq!(only(&text, &auto), (text.clone(), Encoding::Ucs2, 1));
}

#[test]
fn auto_keeps_more_of_a_text_that_is_cut() {
    let auto = with(Transliteration::Auto, 1);
    let text = format!("’{}", "a".repeat(200));
    assert_eq!(only(&text, &auto), (format!("'{}...", "a".repeat(156)), Encoding::Gsm7, 1));
    let text = format!("’{}ж{}", "a".repeat(99), "b".repeat(99));
    assert_eq!(only(&text, &auto), (format!("'{}...", "a".repeat(99)), Encoding::Gsm7, 1));
    let text = format!("’{}ж{}", "a".repeat(49), "b".repeat(99));
    assert_eq!(only(&text, &auto), (format!("’{}ж{}…", "a".repeat(49), "b".repeat(18)), Encoding::Ucs2, 1));
    let ending = Fitting { keep: Keep::End, ..auto };
    let text = format!("{}ж{}’", "b".repeat(99), "a".repeat(99));
    assert_eq!(only(&text, &ending), (format!("...{}'", "a".repeat(99)), Encoding::Gsm7, 1));
}

#[test]
fn always_writes_gsm_unless_that_takes_more_parts() {
    let always = with(Transliteration::Always, 3);
    assert_eq!(only("’ж", &always), ("'zh".to_owned(), Encoding::Gsm7, 1));
    let text = "🔥".repeat(30);
    assert_eq!(only(&text, &always), (text.clone(), Encoding::Ucs2, 1));
    assert_eq!(only(&"🔥".repeat(26), &always), ("(fire)".repeat(26), Encoding::Gsm7, 1));
    // Cut, it would keep less.
    let text = "🔥".repeat(300);
    assert_eq!(only(&text, &always), (format!("{}…", "🔥".repeat(99)), Encoding::Ucs2, 3));
}

#[test]
fn marks_for_the_direction_of_writing_go_where_that_makes_it_gsm() {
    let text = format!("\u{202A}{}\u{202C}", "a".repeat(100));
    assert_eq!(only(&text, &with(Transliteration::Off, 2)), (text.clone(), Encoding::Ucs2, 2));
    assert_eq!(only(&text, &with(Transliteration::Auto, 2)), ("a".repeat(100), Encoding::Gsm7, 1));
    assert_eq!(fit("\u{202A} \u{202C}", &with(Transliteration::Auto, 2)), []);
}

#[test]
fn a_text_that_would_vanish_stays() {
    for transliteration in [Transliteration::Auto, Transliteration::Always] {
        assert_eq!(only("\t°\n", &with(transliteration, 1)), ("°".to_owned(), Encoding::Ucs2, 1));
    }
}

#[test]
fn placeholders_are_counted_as_what_they_become() {
    let placeholders =
        BTreeMap::from([("who".to_owned(), "x".repeat(100)), ("u".to_owned(), "ж".to_owned())]);
    let fitting = Fitting { placeholders, ..Fitting::in_parts(1) };
    assert_eq!(only("hi {who} {nobody}", &fitting), ("hi {who} {nobody}".to_owned(), Encoding::Gsm7, 1));
    assert_eq!(only("hi {u}", &fitting), ("hi {u}".to_owned(), Encoding::Ucs2, 1));
    let two = Fitting { max_parts: 2, ..fitting.clone() };
    assert_eq!(only("{who}{who}", &two), ("{who}{who}".to_owned(), Encoding::Gsm7, 2));
    assert_eq!(only("{who}{who}", &fitting), (format!("{}...", "x".repeat(157)), Encoding::Gsm7, 1));
    // What is sent otherwise written is sent with the values in their places.
    let text = "’ {who}";
    assert_eq!(only(text, &fitting), (format!("' {}", "x".repeat(100)), Encoding::Gsm7, 1));
    let pieces = fit("{who} {who}", &Fitting { split: Split::Messages, ..two });
    let bodies: Vec<_> = pieces.into_iter().map(|sms| sms.body).collect();
    assert_eq!(
        bodies,
        [format!("1/2 {} {}", "x".repeat(100), "x".repeat(55)), format!("2/2 {}", "x".repeat(45))]
    );
}
