//! `docs/reports.md` is true: its table of status codes is that of the code, no other code is made anywhere,
//! and its template works with every name that it lists.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use sms_relay::bounce::{Action, Audience, Letter, Report, ReportedRecipient};
use sms_relay::model::{
    Client, Door, EnhancedStatus, MailAddress, Original, PhoneNumber, Reason, SubmissionId,
};
use sms_relay::wording::{RecipientWords, ReportTemplate, ReportWords};

const MANUAL: &str = include_str!("../docs/reports.md");

/// The rows of the table whose head begins so, as their cells.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let rows = MANUAL.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "there is no table {head}");
    rows
}

/// What stands in backticks.
fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn status_table() -> Vec<Vec<&'static str>> {
    table("| what happened | `Action` | `Status` |")
}

/// The fields about the recipient of a report about this.
fn block(action: Action, reason: Reason, diagnostic: Option<&str>) -> String {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let submission: SubmissionId = "01HF7YAT00ARZ3NDEKTSV4RRFF".parse().unwrap();
    let address = MailAddress::parse("ops@example.com").unwrap();
    let mut cause = reason.cause();
    cause.diagnostic = diagnostic.map(str::to_owned);
    let client = Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: "192.0.2.7".parse().unwrap(),
        helo: None,
        account: None,
    };
    let recipient = ReportedRecipient {
        ids: &[submission.message(1)],
        address: "oncall@sms.local",
        orcpt: None,
        phone: &PhoneNumber::from_e164("+393471234567").unwrap(),
        texts: &["x"],
        action,
        cause: &cause,
        last_attempt_at: Some(now),
        at: now,
        retry_until: Some(now),
        platform: Some("api.example.net"),
    };
    let id = "01HF7YAT01BXJ0M1S2Q3R4T5V6".parse().unwrap();
    let report = Report {
        letter: Letter { hostname: "relay.example.com", from: &address, to: &address, id, now },
        audience: Audience::Sender,
        submission,
        received_at: now,
        client: &client,
        original: &Original::default(),
        recipients: &[recipient],
        include_text: true,
        human: None,
    };
    let mail = String::from_utf8(report.to_bytes()).unwrap();
    let (_, block) = mail.split_once("\r\nFinal-Recipient: ").unwrap();
    block.split("\r\n\r\n").next().unwrap().to_owned()
}

fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn the_table_of_status_codes_is_that_of_the_code() {
    let rows = status_table();
    let told: Vec<(&str, String)> = rows.iter().map(|row| (row[0], row[2].to_owned())).collect();
    let made: Vec<(&str, String)> =
        Reason::ALL.iter().map(|reason| (reason.words(), reason.status().to_string())).collect();
    assert_eq!(told, made);
    for (row, reason) in rows.iter().zip(Reason::ALL) {
        let [action, diagnostics] = [row[1], row[3]].map(codes);
        let Some(action) = action.first() else {
            assert_eq!((row[1], row[3]), ("none", "none"), "{reason:?}");
            continue;
        };
        let action = Action::ALL.into_iter().find(|known| known.as_str() == *action).unwrap();
        for (kind, said) in [("x-qlara", Some("http 503")), ("x-sms-relay", None)] {
            if diagnostics.contains(&kind) {
                let block = block(action, reason, said);
                // A status of another class than the action's would be changed there.
                assert_eq!(field(&block, "Status"), Some(row[2]), "{reason:?}");
                assert_eq!(
                    field(&block, "Diagnostic-Code").unwrap().split(';').next(),
                    Some(kind),
                    "{reason:?}"
                );
            }
        }
        if diagnostics.is_empty() {
            let block = block(action, reason, None);
            assert_eq!((field(&block, "Status"), field(&block, "Diagnostic-Code")), (Some(row[2]), None));
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["tests", "behaviour", "testdata", "snapshots"].contains(&name) {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}

/// The code of everything that makes causes of an SMS, without its tests.
fn code() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // The statuses in these are replies to SMTP commands, the smarthost's, or written down from elsewhere.
    let others = ["bounce", "http", "mailer", "model/reason.rs", "model/status_code.rs", "smtp"];
    let files = sources(&root).into_iter().filter(|path| {
        let below = path.strip_prefix(&root).unwrap();
        !others.iter().any(|other| below.starts_with(other)) && !below.ends_with("intake/refusal.rs")
    });
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text.split("#[cfg(test)]").next().unwrap().to_owned())
    };
    files.map(read).collect()
}

/// The statuses that a source makes by itself.
fn statuses(code: &str) -> Vec<EnhancedStatus> {
    let constants = [
        ("UNKNOWN_RECIPIENT", EnhancedStatus::UNKNOWN_RECIPIENT),
        ("EXPIRED", EnhancedStatus::EXPIRED),
        ("UNDELIVERABLE", EnhancedStatus::UNDELIVERABLE),
        ("POLICY", EnhancedStatus::POLICY),
        ("REFUSED_BY_NEXT_SYSTEM", EnhancedStatus::REFUSED_BY_NEXT_SYSTEM),
        ("SUCCESS", EnhancedStatus::SUCCESS),
    ];
    code.split("EnhancedStatus::")
        .skip(1)
        .filter_map(|rest| match rest.strip_prefix("new(") {
            Some(numbers) => {
                let numbers = numbers.split(')').next().unwrap().replace(", ", ".");
                Some(
                    EnhancedStatus::parse(&numbers).unwrap_or_else(|| panic!("which status is `{numbers}`?")),
                )
            }
            None => constants.iter().find(|(name, _)| rest.starts_with(name)).map(|(_, status)| *status),
        })
        .collect()
}

#[test]
fn no_status_is_made_that_the_table_does_not_have() {
    let told: Vec<EnhancedStatus> =
        status_table().iter().map(|row| EnhancedStatus::parse(row[2]).unwrap()).collect();
    let code = code();
    assert!(code.len() > 60, "only {} sources", code.len());
    let mut seen = 0;
    for (path, code) in &code {
        for status in statuses(code) {
            assert!(told.contains(&status), "{}: {status} is not in docs/reports.md", path.display());
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} statuses were found in the code");
    assert_eq!(
        statuses("EnhancedStatus::new(5, 9, 9), EnhancedStatus::EXPIRED, EnhancedStatus::parse(x)").len(),
        2
    );
}

#[test]
fn what_the_table_tells_of_is_what_the_code_says() {
    let code: String = code().into_iter().map(|(_, code)| code).collect();
    let name = |rest: &'_ str| rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>();
    let said: Vec<String> = code.split("Reason::").skip(1).map(name).collect();
    for reason in Reason::ALL {
        assert!(said.contains(&format!("{reason:?}")), "nobody says {reason:?}");
        assert!(!code.contains(&format!("\"{}", reason.words())), "{reason:?} is said without its name");
    }
}

fn words() -> ReportWords<'static> {
    let received: Zoned = Timestamp::from_second(1_700_000_000).unwrap().to_zoned(TimeZone::UTC);
    let one = RecipientWords {
        address: "oncall@sms.local".to_owned(),
        action: "failed".to_owned(),
        reason: "the SMS platform refused the message".to_owned(),
        text: "Disk full\non nas".to_owned(),
        ..RecipientWords::default()
    };
    let other = RecipientWords { text: String::new(), ..one.clone() };
    ReportWords {
        id: "01HF7YAT00ARZ3NDEKTSV4RRFF",
        subject: "Disk",
        received,
        client: "192.0.2.7",
        hostname: "relay.example.com",
        operator: "ops@example.com",
        recipients: vec![one, other],
    }
}

#[test]
fn the_template_works_as_it_stands() {
    let (_, template) = MANUAL.split_once("template = \"\"\"\n").unwrap();
    let (template, _) = template.split_once("\"\"\"").unwrap();
    let text = ReportTemplate::new(template).unwrap().render(&words()).unwrap();
    let line = "- oncall@sms.local: failed (the SMS platform refused the message)\n";
    let expected = format!(
        "Your SMS \"Disk\" of 14.11. 22:13:\n\n{line}  It said: Disk full\n{line}\n\
         Questions to ops@example.com, with the id 01HF7YAT00ARZ3NDEKTSV4RRFF."
    );
    assert_eq!(text, expected);
}

#[test]
fn the_names_of_a_template_are_those_listed() {
    let names = |nth: usize| -> Vec<&str> {
        let (_, rest) = MANUAL.split_once("## Words of your own").unwrap();
        let lists = rest.split("| name | what it is |\n").nth(nth).unwrap().lines().skip(1);
        lists.take_while(|line| line.starts_with('|')).map(|line| codes(line)[0]).collect()
    };
    let known = |source: &str| {
        let error = ReportTemplate::new(source).unwrap_err().to_string();
        let (_, list) = error.split_once("; it has ").unwrap();
        list.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(1), known("{{ qqqqqq }}"));
    assert_eq!(names(2), known("{{ recipients[0].qqqqqq }}"));
}

#[test]
fn each_key_of_the_example_is_told() {
    let example = include_str!("../relay.example.toml");
    let (_, section) = example.split_once("[reporting]\n").unwrap();
    let keys = section.split("# [smarthost]").next().unwrap().lines();
    let keys = keys.filter_map(|line| line.trim_start_matches("# ").split_once(" = ")).map(|(key, _)| key);
    // How the queue works; the map has it.
    let told = |key: &&str| !["from", "backoff", "lifetime"].contains(key);
    for key in keys.filter(told) {
        assert!(MANUAL.contains(&format!("`{key}")), "{key}");
    }
}
