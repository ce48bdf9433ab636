//! An SMS by itself: from the mail to the handset, and the ends that it can have before.

use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::{Cancelled, Delivered, Expired, Undelivered};
use sms_relay::model::State::{Claimed, Due, Final, Sent, Unknown};

use super::story::{Crash, NO_SECOND_ATTEMPT, SHORT_LIFE, Story, USUAL, at, failing, tell};

const DELIVERED: Story = Story {
    crashes: &[
        at("before-accept-commit", &[]),
        at("after-accept-commit", &[Due]),
        at("before-claim-commit", &[Due]),
        at("after-claim-commit", &[Claimed]),
        at("before-send", &[Claimed]),
        at("after-send", &[Claimed]),
        at("before-settle-commit:1", &[Claimed]),
        at("after-settle-commit:1", &[Sent]),
        at("before-settle-commit:2", &[Sent]),
        at("after-settle-commit:2", &[Final(Delivered)]),
    ],
    ..USUAL
};

const DROPPED: Story = Story {
    rules: "[[rule]]\nname = \"drop\"\nwhen.recipient = \".\"\ndrop = \"not on call\"\n",
    ends: &[Final(Cancelled)],
    taken: 0,
    crashes: &[at("before-accept-commit", &[]), at("after-accept-commit", &[Final(Cancelled)])],
    ..USUAL
};

const RECOVERED: Story = Story {
    crashes: &[
        Crash { after: Some("before-send"), ..at("before-recover-commit", &[Claimed]) },
        Crash { after: Some("before-send"), ..at("after-recover-commit", &[Unknown]) },
        Crash { after: Some("after-send"), ..at("before-recover-commit", &[Claimed]) },
        Crash { after: Some("after-send"), ..at("after-recover-commit", &[Unknown]) },
    ],
    ..USUAL
};

/// The platform takes it and the answer is lost.
const RECONCILED: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Reset { recorded: true }).times(1)],
    crashes: &[
        at("before-settle-commit:1", &[Claimed]),
        at("after-settle-commit:1", &[Unknown]),
        at("before-settle-commit:2", &[Unknown]),
        at("after-settle-commit:2", &[Sent]),
    ],
    ..USUAL
};

/// The request is lost.
const SENT_AGAIN_AFTER_SILENCE: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Reset { recorded: false }).times(1)],
    crashes: &[
        at("after-settle-commit:1", &[Unknown]),
        at("before-settle-commit:2", &[Unknown]),
        // What is due at once may be claimed in the same commit.
        Crash { or: &[&[Claimed]], ..at("after-settle-commit:2", &[Due]) },
        Crash { or: &[&[Unknown]], ..at("before-claim-commit:2", &[Due]) },
        at("after-claim-commit:2", &[Claimed]),
        at("before-send:2", &[Claimed]),
        at("after-send:2", &[Claimed]),
    ],
    ..USUAL
};

const ASKED_AGAIN_WHETHER_TAKEN: Story = Story {
    faults: || {
        vec![
            FaultRule::on_send(Fault::Reset { recorded: true }).times(1),
            FaultRule::on_status(failing()).times(1),
        ]
    },
    crashes: &[
        at("before-settle-commit:2", &[Unknown]),
        at("after-settle-commit:2", &[Unknown]),
        at("before-settle-commit:3", &[Unknown]),
        at("after-settle-commit:3", &[Sent]),
    ],
    ..USUAL
};

const ASKED_AGAIN_WHETHER_ARRIVED: Story = Story {
    faults: || vec![FaultRule::on_status(failing()).times(1)],
    crashes: &[
        at("before-settle-commit:2", &[Sent]),
        at("after-settle-commit:2", &[Sent]),
        at("before-settle-commit:3", &[Sent]),
        at("after-settle-commit:3", &[Final(Delivered)]),
    ],
    ..USUAL
};

const SENT_AGAIN_LATER: Story = Story {
    faults: || vec![FaultRule::on_send(failing()).times(1)],
    crashes: &[
        at("before-settle-commit:1", &[Claimed]),
        at("after-settle-commit:1", &[Due]),
        at("before-claim-commit:2", &[Due]),
        at("after-claim-commit:2", &[Claimed]),
        at("before-settle-commit:2", &[Claimed]),
        at("after-settle-commit:2", &[Sent]),
    ],
    ..USUAL
};

const EXPIRED_WHILE_DUE: Story = Story {
    faults: || vec![FaultRule::on_send(failing())],
    rules: SHORT_LIFE,
    // The second attempt would come after the end.
    otherwise: &[NO_SECOND_ATTEMPT],
    ends: &[Final(Expired)],
    taken: 0,
    reported: 1,
    crashes: &[at("before-claim-commit:2", &[Due]), at("after-claim-commit:2", &[Final(Expired)])],
    ..USUAL
};

const EXPIRED_WHILE_UNKNOWN: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Reset { recorded: false }), FaultRule::on_status(failing())],
    rules: SHORT_LIFE,
    // It is first asked about when its life is over.
    otherwise: &[("ask_after = \"1s\"", "ask_after = \"3s\"")],
    ends: &[Final(Expired)],
    taken: 0,
    reported: 1,
    crashes: &[at("before-settle-commit:2", &[Unknown]), at("after-settle-commit:2", &[Final(Expired)])],
    ..USUAL
};

const UNDELIVERED: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Deliver { outcome: Outcome::Error, delay_millis: Some(0) })],
    ends: &[Final(Undelivered)],
    reported: 1,
    crashes: &[at("before-settle-commit:2", &[Sent]), at("after-settle-commit:2", &[Final(Undelivered)])],
    ..USUAL
};

const EXPIRED_ON_THE_WAY: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Deliver { outcome: Outcome::Expired, delay_millis: Some(0) })],
    ends: &[Final(Expired)],
    reported: 1,
    crashes: &[at("before-settle-commit:2", &[Sent]), at("after-settle-commit:2", &[Final(Expired)])],
    ..USUAL
};

pub const STORIES: [&Story; 12] = [
    &DELIVERED,
    &DROPPED,
    &RECOVERED,
    &RECONCILED,
    &SENT_AGAIN_AFTER_SILENCE,
    &ASKED_AGAIN_WHETHER_TAKEN,
    &ASKED_AGAIN_WHETHER_ARRIVED,
    &SENT_AGAIN_LATER,
    &EXPIRED_WHILE_DUE,
    &EXPIRED_WHILE_UNKNOWN,
    &UNDELIVERED,
    &EXPIRED_ON_THE_WAY,
];

#[test]
fn delivered() {
    tell(&DELIVERED);
}

#[test]
fn dropped_by_a_rule() {
    tell(&DROPPED);
}

#[test]
fn killed_again_while_recovering() {
    tell(&RECOVERED);
}

#[test]
fn taken_without_an_answer() {
    tell(&RECONCILED);
}

#[test]
fn lost_on_the_way_to_the_platform() {
    tell(&SENT_AGAIN_AFTER_SILENCE);
}

#[test]
fn asked_twice_whether_it_was_taken() {
    tell(&ASKED_AGAIN_WHETHER_TAKEN);
}

#[test]
fn asked_twice_whether_it_arrived() {
    tell(&ASKED_AGAIN_WHETHER_ARRIVED);
}

#[test]
fn put_off_by_the_platform() {
    tell(&SENT_AGAIN_LATER);
}

#[test]
fn expired_while_due() {
    tell(&EXPIRED_WHILE_DUE);
}

#[test]
fn expired_while_unknown() {
    tell(&EXPIRED_WHILE_UNKNOWN);
}

#[test]
fn undeliverable() {
    tell(&UNDELIVERED);
}

#[test]
fn expired_on_the_way() {
    tell(&EXPIRED_ON_THE_WAY);
}
