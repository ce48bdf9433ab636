//! Programs that are told how an SMS ended.

use super::super::{Queue, Spool, SpoolError, TellStep, Telling};
use super::{
    accept_one, at, callback, claim, failure, later, look, refused, sent, settle, submission, take, timeline,
};
use crate::model::{Fate, FinalState, KannelMask, Price, Reason, TellStyle, TellUrl};

fn url() -> TellUrl {
    TellUrl { url: "https://erp.example/sms".to_owned(), account: "erp".to_owned(), style: TellStyle::Signed }
}

async fn tellings(spool: &dyn Spool, now: i64, limit: usize) -> Vec<Telling> {
    spool.claim_tellings(at(now), limit).await.unwrap()
}

async fn next(spool: &dyn Spool) -> Option<jiff::Timestamp> {
    spool.next_due(Queue::Tellings).await.unwrap()
}

pub(in crate::spool) async fn a_program_is_told_of_every_end(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2, 3]);
    given.tell_url = Some(url());
    given.messages[2].fate = Fate::Refused(failure());
    let [a, b, refused_at_once] = [1, 2, 3].map(|n| given.id.message(n));
    let sms = given.messages[0].sms.clone();
    let recipient = given.messages[0].recipient.address.clone();
    spool.accept(given).await.unwrap();
    let nobody = accept_one(spool, 0, 9).await;
    let now = tellings(spool, 0, 9).await;
    assert_eq!(now.iter().map(|telling| telling.id).collect::<Vec<_>>(), [refused_at_once]);
    assert_eq!(next(spool).await, None);
    claim(spool, 1).await;
    for id in [a, b, nobody] {
        settle(spool, id, sent(90), 2).await;
    }
    assert_eq!(tellings(spool, 9, 9).await, [], "none has ended");
    let priced = |part| crate::model::Callback {
        price: Some(Price::from_millionths(35_000)),
        ..callback(a, part, 2, 3)
    };
    take(spool, &priced(1), 3).await;
    take(spool, &priced(2), 4).await;
    take(spool, &callback(nobody, 1, 1, 3), 4).await;
    assert_eq!(next(spool).await, Some(at(4)));
    take(spool, &callback(b, 1, 1, 6), 5).await;
    assert_eq!(spool.backlog().await.unwrap().tellings, 3, "one is under way");
    assert_eq!(tellings(spool, 3, 9).await, [], "before its time");
    let first = tellings(spool, 9, 1).await;
    assert_eq!(
        first,
        [Telling {
            id: a,
            to: url(),
            attempt: 1,
            ended_at: at(4),
            recipient,
            sms,
            state: FinalState::Delivered,
            cause: Reason::Delivered.cause(),
            price: Some(Price::from_millionths(70_000)),
        }]
    );
    let second = tellings(spool, 9, 9).await;
    assert_eq!((second.len(), second[0].id, second[0].price), (1, b, None));
    assert_eq!(second[0].state, FinalState::Undelivered);
    assert_eq!(tellings(spool, 9, 9).await, [], "claimed once");
}

pub(in crate::spool) async fn a_telling_is_tried_until_it_is_told_or_has_failed(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2]);
    given.tell_url = Some(url());
    let [a, b] = [1, 2].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    settle(spool, a, refused(), 2).await;
    settle(spool, b, refused(), 3).await;
    let stale = Err(SpoolError::Stale(a));
    assert_eq!(spool.settle_telling(a, TellStep::Told, at(3)).await, stale, "not claimed");
    assert_eq!(tellings(spool, 4, 9).await.len(), 2);
    let step = TellStep::Retry { at: at(30), cause: later() };
    spool.settle_telling(a, step, at(5)).await.unwrap();
    spool.settle_telling(b, TellStep::Told, at(5)).await.unwrap();
    assert_eq!(next(spool).await, Some(at(30)));
    assert_eq!(tellings(spool, 29, 9).await, []);
    let again = tellings(spool, 30, 9).await;
    assert_eq!(again.iter().map(|telling| (telling.id, telling.attempt)).collect::<Vec<_>>(), [(a, 2)]);
    spool.settle_telling(a, TellStep::Failed { cause: failure() }, at(31)).await.unwrap();
    assert_eq!(next(spool).await, None);
    assert_eq!(spool.settle_telling(a, TellStep::Told, at(32)).await, stale, "failed");
    assert_eq!(
        timeline(spool, a).await.last().unwrap(),
        "31 failed: its program could not be told: the platform refused it (http 422)"
    );
    assert_eq!(timeline(spool, b).await.last().unwrap(), "5 failed: its program was told");
    assert_eq!(spool.backlog().await.unwrap().tellings, 0);
    let nobody = a.submission.message(9);
    let stale = Err(SpoolError::Stale(nobody));
    assert_eq!(spool.settle_telling(nobody, TellStep::Told, at(32)).await, stale);
}

pub(in crate::spool) async fn what_was_not_called_after_all_has_not_been_tried(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    given.tell_url = Some(url());
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    settle(spool, id, refused(), 2).await;
    let attempt = async |now| tellings(spool, now, 9).await[0].attempt;
    let put_back = async |step: TellStep, now| spool.settle_telling(id, step, at(now)).await.unwrap();
    for now in [3, 4] {
        assert_eq!(attempt(now).await, 1);
        put_back(TellStep::NotCalled { at: at(now + 1), cause: later() }, now).await;
        assert_eq!(next(spool).await, Some(at(now + 1)));
    }
    assert_eq!(attempt(5).await, 1);
    put_back(TellStep::Retry { at: at(6), cause: later() }, 5).await;
    assert_eq!(attempt(6).await, 2);
    put_back(TellStep::NotCalled { at: at(7), cause: later() }, 6).await;
    assert_eq!(attempt(7).await, 2);
}

pub(in crate::spool) async fn what_a_dead_process_was_telling_is_told_again(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    given.tell_url = Some(url());
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    settle(spool, id, refused(), 2).await;
    tellings(spool, 3, 9).await;
    spool.recover(at(5), at(6)).await.unwrap();
    assert_eq!(next(spool).await, Some(at(5)));
    let again = tellings(spool, 5, 9).await;
    assert_eq!((again[0].id, again[0].attempt), (id, 2));
    assert_eq!(look(spool, id).await.price, None);
}

pub(in crate::spool) async fn a_telling_raises_its_signal(spool: &dyn Spool) {
    let signals = spool.signals();
    let raised = async || {
        // Raised before the next command is answered.
        spool.claim_tellings(at(-1), 0).await.unwrap();
        std::pin::pin!(signals.tellings.notified()).enable()
    };
    let mut given = submission(0, &[1]);
    given.tell_url = Some(url());
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    assert!(!raised().await);
    settle(spool, id, refused(), 2).await;
    assert!(raised().await);
    tellings(spool, 3, 9).await;
    spool.settle_telling(id, TellStep::Retry { at: at(9), cause: later() }, at(4)).await.unwrap();
    assert!(raised().await);
}

pub(in crate::spool) async fn a_client_of_kannel_is_told_of_what_its_mask_names(spool: &dyn Spool) {
    // Delivered is 1, not delivered 2, rejected 16; 4 and 8 are no ends.
    for (bits, told) in [
        (0, &[][..]),
        (1, &[1]),
        (2, &[2]),
        (16, &[3, 4]),
        (19, &[1, 2, 3, 4]),
        (31, &[1, 2, 3, 4]),
        (12, &[]),
    ] {
        let to = TellUrl { style: TellStyle::Kannel(KannelMask::from_bits(bits).unwrap()), ..url() };
        let mut given = submission(0, &[1, 2, 3, 4, 5]);
        given.tell_url = Some(to.clone());
        given.messages[3].fate = Fate::Refused(failure());
        given.messages[4].fate = Fate::Dropped(failure());
        let [delivered, undelivered, rejected] = [1, 2, 3].map(|n| given.id.message(n));
        spool.accept(given).await.unwrap();
        claim(spool, 1).await;
        for id in [delivered, undelivered] {
            settle(spool, id, sent(90), 2).await;
        }
        take(spool, &callback(delivered, 1, 1, 3), 3).await;
        take(spool, &callback(undelivered, 1, 1, 6), 4).await;
        settle(spool, rejected, refused(), 5).await;
        let found = tellings(spool, 9, 9).await;
        let mut ordinals: Vec<u32> = found.iter().map(|telling| telling.id.ordinal).collect();
        ordinals.sort_unstable();
        assert_eq!(ordinals, told, "{bits}");
        assert!(found.iter().all(|telling| telling.to == to), "{bits}");
        assert_eq!(spool.backlog().await.unwrap().tellings, told.len(), "no row that nobody is told by");
        for telling in found {
            spool.settle_telling(telling.id, TellStep::Told, at(9)).await.unwrap();
        }
    }
}
