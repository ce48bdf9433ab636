//! What the platform says of its own accord.

use super::super::{Asked, Recovered, Spool, SpoolError, Step, Taken};
use super::{
    GATEWAY, accept_one, at, callback, claim, claim_ids, delivered, failure, later, look, refused, retry,
    sent, settle, submission, take, timeline, unknown,
};
use crate::model::{
    About, Callback, Channel, Fate, FinalState, HoldReason, MessageId, PartStatus, Price, Reason, State,
    SubmissionId,
};

const DELIVERED: State = State::Final(FinalState::Delivered);

/// A fresh SMS that was claimed at `at(1)`.
async fn claimed(spool: &dyn Spool, phone: u32) -> MessageId {
    let id = accept_one(spool, 0, phone).await;
    assert!(claim_ids(spool, 1).await.contains(&id));
    id
}

fn new(id: MessageId, state: State) -> Taken {
    Taken::New { id, state, gateway: Some(GATEWAY.to_owned()) }
}

/// [`sent`] with an id of the platform's.
fn sent_as(name: &str) -> Step {
    let note = "the platform has it".to_owned();
    Step::Sent { parts: None, unicode: None, platform_id: Some(name.to_owned()), ask_at: at(90), note }
}

fn priced(callback: Callback, millionths: i64) -> Callback {
    Callback { price: Some(Price::from_millionths(millionths)), ..callback }
}

pub(in crate::spool) async fn a_message_is_delivered_once_every_part_is(spool: &dyn Spool) {
    let id = claimed(spool, 1).await;
    settle(spool, id, sent(90), 2).await;
    let second = priced(callback(id, 2, 2, 3), 35_000);
    assert_eq!(take(spool, &second, 10).await, new(id, State::Sent), "out of order");
    assert_eq!(take(spool, &second, 11).await, Taken::Repeated);
    let first = priced(callback(id, 1, 2, 3), 70_000);
    assert_eq!(take(spool, &first, 12).await, new(id, DELIVERED));
    for again in [&first, &second] {
        assert_eq!(take(spool, again, 13).await, Taken::Repeated);
    }
    assert_eq!(
        timeline(spool, id).await[2..],
        [
            "2 sent: the platform has it",
            "10 sent: callback: part 2 of 2 delivered (3)",
            "12 sent: callback: part 1 of 2 delivered (3)",
            "12 delivered: the handset has it"
        ]
    );
    let shown = look(spool, id).await;
    assert_eq!(shown.price.map(|price| price.to_string()), Some("0.105".to_owned()));
    assert_eq!(shown.cause, Some(Reason::Delivered.cause()));
    let parts: Vec<_> = shown.callbacks.iter().map(|part| (part.part, part.parts, part.status)).collect();
    assert_eq!(parts, [(1, 2, PartStatus::Delivered), (2, 2, PartStatus::Delivered)]);
    assert_eq!(shown.callbacks[1].at, at(10));
    assert_eq!(spool.questions(Asked::Sent, GATEWAY.to_owned(), at(99), at(99), 9).await.unwrap(), []);

    // There were more parts than it said.
    let late = Taken::Late { id, state: FinalState::Delivered };
    assert_eq!(take(spool, &callback(id, 3, 3, 6), 20).await, late);
    assert_eq!(look(spool, id).await.state, DELIVERED, "the end stays");
    assert_eq!(
        timeline(spool, id).await.last().unwrap(),
        "20 delivered: callback: part 3 of 3 undeliverable (6), after the end"
    );
}

pub(in crate::spool) async fn one_part_that_fails_fails_the_message(spool: &dyn Spool) {
    for (n, code, end, diagnostic) in
        [(1, 6, FinalState::Undelivered, "status 6: no such number"), (2, 8, FinalState::Expired, "status 8")]
    {
        let id = claimed(spool, n).await;
        settle(spool, id, sent(90), 2).await;
        take(spool, &callback(id, 1, 3, 3), 3).await;
        let description = diagnostic.split_once(": ").map_or("", |(_, words)| words).to_owned();
        let failed = Callback { description, ..callback(id, 2, 3, code) };
        assert_eq!(take(spool, &failed, 4).await, new(id, State::Final(end)));
        let case = spool.cases(at(0), at(4), 9).await.unwrap().remove(0);
        assert_eq!(case.outcomes[0].sms.id, id, "complete, and owed");
        assert_eq!(case.outcomes[0].cause.diagnostic.as_deref(), Some(diagnostic));
        spool.close_case(vec![(id, super::super::News::Ended)], None, at(5)).await.unwrap();
        // The rest of the story changes nothing.
        assert_eq!(take(spool, &callback(id, 3, 3, 3), 6).await, Taken::Late { id, state: end });
    }
}

pub(in crate::spool) async fn what_comes_before_the_answer_counts_once_that_is_there(spool: &dyn Spool) {
    let whole = claimed(spool, 1).await;
    assert_eq!(take(spool, &callback(whole, 1, 1, 3), 2).await, new(whole, State::Claimed));
    assert_eq!(spool.settle(whole, 1, sent(90), at(3)).await, Ok(DELIVERED));
    assert_eq!(
        timeline(spool, whole).await[2..],
        [
            "2 claimed: callback: part 1 of 1 delivered (3)",
            "3 sent: the platform has it",
            "3 delivered: the handset has it"
        ]
    );
    let half = claimed(spool, 2).await;
    assert_eq!(take(spool, &callback(half, 1, 2, 3), 2).await, new(half, State::Claimed));
    assert_eq!(spool.settle(half, 1, sent(90), at(3)).await, Ok(State::Sent));
    assert_eq!(look(spool, half).await.next_at, Some(at(90)));
    let broken = claimed(spool, 3).await;
    take(spool, &callback(broken, 1, 1, 6), 2).await;
    assert_eq!(spool.settle(broken, 1, sent(90), at(3)).await, Ok(State::Final(FinalState::Undelivered)));
}

pub(in crate::spool) async fn a_callback_counts_more_than_any_other_answer(spool: &dyn Spool) {
    let failed = Step::Final { state: FinalState::Expired, cause: failure() };
    let mut n = 0;
    for step in [retry(9), unknown(9), refused(), Step::NextWay { cause: later() }, failed] {
        for (parts, code, end) in [
            (2, 3, State::Sent),
            (1, 17, State::Sent),
            (1, 3, DELIVERED),
            (1, 6, State::Final(FinalState::Undelivered)),
        ] {
            n += 1;
            let id = claimed(spool, n).await;
            take(spool, &callback(id, 1, parts, code), 2).await;
            assert_eq!(spool.settle(id, 1, step.clone(), at(3)).await, Ok(end), "{step:?} {code}");
            let shown = look(spool, id).await;
            assert_eq!(shown.state, end, "{step:?} {code}");
            assert_eq!(shown.next_at, (end == State::Sent).then_some(at(3)), "asked about at once");
            assert!(
                timeline(spool, id).await[3]
                    .starts_with("3 sent: the platform itself has said that it has it"),
                "{step:?}"
            );
        }
    }
    assert_eq!(claim(spool, 9000).await, [], "none of them is sent again");
    // Without a callback the answers stand.
    let id = claimed(spool, 99).await;
    assert_eq!(spool.settle(id, 1, retry(9), at(3)).await, Ok(State::Due));
    // The platform was asked to check only, and says what came of that.
    let checked = claimed(spool, 98).await;
    take(spool, &callback(checked, 1, 1, 17), 2).await;
    let step = Step::Final { state: FinalState::Cancelled, cause: later() };
    assert_eq!(spool.settle(checked, 1, step, at(3)).await, Ok(State::Final(FinalState::Cancelled)));
}

pub(in crate::spool) async fn what_is_due_again_or_unknown_is_sent_once_the_platform_speaks(
    spool: &dyn Spool,
) {
    for (n, step) in [(1, retry(50)), (2, unknown(50))] {
        for (parts, code, end) in [(2, 3, State::Sent), (1, 0, State::Sent), (1, 3, DELIVERED)] {
            let id = claimed(spool, n).await;
            let behind = accept_one(spool, 0, n).await;
            settle(spool, id, step.clone(), 2).await;
            assert_eq!(take(spool, &callback(id, 1, parts, code), 3).await, new(id, end));
            let shown = look(spool, id).await;
            assert_eq!(shown.next_at, (end == State::Sent).then_some(at(33)), "asked about in 30 s");
            assert_eq!(
                timeline(spool, id).await[4],
                "3 sent: the platform itself says that it has it",
                "before the end, if any"
            );
            assert_eq!(claim_ids(spool, 60).await, [behind], "it is not sent again, and holds nobody back");
            assert_eq!(spool.settle(id, 1, retry(70), at(60)).await.is_ok(), end == State::Sent);
            settle(spool, behind, refused(), 60).await;
        }
    }
}

pub(in crate::spool) async fn an_answer_older_than_the_callback_is_overruled(spool: &dyn Spool) {
    let id = claimed(spool, 1).await;
    settle(spool, id, unknown(5), 2).await;
    let ask =
        async |state| spool.questions(state, GATEWAY.to_owned(), at(50), at(60), 9).await.unwrap().len();
    assert_eq!(ask(Asked::Unknown).await, 1, "the question is under way");
    take(spool, &callback(id, 1, 2, 3), 6).await;
    let expired = || Step::Final { state: FinalState::Expired, cause: later() };
    for step in [retry(9), unknown(9), Step::NextWay { cause: later() }, expired()] {
        assert_eq!(spool.settle(id, 1, step.clone(), at(7)).await, Ok(State::Sent), "{step:?}");
        assert_eq!(look(spool, id).await.next_at, Some(at(36)), "{step:?}");
    }
    // Asked about since, so that the answer is newer.
    assert_eq!(ask(Asked::Sent).await, 1);
    assert_eq!(spool.settle(id, 1, retry(9), at(51)).await, Err(SpoolError::Stale(id)));
    assert_eq!(spool.settle(id, 1, expired(), at(51)).await, Ok(State::Final(FinalState::Expired)));
}

pub(in crate::spool) async fn what_was_never_tried_is_not_believed(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2, 3]);
    given.messages[1].fate = Fate::Held { until: at(500), reason: HoldReason::Scheduled };
    given.messages[2].fate = Fate::Dropped(failure());
    let [due, held, dropped] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    for (id, state) in [(due, State::Due), (held, State::Held)] {
        let taken = take(spool, &callback(id, 1, 1, 3), 1).await;
        assert_eq!(taken, Taken::New { id, state, gateway: None });
        assert_eq!(
            timeline(spool, id).await[1],
            format!(
                "1 {state}: callback: part 1 of 1 delivered (3), though it never went that way: not believed"
            )
        );
        assert_eq!((look(spool, id).await.state, look(spool, id).await.callbacks), (state, vec![]));
    }
    let late = Taken::Late { id: dropped, state: FinalState::Cancelled };
    assert_eq!(take(spool, &callback(dropped, 1, 1, 3), 1).await, late);
    // It is sent as if nobody had said anything.
    assert_eq!(claim_ids(spool, 2).await, [due]);
    settle(spool, due, retry(9), 3).await;
    assert_eq!(look(spool, due).await.state, State::Due);
}

pub(in crate::spool) async fn a_callback_names_its_message_by_either_id(spool: &dyn Spool) {
    let id = claimed(spool, 1).await;
    let theirs = |theirs: &str| Callback { about: About::Theirs(theirs.to_owned()), ..callback(id, 1, 1, 3) };
    settle(spool, id, sent_as("ext-7"), 3).await;
    let other = claimed(spool, 2).await;
    settle(spool, other, sent_as("ext-7"), 3).await;
    assert_eq!(take(spool, &theirs("ext-8"), 4).await, Taken::UnknownId);
    assert_eq!(take(spool, &theirs("ext-7"), 4).await, new(id, DELIVERED));
    assert_eq!(take(spool, &callback(id, 1, 1, 3), 4).await, Taken::Repeated, "the same by our id");
    assert_eq!(look(spool, other).await.state, State::Sent, "who gets an id first keeps it");
    for nobody in [SubmissionId::new(at(0)).message(1), id.submission.message(2)] {
        assert_eq!(take(spool, &callback(nobody, 1, 1, 3), 5).await, Taken::UnknownId);
    }
}

pub(in crate::spool) async fn what_names_an_id_before_the_answer_tells_it_is_kept(spool: &dyn Spool) {
    let id = claimed(spool, 1).await;
    let theirs = |name: &str, part, code| Callback {
        about: About::Theirs(name.to_owned()),
        ..priced(callback(id, part, 2, code), 35_000)
    };
    for (part, code) in [(1, 1), (1, 3), (1, 6), (2, 3)] {
        assert_eq!(take(spool, &theirs("ext-7", part, code), 2).await, Taken::Early, "{part} {code}");
    }
    assert_eq!(take(spool, &theirs("ext-8", 1, 6), 2).await, Taken::Early, "of somebody else");
    assert_eq!(look(spool, id).await.callbacks, []);
    settle(spool, id, sent_as("ext-7"), 3).await;
    let shown = look(spool, id).await;
    assert_eq!(shown.state, DELIVERED, "the first final word of a part stays");
    assert_eq!(shown.price.map(|price| price.to_string()), Some("0.07".to_owned()));
    assert_eq!(take(spool, &theirs("ext-7", 1, 3), 4).await, Taken::Repeated);
    // Once nothing is under way, nobody's id can become somebody's.
    assert_eq!(take(spool, &theirs("ext-9", 1, 3), 4).await, Taken::UnknownId);
    let other = claimed(spool, 2).await;
    settle(spool, other, sent_as("ext-9"), 5).await;
    assert_eq!(look(spool, other).await.state, State::Sent);
}

pub(in crate::spool) async fn the_first_final_word_about_a_part_stays(spool: &dyn Spool) {
    let id = claimed(spool, 1).await;
    settle(spool, id, sent(90), 2).await;
    let status = async || {
        let shown = look(spool, id).await;
        (shown.callbacks[0].status.code(), shown.price.map(Price::millionths))
    };
    assert_eq!(take(spool, &callback(id, 1, 2, 1), 3).await, new(id, State::Sent));
    assert_eq!(take(spool, &callback(id, 1, 2, 1), 3).await, Taken::Repeated);
    assert_eq!(take(spool, &priced(callback(id, 1, 2, 2), 10), 4).await, new(id, State::Sent));
    assert_eq!(status().await, (2, Some(10)), "a word that is not final gives way");
    assert_eq!(take(spool, &callback(id, 1, 2, 3), 5).await, new(id, State::Sent));
    assert_eq!(status().await, (3, Some(10)), "a price that is not given again stays");
    for code in [6, 8, 1] {
        assert_eq!(take(spool, &callback(id, 1, 2, code), 6).await, Taken::Repeated, "{code}");
    }
    assert_eq!(take(spool, &priced(callback(id, 1, 2, 3), 10), 7).await, Taken::Repeated);
    assert_eq!(take(spool, &priced(callback(id, 1, 2, 3), 25), 7).await, new(id, State::Sent));
    assert_eq!(status().await, (3, Some(25)), "replaced, not summed");
    assert_eq!(
        timeline(spool, id).await[3..],
        [
            "3 sent: callback: part 1 of 2 has status 1",
            "4 sent: callback: part 1 of 2 has status 2",
            "5 sent: callback: part 1 of 2 delivered (3)",
            "7 sent: callback: part 1 of 2 costs 0.000025"
        ]
    );
}

pub(in crate::spool) async fn a_broken_platform_can_add_only_so_much(spool: &dyn Spool) {
    let id = claimed(spool, 1).await;
    settle(spool, id, sent(90), 2).await;
    for (part, parts) in [(0, 1), (256, 256), (1, 256)] {
        assert_eq!(take(spool, &callback(id, part, parts, 1), 3).await, Taken::Repeated);
    }
    assert_eq!(take(spool, &callback(id, 255, 255, 3), 3).await, new(id, State::Sent));
    let wordy = Callback { description: "x".repeat(201), ..callback(id, 1, 2, 1) };
    take(spool, &wordy, 3).await;
    let part = look(spool, id).await.callbacks.remove(0);
    assert_eq!((part.part, part.description.len()), (1, 200));
    for n in 0..800 {
        take(spool, &callback(id, 1, 2, 100 + n % 2), 4).await;
    }
    let lines = timeline(spool, id).await.len();
    assert!((590..=610).contains(&lines), "{lines}");
    assert_eq!(take(spool, &callback(id, 1, 2, 55), 5).await, Taken::Repeated);
    // What ends it is heard all the same.
    assert_eq!(take(spool, &callback(id, 1, 2, 6), 6).await, new(id, State::Final(FinalState::Undelivered)));
    assert_eq!(timeline(spool, id).await.len(), lines + 1);
}

pub(in crate::spool) async fn a_start_believes_the_callbacks_too(spool: &dyn Spool) {
    let [said, delivered, silent] = [1, 2, 3];
    let [said, whole, silent] =
        [claimed(spool, said).await, claimed(spool, delivered).await, claimed(spool, silent).await];
    take(spool, &callback(said, 1, 2, 3), 2).await;
    take(spool, &callback(whole, 1, 1, 3), 2).await;
    assert_eq!(spool.recover(at(5), at(7)).await.unwrap(), Recovered { unknown: 1, mail: 0 });
    assert_eq!(look(spool, said).await.state, State::Sent);
    assert_eq!(look(spool, whole).await.state, DELIVERED);
    assert_eq!(look(spool, silent).await.state, State::Unknown);
}

pub(in crate::spool) async fn a_case_waits_for_the_handset(spool: &dyn Spool) {
    let given = submission(0, &[1, 2]);
    let [a, b] = [1, 2].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    let complete = async || !spool.cases(at(0), at(0), 9).await.unwrap().is_empty();
    settle(spool, a, refused(), 2).await;
    settle(spool, b, sent(90), 2).await;
    assert!(!complete().await, "the platform has one");
    settle(spool, b, delivered(), 3).await;
    assert!(complete().await);
}

pub(in crate::spool) async fn an_account_that_prefers_rcs_is_understood(spool: &dyn Spool) {
    let id = claimed(spool, 1).await;
    settle(spool, id, sent(90), 2).await;
    let by_rcs = Callback { channel: Channel::Rcs, ..callback(id, 1, 1, 3) };
    assert_eq!(take(spool, &by_rcs, 3).await, new(id, DELIVERED));
    assert_eq!(timeline(spool, id).await[3], "3 sent: callback: part 1 of 1 delivered (3), by RCS");
}
