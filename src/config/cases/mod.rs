//! `[[test]]`: given this mail or form post, expect this.
//!
//! The file is read and checked for its form whenever a configuration is loaded; the tests are run by
//! `sms-relay check` alone. A relay that starts at night does not stay down for a test that fails,
//! and mails that tests name as files are not opened before a test is run.
//!
//! - `given`: the mail or form post, and who hands it in
//! - `expect`: what is expected
//! - `compare`: what came instead, `delivered` of it what is about delivery
//! - `diff`: two texts side by side

mod compare;
mod delivered;
mod diff;
mod expect;
mod given;

use std::collections::HashSet;
use std::path::PathBuf;

use jiff::Timestamp;

pub use compare::{Difference, compare};
pub use expect::{At, Expect, Reason};
use given::Given;

use super::doors::Doors;
use super::problem::{Problem, Problems, Severity};
use super::reader::{Reader, Section, Value};
use super::{Config, values};
use crate::intake;
use crate::model::Client;
use crate::routing::Routing;

/// Most characters of a test's name.
const MAX_NAME: usize = 100;

/// The tests of one configuration.
#[derive(Clone, Debug)]
pub struct Tests {
    /// The configuration file, as it was named.
    file: PathBuf,
    cases: Vec<Case>,
}

/// One test.
#[derive(Clone, Debug)]
struct Case {
    /// One line, unique.
    name: String,
    client: Client,
    given: Given,
    /// When it comes in; `None` is now.
    at: Option<Timestamp>,
    expect: Expect,
}

/// How the tests went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Tests that got what they expect.
    pub passed: usize,
    /// Tests that did not.
    pub failed: usize,
    /// What came instead of what they expect: an error for each expectation, in the order of the tests.
    pub problems: Problems,
}

impl Tests {
    /// The recipients that they name, as senders write them but for the domain.
    pub(super) fn recipients(&self) -> Vec<String> {
        self.cases.iter().flat_map(|case| case.given.recipients()).collect()
    }

    /// Runs all of them: the way of a real mail or form post through the rules, and nothing is kept or
    /// sent. `now` is the time of those that name none.
    pub fn run(&self, config: &Config, now: Timestamp) -> Outcome {
        let mut failed = 0;
        let mut problems = Vec::new();
        for case in &self.cases {
            let differences = case.run(config, now);
            failed += usize::from(!differences.is_empty());
            problems.extend(differences.into_iter().map(|Difference { place, text, diff }| Problem {
                severity: Severity::Error,
                file: self.file.clone(),
                place: Some(place),
                text: format!("test `{}`: {text}", case.name),
                more: diff,
            }));
        }
        Outcome { passed: self.cases.len() - failed, failed, problems: Problems::new(problems) }
    }
}

impl Case {
    fn run(&self, config: &Config, now: Timestamp) -> Vec<Difference> {
        let now = self.at.unwrap_or(now);
        let explain = |incoming: intake::Incoming<'_>| {
            let explanation = intake::explain(&config.routing, &config.intake, &self.client, incoming, now);
            compare(&self.expect, &explanation)
        };
        match self.given.with_incoming(explain) {
            Ok(differences) => differences,
            Err((place, text)) => vec![Difference { place, text, diff: String::new() }],
        }
    }
}

/// Reads the sections. A test that is wrong may be left out or not: with an error noted nobody gets the
/// tests. `routing` is `None` where it has errors of its own.
pub(super) fn read(
    reader: &Reader,
    top: &Section,
    doors: &Doors,
    routing: Option<&Routing>,
    gateways: Option<&[String]>,
) -> Tests {
    let mut names = HashSet::new();
    let sections = top.sections("test");
    let cases = sections.iter().filter_map(|section| {
        let name = section.required("name", "\"a fire reaches the phone on call\"", name);
        if let Some(name) = &name
            && !names.insert(name.clone())
        {
            let text = format!("there are two tests with the name `{name}`; give this one another `name`");
            reader.error(section.place("name"), text);
        }
        let given = given::read(reader, section, doors);
        let at = section.optional("at", time);
        let expect = expect::read(reader, section, routing, gateways);
        let (client, given) = given?;
        Some(Case { name: name?, client, given, at, expect: expect? })
    });
    Tests { file: reader.file().to_owned(), cases: cases.collect() }
}

fn name(value: &Value) -> Option<String> {
    let written = values::text(value)?;
    if written.chars().count() <= MAX_NAME && !written.chars().any(char::is_control) {
        return Some(written);
    }
    value.fail(format!("the name of a test has up to {MAX_NAME} characters on one line"))
}

/// A date with a time, as a text or as TOML has them; without an offset it is this machine's time.
fn time(value: &Value) -> Option<Timestamp> {
    let item = value.item.get_ref();
    let written = item.as_str().map(str::to_owned).or_else(|| item.as_datetime().map(ToString::to_string));
    let Some(written) = written else { return value.wrong_type("a date with a time") };
    values::moment(&written).or_else(|| {
        let shown = written.escape_debug();
        value.fail(format!(
            "`{shown}` is not a date with a time; write it like \"2026-01-31T03:00:00+01:00\", or without the offset \
             for the time of this machine"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::Form;
    use crate::model::{Door, Lane};

    const AROUND: &str = r#"
        hostname = "relay.example.com"
        http.listener = [{ name = "web", bind = "127.0.0.1:8025" }]
        routing.allowed = ["+39"]
        defaults.sender = "Relay"
        spool.directory = "spool"
        gateway = { url = "http://127.0.0.1:8026", credentials = "emulator" }
        reporting.to = "off"

        [[http.account]]
        name = "elsewhere"
        networks = ["10.0.0.0/8"]
        without_password = true

        [[http.account]]
        name = "here"
        without_password = true
        may_choose_sender = true
        may_choose_lane = true
    "#;
    const SMTP: &str = r#"
        [[smtp.listener]]
        name = "lan"
        bind = "127.0.0.1:2525"

        [[smtp.listener]]
        name = "far"
        bind = "127.0.0.1:2526"
        networks = ["192.0.2.0/24"]
    "#;

    /// The only test of a configuration with this behind it, or every problem.
    fn case(rest: &str) -> Result<Case, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("relay.toml");
        std::fs::write(&path, format!("{AROUND}{rest}")).unwrap();
        let mut loaded = super::super::load(&path).map_err(|problems| problems.to_string())?;
        assert_eq!(loaded.tests.cases.len(), 1);
        Ok(loaded.tests.cases.remove(0))
    }

    fn with(door: &str, keys: &str) -> Result<Case, String> {
        case(&format!("{door}[[test]]\nname = \"x\"\nexpect.rule = \"default\"\n{keys}"))
    }

    #[test]
    fn a_mail_comes_through_the_first_smtp_listener_from_this_machine_unless_told_otherwise() {
        let usual = with(SMTP, "from = \"ups@example.com\"\nto = \"oncall@sms.local\"").unwrap();
        assert_eq!(
            usual.client,
            Client {
                door: Door::Smtp,
                listener: "lan".to_owned(),
                address: "127.0.0.1".parse().unwrap(),
                helo: None,
                account: None,
            }
        );
        let Given::Mail { envelope, .. } = usual.given else { panic!("{:?}", usual.given) };
        assert_eq!(envelope.reverse_path.to_string(), "<ups@example.com>");
        let to: Vec<String> = envelope.recipients.iter().map(|to| to.address.to_string()).collect();
        assert_eq!(to, ["oncall@sms.local"]);
        let told = "from = \"<>\"\nto = [\"a@b\", \"c@d\"]\nlistener = \"far\"\nclient = \"::ffff:192.0.2.7\"\nhelo = \"ups\"";
        let told = with(SMTP, told).unwrap();
        assert_eq!((told.client.listener.as_str(), told.client.helo.as_deref()), ("far", Some("ups")));
        assert_eq!(told.client.address.to_string(), "192.0.2.7");
        let Given::Mail { envelope, .. } = told.given else { panic!("{:?}", told.given) };
        assert_eq!((envelope.reverse_path.to_string().as_str(), envelope.recipients.len()), ("<>", 2));
    }

    #[test]
    fn a_form_post_comes_from_the_first_account_that_may_post_from_there() {
        // Without an SMTP listener an HTTP one is the first.
        let keys = "to = [\"oncall\", \"+39347\"]\ntext = \"Fire\"\nsender = \"Shop\"";
        for (door, listener) in [("", ""), (SMTP, "listener = \"web\"\n")] {
            let case = with(door, &format!("{listener}{keys}")).unwrap();
            assert_eq!((case.client.door, case.client.account.as_deref()), (Door::Http, Some("here")));
            let Given::Form(form) = case.given else { panic!("{:?}", case.given) };
            let to = vec!["oncall".to_owned(), "+39347".to_owned()];
            assert_eq!(
                form,
                Form { to, text: "Fire".to_owned(), sender: Some("Shop".to_owned()), ..Form::default() }
            );
        }
        let keys = "to = \"oncall\"\nclient = \"10.1.2.3\"";
        assert_eq!(with("", keys).unwrap().client.account.as_deref(), Some("elsewhere"));
        let other = with("", &format!("{keys}\naccount = \"here\"")).unwrap();
        assert_eq!(other.client.account.as_deref(), Some("here"));
        let outside = with("", "to = \"oncall\"\naccount = \"elsewhere\"").unwrap_err();
        assert!(outside.contains("account `elsewhere` lets nobody in from 127.0.0.1"), "{outside}");
    }

    #[test]
    fn a_form_post_asks_for_its_lane_and_time_in_the_words_of_its_fields() {
        let asked = |keys: &str| {
            let case = with("", &format!("to = \"+39347\"\ntext = \"Fire\"\n{keys}"))?;
            let Given::Form(form) = case.given else { panic!("{:?}", case.given) };
            Ok((form.lane, form.deliver_at))
        };
        let at: Timestamp = "2031-01-31T06:30:00Z".parse().unwrap();
        for (lane, read) in [("critical", Lane::Critical), ("Normal", Lane::Normal), ("BULK", Lane::Bulk)] {
            assert_eq!(asked(&format!("lane = \"{lane}\"")), Ok((Some(read), None)));
        }
        for written in ["\"2031-01-31 07:30+0100\"", "\"2031-01-31T06:30:00Z\"", "2031-01-31T07:30:00+01:00"]
        {
            assert_eq!(asked(&format!("deliver_at = {written}")), Ok((None, Some(at))), "{written}");
        }
        let local: jiff::civil::DateTime = "2031-01-31T07:30:00".parse().unwrap();
        let local = local.to_zoned(jiff::tz::TimeZone::system()).unwrap().timestamp();
        assert_eq!(asked("deliver_at = 2031-01-31T07:30:00"), Ok((None, Some(local))));
        let failed = |keys: &str| -> String { asked(keys).unwrap_err() };
        for (keys, words) in [
            ("lane = \"urgent\"", "`urgent` is not a lane; write one of critical, normal, bulk"),
            (
                "lane = \"bulk\"\naccount = \"elsewhere\"\nclient = \"10.1.2.3\"",
                "account `elsewhere` may not choose the lane; leave out `lane`, or set may_choose_lane = true",
            ),
            (
                "deliver_at = \"tomorrow\"",
                "`tomorrow` is not a time; write it like 2031-01-31T07:30:00+01:00",
            ),
            ("deliver_at = 2031-01-31", "`2031-01-31` is not a time"),
            ("deliver_at = 7", "a date with a time"),
            ("lane = 7", "a text"),
        ] {
            let text = failed(keys);
            assert!(text.contains(words), "{keys}: {text}");
        }
    }

    #[test]
    fn what_a_form_post_asks_for_comes_to_its_delivery() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("relay.toml");
        let run = |expected: &str| {
            let test = "[[test]]\nname = \"x\"\nto = \"+393471234567\"\ntext = \"Fire\"\nlane = \"bulk\"\n\
                        at = 2026-01-31T03:00:00\ndeliver_at = 2026-01-31T08:00:00\n";
            std::fs::write(&path, format!("{AROUND}{test}{expected}")).unwrap();
            let loaded = super::super::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
            loaded.tests.run(&loaded.config, Timestamp::UNIX_EPOCH).passed
        };
        assert_eq!(run("expect.lane = \"bulk\"\nexpect.deliver_at = 2026-01-31T08:00:00"), 1);
        assert_eq!(run("expect.lane = \"normal\""), 0);
        assert_eq!(run("expect.deliver_at = false"), 0);
    }

    #[test]
    fn a_time_may_be_written_in_several_ways() {
        let at = |written: &str| {
            with("", &format!("to = \"oncall\"\nat = {written}")).map(|case| case.at.unwrap())
        };
        let expected: Timestamp = "2026-01-31T02:00:00Z".parse().unwrap();
        for written in ["2026-01-31T03:00:00+01:00", "2026-01-31 02:00:00Z"] {
            assert_eq!(at(written), Ok(expected), "{written}");
            assert_eq!(at(&format!("\"{written}\"")), Ok(expected), "{written}");
        }
        let local: jiff::civil::DateTime = "2026-07-31T03:00:00".parse().unwrap();
        let local = local.to_zoned(jiff::tz::TimeZone::system()).unwrap().timestamp();
        assert_eq!(at("2026-07-31T03:00:00"), Ok(local));
        assert_eq!(at("\"2026-07-31T03:00:00\""), Ok(local));
        for wrong in ["03:00:00", "\"soon\"", "7"] {
            assert!(at(wrong).unwrap_err().contains("a date with a time"), "{wrong}");
        }
    }

    #[test]
    fn names_are_bounded_at_n_and_not_n_plus_one() {
        let named = |length: usize| {
            let name = "è".repeat(length);
            case(&format!("[[test]]\nname = \"{name}\"\nto = \"oncall\"\nexpect.rule = \"default\""))
        };
        assert_eq!(named(MAX_NAME).unwrap().name.chars().count(), MAX_NAME);
        assert!(named(MAX_NAME + 1).unwrap_err().contains("has up to 100 characters"));
    }
}
