#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use proptest::prelude::*;

use super::*;

fn at(time: &str) -> Zoned {
    format!("{time}[Europe/Berlin]").parse().unwrap()
}

fn today(time: &str) -> Zoned {
    at(&format!("2026-11-22T{time}"))
}

fn similar(first: &str, count: u64, places: usize) -> String {
    of_similar(first, count, &today("14:02:10"), &today("14:09:55"), |text| text.chars().count() <= places)
}

fn many(told: &[(&str, u64)], count: u64, places: usize) -> String {
    let told: Vec<_> = told.iter().map(|(words, count)| Told { words, count: *count }).collect();
    of_many(&told, count, &today("14:02:10"), &today("14:15:00"), |text| text.chars().count() <= places)
}

#[test]
fn similar_ones_are_told_by_the_first_and_their_number() {
    assert_eq!(similar("link down", 37, 160), "link down +37 similar, 14:02-14:09");
    assert_eq!(similar(" link down\n", 37, 34), "link down +37 similar, 14:02-14:09");
    assert_eq!(similar("link down", 37, 33), "link... +37 similar, 14:02-14:09");
    assert_eq!(similar("link down", 37, 29), "l... +37 similar, 14:02-14:09");
    assert_eq!(similar("link down", 37, 28), "+37 similar, 14:02-14:09");
    assert_eq!(
        similar("link down", 37, 3),
        "+37 similar, 14:02-14:09",
        "nothing fits: the number is told all the same"
    );
    assert_eq!(similar("", 37, 160), "+37 similar, 14:02-14:09");
    assert_eq!(similar("link down", 0, 160), "link down");
    assert_eq!(similar("link down", 0, 8), "link...");
}

#[test]
fn a_character_of_several_code_points_is_kept_or_cut_as_one() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let text = format!("{family}{family} link down");
    assert_eq!(similar(&text, 1, 35), format!("{family}... +1 similar, 14:02-14:09"));
}

#[test]
fn times_have_what_they_need_and_no_more() {
    let span = |from: &str, to: &str| span(&at(from), &at(to));
    assert_eq!(span("2026-11-22T14:02:01", "2026-11-22T14:02:59"), "14:02");
    assert_eq!(span("2026-11-22T14:02", "2026-11-22T14:03"), "14:02-14:03");
    assert_eq!(span("2026-11-22T14:03", "2026-11-22T14:02"), "14:02-14:03", "a clock that was put back");
    assert_eq!(span("2026-11-09T23:50", "2026-11-10T00:10"), "9 Nov 23:50-10 Nov 00:10");
    assert_eq!(span("2026-10-25T02:50:00+02:00", "2026-10-25T02:10:00+01:00"), "02:50 CEST-02:10 CET");
    assert_eq!(span("2026-10-24T23:50", "2026-10-25T03:10"), "24 Oct 23:50 CEST-25 Oct 03:10 CET");
    assert_eq!(
        super::span(&at("2026-11-22T14:02"), &"2026-11-22T13:04Z[UTC]".parse().unwrap()),
        "14:02-14:04"
    );
}

#[test]
fn many_are_named_as_long_as_there_is_room() {
    let told = [("disk full on srv1", 1), ("link down\nport 3", 3), ("fan failed", 1), ("", 2), ("gone", 0)];
    assert_eq!(
        many(&told, 12, 160),
        "12 alerts 14:02-14:15: disk full on srv1; link down (x3); fan failed; +7 more"
    );
    assert_eq!(many(&told, 12, 68), "12 alerts 14:02-14:15: disk full on srv1; link down (x3); +8 more");
    assert_eq!(many(&told, 12, 40), "12 alerts 14:02-14:15: disk...; +11 more");
    assert_eq!(many(&told, 12, 38), "12 alerts 14:02-14:15: di...; +11 more");
    assert_eq!(many(&told, 12, 36), "12 alerts 14:02-14:15");
    assert_eq!(many(&told, 12, 3), "12 alerts 14:02-14:15");
    assert_eq!(many(&told[..1], 1, 160), "1 alert 14:02-14:15: disk full on srv1");
    assert_eq!(many(&[], 3, 160), "3 alerts 14:02-14:15");
}

#[test]
fn each_of_many_gets_its_fair_share() {
    let long = "the uninterruptible power supply of room 4 is on battery since a while";
    let other = "all temperatures of the server room in the cellar are above the limit";
    assert_eq!(
        many(&[(long, 1), ("fan", 1), (other, 1)], 3, 120),
        "3 alerts 14:02-14:15: the uninterruptible power supply of room 4...; fan; all temperatures of the server room in the..."
    );
}

#[test]
fn those_that_say_the_same_are_named_once_and_what_all_begin_with_is_said_once() {
    assert_eq!(
        many(&[("Mon: a down", 1), ("Mon: b down", 1), ("Mon: a down", 2)], 4, 160),
        "4 alerts 14:02-14:15: Mon: a down (x3); b down"
    );
    assert_eq!(
        many(
            &[("PRTG Network Monitor of the plant: a", 1), ("PRTG Network Monitor of the plant: b", 1)],
            2,
            160
        ),
        "2 alerts 14:02-14:15: a; b"
    );
    assert_eq!(many(&[("disk", 1), ("disk full", 1)], 2, 160), "2 alerts 14:02-14:15: disk; disk full");
    assert_eq!(many(&[("ä ö", 1), ("ä ü", 1)], 2, 160), "2 alerts 14:02-14:15: ä ö; ü");
}

#[test]
fn a_thousand_are_told_with_few_questions() {
    let lines: Vec<String> =
        (0..1000).map(|number| format!("alarm {number} {}", "of a kind ".repeat(number % 30))).collect();
    let told: Vec<_> = lines.iter().map(|line| Told { words: line, count: 1 }).collect();
    let asked = Cell::new(0);
    let text = of_many(&told, 4000, &today("14:02"), &today("14:15"), |text| {
        asked.set(asked.get() + 1);
        text.len() <= 306
    });
    assert!(asked.get() <= 40, "{}", asked.get());
    assert!((270..=306).contains(&text.len()), "{text}");
    assert!(text.ends_with(" more"), "{text}");
}

/// The numbers of the parts of what was told.
fn sum(text: &str) -> u64 {
    let (_, listed) = text.split_once(": ").unwrap();
    listed
        .split("; ")
        .map(|item| {
            match (
                item.strip_prefix('+').and_then(|rest| rest.strip_suffix(" more")),
                item.rsplit_once(" (x"),
            ) {
                (Some(more), _) => more.parse().unwrap(),
                (None, Some((_, times))) => times.trim_end_matches(')').parse().unwrap(),
                (None, None) => 1,
            }
        })
        .sum()
}

proptest! {
    #[test]
    fn a_summary_of_similar_ones_fits_wherever_the_number_fits(first in "\\PC{0,80}", count in 1_u64..5000, room in 0_usize..120) {
        let text = similar(&first, count, room);
        let bare = format!("+{count} similar, 14:02-14:09");
        prop_assert!(text.ends_with(&bare), "{}", text);
        prop_assert!(text.chars().count() <= room.max(bare.chars().count()), "{}", text);
        let whole = format!("{} {bare}", first.trim());
        prop_assert_eq!(similar(&first, count, 1000), whole.trim_start());
    }

    #[test]
    fn a_summary_of_many_fits_wherever_the_number_fits_and_its_numbers_are_exact(
        told in proptest::collection::vec(("[a-zäß ]{0,60}", 0_u64..9), 0..40),
        others in 0_u64..2000,
        room in 0_usize..400,
    ) {
        let count = others + told.iter().map(|(_, count)| count).sum::<u64>();
        let told: Vec<_> = told.iter().map(|(words, count)| (words.as_str(), *count)).collect();
        let text = many(&told, count, room);
        let bare = format!("{count} alert{} 14:02-14:15", if count == 1 { "" } else { "s" });
        prop_assert!(text.starts_with(&bare), "{}", text);
        prop_assert!(text.chars().count() <= room.max(bare.chars().count()), "{}", text);
        if text != bare {
            prop_assert_eq!(sum(&text), count, "{}", text);
        }
        let whole = many(&told, count, usize::MAX);
        let named = told.iter().any(|(words, count)| *count > 0 && !words.trim().is_empty());
        prop_assert_eq!(whole != bare, named, "{}", whole);
    }
}
