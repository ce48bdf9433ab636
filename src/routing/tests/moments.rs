//! Times of the day, days of the week and dates: nights on which the clocks change, the turn of the year.

use jiff::civil::{Weekday, date};
use jiff::tz::TimeZone;

use super::*;
use crate::rota::Days;

fn minute(text: &str) -> usize {
    let (hours, minutes) = text.split_once(':').unwrap();
    hours.parse::<usize>().unwrap() * 60 + minutes.parse::<usize>().unwrap()
}

fn times(all: &[&str]) -> Times {
    let one = |text: &&str| {
        let (from, to) = text.split_once('-').unwrap();
        Times::between(minute(from), minute(to)).unwrap()
    };
    all.iter().map(one).reduce(|one, other| one.and(&other)).unwrap()
}

fn moment() -> Moment {
    Moment { zone: TimeZone::get("Europe/Rome").unwrap(), times: None, weekdays: None, dates: None }
}

/// Whether a rule with this holds at a time.
fn holds(moment: Moment, at: &str) -> bool {
    let when = Conditions { moment: Some(Box::new(moment)), ..Conditions::default() };
    let routing = with_rules(vec![rule("it", when, send())]);
    rule_of(decide_with(&routing, |facts| facts.now = at.parse().unwrap())) == "it"
}

#[test]
fn a_time_of_the_day_begins_with_its_first_minute_and_ends_before_its_last() {
    let night = || Moment { times: Some(times(&["22:00-07:00", "12:30-13:00"])), ..moment() };
    for (at, expected) in [
        ("2026-11-20T21:59:59.999+01:00", false),
        ("2026-11-20T22:00:00+01:00", true),
        ("2026-11-21T00:00:00+01:00", true),
        ("2026-11-21T06:59:59.999+01:00", true),
        ("2026-11-21T07:00:00+01:00", false),
        ("2026-11-21T12:29:59+01:00", false),
        ("2026-11-21T12:30:00+01:00", true),
        ("2026-11-21T13:00:00+01:00", false),
    ] {
        assert_eq!(holds(night(), at), expected, "{at}");
    }
    assert_eq!(times(&["22:00-07:00", "12:30-13:00"]).to_string(), "12:30-13:00, 22:00-07:00");
    for (written, shown) in
        [("00:00-24:00", "00:00-24:00"), ("00:00-00:01", "00:00-00:01"), ("18:00-24:00", "18:00-24:00")]
    {
        assert_eq!(times(&[written]).to_string(), shown);
    }
    assert!(Times::between(60, 60).is_none() && Times::between(1440, 60).is_none());
    assert!(Times::between(0, 1441).is_none() && Times::between(0, 0).is_none());
}

#[test]
fn an_hour_that_comes_twice_holds_twice_and_one_that_is_skipped_never() {
    let early = || Moment { times: Some(times(&["02:00-03:00"])), ..moment() };
    for (at, expected) in [
        ("2026-10-25T01:59:59+02:00", false),
        ("2026-10-25T02:30:00+02:00", true),
        ("2026-10-25T02:30:00+01:00", true),
        ("2026-10-25T03:00:00+01:00", false),
        ("2026-03-29T01:59:59+01:00", false),
        ("2026-03-29T03:00:00+02:00", false),
        ("2026-03-30T02:00:00+02:00", true),
    ] {
        assert_eq!(holds(early(), at), expected, "{at}");
    }
    // What only reaches over the hour that is skipped, holds on both sides of it.
    let night = || Moment { times: Some(times(&["22:00-07:00"])), ..moment() };
    assert!(holds(night(), "2026-03-29T01:59:59+01:00") && holds(night(), "2026-03-29T03:00:00+02:00"));
}

#[test]
fn a_day_of_the_week_is_that_of_the_moment_in_the_rule_s_zone() {
    let friday = || Moment { weekdays: Some(Days::of([Weekday::Friday])), ..moment() };
    assert!(!holds(friday(), "2026-11-19T23:59:59+01:00"));
    // Still Thursday in UTC.
    assert!(holds(friday(), "2026-11-20T00:00:00+01:00"));
    assert!(holds(friday(), "2026-11-20T23:59:59+01:00"));
    // The night of Friday goes on, but not Friday.
    let night = || Moment { times: Some(times(&["22:00-07:00"])), ..friday() };
    assert!(holds(night(), "2026-11-20T22:00:00+01:00") && !holds(night(), "2026-11-21T06:00:00+01:00"));
}

#[test]
fn dates_go_over_the_end_of_the_year() {
    let days = |span: Span| Moment { dates: Some(Dates::new(vec![span]).unwrap()), ..moment() };
    let once = Span::once(date(2026, 12, 24), date(2027, 1, 6)).unwrap();
    let yearly = Span::yearly((12, 24), (1, 6)).unwrap();
    for (at, in_once, in_yearly) in [
        ("2026-12-23T23:59:59+01:00", false, false),
        ("2026-12-24T00:00:00+01:00", true, true),
        ("2026-12-31T23:59:59+01:00", true, true),
        ("2027-01-01T00:00:00+01:00", true, true),
        ("2027-01-06T23:59:59+01:00", true, true),
        ("2027-01-07T00:00:00+01:00", false, false),
        ("2027-12-24T00:00:00+01:00", false, true),
        ("2025-01-06T12:00:00+01:00", false, true),
    ] {
        assert_eq!((holds(days(once), at), holds(days(yearly), at)), (in_once, in_yearly), "{at}");
    }
    let leap = Span::yearly((2, 29), (2, 29)).unwrap();
    assert!(
        holds(days(leap), "2028-02-29T12:00:00+01:00") && !holds(days(leap), "2027-03-01T12:00:00+01:00")
    );
    assert!(Span::yearly((2, 30), (3, 1)).is_none() && Span::yearly((13, 1), (1, 1)).is_none());
    assert!(Span::once(date(2027, 1, 6), date(2026, 12, 24)).is_none());
    assert_eq!([once.to_string(), yearly.to_string()], ["2026-12-24..2027-01-06", "12-24..01-06"]);
}

#[test]
fn times_count_as_known_when_a_recipient_is_named() {
    let night = Moment { times: Some(times(&["22:00-07:00"])), ..moment() };
    let when = Conditions { moment: Some(Box::new(night)), ..Conditions::default() };
    let routing = with_rules(vec![rule("night", when, send())]);
    let client = client();
    let origin = Origin { client: &client, envelope_sender: None };
    let could =
        |at: &str| routing.could_route(&origin, at.parse().unwrap(), "oncall", &[number(ALARM)]).is_ok();
    assert!(could("2026-11-20T23:00:00+01:00") && !could("2026-11-20T12:00:00+01:00"));
}

#[test]
fn times_that_exclude_each_other_are_told() {
    let never =
        |conditions: Conditions| faults(Parts { rules: vec![rule("it", conditions, send())], ..parts() });
    let of = |moment: Moment| Conditions { moment: Some(Box::new(moment)), ..Conditions::default() };
    let told = |key: &str| {
        vec![format!("rule `it` can never match: what it asks for by `{key}` excludes each other")]
    };
    let day = || of(Moment { times: Some(times(&["07:00-22:00"])), ..moment() });
    let night = || of(Moment { times: Some(times(&["22:00-07:00"])), ..moment() });
    let both = |one: Conditions, other: Conditions| Conditions { all: Some(vec![other]), ..one };
    assert_eq!(never(both(day(), night())), told("time"));
    assert!(never(both(day(), of(Moment { times: Some(times(&["06:59-07:01"])), ..moment() }))).is_empty());
    // By clocks of two zones nothing is sure.
    let elsewhere = of(Moment { zone: TimeZone::UTC, times: Some(times(&["22:00-07:00"])), ..moment() });
    assert!(never(both(day(), elsewhere)).is_empty());
    let on = |days: &[Weekday]| of(Moment { weekdays: Some(Days::of(days.iter().copied())), ..moment() });
    assert_eq!(never(both(on(&[Weekday::Monday]), on(&[Weekday::Friday]))), told("weekday"));
    // 2026-12-25 is a Friday.
    let christmas = |day: Weekday| {
        let once = Span::once(date(2026, 12, 25), date(2026, 12, 25)).unwrap();
        of(Moment { weekdays: Some(Days::of([day])), dates: Dates::new(vec![once]), ..moment() })
    };
    assert_eq!(never(christmas(Weekday::Monday)), told("date"));
    assert!(never(christmas(Weekday::Friday)).is_empty());
}

#[test]
fn a_rule_behind_one_that_is_on_whenever_it_is_is_told() {
    let of = |moment: Moment| Conditions { moment: Some(Box::new(moment)), ..Conditions::default() };
    let pair = |first: Moment, second: Moment| {
        let rules = vec![rule("one", of(first), send()), rule("two", of(second), send())];
        faults(Parts { rules, ..parts() })
    };
    let at = |all: &[&str]| Moment { times: Some(times(all)), ..moment() };
    let shadowed = ["rule `two` can never match: rule `one` before it takes everything that it asks for"];
    assert_eq!(pair(at(&["22:00-07:00"]), at(&["23:00-06:00"])), shadowed);
    assert_eq!(pair(at(&["20:00-23:00", "23:00-07:00"]), at(&["22:00-06:00"])), shadowed);
    assert!(pair(at(&["22:00-07:00"]), at(&["21:59-23:00"])).is_empty());
    let spans = |span: Span| Moment { dates: Dates::new(vec![span]), ..moment() };
    let winter = Span::yearly((12, 1), (2, 28)).unwrap();
    let christmas = Span::once(date(2026, 12, 24), date(2027, 1, 6)).unwrap();
    assert_eq!(pair(spans(winter), spans(christmas)), shadowed);
    assert!(pair(spans(christmas), spans(winter)).is_empty());
}
