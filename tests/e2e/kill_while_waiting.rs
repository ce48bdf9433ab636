//! SIGKILL while a message is in a state and stays there: the platform is made to hold, to fail or not to
//! be there, so that the moment is known. Which moves lie between the states: `kill_between_steps.rs`.

use sms_relay::emulator::{Fault, FaultRule, Record};
use sms_relay::model::FinalState::Delivered;
use sms_relay::model::State::{self, Claimed, Due, Final, Sent, Unknown};

use crate::support::{Relay, Smtp, World};

/// A world that asks about an unknown outcome for as long as a test takes.
fn patient_world() -> World {
    let mut world = World::new();
    world.otherwise.push(("unknown_time = \"5s\"", "unknown_time = \"10m\"".to_owned()));
    world
}

fn submit(relay: &Relay, text: &str) -> String {
    let mail = format!("From: nagios@example.com\r\n\r\n{text}");
    let reply = Smtp::connect(relay.smtp).unwrap().mail("nagios@example.com", "oncall@sms.local", &mail);
    Smtp::queued(&reply.unwrap())
}

fn failing() -> Fault {
    Fault::Status { code: 500, retry_after: None, body: None, recorded: false }
}

fn left(world: &World) -> Vec<State> {
    world.remains().messages().into_iter().map(|(_, state)| state).collect()
}

/// Waits until the handset has them, and that nothing else was sent.
fn all_delivered(world: &World, relay: Relay, ids: &[&str], texts: &[&str]) {
    for id in ids {
        let about = format!("{id}-1");
        relay.wait_for_log("final", |line| line["message"] == "final" && line["id"] == about.as_str());
    }
    assert!(relay.terminate().success());
    assert_eq!(left(world), vec![Final(Delivered); ids.len()]);
    let said: Vec<String> = world.emulator.accepted().into_iter().map(|sms| sms.text).collect();
    assert_eq!(said, texts);
    assert_eq!(world.emulator.record(Record::repeated), Vec::<String>::new());
}

#[test]
fn while_the_platform_reads_the_request_and_has_not_taken_it() {
    let world = World::new();
    world.emulator.order(FaultRule::on_send(Fault::Hold { recorded: false }).times(1)).unwrap();
    let relay = world.start();
    let ids = [submit(&relay, "first"), submit(&relay, "second")];
    world.wait_for_platform("held", |record| record.held() == 1);
    relay.kill();
    world.wait_for_platform("the request is lost with its client", |record| record.held() == 0);
    assert_eq!(left(&world), [Claimed, Due], "one at a time for each destination");
    let relay = world.start();
    all_delivered(&world, relay, &[&ids[0], &ids[1]], &["first", "second"]);
    assert_eq!(world.emulator.requests().send, 3, "the first was sent again");
}

#[test]
fn while_the_platform_has_taken_it_and_not_answered() {
    let world = World::new();
    world.emulator.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1)).unwrap();
    let relay = world.start();
    let ids = [submit(&relay, "first"), submit(&relay, "second")];
    world.wait_for_platform("held", |record| record.held() == 1 && record.total() == 1);
    relay.kill();
    assert_eq!(left(&world), [Claimed, Due]);
    let relay = world.start();
    all_delivered(&world, relay, &[&ids[0], &ids[1]], &["first", "second"]);
    assert_eq!(world.emulator.requests().send, 2, "the first was not sent again");
}

#[test]
fn while_nobody_can_say_whether_the_platform_has_it() {
    let world = patient_world();
    world.emulator.order(FaultRule::on_send(Fault::Reset { recorded: true }).times(1)).unwrap();
    world.emulator.order(FaultRule::on_status(failing())).unwrap();
    let relay = world.start();
    let id = submit(&relay, "db1 is DOWN");
    world.wait_for_platform("asked in vain", |record| record.requests().status >= 1);
    relay.kill();
    assert_eq!(left(&world), [Unknown]);
    for _ in 0..2 {
        let asked = world.emulator.requests().status;
        let relay = world.start();
        world.wait_for_platform("asked after the start", |record| record.requests().status > asked);
        relay.kill();
        assert_eq!(left(&world), [Unknown]);
    }
    world.emulator.clear_faults();
    let relay = world.start();
    all_delivered(&world, relay, &[&id], &["db1 is DOWN"]);
    assert_eq!(world.emulator.requests().send, 1);
}

#[test]
fn while_the_platform_is_not_there() {
    let mut world = patient_world();
    // Nothing listens on port 1; the right one becomes a comment.
    world.otherwise.push(("url = \"http://127.0.0.1:", "url = \"http://127.0.0.1:1\" # ".to_owned()));
    let relay = world.start();
    let ids = [submit(&relay, "first"), submit(&relay, "second")];
    let wait_for_failure = |relay: &Relay| {
        relay.wait_for_log("tried or asked in vain", |line| {
            line["message"] == "tried again later" || line["message"] == "still unknown"
        });
    };
    let mut running = Some(relay);
    for _ in 0..2 {
        let relay = running.take().unwrap_or_else(|| world.start());
        wait_for_failure(&relay);
        relay.kill();
        let states = left(&world);
        // Between two attempts, in one, or asked about since the start before.
        assert!(matches!(states[..], [Due | Claimed | Unknown, Due]), "{states:?}");
    }
    assert_eq!(world.emulator.requests().send, 0);
    world.otherwise.pop();
    let relay = world.start();
    all_delivered(&world, relay, &[&ids[0], &ids[1]], &["first", "second"]);
}

#[test]
fn while_it_is_on_its_way_to_the_handset() {
    let world = World::new();
    world.emulator.order(FaultRule::on_status(failing())).unwrap();
    let relay = world.start();
    let id = submit(&relay, "db1 is DOWN");
    world.wait_for_platform("asked in vain", |record| record.requests().status >= 1);
    relay.kill();
    assert_eq!(left(&world), [Sent]);
    let asked = world.emulator.requests().status;
    let relay = world.start();
    world.wait_for_platform("asked after the start", |record| record.requests().status > asked);
    world.emulator.clear_faults();
    all_delivered(&world, relay, &[&id], &["db1 is DOWN"]);
    assert_eq!(world.emulator.requests().send, 1);
}

/// A question is handed out for a minute; that its process is dead must not make a message wait so long.
#[test]
fn while_a_question_is_under_way() {
    for state in [Unknown, Sent] {
        let world = patient_world();
        if state == Unknown {
            world.emulator.order(FaultRule::on_send(Fault::Reset { recorded: true }).times(1)).unwrap();
        }
        world.emulator.order(FaultRule::on_status(Fault::Hold { recorded: false })).unwrap();
        let relay = world.start();
        let id = submit(&relay, "db1 is DOWN");
        world.wait_for_platform("held", |record| record.held() == 1);
        relay.kill();
        assert_eq!(left(&world), [state]);
        let asked_at = || world.remains().submission(&id).messages[0].next_at.unwrap();
        let leased_until = asked_at();
        let environment = [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", "after-recover-commit")];
        Relay::start_and_end(&world.write(), &environment);
        assert!(asked_at() < leased_until, "asked again at {}, not before {leased_until}", asked_at());
        world.emulator.clear_faults();
        let relay = world.start();
        all_delivered(&world, relay, &[&id], &["db1 is DOWN"]);
        assert_eq!(world.emulator.requests().send, 1);
    }
}
