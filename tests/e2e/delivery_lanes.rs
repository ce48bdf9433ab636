//! What is urgent goes first, whatever else waits, and what one phone is sent keeps its order.

use sms_relay::emulator::{Fault, FaultRule, Record};
use sms_relay::model::Lane;

use crate::support::gateways::{answers, at, phone};
use crate::support::{Relay, Smtp, World};

/// One mail to all these phones.
fn mail_to_all(relay: &Relay, fields: &str, phones: std::ops::Range<usize>, text: &str) {
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    smtp.command("MAIL FROM:<ups@example.com>").unwrap();
    for n in phones {
        let reply = smtp.command(&format!("RCPT TO:<{}>", at(&phone(n)))).unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    smtp.command("DATA").unwrap();
    Smtp::queued(&smtp.command(&format!("From: ups@example.com\r\n{fields}\r\n{text}\r\n.")).unwrap());
}

#[test]
fn a_storm_of_two_thousand_in_bulk_does_not_delay_what_is_critical() {
    let world = World::new();
    world.order(FaultRule::on_send(Fault::Slow { millis: 300, recorded: true }));
    let relay = world.start();
    for round in 0..20 {
        mail_to_all(&relay, "Precedence: bulk\r\n", round * 100..round * 100 + 100, "storm");
    }
    world.wait_for_platform("the storm", |record| record.total() >= 12);
    for n in 0..3 {
        relay.mail_with("X-Priority: 1\r\n", &at(&phone(5000 + n)), "fire");
        let before = world.emulator.record(Record::total);
        let fires = |record: &Record| record.accepted().filter(|sms| sms.text == "fire").count();
        world.wait_for_platform("fire", |record| fires(record) > n);
        let fire = world.emulator.accepted().into_iter().rfind(|sms| sms.text == "fire").unwrap();
        // Six calls in bulk may be under way, two are kept for what is more urgent.
        assert!(fire.number <= before + 8, "{} after {before}", fire.number);
        assert!(world.emulator.record(Record::total) < 1000, "the storm is not over by then");
    }
    relay.kill();
}

#[test]
fn a_backlog_leaves_lane_by_lane_as_the_priority_fields_say() {
    let mut world = World::new();
    let dispatch = "[dispatch]\n";
    world.otherwise.push((dispatch, "[dispatch]\nconcurrency = 1\n".to_owned()));
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1));
    let relay = world.start();
    relay.mail(&at(&phone(0)), "keeps the only call");
    world.wait_for_platform("held", |record| record.held() == 1);
    let table = [
        ("X-Priority: 5\r\n", Lane::Bulk),
        ("Precedence: list\r\n", Lane::Bulk),
        ("Importance: low\r\n", Lane::Bulk),
        ("", Lane::Normal),
        ("X-Priority: 3 (Normal)\r\n", Lane::Normal),
        ("X-Priority: 7\r\n", Lane::Normal),
        ("Importance: HIGH\r\n", Lane::Critical),
        ("Priority: urgent\r\n", Lane::Critical),
        ("Precedence: bulk\r\nX-MSMail-Priority: High\r\n", Lane::Critical),
    ];
    let mail = |(n, (fields, lane)): (usize, &(&str, Lane))| {
        relay.mail_with(fields, &at(&phone(1 + n)), &format!("{lane:?} {n}"))
    };
    let ids: Vec<String> = table.iter().enumerate().map(mail).collect();
    world.emulator.release();
    world.wait_for_platform("all", |record| record.total() == 10);
    let texts = [
        "keeps the only call",
        "Critical 6",
        "Critical 7",
        "Critical 8",
        "Normal 3",
        "Normal 4",
        "Normal 5",
        "Bulk 0",
        "Bulk 1",
        "Bulk 2",
    ];
    assert_eq!(world.texts(), texts);
    assert!(relay.terminate().success());
    for (id, (fields, lane)) in ids.iter().zip(table) {
        assert_eq!(world.submission(id).messages[0].lane, lane, "{fields:?}");
    }
}

#[test]
fn problem_comes_before_recovery_whatever_happens_to_the_problem() {
    let world = World::new();
    let busy = Fault::Status { code: 429, retry_after: Some("1".to_owned()), body: None, recorded: false };
    for fault in [busy, Fault::Reset { recorded: false }, Fault::Garbage { recorded: true }] {
        world.order(FaultRule::on_send(fault).containing("PROBLEM").times(1));
    }
    world.order(answers(503).containing("RECOVERY").times(1));
    let relay = world.start();
    let texts = ["PROBLEM db1", "RECOVERY db1", "PROBLEM db2", "RECOVERY db2"];
    for text in texts {
        relay.mail("oncall@sms.local", text);
    }
    world.expect_texts(&texts);
    assert_eq!(world.emulator.record(Record::repeated), [""; 0]);
    assert!(relay.terminate().success());
}

#[test]
fn a_number_that_is_refused_and_a_call_that_hangs_delay_nobody_else() {
    let world = World::new();
    world.order(
        FaultRule::on_send(Fault::Refuse { reasons: vec!["no such number".to_owned()] }).to(&phone(1)),
    );
    world.order(FaultRule::on_send(Fault::Hold { recorded: false }).to(&phone(2)).times(1));
    world.order(answers(500).to(&phone(3)));
    let relay = world.start();
    let bad: Vec<String> = (1..=3).map(|n| relay.post(&[("to", &phone(n)), ("text", "bad")])).collect();
    relay.fate_when(&bad[0], "failed");
    world.wait_for_platform("a call that hangs", |record| record.held() == 1);
    // All in one mail with the bad ones.
    mail_to_all(&relay, "", 1..30, "good");
    world.wait_for_platform("all the others", |record| record.total() >= 26);
    assert_eq!(world.emulator.record(Record::held), 1, "the bad one hangs still");
    assert!(world.emulator.accepted().iter().all(|sms| sms.destination > phone(3)));
    world.emulator.clear_faults();
    world.wait_for_platform("the rest", |record| record.total() == 26 + 4);
    assert!(relay.terminate().success());
}
