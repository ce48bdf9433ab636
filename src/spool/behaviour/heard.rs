//! Who is to be heard of, and what is remembered with a submission.

use std::time::Duration;

use super::super::{Expected, Heard, Spool};
use super::{at, submission};
use crate::model::{Remembered, Source, SourceKind, Submission};

fn source(name: &str) -> Source {
    Source::new(SourceKind::Account, name)
}

async fn expect(spool: &dyn Spool, names: &[&str], away: u64, now: i64) {
    let grain = Duration::from_secs(60);
    let expected = names.iter().map(|name| Expected { source: source(name), grain }).collect();
    spool.expect(expected, Duration::from_secs(away), at(now)).await.unwrap();
}

/// A submission that remembers these.
fn heard_of(received: i64, names: &[&str]) -> Submission {
    let heard = names.iter().map(|name| source(name)).collect();
    Submission { remembered: Remembered { heard, notes: Vec::new() }, ..submission(received, &[1]) }
}

fn known(name: &str, since: i64, heard: Option<i64>, away: u64) -> Heard {
    Heard { source: source(name), since: at(since), at: heard.map(at), away: Duration::from_secs(away) }
}

pub(in crate::spool) async fn who_is_expected_is_heard_of_with_what_is_accepted(spool: &dyn Spool) {
    expect(spool, &["nas", "ups"], 0, 10).await;
    assert_eq!(spool.heard().await.unwrap(), [known("nas", 10, None, 0), known("ups", 10, None, 0)]);
    spool.accept(heard_of(20, &["ups", "stranger"])).await.unwrap();
    // Names count as they are written.
    spool.accept(heard_of(21, &["NAS"])).await.unwrap();
    assert_eq!(spool.heard().await.unwrap(), [known("nas", 10, None, 0), known("ups", 10, Some(20), 0)]);
    // Whoever waits for it is told.
    spool.signals().heard.notified().await;
}

pub(in crate::spool) async fn what_comes_within_the_grain_is_not_written(spool: &dyn Spool) {
    expect(spool, &["ups"], 0, 0).await;
    for (received, written) in [(20, 20), (79, 20), (80, 80), (139, 80), (141, 141)] {
        spool.accept(heard_of(received, &["ups"])).await.unwrap();
        assert_eq!(spool.heard().await.unwrap(), [known("ups", 0, Some(written), 0)], "{received}");
    }
}

pub(in crate::spool) async fn a_change_of_who_is_expected_keeps_the_others(spool: &dyn Spool) {
    expect(spool, &["nas", "ups"], 0, 10).await;
    spool.accept(heard_of(20, &["nas", "ups"])).await.unwrap();
    expect(spool, &["till", "ups"], 7, 30).await;
    assert_eq!(
        spool.heard().await.unwrap(),
        [known("till", 30, None, 0), known("ups", 10, Some(20), 7)],
        "who is new has missed nothing"
    );
    expect(spool, &["nas", "ups"], 5, 40).await;
    assert_eq!(
        spool.heard().await.unwrap(),
        [known("nas", 40, None, 0), known("ups", 10, Some(20), 12)],
        "who was gone begins anew"
    );
    spool.accept(heard_of(100, &["ups"])).await.unwrap();
    assert_eq!(spool.heard().await.unwrap()[1], known("ups", 10, Some(100), 0), "heard, nothing was missed");
    expect(spool, &[], 0, 50).await;
    assert_eq!(spool.heard().await.unwrap(), []);
}

pub(in crate::spool) async fn a_clock_that_was_put_back_counts_from_now_on(spool: &dyn Spool) {
    expect(spool, &["nas", "ups"], 0, 1000).await;
    spool.accept(heard_of(2000, &["nas", "ups"])).await.unwrap();
    // As soon as somebody is heard of.
    spool.accept(heard_of(100, &["ups"])).await.unwrap();
    assert_eq!(spool.heard().await.unwrap()[1], known("ups", 1000, Some(100), 0));
    expect(spool, &["nas", "ups"], 0, 200).await;
    assert_eq!(
        spool.heard().await.unwrap(),
        [known("nas", 200, Some(200), 0), known("ups", 200, Some(100), 0)]
    );
}

pub(in crate::spool) async fn notes_are_kept_with_what_is_accepted_or_not_at_all(spool: &dyn Spool) {
    let notes = vec![("one".to_owned(), "1".to_owned()), ("two".to_owned(), "2".to_owned())];
    let remembered = Remembered { heard: Vec::new(), notes };
    let submission = Submission { remembered, ..submission(0, &[1]) };
    spool.accept(submission.clone()).await.unwrap();
    assert_eq!(spool.note("two".to_owned()).await.unwrap().as_deref(), Some("2"));
    spool.set_note("two".to_owned(), "3".to_owned()).await.unwrap();
    // Its id is taken.
    spool.accept(submission).await.unwrap_err();
    assert_eq!(spool.note("two".to_owned()).await.unwrap().as_deref(), Some("3"));
}
