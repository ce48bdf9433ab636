//! Whether the relay's own SMS, tests and word of silence, come to anybody: by the rules, at each time at which they differ.
//!
//! What depends on the clock is a warning and never an error: a relay that starts by day starts at night.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::reader::Reader;
use super::rules::Ruled;
use super::vigil::Destinations;
use crate::model::{Client, Door, PhoneNumber};
use crate::routing::{DEFAULT_RULE, Decision, Edges, Facts, Origin, Routing};
use crate::vigil::{Expectation, Heartbeat, LISTENER};
use crate::wording::OwnTemplate;

/// How far ahead tests are looked at.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(366 * 24);
/// What is known of a test that failed, most often.
const FAILURE: &str = "the platform has it, and the handset did not confirm it in time";

/// Looks at the relay's own SMS.
pub(super) struct Own<'a> {
    reader: &'a Reader<'a>,
    routing: &'a Routing,
    edges: Vec<(Timestamp, String)>,
    now: Timestamp,
    /// Where word of silence was looked at, and with which words.
    seen: RefCell<Vec<(usize, Option<OwnTemplate>)>>,
}

/// Times, each with its words.
type Times<'a> = &'a [(Timestamp, String)];

impl<'a> Own<'a> {
    pub(super) fn new(reader: &'a Reader<'a>, ruled: &'a Ruled, now: Timestamp) -> Self {
        let Ruled { routing, edges, .. } = ruled;
        Self { reader, routing, edges: Edges::around(edges, now), now, seen: RefCell::default() }
    }

    /// Tells destinations that there are not, or that are not allowed.
    pub(super) fn names(&self, to: &Destinations) {
        for (to, place) in to {
            if let Err(error) = self.routing.resolve_ever(to) {
                self.reader.error(Some(place.clone()), error.to_string());
            }
        }
    }

    /// Warns where nobody would get word of this silence.
    pub(super) fn word_of_silence(&self, expected: &Expectation, tell: &Destinations) {
        for one in tell {
            // Where many share a destination, their words differ by names only.
            let look = (one.1.start, expected.text.clone());
            if self.seen.borrow().contains(&look) {
                continue;
            }
            self.seen.borrow_mut().push(look);
            self.at_any_time(one, &expected.words(self.now));
        }
    }

    /// Warns where a test would not go out, or where nobody would get word that it failed.
    pub(super) fn test(&self, test: &Heartbeat, to: &Destinations, tell: &Destinations) {
        let next = |at: &Timestamp| test.schedule.next(*at);
        let runs: Vec<(Timestamp, String)> = std::iter::successors(next(&self.now), next)
            .take_while(|at| at.duration_since(self.now) <= AHEAD)
            .map(|at| {
                let zone = &test.schedule.zone;
                let name = zone.iana_name().map(|name| format!(" ({name})")).unwrap_or_default();
                let said = at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d at %H:%M").to_string();
                (at, said + &name)
            })
            .collect();
        for (to, place) in to {
            let unsent = self.unsent(to, Some(&test.name), &runs, |at| test.words(at));
            unsent.into_iter().for_each(|text| self.reader.warning(Some(place.clone()), text));
        }
        for one in tell {
            self.at_any_time(one, &test.failure_words(FAILURE));
        }
    }

    fn at_any_time(&self, (to, place): &(String, std::ops::Range<usize>), words: &str) {
        let unsent = self.unsent(to, None, &self.edges, |_| words.to_owned());
        unsent.into_iter().for_each(|text| self.reader.warning(Some(place.clone()), text));
    }

    /// Why somebody there gets nothing at one of `times`, or at all where there is none; `test` is the name of the test
    /// that it is.
    fn unsent(
        &self,
        to: &str,
        test: Option<&str>,
        times: Times<'_>,
        words: impl Fn(Timestamp) -> String,
    ) -> Option<String> {
        let listener = test.unwrap_or(LISTENER);
        let found: Vec<Option<Unsent>> = match times {
            [] => {
                let phones = self.routing.resolve_ever(to).ok()?;
                vec![self.unsent_at(to, listener, &phones, self.now, &words(self.now), test.is_some())]
            }
            times => times
                .iter()
                .map(|(at, _)| {
                    let phones = self.routing.resolve_written(to, *at).ok()?;
                    self.unsent_at(to, listener, &phones, *at, &words(*at), test.is_some())
                })
                .collect(),
        };
        let place = found.iter().position(Option::is_some)?;
        let when = match times.get(place).filter(|_| found.iter().any(Option::is_none)) {
            Some((_, said)) => format!(" on {said}"),
            None => String::new(),
        };
        let what = if test.is_some() { "test" } else { "text" };
        let advice = format!("write a rule for it, with when.listener = \"{listener}\"");
        Some(match found.into_iter().flatten().next()? {
            Unsent::Simulated { rule } => format!(
                "this {what} is only simulated{when}, by the rule `{rule}`, and a simulation cannot be verified; {advice} \
                 before that"
            ),
            Unsent::Ended { rule, reason } if rule == DEFAULT_RULE => {
                format!("this {what} is not sent{when}: {reason}; {advice}")
            }
            Unsent::Ended { rule, reason } => {
                format!("this {what} is not sent{when}, by the rule `{rule}`: {reason}; {advice} before that")
            }
        })
    }

    /// Why one of the phones gets nothing at `at`.
    fn unsent_at(
        &self,
        to: &str,
        listener: &str,
        phones: &[PhoneNumber],
        at: Timestamp,
        words: &str,
        is_test: bool,
    ) -> Option<Unsent> {
        let client = Client {
            door: Door::Relay,
            listener: listener.to_owned(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            helo: None,
            account: None,
        };
        let origin = Origin { client: &client, envelope_sender: None };
        let facts = Facts { text: words, ..Facts::of(origin, at) };
        phones.iter().find_map(|phone| Unsent::of(self.routing.decide(&facts, to, phone), is_test))
    }
}

/// Why nothing is sent.
enum Unsent {
    /// A rule has it checked only.
    Simulated { rule: String },
    /// A rule drops or refuses it, and no other sends it before.
    Ended { rule: String, reason: String },
}

impl Unsent {
    /// What these decisions about one phone come to. Where a rule that goes on sends it, it is sent.
    fn of(decisions: Vec<Decision>, is_test: bool) -> Option<Self> {
        let (mut is_sent, mut ended) = (false, None);
        for decision in decisions {
            match decision {
                Decision::Send(plan) if plan.options.simulation && is_test => {
                    return Some(Self::Simulated { rule: plan.rule });
                }
                // Nobody gets what is only simulated.
                Decision::Send(plan) if plan.options.simulation => {
                    ended = Some(Self::Simulated { rule: plan.rule });
                }
                Decision::Send(_) => is_sent = true,
                Decision::Drop { rule, reason } | Decision::Refuse { rule, reason } => {
                    ended = Some(Self::Ended { rule, reason });
                }
            }
        }
        ended.filter(|_| !is_sent)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::Section;
    use super::super::{Reader, read};

    const BASIC: &str = r#"
        hostname = "relay.example.com"
        smtp.listener = [{ bind = "127.0.0.1:2525" }]
        routing.allowed = ["+39"]
        defaults.sender = "Relay"
        spool.directory = "spool"
        gateway = { url = "http://127.0.0.1:8026", credentials = "emulator" }
        reporting.to = "off"
        aliases = { oncall = "+393470000001" }
    "#;

    /// What is told of the configuration when it is read then, with the offending text.
    fn told(rest: &str, now: &str) -> Vec<String> {
        let source = format!("{BASIC}{rest}");
        let reader = Reader::new("relay.toml".as_ref(), &source);
        let document = reader.parse().unwrap();
        let (config, _) = read(&reader, Section::top(&reader, document.get_ref()), now.parse().unwrap());
        let problems = reader.problems();
        assert_eq!(config.is_none(), problems.has_errors(), "{problems}");
        assert!(!problems.has_errors(), "{problems}");
        problems.iter().map(|problem| problem.text.clone()).collect()
    }

    const NIGHT: &str = r#"
        [expect]
        tell = ["oncall"]
        [[rule]]
        name = "ups"
        when.envelope_sender = "ups@"
        expect = "8d"
        [[rule]]
        name = "night"
        when.timezone = "Europe/Rome"
        when.time = "22:00-07:00"
        drop = "nobody is woken"
    "#;

    #[test]
    fn what_a_rule_drops_at_night_is_a_warning_by_day_and_by_night() {
        let warning = "this text is not sent on Mon at 00:00 (Europe/Rome), by the rule `night`: nobody is woken; write a rule \
                       for it, with when.listener = \"expect\" before that";
        for now in ["2026-11-22T12:00:00Z", "2026-11-22T03:00:00Z", "2026-03-29T01:30:00Z"] {
            assert_eq!(told(NIGHT, now), [warning], "{now}");
        }
        let by_day = NIGHT.replace("22:00-07:00", "12:10-12:20");
        let now = "2026-11-22T23:00:00Z";
        assert_eq!(told(&by_day, now), [warning.replace("00:00", "12:10")]);
        let always = NIGHT.replace("when.time = \"22:00-07:00\"", "when.client = \"127.0.0.1\"");
        let always = always.replace("when.timezone = \"Europe/Rome\"", "");
        assert_eq!(told(&always, now), [warning.replace(" on Mon at 00:00 (Europe/Rome)", "")]);
    }

    #[test]
    fn a_test_is_looked_at_at_its_own_times() {
        let test = |at: &str, rule: &str| {
            format!(
                "[[rule]]\nname = \"r\"\n{rule}\ndrop = \"x\"\n\
                 [[heartbeat]]\nname = \"weekly\"\nat = \"{at}\"\ntimezone = \"Europe/Rome\"\nto = \"oncall\"\ntell = \"oncall\"\n"
            )
        };
        let night = "when = { listener = \"weekly\", time = \"02:30-03:30\", timezone = \"Europe/Rome\" }";
        let by_day = "2026-11-22T12:00:00Z";
        assert_eq!(told(&test("Mon 02:29", night), by_day), [""; 0]);
        assert_eq!(
            told(&test("03:29", night), by_day),
            [
                "this test is not sent, by the rule `r`: x; write a rule for it, with when.listener = \"weekly\" before that"
            ]
        );
        let date = "when = { listener = \"weekly\", date = \"12-28\", timezone = \"Europe/Rome\" }";
        let warned = told(&test("Mon 09:00", date), by_day);
        assert!(
            warned[0].starts_with("this test is not sent on Mon 2026-12-28 at 09:00 (Europe/Rome), "),
            "{warned:?}"
        );
        assert_eq!(told(&test("Tue 09:00", date), by_day), [""; 0], "none of the year");
    }

    #[test]
    fn the_words_are_those_that_are_sent_and_a_copy_counts() {
        let words = |pattern: &str| {
            NIGHT
                .replace("when.time = \"22:00-07:00\"", &format!("when.text = \"{pattern}\""))
                .replace("when.timezone = \"Europe/Rome\"\n", "")
        };
        let now = "2026-11-22T12:00:00Z";
        assert_eq!(told(&words("^test"), now), [""; 0]);
        assert_eq!(told(&words("^nothing was heard of rule ups for 8 days"), now).len(), 1);
        let copy = "[[rule]]\nname = \"copy\"\nwhen.listener = \"expect\"\ncontinue = true\n";
        let (before, night) = NIGHT.split_once("[[rule]]\n        name = \"night\"").unwrap();
        let copied = format!("{before}{copy}[[rule]]\nname = \"night\"{night}");
        assert_eq!(told(&copied, now), [""; 0]);
    }
}
