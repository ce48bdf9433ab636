//! Weeks, nights on which the clocks change, the turn of the year, overrides.

use super::*;
use jiff::civil::{Weekday, date, time};
use proptest::prelude::*;

fn rome() -> TimeZone {
    TimeZone::get("Europe/Rome").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn names(text: &str) -> Vec<String> {
    text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn rota(plan: Plan, overrides: &str) -> Rota {
    Rota { zone: rome(), plan, overrides: Overrides::read(overrides).unwrap() }
}

fn turns(first: Date, handover: Time, members: &[&str]) -> Plan {
    Plan::Turns(Turns { first, handover, members: members.iter().map(|one| names(one)).collect() })
}

fn shift(days: Days, from: (i8, i8), to: (i8, i8), who: &str) -> Shift {
    Shift { days, from: time(from.0, from.1, 0, 0), to: time(to.0, to.1, 0, 0), who: names(who) }
}

/// Who at the time, and until when in UTC.
fn who(rota: &Rota, when: &str) -> (String, String) {
    let found = rota.on_call(at(when));
    (found.who.join(" "), found.until.map(|until| until.to_string()).unwrap_or_default())
}

fn same(found: (String, String), who: &str, until: &str) {
    assert_eq!((found.0.as_str(), found.1.as_str()), (who, until));
}

/// Nine to nine, Monday.
fn weekly() -> Rota {
    rota(turns(date(2026, 1, 5), time(9, 0, 0, 0), &["anna", "bruno", "carla dora"]), "")
}

#[test]
fn turns_change_at_the_handover_and_not_a_moment_before() {
    let rota = weekly();
    same(who(&rota, "2026-01-05T08:59:59+01:00"), "carla dora", "2026-01-05T08:00:00Z");
    same(who(&rota, "2026-01-05T09:00:00+01:00"), "anna", "2026-01-12T08:00:00Z");
    same(who(&rota, "2026-01-12T08:59:59.999+01:00"), "anna", "2026-01-12T08:00:00Z");
    same(who(&rota, "2026-01-12T09:00:00+01:00"), "bruno", "2026-01-19T08:00:00Z");
    same(who(&rota, "2026-01-19T09:00:00+01:00"), "carla dora", "2026-01-26T08:00:00Z");
    same(who(&rota, "2026-01-26T09:00:00+01:00"), "anna", "2026-02-02T08:00:00Z");
    assert_eq!(rota.on_call(at("2026-01-12T08:00:00Z")).because, Because::Turn(1));
}

#[test]
fn turns_go_on_over_the_years_and_before_the_first() {
    let rota = weekly();
    // 52 weeks after 5 January 2026 is 4 January 2027: 52 % 3 = 1.
    same(who(&rota, "2027-01-04T08:59:00+01:00"), "anna", "2027-01-04T08:00:00Z");
    same(who(&rota, "2027-01-04T09:00:00+01:00"), "bruno", "2027-01-11T08:00:00Z");
    same(who(&rota, "2025-12-29T09:00:00+01:00"), "carla dora", "2026-01-05T08:00:00Z");
    same(who(&rota, "2025-12-29T08:59:00+01:00"), "bruno", "2025-12-29T08:00:00Z");
}

#[test]
fn weeks_with_a_change_of_the_clocks_are_weeks() {
    let rota = weekly();
    // 29 March 2026 has 23 hours, 25 October has 25.
    same(who(&rota, "2026-03-30T08:59:59+02:00"), "carla dora", "2026-03-30T07:00:00Z");
    same(who(&rota, "2026-03-30T09:00:00+02:00"), "anna", "2026-04-06T07:00:00Z");
    same(who(&rota, "2026-10-26T08:59:59+01:00"), "carla dora", "2026-10-26T08:00:00Z");
    same(who(&rota, "2026-10-26T09:00:00+01:00"), "anna", "2026-11-02T08:00:00Z");
}

#[test]
fn a_handover_in_the_hour_that_is_skipped_or_comes_twice_happens_once() {
    let sundays = rota(turns(date(2026, 3, 22), time(2, 30, 0, 0), &["anna", "bruno"]), "");
    // 02:30 does not exist on 29 March: 03:30 summer time stands for it.
    same(who(&sundays, "2026-03-29T01:59:59+01:00"), "anna", "2026-03-29T01:30:00Z");
    same(who(&sundays, "2026-03-29T03:29:59+02:00"), "anna", "2026-03-29T01:30:00Z");
    same(who(&sundays, "2026-03-29T03:30:00+02:00"), "bruno", "2026-04-05T00:30:00Z");
    // On 25 October 02:30 comes twice: the first counts, and the hour after it is not given back.
    same(who(&sundays, "2026-10-25T02:29:59+02:00"), "anna", "2026-10-25T00:30:00Z");
    same(who(&sundays, "2026-10-25T02:30:00+02:00"), "bruno", "2026-11-01T01:30:00Z");
    same(who(&sundays, "2026-10-25T02:10:00+01:00"), "bruno", "2026-11-01T01:30:00Z");
}

/// The office by day, the night watch until morning, the weekend to whoever is otherwise there.
fn office() -> Rota {
    let working = Days::span(Weekday::Monday, Weekday::Friday);
    let list = vec![shift(working, (8, 0), (18, 0), "office"), shift(working, (18, 0), (8, 0), "night")];
    rota(Plan::Shifts(Shifts { list, otherwise: names("boss") }), "")
}

#[test]
fn shifts_follow_each_other_over_midnight_and_the_weekend() {
    let rota = office();
    same(who(&rota, "2026-11-20T07:59:00+01:00"), "night", "2026-11-20T07:00:00Z");
    same(who(&rota, "2026-11-20T08:00:00+01:00"), "office", "2026-11-20T17:00:00Z");
    // Friday night ends on Saturday morning.
    same(who(&rota, "2026-11-21T00:30:00+01:00"), "night", "2026-11-21T07:00:00Z");
    same(who(&rota, "2026-11-21T08:00:00+01:00"), "boss", "2026-11-23T07:00:00Z");
    same(who(&rota, "2026-11-23T07:59:00+01:00"), "boss", "2026-11-23T07:00:00Z");
    assert_eq!(rota.on_call(at("2026-11-22T12:00:00Z")).because, Because::Otherwise);
    assert_eq!(rota.on_call(at("2026-11-20T23:00:00Z")).because, Because::Shift(1));
}

#[test]
fn shifts_over_the_nights_on_which_the_clocks_change_leave_no_gap() {
    let all = vec![shift(Days::ALL, (2, 30), (14, 0), "early"), shift(Days::ALL, (14, 0), (2, 30), "late")];
    let rota = rota(Plan::Shifts(Shifts { list: all, otherwise: names("nobody") }), "");
    same(who(&rota, "2026-03-29T03:29:00+02:00"), "late", "2026-03-29T01:30:00Z");
    same(who(&rota, "2026-03-29T03:30:00+02:00"), "early", "2026-03-29T12:00:00Z");
    same(who(&rota, "2026-10-25T02:29:00+02:00"), "late", "2026-10-25T00:30:00Z");
    same(who(&rota, "2026-10-25T02:30:00+02:00"), "early", "2026-10-25T13:00:00Z");
    same(who(&rota, "2026-10-25T02:10:00+01:00"), "early", "2026-10-25T13:00:00Z");
}

#[test]
fn the_first_of_two_shifts_counts_and_a_whole_day_is_one() {
    let list = vec![
        shift(Days::of([Weekday::Wednesday]), (12, 0), (13, 0), "lunch"),
        shift(Days::ALL, (0, 0), (0, 0), "all"),
    ];
    let rota = rota(Plan::Shifts(Shifts { list, otherwise: Vec::new() }), "");
    same(who(&rota, "2026-11-18T11:59:00+01:00"), "all", "2026-11-18T11:00:00Z");
    same(who(&rota, "2026-11-18T12:00:00+01:00"), "lunch", "2026-11-18T12:00:00Z");
    same(who(&rota, "2026-11-18T13:00:00+01:00"), "all", "2026-11-25T11:00:00Z");
    same(who(&rota, "2026-12-31T23:59:59+01:00"), "all", "2027-01-06T11:00:00Z");
    let forever = Shifts { list: vec![shift(Days::ALL, (0, 0), (0, 0), "all")], otherwise: Vec::new() };
    let found = super::Rota { plan: Plan::Shifts(forever), ..rota };
    same(who(&found, "2026-11-18T12:00:00+01:00"), "all", "");
}

#[test]
fn overrides_go_before_the_plan_and_later_lines_before_earlier_ones() {
    let written = "# Christmas\n\
        2026-12-24 18:00 .. 2026-12-27 09:00  bruno   # with Anna's thanks\n\
        \n\
        2026-12-25 .. 2026-12-25 carla, +39347 1234567\n";
    let rota = Rota { overrides: Overrides::read(written).unwrap(), ..office() };
    same(who(&rota, "2026-12-24T17:59:00+01:00"), "office", "2026-12-24T17:00:00Z");
    same(who(&rota, "2026-12-24T18:00:00+01:00"), "bruno", "2026-12-24T23:00:00Z");
    same(who(&rota, "2026-12-25T00:00:00+01:00"), "carla +39347 1234567", "2026-12-25T23:00:00Z");
    same(who(&rota, "2026-12-26T00:00:00+01:00"), "bruno", "2026-12-27T08:00:00Z");
    same(who(&rota, "2026-12-27T09:00:00+01:00"), "boss", "2026-12-28T07:00:00Z");
    // The plan ends sooner than it says where an override begins.
    same(who(&rota, "2026-12-24T12:00:00+01:00"), "office", "2026-12-24T17:00:00Z");
    same(who(&rota, "2026-12-24T09:00:00+01:00"), "office", "2026-12-24T17:00:00Z");
    assert_eq!(rota.on_call(at("2026-12-25T12:00:00Z")).because, Because::Override(4));
    let all: Vec<&String> = rota.names().collect();
    assert_eq!(all, ["office", "night", "boss", "bruno", "carla", "+39347 1234567"]);
}

#[test]
fn an_override_that_begins_within_a_shift_ends_it() {
    let written = "2026-11-18 10:00 .. 2026-11-18 11:00 bruno";
    let rota = Rota { overrides: Overrides::read(written).unwrap(), ..office() };
    same(who(&rota, "2026-11-18T09:00:00+01:00"), "office", "2026-11-18T09:00:00Z");
    same(who(&rota, "2026-11-18T10:30:00+01:00"), "bruno", "2026-11-18T10:00:00Z");
    same(who(&rota, "2026-11-18T11:00:00+01:00"), "office", "2026-11-18T17:00:00Z");
}

#[test]
fn an_override_that_the_clock_skips_is_none() {
    // 02:10 is 03:10 on that day, and so behind the end.
    let rota = Rota {
        overrides: Overrides::read("2026-03-29 02:10 .. 2026-03-29 03:00 bruno").unwrap(),
        ..office()
    };
    same(who(&rota, "2026-03-29T03:05:00+02:00"), "boss", "2026-03-30T06:00:00Z");
    same(who(&rota, "2026-03-29T03:10:00+02:00"), "boss", "2026-03-30T06:00:00Z");
}

#[test]
fn the_turn_of_the_year_is_a_night_like_any_other() {
    let plain = office();
    same(who(&plain, "2026-12-31T17:59:59+01:00"), "office", "2026-12-31T17:00:00Z");
    for moment in ["2026-12-31T18:00:00+01:00", "2026-12-31T23:59:59+01:00", "2027-01-01T00:00:00+01:00"] {
        same(who(&plain, moment), "night", "2027-01-01T07:00:00Z");
    }
    same(who(&plain, "2027-01-01T08:00:00+01:00"), "office", "2027-01-01T17:00:00Z");
    let written = "2026-12-31 22:00 .. 2027-01-01 06:00 carla";
    let rota = Rota { overrides: Overrides::read(written).unwrap(), ..office() };
    same(who(&rota, "2026-12-31T21:59:59+01:00"), "night", "2026-12-31T21:00:00Z");
    for moment in ["2026-12-31T22:00:00+01:00", "2027-01-01T00:00:00+01:00", "2027-01-01T05:59:59+01:00"] {
        same(who(&rota, moment), "carla", "2027-01-01T05:00:00Z");
    }
    same(who(&rota, "2027-01-01T06:00:00+01:00"), "night", "2027-01-01T07:00:00Z");
}

#[test]
fn an_override_of_a_day_is_as_long_as_the_day() {
    let written = "2026-03-29 .. 2026-03-29 bruno\n2026-10-25 .. 2026-10-25 carla";
    let rota = Rota { overrides: Overrides::read(written).unwrap(), ..office() };
    // 23 hours.
    same(who(&rota, "2026-03-28T23:59:59+01:00"), "boss", "2026-03-28T23:00:00Z");
    same(who(&rota, "2026-03-29T00:00:00+01:00"), "bruno", "2026-03-29T22:00:00Z");
    same(who(&rota, "2026-03-29T23:59:59+02:00"), "bruno", "2026-03-29T22:00:00Z");
    same(who(&rota, "2026-03-30T00:00:00+02:00"), "boss", "2026-03-30T06:00:00Z");
    // 25 hours.
    same(who(&rota, "2026-10-24T23:59:59+02:00"), "boss", "2026-10-24T22:00:00Z");
    same(who(&rota, "2026-10-25T00:00:00+02:00"), "carla", "2026-10-25T23:00:00Z");
    same(who(&rota, "2026-10-25T23:59:59+01:00"), "carla", "2026-10-25T23:00:00Z");
    same(who(&rota, "2026-10-26T00:00:00+01:00"), "boss", "2026-10-26T07:00:00Z");
}

#[test]
fn lines_that_cannot_be_read_are_told_each_with_its_place() {
    let written = "2026-12-24 18:00 bruno\n\
        24.12.2026 .. 2026-12-27 bruno\n\
        2026-12-24 .. 2026-12-23 bruno\n\
        2026-12-24 25:00 .. 2026-12-27 bruno\n\
        2026-12-24 .. 2026-12-27  # nobody\n\
        2026-12-24 .. 2026-12-24 bruno\n\
        2026-12-24 12:00 .. 2026-12-24 12:00 bruno\n\
        2026-02-29 .. 2026-03-01 bruno\n\
        2026-12-24T18:00 .. 2026-12-25 bruno\n\
        2026-12-24 .. 2026-12-25T09:00:00+01:00[Europe/Rome] bruno\n";
    let wrong: Vec<String> = Overrides::read(written).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        wrong,
        [
            "1:18: `..` and the end are missing, and there is `bruno`",
            "2:1: `24.12.2026` is not a day; write it like 2026-12-24",
            "3:1: it ends before it begins; write the earlier time first",
            "4:12: `25:00` is not a time of day; write it like 18:00",
            "5:25: nobody is named; write an alias, a number or a rota behind the times",
            "7:1: it ends before it begins; write the earlier time first",
            "8:1: `2026-02-29` is not a day; write it like 2026-12-24",
            "9:1: `2026-12-24T18:00` is no day alone; write the time apart, like 2026-12-24 18:00",
            "10:15: `2026-12-25T09:00:00+01:00[Europe/Rome]` is no day alone; write the time apart, like 2026-12-24 18:00",
        ]
    );
}

#[test]
fn overrides_are_counted_at_the_limit_and_one_more() {
    let lines = |count: usize| "2026-12-24 .. 2026-12-24 bruno\n".repeat(count);
    assert_eq!(Overrides::read(&lines(MAX_OVERRIDES)).unwrap().iter().count(), MAX_OVERRIDES);
    let wrong = Overrides::read(&lines(MAX_OVERRIDES + 1)).unwrap_err();
    assert_eq!(wrong.len(), 1);
    assert_eq!((wrong[0].line, wrong[0].column), (MAX_OVERRIDES + 1, 1));
}

#[test]
fn a_gap_in_the_week_is_seen() {
    let working = Days::span(Weekday::Monday, Weekday::Friday);
    let day = shift(working, (8, 0), (18, 0), "office");
    let night = shift(working, (18, 0), (8, 0), "night");
    let weekend = shift(Days::span(Weekday::Saturday, Weekday::Sunday), (8, 0), (8, 0), "boss");
    let late = shift(Days::span(Weekday::Saturday, Weekday::Sunday), (8, 1), (8, 0), "boss");
    let may_be_empty = |list: &[&Shift], otherwise: &str| {
        let list = list.iter().copied().cloned().collect();
        rota(Plan::Shifts(Shifts { list, otherwise: names(otherwise) }), "").may_be_empty()
    };
    assert!(!may_be_empty(&[&day, &night, &weekend], ""));
    assert!(may_be_empty(&[&day, &night, &late], ""));
    assert!(may_be_empty(&[&day, &night], "") && may_be_empty(&[], ""));
    assert!(!may_be_empty(&[&day], "boss") && !may_be_empty(&[], "boss"));
    assert!(!weekly().may_be_empty());
}

#[test]
fn days_span_the_end_of_the_week() {
    let weekend = Days::span(Weekday::Saturday, Weekday::Monday);
    for (day, is_one) in [
        (Weekday::Friday, false),
        (Weekday::Saturday, true),
        (Weekday::Sunday, true),
        (Weekday::Monday, true),
        (Weekday::Tuesday, false),
    ] {
        assert_eq!(weekend.contains(day), is_one, "{day:?}");
    }
    assert!(weekend.and(Days::span(Weekday::Tuesday, Weekday::Friday)) == Days::ALL);
    assert!(Days::default().is_empty() && !weekend.is_empty());
    assert_eq!(Days::span(Weekday::Sunday, Weekday::Sunday), Days::of([Weekday::Sunday]));
}

proptest! {
    /// Whoever is said to be on call until a time is so until then, and somebody else after it, unless a line of the
    /// overrides begins there with the same names.
    #[test]
    fn who_is_on_call_is_so_until_the_time_that_is_told(
        seconds in 1_767_225_600_i64..1_830_000_000,
        is_weekly: bool,
        part in 0..1000_i64,
    ) {
        let rota = if is_weekly { weekly() } else { office() };
        let now = Timestamp::from_second(seconds).unwrap();
        let found = rota.on_call(now);
        let until = found.until.unwrap();
        prop_assert!(until > now);
        let left = until.as_second() - seconds;
        let between = Timestamp::from_second(seconds + left * part / 1000).unwrap();
        prop_assert_eq!(rota.on_call(between).who, found.who);
        prop_assert_eq!(rota.on_call(between).until, Some(until));
        prop_assert_ne!(rota.on_call(until).who, found.who);
    }
}
