//! A program is told how its form ended: at least once, and a repetition has the key of the first.

use sms_relay::emulator::{Fault, FaultRule};
use sms_relay::model::FinalState::{Delivered, Failed};
use sms_relay::model::State::{Claimed, Final, Sent};

use super::story::{Crash, Story, Submission, USUAL, at, tell};

const TOLD: Story = Story {
    submission: Submission::Form(None),
    program: Some(&[]),
    crashes: &[
        at("before-settle-commit:2", &[Sent]),
        at("after-settle-commit:2", &[Final(Delivered)]),
        at("before-claim-telling-commit", &[Final(Delivered)]),
        at("after-claim-telling-commit", &[Final(Delivered)]),
        Crash { again: true, ..at("before-settle-telling-commit", &[Final(Delivered)]) },
        at("after-settle-telling-commit", &[Final(Delivered)]),
        Crash {
            after: Some("after-claim-telling-commit"),
            ..at("before-recover-commit", &[Final(Delivered)])
        },
        Crash {
            after: Some("after-claim-telling-commit"),
            ..at("after-recover-commit", &[Final(Delivered)])
        },
        Crash {
            after: Some("before-settle-telling-commit"),
            again: true,
            ..at("after-recover-commit", &[Final(Delivered)])
        },
    ],
    ..USUAL
};

/// It has no time at first.
const TOLD_LATER: Story = Story {
    program: Some(&[503]),
    crashes: &[
        // That it was called is forgotten, and its second answer is that it knows.
        at("before-settle-telling-commit:1", &[Final(Delivered)]),
        at("after-settle-telling-commit:1", &[Final(Delivered)]),
        at("before-claim-telling-commit:2", &[Final(Delivered)]),
        at("after-claim-telling-commit:2", &[Final(Delivered)]),
        Crash { again: true, ..at("before-settle-telling-commit:2", &[Final(Delivered)]) },
        at("after-settle-telling-commit:2", &[Final(Delivered)]),
    ],
    ..TOLD
};

/// The operator is, too.
const TOLD_OF_A_FAILURE: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Refuse { reasons: vec!["barred".to_owned()] })],
    ends: &[Final(Failed)],
    taken: 0,
    reported: 1,
    crashes: &[at("before-settle-commit", &[Claimed]), at("after-settle-commit", &[Final(Failed)])],
    ..TOLD
};

pub const STORIES: [&Story; 3] = [&TOLD, &TOLD_LATER, &TOLD_OF_A_FAILURE];

#[test]
fn program_told() {
    tell(&TOLD);
}

#[test]
fn program_told_at_the_second_call() {
    tell(&TOLD_LATER);
}

#[test]
fn program_told_of_a_failure() {
    tell(&TOLD_OF_A_FAILURE);
}
