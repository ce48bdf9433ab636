//! Whoever is told by mail: the sender of a failure or of a delay, the operator of what is left of the credit.

use std::os::unix::process::ExitStatusExt;

use jiff::Timestamp;
use rusqlite::Connection;
use rustix::process::Signal;
use sms_relay::emulator::{Channel, Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::Failed;
use sms_relay::model::State::{Claimed, Due, Final, Sent};

use super::story::{Act, Crash, Story, USUAL, at, mailing, tell};
use crate::support::{Behaviour, Relay, Said, World};

const REFUSAL: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Refuse { reasons: vec!["Invalid destination".to_owned()] })],
    ends: &[Final(Failed)],
    taken: 0,
    reported: 1,
    ..USUAL
};

const REFUSED: Story = Story {
    crashes: &[
        at("after-send", &[Claimed]),
        at("before-settle-commit", &[Claimed]),
        at("after-settle-commit", &[Final(Failed)]),
        at("before-close-case-commit", &[Final(Failed)]),
        mailing("after-close-case-commit", &[Final(Failed)], &["due"]),
        mailing("before-claim-mail-commit", &[Final(Failed)], &["due"]),
        mailing("after-claim-mail-commit", &[Final(Failed)], &["claimed"]),
        Crash { again: true, ..mailing("mail-sent", &[Final(Failed)], &["claimed"]) },
        Crash { again: true, ..mailing("before-settle-mail-commit", &[Final(Failed)], &["claimed"]) },
        mailing("after-settle-mail-commit", &[Final(Failed)], &["sent"]),
    ],
    ..REFUSAL
};

const REPORT_RECOVERED: Story = Story {
    crashes: &[
        Crash {
            after: Some("after-claim-mail-commit"),
            ..mailing("before-recover-commit", &[Final(Failed)], &["claimed"])
        },
        Crash {
            after: Some("after-claim-mail-commit"),
            ..mailing("after-recover-commit", &[Final(Failed)], &["due"])
        },
    ],
    ..REFUSAL
};

const REPORT_SENT_LATER: Story = Story {
    smarthost: Behaviour::Later,
    crashes: &[
        mailing("before-settle-mail-commit", &[Final(Failed)], &["claimed"]),
        mailing("after-settle-mail-commit", &[Final(Failed)], &["due"]),
        mailing("before-claim-mail-commit:2", &[Final(Failed)], &["due"]),
        mailing("after-claim-mail-commit:2", &[Final(Failed)], &["claimed"]),
    ],
    ..REFUSAL
};

/// The operator is told instead of the sender, in the same commit.
const REPORT_REFUSED: Story = Story {
    smarthost: Behaviour::RefuseRecipient,
    crashes: &[
        mailing("before-settle-mail-commit", &[Final(Failed)], &["claimed"]),
        mailing("after-settle-mail-commit", &[Final(Failed)], &["failed", "due"]),
    ],
    ..REFUSAL
};

/// The platform has it and says nothing for so long that its sender is told; then it arrives after all.
const DELAYED: Story = Story {
    outcome: Outcome::Never,
    otherwise: &[("window = \"30s\"", "window = \"1s\"")],
    acts: &[Act::MailCame, Act::Says(ARRIVED)],
    reported: 1,
    crashes: &[
        late(mailing("before-close-case-commit", &[Sent], &[])),
        late(mailing("after-close-case-commit", &[Sent], &["due"])),
        late(mailing("before-claim-mail-commit", &[Sent], &["due"])),
        late(mailing("after-claim-mail-commit", &[Sent], &["claimed"])),
        Crash { again: true, ..late(mailing("mail-sent", &[Sent], &["claimed"])) },
        Crash { again: true, ..late(mailing("before-settle-mail-commit", &[Sent], &["claimed"])) },
        late(mailing("after-settle-mail-commit", &[Sent], &["sent"])),
    ],
    ..USUAL
};

/// Half an hour goes by after the acceptance. It is late soon after the next start, mostly when it is sent.
const fn late(crash: Crash) -> Crash {
    Crash { after: Some("after-accept-commit"), meanwhile: make_late, or: &[&[Due], &[Claimed]], ..crash }
}

fn make_late(world: &World) {
    let soon = Timestamp::now().as_millisecond() + 1000;
    let spool = Connection::open(world.directory.path().join("spool/spool.sqlite")).unwrap();
    assert_eq!(spool.execute("UPDATE sms SET delayed_at = ?1", [soon]).unwrap(), 1);
}

const ARRIVED: Said = Said { ordinal: 1, channel: Channel::Sms, part: 1, parts: 1, code: 3 };

pub const STORIES: [&Story; 5] = [&REFUSED, &REPORT_RECOVERED, &REPORT_SENT_LATER, &REPORT_REFUSED, &DELAYED];

#[test]
fn refused_and_reported() {
    tell(&REFUSED);
}

#[test]
fn killed_again_while_recovering_a_report() {
    tell(&REPORT_RECOVERED);
}

#[test]
fn report_put_off_by_the_smarthost() {
    tell(&REPORT_SENT_LATER);
}

#[test]
fn report_refused_by_the_smarthost() {
    tell(&REPORT_REFUSED);
}

#[test]
fn late_and_reported() {
    tell(&DELAYED);
}

/// Mail that is about no submission, with what then may be in the spool and how often it comes in the end.
///
/// It is filed so soon after the start that the queue's first look for mail may be in the same transaction.
pub const NOTICES: [(&str, &[&[&str]], usize); 7] = [
    ("before-file-mail-commit", &[&[]], 1),
    ("after-file-mail-commit", &[&["due"], &["claimed"]], 1),
    ("before-claim-mail-commit", &[&["due"], &[]], 1),
    ("after-claim-mail-commit", &[&["claimed"]], 1),
    ("mail-sent", &[&["claimed"]], 2),
    ("before-settle-mail-commit", &[&["claimed"]], 2),
    ("after-settle-mail-commit", &[&["sent"]], 1),
];

#[test]
fn credit_is_used_up_and_the_operator_told() {
    std::thread::scope(|scope| {
        for (point, left, times) in NOTICES {
            let thread = std::thread::Builder::new().name(point.to_owned());
            thread.spawn_scoped(scope, move || end_at_a_notice(point, left, times)).unwrap();
        }
    });
}

fn end_at_a_notice(point: &str, left: &[&[&str]], times: usize) {
    let world = World::with_platform(|platform| platform.credit = 0);
    let environment = [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", point)];
    let (status, _) = Relay::start_and_end(&world.write(), &environment);
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    let mails = world.remains().mails();
    assert!(left.iter().any(|left| mails == *left), "{mails:?} is none of {left:?}");
    let relay = world.start_until_listening();
    world.mailbox.wait_for(times);
    relay.wait_for_message("the account's credit is used up");
    world.wait_until_finished();
    assert!(relay.terminate().success());
    let mails = world.mailbox.mails();
    assert_eq!(mails.len(), times, "{mails:#?}");
    for mail in mails {
        assert_eq!(mail.rcpt_to, ["RCPT TO:<operator@example.com>"]);
        assert!(mail.text.contains("used up"), "{}", mail.text);
    }
}
