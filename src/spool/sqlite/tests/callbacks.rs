//! What a flood of callbacks costs, and rows about them that cannot be read.

use super::super::super::behaviour::{
    accept_one, at, callback, claim_ids, look, refused, sent, settle, submission, take,
};
use super::super::super::{Spool, Taken};
use super::super::lane::Kind;
use super::super::{SqliteSpool, callbacks};
use super::{open, outsider};
use crate::model::{About, Callback, FinalState, State, TellStyle, TellUrl};

#[tokio::test]
async fn what_says_nothing_new_is_not_written() {
    let (spool, _guard) = open();
    let id = accept_one(&spool, 0, 1).await;
    claim_ids(&spool, 1).await;
    settle(&spool, id, sent(90), 2).await;
    take(&spool, &callback(id, 1, 1, 3), 3).await;
    let before = spool.commits();
    let impossible = callback(id, 1, 999, 3);
    let foreign = Callback { about: About::Theirs("nobody".to_owned()), ..callback(id, 1, 1, 3) };
    for _ in 0..100 {
        assert_eq!(take(&spool, &callback(id, 1, 1, 3), 4).await, Taken::Repeated);
        assert_eq!(take(&spool, &impossible, 4).await, Taken::Repeated);
        assert_eq!(take(&spool, &foreign, 4).await, Taken::UnknownId);
    }
    assert_eq!(spool.commits(), before);
    take(&spool, &callback(id, 2, 2, 3), 5).await;
    assert_eq!(spool.commits(), before + 1);
}

#[tokio::test]
async fn many_at_once_about_the_same_part_are_one() {
    let (spool, _guard) = open();
    let spool = std::sync::Arc::new(spool);
    let id = accept_one(&*spool, 0, 1).await;
    claim_ids(&*spool, 1).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let spool = std::sync::Arc::clone(&spool);
        tasks.spawn(async move { spool.take_callback(callback(id, 1, 2, 3), at(2)).await.unwrap() });
    }
    let taken = tasks.join_all().await;
    assert_eq!(taken.iter().filter(|taken| **taken != Taken::Repeated).count(), 1);
    assert_eq!(look(&*spool, id).await.events.len(), 3);
}

#[tokio::test]
async fn a_damaged_part_says_nothing() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let id = accept_one(&spool, 0, 1).await;
    claim_ids(&spool, 1).await;
    take(&spool, &callback(id, 1, 2, 3), 2).await;
    outsider.execute("UPDATE callback SET parts = -1", []).unwrap();
    assert_eq!(spool.settle(id, 1, sent(90), at(3)).await, Ok(State::Sent));
    assert_eq!(look(&spool, id).await.callbacks, []);
    assert_eq!(
        take(&spool, &callback(id, 2, 1, 6), 4).await,
        Taken::New { id, state: State::Final(FinalState::Undelivered), gateway: Some("platform".to_owned()) }
    );
}

#[tokio::test]
async fn a_damaged_sms_takes_no_callback_and_is_told_of_once() {
    for damage in ["ways = '{'", "ways = '[]'", "way = 1", "way = -1", "state = 'lost'", "asked = -1"] {
        let (spool, directory) = open();
        let outsider = outsider(directory.path());
        let damaged = accept_one(&spool, 0, 1).await;
        let behind = accept_one(&spool, 0, 1).await;
        claim_ids(&spool, 1).await;
        let by_theirs = Callback { about: About::Theirs("ext-7".to_owned()), ..callback(damaged, 1, 1, 3) };
        outsider.execute("INSERT INTO platform_id (id, sms) VALUES ('ext-7', 1)", []).unwrap();
        outsider.execute(&format!("UPDATE sms SET {damage} WHERE seq = 1"), []).unwrap();
        let mut told = Vec::new();
        for said in [callback(damaged, 1, 1, 3), callback(damaged, 1, 1, 3), by_theirs] {
            // Answered, so that the platform does not come again for ever.
            assert_eq!(known(&spool, said.clone()).await, None, "{damage}: for who writes");
            let (taken, damaged) = spool
                .writer
                .run(Kind::Callback, move |connection, effects| {
                    let taken = callbacks::take(connection, effects, &said, at(2))?;
                    Ok((taken, effects.damaged.clone()))
                })
                .await
                .unwrap();
            assert_eq!(taken, Taken::Damaged, "{damage}");
            told.extend(damaged);
        }
        assert_eq!(told.len(), 1, "{damage}: {told:?}");
        assert!(told[0].starts_with("SMS in row 1 of table sms is damaged: its `"), "{told:?}");
        assert_eq!(take(&spool, &callback(damaged, 1, 1, 3), 3).await, Taken::Damaged, "{damage}");
        assert_eq!(claim_ids(&spool, 3).await, [behind], "{damage}");
        settle(&spool, behind, sent(90), 4).await;
        // Repaired, it is asked about from the next start on.
        outsider.execute("UPDATE sms SET ways = NULL, way = 0, asked = 0, state = 'claimed'", []).unwrap();
        outsider.execute("UPDATE sms SET state = 'sent' WHERE seq = 2", []).unwrap();
        assert_eq!(spool.recover(at(5), at(6)).await.unwrap().unknown, 1, "{damage}");
        assert!(matches!(take(&spool, &callback(damaged, 1, 1, 3), 7).await, Taken::New { .. }));
    }
}

/// What is known of a callback without writing.
async fn known(spool: &SqliteSpool, said: Callback) -> Option<Taken> {
    spool.reader.run(Kind::Other, move |connection, _| callbacks::known(connection, &said)).await.unwrap()
}

#[tokio::test]
async fn a_damaged_telling_is_set_aside_and_harms_no_other() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let mut given = submission(0, &[1, 2]);
    given.tell_url = Some(TellUrl {
        url: "https://erp.example".to_owned(),
        account: "erp".to_owned(),
        style: TellStyle::Signed,
    });
    let [a, b] = [1, 2].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    claim_ids(&spool, 1).await;
    settle(&spool, a, refused(), 2).await;
    settle(&spool, b, refused(), 2).await;
    outsider.execute("UPDATE telling SET attempts = -2 WHERE sms = 1", []).unwrap();
    let ids = async |now| -> Vec<_> {
        spool.claim_tellings(at(now), 9).await.unwrap().into_iter().map(|telling| telling.id).collect()
    };
    assert_eq!(ids(3).await, [b]);
    assert_eq!(spool.backlog().await.unwrap().tellings, 2, "it is still counted");
    outsider.execute("UPDATE telling SET attempts = 0 WHERE sms = 1", []).unwrap();
    assert_eq!(ids(4).await, [], "not before a start");
    spool.recover(at(5), at(5)).await.unwrap();
    assert_eq!(ids(6).await, [a, b]);
}
