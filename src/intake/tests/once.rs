//! Forms that come again.

use std::num::NonZeroU32;

use tempfile::TempDir;

use super::*;
use crate::spool::SqliteSpool;

fn intake(parts_per_day: u32) -> (Intake, Arc<SqliteSpool>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        crate::spool::sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    let spool = Arc::new(SqliteSpool::open(settings).unwrap());
    let allowance = Allowance { parts_per_day: NonZeroU32::new(parts_per_day), ..Allowance::default() };
    (intake_with(spool.clone(), limited("ups", allowance)), spool, directory)
}

fn ups() -> Client {
    Client { account: Some("ups".to_owned()), ..client() }
}

fn key(digest: u8) -> RequestKey {
    RequestKey { account: "ups".to_owned(), key: "k".to_owned(), item: 0, digest: [digest; 32] }
}

fn taken(once: Result<Once, Refusal>) -> Answer {
    match once.unwrap() {
        Once::Taken(answer) => answer,
        Once::Other => panic!("another request"),
    }
}

#[tokio::test]
async fn a_form_that_comes_again_is_answered_as_it_was_whatever_has_changed() {
    let (intake, spool, _guard) = intake(1);
    let first = taken(intake.submit_once(&ups(), form(), Some(key(1))).await);
    assert_eq!(first.messages.len(), 1);
    // The day's parts are used up, and boss is nobody any more.
    intake.submit_form(&ups(), form()).await.unwrap_err();
    intake.routing.store(Arc::new(Parts { aliases: Vec::new(), ..parts() }.build().unwrap()));
    assert_eq!(taken(intake.submit_once(&ups(), form(), Some(key(1))).await), first);
    assert_eq!(intake.submit_once(&ups(), form(), Some(key(2))).await, Ok(Once::Other));
    intake.submit_once(&ups(), form(), None).await.unwrap_err();
    assert_eq!(spool.backlog().await.unwrap().due, 1);
}

#[tokio::test]
async fn of_two_at_once_one_is_taken_and_paid() {
    let (intake, spool, _guard) = intake(3);
    let client = ups();
    let (one, two) = tokio::join!(
        intake.submit_once(&client, form(), Some(key(1))),
        intake.submit_once(&client, form(), Some(key(1))),
    );
    assert_eq!(taken(one), taken(two));
    assert_eq!(spool.backlog().await.unwrap().due, 1);
    for is_left in [true, true, false] {
        assert_eq!(intake.submit_once(&client, form(), None).await.is_ok(), is_left);
    }
}

#[tokio::test]
async fn of_two_at_once_both_are_told_though_the_parts_are_for_one() {
    let (intake, spool, _guard) = intake(1);
    let client = ups();
    let (one, two, other) = tokio::join!(
        intake.submit_once(&client, form(), Some(key(1))),
        intake.submit_once(&client, form(), Some(key(1))),
        intake.submit_once(&client, form(), Some(key(2))),
    );
    assert_eq!(taken(one), taken(two));
    assert_eq!(other, Ok(Once::Other));
    assert_eq!(spool.backlog().await.unwrap().due, 1);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let (intake, _spool, _guard) = intake(9);
    let nobody = Form { to: vec!["nobody".to_owned()], ..form() };
    intake.submit_once(&ups(), nobody, Some(key(1))).await.unwrap_err();
    taken(intake.submit_once(&ups(), form(), Some(key(2))).await);
}

#[tokio::test]
async fn every_sms_is_told_with_its_first_state() {
    let (intake, spool, _guard) = intake(9);
    let later = Timestamp::now() + Duration::from_secs(60);
    let to = ["boss", "ops", "+393471234567"].map(str::to_owned).to_vec();
    let held = Form { to, deliver_at: Some(later), ..form() };
    let answer = taken(intake.submit_once(&ups(), held, Some(key(1))).await);
    let told: Vec<_> =
        answer.messages.iter().map(|sms| (sms.to.as_str(), sms.phone.as_str(), sms.state.as_str())).collect();
    assert_eq!(
        told,
        [
            ("boss", "+393280000001", "held"),
            ("ops", "+393280000001", "cancelled"),
            ("ops", "+393280000002", "held"),
            ("+393471234567", "+393471234567", "failed"),
        ]
    );
    let view = spool.submission(answer.id.parse().unwrap()).await.unwrap().unwrap();
    let known: Vec<_> =
        view.messages.iter().map(|one| (one.sms.id.to_string(), one.state.to_string())).collect();
    let told: Vec<_> = answer.messages.into_iter().map(|sms| (sms.id, sms.state)).collect();
    assert_eq!(told, known);
}
