//! What the platform says of its own accord settles a message: part by part, in whatever order, as often as
//! it likes, before its own answer and after the end.

use sms_relay::emulator::{CallbackSettings, CallbackShape, Fault, FaultRule, Outcome, Record};
use sms_relay::model::{FinalState, State};

use crate::support::{Relay, World, callback};

/// Two parts and a bit of GSM 7-bit.
fn long_text() -> String {
    "On battery for 12 minutes, 40 % left. ".repeat(10).trim_end().to_owned()
}

fn silent(settings: &mut sms_relay::emulator::Settings) {
    settings.delivery.outcome = Outcome::Never;
}

/// The counter of callbacks that were taken.
fn taken(relay: &Relay, result: &str) -> u64 {
    relay.counted(&format!("sms_relay_callbacks_total{{result=\"{result}\"}}"))
}

#[test]
fn both_shapes_deliver_a_text_of_three_parts_and_sum_its_price() {
    for shape in [CallbackShape::Universal, CallbackShape::UseCase] {
        let world = World::calling(|settings| settings.callback_shape = shape);
        let relay = world.start_calling();
        let id = relay.send_form("oncall", &long_text());
        let sms = format!("{id}-1");
        relay.wait_for_state(&sms, "delivered");
        let fate = &relay.fate(&id)["messages"][0];
        assert_eq!((fate["state"].as_str(), fate["price"].as_str()), (Some("delivered"), Some("0.105")));
        let parts: Vec<_> = fate["callbacks"].as_array().unwrap().iter().collect();
        assert_eq!(parts.len(), 3, "{fate:#}");
        for (at, part) in parts.iter().enumerate() {
            assert_eq!((part["part"].as_u64(), part["code"].as_i64()), (Some(at as u64 + 1), Some(3)));
            assert_eq!(part["price"], "0.035");
        }
        assert_eq!(taken(&relay, "new"), 3);
        assert!(relay.terminate().success());
        assert_eq!(world.emulator.requests().status, 0, "nobody was asked");
        assert_eq!(world.emulator.record(Record::callbacks).given_up, 0);
    }
}

#[test]
fn it_is_delivered_once_every_part_is_and_undelivered_once_one_is_not() {
    let world = World::calling(silent);
    let relay = world.start_calling();
    let (good, bad) =
        (relay.send_form("oncall", &long_text()), relay.send_form("+393470000002", &long_text()));
    for id in [&good, &bad] {
        relay.wait_for_log("sent", |line| line["id"] == format!("{id}-1") && line["attempt"] == 1);
    }
    let say = |id: &str, code, part| {
        assert_eq!(world.call_back(&callback(&format!("{id}-1"), code, (part, 3))), 200)
    };
    let state = |id: &str| relay.fate(id)["messages"][0]["state"].as_str().unwrap().to_owned();
    say(&good, 3, 3);
    say(&good, 3, 1);
    assert_eq!(state(&good), "sent", "two of three");
    say(&good, 3, 2);
    assert_eq!(state(&good), "delivered");
    say(&bad, 3, 1);
    say(&bad, 6, 3);
    assert_eq!(state(&bad), "undelivered");
    // The last part comes after the end: its price counts, its word does not.
    say(&bad, 3, 2);
    assert_eq!(state(&bad), "undelivered");
    assert_eq!(relay.fate(&bad)["messages"][0]["price"], "0.105");
    assert_eq!((taken(&relay, "new"), taken(&relay, "late")), (5, 1));
    let letter = world.mailbox.wait_for(1).swap_remove(0);
    assert!(letter.text.contains(&format!("{bad}-1")) && letter.text.contains("x-qlara"), "{}", letter.text);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn twice_and_in_any_order_is_once() {
    const MESSAGES: usize = 20;
    let world = World::calling(|settings| {
        settings.callbacks = CallbackSettings { copies: 2, shuffled: true, ..CallbackSettings::default() };
    });
    let relay = world.start_calling();
    world.emulator.pause_callbacks();
    let ids: Vec<String> =
        (0..MESSAGES).map(|n| relay.send_form(&format!("+3934700000{n:02}"), &long_text())).collect();
    world.wait_for_platform("all", |record| record.total() == MESSAGES as u64);
    world.emulator.resume_callbacks();
    world.wait_for_platform("all callbacks", |record| record.callbacks().taken == 6 * MESSAGES as u64);
    for id in &ids {
        let fate = &relay.fate(id)["messages"][0];
        assert_eq!((fate["state"].as_str(), fate["price"].as_str()), (Some("delivered"), Some("0.105")));
        let ends = fate["timeline"].as_array().unwrap().iter().filter(|event| event["state"] == "delivered");
        assert_eq!(ends.count(), 1, "{fate:#}");
    }
    let counts = ["new", "repeated", "late", "unknown_id"].map(|result| taken(&relay, result));
    assert_eq!(counts, [3 * MESSAGES as u64, 3 * MESSAGES as u64, 0, 0]);
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().status, 0);
}

#[test]
fn a_callback_may_come_before_the_answer_to_the_call() {
    let world = World::calling(|_| {});
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1));
    let relay = world.start_calling();
    let id = relay.send_form("oncall", "On battery");
    let sms = format!("{id}-1");
    relay.wait_for_log("the callback", |line| {
        line["message"] == "the platform called back" && line["id"] == sms
    });
    world.wait_for_platform("the call is still held", |record| record.held() == 1);
    assert_eq!(relay.fate(&id)["messages"][0]["callbacks"][0]["code"], 3, "it is kept already");
    world.emulator.release();
    relay.wait_for_message("the platform had spoken of it before its call ended, and that counts");
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Delivered)]);
    let requests = world.emulator.requests();
    assert_eq!((requests.send, requests.status), (1, 0));
}

#[test]
fn an_early_callback_outlives_the_process_that_took_it() {
    let world = World::calling(|_| {});
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1));
    let relay = world.start_calling();
    let id = relay.send_form("oncall", "On battery");
    relay.wait_for_message("the platform called back");
    relay.kill();
    let relay = world.start_calling();
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Delivered)]);
    let requests = world.emulator.requests();
    assert_eq!((requests.send, requests.status), (1, 0), "what it said needs no question");
}

#[test]
fn what_comes_after_the_end_adds_its_price_and_changes_no_end() {
    let mut world = World::calling(|_| {});
    // Found out by a question, before the platform says anything.
    world.otherwise.last_mut().unwrap().1 = "ask = { first = \"1s\", most = \"2s\" }".to_owned();
    let relay = world.start_calling();
    world.emulator.pause_callbacks();
    let id = relay.send_form("oncall", "On battery");
    let sms = format!("{id}-1");
    relay.wait_for_log("final", |line| line["message"] == "final" && line["id"] == sms);
    assert!(relay.fate(&id)["messages"][0]["price"].is_null());
    for (code, price) in [(6, "0.035"), (8, "0.035"), (3, "0.035")] {
        assert_eq!(world.call_back(&callback(&sms, code, (1, 1))), 200);
        let fate = &relay.fate(&id)["messages"][0];
        assert_eq!((fate["state"].as_str(), fate["price"].as_str()), (Some("delivered"), Some(price)));
    }
    assert_eq!((taken(&relay, "new"), taken(&relay, "late")), (0, 1), "the first final word of a part stays");
    assert_eq!(taken(&relay, "repeated"), 2);
    assert!(relay.terminate().success());
    assert!(world.mailbox.mails().is_empty(), "nobody is told of a failure that was none");
}

#[test]
fn what_nobody_knows_is_no_error_and_what_nobody_can_read_is() {
    let world = World::calling(silent);
    let relay = world.start_calling();
    let id = relay.send_form("oncall", "On battery");
    let sms = format!("{id}-1");
    relay.wait_for_message("accepted by the platform");
    for unknown in ["01ARZ3NDEKTSV4RRFFQ69G5FAV-1", "b3f0c2", &format!("{id}-2")] {
        assert_eq!(world.call_back(&callback(unknown, 3, (1, 1))), 200, "{unknown}");
    }
    assert_eq!(taken(&relay, "unknown_id"), 3);
    for code in [0, 1, 99, -1] {
        assert_eq!(world.call_back(&callback(&sms, code, (1, 1))), 200, "{code}");
        let fate = &relay.fate(&id)["messages"][0];
        assert_eq!(
            (fate["state"].as_str(), fate["callbacks"][0]["code"].as_i64()),
            (Some("sent"), Some(code))
        );
    }
    let mut wrong = callback(&sms, 3, (1, 1));
    wrong.as_object_mut().unwrap().remove("messageId");
    let garbage = [
        wrong,
        callback(&sms, 3, (2, 1)),
        callback(&sms, 3, (0, 1)),
        serde_json::json!({ "messageId": sms, "statusCode": "delivered" }),
        serde_json::json!("delivered"),
        serde_json::json!(null),
    ];
    for one in &garbage {
        assert_eq!(world.call_back(one), 400, "{one}");
    }
    let unreadable =
        |relay: &Relay| relay.counted("sms_relay_callback_requests_total{result=\"unreadable\"}");
    assert_eq!(unreadable(&relay), garbage.len() as u64);
    let raw =
        crate::support::ask(relay.http, "POST", "/callbacks/t0p-secret", &[], "messageId=1&statusCode=3");
    assert_eq!((raw.status, unreadable(&relay)), (400, garbage.len() as u64 + 1));
    assert_eq!(relay.fate(&id)["messages"][0]["state"], "sent");
    // One of an array that cannot be read takes nothing from the others.
    let both = serde_json::json!([garbage[0], callback(&sms, 3, (1, 1))]);
    assert_eq!(world.call_back(&both), 200);
    assert_eq!(relay.fate(&id)["messages"][0]["state"], "delivered");
    assert!(relay.terminate().success());
}

#[test]
fn a_fault_that_lied_sends_nothing_twice_once_the_platform_calls_back() {
    let mut world = World::calling(|_| {});
    let backoff = "[dispatch]\nbackoff = { first = \"1s\", most = \"2s\" }";
    // Longer than the test: only the callback can end it.
    world.otherwise.push((backoff, "[dispatch]\nbackoff = { first = \"10m\", most = \"10m\" }".to_owned()));
    let lie = Fault::Status { code: 500, retry_after: None, body: None, recorded: true };
    world.order(FaultRule::on_send(lie).times(1));
    let relay = world.start_calling();
    world.emulator.pause_callbacks();
    let id = relay.send_form("oncall", "On battery");
    relay.wait_for_message("tried again later");
    // To the same phone, so that it waits for the first.
    let next = relay.send_form("oncall", "Back again");
    assert_eq!(relay.fate(&id)["messages"][0]["state"], "due");
    world.emulator.resume_callbacks();
    relay.wait_for_state(&format!("{id}-1"), "delivered");
    relay.wait_for_state(&format!("{next}-1"), "delivered");
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Delivered)]);
    assert_eq!(world.texts(), ["On battery", "Back again"], "each once");
    assert_eq!(world.emulator.record(Record::repeated), Vec::<String>::new());
}
