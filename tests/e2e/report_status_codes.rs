//! What the platform does to an SMS is reported as the table of `docs/reports.md` has it.

use sms_relay::emulator::{Fault, FaultRule, Outcome};

use crate::support::{Letter, Mail, World, tool};

const MANUAL: &str = include_str!("../../docs/reports.md");
const MAIL: &str = "From: ups@example.com\nSubject: Power\n\nOut.\n";

/// Words, action, status and kind of diagnostic: the table's rows with one of each.
fn rows() -> Vec<[&'static str; 4]> {
    let table =
        MANUAL.lines().skip_while(|line| !line.starts_with("| what happened | `Action` | `Status` |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells: Vec<&str> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        cells.try_into().unwrap()
    })
    .collect()
}

/// Each recipient of a report with the words of its cause, compared with the table; returns the words.
fn judged(letter: &Letter) -> Vec<&'static str> {
    let recipients = letter.status("Final-Recipient");
    let mut found = Vec::new();
    for (n, block) in letter.part("message/delivery-status").split("\n\n").skip(1).enumerate() {
        let address = recipients[n].strip_prefix("rfc822; ").unwrap();
        let mut human = letter.human().lines().skip_while(|line| !line.starts_with(&format!("  {address}")));
        let said = human.nth(1).unwrap().trim();
        let rows = rows();
        let row =
            rows.iter().find(|row| said.starts_with(row[0])).unwrap_or_else(|| panic!("no row for {said}"));
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("none");
        let kind = field("Diagnostic-Code: ").split(';').next().unwrap();
        assert_eq!(
            [said.get(..row[0].len()).unwrap(), field("Action: "), field("Status: "), kind],
            *row,
            "{block}"
        );
        found.push(row[0]);
    }
    found
}

#[test]
fn each_end_has_the_status_of_the_table() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    // The content decides too, so that it is not refused at RCPT.
    world.rules = "
[[rule]]
name = \"shut\"
when.recipient = \"^[+]393470000006$\"
when.subject = \"power\"
refuse = \"shut\"
"
    .to_owned();
    let status = |code| Fault::Status { code, retry_after: None, body: None, recorded: false };
    let end = |outcome| Fault::Deliver { outcome, delay_millis: Some(0) };
    for (last, fault) in [
        ("1", Fault::Refuse { reasons: vec!["no".to_owned()] }),
        ("2", status(422)),
        ("3", end(Outcome::Error)),
        ("4", end(Outcome::Expired)),
    ] {
        world.order(FaultRule::on_send(fault).to(&format!("+39347000000{last}")));
    }
    let relay = world.start();
    let addresses: Vec<String> = (1..=6).map(|last| format!("+39347000000{last}@sms.local")).collect();
    let to: Vec<(&str, &[&str])> =
        addresses.iter().map(|address| (address.as_str(), &["NOTIFY=SUCCESS,FAILURE"][..])).collect();
    Mail { from: "ups@example.com", options: &[], to: &to, mail: MAIL }.send(relay.smtp);
    let mut found = Vec::new();
    let mut reports = 0;
    // In one report where all are known at one look, otherwise in several.
    while found.len() < 6 {
        reports += 1;
        found.extend(judged(&Letter::read(&world.mailbox.wait_for(reports)[reports - 1])));
    }
    found.sort_unstable();
    let mut expected = [
        "the SMS platform did not accept the message",
        "the SMS platform refused the message",
        "the platform could not deliver it to the handset",
        "the platform gave it up before it reached the handset",
        "the handset has it",
        "refused by rule",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(relay.terminate().success());
}

#[test]
fn what_outlives_its_time_has_the_status_of_the_table() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.rules = "[[rule]]\nname = \"short\"\nlifetime = \"2s\"\nwhen.subject = \"power\"\n".to_owned();
    let fault = Fault::Status { code: 503, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_send(fault));
    let relay = world.start();
    Mail::new("ups@example.com", &("oncall@sms.local", &[]), MAIL).send(relay.smtp);
    let found = judged(&Letter::read(&world.mailbox.wait_for(1)[0]));
    assert_eq!(found, ["its lifetime ended before the platform took it"]);
    assert!(relay.terminate().success());
}
