//! Limits at n and n+1, days, and many at once; the spool is the real one.

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::super::tests::{client, form, intake_with, limited, prepared};
use super::*;
use crate::model::{Cause, Client, EnhancedStatus, MessageId};
use crate::spool::SqliteSpool;
use crate::spool::sqlite::Settings;

/// Central European time: one hour ahead of UTC, two from 29 March to 25 October 2026.
fn rome() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// Chile puts its clocks forward at midnight, so that one day begins at one.
fn santiago() -> TimeZone {
    TimeZone::posix("<-04>4<-03>,M9.1.6/24,M4.1.6/24").unwrap()
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn open(directory: &TempDir, min_free_octets: u64) -> Arc<SqliteSpool> {
    let settings = Settings { directory: directory.path().to_owned(), min_free_octets };
    Arc::new(SqliteSpool::open(settings).unwrap())
}

/// An empty spool with counters, in Rome.
fn quota() -> (Arc<SqliteSpool>, Quota, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory, 1);
    let quota = Quota { zone: rome, ..Quota::new(spool.clone()) };
    (spool, quota, directory)
}

fn account(name: &str) -> Client {
    Client { account: Some(name.to_owned()), ..client() }
}

fn parts(limit: u32) -> Allowance {
    Allowance { parts_per_day: NonZeroU32::new(limit), ..Allowance::default() }
}

fn rate(limit: u32) -> Allowance {
    Allowance { messages_per_minute: NonZeroU32::new(limit), ..Allowance::default() }
}

fn number(limit: u32) -> NonZeroU32 {
    NonZeroU32::new(limit).unwrap()
}

/// Reserves for account `ups` and keeps it.
async fn take_parts(quota: &Quota, limit: u32, count: u64, now: Timestamp) -> Result<(), Refusal> {
    quota.reserve("ups", &parts(limit), count, now).await.map(|_| ())
}

#[test]
fn n_messages_fit_into_a_minute_and_the_next_when_the_first_is_a_minute_old() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut window = Window::default();
    for millis in [0, 1000, 2000] {
        assert_eq!(window.wait(number(3), at(millis)), None);
        assert_eq!(window.take(number(3), || at(millis)), Ok(at(millis)));
    }
    assert_eq!(window.take(number(3), || at(3000)), Err(Duration::from_secs(57)));
    assert_eq!(window.wait(number(3), at(59_999)), Some(Duration::from_millis(1)));
    assert_eq!(window.take(number(3), || at(60_000)), Ok(at(60_000)));
    assert_eq!(window.take(number(3), || at(60_000)), Err(Duration::from_secs(1)));
    assert_eq!(window.wait(number(4), at(60_000)), None, "a reload may allow more");
    assert_eq!(window.wait(number(1), at(60_000)), Some(MINUTE), "or less");
    window.give_back(at(1000));
    assert_eq!(window.take(number(3), || at(60_000)), Ok(at(60_000)));
}

#[test]
fn a_day_is_one_of_the_calendar_also_when_clocks_are_set() {
    let day = |now: &str, zone: TimeZone| {
        let (start, end) = day_of(utc(now), zone);
        format!("{start} {end}")
    };
    let winter = "2026-01-15T23:00:00Z 2026-01-16T23:00:00Z";
    assert_eq!(day("2026-01-15T23:00:00Z", rome()), winter);
    assert_eq!(day("2026-01-16T22:59:59.999Z", rome()), winter);
    assert_ne!(day("2026-01-16T23:00:00Z", rome()), winter);
    assert_eq!(day("2026-03-29T12:00:00Z", rome()), "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z");
    let long = "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z";
    for hour in ["00:30", "01:30", "22:30"] {
        assert_eq!(day(&format!("2026-10-25T{hour}:00Z"), rome()), long, "{hour}");
    }
    assert_eq!(day("2026-09-06T12:00:00Z", santiago()), "2026-09-06T04:00:00Z 2026-09-07T03:00:00Z");
    assert_eq!(day("2026-09-06T03:59:59Z", santiago()), "2026-09-05T04:00:00Z 2026-09-06T04:00:00Z");
    assert!(day_of(Timestamp::MAX, TimeZone::UTC).1 >= day_of(Timestamp::MIN, TimeZone::UTC).0);
}

#[tokio::test]
async fn n_parts_fit_into_a_day_and_not_one_more_until_midnight() {
    let (_spool, quota, _guard) = quota();
    let noon = utc("2026-10-25T11:00:00Z");
    take_parts(&quota, 5, 3, noon).await.unwrap();
    let refusal = take_parts(&quota, 5, 3, noon).await.unwrap_err();
    let left = Duration::from_secs(12 * 3600);
    assert_eq!(refusal.kind, RefusalKind::QuotaSpent { retry_after: left });
    assert_eq!(
        refusal.text,
        "the message takes 3 parts, and account `ups` has 2 of its 5 left today; the next day begins 2026-10-26 \
         00:00 +01:00"
    );
    quota.check_parts("ups", &parts(5), noon).await.unwrap();
    take_parts(&quota, 5, 2, noon).await.unwrap();
    let refusal = take_parts(&quota, 5, 1, noon).await.unwrap_err();
    assert_eq!(
        refusal.text,
        "account `ups` has used its 5 parts of today; it may send again from 2026-10-26 00:00 +01:00 on"
    );
    assert_eq!(quota.check_parts("ups", &parts(5), noon).await.unwrap_err(), refusal);
    quota.check_parts("ups", &parts(6), noon).await.unwrap();
    let _ = quota.reserve("pbx", &parts(5), 5, noon).await.unwrap();
    take_parts(&quota, 5, 0, noon).await.unwrap();

    let last = utc("2026-10-25T22:59:59.999Z");
    assert!(take_parts(&quota, 5, 1, last).await.is_err());
    take_parts(&quota, 5, 5, utc("2026-10-25T23:00:00Z")).await.unwrap();
    assert!(take_parts(&quota, 5, 1, last).await.is_err(), "what came before midnight is of that day");
    assert!(take_parts(&quota, 5, 1, utc("2026-10-25T23:00:01Z")).await.is_err());
}

#[tokio::test]
async fn what_no_day_has_the_parts_for_is_refused_for_good() {
    let (_spool, quota, _guard) = quota();
    let noon = utc("2026-10-25T11:00:00Z");
    let refusal = take_parts(&quota, 5, 6, noon).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NotAllowed);
    assert_eq!(refusal.text, "the message takes 6 parts, and account `ups` may send 5 a day");
    take_parts(&quota, 5, 5, noon).await.unwrap();
}

#[tokio::test]
async fn what_is_given_back_can_be_used_again() {
    let (_spool, quota, _guard) = quota();
    let now = utc("2026-10-25T22:59:59Z");
    let both = Allowance { messages_per_minute: NonZeroU32::new(1), ..parts(5) };
    let reservation = quota.reserve("ups", &both, 5, now).await.unwrap();
    assert!(matches!(quota.check_rate("ups", &both).unwrap_err().kind, RefusalKind::TooFast { .. }));
    // Midnight passes meanwhile: the next day has nothing to do with it.
    take_parts(&quota, 5, 3, utc("2026-10-25T23:00:00Z")).await.unwrap();
    reservation.give_back();
    quota.check_rate("ups", &both).unwrap();
    assert!(take_parts(&quota, 5, 3, utc("2026-10-25T23:00:00Z")).await.is_err());
    let _ = quota.reserve("ups", &both, 5, now).await.unwrap();
    assert!(take_parts(&quota, 5, 1, now).await.is_err());
}

#[tokio::test]
async fn a_message_that_is_too_fast_uses_no_parts_and_one_without_parts_no_slot() {
    let (_spool, quota, _guard) = quota();
    let now = utc("2026-10-25T11:00:00Z");
    let both = Allowance { messages_per_minute: NonZeroU32::new(2), ..parts(5) };
    let _ = quota.reserve("ups", &both, 2, now).await.unwrap();
    let spent = quota.reserve("ups", &both, 4, now).await.map(|_| ()).unwrap_err();
    assert!(matches!(spent.kind, RefusalKind::QuotaSpent { .. }));
    let _ = quota.reserve("ups", &both, 1, now).await.unwrap();
    let fast = quota.reserve("ups", &both, 1, now).await.map(|_| ()).unwrap_err();
    let RefusalKind::TooFast { retry_after } = fast.kind else { panic!("{fast:?}") };
    assert!(retry_after > Duration::from_secs(30) && retry_after <= MINUTE, "{retry_after:?}");
    take_parts(&quota, 5, 2, now).await.unwrap();
    assert!(take_parts(&quota, 5, 1, now).await.is_err());
}

#[tokio::test]
async fn what_is_used_while_a_reload_has_lifted_the_limit_still_counts() {
    let (_spool, quota, _guard) = quota();
    let now = utc("2026-10-25T11:00:00Z");
    take_parts(&quota, 5, 1, now).await.unwrap();
    let _ = quota.reserve("ups", &rate(9), 3, now).await.unwrap();
    let _ = quota.reserve("ups", &Allowance::default(), 6, now).await.unwrap();
    assert!(take_parts(&quota, 10, 1, now).await.is_err());
    take_parts(&quota, 11, 1, now).await.unwrap();
}

/// Half of the tasks meet counters that do not know yet what the spool knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_as_come_together_get_no_more_than_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory, 1);
    for _ in 0..10 {
        spool.accept(prepared(&account("ups"), Timestamp::now())).await.unwrap();
    }
    let zone = TimeZone::system();
    let (today, _) = day_of(Timestamp::now(), zone.clone());
    let intake = Arc::new(intake_with(spool.clone(), limited("ups", parts(60))));
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let intake = Arc::clone(&intake);
        tasks.spawn(async move { intake.submit_form(&account("ups"), form()).await.is_ok() });
    }
    let accepted = tasks.join_all().await.into_iter().filter(|ok| *ok).count();
    if day_of(Timestamp::now(), zone).0 != today {
        return; // Midnight fell into this test; the next run sees one day.
    }
    assert_eq!(accepted, 50);
    assert_eq!(spool.parts_of_account_since("ups".to_owned(), today).await.unwrap(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_as_come_together_are_not_faster_than_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let intake = Arc::new(intake_with(open(&directory, 1), limited("ups", rate(20))));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let intake = Arc::clone(&intake);
        tasks.spawn(async move { intake.submit_form(&account("ups"), form()).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|ok| *ok).count(), 20);
}

#[tokio::test]
async fn what_was_used_today_survives_a_restart() {
    let (spool, quota, _guard) = quota();
    let now = utc("2026-10-24T22:00:00Z");
    // The last moment of yesterday, and the first of today.
    spool.accept(prepared(&account("ups"), utc("2026-10-24T21:59:59.999Z"))).await.unwrap();
    spool.accept(prepared(&account("ups"), now)).await.unwrap();
    spool.accept(prepared(&account("pbx"), now)).await.unwrap();
    assert!(take_parts(&quota, 2, 2, now).await.is_err());
    take_parts(&quota, 2, 1, now).await.unwrap();
    assert!(take_parts(&quota, 2, 1, now).await.is_err());
}

/// Takes one part and has the spool accept an SMS for it.
async fn use_one(spool: &SqliteSpool, quota: &Quota, limit: u32, now: Timestamp) -> MessageId {
    take_parts(quota, limit, 1, now).await.unwrap();
    accept_for(spool, "ups", now).await
}

async fn accept_for(spool: &SqliteSpool, name: &str, now: Timestamp) -> MessageId {
    let submission = prepared(&account(name), now);
    let id = submission.id.message(1);
    spool.accept(submission).await.unwrap();
    id
}

async fn cancel(spool: &SqliteSpool, id: MessageId) {
    let cause = Cause::new(EnhancedStatus::POLICY, "nobody wants it any more");
    spool.cancel(id, cause, Timestamp::now()).await.unwrap();
}

#[tokio::test]
async fn what_is_cancelled_before_it_was_tried_is_given_back_once() {
    let (spool, quota, _guard) = quota();
    let now = Timestamp::now();
    // What the spool does not count when it is asked is not given back on top of that.
    let early = accept_for(&spool, "ups", now).await;
    cancel(&spool, early).await;
    let first = use_one(&spool, &quota, 3, now).await;
    for _ in 0..2 {
        use_one(&spool, &quota, 3, now).await;
    }
    assert!(take_parts(&quota, 3, 1, now).await.is_err());
    cancel(&spool, first).await;
    quota.check_parts("ups", &parts(3), now).await.unwrap();
    use_one(&spool, &quota, 3, now).await;
    assert!(quota.check_parts("ups", &parts(3), now).await.is_err());
    assert!(take_parts(&quota, 3, 1, now).await.is_err());
    let today = day_of(now, rome()).0;
    assert_eq!(spool.parts_of_account_since("ups".to_owned(), today).await.unwrap(), 3, "as after a restart");
}

#[tokio::test]
async fn what_others_cancel_or_what_was_of_another_day_is_not_given_back() {
    let (spool, quota, _guard) = quota();
    let now = Timestamp::now();
    use_one(&spool, &quota, 1, now).await;
    let _ = quota.reserve("pbx", &parts(9), 1, now).await.unwrap();
    let of_pbx = accept_for(&spool, "pbx", now).await;
    let of_a_stranger = accept_for(&spool, "shop", now).await;
    let of_another_day = accept_for(&spool, "ups", now - Duration::from_secs(26 * 3600)).await;
    for id in [of_pbx, of_a_stranger, of_another_day] {
        cancel(&spool, id).await;
    }
    assert!(take_parts(&quota, 1, 1, now).await.is_err());
    let _ = quota.reserve("pbx", &parts(9), 9, now).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_uses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let full = intake_with(
        open(&directory, u64::MAX),
        limited("ups", Allowance { messages_per_minute: NonZeroU32::new(1), ..parts(1) }),
    );
    for _ in 0..3 {
        let refusal = full.submit_form(&account("ups"), form()).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::StorageUnavailable);
    }
}

#[tokio::test]
async fn a_spool_that_cannot_be_asked_refuses_for_the_moment() {
    let (spool, quota, _guard) = quota();
    spool.close().await;
    let now = utc("2026-10-24T22:00:00Z");
    let refusal = quota.check_parts("ups", &parts(1), now).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::StorageUnavailable);
    quota.check_parts("ups", &rate(1), now).await.unwrap();
}
