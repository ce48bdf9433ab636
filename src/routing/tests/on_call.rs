//! Rotas among the names.

use jiff::tz::TimeZone;

use super::*;
use crate::rota::{Days, Overrides, Plan as Week, Rota, Shift, Shifts, Turns};

fn rota(name: &str, members: &[&str]) -> (String, Rota) {
    let members = members.iter().map(|one| vec![(*one).to_owned()]).collect();
    let turns =
        Turns { first: jiff::civil::date(2026, 1, 5), handover: jiff::civil::time(9, 0, 0, 0), members };
    (name.to_owned(), Rota { zone: TimeZone::UTC, plan: Week::Turns(turns), overrides: Overrides::default() })
}

#[test]
fn a_rota_is_a_name_for_whoever_is_on_call_at_the_time() {
    let aliases = vec![alias("team", &["Duty", ALARM]), alias("anna", &[NIGHT]), alias("all", &["team"])];
    let rotas = vec![rota("duty", &["Anna", "weekend"]), rota("weekend", &["+393470000003"])];
    let routing = Parts { aliases, rotas, ..parts() }.build().unwrap();
    let at = |written: &str, time: &str| routing.resolve_written(written, time.parse().unwrap()).unwrap();
    let (first, second) = ("2026-01-05T09:00:00Z", "2026-01-12T09:00:00Z");
    assert_eq!(at("duty", first), [number(NIGHT)]);
    assert_eq!(at("DUTY", second), [number("+393470000003")]);
    assert_eq!(at("all", first), [number(NIGHT), number(ALARM)]);
    assert_eq!(at("all", second), [number("+393470000003"), number(ALARM)]);
    assert_eq!(at("anna", second), [number(NIGHT)]);
    let names: Vec<&str> = routing.rotas().map(|(name, _)| name).collect();
    assert_eq!(names, ["duty", "weekend"]);
}

#[test]
fn rotas_that_lead_nowhere_are_named() {
    let shifts = |otherwise: &[&str]| {
        let office = Shift {
            days: Days::ALL,
            from: jiff::civil::time(8, 0, 0, 0),
            to: jiff::civil::time(18, 0, 0, 0),
            who: vec![ALARM.to_owned()],
        };
        let otherwise = otherwise.iter().map(|one| (*one).to_owned()).collect();
        let plan = Week::Shifts(Shifts { list: vec![office], otherwise });
        Rota { plan, ..rota("", &[]).1 }
    };
    let aliases = vec![alias("a", &["round"])];
    let rotas = vec![
        rota("round", &[ALARM, "a"]),
        rota("typo", &["nihgt"]),
        rota("abroad", &[ALARM, "+4915112345678"]),
        ("gap".to_owned(), shifts(&[])),
        ("whole".to_owned(), shifts(&[NIGHT])),
        rota("Typo", &[ALARM]),
    ];
    assert_eq!(
        faults(Parts { aliases, rotas, ..parts() }),
        [
            "alias `Typo` is there twice (upper and lower case are the same); remove one",
            "aliases go in a circle: a -> round -> a; remove one of them",
            "`nihgt` is not a phone number, and there is no alias of that name",
            "at some times nobody is on call by rota `gap`; write `otherwise`, or shifts for the whole week",
            "alias `abroad` leads to a number that `allowed` does not cover; add its prefix there",
        ]
    );
}

fn quiet(who: &[&str], from: i8, to: i8) -> QuietHours {
    let time = |hour| jiff::civil::time(hour, 0, 0, 0);
    let hours = crate::rota::Hours { days: Days::ALL, from: time(from), to: time(to) };
    let who = who.iter().map(|one| (*one).to_owned()).collect();
    QuietHours { who, hours: crate::rota::ZonedHours { hours, zone: TimeZone::UTC } }
}

#[test]
fn quiet_hours_are_of_numbers_and_of_those_behind_aliases_and_add_up() {
    let aliases = vec![alias("anna", &[NIGHT]), alias("all", &["anna", "+393470000003"])];
    let quiet = vec![quiet(&[" ANNA ", ALARM], 22, 7), quiet(&["all"], 7, 8)];
    let routing = Parts { aliases, quiet, ..parts() }.build().unwrap();
    let awake = |phone: &str, at: &str| routing.awake_from(&number(phone), at.parse().unwrap()).to_string();
    assert_eq!(awake(NIGHT, "2026-11-20T23:00:00Z"), "2026-11-21T08:00:00Z");
    assert_eq!(awake(ALARM, "2026-11-20T23:00:00Z"), "2026-11-21T07:00:00Z");
    assert_eq!(awake("+393470000003", "2026-11-20T23:00:00Z"), "2026-11-20T23:00:00Z");
    assert_eq!(awake("+393470000003", "2026-11-21T07:30:00Z"), "2026-11-21T08:00:00Z");
    assert_eq!(awake("+393470000004", "2026-11-21T07:30:00Z"), "2026-11-21T07:30:00Z");
}

#[test]
fn quiet_hours_of_nobody_of_whoever_is_on_call_or_without_an_end_are_named() {
    let aliases = vec![alias("anna", &[NIGHT]), alias("team", &["duty"])];
    let rotas = vec![rota("duty", &["anna"])];
    let quiet = vec![
        quiet(&["nobody", "duty", "team", "anna"], 22, 7),
        quiet(&["anna"], 6, 21),
        quiet(&[NIGHT, ALARM], 21, 22),
        quiet(&["anna"], 5, 5),
    ];
    let person = "a rota or has one behind it, and quiet hours are a person's, on call or not; name those who have them";
    assert_eq!(
        faults(Parts { aliases, rotas, quiet, ..parts() }),
        [
            "quiet hours for nobody: `nobody` is not a phone number, and there is no alias of that name"
                .to_owned(),
            format!("`duty` is {person}"),
            format!("`team` is {person}"),
            format!(
                "the quiet hours of `{NIGHT}` never end, all that there are for it taken together, and what is not \
                 critical would never be sent; leave some time of the week"
            ),
        ]
    );
}
