//! Several gateways: what was not sent leaves by the next one as soon as one cannot be used, what it may have
//! stays with it, and the traffic comes back once it works again.

use jiff::Timestamp;
use sms_relay::emulator::{Emulator, Fault, FaultRule, Record};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::gateways::{answers, at, phone, tells_nothing, texts};
use crate::support::{Relay, World};

const SHUT: &str = "nothing is sent for now; every message is kept and the gateway is probed";

/// Mails to one phone after the other until `platform` has one of them.
fn mail_until(
    world: &World,
    relay: &Relay,
    platform: &Emulator,
    is_there: impl Fn(&Record) -> bool,
) -> usize {
    let mut sent = 0;
    relay.look_until(|| {
        if platform.record(&is_there) {
            return Ok(());
        }
        relay.mail(&at(&phone(1000 + sent)), "probe");
        sent += 1;
        Err("it is not back")
    });
    world.wait_at(platform, "it is back", is_there);
    sent
}

#[test]
fn a_wrong_account_moves_everything_to_the_next_gateway_at_once_and_is_said_by_name() {
    let (mut world, backup) = World::with_backup();
    // So long that nothing of what follows is a probe.
    let probe = "probe = { first = \"1s\", most = \"2s\" }";
    world.otherwise.push((probe, "probe = { first = \"10m\", most = \"10m\" }".to_owned()));
    let backoff = "backoff = { first = \"1s\", most = \"2s\" }\nprobe";
    world.otherwise.push((backoff, "backoff = { first = \"10m\", most = \"10m\" }\nprobe".to_owned()));
    world.order(answers(401));
    let relay = world.start();
    relay.wait_for_metric("sms_relay_gateway_open{gateway=\"main\"}", 1.0);
    assert_eq!(relay.get("/readyz").0, 200);
    let id = relay.mail(&at(&phone(1)), "first");
    world.wait_at(&backup, "the first", |record| record.total() == 1);
    let line = relay.wait_for_message(SHUT);
    assert_eq!(line["gateway"], "main");
    for n in 2..=6 {
        relay.mail(&at(&phone(n)), "more");
    }
    world.wait_at(&backup, "all", |record| record.total() == 6);
    assert_eq!(world.emulator.requests().send, 1, "one has met the fault, and nobody else");
    assert_eq!(world.emulator.accepted(), []);
    let (status, text) = relay.get("/readyz");
    assert_eq!(status, 503);
    assert!(
        text.contains("gateway main: nothing is sent since") && !text.contains("gateway backup"),
        "{text}"
    );
    relay.wait_for_metric("sms_relay_gateway_open{gateway=\"main\"}", 0.0);
    relay.wait_for_metric("sms_relay_gateway_open{gateway=\"backup\"}", 1.0);
    relay.wait_for_metric("sms_relay_calls_total{gateway=\"main\",outcome=\"fault\"}", 1.0);
    relay.wait_for_metric("sms_relay_calls_total{gateway=\"backup\",outcome=\"accepted\"}", 6.0);
    assert!(relay.terminate().success());
    let view = world.submission(&id);
    let tries: Vec<_> = view.messages[0].tries.iter().map(|one| one.gateway.as_deref().unwrap()).collect();
    assert_eq!(tries, ["main", "backup"]);
}

#[test]
fn five_failures_in_a_row_open_the_circuit_and_one_probe_at_a_time_closes_it() {
    let (world, backup) = World::with_backup();
    world.order(answers(503).times(5));
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1));
    let relay = world.start();
    for n in 0..5 {
        relay.mail(&at(&phone(n)), "storm");
    }
    let line = relay.wait_for_message(SHUT);
    assert_eq!(line["gateway"], "main");
    // Each of the five failed once, and comes again by its back-off: one of them may be the probe.
    let probes = mail_until(&world, &relay, &world.emulator, |record| record.held() == 1);
    let asked = world.emulator.requests().send;
    assert_eq!(asked, 6, "five failures and a probe");
    for n in 100..105 {
        relay.mail(&at(&phone(n)), "while the probe is under way");
    }
    let rest = 5 + probes as u64 + 5 - 1;
    world.wait_at(&backup, "all but the probe", |record| record.total() == rest);
    assert_eq!(world.emulator.requests().send, asked, "nobody but the probe");
    world.emulator.release();
    let line = relay.wait_for_message("the gateway works again");
    assert_eq!(line["gateway"], "main");
    let before = world.emulator.requests().send;
    for n in 200..205 {
        relay.mail(&at(&phone(n)), "afterwards");
    }
    world.wait_for_platform("the traffic is back", |record| record.total() == 6);
    assert_eq!(world.emulator.requests().send, before + 5);
    assert_eq!(backup.requests().send, rest, "nothing more by the second one");
    assert_eq!(relay.get("/readyz").0, 200);
    assert!(relay.terminate().success());
}

/// Even a single message does not wait for a gateway that is not there.
#[test]
fn one_message_leaves_a_gateway_that_refuses_connections() {
    let (mut world, backup) = World::with_backup();
    let door = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    door.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = door.local_addr().unwrap().as_socket().unwrap();
    let usual = format!("url = \"{}\"", world.emulator.base_url());
    let usual: &'static str = usual.leak();
    world.otherwise.push((usual, format!("url = \"http://{address}\"")));
    let backoff = "backoff = { first = \"1s\", most = \"2s\" }\nprobe";
    world.otherwise.push((backoff, "backoff = { first = \"1s\", most = \"1s\" }\nprobe".to_owned()));
    let relay = world.start();
    relay.mail(&at(&phone(1)), "alone");
    world.wait_at(&backup, "it", |record| record.total() == 1);
    assert_eq!(relay.wait_for_message(SHUT)["gateway"], "main");
    relay.mail(&at(&phone(2)), "another one");
    world.wait_at(&backup, "the other one", |record| record.total() == 2);

    drop(door);
    let back = world.platform_at(address);
    mail_until(&world, &relay, &back, |record| record.total() >= 1);
    assert_eq!(relay.wait_for_message("the gateway works again")["gateway"], "main");
    assert!(relay.terminate().success());
}

/// What a gateway stumbles over leaves it alone: for all others it is as good as before.
#[test]
fn one_message_that_a_gateway_always_fails_with_goes_by_the_next_one() {
    let (mut world, backup) = World::with_backup();
    let backoff = "backoff = { first = \"1s\", most = \"2s\" }\nprobe";
    world.otherwise.push((backoff, "backoff = { first = \"1s\", most = \"1s\" }\nprobe".to_owned()));
    world.order(answers(500).containing("stumbles"));
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "it stumbles over this")]);
    let line = relay.wait_for_message("tried again later, by its other gateways first");
    assert_eq!((&line["gateway"], &line["attempt"]), (&"main".into(), &5.into()));
    let fate = relay.fate_when(&id, "delivered");
    let attempts = fate["messages"][0]["attempts"].as_array().unwrap();
    let gateways: Vec<_> = attempts.iter().map(|attempt| attempt["gateway"].as_str().unwrap()).collect();
    assert_eq!(gateways, ["main", "main", "main", "main", "main", "backup"]);
    relay.mail(&at(&phone(2)), "it likes this");
    world.wait_for_platform("the other one", |record| record.total() == 1);
    assert_eq!(texts(&backup), ["it stumbles over this"]);
    assert_eq!(relay.get("/readyz").0, 200);
    relay.wait_for_metric("sms_relay_gateway_open{gateway=\"main\"}", 1.0);
    relay.wait_for_metric("sms_relay_calls_total{gateway=\"main\",outcome=\"later\"}", 5.0);
    assert!(relay.terminate().success());
    let notes: Vec<_> =
        world.submission(&id).messages.remove(0).events.into_iter().map(|event| event.note).collect();
    let moved = notes.iter().filter(|note| note.ends_with("; from now on by its other gateways first"));
    assert_eq!(moved.count(), 1, "{notes:#?}");
}

#[test]
fn what_the_first_may_have_stays_with_it_while_the_rest_leaves() {
    let (mut world, backup) = World::with_backup();
    world.otherwise.push(("unknown_time = \"5s\"", "unknown_time = \"10m\"".to_owned()));
    world.order(FaultRule::on_send(Fault::Reset { recorded: true }).containing("perhaps").times(1));
    world.order(answers(401));
    world.order(tells_nothing());
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "perhaps")]);
    relay.wait_for_message("outcome unknown; the platform is asked");
    for n in 2..=4 {
        relay.mail(&at(&phone(n)), "for certain not");
    }
    // What follows to the same phone waits for it: its order counts more.
    let behind = relay.post(&[("to", &phone(1)), ("text", "behind it")]);
    world.wait_at(&backup, "the rest", |record| record.total() == 3);
    world.wait_for_platform("the question", |record| record.requests().status >= 1);
    assert_eq!(texts(&backup), ["for certain not"; 3]);
    assert_eq!(relay.fate(&id)["messages"][0]["gateway"], "main");
    assert_eq!(relay.fate(&behind)["messages"][0]["attempts"].as_array().unwrap().len(), 0);
    world.emulator.clear_faults();
    let fate = relay.fate_when(&id, "delivered");
    let attempts = fate["messages"][0]["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["gateway"]), (1, &"main".into()));
    relay.fate_when(&behind, "delivered");
    let everybody = [texts(&world.emulator), texts(&backup)].concat();
    assert_eq!(everybody.iter().filter(|text| *text == "perhaps").count(), 1);
    assert_eq!(backup.record(|record| record.accepted().filter(|sms| sms.text == "perhaps").count()), 0);
    assert!(relay.terminate().success());
}

const APART: &str = r#"
[[rule]]
name = "alarms"
when.text = "^alarm"
gateways = ["main"]

[[rule]]
name = "news"
when.text = "^news"
gateways = ["backup"]

[[rule]]
name = "any"
gateways = ["main", "backup"]
"#;

fn busy(retry_after: &str) -> FaultRule {
    let retry_after = Some(retry_after.to_owned());
    FaultRule::on_send(Fault::Status { code: 429, retry_after, body: None, recorded: false }).times(1)
}

#[test]
fn retry_after_of_one_gateway_stops_all_its_workers_and_none_of_the_other() {
    let (mut world, backup) = World::with_backup();
    world.rules.push_str(APART);
    world.order(busy("4"));
    let relay = world.start();
    let not_before = Timestamp::now() + Duration::from_secs(4);
    relay.mail(&at(&phone(1)), "alarm 1");
    relay.wait_for_message("tried again later");
    for n in 2..=5 {
        relay.mail(&at(&phone(n)), &format!("alarm {n}"));
        // Not to the same phone, whose order counts more than any gateway.
        relay.mail(&at(&phone(100 + n)), &format!("news {n}"));
    }
    // A short pause is waited for.
    relay.mail(&at(&phone(11)), "by any of them");
    world.wait_at(&backup, "the other one's", |record| record.total() == 4);
    let last = backup.accepted().last().unwrap().accepted_at;
    assert!(last < not_before, "{last} is not before {not_before}");
    world.wait_for_platform("all", |record| record.total() == 6);
    assert_eq!(world.emulator.requests().send, 7, "429, and then each once");
    for sms in world.emulator.accepted() {
        assert!(sms.accepted_at >= not_before, "{} is before {not_before}", sms.accepted_at);
    }
    assert_eq!(backup.record(Record::total), 4);
    assert_eq!(relay.get("/readyz").0, 200, "a pause is no trouble");
    assert!(relay.terminate().success());
}

#[test]
fn a_pause_of_more_than_half_a_minute_is_not_waited_for_where_another_gateway_may_be_used() {
    let (mut world, backup) = World::with_backup();
    world.rules.push_str(APART);
    world.order(busy("600"));
    let relay = world.start();
    for n in 1..=5 {
        relay.mail(&at(&phone(n)), "by any of them");
        world.wait_at(&backup, "it", |record| record.total() == n as u64);
    }
    assert_eq!(world.emulator.requests().send, 1);
    relay.wait_for_metric("sms_relay_gateway_open{gateway=\"main\"}", 0.0);
    assert!(relay.terminate().success());
}

/// Too busy to answer questions is not too busy to take messages.
#[test]
fn retry_after_of_a_question_holds_questions_and_nothing_that_is_sent() {
    let world = World::new();
    let busy = |retry_after: &str| {
        let retry_after = Some(retry_after.to_owned());
        Fault::Status { code: 503, retry_after, body: None, recorded: false }
    };
    world.order(FaultRule::on_credit(busy("5")));
    let relay = world.start();
    let line = relay.wait_for_message("the credit is not known now");
    let told_at: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    let first = relay.post(&[("to", &phone(1)), ("text", "alarm")]);
    world.wait_for_platform("it", |record| record.total() == 1);
    let sent_at = world.emulator.accepted()[0].accepted_at;
    assert!(sent_at < told_at + Duration::from_secs(4), "told at {told_at}, sent at {sent_at}");
    relay.fate_when(&first, "delivered");
    // The line is written a little after the answer came, from which the pause counts.
    let asked_at = Timestamp::now();
    assert!(told_at + Duration::from_millis(4500) <= asked_at, "told at {told_at}, asked before {asked_at}");

    world.order(FaultRule::on_send(Fault::Reset { recorded: true }).containing("perhaps").times(1));
    world.order(FaultRule::on_status(busy("600")));
    let asked = world.emulator.requests().status + 1;
    let unknown = relay.post(&[("to", &phone(2)), ("text", "perhaps")]);
    relay.wait_for_message("still unknown");
    for n in 3..=5 {
        relay.post(&[("to", &phone(n)), ("text", "alarm")]);
    }
    world.wait_for_platform("the others", |record| record.total() == 5);
    assert_eq!(world.emulator.requests().status, asked, "one question was told to wait, and all do");
    assert_eq!(relay.fate(&unknown)["messages"][0]["state"], "unknown");
    assert_eq!(relay.get("/readyz").0, 200);
    assert!(relay.terminate().success());
}
