//! What waits on purpose: for its time, for the end of others, and what somebody takes back meanwhile.

use std::time::Duration;

use jiff::Timestamp;
use sms_relay::emulator::{Channel, Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::{Cancelled, Delivered, Expired, Failed};
use sms_relay::model::State::{Claimed, Due, Final, Held, Sent};

use super::story::{Act, Crash, NO_SECOND_ATTEMPT, SHORT_LIFE, Story, Submission, USUAL, at, failing, tell};
use crate::support::{Said, World};

/// It is released and claimed in one commit.
const SCHEDULED: Story = Story {
    submission: Submission::Form(Some(2)),
    crashes: &[
        at("before-accept-commit", &[]),
        at("after-accept-commit", &[Held]),
        at("before-claim-commit", &[Held]),
        at("after-claim-commit", &[Claimed]),
        at("before-send", &[Claimed]),
    ],
    ..USUAL
};

/// Nobody is there when its time comes, nor while it lasts.
const SCHEDULED_IN_VAIN: Story = Story {
    submission: Submission::Form(Some(2)),
    rules: SHORT_LIFE,
    ends: &[Final(Expired)],
    taken: 0,
    reported: 1,
    crashes: &[
        Crash {
            after: Some("after-accept-commit"),
            meanwhile: outlive,
            ..at("before-claim-commit", &[Held])
        },
        Crash {
            after: Some("after-accept-commit"),
            meanwhile: outlive,
            ..at("after-claim-commit", &[Final(Expired)])
        },
    ],
    ..USUAL
};

/// Waits until the lifetime of what was kept is over.
fn outlive(world: &World) {
    let remains = world.remains();
    let ends = remains.submission(&remains.submissions()[0]).messages[0].expires_at;
    if let Ok(left) = Duration::try_from(Timestamp::now().duration_until(ends)) {
        std::thread::sleep(left + Duration::from_millis(1));
    }
}

const CANCELLED_WHILE_HELD: Story = Story {
    submission: Submission::Form(Some(3600)),
    acts: &[Act::Cancels],
    ends: &[Final(Cancelled)],
    taken: 0,
    crashes: &[at("before-cancel-commit", &[Held]), at("after-cancel-commit", &[Final(Cancelled)])],
    ..USUAL
};

/// It costs more than the budget has when its time comes, and then waits for the next month, in which nobody needs it any
/// more.
const NO_ROOM: Story = Story {
    submission: Submission::Form(Some(2)),
    rules: "[prices]\ncurrency = \"EUR\"\nper_part = { \"+39\" = \"0.05\" }\n\n\
            [[budget]]\nname = \"small\"\nper = \"month\"\nmoney = { hold = \"0.04\" }\n",
    // The operator's mail about the budget is no report.
    otherwise: &[("operator = \"operator@example.com\"\n", "")],
    acts: &[Act::Logged("hold level of 0.04"), Act::Cancels],
    ends: &[Final(Cancelled)],
    taken: 0,
    crashes: &[at("before-claim-commit", &[Held]), at("after-claim-commit", &[Held])],
    ..USUAL
};

const CANCELLED_WHILE_DUE: Story = Story {
    submission: Submission::Form(None),
    faults: || vec![FaultRule::on_send(failing())],
    otherwise: &[NO_SECOND_ATTEMPT],
    acts: &[Act::Logged("tried again later"), Act::Cancels],
    ends: &[Final(Cancelled)],
    taken: 0,
    crashes: &[at("before-cancel-commit", &[Due]), at("after-cancel-commit", &[Final(Cancelled)])],
    ..USUAL
};

const FIRST: &str = "+393471234567";

const FIRST_ARRIVED: Said = Said { ordinal: 1, channel: Channel::Sms, part: 1, parts: 1, code: 3 };
const SECOND_ARRIVED: Said = Said { ordinal: 2, ..FIRST_ARRIVED };

const ESCALATES_SOON: &str =
    "[[rule]]\nname = \"a\"\nwhen.recipient = \".\"\nescalate = { after = \"2s\", to = \"+393479999999\" }\n";

const ESCALATES_LATE: &str =
    "[[rule]]\nname = \"a\"\nwhen.recipient = \".\"\nescalate = { after = \"1h\", to = \"+393479999999\" }\n";

/// The first one stays silent, and arrives when the other has gone. It is released and claimed in one commit.
const ESCALATED_BY_TIME: Story = Story {
    faults: || {
        let silent = Fault::Deliver { outcome: Outcome::Never, delay_millis: None };
        vec![FaultRule::on_send(silent).to(FIRST)]
    },
    rules: ESCALATES_SOON,
    acts: &[Act::Taken(2), Act::Says(FIRST_ARRIVED), Act::Says(SECOND_ARRIVED)],
    ends: &[Final(Delivered), Final(Delivered)],
    taken: 2,
    crashes: &[
        at("before-claim-commit:2", &[Sent, Held]),
        at("after-claim-commit:2", &[Sent, Claimed]),
        at("before-send:2", &[Sent, Claimed]),
        at("after-send:2", &[Sent, Claimed]),
    ],
    ..USUAL
};

const ESCALATED_BY_FAILURE: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Refuse { reasons: vec!["barred".to_owned()] }).to(FIRST)],
    rules: ESCALATES_LATE,
    ends: &[Final(Failed), Final(Delivered)],
    reported: 1,
    crashes: &[
        at("after-accept-commit", &[Due, Held]),
        at("before-settle-commit:1", &[Claimed, Held]),
        // What is released may be claimed in the same commit.
        Crash { or: &[&[Final(Failed), Claimed]], ..at("after-settle-commit:1", &[Final(Failed), Due]) },
        Crash { or: &[&[Claimed, Held]], ..at("before-claim-commit:2", &[Final(Failed), Due]) },
        at("after-claim-commit:2", &[Final(Failed), Claimed]),
    ],
    ..USUAL
};

const ESCALATION_NOT_NEEDED: Story = Story {
    rules: ESCALATES_LATE,
    ends: &[Final(Delivered), Final(Cancelled)],
    crashes: &[
        at("before-settle-commit:2", &[Sent, Held]),
        at("after-settle-commit:2", &[Final(Delivered), Final(Cancelled)]),
    ],
    ..USUAL
};

const ESCALATION_CALLED_OFF: Story = Story {
    outcome: Outcome::Never,
    acts: &[Act::Logged("accepted by the platform"), Act::Taken(1), Act::Says(FIRST_ARRIVED)],
    crashes: &[
        at("before-callback-commit", &[Sent, Held]),
        at("after-callback-commit", &[Final(Delivered), Final(Cancelled)]),
    ],
    ..ESCALATION_NOT_NEEDED
};

pub const STORIES: [&Story; 9] = [
    &SCHEDULED,
    &SCHEDULED_IN_VAIN,
    &NO_ROOM,
    &CANCELLED_WHILE_HELD,
    &CANCELLED_WHILE_DUE,
    &ESCALATED_BY_TIME,
    &ESCALATED_BY_FAILURE,
    &ESCALATION_NOT_NEEDED,
    &ESCALATION_CALLED_OFF,
];

#[test]
fn sent_at_its_time() {
    tell(&SCHEDULED);
}

#[test]
fn no_room_in_its_budget_when_its_time_came() {
    tell(&NO_ROOM);
}

#[test]
fn its_time_came_and_went() {
    tell(&SCHEDULED_IN_VAIN);
}

#[test]
fn cancelled_before_its_time() {
    tell(&CANCELLED_WHILE_HELD);
}

#[test]
fn cancelled_between_two_attempts() {
    tell(&CANCELLED_WHILE_DUE);
}

#[test]
fn another_phone_as_the_first_stays_silent() {
    tell(&ESCALATED_BY_TIME);
}

#[test]
fn another_phone_as_the_first_failed() {
    tell(&ESCALATED_BY_FAILURE);
}

#[test]
fn no_other_phone_as_the_first_has_it() {
    tell(&ESCALATION_NOT_NEEDED);
}

#[test]
fn no_other_phone_as_a_callback_says_that_the_first_has_it() {
    tell(&ESCALATION_CALLED_OFF);
}
