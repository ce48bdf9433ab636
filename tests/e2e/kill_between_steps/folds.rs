//! What is folded, and the summary that tells of it.

use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::{Cancelled, Delivered, Expired, Failed, Undelivered};
use sms_relay::model::State::{Claimed, Due, Final, Folded, Held, Sent};

use super::storm::{Act, Crash, Storm, USUAL, at, tell};
use super::story::failing;

const ALARM: Act = Act::Mail("srv1@example.com", "Disk full on srv1");
const SECOND: Act = Act::Mail("srv2@example.com", "Disk full on srv2");
const THIRD: Act = Act::Mail("srv3@example.com", "Disk full on srv3");

/// Three that say nearly the same, and an hour later the word about the second and the third.
const SIMILAR: Storm = Storm {
    storm: "similar = \"1h\"\n",
    lives: &[(0, &[ALARM, Act::Ended(1), SECOND, THIRD]), (60, &[])],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("Disk full on srv1 +2 similar, TIME", Final(Delivered)),
        ("Disk full on srv2", Final(Delivered)),
        ("Disk full on srv3", Final(Delivered)),
    ],
    taken: &["Disk full on srv1", "Disk full on srv1 +2 similar, TIME"],
    crashes: &[
        at(1, "before-accept-commit:2", &[Final(Delivered)]),
        at(1, "after-accept-commit:2", &[Final(Delivered), Held, Folded]),
        at(1, "before-accept-commit:3", &[Final(Delivered), Held, Folded]),
        at(1, "after-accept-commit:3", &[Final(Delivered), Held, Folded, Folded]),
        at(2, "before-claim-commit", &[Final(Delivered), Held, Folded, Folded]),
        at(2, "after-claim-commit", &[Final(Delivered), Claimed, Folded, Folded]),
        at(2, "before-send", &[Final(Delivered), Claimed, Folded, Folded]),
        at(2, "after-send", &[Final(Delivered), Claimed, Folded, Folded]),
        at(2, "before-settle-commit:1", &[Final(Delivered), Claimed, Folded, Folded]),
        at(2, "after-settle-commit:1", &[Final(Delivered), Sent, Folded, Folded]),
        at(2, "before-settle-commit:2", &[Final(Delivered), Sent, Folded, Folded]),
        // What is folded may end in the commit in which its summary does.
        Crash {
            or: &[&[Final(Delivered); 4]],
            ..at(2, "after-settle-commit:2", &[Final(Delivered), Final(Delivered), Folded, Folded])
        },
        Crash {
            or: &[&[Final(Delivered), Sent, Folded, Folded]],
            ..at(2, "before-claim-commit:2", &[Final(Delivered), Final(Delivered), Folded, Folded])
        },
        at(2, "after-claim-commit:2", &[Final(Delivered); 4]),
    ],
    ..USUAL
};

/// The platform refuses the summary, and whoever sent one of those that it tells of gets a report.
const SUMMARY_REFUSED: Storm = Storm {
    faults: || {
        let refusal = Fault::Refuse { reasons: vec!["barred".to_owned()] };
        vec![FaultRule::on_send(refusal).containing("similar")]
    },
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("Disk full on srv1 +2 similar, TIME", Final(Failed)),
        ("Disk full on srv2", Final(Failed)),
        ("Disk full on srv3", Final(Failed)),
    ],
    taken: &["Disk full on srv1"],
    reported: &["srv2@example.com", "srv3@example.com"],
    crashes: &[
        at(2, "before-settle-commit", &[Final(Delivered), Claimed, Folded, Folded]),
        Crash {
            or: &[&[Final(Delivered), Final(Failed), Final(Failed), Final(Failed)]],
            ..at(2, "after-settle-commit", &[Final(Delivered), Final(Failed), Folded, Folded])
        },
        Crash {
            or: &[&[Final(Delivered), Claimed, Folded, Folded]],
            ..at(2, "before-claim-commit:2", &[Final(Delivered), Final(Failed), Folded, Folded])
        },
        at(2, "after-claim-commit:2", &[Final(Delivered), Final(Failed), Final(Failed), Final(Failed)]),
        at(2, "before-close-case-commit:1", &[Final(Delivered), Final(Failed), Final(Failed), Final(Failed)]),
        at(2, "after-close-case-commit:1", &[Final(Delivered), Final(Failed), Final(Failed), Final(Failed)]),
        at(2, "before-close-case-commit:2", &[Final(Delivered), Final(Failed), Final(Failed), Final(Failed)]),
        at(2, "after-close-case-commit:2", &[Final(Delivered), Final(Failed), Final(Failed), Final(Failed)]),
    ],
    ..SIMILAR
};

const fn outcome(outcome: Outcome) -> Fault {
    Fault::Deliver { outcome, delay_millis: Some(0) }
}

const SUMMARY_UNDELIVERED: Storm = Storm {
    faults: || vec![FaultRule::on_send(outcome(Outcome::Error)).containing("similar")],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("Disk full on srv1 +2 similar, TIME", Final(Undelivered)),
        ("Disk full on srv2", Final(Undelivered)),
        ("Disk full on srv3", Final(Undelivered)),
    ],
    taken: SIMILAR.taken,
    crashes: &[
        Crash {
            or: &[&[Final(Delivered), Sent, Folded, Folded]],
            ..at(2, "before-claim-commit:2", &[Final(Delivered), Final(Undelivered), Folded, Folded])
        },
        at(
            2,
            "after-claim-commit:2",
            &[Final(Delivered), Final(Undelivered), Final(Undelivered), Final(Undelivered)],
        ),
    ],
    ..SUMMARY_REFUSED
};

const SUMMARY_EXPIRED: Storm = Storm {
    faults: || vec![FaultRule::on_send(outcome(Outcome::Expired)).containing("similar")],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("Disk full on srv1 +2 similar, TIME", Final(Expired)),
        ("Disk full on srv2", Final(Expired)),
        ("Disk full on srv3", Final(Expired)),
    ],
    crashes: &[
        Crash {
            or: &[&[Final(Delivered), Sent, Folded, Folded]],
            ..at(2, "before-claim-commit:2", &[Final(Delivered), Final(Expired), Folded, Folded])
        },
        at(2, "after-claim-commit:2", &[Final(Delivered), Final(Expired), Final(Expired), Final(Expired)]),
    ],
    ..SUMMARY_UNDELIVERED
};

/// One is to be sent half an hour later, and then says what another said before.
const SCHEDULED: Storm = Storm {
    storm: "similar = \"1h\"\n",
    lives: &[
        (0, &[ALARM, Act::Ended(1), Act::Form("Disk full on srv2", 1800)]),
        (31, &[Act::Noted("similar")]),
        (30, &[]),
    ],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("Disk full on srv2", Final(Delivered)),
        ("Disk full on srv1 +1 similar, TIME", Final(Delivered)),
    ],
    taken: &["Disk full on srv1", "Disk full on srv1 +1 similar, TIME"],
    crashes: &[
        at(1, "before-accept-commit:2", &[Final(Delivered)]),
        at(1, "after-accept-commit:2", &[Final(Delivered), Held]),
        at(2, "before-claim-commit", &[Final(Delivered), Held]),
        at(2, "after-claim-commit", &[Final(Delivered), Folded, Held]),
        at(3, "before-claim-commit:1", &[Final(Delivered), Folded, Held]),
        at(3, "after-claim-commit:1", &[Final(Delivered), Folded, Claimed]),
        Crash {
            or: &[&[Final(Delivered), Folded, Sent]],
            ..at(3, "before-claim-commit:2", &[Final(Delivered), Folded, Final(Delivered)])
        },
        at(3, "after-claim-commit:2", &[Final(Delivered), Final(Delivered), Final(Delivered)]),
    ],
    ..USUAL
};

const LINK: Act = Act::Mail("sw1@example.com", "Link down");
const FAN: Act = Act::Mail("sw2@example.com", "Fan stopped");

/// One text an hour; what there is no room for is told by the next.
const OVERFLOW: Storm = Storm {
    storm: "per_destination = [\"1 in 1h\"]\n",
    lives: &[(0, &[ALARM, Act::Ended(1), LINK, FAN]), (60, &[])],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("2 alerts TIME: Link down; Fan stopped", Final(Delivered)),
        ("Link down", Final(Delivered)),
        ("Fan stopped", Final(Delivered)),
    ],
    taken: &["Disk full on srv1", "2 alerts TIME: Link down; Fan stopped"],
    crashes: SIMILAR.crashes,
    ..USUAL
};

/// An hour after the first there was one that goes at once, so that the summary finds no room, and waits on.
const NO_ROOM_FOR_THE_SUMMARY: Storm = Storm {
    storm: OVERFLOW.storm,
    lives: &[
        (0, &[ALARM, Act::Ended(1), LINK]),
        (30, &[Act::Mail("portal@example.com", "Your login code is 482913"), Act::Ended(2)]),
        (30, &[Act::Noted("no room"), FAN]),
        (30, &[]),
    ],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("2 alerts TIME: Link down; Fan stopped", Final(Delivered)),
        ("Link down", Final(Delivered)),
        ("Your login code is 482913", Final(Delivered)),
        ("Fan stopped", Final(Delivered)),
    ],
    taken: &["Disk full on srv1", "Your login code is 482913", "2 alerts TIME: Link down; Fan stopped"],
    crashes: &[
        at(2, "before-accept-commit", &[Final(Delivered), Held, Folded]),
        at(2, "after-accept-commit", &[Final(Delivered), Held, Folded, Due]),
        Crash {
            note: Some((1, ": summary")),
            ..at(3, "before-claim-commit", &[Final(Delivered), Held, Folded, Final(Delivered)])
        },
        Crash {
            note: Some((1, ": no room")),
            ..at(3, "after-claim-commit", &[Final(Delivered), Held, Folded, Final(Delivered)])
        },
        at(3, "before-accept-commit", &[Final(Delivered), Held, Folded, Final(Delivered)]),
        at(3, "after-accept-commit", &[Final(Delivered), Held, Folded, Final(Delivered), Folded]),
        at(4, "before-claim-commit", &[Final(Delivered), Held, Folded, Final(Delivered), Folded]),
        at(4, "after-claim-commit", &[Final(Delivered), Claimed, Folded, Final(Delivered), Folded]),
        at(4, "after-send", &[Final(Delivered), Claimed, Folded, Final(Delivered), Folded]),
    ],
    ..USUAL
};

/// The summary of similar ones finds no room, and is told by that of all that found none.
const SUMMARY_IN_A_SUMMARY: Storm = Storm {
    storm: "similar = \"1h\"\nper_destination = [\"1 in 2h\"]\n",
    lives: &[(0, &[ALARM, Act::Ended(1), SECOND, THIRD]), (60, &[Act::Noted("no room"), LINK]), (60, &[])],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("Disk full on srv1 +2 similar, TIME", Final(Delivered)),
        ("Disk full on srv2", Final(Delivered)),
        ("Disk full on srv3", Final(Delivered)),
        ("3 alerts TIME: Disk full on srv1 (x2); Link down", Final(Delivered)),
        ("Link down", Final(Delivered)),
    ],
    taken: &["Disk full on srv1", "3 alerts TIME: Disk full on srv1 (x2); Link down"],
    crashes: &[
        at(2, "before-claim-commit", &[Final(Delivered), Held, Folded, Folded]),
        at(2, "after-claim-commit", &[Final(Delivered), Folded, Folded, Folded, Held]),
        at(2, "before-accept-commit", &[Final(Delivered), Folded, Folded, Folded, Held]),
        at(2, "after-accept-commit", &[Final(Delivered), Folded, Folded, Folded, Held, Folded]),
        at(3, "before-claim-commit:1", &[Final(Delivered), Folded, Folded, Folded, Held, Folded]),
        at(3, "after-claim-commit:1", &[Final(Delivered), Folded, Folded, Folded, Claimed, Folded]),
        Crash {
            or: &[&[Final(Delivered), Folded, Folded, Folded, Sent, Folded]],
            ..at(
                3,
                "before-claim-commit:2",
                &[Final(Delivered), Folded, Folded, Folded, Final(Delivered), Folded],
            )
        },
        at(3, "after-claim-commit:2", &[Final(Delivered); 6]),
    ],
    ..USUAL
};

/// The first is refused for now, and tried again two to four hours later.
const AWAY: Storm = Storm {
    storm: OVERFLOW.storm,
    otherwise: &[(
        "backoff = { first = \"1s\", most = \"2s\" }\nprobe",
        "backoff = { first = \"4h\", most = \"4h\" }\nprobe",
    )],
    faults: || vec![FaultRule::on_send(failing()).times(1)],
    ..USUAL
};

/// An hour later another has room, and waits behind the first. Once that has gone, there is none.
const FOLDED_WHILE_DUE: Storm = Storm {
    lives: &[
        (0, &[ALARM, Act::Noted("500")]),
        (61, &[LINK]),
        (181, &[Act::Ended(1), Act::Noted("no room")]),
        (61, &[]),
    ],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("Link down", Final(Delivered)),
        ("1 alert TIME: Link down", Final(Delivered)),
    ],
    taken: &["Disk full on srv1", "1 alert TIME: Link down"],
    crashes: &[
        at(2, "before-accept-commit", &[Due]),
        at(2, "after-accept-commit", &[Due, Due]),
        Crash { or: &[&[Final(Delivered), Due]], ..at(3, "before-claim-commit:2", &[Sent, Due]) },
        Crash {
            or: &[&[Final(Delivered), Folded, Held]],
            ..at(3, "after-claim-commit:2", &[Sent, Folded, Held])
        },
    ],
    ..AWAY
};

/// A summary is let go an hour later, and waits behind the first. Once that has gone, there is no room for it.
const HELD_WHILE_DUE: Storm = Storm {
    lives: &[
        (0, &[ALARM, Act::Noted("500"), LINK]),
        (61, &[Act::Noted("its time has come")]),
        (181, &[Act::Ended(1), Act::Noted("held until %: no room")]),
        (61, &[]),
    ],
    ends: &[
        ("Disk full on srv1", Final(Delivered)),
        ("1 alert TIME: Link down", Final(Delivered)),
        ("Link down", Final(Delivered)),
    ],
    crashes: &[
        at(2, "before-claim-commit:1", &[Due, Held, Folded]),
        at(2, "after-claim-commit:1", &[Due, Due, Folded]),
        Crash {
            or: &[&[Final(Delivered), Due, Folded]],
            ..at(3, "before-claim-commit:2", &[Sent, Due, Folded])
        },
        Crash {
            or: &[&[Final(Delivered), Held, Folded]],
            ..at(3, "after-claim-commit:2", &[Sent, Held, Folded])
        },
    ],
    ..FOLDED_WHILE_DUE
};

const PAIRED: &str =
    "similar = \"1h\"\npair = { key = \"{{ text|match('^[A-Z]+ (.*)', 1) }}\", recovery = '^UP' }\n";

/// What recovers is told no more by the summary, which has another to tell of.
const RECOVERED: Storm = Storm {
    storm: PAIRED,
    lives: &[
        (
            0,
            &[
                Act::Mail("nagios@example.com", "DOWN db1"),
                Act::Ended(1),
                Act::Mail("nagios@example.com", "DOWN db2"),
                Act::Mail("nagios@example.com", "DOWN db3"),
                Act::Mail("nagios@example.com", "UP db2"),
                Act::Ended(3),
            ],
        ),
        (60, &[]),
    ],
    ends: &[
        ("DOWN db1", Final(Delivered)),
        ("DOWN db1 +1 similar, TIME", Final(Delivered)),
        ("DOWN db2", Final(Cancelled)),
        ("DOWN db3", Final(Delivered)),
        ("UP db2", Final(Delivered)),
    ],
    taken: &["DOWN db1", "UP db2", "DOWN db1 +1 similar, TIME"],
    crashes: &[
        at(1, "before-accept-commit:4", &[Final(Delivered), Held, Folded, Folded]),
        at(1, "after-accept-commit:4", &[Final(Delivered), Held, Final(Cancelled), Folded, Due]),
        at(2, "before-claim-commit", &[Final(Delivered), Held, Final(Cancelled), Folded, Final(Delivered)]),
        at(2, "after-claim-commit", &[Final(Delivered), Claimed, Final(Cancelled), Folded, Final(Delivered)]),
    ],
    ..USUAL
};

/// Nothing is left for the summary to tell of.
const ALL_RECOVERED: Storm = Storm {
    storm: PAIRED,
    lives: &[
        (
            0,
            &[
                Act::Mail("nagios@example.com", "DOWN db1"),
                Act::Ended(1),
                Act::Mail("nagios@example.com", "DOWN db2"),
                Act::Mail("nagios@example.com", "UP db2"),
                Act::Ended(4),
            ],
        ),
        (60, &[]),
    ],
    ends: &[
        ("DOWN db1", Final(Delivered)),
        ("DOWN db2", Final(Cancelled)),
        ("DOWN db2", Final(Cancelled)),
        ("UP db2", Final(Delivered)),
    ],
    taken: &["DOWN db1", "UP db2"],
    crashes: &[
        at(1, "before-accept-commit:3", &[Final(Delivered), Held, Folded]),
        at(1, "after-accept-commit:3", &[Final(Delivered), Final(Cancelled), Final(Cancelled), Due]),
    ],
    ..USUAL
};

pub const STORIES: [&Storm; 12] = [
    &SIMILAR,
    &SUMMARY_REFUSED,
    &SUMMARY_UNDELIVERED,
    &SUMMARY_EXPIRED,
    &SCHEDULED,
    &OVERFLOW,
    &NO_ROOM_FOR_THE_SUMMARY,
    &SUMMARY_IN_A_SUMMARY,
    &FOLDED_WHILE_DUE,
    &HELD_WHILE_DUE,
    &RECOVERED,
    &ALL_RECOVERED,
];

#[test]
fn similar_ones_told_by_a_summary() {
    tell(&SIMILAR);
}

#[test]
fn the_summary_is_refused_and_each_sender_told() {
    tell(&SUMMARY_REFUSED);
}

#[test]
fn the_summary_does_not_arrive() {
    tell(&SUMMARY_UNDELIVERED);
    tell(&SUMMARY_EXPIRED);
}

#[test]
fn folded_when_its_time_came() {
    tell(&SCHEDULED);
}

#[test]
fn no_room_for_two_that_a_summary_tells_of() {
    tell(&OVERFLOW);
}

#[test]
fn no_room_for_the_summary() {
    tell(&NO_ROOM_FOR_THE_SUMMARY);
}

#[test]
fn a_summary_told_by_another() {
    tell(&SUMMARY_IN_A_SUMMARY);
}

#[test]
fn no_room_any_more_when_the_platform_is_back() {
    tell(&FOLDED_WHILE_DUE);
}

#[test]
fn no_room_any_more_for_the_summary_when_the_platform_is_back() {
    tell(&HELD_WHILE_DUE);
}

#[test]
fn recovered_before_it_was_told() {
    tell(&RECOVERED);
}

#[test]
fn all_recovered_before_it_was_told() {
    tell(&ALL_RECOVERED);
}
