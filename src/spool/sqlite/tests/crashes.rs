//! The process ends around a commit: before it nothing of the command is there, after it all is.

use std::path::PathBuf;
use std::process::Command;

use super::super::super::behaviour::{at, claim, failure, report, submission};
use super::super::super::{MailStep, Spool, Step};
use super::{open_in, outsider};
use crate::model::FinalState;

/// Names the directory in which [`a_life_in_another_process`] lives.
const DIRECTORY: &str = "SMS_RELAY_TEST_SPOOL";

#[test]
fn a_crash_before_a_commit_leaves_nothing_and_one_after_it_all() {
    for (point, left) in [
        ("before-accept-commit", ""),
        ("after-accept-commit", "due none"),
        ("before-claim-commit", "due none"),
        ("after-claim-commit", "claimed none"),
        ("before-settle-commit", "claimed none"),
        ("after-settle-commit", "failed owed"),
        ("before-close-case-commit", "failed owed"),
        ("after-close-case-commit", "failed told, mail due"),
        ("before-claim-mail-commit", "failed told, mail due"),
        ("after-claim-mail-commit", "failed told, mail claimed"),
        ("before-settle-mail-commit", "failed told, mail claimed"),
        ("after-settle-mail-commit", "failed told, mail sent"),
        ("never", "failed told, mail sent"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "spool::sqlite::tests::crashes::a_life_in_another_process", "--ignored"])
            .env(DIRECTORY, directory.path())
            .env("SMS_RELAY_CRASH_POINT", point)
            .output()
            .unwrap();
        assert_eq!(output.status.success(), point == "never", "{point}: {output:?}");
        // Opening reads back the log that the dead process left.
        let _spool = open_in(directory.path());
        let found: String = outsider(directory.path())
            .query_row(
                "SELECT coalesce((SELECT state || ' ' || report FROM sms), '') \
                 || coalesce((SELECT ', mail ' || state FROM outgoing_mail), '')",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(found, left, "{point}");
    }
}

#[tokio::test]
#[ignore = "the other half of a test, which starts it"]
async fn a_life_in_another_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let spool = open_in(&PathBuf::from(directory));
    let given = submission(0, &[1]);
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    assert_eq!(claim(&spool, 1).await.len(), 1);
    let step = Step::Final { state: FinalState::Failed, cause: failure() };
    spool.settle(id, 1, step, at(2)).await.unwrap();
    let mail = report(id.submission, at(3));
    spool.close_case(vec![id], Some(mail.clone()), at(3)).await.unwrap();
    assert_eq!(spool.claim_mail(at(4), 9).await.unwrap().len(), 1);
    spool.settle_mail(mail.id, MailStep::Sent, at(5)).await.unwrap();
}
