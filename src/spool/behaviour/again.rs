//! By which gateway an SMS is tried again, and when its order changes.

use super::super::{Again, Call, Claimed, Room, Spool, Step};
use super::{accept_one, at, failure, later, sent, submission, timeline, ways};
use crate::model::{MessageId, State};

/// All gateways that there are, in the order of the configuration.
const ALL: [&str; 3] = ["a", "b", "c"];

fn known() -> Vec<String> {
    ALL.map(str::to_owned).to_vec()
}

fn others_first() -> Again {
    Again::OthersFirst { known: known() }
}

/// What is claimed at `at(now)` while these gateways are open, and by which. The others are shut.
async fn claim_while(spool: &dyn Spool, now: i64, open: &[&str]) -> Vec<(String, Claimed)> {
    let room = |name: &&str| {
        let is_open = open.contains(name);
        let calls = if is_open { [9; 3] } else { [0; 3] };
        Room { gateway: (*name).to_owned(), calls, is_open, may_hang: false }
    };
    let calls = spool.claim_due(at(now), ALL.iter().map(room).collect()).await.unwrap();
    let of = |call: Call| call.messages.into_iter().map(move |one| (call.gateway.clone(), one));
    calls.into_iter().flat_map(of).collect()
}

/// The gateway by which the only SMS that is due goes at `at(now)`, its failures there, and whether it has another.
async fn claim_one(spool: &dyn Spool, now: i64, open: &[&str]) -> (String, u32, bool) {
    let [(gateway, claimed)] = <[_; 1]>::try_from(claim_while(spool, now, open).await).unwrap();
    (gateway, claimed.failures, claimed.has_other_gateway)
}

fn by(gateway: &str, failures: u32) -> (String, u32, bool) {
    (gateway.to_owned(), failures, true)
}

async fn retry(spool: &dyn Spool, id: MessageId, attempt: u32, now: i64, by: Again) {
    spool.settle(id, attempt, Step::Retry { at: at(now), cause: later(), by }, at(now)).await.unwrap();
}

/// An SMS that may go by these gateways.
async fn accept_by(spool: &dyn Spool, gateways: &[&str], phone: u32) -> MessageId {
    let mut given = submission(0, &[phone]);
    given.messages[0].delivery.gateways = gateways.iter().map(|name| (*name).to_owned()).collect();
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    id
}

pub(in crate::spool) async fn failures_of_one_gateway_in_a_row_are_counted(spool: &dyn Spool) {
    let id = accept_one(spool, 0, 1).await;
    for (n, open, step, expected) in [
        (1, "a", Again::Counted, by("a", 0)),
        (2, "a", Again::Counted, by("a", 1)),
        // A pause that the platform asked for, or a fault of the account.
        (3, "a", Again::InOrder, by("a", 2)),
        (4, "a", Again::Counted, by("a", 2)),
        (5, "a", Again::Counted, by("a", 3)),
        (6, "b", Again::Counted, by("b", 0)),
        (7, "b", Again::Counted, by("b", 1)),
        (8, "a", Again::Counted, by("a", 0)),
    ] {
        assert_eq!(claim_one(spool, i64::from(n), &[open]).await, expected, "attempt {n}");
        retry(spool, id, n, i64::from(n), step).await;
    }
}

pub(in crate::spool) async fn an_order_goes_on_behind_a_gateway_round_and_round(spool: &dyn Spool) {
    for (phone, gateways, round) in [
        (1, &["b", "a"][..], &["b", "a", "b"][..]),
        (2, &["c", "a", "b"][..], &["c", "a", "b", "c"][..]),
        // All that there are.
        (3, &[][..], &["a", "b", "c", "a"][..]),
        // One of it is not there.
        (4, &["b", "gone", "a"][..], &["b", "a", "b"][..]),
    ] {
        let id = accept_by(spool, gateways, phone).await;
        for (n, gateway) in (1..).zip(round) {
            assert_eq!(claim_one(spool, 1, &ALL).await, by(gateway, 0), "{gateways:?} {n}");
            retry(spool, id, n, 1, others_first()).await;
        }
        // What is due again turns out to be there.
        let last = u32::try_from(round.len()).unwrap();
        assert_eq!(spool.settle(id, last, sent(90), at(1)).await, Ok(State::Sent));
    }
    let shut = accept_by(spool, &["a", "b", "c"], 5).await;
    assert_eq!(claim_one(spool, 1, &ALL).await, by("a", 0));
    retry(spool, shut, 1, 1, others_first()).await;
    assert_eq!(claim_one(spool, 1, &["a"]).await, by("a", 0), "it is the last, and the only one that works");
    retry(spool, shut, 2, 1, others_first()).await;
    assert_eq!(claim_one(spool, 1, &ALL).await, by("b", 0));
    assert_eq!(
        timeline(spool, shut).await[1..4],
        [
            "1 claimed: attempt 1 began",
            "1 due: the platform did not answer; from now on by its other gateways first",
            "1 claimed: attempt 2 began",
        ]
    );
}

pub(in crate::spool) async fn an_order_of_one_and_of_unknown_gateways_leaves_no_choice(spool: &dyn Spool) {
    for (phone, gateways, gateway) in [(1, ["b"], "b"), (2, ["gone"], "a")] {
        let id = accept_by(spool, &gateways, phone).await;
        for n in 1..3 {
            let expected = (gateway.to_owned(), 0, false);
            assert_eq!(claim_one(spool, 1, &ALL).await, expected, "{gateways:?} {n}");
            retry(spool, id, n, 1, others_first()).await;
        }
        spool.settle(id, 2, sent(90), at(1)).await.unwrap();
    }
    // Nor does one that may have it.
    let id = accept_one(spool, 0, 3).await;
    assert_eq!(claim_one(spool, 1, &["b"]).await, by("b", 0));
    for n in 1..3 {
        retry(spool, id, n, 1, if n == 1 { Again::Same } else { others_first() }).await;
        assert_eq!(claim_one(spool, 1, &ALL).await, ("b".to_owned(), 0, false));
    }
}

pub(in crate::spool) async fn the_next_way_has_the_order_of_acceptance(spool: &dyn Spool) {
    for (phone, steps) in [
        (1, vec![Again::Same]),
        (2, vec![others_first()]),
        (3, vec![others_first(), Again::Same]),
        (4, vec![Again::Counted, Again::Counted]),
    ] {
        let id = ways::accept_two_ways(spool, phone).await;
        // Where it is bound to is shut from here on.
        assert_eq!(claim_one(spool, 1, &["a"]).await, by("a", 0));
        let mut attempt = 1;
        for step in &steps {
            retry(spool, id, attempt, 1, step.clone()).await;
            assert_eq!(claim_while(spool, 1, &["a"]).await.len(), 1);
            attempt += 1;
        }
        spool.settle(id, attempt, Step::NextWay { cause: failure() }, at(2)).await.unwrap();
        let calls = claim_while(spool, 2, &["b", "c"]).await;
        assert_eq!(calls.len(), 1, "nothing of the next way is where the first was: {steps:?}");
        assert_eq!((calls[0].0.as_str(), calls[0].1.failures), ("b", 0));
        retry(spool, id, attempt + 1, 2, Again::InOrder).await;
        assert_eq!(claim_one(spool, 2, &ALL).await, by("a", 0), "{steps:?}");
        spool.settle(id, attempt + 2, sent(90), at(3)).await.unwrap();
    }
}
