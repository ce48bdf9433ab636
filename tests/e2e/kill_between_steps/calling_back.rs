//! What the platform says of its own accord. What got no 2xx it says again.

use sms_relay::emulator::{Channel, Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::{Delivered, Expired, Undelivered};
use sms_relay::model::State::{Claimed, Due, Final, Sent, Unknown};

use super::story::{Act, Crash, NO_SECOND_ATTEMPT, Story, Submission, USUAL, at, failing, tell};
use crate::support::Said;

/// A mail of two parts.
const LONG: Submission = Submission::Mail(
    "oncall@sms.local",
    "db1 is DOWN since 03:12. The last that was heard of it: load 45, 812 of 813 connections in use, 14 queries \
     that take longer than a minute, and no answer from the storage behind it since then. db2 has taken over.",
);

const fn said(part: u32, code: i64) -> Act {
    Act::Says(Said { ordinal: 1, channel: Channel::Sms, part, parts: 2, code })
}

const ACCEPTED: Act = Act::Logged("accepted by the platform");

/// The platform answers nothing by itself to who asks.
const CALLED_BACK: Story = Story {
    outcome: Outcome::Never,
    submission: LONG,
    acts: &[ACCEPTED, Act::Taken(1), said(2, 3), said(1, 3)],
    crashes: &[
        at("before-callback-commit:1", &[Sent]),
        at("after-callback-commit:1", &[Sent]),
        at("before-callback-commit:2", &[Sent]),
        at("after-callback-commit:2", &[Final(Delivered)]),
    ],
    ..USUAL
};

const UNDELIVERED: Story = Story {
    acts: &[ACCEPTED, Act::Taken(1), said(1, 3), said(2, 6)],
    ends: &[Final(Undelivered)],
    reported: 1,
    crashes: &[
        at("after-callback-commit:1", &[Sent]),
        at("before-callback-commit:2", &[Sent]),
        at("after-callback-commit:2", &[Final(Undelivered)]),
    ],
    ..CALLED_BACK
};

/// One part is enough; what is said of the other comes after the end.
const EXPIRED: Story = Story {
    acts: &[ACCEPTED, Act::Taken(1), said(2, 8), said(1, 3)],
    ends: &[Final(Expired)],
    reported: 1,
    crashes: &[at("before-callback-commit:1", &[Sent]), at("after-callback-commit:1", &[Final(Expired)])],
    ..CALLED_BACK
};

/// The handset has it before the call has been answered, and it never is.
const CALLED_BACK_EARLY: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Hold { recorded: true }).times(1)],
    acts: &[Act::Taken(1), said(1, 3), said(2, 3)],
    crashes: &[
        at("before-callback-commit:1", &[Claimed]),
        at("after-callback-commit:1", &[Claimed]),
        at("before-callback-commit:2", &[Claimed]),
        at("after-callback-commit:2", &[Claimed]),
        Crash { after: Some("after-callback-commit:1"), ..at("before-recover-commit", &[Claimed]) },
        Crash { after: Some("after-callback-commit:1"), ..at("after-recover-commit", &[Sent]) },
        Crash { after: Some("after-callback-commit:2"), ..at("before-recover-commit", &[Claimed]) },
        Crash { after: Some("after-callback-commit:2"), ..at("after-recover-commit", &[Final(Delivered)]) },
    ],
    ..CALLED_BACK
};

/// "Not taken" was a lie.
const CALLED_BACK_AFTER_A_LIE: Story = Story {
    faults: || {
        let lie = Fault::Status { code: 500, retry_after: None, body: None, recorded: true };
        vec![FaultRule::on_send(lie).times(1)]
    },
    otherwise: &[NO_SECOND_ATTEMPT],
    acts: &[Act::Logged("tried again later"), Act::Taken(1), said(1, 3), said(2, 3)],
    crashes: &[
        at("before-callback-commit:1", &[Due]),
        at("after-callback-commit:1", &[Sent]),
        at("before-callback-commit:2", &[Sent]),
        at("after-callback-commit:2", &[Final(Delivered)]),
    ],
    ..CALLED_BACK
};

const CALLED_BACK_WHILE_UNKNOWN: Story = Story {
    faults: || {
        let (lost, failing) = (Fault::Reset { recorded: true }, failing());
        vec![FaultRule::on_send(lost).times(1), FaultRule::on_status(failing)]
    },
    otherwise: &[("unknown_time = \"5s\"", "unknown_time = \"10m\"")],
    acts: &[Act::Logged("outcome unknown"), Act::Taken(1), said(1, 3), said(2, 3)],
    crashes: &[
        at("before-callback-commit:1", &[Unknown]),
        at("after-callback-commit:1", &[Sent]),
        at("before-callback-commit:2", &[Sent]),
        at("after-callback-commit:2", &[Final(Delivered)]),
    ],
    ..CALLED_BACK
};

pub const STORIES: [&Story; 6] = [
    &CALLED_BACK,
    &UNDELIVERED,
    &EXPIRED,
    &CALLED_BACK_EARLY,
    &CALLED_BACK_AFTER_A_LIE,
    &CALLED_BACK_WHILE_UNKNOWN,
];

#[test]
fn delivered_part_by_part() {
    tell(&CALLED_BACK);
}

#[test]
fn one_part_undelivered() {
    tell(&UNDELIVERED);
}

#[test]
fn one_part_expired() {
    tell(&EXPIRED);
}

#[test]
fn delivered_before_the_call_was_answered() {
    tell(&CALLED_BACK_EARLY);
}

#[test]
fn delivered_though_the_answer_said_not_taken() {
    tell(&CALLED_BACK_AFTER_A_LIE);
}

#[test]
fn delivered_while_nobody_knew_whether_it_was_taken() {
    tell(&CALLED_BACK_WHILE_UNKNOWN);
}
