//! Requests that come again.

use super::super::{Accepted, Before, KEY_LIFETIME, RequestKey, Spool};
use super::{at, claim_ids, submission};
use crate::model::Submission;

fn key(account: &str, key: &str, item: u32, digest: u8) -> RequestKey {
    RequestKey { account: account.to_owned(), key: key.to_owned(), item, digest: [digest; 32] }
}

async fn accept(spool: &dyn Spool, given: Submission, key: RequestKey, answer: &str) -> Accepted {
    spool.accept_once(given, key, answer.to_owned()).await.unwrap()
}

fn same(answer: &str) -> Before {
    Before::Same(answer.to_owned())
}

pub(in crate::spool) async fn a_key_takes_one_submission_and_tells_the_same_again(spool: &dyn Spool) {
    let one = key("erp", "k", 0, 1);
    assert_eq!(spool.accepted_before(one.clone(), at(0)).await.unwrap(), None);
    let (first, again) = (submission(0, &[1]), submission(1, &[1]));
    let id = first.id.message(1);
    assert!(
        matches!(accept(spool, first, one.clone(), "told").await, Accepted::New(numbers) if numbers.len() == 1)
    );
    let lost = again.id;
    assert_eq!(accept(spool, again, one.clone(), "told anew").await, Accepted::Before(same("told")));
    assert_eq!(spool.submission(lost).await.unwrap(), None);
    spool.recover(at(2), at(2)).await.unwrap();
    assert_eq!(spool.accepted_before(one, at(2)).await.unwrap(), Some(same("told")));
    assert_eq!(claim_ids(spool, 2).await, [id]);
    // Another account's, another name and another message of the request are others.
    for (n, other) in
        [key("nas", "k", 0, 9), key("erp", "K", 0, 9), key("erp", "k", 1, 1)].into_iter().enumerate()
    {
        assert_eq!(spool.accepted_before(other.clone(), at(3)).await.unwrap(), None, "{other:?}");
        let taken = accept(spool, submission(3, &[2]), other, "other").await;
        assert!(matches!(taken, Accepted::New(_)), "{n}: {taken:?}");
    }
}

pub(in crate::spool) async fn of_two_at_once_one_is_taken(spool: &dyn Spool) {
    let one = key("erp", "k", 0, 1);
    let (first, second) = tokio::join!(
        spool.accept_once(submission(0, &[1]), one.clone(), "first".to_owned()),
        spool.accept_once(submission(0, &[1]), one.clone(), "second".to_owned()),
    );
    assert!(matches!(first.unwrap(), Accepted::New(_)));
    assert_eq!(second.unwrap(), Accepted::Before(same("first")));
    assert_eq!(claim_ids(spool, 1).await.len(), 1);
    assert_eq!(spool.backlog().await.unwrap().due, 0);
}

pub(in crate::spool) async fn a_key_for_another_request_is_told_so(spool: &dyn Spool) {
    accept(spool, submission(0, &[1]), key("erp", "k", 1, 1), "told").await;
    // Also where it is about a message that the first request had not, or that was not taken of it.
    for item in [0, 1, 2] {
        let other = key("erp", "k", item, 2);
        assert_eq!(spool.accepted_before(other.clone(), at(1)).await.unwrap(), Some(Before::Other), "{item}");
        assert_eq!(accept(spool, submission(1, &[1]), other, "x").await, Accepted::Before(Before::Other));
    }
    assert_eq!(claim_ids(spool, 1).await.len(), 1);
}

pub(in crate::spool) async fn a_key_is_kept_for_a_day_and_cleared_away_after(spool: &dyn Spool) {
    let day = i64::try_from(KEY_LIFETIME.as_secs()).unwrap();
    let one = key("erp", "k", 0, 1);
    accept(spool, submission(0, &[1]), one.clone(), "told").await;
    assert_eq!(spool.accepted_before(one.clone(), at(day - 1)).await.unwrap(), Some(same("told")));
    assert_eq!(spool.accepted_before(one.clone(), at(day)).await.unwrap(), None);
    // Its name is free again, also while what is left of it is still there, and for another request.
    let again = accept(spool, submission(day, &[1]), key("erp", "k", 0, 2), "anew").await;
    assert!(matches!(again, Accepted::New(_)), "{again:?}");
    assert_eq!(spool.accepted_before(one, at(day)).await.unwrap(), Some(Before::Other));
}
