//! The process ends around a commit: before it nothing of the command is there, after it all is.

use std::path::PathBuf;
use std::process::Command;

use super::super::super::behaviour::{at, callback, claim, failure, report, submission};
use super::super::super::{MailStep, News, RequestKey, Spool, Step, TellStep};
use super::{open_in, outsider};
use crate::model::{FinalState, MailKind, OutgoingMail, TellStyle, TellUrl};

/// Names the directory in which [`a_life_in_another_process`] lives.
const DIRECTORY: &str = "SMS_RELAY_TEST_SPOOL";

#[test]
fn a_crash_before_a_commit_leaves_nothing_and_one_after_it_all() {
    for (point, left) in [
        ("before-accept-commit", ""),
        ("after-accept-commit", "due none, key erp-1"),
        ("before-claim-commit", "due none, key erp-1"),
        ("after-claim-commit", "claimed none, key erp-1"),
        ("before-settle-commit", "claimed none, key erp-1"),
        ("after-settle-commit", "failed owed, key erp-1, telling due"),
        ("before-close-case-commit", "failed owed, key erp-1, telling due"),
        ("after-close-case-commit", "failed told, key erp-1, telling due, mail due"),
        ("before-claim-mail-commit", "failed told, key erp-1, telling due, mail due"),
        ("after-claim-mail-commit", "failed told, key erp-1, telling due, mail claimed"),
        ("before-settle-mail-commit", "failed told, key erp-1, telling due, mail claimed"),
        ("after-settle-mail-commit", "failed told, key erp-1, telling due, mail sent"),
        ("before-callback-commit", "failed told, key erp-1, telling due, mail sent"),
        ("after-callback-commit", "failed told, key erp-1, callback 3, telling due, mail sent"),
        ("before-claim-telling-commit", "failed told, key erp-1, callback 3, telling due, mail sent"),
        ("after-claim-telling-commit", "failed told, key erp-1, callback 3, telling claimed, mail sent"),
        ("before-settle-telling-commit", "failed told, key erp-1, callback 3, telling claimed, mail sent"),
        ("after-settle-telling-commit", "failed told, key erp-1, callback 3, telling told, mail sent"),
        ("before-file-mail-commit", "failed told, key erp-1, callback 3, telling told, mail sent"),
        ("after-file-mail-commit", "failed told, key erp-1, callback 3, telling told, mail sent, notice due"),
        ("never", "failed told, key erp-1, callback 3, telling told, mail sent, notice due"),
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
                 || coalesce((SELECT ', key ' || key FROM request_key), '') \
                 || coalesce((SELECT ', callback ' || code FROM callback), '') \
                 || coalesce((SELECT ', telling ' || state FROM telling), '') \
                 || coalesce((SELECT ', mail ' || state FROM outgoing_mail WHERE kind <> 'notice'), '') \
                 || coalesce((SELECT ', notice ' || state FROM outgoing_mail WHERE kind = 'notice'), '')",
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
    let mut given = submission(0, &[1]);
    given.tell_url = Some(TellUrl {
        url: "https://erp.example".to_owned(),
        account: "erp".to_owned(),
        style: TellStyle::Signed,
    });
    let id = given.id.message(1);
    let key = RequestKey { account: "erp".to_owned(), key: "erp-1".to_owned(), item: 0, digest: [7; 32] };
    spool.accept_once(given, key, "told".to_owned()).await.unwrap();
    assert_eq!(claim(&spool, 1).await.len(), 1);
    let step = Step::Final { state: FinalState::Failed, cause: failure() };
    spool.settle(id, 1, step, at(2)).await.unwrap();
    let mail = report(id.submission, at(3));
    spool.close_case(vec![(id, News::Ended)], Some(mail.clone()), at(3)).await.unwrap();
    assert_eq!(spool.claim_mail(at(4), 9).await.unwrap().len(), 1);
    spool.settle_mail(mail.id, MailStep::Sent, at(5)).await.unwrap();
    spool.take_callback(callback(id, 1, 1, 3), at(6)).await.unwrap();
    spool.take_callback(callback(id, 1, 1, 3), at(6)).await.unwrap();
    assert_eq!(spool.claim_tellings(at(7), 9).await.unwrap().len(), 1);
    spool.settle_telling(id, TellStep::Told, at(8)).await.unwrap();
    let notice = OutgoingMail { kind: MailKind::Notice, about: None, ..report(id.submission, at(9)) };
    spool.file_mail(notice, None, at(9)).await.unwrap();
}
