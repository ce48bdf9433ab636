//! The way of one SMS through its states.

use std::collections::BTreeMap;

use super::super::{Asked, Backlog, News, Question, Queue, Recovered, Spool, SpoolError, Step};
use super::{
    GATEWAY, LIFETIME, accept_one, at, claim, claim_ids, delivered, due_queue, later, look, message, phone,
    refused, report, retry, sent, settle, submission, timeline, unknown,
};
use crate::model::{
    Cause, Channel, Encoding, EnhancedStatus, Fate, FinalState, HoldReason, Lane, MessageId, Notify,
    OnUnknown, Orcpt, ReportTo, Ret, SmsOptions, State, SubmissionId, TellStyle, TellUrl,
};

pub(in crate::spool) async fn what_was_accepted_is_shown_as_it_was(spool: &dyn Spool) {
    let mut given = submission(5, &[1, 2, 3]);
    given.client.account = Some("printers".to_owned());
    let first = &mut given.messages[0];
    first.sms.text.body = "Größe €5 \u{1f525} nul \0 'quoted'\r\n".to_owned();
    first.sms.text.encoding = Encoding::Ucs2;
    first.sms.text.parts = 3;
    first.sms.options = SmsOptions {
        campaign_id: Some("ups".to_owned()),
        udh_data: Some("0605".to_owned()),
        simulation: true,
        enable_notification: Some(false),
        placeholders: Some(BTreeMap::from([("name".to_owned(), "Ada".to_owned())])),
        scheduled_at: Some(at(77)),
        skip_rcs_override: true,
    };
    first.recipient.notify = Notify::On { success: true, failure: false, delay: true };
    first.recipient.orcpt = Some(Orcpt { kind: "rfc822".to_owned(), address: "a b@x".to_owned() });
    first.rule = "night".to_owned();
    first.delivery.lane = Lane::Critical;
    first.delivery.expires_at = at(78);
    given.messages[1].fate = Fate::Refused(Cause::new(EnhancedStatus::POLICY, "not to this country"));
    given.messages[2].fate = Fate::Dropped(Cause::new(EnhancedStatus::POLICY, "rule `quiet` drops it"));
    given.forwards = vec![report(given.id, at(5))];
    given.messages.push(message(given.id.message(4), phone(4)));
    given.messages[3].fate = Fate::Held { until: at(60), reason: HoldReason::Scheduled };
    given.original.subject = Some("Größe".to_owned());
    spool.accept(given.clone()).await.unwrap();

    let view = spool.submission(given.id).await.unwrap().unwrap();
    assert_eq!((view.received_at, &view.subject), (at(5), &given.original.subject));
    assert_eq!(view.client, given.client);
    for (shown, message) in view.messages.iter().zip(&given.messages) {
        assert_eq!(shown.sms, message.sms);
        assert_eq!(shown.recipient, message.recipient);
        assert_eq!(shown.rule, message.rule);
        assert_eq!(shown.attempts, 0);
        assert_eq!((shown.lane, shown.expires_at), (message.delivery.lane, message.delivery.expires_at));
        assert_eq!((&shown.gateway, shown.platform_parts, shown.price), (&None, None, None));
        assert_eq!((shown.tries.len(), shown.callbacks.len()), (0, 0));
        let hold_reason = match &message.fate {
            Fate::Held { reason, .. } => Some(*reason),
            Fate::Due | Fate::Refused(_) | Fate::Dropped(_) | Fate::SameAs(_) => None,
        };
        let cause = message.fate.cause().map(std::borrow::Cow::into_owned);
        assert_eq!((shown.hold_reason, &shown.cause), (hold_reason, &cause));
    }
    let states: Vec<_> = view.messages.iter().map(|message| (message.state, message.next_at)).collect();
    assert_eq!(
        states,
        [
            (State::Due, Some(at(5))),
            (State::Final(FinalState::Failed), None),
            (State::Final(FinalState::Cancelled), None),
            (State::Held, Some(at(60)))
        ]
    );
    assert_eq!(timeline(spool, given.id.message(1)).await, ["5 due: accepted"]);
    assert_eq!(timeline(spool, given.id.message(2)).await, ["5 failed: not to this country"]);
    assert_eq!(timeline(spool, given.id.message(3)).await, ["5 cancelled: rule `quiet` drops it"]);
    assert_eq!(view.mails.len(), 1);
    assert_eq!(view.mails[0].mail, given.forwards[0]);
    assert_eq!((view.mails[0].state.as_str(), view.mails[0].attempts), ("due", 0));
    assert_eq!(spool.submission(SubmissionId::new(at(5))).await.unwrap(), None);
}

pub(in crate::spool) async fn a_claim_records_the_attempt_and_is_made_once(spool: &dyn Spool) {
    let given = submission(5, &[1]);
    let id = given.id.message(1);
    spool.accept(given.clone()).await.unwrap();
    assert_eq!(claim(spool, 4).await, [], "before it is due");
    let claimed = claim(spool, 5).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].sms, given.messages[0].sms);
    assert_eq!(claimed[0].attempt, 1);
    assert_eq!(claimed[0].accepted_at, at(5));
    assert_eq!(claimed[0].expires_at, at(LIFETIME));
    assert_eq!(claim(spool, 6).await, [], "claimed already");
    let shown = look(spool, id).await;
    assert_eq!((shown.state, shown.attempts, shown.next_at), (State::Claimed, 1, None));
    assert_eq!(timeline(spool, id).await, ["5 due: accepted", "5 claimed: attempt 1 began"]);
}

/// Brings a fresh SMS into `state`.
async fn bring_to(spool: &dyn Spool, state: State, n: u32) -> MessageId {
    let id = accept_one(spool, 0, n).await;
    let steps = match state {
        State::Held | State::Due => return id,
        State::Folded => panic!("one that folds is not alone"),
        State::Claimed => vec![],
        State::Unknown => vec![unknown(1000)],
        State::Sent => vec![sent(1000)],
        State::Final(FinalState::Failed) => vec![refused()],
        State::Final(end @ (FinalState::Delivered | FinalState::Undelivered | FinalState::Expired)) => {
            vec![sent(1000), Step::Final { state: end, cause: later() }]
        }
        State::Final(FinalState::Cancelled) => {
            spool.settle(id, 0, end(FinalState::Cancelled), at(1)).await.unwrap();
            return id;
        }
    };
    // Beside those that stayed due before it.
    assert!(claim_ids(spool, 1).await.contains(&id));
    for step in steps {
        settle(spool, id, step, 2).await;
    }
    id
}

fn end(state: FinalState) -> Step {
    Step::Final { state, cause: later() }
}

const FINAL: [FinalState; 5] = [
    FinalState::Delivered,
    FinalState::Undelivered,
    FinalState::Failed,
    FinalState::Expired,
    FinalState::Cancelled,
];

pub(in crate::spool) async fn each_step_moves_as_the_table_of_states_says(spool: &dyn Spool) {
    let mut states = vec![State::Due, State::Claimed, State::Unknown, State::Sent];
    states.extend(FINAL.map(State::Final));
    let mut n = 0;
    for from in states {
        let steps = [(sent(50), State::Sent), (retry(90_000), State::Due), (unknown(50), State::Unknown)];
        let ends = FINAL.map(|state| (end(state), State::Final(state)));
        for (step, to) in steps.into_iter().chain(ends) {
            n += 1;
            let id = bring_to(spool, from, n).await;
            let before = look(spool, id).await;
            assert_eq!(before.state, from);
            let result = spool.settle(id, before.attempts, step, at(3)).await;
            let after = look(spool, id).await;
            // What the platform has is not tried again by the same way, and it has nothing that was never tried.
            let is_possible =
                (from, to) != (State::Sent, State::Due) && (from, to) != (State::Due, State::Sent);
            if from.may_become(to) && is_possible {
                assert_eq!(result, Ok(to), "{from} -> {to}");
                assert_eq!(after.state, to);
                assert_eq!(after.events.len(), before.events.len() + 1, "{from} -> {to}");
                assert_eq!(after.next_at.is_none(), matches!(to, State::Final(_)), "{from} -> {to}");
            } else {
                assert_eq!(result, Err(SpoolError::Stale(id)), "{from} -> {to}");
                assert_eq!(after, before, "{from} -> {to}");
            }
        }
        n += 1;
        let id = bring_to(spool, from, n).await;
        let attempts = look(spool, id).await.attempts;
        let next_way = spool.settle(id, attempts, Step::NextWay { cause: later() }, at(3)).await;
        assert_eq!(next_way, Err(SpoolError::Stale(id)), "there is one way only: {from}");
        let before = look(spool, id).await;
        let asked = spool.settle(id, before.attempts, Step::AskAgain { ask_at: at(60) }, at(3)).await;
        let after = look(spool, id).await;
        assert_eq!((after.state, after.events), (before.state, before.events), "asking leaves no line");
        if matches!(from, State::Unknown | State::Sent) {
            assert_eq!((asked.is_ok(), after.next_at), (true, Some(at(60))));
        } else {
            assert_eq!((asked, after.next_at), (Err(SpoolError::Stale(id)), before.next_at));
        }
    }
}

pub(in crate::spool) async fn a_step_of_another_attempt_is_stale(spool: &dyn Spool) {
    let id = accept_one(spool, 0, 1).await;
    claim(spool, 1).await;
    settle(spool, id, retry(10), 2).await;
    claim(spool, 10).await;
    for attempt in [0, 1, 3] {
        assert_eq!(
            spool.settle(id, attempt, refused(), at(11)).await,
            Err(SpoolError::Stale(id)),
            "{attempt}"
        );
    }
    assert_eq!(look(spool, id).await.state, State::Claimed);
    assert_eq!(spool.settle(id, 2, sent(20), at(11)).await, Ok(State::Sent));
    let nobody = id.submission.message(2);
    assert_eq!(spool.settle(nobody, 0, refused(), at(11)).await, Err(SpoolError::Stale(nobody)));
}

pub(in crate::spool) async fn a_retry_is_claimed_again_at_its_time_and_counts(spool: &dyn Spool) {
    let id = accept_one(spool, 0, 1).await;
    claim(spool, 1).await;
    settle(spool, id, retry(30), 2).await;
    assert_eq!(claim(spool, 29).await, []);
    let again = claim(spool, 30).await;
    assert_eq!((again[0].sms.id, again[0].attempt), (id, 2));
    assert_eq!(
        timeline(spool, id).await,
        [
            "0 due: accepted",
            "1 claimed: attempt 1 began",
            "2 due: the platform did not answer",
            "30 claimed: attempt 2 began"
        ]
    );
    spool.settle(id, 2, refused(), at(31)).await.unwrap();
    assert_eq!(
        timeline(spool, id).await.last().unwrap(),
        "31 failed: the platform refused it (http 422)",
        "with the platform's own words"
    );
}

pub(in crate::spool) async fn questions_come_at_their_time_and_not_again_before_the_next(spool: &dyn Spool) {
    let id = accept_one(spool, 0, 1).await;
    claim(spool, 1).await;
    settle(spool, id, unknown(10), 2).await;
    let ask = async |state, now, again| {
        spool.questions(state, GATEWAY.to_owned(), at(now), at(again), 10).await.unwrap()
    };
    let question = |asked, since| Question {
        id,
        attempt: 1,
        asked,
        since: at(since),
        expires_at: at(LIFETIME),
        channel: Channel::Sms,
        on_unknown: OnUnknown::Resend,
        is_simulation: false,
        has_next_way: false,
        silent_at: None,
    };
    assert_eq!(ask(Asked::Unknown, 9, 20).await, []);
    assert_eq!(ask(Asked::Sent, 10, 20).await, []);
    assert_eq!(ask(Asked::Unknown, 10, 20).await, [question(0, 2)]);
    assert_eq!(ask(Asked::Unknown, 19, 30).await, []);
    assert_eq!(ask(Asked::Unknown, 20, 40).await, [question(1, 2)]);
    settle(spool, id, Step::AskAgain { ask_at: at(25) }, 21).await;
    assert_eq!(ask(Asked::Unknown, 25, 40).await, [question(2, 2)]);
    // A look while nobody may ask counts as no question, and puts the next one off all the same.
    let look = async |now, again| spool.unasked(GATEWAY.to_owned(), at(now), at(again), 10).await.unwrap();
    assert_eq!(look(39, 45).await, []);
    for now in [40, 41, 42] {
        assert_eq!(look(now, now + 1).await, [question(3, 2)]);
    }
    assert_eq!(ask(Asked::Unknown, 42, 50).await, []);
    assert_eq!(ask(Asked::Unknown, 43, 50).await, [question(3, 2)]);
    // A new state is asked about from the beginning.
    settle(spool, id, sent(50), 44).await;
    assert_eq!(ask(Asked::Unknown, 90, 99).await, []);
    assert_eq!(ask(Asked::Sent, 50, 60).await, [question(0, 44)]);
    settle(spool, id, delivered(), 51).await;
    assert_eq!(ask(Asked::Sent, 90, 99).await, []);

    let mut expected = Vec::new();
    for n in 2..=4 {
        let id = accept_one(spool, 100, n).await;
        expected.insert(0, id);
        claim(spool, 100).await;
        settle(spool, id, sent(200 - i64::from(n)), 101).await;
    }
    let firsts = spool.questions(Asked::Sent, GATEWAY.to_owned(), at(200), at(300), 2).await.unwrap();
    let rest = spool.questions(Asked::Sent, GATEWAY.to_owned(), at(200), at(300), 2).await.unwrap();
    assert_eq!((firsts.len(), rest.len()), (2, 1), "no more than the limit");
    let mut whole = firsts;
    whole.extend(rest);
    let whole: Vec<_> = whole.into_iter().map(|question| question.id).collect();
    assert_eq!(whole, expected, "the longest due first");
}

pub(in crate::spool) async fn what_a_dead_process_claimed_becomes_unknown(spool: &dyn Spool) {
    let claimed = accept_one(spool, 0, 1).await;
    claim(spool, 1).await;
    let due = accept_one(spool, 2, 2).await;
    let recovered = spool.recover(at(5), at(7)).await.unwrap();
    assert_eq!(recovered, Recovered { unknown: 1, mail: 0 });
    let shown = look(spool, claimed).await;
    assert_eq!((shown.state, shown.next_at, shown.attempts), (State::Unknown, Some(at(7)), 1));
    assert_eq!(
        timeline(spool, claimed).await.last().unwrap(),
        "5 unknown: the relay ended during attempt 1; the platform will be asked whether it has it"
    );
    assert_eq!(look(spool, due).await.state, State::Due);
    assert_eq!(spool.recover(at(6), at(8)).await.unwrap(), Recovered::default(), "only once");
    assert_eq!(
        spool.questions(Asked::Unknown, GATEWAY.to_owned(), at(7), at(9), 10).await.unwrap()[0].id,
        claimed
    );
}

pub(in crate::spool) async fn what_outlived_its_time_expires_and_is_not_claimed(spool: &dyn Spool) {
    let in_time = accept_one(spool, 0, 1).await;
    assert_eq!(claim_ids(spool, LIFETIME - 1).await, [in_time], "one second before");
    let late = accept_one(spool, 0, 2).await;
    assert_eq!(claim_ids(spool, LIFETIME).await, [], "in that second");
    assert_eq!(look(spool, late).await.state, State::Final(FinalState::Expired));
    assert_eq!(
        timeline(spool, late).await,
        ["0 due: accepted", "10000 expired: its lifetime ended before the platform took it"]
    );
    let case = &spool.cases(at(0), at(0), 10).await.unwrap()[0];
    assert_eq!(case.outcomes[0].sms.id, late);
    assert_eq!(case.outcomes[0].cause.status, EnhancedStatus::EXPIRED);
    assert_eq!(case.outcomes[0].last_attempt_at, None);
    // What is under way or unknown ends by its caller's word only.
    assert_eq!(look(spool, in_time).await.state, State::Claimed);
    settle(spool, in_time, unknown(LIFETIME + 5), LIFETIME).await;
    claim(spool, LIFETIME + 100).await;
    assert_eq!(look(spool, in_time).await.state, State::Unknown);
}

pub(in crate::spool) async fn the_next_time_is_that_of_the_first_to_try_or_to_expire(spool: &dyn Spool) {
    let next = async |queue| spool.next_due(queue).await.unwrap();
    for queue in [
        due_queue(),
        Queue::Ask(Asked::Unknown, GATEWAY.to_owned()),
        Queue::Ask(Asked::Sent, GATEWAY.to_owned()),
        Queue::Cases,
        Queue::Mail,
    ] {
        assert_eq!(next(queue.clone()).await, None, "{queue:?}");
    }
    let first = accept_one(spool, 10, 1).await;
    assert_eq!(next(due_queue()).await, Some(at(10)));
    let mut second = submission(11, &[1]);
    second.messages[0].delivery.expires_at = at(40);
    let second_id = second.id.message(1);
    spool.accept(second).await.unwrap();
    claim(spool, 12).await;
    assert_eq!(next(due_queue()).await, Some(at(40)), "who waits behind another may still expire");
    settle(spool, first, retry(30), 13).await;
    assert_eq!(next(due_queue()).await, Some(at(30)));
    claim(spool, 30).await;
    spool.settle(first, 2, unknown(35), at(31)).await.unwrap();
    assert_eq!(next(Queue::Ask(Asked::Unknown, GATEWAY.to_owned())).await, Some(at(35)));
    spool.settle(first, 2, sent(36), at(32)).await.unwrap();
    assert_eq!(next(Queue::Ask(Asked::Unknown, GATEWAY.to_owned())).await, None);
    assert_eq!(next(Queue::Ask(Asked::Sent, GATEWAY.to_owned())).await, Some(at(36)));
    assert_eq!(next(due_queue()).await, Some(at(11)), "the second's turn");
    assert_eq!(claim_ids(spool, 33).await, [second_id]);
    assert_eq!(next(due_queue()).await, None);
}

pub(in crate::spool) async fn the_backlog_counts_each_state(spool: &dyn Spool) {
    assert_eq!(spool.backlog().await.unwrap(), Backlog::default());
    for (n, step) in [(1, unknown(90)), (2, sent(90)), (3, sent(90)), (4, refused())] {
        let id = accept_one(spool, 0, n).await;
        claim(spool, 1).await;
        settle(spool, id, step, 2).await;
    }
    accept_one(spool, 0, 5).await;
    claim(spool, 1).await;
    let mut many = submission(0, &[6, 7, 7]);
    many.messages.push(message(many.id.message(4), phone(8)));
    many.messages[3].fate = Fate::Dropped(later());
    many.messages.push(message(many.id.message(5), phone(9)));
    many.messages[4].fate = Fate::Held { until: at(50), reason: HoldReason::Scheduled };
    many.tell_url = Some(TellUrl {
        url: "https://erp.example/sms".to_owned(),
        account: "erp".to_owned(),
        style: TellStyle::Signed,
    });
    many.messages.push(message(many.id.message(6), phone(10)));
    many.messages[5].fate = Fate::Refused(later());
    many.forwards = vec![report(many.id, at(0)), report(many.id, at(0))];
    spool.accept(many).await.unwrap();
    spool.claim_mail(at(1), 1).await.unwrap();
    let counted = spool.backlog().await.unwrap();
    assert_eq!(
        counted,
        Backlog { held: 1, folded: 0, tellings: 2, due: 3, claimed: 1, unknown: 1, sent: 2, mail: 2 }
    );
}

pub(in crate::spool) async fn signals_are_raised_for_the_queue_that_got_something(spool: &dyn Spool) {
    let signals = spool.signals();
    let raised = async || {
        let mut names = Vec::new();
        for (name, signal) in [
            ("due", &signals.due),
            ("unknown", &signals.unknown),
            ("sent", &signals.sent),
            ("cases", &signals.cases),
            ("mail", &signals.mail),
        ] {
            // Raised before the next command is answered, so that one is enough to wait for.
            spool.claim_mail(at(-1), 0).await.unwrap();
            // True when a signal was kept; takes it, without waiting.
            if std::pin::pin!(signal.notified()).enable() {
                names.push(name);
            }
        }
        names
    };
    let first = accept_one(spool, 0, 1).await;
    assert_eq!(raised().await, ["due"]);
    accept_one(spool, 0, 1).await;
    raised().await;
    assert_eq!(claim_ids(spool, 1).await, [first]);
    assert_eq!(raised().await, [""; 0]);
    settle(spool, first, unknown(9), 2).await;
    assert_eq!(raised().await, ["unknown"]);
    settle(spool, first, sent(9), 3).await;
    assert_eq!(raised().await, ["due", "sent"], "and the next of its destination is due");
    settle(spool, first, Step::Final { state: FinalState::Undelivered, cause: super::failure() }, 4).await;
    assert_eq!(raised().await, ["cases"]);
    let mail = report(first.submission, at(5));
    spool.close_case(vec![(first, News::Ended)], Some(mail), at(5)).await.unwrap();
    assert_eq!(raised().await, ["mail"]);
    assert_eq!(spool.settle(first, 1, sent(9), at(6)).await, Err(SpoolError::Stale(first)));
    assert_eq!(raised().await, [""; 0], "what failed raises nothing");
}

pub(in crate::spool) async fn an_id_is_taken_once(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    given.report_to = ReportTo::Nobody("null reverse path".to_owned());
    given.original.ret = Some(Ret::Full);
    spool.accept(given.clone()).await.unwrap();
    assert!(matches!(spool.accept(given.clone()).await, Err(SpoolError::Unavailable(_))));
    assert_eq!(spool.backlog().await.unwrap().due, 1);
    let mut twins = submission(0, &[2, 3]);
    twins.messages[1].sms.id = twins.messages[0].sms.id;
    assert!(spool.accept(twins.clone()).await.is_err());
    assert_eq!(spool.submission(twins.id).await.unwrap(), None, "nothing half-kept");
    assert_eq!(claim_ids(spool, 1).await, [given.id.message(1)]);
}

pub(in crate::spool) async fn each_sms_has_a_number_of_its_own_by_which_it_is_found(spool: &dyn Spool) {
    let mut first = submission(0, &[1, 2, 3]);
    first.messages[1].fate = Fate::Dropped(Cause::new(EnhancedStatus::POLICY, "rule `quiet` drops it"));
    let second = submission(0, &[1]);
    // Numbers follow the order of the messages, not that of the ordinals.
    first.messages.swap(0, 2);
    let ids = [first.clone(), second.clone()]
        .map(|given| given.messages.into_iter().map(|message| message.sms.id).collect::<Vec<_>>());
    let none = submission(0, &[]);
    let failed = first.clone();
    let numbers = [spool.accept(first).await.unwrap(), spool.accept(second).await.unwrap()];
    assert_eq!(spool.accept(none).await.unwrap(), [0; 0]);
    assert!(spool.accept(failed).await.is_err());

    let in_order = numbers.concat();
    assert_eq!(in_order.len(), 4);
    assert!(in_order[0] > 0 && in_order.is_sorted_by(|one, next| one < next), "{in_order:?}");
    for (id, number) in ids.concat().into_iter().zip(&in_order) {
        assert_eq!(spool.message_by_number(*number).await.unwrap(), Some(id));
        assert_eq!(look(spool, id).await.number, *number);
    }
    let last = in_order[3];
    for unknown in [last + 1, 0, -1, i64::MIN, i64::MAX] {
        assert_eq!(spool.message_by_number(unknown).await.unwrap(), None, "{unknown}");
    }

    let id = ids[1][0];
    spool.cancel(id, later(), at(1)).await.unwrap();
    assert_eq!(spool.message_by_number(last).await.unwrap(), Some(id), "also when it has ended");
    assert!(spool.accept(submission(1, &[1])).await.unwrap()[0] > last);
}
