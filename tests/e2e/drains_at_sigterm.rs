//! SIGTERM: the doors close, what is under way is finished within a limit, and nothing is lost.

use rustix::process::Signal;
use sms_relay::emulator::{Fault, FaultRule};
use sms_relay::model::State;

use crate::support::{Relay, Smtp, World};

const STOPPING: &str = "stopping: doors close, what is under way is finished";

/// A connection that has said `DATA` and half of its mail.
fn in_the_middle_of_its_mail(relay: &Relay) -> Smtp {
    let mut client = Smtp::connect(relay.smtp).unwrap();
    for command in ["MAIL FROM:<ups@example.com>", "RCPT TO:<oncall@sms.local>"] {
        assert!(client.command(command).unwrap().starts_with("250 "));
    }
    assert_eq!(client.command("DATA").unwrap(), "354 go ahead; end with CR LF . CR LF");
    client
}

#[test]
fn a_mail_and_a_call_under_way_are_finished() {
    let world = World::new();
    world.order(FaultRule::on_send(Fault::Hold { recorded: false }));
    let relay = world.start();
    let mut idle = Smtp::connect(relay.smtp).unwrap();
    let reply = idle.mail("ups@example.com", "+393470000009@sms.local", "Subject: x\r\n\r\nheld");
    let held = Smtp::queued(&reply.unwrap());
    world.wait_for_platform("a call", |record| record.held() == 1);
    let mut client = in_the_middle_of_its_mail(&relay);

    relay.signal(Signal::TERM);
    relay.wait_for_message(STOPPING);
    let goodbye = "421 4.3.2 relay.test closes: the service is stopping; try again later";
    assert_eq!(idle.wait_for_reply().as_deref(), Some(goodbye));
    let reply = client.command("Subject: x\r\n\r\nin the middle\r\n.").unwrap();
    let queued = Smtp::queued(&reply);
    assert_eq!(client.wait_for_reply().as_deref(), Some(goodbye));
    assert_eq!(Smtp::connect(relay.smtp).map(|_| ()), None, "nobody new is let in");
    world.emulator.clear_faults();
    assert!(relay.wait_for_end().success());
    assert_eq!(world.states(&held), [State::Sent]);
    assert_eq!(world.states(&queued), [State::Due]);

    let relay = world.start();
    world.wait_for_platform("the other", |record| record.total() == 2);
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), ["held", "in the middle"]);
    assert_eq!(world.emulator.requests().send, 2, "neither went twice");
}

#[test]
fn what_hangs_is_cut_off_at_the_limit_and_not_lost() {
    let mut world = World::new();
    world.extra = "[shutdown]\ndrain_time = \"1s\"\n".to_owned();
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }));
    let relay = world.start();
    let mut client = Smtp::connect(relay.smtp).unwrap();
    let reply = client.mail("ups@example.com", "oncall@sms.local", "Subject: x\r\n\r\nheld");
    let held = Smtp::queued(&reply.unwrap());
    world.wait_for_platform("a call", |record| record.held() == 1);
    let mut client = in_the_middle_of_its_mail(&relay);

    relay.signal(Signal::TERM);
    for what in ["connections", "calls to the platform or the smarthost"] {
        relay.wait_for_message(&format!(
            "cut off after the drain time: {what}; the spool has what was accepted"
        ));
    }
    assert_eq!(client.wait_for_reply(), None, "no yes for half a mail");
    assert!(relay.wait_for_end().success());
    assert_eq!(world.states(&held), [State::Claimed]);

    world.emulator.clear_faults();
    let relay = world.start();
    let recovered = relay.wait_for_log("what was recovered", |line| line["unknown"] == 1);
    assert_eq!(
        recovered["message"],
        "the relay had ended in the middle of something; the platform is asked before anything is sent again"
    );
    relay.wait_for_message("the platform has it, by its status endpoint");
    relay.wait_for_message("final");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), ["held"]);
    assert_eq!(world.emulator.requests().send, 1);
}
