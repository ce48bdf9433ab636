//! SIGTERM: what is under way is finished within the drain time, and nothing is lost beyond it.

use std::net::TcpStream;

use rustix::process::Signal;
use sms_relay::emulator::{Fault, FaultRule};
use sms_relay::model::{FinalState, State};

use crate::support::{Relay, Smtp, World};

fn stopping(relay: &Relay) {
    relay.signal(Signal::TERM);
    relay.wait_for_log("stopping", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("stopping"))
    });
}

#[test]
fn a_mail_in_the_middle_of_its_data_is_taken_and_new_clients_are_not() {
    let world = World::new();
    let relay = world.start();
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let mut idle = Smtp::connect(relay.smtp).unwrap();
    smtp.command("MAIL FROM:<a@example.com>").unwrap();
    smtp.command("RCPT TO:<oncall@sms.local>").unwrap();
    assert!(smtp.command("DATA").unwrap().starts_with("354"));
    stopping(&relay);
    // The idle one is told to come back, and by then the port is closed.
    assert_eq!(idle.reply().unwrap().get(..9), Some("421 4.3.2"));
    let closed = TcpStream::connect(relay.smtp).is_err() || Smtp::connect(relay.smtp).is_none();
    assert!(closed, "a new client is served while the relay stops");
    let id = Smtp::queued(&smtp.command("Subject: last words\r\n\r\nstill taken\r\n.").unwrap());
    assert!(relay.wait_for_end().success());

    let relay = world.start();
    world.wait_for_platform("sent after the next start", |record| record.total() == 1);
    assert_eq!(world.emulator.accepted()[0].message_id, format!("{id}-1"));
    assert!(relay.terminate().success());
}

#[test]
fn a_call_that_is_answered_in_time_is_finished() {
    let world = World::new();
    world.emulator.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1)).unwrap();
    let relay = world.start();
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let id = Smtp::queued(&smtp.mail("a@example.com", "oncall@sms.local", "Subject: x\r\n\r\nhot").unwrap());
    world.wait_for_platform("held", |record| record.held() == 1);
    stopping(&relay);
    world.emulator.release();
    assert!(relay.wait_for_end().success());
    assert_eq!(world.states(&id), [State::Sent]);
    assert_eq!(world.emulator.requests().send, 1);
}

#[test]
fn a_call_that_outlasts_the_drain_time_is_cut_off_and_asked_about_later() {
    let mut world = World::new();
    world.extra = "[shutdown]\ndrain_time = \"1s\"".to_owned();
    world.emulator.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1)).unwrap();
    let relay = world.start();
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let id = Smtp::queued(&smtp.mail("a@example.com", "oncall@sms.local", "Subject: x\r\n\r\nhot").unwrap());
    world.wait_for_platform("held", |record| record.held() == 1);
    stopping(&relay);
    assert!(relay.wait_for_end().success());
    world.emulator.release();
    assert_eq!(world.states(&id), [State::Claimed]);

    let relay = world.start();
    relay.wait_for_log("delivered", |line| {
        line["message"] == "final" && line["id"] == format!("{id}-1").as_str()
    });
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Delivered)]);
    assert_eq!(world.emulator.requests().send, 1, "it was not sent again");
}
