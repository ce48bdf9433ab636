use super::*;

/// As `auto` would write it, had it reason to; `None` where a character is beyond it.
fn latin(text: &str) -> Option<String> {
    let text = scrub(text);
    let mut out = String::new();
    write(&text, 0..text.len(), Reach::Latin, &mut out).then_some(out)
}

#[track_caller]
fn both(text: &str, expected: &str) {
    assert_eq!(latin(text).as_deref(), Some(expected), "auto: {text:?}");
    assert_eq!(to_gsm(text), expected, "always: {text:?}");
}

#[track_caller]
fn always(text: &str, expected: &str) {
    assert_eq!(latin(text), None, "auto: {text:?}");
    assert_eq!(to_gsm(text), expected, "always: {text:?}");
}

#[test]
fn every_character_becomes_gsm() {
    for c in ('\0'..=char::MAX).filter(|&c| c != '\r') {
        let written = to_gsm(c.encode_utf8(&mut [0; 4]));
        assert!(
            written.chars().all(|c| gsm::encode(c).is_some()),
            "{c:?} U+{:04X}: {written:?}",
            u32::from(c)
        );
        assert!(written.len() < 50, "{c:?}: {written:?}");
        if gsm::encode(c).is_some() && !c.is_control() {
            assert_eq!(written, c.to_string());
        }
    }
}

#[test]
fn nothing_visible_goes_without_a_trace() {
    let gone = |c: char| {
        let visible =
            !is_combining_mark(c) && !table::is_invisible(c) && !table::is_accent(c) && !is_skin_tone(c);
        visible && to_gsm(c.encode_utf8(&mut [0; 4])).is_empty()
    };
    let gone: String = ('\0'..=char::MAX).filter(|&c| gone(c)).collect();
    assert_eq!(gone, "°º˚\u{200B}".replace('\u{200B}', ""), "they are written behind letters");
}

#[test]
fn quotes_dashes_spaces_and_bullets() {
    both("„a“ “b” ‟c‟ «d» ‹e› ‘f’ ‚g‛ 5′ 6″", "\"a\" \"b\" \"c\" \"d\" 'e' 'f' 'g' 5' 6\"");
    both("a – b — c ― d‐e‑f −5 ‒", "a - b - c - d-e-f -5 -");
    both("a\u{A0}b\u{2009}c\u{202F}d\u{3000}e\u{2003}f", "a b c d e f");
    both("wait… ‥", "wait... ..");
    both("• a ‣ b ◦ c · d ▪ e \u{F0B7} f", "* a * b * c * d * e * f");
    both("a`b´c", "a'b'c");
}

#[test]
fn symbols() {
    both("A™ B® ©C 3×4÷2 ±5", "A(TM) B(R) (C)C 3x4/2 +/-5");
    both("a→b←c↔d⇒e \u{F0E0}", "a->b<-c<->d=>e ->");
    both("✓ ✔\u{FE0F} ✗ ✘", "OK OK X X");
    both("№ 5, 5‰, ≥3, ≤4, ≠5, ≈6", "No 5, 5/1000, >=3, <=4, !=5, ~6");
    both("20µs 20μs 5kΩ 5k\u{2126} ∆t ⌀5", "20us 20us 5kΩ 5kΩ Δt Ø5");
    both("┌──┬──┐│a ║ b│═█", "+--+--+|a | b|=#");
    both("5¢ ₹500", "5c Rs500");
    both("a\u{FFFD}b", "a?b");
}

#[test]
fn a_degree_sign_never_looks_like_a_zero() {
    both("41 °C 41°C 41°F 41℃ 41ºC", "41 C 41C 41F 41C 41C");
    both("turn 90° left", "turn 90 left");
    both("n° 5, N° 6, 1º piso, 1ª vez", "no 5, No 6, 1 piso, 1a vez");
}

#[test]
fn no_number_changes_its_value() {
    both("½ 2½ m² 10² 10⁻³ 10⁶ CO₂ x⁴", "1/2 2 1/2 m2 10^2 10^-3 10^6 CO2 x4");
    both("10⁻¹²", "10^-12");
    both("㎏ ① Ⅳ ﬁn ﬀ ﬂ Ａ１", "kg 1 IV fin ff fl A1");
}

#[test]
fn letters_keep_the_accent_that_gsm_has() {
    let stay = "àèéìòùÇÄÖÑÜäöñüßÆæØøÅåÉ";
    both(stay, stay);
    both("ǻ ǽ ǿ ḕ ấ ǖ ṏ", "å æ ø è a ü ö");
    both("ç á ê ő Ő ű ł Ł ş ș ğ ı İ ž đ ð þ Þ œ Œ ẞ", "c a e ö Ö ü l L s s g i I z d d th Th oe OE SS");
    both("À È Ì Ò Ù Á Í Ó Ú", "A E I O U A I O U");
    both("x\u{301} m\u{302}", "x m");
    both("ǆ ŉ ŀ ĳ", "dz 'n l ij");
}

#[test]
fn what_cannot_be_seen_goes() {
    both("\u{202A}a\u{200E}b\u{2066}c\u{2069}\u{200D}d\u{FE0F}", "abcd");
}

#[test]
fn greek_is_written_in_capitals_of_the_same_shape() {
    always("Αθήνα", "AΘHNA");
    always("μήνυμα: ΐ ϋ ᾳ ϑ", "MHNYMA: I Y A Θ");
    always("λ = 5 μm", "Λ = 5 um");
}

#[test]
fn other_scripts_are_written_by_their_sound() {
    always("Сервер не отвечает", "Server ne otvechaet");
    always("щьъ", "shch''");
    always("日本語です。", "Ri Ben Yu desu.");
    always("サーバー", "sa-ba-");
    always("مرحبا", "mrHba");
    always("\u{E000}\u{10FFFF}", "??");
}

#[test]
fn emoji_have_names_and_the_frequent_ones_short_ones() {
    always("🔥Fire", "(fire) Fire");
    always("🔥🔥 in room 1", "(fire)(fire) in room 1");
    always("⚠️ UPS", "(warning) UPS");
    always("✅ up ❌ down ❗", "OK up X down !");
    always("🇮🇹 👍🏽", "IT +1");
    always("👨‍👩‍👧‍👦", "(man)(woman)(girl)(boy)");
    always("1️⃣", "1");
}

#[test]
fn white_space_at_the_ends_stays_and_control_characters_do_not() {
    assert_eq!(to_gsm(" a\tb\0\r\n "), " a b \n ");
    assert_eq!(to_gsm(""), "");
}

#[test]
fn ten_megabytes_cost_what_they_cost() {
    for piece in ["ł", "日", "🔥", "x\u{301}", "²"] {
        let text = piece.repeat(2_000_000 / piece.len());
        assert!(to_gsm(&text).len() >= text.chars().count() / 2);
    }
}
