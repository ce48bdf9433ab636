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
