//! Random rules: what is refused early would be refused whatever it says, the tree is what is written, and what is told as
//! never matching never matches.

use std::sync::{LazyLock, Mutex};

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::mail::Headers;
use crate::rota::Days;

fn maybe<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.25, one)
}

fn patterns(sources: &'static [&'static str]) -> impl Strategy<Value = Option<Patterns>> {
    let all = proptest::collection::vec(select(sources).prop_map(compiled), 1..3);
    maybe(all.prop_map(|all| Patterns::new(all).unwrap()))
}

/// Each compiled once: that takes longer than all else.
fn compiled(source: &'static str) -> Pattern {
    static ALL: LazyLock<Mutex<BTreeMap<&'static str, Pattern>>> = LazyLock::new(Mutex::default);
    let mut all = ALL.lock().unwrap();
    all.entry(source).or_insert_with(|| Pattern::new(source).unwrap()).clone()
}

fn moment() -> impl Strategy<Value = Moment> {
    let times = (0..24_usize, 1..25_usize)
        .prop_filter_map("no time", |(from, to)| Times::between(from * 60, to * 60));
    let weekdays =
        select(&[Weekday::Monday, Weekday::Thursday, Weekday::Friday][..]).prop_map(|day| Days::of([day]));
    let dates = select(&[(1, 1), (12, 25)][..])
        .prop_map(|day| Dates::new(vec![Span::yearly(day, day).unwrap()]).unwrap());
    (maybe(times), maybe(weekdays), maybe(dates)).prop_map(|(times, weekdays, dates)| Moment {
        zone: TimeZone::UTC,
        times,
        weekdays,
        dates,
    })
}

fn leaves() -> impl Strategy<Value = Conditions> {
    let known = (
        maybe(select(&[Door::Smtp, Door::Http][..])),
        maybe(
            select(&["10.0.0.0/24", "10.0.0.0/8", "10.1.0.0/16"][..])
                .prop_map(|net| vec![net.parse().unwrap()]),
        ),
        maybe(select(&["lan", "web"][..]).prop_map(|name| vec![name.to_owned()])),
        maybe(Just(vec!["shop".to_owned()])),
        maybe(moment().prop_map(Box::new)),
        patterns(&["printer", "other"]),
        patterns(&["oncall", "0002$", "nobody"]),
        patterns(&["ups", "nas"]),
    );
    let content = (
        patterns(&["toner", "fire"]),
        patterns(&["low", "high"]),
        patterns(&["p3@", "m@"]),
        patterns(&["1", "2"]),
    );
    (known, content).prop_map(|(known, (subject, text, header_sender, priority))| {
        let (door, networks, listeners, accounts, moment, envelope_sender, recipient, helo) = known;
        let headers = priority.into_iter().map(|one| ("X-Priority".to_owned(), one)).collect();
        Conditions {
            door,
            networks,
            listeners,
            accounts,
            moment,
            helo,
            envelope_sender,
            header_sender,
            headers,
            recipient,
            subject,
            text,
            ..Conditions::default()
        }
    })
}

fn tree() -> impl Strategy<Value = Conditions> {
    leaves().prop_recursive(3, 12, 3, |inner| {
        let some = || maybe(proptest::collection::vec(inner.clone(), 1..3));
        (leaves(), some(), some(), some()).prop_map(|(own, any, all, not)| Conditions {
            any,
            all,
            not,
            ..own
        })
    })
}

/// Rules whose inner conditions ask for something, as a configuration's do.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let continuing = || Action::Send(SendAction { continues: true, ..SendAction::default() });
    let one = (tree(), 0..4).prop_map(move |(when, action)| {
        let action = match action {
            0 => send(),
            1 => continuing(),
            2 => Action::Drop { reason: "d".to_owned() },
            _ => refuse("r"),
        };
        (when, action)
    });
    proptest::collection::vec(one, 0..6).prop_map(|all| {
        let named = |(n, (mut when, action)): (usize, (Conditions, Action))| {
            without_empty(&mut when);
            rule(&format!("r{n}"), when, action)
        };
        all.into_iter().enumerate().map(named).collect()
    })
}

fn without_empty(when: &mut Conditions) {
    if when
        .moment
        .as_ref()
        .is_some_and(|one| one.times.is_none() && one.weekdays.is_none() && one.dates.is_none())
    {
        when.moment = None;
    }
    for list in [&mut when.any, &mut when.all, &mut when.not] {
        if let Some(all) = list {
            all.iter_mut().for_each(without_empty);
            all.retain(|one| !one.is_empty());
            if all.is_empty() {
                *list = None;
            }
        }
    }
}

/// A mail through `lan` or a form through `web`.
#[derive(Clone, Debug)]
struct Came {
    client: Client,
    sender: Option<ReversePath>,
    header_sender: Option<&'static str>,
    section: Option<&'static [u8]>,
    subject: &'static str,
    text: &'static str,
    now: Timestamp,
}

impl Came {
    fn origin(&self) -> Origin<'_> {
        Origin { client: &self.client, envelope_sender: self.sender.as_ref() }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            header_sender: self.header_sender,
            headers: self.section.map(Headers::new),
            subject: self.subject,
            text: self.text,
            ..Facts::of(self.origin(), self.now)
        }
    }
}

fn came() -> impl Strategy<Value = Came> {
    let sections: &[&[u8]] = &[b"", b"X-Priority: 1\r\n", b"x-priority: 2\r\n"];
    let mail = (
        select(&["10.0.0.7", "10.1.0.7"][..]),
        proptest::option::of(select(&["ups", "printer"][..])),
        proptest::option::of(select(&["p3@x", "m@x"][..])),
        select(sections),
        select(&["toner", "fire", ""][..]),
    );
    let words = select(&["low", "high", ""][..]);
    // 2026-12-25 is a Friday, and 2026-01-01 a Thursday.
    let times = select(&["2026-12-25T00:30:00Z", "2026-01-01T13:00:00Z", "2026-06-15T23:59:00Z"][..]);
    (any::<bool>(), mail, words, times).prop_map(|(is_mail, mail, text, now)| {
        let (address, helo, header_sender, section, subject) = mail;
        let sender = ReversePath::Path(MailAddress::parse("printer@example.com").unwrap());
        let now = now.parse().unwrap();
        let address = address.parse().unwrap();
        match is_mail {
            true => Came {
                client: Client { address, helo: helo.map(str::to_owned), ..client() },
                sender: Some(sender),
                header_sender,
                section: Some(section),
                subject,
                text,
                now,
            },
            false => Came {
                client: Client {
                    door: Door::Http,
                    listener: "web".to_owned(),
                    account: Some("shop".to_owned()),
                    address: "10.1.0.9".parse().unwrap(),
                    helo: None,
                },
                sender: None,
                header_sender: None,
                section: None,
                subject: "",
                text,
                now,
            },
        }
    })
}

/// Whether conditions hold, by another way than the routing's: as they are written.
fn hold(when: &Conditions, came: &Came, destination: &str) -> bool {
    let has = |patterns: &Option<Patterns>, texts: &[Option<&str>]| {
        let found = |patterns: &Patterns| {
            let mut texts = texts.iter().flatten();
            texts.any(|text| patterns.as_slice().iter().any(|one| one.is_in(text)))
        };
        patterns.as_ref().is_none_or(found)
    };
    let names = |names: &Option<Vec<String>>, name: Option<&str>| {
        names.as_ref().is_none_or(|names| name.is_some_and(|name| names.iter().any(|one| one == name)))
    };
    let clock = came.now.to_zoned(TimeZone::UTC);
    let moment = |one: &Moment| {
        one.times.as_ref().is_none_or(|times| times.contains(clock.datetime()))
            && one.weekdays.is_none_or(|days| days.contains(clock.weekday()))
            && one.dates.as_ref().is_none_or(|dates| dates.contains(clock.date()))
    };
    let priority = came.section.map(|section| String::from_utf8_lossy(section).trim().to_owned());
    let priority = priority.as_deref().and_then(|line| line.split(": ").nth(1));
    let client = &came.client;
    let inner = |list: &Option<Vec<Conditions>>| -> Vec<bool> {
        list.iter().flatten().map(|one| hold(one, came, destination)).collect()
    };
    when.door.is_none_or(|door| door == client.door)
        && when.networks.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&client.address)))
        && names(&when.listeners, Some(&client.listener))
        && names(&when.accounts, client.account.as_deref())
        && when.moment.as_deref().is_none_or(moment)
        && has(&when.helo, &[client.helo.as_deref()])
        && has(&when.envelope_sender, &[came.sender.as_ref().map(|_| "printer@example.com")])
        && has(&when.header_sender, &[came.header_sender])
        && when.headers.iter().all(|(_, one)| has(&Some(one.clone()), &[priority]))
        && has(&when.recipient, &[Some("oncall"), Some(destination)])
        && has(&when.subject, &[Some(came.subject)])
        && has(&when.text, &[Some(came.text)])
        && (when.any.is_none() || inner(&when.any).contains(&true))
        && !inner(&when.all).contains(&false)
        && !inner(&when.not).contains(&true)
}

fn built(rules: &[Rule], sends: bool) -> Result<Routing, TestCaseError> {
    let no_match = if sends { NoMatch::Send } else { NoMatch::Refuse };
    let built = Parts { rules: rules.to_vec(), no_match, ..parts() }.build();
    built.map_err(|faults| TestCaseError::fail(format!("{faults:?}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_refused_early_would_be_refused_whatever_it_says(
        rules in rules(),
        sends in any::<bool>(),
        came in came(),
        others in proptest::collection::vec((select(&["toner", "fire", ""][..]), select(&["low", "high", ""][..])), 3),
    ) {
        let routing = built(&rules, sends)?;
        let destinations = [number(ALARM), number(NIGHT)];
        if routing.could_route(&came.origin(), came.now, "oncall", &destinations).is_err() {
            for destination in &destinations {
                for (subject, text) in &others {
                    let facts = Facts { subject, text, ..came.facts() };
                    let decisions = routing.decide(&facts, "oncall", destination);
                    let is_refused = |one: &Decision| matches!(one, Decision::Refuse { .. });
                    prop_assert!(decisions.iter().all(is_refused), "{decisions:?}");
                }
            }
        }
    }

    #[test]
    fn rules_are_asked_as_they_are_written(rules in rules(), sends in any::<bool>(), came in came()) {
        let routing = built(&rules, sends)?;
        for destination in [ALARM, NIGHT] {
            let mut expected = Vec::new();
            for one in rules.iter().filter(|one| hold(&one.when, &came, destination)) {
                expected.push(one.name.clone());
                if !matches!(&one.action, Action::Send(send) if send.continues) {
                    break;
                }
            }
            if expected.is_empty() {
                expected.push(DEFAULT_RULE.to_owned());
            }
            let facts = came.facts();
            let decisions = routing.decide(&facts, "oncall", &number(destination));
            prop_assert_eq!(decisions.into_iter().map(rule_of).collect::<Vec<_>>(), &expected[..]);
            // Who asks why is told the same, and of each other rule something that it missed.
            let (mut tried, mut decided) = (Vec::new(), Vec::new());
            for (of_one, decision) in routing.try_rules(&facts, "oncall", &number(destination)) {
                tried.extend(of_one);
                decided.push(rule_of(decision));
            }
            prop_assert_eq!(&decided, &expected);
            for one in tried {
                prop_assert_eq!(one.unmet.is_empty(), expected.contains(&one.rule), "{:?}", one);
            }
        }
    }

    #[test]
    fn a_rule_that_is_told_as_never_matching_never_does(rules in rules(), came in proptest::collection::vec(came(), 8)) {
        let routing = built(&rules, true)?;
        for warning in routing.warnings() {
            let Place::Rule { index, .. } = warning.place else { unreachable!() };
            for one in &came {
                for destination in [ALARM, NIGHT] {
                    let decisions = routing.decide(&one.facts(), "oncall", &number(destination));
                    let decided: Vec<String> = decisions.into_iter().map(rule_of).collect();
                    prop_assert!(!decided.contains(&rules[index].name), "{warning} {one:?} {:?}", rules);
                }
            }
        }
    }
}
