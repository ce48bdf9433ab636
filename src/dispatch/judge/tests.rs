use super::*;
use crate::model::{
    Channel, Encoding, Lane, Legacy, OnUnknown, PhoneNumber, SenderId, Sms, SmsOptions, SmsText,
    SubmissionId, Template,
};
use crate::retry::{AskPlan, Backoff};

const NOW: i64 = 1_800_000_000;

fn at(offset: i64) -> Timestamp {
    Timestamp::from_second(NOW + offset).unwrap()
}

fn settings() -> Settings {
    Settings {
        concurrency: 8,
        backoff: Backoff { first: Duration::from_secs(5), most: Duration::from_secs(900) },
        probe: Backoff { first: Duration::from_secs(30), most: Duration::from_secs(900) },
        ask_after: Duration::from_secs(7),
        unknown_time: Duration::from_secs(600),
        plan: AskPlan {
            first: Duration::from_secs(30),
            with_callbacks: Duration::from_secs(300),
            callbacks_alive: Duration::from_secs(60),
        },
    }
}

fn cause(text: &str) -> Cause {
    Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, text)
}

fn question(since: i64, expires: i64, asked: u32) -> Question {
    Question {
        id: SubmissionId::new(at(0)).message(1),
        attempt: 1,
        asked,
        since: at(since),
        expires_at: at(expires),
        channel: Channel::Sms,
        on_unknown: OnUnknown::Resend,
        is_simulation: false,
        has_next_way: false,
        silent_at: None,
    }
}

/// Attempt 3 at an SMS.
fn claimed() -> Claimed {
    Claimed {
        sms: Sms {
            id: SubmissionId::new(at(0)).message(1),
            destination: PhoneNumber::from_e164("+393470000001").unwrap(),
            sender: SenderId::of_relay(),
            text: SmsText { body: "x".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions::default(),
        },
        attempt: 3,
        accepted_at: at(-10),
        expires_at: at(900),
        lane: Lane::Normal,
        has_next_way: false,
        silence: None,
        failures: 0,
        has_other_gateway: false,
    }
}

#[test]
fn that_nobody_answers_is_about_no_message() {
    let later = |cause: Cause| SendOutcome::Later { until: None, cause };
    for reason in Reason::ALL {
        let is_about_all = reason == Reason::NotReached;
        let expected = if is_about_all { Answer::Unreachable } else { Answer::Failing }(reason.cause());
        assert_eq!(answer(&later(reason.cause())), expected, "{reason:?}");
        let outcome = StatusOutcome::CannotTell { until: None, cause: reason.cause() };
        let (_, learnt) = after_question(outcome, &question(0, 900, 0), at(0), 1.0, &settings());
        assert_eq!(learnt, Some(expected), "{reason:?}");
    }
}

fn template() -> Way {
    Way::Template(Template { channel: Channel::Rcs, id: "alert".to_owned(), variables: Default::default() })
}

fn accepted() -> SendOutcome {
    SendOutcome::Accepted { parts: None, unicode: None, platform_id: None }
}

fn judged(outcome: SendOutcome, attempt: &Attempt<'_>) -> Step {
    after_send(outcome, attempt, at(0), 1.0, &settings())
}

fn by<'a>(way: &'a Way, claimed: &'a Claimed) -> Attempt<'a> {
    Attempt { claimed, way, gateways: &[], last_callback: None }
}

fn retry(when: i64, text: &str) -> Step {
    Step::Retry { at: at(when), cause: cause(text), by: Again::InOrder }
}

#[test]
fn every_send_outcome_has_its_step_and_tells_the_gate() {
    let sent =
        SendOutcome::Accepted { parts: Some(2), unicode: Some(true), platform_id: Some("theirs".to_owned()) };
    let sent_step = |note: &str| Step::Sent {
        parts: Some(2),
        unicode: Some(true),
        platform_id: Some("theirs".to_owned()),
        ask_at: at(30),
        note: note.to_owned(),
    };
    let until = at(25);
    for (way, note) in [
        (Way::Sms, "accepted by the platform"),
        (Way::Legacy(Legacy::default()), "accepted by the platform"),
        (template(), "accepted by the platform for RCS"),
    ] {
        let table = [
            (sent.clone(), sent_step(note), Answer::Working),
            (
                SendOutcome::Refused(cause("no")),
                Step::Final { state: FinalState::Failed, cause: cause("no") },
                Answer::Working,
            ),
            (
                SendOutcome::Later { until: Some(until), cause: cause("429") },
                retry(25, "429"),
                Answer::Pause(until),
            ),
            (
                SendOutcome::Later { until: None, cause: cause("500") },
                retry(20, "500"),
                Answer::Failing(cause("500")),
            ),
            (SendOutcome::GatewayFault(cause("401")), retry(0, "401"), Answer::Fault(cause("401"))),
            (
                SendOutcome::Unknown(cause("reset")),
                Step::Unknown { ask_at: at(7), cause: cause("reset") },
                Answer::Broken(cause("reset")),
            ),
        ];
        for (outcome, step, learnt) in table {
            assert_eq!(judged(outcome.clone(), &by(&way, &claimed())), step, "{outcome:?} by {way:?}");
            assert_eq!(answer(&outcome), learnt, "{outcome:?}");
        }
    }
}

#[test]
fn what_is_refused_goes_its_next_way_and_everything_else_stays_on_this_one() {
    let claimed = Claimed { has_next_way: true, ..claimed() };
    for way in [Way::Sms, Way::Legacy(Legacy::default()), template()] {
        let attempt = by(&way, &claimed);
        assert_eq!(judged(SendOutcome::Refused(cause("no")), &attempt), Step::NextWay { cause: cause("no") });
        assert_eq!(judged(SendOutcome::GatewayFault(cause("401")), &attempt), retry(0, "401"));
        let later = SendOutcome::Later { until: None, cause: cause("500") };
        assert_eq!(judged(later, &attempt), retry(20, "500"));
        assert!(matches!(judged(SendOutcome::Unknown(cause("reset")), &attempt), Step::Unknown { .. }));
    }
}

#[test]
fn a_pause_shorter_than_the_back_off_does_not_shorten_it() {
    let outcome = SendOutcome::Later { until: Some(at(1)), cause: cause("429") };
    assert_eq!(judged(outcome, &by(&Way::Sms, &claimed())), retry(20, "429"));
}

#[test]
fn a_long_pause_of_one_gateway_does_not_keep_a_message_from_the_others() {
    let claimed = claimed();
    let paused = |until| SendOutcome::Later { until: Some(at(until)), cause: cause("429") };
    for (has_others, until, next) in
        [(false, 31, 31), (false, 3600, 3600), (true, 30, 30), (true, 31, 20), (true, 3600, 20)]
    {
        let gateways = names(if has_others { &["main", "backup"] } else { &["main"] });
        let attempt = Attempt { gateways: &gateways, ..by(&Way::Sms, &claimed) };
        assert_eq!(judged(paused(until), &attempt), retry(next, "429"), "{has_others} {until}");
        assert_eq!(answer(&paused(until)), Answer::Pause(at(until)));
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_message_that_one_gateway_fails_with_goes_by_its_others_at_the_fifth_time() {
    let gateways = names(&["main", "backup"]);
    let not_reached = || Cause { status: Reason::NotReached.status(), ..cause("refused") };
    let later = |until, cause| SendOutcome::Later { until, cause };
    let others_first = || Again::OthersFirst { known: gateways.clone() };
    for (outcome, failures, has_other_gateway, expected) in [
        (later(None, cause("500")), 0, true, Again::Counted),
        (later(None, cause("500")), 3, true, Again::Counted),
        (later(None, cause("500")), 4, true, others_first()),
        (later(None, cause("500")), u32::MAX, true, others_first()),
        (later(None, cause("500")), 4, false, Again::InOrder),
        // What the gate handles is not about the message.
        (later(None, not_reached()), 4, true, Again::InOrder),
        (later(Some(at(9)), cause("503")), 4, true, Again::InOrder),
        (SendOutcome::GatewayFault(cause("401")), 4, true, Again::InOrder),
    ] {
        let claimed = Claimed { failures, has_other_gateway, ..claimed() };
        let attempt = Attempt { gateways: &gateways, ..by(&Way::Sms, &claimed) };
        let step = judged(outcome.clone(), &attempt);
        let Step::Retry { by, .. } = step else { panic!("{step:?}") };
        assert_eq!(by, expected, "{outcome:?} {failures} {has_other_gateway}");
    }
    // One whose outcome nobody knows is asked about where it went.
    let claimed = Claimed { failures: 9, has_other_gateway: true, ..claimed() };
    let step = judged(SendOutcome::Unknown(cause("reset")), &by(&Way::Sms, &claimed));
    assert!(matches!(step, Step::Unknown { .. }), "{step:?}");
    let (step, _) = after_question(StatusOutcome::NotKnown, &question(-5, 900, 0), at(0), 1.0, &settings());
    assert!(matches!(step, Step::Retry { by: Again::InOrder, .. }), "{step:?}");
}

/// When it is asked about first.
fn asked_at(attempt: &Attempt<'_>) -> Timestamp {
    let step = judged(accepted(), attempt);
    let Step::Sent { ask_at, .. } = step else { panic!("{step:?}") };
    ask_at
}

#[test]
fn who_calls_back_is_asked_later_and_a_way_with_a_limit_at_its_limit() {
    let patient = claimed();
    let short = Claimed { has_next_way: true, silence: Some(Duration::from_secs(60)), ..claimed() };
    let table = [
        (&patient, None, 30),
        (&patient, Some(at(-59)), 300),
        (&patient, Some(at(-60)), 30),
        (&short, None, 30),
        (&short, Some(at(-1)), 60),
    ];
    for (claimed, last_callback, expected) in table {
        let attempt = Attempt { last_callback, ..by(&Way::Sms, claimed) };
        assert_eq!(asked_at(&attempt), at(expected), "{last_callback:?}");
    }
}

#[test]
fn what_the_platform_is_to_send_later_is_asked_about_later() {
    let mut scheduled = claimed();
    scheduled.sms.options.scheduled_at = Some(at(5000));
    assert_eq!(asked_at(&by(&Way::Sms, &scheduled)), at(5030));
    assert_eq!(asked_at(&by(&template(), &scheduled)), at(30), "a template is not scheduled");
    let Step::Sent { note, .. } = judged(accepted(), &by(&Way::Sms, &scheduled)) else { panic!() };
    assert_eq!(note, format!("accepted by the platform, which is to send it at {}", at(5000)));
    scheduled.sms.options.scheduled_at = Some(at(0));
    assert_eq!(asked_at(&by(&Way::Sms, &scheduled)), at(30));
}

#[test]
fn what_is_only_simulated_ends_with_the_platform_s_yes() {
    let mut claimed = claimed();
    claimed.sms.options.simulation = true;
    let step = judged(accepted(), &by(&Way::Sms, &claimed));
    let Step::Final { state: FinalState::Cancelled, cause } = step else { panic!("{step:?}") };
    assert_eq!(cause.status.class, 2);
    assert_eq!(cause.text, "checked by the platform as a simulation, not sent");
    let refused = judged(SendOutcome::Refused(super::tests::cause("no")), &by(&Way::Sms, &claimed));
    assert!(matches!(refused, Step::Final { state: FinalState::Failed, .. }), "{refused:?}");
}

#[test]
fn what_the_platform_knows_is_sent_and_what_it_does_not_know_goes_again() {
    for status in [
        DeliveryStatus::Delivered,
        DeliveryStatus::Sent,
        DeliveryStatus::Undeliverable("x".to_owned()),
        DeliveryStatus::Expired("x".to_owned()),
    ] {
        let (step, _) =
            after_question(StatusOutcome::Known(status), &question(-5, 900, 0), at(0), 1.0, &settings());
        assert!(matches!(step, Step::Sent { ask_at, .. } if ask_at == at(0)), "{step:?}");
    }
    let (step, _) = after_question(StatusOutcome::NotKnown, &question(-5, 900, 0), at(0), 1.0, &settings());
    assert!(matches!(step, Step::Retry { at: when, .. } if when == at(0)), "{step:?}");
}

#[test]
fn what_the_platform_denies_again_and_again_goes_ever_more_rarely() {
    let waits: Vec<i64> = (1..=10)
        .map(|attempt| {
            let question = Question { attempt, ..question(-5, 14_400, 1) };
            let step = after_question(StatusOutcome::NotKnown, &question, at(0), 1.0, &settings()).0;
            let Step::Retry { at, .. } = step else { panic!("{step:?}") };
            at.as_second() - NOW
        })
        .collect();
    assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 320, 640, 900]);
}

#[test]
fn an_undecided_message_is_asked_about_then_sent_again_or_expires() {
    let cannot = || StatusOutcome::CannotTell { until: None, cause: cause("http 500") };
    let ask = |question: &Question, outcome| after_question(outcome, question, at(0), 1.0, &settings()).0;
    assert_eq!(ask(&question(-5, 900, 1), cannot()), Step::AskAgain { ask_at: at(10) });
    let not_yet = StatusOutcome::Known(DeliveryStatus::NotYetAvailable);
    assert_eq!(ask(&question(-5, 900, 0), not_yet), Step::AskAgain { ask_at: at(5) });
    let paused = StatusOutcome::CannotTell { until: Some(at(60)), cause: cause("http 429") };
    assert_eq!(ask(&question(-5, 900, 0), paused), Step::AskAgain { ask_at: at(60) });
    assert!(matches!(ask(&question(-599, 900, 9), cannot()), Step::AskAgain { .. }));
    assert!(matches!(ask(&question(-600, 900, 9), cannot()), Step::Retry { at: when, .. } if when == at(0)));
    assert!(matches!(
        ask(&question(-600, 0, 9), cannot()),
        Step::Final { state: FinalState::Expired, cause } if cause.text.ends_with("http 500")
    ));
}

#[test]
fn what_nobody_can_tell_for_long_is_sent_again_or_fails_by_the_rule_s_choice() {
    let cannot = || StatusOutcome::CannotTell { until: None, cause: cause("http 500") };
    let ask = |on_unknown, since| {
        let question = Question { on_unknown, ..question(since, 900, 9) };
        after_question(cannot(), &question, at(0), 1.0, &settings()).0
    };
    for choice in [OnUnknown::Resend, OnUnknown::Fail] {
        assert!(matches!(ask(choice, -599), Step::AskAgain { .. }), "{choice:?}");
    }
    let step = ask(OnUnknown::Resend, -600);
    let Step::Retry { at: when, cause, by: Again::Same } = step else { panic!("{step:?}") };
    assert_eq!(when, at(0));
    assert_eq!(cause.text, "sent again, the platform cannot tell whether it has it: http 500");
    let step = ask(OnUnknown::Fail, -600);
    let Step::Final { state: FinalState::Failed, cause } = step else { panic!("{step:?}") };
    assert_eq!(cause.status, EnhancedStatus::EXPIRED);
    assert_eq!(
        cause.text,
        "the platform could not tell for 10 min whether it has it; by the rule's choice it is not sent \
         again: http 500"
    );
}

#[test]
fn the_next_question_comes_no_later_than_what_decides_without_it() {
    let paused = || StatusOutcome::CannotTell { until: Some(at(3600)), cause: cause("http 429") };
    let asked_at = |on_unknown, since, expires| {
        let question = Question { on_unknown, ..question(since, expires, 0) };
        let (step, learnt) = after_question(paused(), &question, at(0), 1.0, &settings());
        assert_eq!(learnt, Some(Answer::AskLater(at(3600))));
        let Step::AskAgain { ask_at } = step else { panic!("{step:?}") };
        ask_at
    };
    assert_eq!(asked_at(OnUnknown::Resend, -100, 7200), at(3600));
    assert_eq!(asked_at(OnUnknown::Resend, -100, 900), at(900));
    assert_eq!(asked_at(OnUnknown::Fail, -100, 7200), at(500));
    assert_eq!(asked_at(OnUnknown::Fail, -100, 499), at(499));
}

#[test]
fn while_nobody_may_be_asked_its_lifetime_ends_and_the_rule_that_wants_it_to_fail_is_followed() {
    let look = |on_unknown, has_next_way, since, expires| {
        let question = Question { on_unknown, has_next_way, ..question(since, expires, 3) };
        unasked(&question, cause("http 401"), at(0), at(60), &settings())
    };
    let ends = |step: Option<Step>| match step {
        Some(Step::Final { state, cause }) => (state, cause.status, cause.text),
        other => panic!("{other:?}"),
    };
    let expired = "its lifetime ended while the platform could not tell whether it has it: http 401";
    for choice in [OnUnknown::Resend, OnUnknown::Fail] {
        let end = (FinalState::Expired, EnhancedStatus::EXPIRED, expired.to_owned());
        assert_eq!(ends(look(choice, false, -600, 0)), end, "{choice:?}");
        assert_eq!(look(choice, false, -5, 60), None, "{choice:?}");
        assert_eq!(look(choice, false, -5, 59), Some(Step::AskAgain { ask_at: at(59) }), "{choice:?}");
    }
    assert_eq!(look(OnUnknown::Resend, false, -6000, 900), None, "it goes on waiting for an answer");
    assert_eq!(look(OnUnknown::Fail, false, -540, 900), None, "just when it is looked at again");
    assert_eq!(look(OnUnknown::Fail, false, -541, 900), Some(Step::AskAgain { ask_at: at(59) }));
    assert_eq!(look(OnUnknown::Fail, false, -599, 900), Some(Step::AskAgain { ask_at: at(1) }));
    // As where the platform was asked and could not tell: it may have it, so no other way is tried either.
    for has_next_way in [false, true] {
        let failed = "the platform could not tell for 10 min whether it has it; by the rule's choice it is not \
                      sent again: http 401";
        let end = (FinalState::Failed, EnhancedStatus::EXPIRED, failed.to_owned());
        assert_eq!(ends(look(OnUnknown::Fail, has_next_way, -600, 900)), end);
    }
}

#[test]
fn what_is_only_simulated_goes_again_without_a_question_when_its_answer_is_lost() {
    let mut simulated = claimed();
    simulated.sms.options.simulation = true;
    for way in [Way::Sms, Way::Legacy(Legacy::default())] {
        let again = "only tried out, so that it is checked again without asking: reset";
        assert_eq!(judged(SendOutcome::Unknown(cause("reset")), &by(&way, &simulated)), retry(20, again));
    }
    let question = |is_simulation| Question { is_simulation, attempt: 2, ..question(-5, 900, 0) };
    let step = unasked_simulation(&question(true), at(0), 1.0, &settings());
    let Some(Step::Retry { at: when, cause, by: Again::InOrder }) = step else { panic!("{step:?}") };
    assert_eq!(when, at(10));
    let ended = "only tried out, so that it is checked again without asking: the relay ended during its call";
    assert_eq!(cause.text, ended);
    assert_eq!(unasked_simulation(&question(false), at(0), 1.0, &settings()), None);
}
