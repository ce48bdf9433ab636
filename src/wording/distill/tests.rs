//! All steps together, what holds for any text, and what long texts cost.

use proptest::prelude::*;

use super::*;

fn nothing_on() -> Distilling {
    Distilling {
        link_targets: false,
        addressed_lines: false,
        end_mark: None,
        quotes: false,
        signature: false,
        disclaimers: Vec::new(),
        tracking_links: false,
        blank_space: false,
    }
}

fn everything_on() -> Distilling {
    let patterns = ["(?m)^this e-mail .*$", "(?:kept quiet)*", "confidential"];
    Distilling {
        addressed_lines: true,
        end_mark: Some("$$".to_owned()),
        disclaimers: patterns.map(|source| Pattern::new(source).unwrap()).to_vec(),
        ..Distilling::default()
    }
}

fn removed(step: Step, words: &str) -> Removed {
    Removed { step, words: words.to_owned() }
}

#[test]
fn the_steps_follow_each_other_and_note_what_they_took() {
    let text = "to: +39 347, oncall\npassword: secret\ntext: Disk full on web1  (91 %)\n\n\
        ==========\nhttps://zabbix.example.com/e/1?utm_source=mail\nThis e-mail is confidential.\n\n\
        -- \nZabbix\n\nOn Mon, 3 Mar 2025 at 10:11, Jo <jo@example.com> wrote:\n> Is it up?\n$$ Sent by the gateway";
    let distilled = everything_on().distill(text);
    assert_eq!(distilled.text, "Disk full on web1 (91 %)\nhttps://zabbix.example.com/e/1");
    assert_eq!(
        distilled.removed,
        [
            removed(Step::AddressedLines, "+39 347, oncall"),
            removed(Step::EndMark, "$$ Sent by the gateway"),
            removed(Step::Quotes, "On Mon, 3 Mar 2025 at 10:11, Jo <jo@example.com> wrote:\n> Is it up?"),
            removed(Step::Signature, "-- \nZabbix"),
            removed(Step::Disclaimers, "This e-mail is confidential."),
            removed(Step::TrackingLinks, "?utm_source=mail"),
            removed(Step::BlankSpace, ""),
        ]
    );
}

#[test]
fn a_step_that_would_leave_nothing_is_passed_over() {
    let steps = everything_on();
    for (text, rest) in [
        ("to: 1\ntext:", "to: 1\ntext:"),
        ("$$ a", "$$ a"),
        ("On 3 Mar 2025, Jo wrote:\n> Disk full", "On 3 Mar 2025, Jo wrote:\n> Disk full"),
        (
            "On 3 Mar 2025, Jo wrote:\n> Disk full\n\nSent from my iPhone",
            "On 3 Mar 2025, Jo wrote:\n> Disk full",
        ),
        ("-- \nZabbix", "--\nZabbix"),
        ("-----\n-- \nZabbix", "--\nZabbix"),
        ("confidential", "confidential"),
        ("this e-mail is confidential", "this e-mail is"),
        ("https://a.us1.list-manage.com/x", "https://a.us1.list-manage.com/x"),
        ("----", "----"),
        (" \n\t", " \n\t"),
        ("", ""),
    ] {
        assert_eq!(steps.distill(text).text, rest, "{text:?}");
    }
}

#[test]
fn the_line_of_a_phone_in_front_of_a_quote_goes() {
    for text in [
        "On my way.\nSent from my iPhone\n> On 21 Nov 2026, at 03:12, NOC <noc@example.com> wrote:\n> Water.",
        "On my way.\n\nInviato da iPhone\n\n> Il giorno 21 nov 2026, alle ore 03:12, NOC\n> <noc@example.com> ha scritto:\n>\n> \u{feff}Acqua.",
        "On my way.\nGet Outlook for iOS\nFrom: NOC\nSent: Monday\nTo: Ops\nSubject: Water\nIn the cellar.",
    ] {
        let distilled = Distilling::default().distill(text);
        assert_eq!(distilled.text, "On my way.", "{text:?}");
        let steps: Vec<Step> = distilled.removed.iter().map(|removed| removed.step).collect();
        assert_eq!(steps[..2], [Step::Quotes, Step::Signature]);
    }
}

#[test]
fn without_steps_the_text_is_as_it_was() {
    let text = " to: 1\n> a\n-- \n https://a.example/?utm_source=x $$ \n\n\n";
    for (steps, text) in [(nothing_on(), text), (Distilling::default(), "Disk full\nweb1: 91 % of /var")] {
        let distilled = steps.distill(text);
        assert!(matches!(distilled.text, Cow::Borrowed(same) if same == text));
        assert_eq!(distilled.removed, []);
    }
    let empty_mark = Distilling { end_mark: Some(String::new()), ..nothing_on() };
    assert_eq!(empty_mark.distill("ab"), Distilled::whole("ab"));
}

#[test]
fn an_alert_is_read_as_it_was_written() {
    let alert = "***** Nagios *****\nNotification Type: PROBLEM\nService: load\nHost: web1\n\
        Additional Info:\nCRITICAL - load average: 21.4 > 15.0 -- see --verbose\n> 15.0 for 5 min\n\
        From: 10:11\nTo: 10:16\n| disk | used |\n/var 91% ===> /dev/sda1";
    assert_eq!(Distilling::default().distill(alert), Distilled::whole(alert));
}

/// Of these a whole megabyte is distilled.
const MEGABYTES: [&str; 4] = [">", "-- \n", "https://", "to: 1\n"];

#[test]
fn long_texts_are_distilled_within_bounds() {
    let steps = everything_on();
    for unit in [
        ">",
        "> a\n",
        "a:\n>\n",
        "1@1 wrote:\n> a\nb\n",
        "On 3 Mar 2025 a@b wrote:\n> a\n",
        "-- \n",
        "-- \na\n",
        "-----original message----",
        "-----\n",
        "__________\n",
        "From: a\n",
        "From: a\nSent: b\nTo: c\n",
        "From: a\nTo: b\nc\n",
        "From: a\nSent: b\nTo: c\nSubject: d\ne: f\n",
        "From: a\nSent: b\nTo: c\nSubject: d\n\n",
        "x:\nFrom: a\nSent: b\nTo: c\nSubject: d\ne\n",
        "> 1@1 wrote:\nb\n",
        "to: 1\n",
        "text: a\n",
        "https://",
        "https://a.example/?utm_source=a ",
        "https://www.google.com/url?q=",
        "https%3A%2F%2Fwww.google.com%2Furl%3Fq%3D",
        "https://urldefense.com/v3/__https://a/*__;Iw!!x!",
        "?utm_a=1&b",
        "/unsubscribe",
        "a(",
        "(",
        " ",
        "\u{200b}",
        "\u{a0}\u{200c}",
        "\r",
        "-",
        "- ",
        "x",
        "ax",
        "$",
        "é",
        "sent from my iphone\n",
    ] {
        // The longest text that comes, and a longer one where somebody would look first.
        let size = if MEGABYTES.contains(&unit) { 1 << 20 } else { 128 << 10 };
        for front in ["", "words\n", "https://a.example/", "https://www.google.com/url?q="] {
            let text = format!("{front}{}", unit.repeat(size / unit.len()));
            let distilled = steps.distill(&text);
            assert!(distilled.text.len() <= text.len());
            assert!(distilled.removed.len() <= 50);
        }
    }
}

/// Pieces of mails, good and bad, in any order.
fn mail() -> impl Strategy<Value = String> {
    let pieces = [
        "Disk full",
        " ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "\u{200b}",
        "\u{200c}",
        "> ",
        ">> a\n",
        ">",
        "\n> b\n",
        "On 3 Mar 2025, Jo <jo@example.com> wrote:\n",
        "-----Original Message-----\n",
        "From: a\nSent: b\nTo: c\nSubject: d\n\n",
        "\n-- \n",
        "--",
        "-----",
        "==\n",
        "* ",
        "Sent from my iPhone",
        "$$",
        "to: 1\n",
        "text: ",
        "password: p\n",
        "confidential",
        "xx",
        " https://a.example/t?utm_source=a&id=1 ",
        " https://a.us1.list-manage.com/x ",
        " <https://www.google.com/url?q=https%3A%2F%2Fb.example%2F&sa=D> ",
        "https://",
        "://",
        "?utm_a",
        "&",
        "è",
        "👍🏽",
        "\0",
    ];
    let piece =
        prop_oneof![8 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

fn steps() -> impl Strategy<Value = Distilling> {
    proptest::array::uniform7(any::<bool>()).prop_map(|on| {
        let all = everything_on();
        Distilling {
            link_targets: false,
            addressed_lines: on[0],
            end_mark: all.end_mark.filter(|_| on[1]),
            quotes: on[2],
            signature: on[3],
            disclaimers: if on[4] { all.disclaimers } else { Vec::new() },
            tracking_links: on[5],
            blank_space: on[6],
        }
    })
}

proptest! {
    #[test]
    fn words_always_leave_words(text in mail(), steps in steps()) {
        let distilled = steps.distill(&text);
        prop_assert_eq!(says_nothing(&text), says_nothing(&distilled.text));
        prop_assert_eq!(text.trim().is_empty(), distilled.text.trim().is_empty());
        prop_assert!(distilled.text.len() <= text.len());
        prop_assert_eq!(distilled.text == text, distilled.removed.is_empty());
        let longest = distilled.removed.iter().map(|removed| removed.words.chars().count()).max();
        prop_assert!(longest.unwrap_or_default() <= 200);
    }

    #[test]
    fn every_character_left_was_there(text in mail()) {
        let steps = Distilling { tracking_links: false, blank_space: false, ..everything_on() };
        let distilled = steps.distill(&text);
        let mut characters = text.chars();
        prop_assert!(distilled.text.chars().all(|kept| characters.any(|c| c == kept)));
    }

    #[test]
    fn blank_space_and_links_need_one_go(text in mail()) {
        for steps in [
            Distilling { blank_space: true, ..nothing_on() },
            Distilling { tracking_links: true, ..nothing_on() },
        ] {
            let once = steps.distill(&text).text;
            let again = steps.distill(&once);
            prop_assert_eq!(&*again.text, &*once);
            prop_assert_eq!(again.removed, []);
        }
    }

    #[test]
    fn nothing_is_done_where_nothing_is_on(text in mail()) {
        prop_assert_eq!(nothing_on().distill(&text), Distilled::whole(&text));
    }
}
