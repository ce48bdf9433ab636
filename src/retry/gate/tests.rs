use super::*;
use crate::model::{EnhancedStatus, SubmissionId};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn cause() -> Cause {
    Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, "http 401")
}

/// One of the messages of one submission.
fn sms(ordinal: u32) -> MessageId {
    "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<SubmissionId>().unwrap().message(ordinal)
}

fn gate() -> Gate {
    Gate::new(Backoff { first: Duration::from_secs(10), most: Duration::from_secs(60) })
}

#[test]
fn retry_after_holds_for_everybody_and_never_shortens() {
    let mut gate = gate();
    gate.answered(sms(1), Answer::Pause(at(30)), at(0), 1.0);
    gate.answered(sms(1), Answer::Pause(at(20)), at(1), 1.0);
    assert_eq!(gate.permission(at(29)), Permission::NotBefore(at(30)));
    assert_eq!(gate.permission(at(30)), Permission::Free);
    assert!(gate.trouble().is_none());
}

#[test]
fn a_pause_that_a_question_got_holds_for_questions_and_one_that_a_send_got_for_everything() {
    let mut gate = gate();
    assert_eq!(gate.permission_to_ask(at(0)), Permission::Free);
    gate.answered(sms(1), Answer::AskLater(at(30)), at(0), 1.0);
    gate.pause_questions(at(20), at(1));
    assert_eq!((gate.permission(at(1)), gate.paused_until(at(1))), (Permission::Free, None));
    assert!(!gate.is_out(at(0), Duration::ZERO));
    assert_eq!(gate.permission_to_ask(at(29)), Permission::NotBefore(at(30)));
    assert_eq!(gate.permission_to_ask(at(30)), Permission::Free);
    gate.answered(sms(1), Answer::Pause(at(40)), at(2), 1.0);
    assert_eq!(gate.permission(at(39)), Permission::NotBefore(at(40)));
    assert_eq!(gate.questions_paused_until(at(39)), Some(at(40)));
    assert_eq!(
        (gate.permission(at(40)), gate.permission_to_ask(at(40))),
        (Permission::Free, Permission::Free)
    );
}

#[test]
fn that_it_is_asked_too_much_neither_shuts_a_gate_nor_opens_it() {
    let mut gate = gate();
    for ordinal in 1..=4 {
        gate.answered(sms(ordinal), Answer::Broken(cause()), at(0), 1.0);
    }
    assert_eq!(gate.answered(sms(5), Answer::AskLater(at(5)), at(1), 1.0), None);
    assert_eq!(gate.permission(at(1)), Permission::Free);
    let turn = gate.answered(sms(6), Answer::Broken(cause()), at(1), 1.0);
    assert_eq!(turn, Some(Turn::Shut(cause())), "the fifth in a row");
    assert_eq!(gate.answered(sms(5), Answer::AskLater(at(60)), at(2), 1.0), None);
    assert!(gate.trouble().is_some() && gate.may_hang());
    // It is probed by who sends, while nobody may ask.
    assert_eq!(gate.permission(at(11)), Permission::Probe);
    assert_eq!(gate.permission_to_ask(at(11)), Permission::NotBefore(at(60)));
    assert_eq!(gate.permission_to_ask(at(60)), Permission::Probe);
}

#[test]
fn four_failures_in_a_row_leave_it_open_and_five_shut_it() {
    let mut gate = gate();
    for second in 0..4 {
        assert_eq!(gate.answered(sms(second), Answer::Failing(cause()), at(second.into()), 1.0), None);
    }
    gate.answered(sms(1), Answer::Working, at(4), 1.0);
    for second in 5..9 {
        assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None);
    }
    assert_eq!(gate.permission(at(9)), Permission::Free);
    assert_eq!(gate.answered(sms(2), Answer::Broken(cause()), at(9), 1.0), Some(Turn::Shut(cause())));
    assert_eq!(gate.permission(at(9)), Permission::NotBefore(at(19)));
}

#[test]
fn one_message_that_fails_for_ever_shuts_nobody_out() {
    let mut gate = gate();
    for second in 0..100 {
        assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None);
    }
    assert_eq!(gate.permission(at(100)), Permission::Free);
    gate.answered(sms(2), Answer::Working, at(100), 1.0);
    assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(101), 1.0), None);
    // Another one that fails with it makes it the platform's fault.
    for second in 102..105 {
        assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None);
    }
    let turn = gate.answered(sms(3), Answer::Broken(cause()), at(105), 1.0);
    assert_eq!(turn, Some(Turn::Shut(cause())));
}

#[test]
fn one_message_is_enough_where_nobody_answers() {
    let mut gate = gate();
    for second in 0..4 {
        assert_eq!(gate.answered(sms(1), Answer::Unreachable(cause()), at(second), 1.0), None);
    }
    let turn = gate.answered(sms(1), Answer::Unreachable(cause()), at(4), 1.0);
    assert_eq!(turn, Some(Turn::Shut(cause())));
    gate.answered(sms(1), Answer::Working, at(20), 1.0);
    for second in 20..100 {
        assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None, "begun anew");
    }
}

#[test]
fn a_fault_shuts_at_once_and_probes_come_at_growing_intervals() {
    let mut gate = gate();
    assert_eq!(gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0), Some(Turn::Shut(cause())));
    assert_eq!(gate.permission(at(10)), Permission::Probe);
    gate.probe_begins().unwrap();
    assert_eq!(gate.permission(at(10)), Permission::AwaitProbe);
    assert_eq!(gate.answered(sms(1), Answer::Fault(cause()), at(11), 1.0), None);
    assert_eq!(gate.permission(at(12)), Permission::NotBefore(at(31)));
    let probe = gate.probe_begins().unwrap();
    gate.probe_unused(probe);
    assert_eq!(gate.permission(at(31)), Permission::Probe);
    gate.probe_begins().unwrap();
    assert_eq!(gate.answered(sms(1), Answer::Working, at(32), 1.0), Some(Turn::Opened { since: at(0) }));
    assert_eq!(gate.permission(at(32)), Permission::Free);
}

#[test]
fn what_was_mended_is_tried_at_once_and_the_waits_begin_anew() {
    let mut gate = gate();
    gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0);
    gate.probe_begins().unwrap();
    gate.answered(sms(1), Answer::Fault(cause()), at(10), 1.0);
    gate.answered(sms(1), Answer::Pause(at(12)), at(0), 1.0);
    gate.answered(sms(1), Answer::Fault(cause()), at(10), 1.0);
    assert_eq!(gate.permission(at(13)), Permission::NotBefore(at(20)));
    gate.mended(at(11));
    assert_eq!(gate.permission(at(11)), Permission::NotBefore(at(12)));
    assert_eq!(gate.permission(at(13)), Permission::Probe);
    gate.probe_begins().unwrap();
    gate.answered(sms(1), Answer::Fault(cause()), at(14), 1.0);
    assert_eq!(gate.permission(at(15)), Permission::NotBefore(at(24)));
}

#[test]
fn a_short_pause_is_waited_for_and_a_long_one_or_a_shut_gate_is_not() {
    let patience = Duration::from_secs(30);
    let mut gate = gate();
    assert!(!gate.is_out(at(0), patience));
    gate.answered(sms(1), Answer::Pause(at(31)), at(0), 1.0);
    assert!(gate.is_out(at(0), patience));
    assert!(!gate.is_out(at(1), patience), "30 s are left");
    gate.answered(sms(1), Answer::Fault(cause()), at(2), 1.0);
    assert!(gate.is_out(at(40), patience));
    gate.probe_begins().unwrap();
    assert!(gate.is_out(at(40), patience), "until the probe is answered");
    gate.answered(sms(1), Answer::Working, at(41), 1.0);
    assert!(!gate.is_out(at(41), patience));
}

#[test]
fn other_waits_between_probes_hold_from_the_next_one_on() {
    let mut gate = gate();
    gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0);
    gate.set_probe(Backoff { first: Duration::from_secs(1), most: Duration::from_secs(3) });
    assert_eq!(gate.permission(at(9)), Permission::NotBefore(at(10)));
    gate.probe_begins().unwrap();
    gate.answered(sms(1), Answer::Fault(cause()), at(10), 1.0);
    assert_eq!(gate.permission(at(10)), Permission::NotBefore(at(12)));
}

#[test]
fn a_clock_that_is_put_back_keeps_no_gate_shut() {
    let mut gate = gate();
    gate.answered(sms(1), Answer::Fault(cause()), at(100_000), 1.0);
    // It waits 10 s for a probe, and never more than 60 s.
    assert_eq!(gate.permission(at(100_009)), Permission::NotBefore(at(100_010)));
    assert_eq!(gate.permission(at(99_890)), Permission::NotBefore(at(100_010)));
    assert_eq!(gate.permission(at(99_889)), Permission::Probe);
    assert_eq!(gate.permission(at(0)), Permission::Probe);
    gate.answered(sms(1), Answer::Pause(at(100_030)), at(100_000), 1.0);
    let day = 24 * 60 * 60;
    assert_eq!(gate.permission(at(99_970 - day)), Permission::NotBefore(at(100_030)));
    assert_eq!(gate.permission(at(99_969 - day)), Permission::Free);
    // Nor does it keep the next pause from being heard.
    gate.answered(sms(1), Answer::Pause(at(10)), at(0), 1.0);
    assert_eq!(gate.permission(at(0)), Permission::NotBefore(at(10)));
    gate.pause_questions(at(100_030), at(100_000));
    gate.pause_questions(at(20), at(0));
    assert_eq!(gate.permission_to_ask(at(0)), Permission::NotBefore(at(20)));
}

#[test]
fn a_gate_that_broken_calls_shut_may_hang_until_a_call_says_more() {
    let mut gate = gate();
    for ordinal in 1..=5 {
        assert!(!gate.may_hang());
        gate.answered(sms(ordinal), Answer::Broken(cause()), at(0), 1.0);
    }
    assert!(gate.may_hang());
    gate.probe_begins().unwrap();
    gate.answered(sms(1), Answer::Failing(cause()), at(10), 1.0);
    assert!(!gate.may_hang(), "it is refused at once now");
    gate.answered(sms(1), Answer::Broken(cause()), at(10), 1.0);
    assert!(gate.may_hang());
    gate.answered(sms(1), Answer::Working, at(10), 1.0);
    assert!(!gate.may_hang());
}

#[test]
fn stragglers_of_before_do_not_lengthen_the_wait() {
    let mut gate = gate();
    gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0);
    for second in 1..8 {
        gate.answered(sms(1), Answer::Fault(cause()), at(second), 1.0);
    }
    assert_eq!(gate.permission(at(10)), Permission::Probe);
}

#[test]
fn only_who_has_the_probe_gives_it_back() {
    let mut gate = gate();
    assert_eq!(gate.probe_begins(), None, "an open gate has none");
    gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0);
    let first = gate.probe_begins().unwrap();
    assert_eq!(gate.probe_begins(), None, "one at a time");
    // A call that began before the gate shut fails, and ends it.
    gate.answered(sms(2), Answer::Fault(cause()), at(10), 1.0);
    assert_eq!(gate.permission(at(31)), Permission::Probe);
    let second = gate.probe_begins().unwrap();
    gate.probe_unused(first);
    assert_eq!(gate.permission(at(31)), Permission::AwaitProbe, "the second one is under way");
    gate.probe_unused(second);
    assert_eq!(gate.permission(at(31)), Permission::Probe);
    // One of before the gate opened frees none of after it.
    let third = gate.probe_begins().unwrap();
    gate.answered(sms(1), Answer::Working, at(32), 1.0);
    gate.answered(sms(1), Answer::Fault(cause()), at(33), 1.0);
    let fourth = gate.probe_begins().unwrap();
    gate.probe_unused(third);
    assert_eq!(gate.permission(at(50)), Permission::AwaitProbe);
    gate.probe_unused(fourth);
    assert_eq!(gate.permission(at(50)), Permission::Probe);
}
