//! One text as several messages.

use super::*;

fn bodies(text: &str, fitting: Fitting) -> Vec<(String, Encoding)> {
    let fitted = fit(text, &Fitting { split: Split::Messages, ..fitting });
    assert!(fitted.iter().all(|sms| sms.parts == 1), "{fitted:?}");
    fitted.into_iter().map(|sms| (sms.body, sms.encoding)).collect()
}

fn gsm(body: String) -> (String, Encoding) {
    (body, Encoding::Gsm7)
}

fn ucs2(body: String) -> (String, Encoding) {
    (body, Encoding::Ucs2)
}

#[test]
fn what_fits_into_one_has_no_marker() {
    assert_eq!(bodies(&"a".repeat(160), off(5)), [gsm("a".repeat(160))]);
    assert_eq!(
        bodies(&"a".repeat(161), off(5)),
        [gsm(format!("1/2 {}", "a".repeat(156))), gsm("2/2 aaaaa".to_owned())]
    );
    assert_eq!(bodies(&"a".repeat(161), off(1)), [gsm(format!("{}...", "a".repeat(157)))]);
    assert_eq!(bodies(&"ж".repeat(70), off(5)), [ucs2("ж".repeat(70))]);
}

#[test]
fn pieces_end_with_words_and_the_white_space_between_them_goes() {
    let text = format!("{} \n {}", "word ".repeat(31).trim_end(), "more ".repeat(5).trim_end());
    assert_eq!(
        bodies(&text, off(5)),
        [
            gsm(format!("1/2 {}", "word ".repeat(31).trim_end())),
            gsm(format!("2/2 {}", "more ".repeat(5).trim_end())),
        ]
    );
}

#[test]
fn an_emoji_makes_only_its_own_message_ucs2() {
    let text = format!("{} 🔥 {}", "word ".repeat(31).trim_end(), "more ".repeat(40).trim_end());
    assert_eq!(
        bodies(&text, off(9)),
        [
            gsm(format!("1/3 {}", "word ".repeat(31).trim_end())),
            ucs2(format!("2/3 🔥 {}", "more ".repeat(12).trim_end())),
            gsm(format!("3/3 {}", "more ".repeat(28).trim_end())),
        ]
    );
}

#[test]
fn what_does_not_fit_is_cut_at_the_end_that_is_not_kept() {
    let text = "word ".repeat(100);
    let piece = |count: usize| "word ".repeat(count).trim_end().to_owned();
    assert_eq!(
        bodies(&text, off(2)),
        [gsm(format!("1/2 {}", piece(31))), gsm(format!("2/2 {}...", piece(30)))]
    );
    assert_eq!(
        bodies(&text, Fitting { keep: Keep::End, ..off(2) }),
        [gsm(format!("1/2 ...{}", piece(30))), gsm(format!("2/2 {}", piece(31)))]
    );
}

#[test]
fn the_number_of_messages_is_right_when_it_needs_another_digit() {
    // 156 septets of words in each of up to 9; with 10 and more, 155 in the first 9 and 154 in the others.
    for (length, count) in [
        (9 * 156, 9),
        (9 * 156 + 1, 10),
        (9 * 155 + 154, 10),
        (9 * 155 + 155, 11),
        (9 * 155 + 90 * 154, 99),
        // With three digits: 154, 153 and 152.
        (9 * 155 + 90 * 154 + 1, 100),
        (9 * 154 + 90 * 153 + 152, 100),
        (9 * 154 + 90 * 153 + 153, 101),
    ] {
        let bodies = bodies(&"a".repeat(length), off(255));
        assert_eq!(bodies.len(), count, "{length}");
        let mut words = 0;
        for (at, (body, _)) in bodies.iter().enumerate() {
            words += body.strip_prefix(&format!("{}/{count} ", at + 1)).unwrap().len();
        }
        assert_eq!(words, length);
    }
    let most = bodies(&"a".repeat(100_000), off(1000));
    assert_eq!(most.len(), 255);
    assert_eq!(most[254].0, format!("255/255 {}...", "a".repeat(149)));
}

#[test]
fn auto_changes_characters_only_where_that_saves_a_message() {
    let auto = Fitting::in_parts(9);
    // Two messages either way, though the first would hold more.
    let more = |count: usize| "more ".repeat(count).trim_end().to_owned();
    assert_eq!(
        bodies(&format!("it’s {}", more(37)), auto.clone()),
        [ucs2(format!("1/2 it’s {}", more(12))), gsm(format!("2/2 {}", more(25)))]
    );
    let text = format!("{} it’s {}", "word ".repeat(31).trim_end(), "more ".repeat(5).trim_end());
    let rest = "more ".repeat(5);
    assert_eq!(bodies(&text, auto.clone())[1], ucs2(format!("2/2 it’s {}", rest.trim_end())));
    let text = format!("{} it’s {}", "word ".repeat(31).trim_end(), "more ".repeat(20).trim_end());
    let rest = "more ".repeat(20);
    assert_eq!(bodies(&text, auto)[1], gsm(format!("2/2 it's {}", rest.trim_end())));
}

#[test]
fn always_makes_every_message_gsm_unless_that_makes_more_of_them() {
    let always = Fitting { transliteration: Transliteration::Always, ..Fitting::in_parts(9) };
    let cyrillic = bodies(&"слово ".repeat(40), always.clone());
    assert_eq!(cyrillic[0], gsm(format!("1/2 {}", "slovo ".repeat(26).trim_end())));
    assert_eq!(cyrillic.len(), 2);
    let fire = bodies(&"🔥".repeat(60), always);
    assert_eq!(fire[0], ucs2(format!("1/2 {}", "🔥".repeat(33))));
}
