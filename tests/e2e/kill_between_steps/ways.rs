//! Other ways than one SMS in one call: templates with a fallback, many in one call, only tried out, given up on.

use sms_relay::emulator::{Channel, Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::{Cancelled, Delivered, Failed};
use sms_relay::model::State::{Claimed, Due, Final, Sent, Unknown};

use super::story::{Act, Crash, Story, Submission, USUAL, at, failing, tell};
use crate::support::Said;

const RCS_FIRST: &str = "[[rule]]\nname = \"a\"\nwhen.recipient = \".\"\nchannels = [\"rcs:alert_v2\", \"sms\"]\n\
                         silent_after = \"10s\"\n";

const fn said(channel: Channel, code: i64) -> Act {
    Act::Says(Said { ordinal: 1, channel, part: 1, parts: 1, code })
}

fn silent() -> Fault {
    Fault::Deliver { outcome: Outcome::Never, delay_millis: None }
}

/// The platform gives it an id of its own, which its callbacks name.
const BY_RCS: Story = Story {
    outcome: Outcome::Never,
    rules: RCS_FIRST,
    acts: &[Act::Logged("accepted by the platform for RCS"), Act::Taken(1), said(Channel::Rcs, 3)],
    crashes: &[at("before-callback-commit", &[Sent]), at("after-callback-commit", &[Final(Delivered)])],
    ..USUAL
};

const RCS_RECONCILED: Story = Story {
    rules: RCS_FIRST,
    crashes: &[
        at("before-send", &[Claimed]),
        at("after-send", &[Claimed]),
        at("before-settle-commit:1", &[Claimed]),
        at("after-settle-commit:1", &[Sent]),
    ],
    ..USUAL
};

/// What is due at once may be claimed in the commit that makes it due, here and below.
const RCS_REFUSED: Story = Story {
    faults: || vec![FaultRule::on_template(Fault::Refuse { reasons: Vec::new() })],
    rules: RCS_FIRST,
    crashes: &[
        at("before-settle-commit:1", &[Claimed]),
        Crash { or: &[&[Claimed]], ..at("after-settle-commit:1", &[Due]) },
        Crash { or: &[&[Claimed]], ..at("before-claim-commit:2", &[Due]) },
        at("after-claim-commit:2", &[Claimed]),
        at("after-send:2", &[Claimed]),
        at("after-settle-commit:2", &[Sent]),
    ],
    ..USUAL
};

const RCS_UNDELIVERED: Story = Story {
    faults: || {
        vec![FaultRule::on_template(Fault::Deliver { outcome: Outcome::Error, delay_millis: Some(0) })]
    },
    rules: RCS_FIRST,
    taken: 2,
    crashes: &[
        at("before-settle-commit:2", &[Sent]),
        Crash { or: &[&[Claimed]], ..at("after-settle-commit:2", &[Due]) },
        Crash { or: &[&[Sent]], ..at("before-claim-commit:2", &[Due]) },
        at("after-claim-commit:2", &[Claimed]),
        at("after-send:2", &[Claimed]),
    ],
    ..USUAL
};

const RCS_CALLED_BACK: Story = Story {
    faults: || vec![FaultRule::on_template(silent())],
    rules: RCS_FIRST,
    acts: &[
        Act::Logged("accepted by the platform for RCS"),
        Act::Taken(1),
        said(Channel::Rcs, 6),
        Act::Taken(2),
        said(Channel::Sms, 3),
    ],
    taken: 2,
    crashes: &[
        at("before-callback-commit:1", &[Sent]),
        Crash { or: &[&[Claimed]], ..at("after-callback-commit:1", &[Due]) },
    ],
    ..USUAL
};

/// The platform takes its word back when the SMS has gone out.
const RCS_CAME_THROUGH: Story = Story {
    outcome: Outcome::Never,
    faults: || {
        vec![FaultRule::on_template(Fault::Deliver { outcome: Outcome::Error, delay_millis: Some(0) })]
    },
    rules: RCS_FIRST,
    acts: &[Act::Taken(2), said(Channel::Rcs, 3)],
    taken: 2,
    // It may come before the answer about the SMS is written.
    crashes: &[
        Crash { or: &[&[Claimed]], ..at("before-callback-commit", &[Sent]) },
        Crash { or: &[&[Claimed]], ..at("after-callback-commit", &[Final(Delivered)]) },
    ],
    ..USUAL
};

const RCS_SILENT: Story = Story {
    faults: || vec![FaultRule::on_template(silent())],
    rules: RCS_FIRST,
    // It is first asked about when it has been silent for too long.
    otherwise: &[("ask = { first = \"1s\", most = \"2s\" }", "ask = { first = \"30s\", most = \"30s\" }")],
    acts: &[Act::Taken(2), said(Channel::Sms, 3)],
    taken: 2,
    // The loop that sends looks every ten seconds, too. Where what the platform took is written late, the question comes a
    // moment before the silence is over, and is asked once more.
    crashes: &[
        at("before-settle-commit:2", &[Sent]),
        Crash { or: &[&[Claimed], &[Sent]], ..at("after-settle-commit:2", &[Due]) },
        at("after-claim-commit:2", &[Claimed]),
    ],
    ..USUAL
};

const ALL: &str = "two@sms.local";

const LEGACY: &str = "[[rule]]\nname = \"a\"\nwhen.recipient = \".\"\napi = \"legacy\"\n";

/// Two phones in one call. What is written of them mostly shares a commit.
const BATCH: Story = Story {
    rules: LEGACY,
    submission: Submission::Mail(ALL, "load 45"),
    ends: &[Final(Delivered), Final(Delivered)],
    taken: 2,
    crashes: &[
        at("after-accept-commit", &[Due, Due]),
        at("before-claim-commit", &[Due, Due]),
        at("after-claim-commit", &[Claimed, Claimed]),
        at("before-send", &[Claimed, Claimed]),
        at("after-send", &[Claimed, Claimed]),
        at("before-settle-commit", &[Claimed, Claimed]),
        Crash { or: &[&[Sent, Claimed], &[Claimed, Sent]], ..at("after-settle-commit", &[Sent, Sent]) },
        Crash { after: Some("after-send"), ..at("before-recover-commit", &[Claimed, Claimed]) },
        Crash { after: Some("after-send"), ..at("after-recover-commit", &[Unknown, Unknown]) },
    ],
    ..USUAL
};

/// The platform takes the first phone only, and its answer is a number.
const HALF_A_BATCH: Story = Story {
    faults: || vec![FaultRule::on_legacy(Fault::Partial { processed: 1 }).times(1)],
    crashes: &[
        at("after-send", &[Claimed, Claimed]),
        at("before-settle-commit", &[Claimed, Claimed]),
        Crash {
            or: &[&[Unknown, Claimed], &[Claimed, Unknown]],
            ..at("after-settle-commit", &[Unknown, Unknown])
        },
        // The claim may share its commit with what became of the questions.
        Crash {
            or: &[&[Unknown, Due], &[Sent, Unknown], &[Unknown, Unknown]],
            ..at("before-claim-commit:2", &[Sent, Due])
        },
    ],
    ..BATCH
};

const BATCH_WITHOUT_AN_ANSWER: Story = Story {
    faults: || vec![FaultRule::on_legacy(Fault::Reset { recorded: true }).times(1)],
    crashes: &[
        at("after-send", &[Claimed, Claimed]),
        Crash {
            or: &[&[Unknown, Claimed], &[Claimed, Unknown]],
            ..at("after-settle-commit", &[Unknown, Unknown])
        },
    ],
    ..BATCH
};

/// A lost answer is not worth much: the platform tells nothing of what it only checked, so that it checks again.
const SIMULATED: Story = Story {
    rules: "[[rule]]\nname = \"a\"\nwhen.recipient = \".\"\nsimulation = true\n",
    ends: &[Final(Cancelled)],
    crashes: &[
        at("before-send", &[Claimed]),
        Crash { taken_again: 1, ..at("after-send", &[Claimed]) },
        Crash { taken_again: 1, ..at("before-settle-commit", &[Claimed]) },
        at("after-settle-commit", &[Final(Cancelled)]),
    ],
    ..USUAL
};

/// Nothing is handed over.
const TEMPLATE_SIMULATED: Story = Story {
    rules: "[[rule]]\nname = \"a\"\nwhen.recipient = \".\"\nsimulation = true\nchannels = [\"rcs:alert_v2\"]\n",
    taken: 0,
    crashes: &[
        at("after-claim-commit", &[Claimed]),
        at("before-settle-commit", &[Claimed]),
        at("after-settle-commit", &[Final(Cancelled)]),
    ],
    ..SIMULATED
};

const GIVEN_UP_ON: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Reset { recorded: false }), FaultRule::on_status(failing())],
    rules: "[[rule]]\nname = \"a\"\nwhen.recipient = \".\"\nunknown = \"fail\"\n",
    // It is first asked about when it has been asked about for too long.
    otherwise: &[("ask_after = \"1s\"", "ask_after = \"5s\"")],
    ends: &[Final(Failed)],
    taken: 0,
    reported: 1,
    crashes: &[at("before-settle-commit:2", &[Unknown]), at("after-settle-commit:2", &[Final(Failed)])],
    ..USUAL
};

pub const STORIES: [&Story; 13] = [
    &BY_RCS,
    &RCS_RECONCILED,
    &RCS_REFUSED,
    &RCS_UNDELIVERED,
    &RCS_CALLED_BACK,
    &RCS_CAME_THROUGH,
    &RCS_SILENT,
    &BATCH,
    &HALF_A_BATCH,
    &BATCH_WITHOUT_AN_ANSWER,
    &SIMULATED,
    &TEMPLATE_SIMULATED,
    &GIVEN_UP_ON,
];

#[test]
fn delivered_by_a_template() {
    tell(&BY_RCS);
}

#[test]
fn template_taken_without_an_answer() {
    tell(&RCS_RECONCILED);
}

#[test]
fn template_refused() {
    tell(&RCS_REFUSED);
}

#[test]
fn template_undelivered() {
    tell(&RCS_UNDELIVERED);
}

#[test]
fn template_undelivered_by_a_callback() {
    tell(&RCS_CALLED_BACK);
}

#[test]
fn template_delivered_after_all() {
    tell(&RCS_CAME_THROUGH);
}

#[test]
fn template_silent() {
    tell(&RCS_SILENT);
}

#[test]
fn many_in_one_call() {
    tell(&BATCH);
}

#[test]
fn many_in_one_call_and_some_taken() {
    tell(&HALF_A_BATCH);
}

#[test]
fn many_in_one_call_without_an_answer() {
    tell(&BATCH_WITHOUT_AN_ANSWER);
}

#[test]
fn only_tried_out() {
    tell(&SIMULATED);
}

#[test]
fn template_only_tried_out() {
    tell(&TEMPLATE_SIMULATED);
}

#[test]
fn given_up_on_as_nobody_knew_whether_it_was_taken() {
    tell(&GIVEN_UP_ON);
}
