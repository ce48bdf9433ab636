//! What an account may do, at each question that a door asks.

use std::num::NonZeroU32;

use tempfile::TempDir;

use super::*;
use crate::routing::SenderPattern;
use crate::spool::SqliteSpool;

const MAIL: &[u8] = b"Subject: x\r\n\r\nhot\r\n";

fn intake(allowance: Allowance) -> (Intake, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        crate::spool::sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    (intake_with(Arc::new(SqliteSpool::open(settings).unwrap()), limited("ups", allowance)), directory)
}

fn ups() -> Client {
    Client { account: Some("ups".to_owned()), ..client() }
}

fn address(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap()
}

async fn recipient(intake: &Intake, client: &Client, to: &str) -> Result<(), Refusal> {
    intake.check_recipient(client, &ReversePath::Null, &address(to)).await
}

async fn mail(intake: &Intake, from: &str, to: &[&str]) -> Result<(), Refusal> {
    intake.submit_mail(&ups(), envelope(from, to), MAIL.to_vec()).await.map(|_| ())
}

fn not_allowed(result: Result<(), Refusal>) -> String {
    let refusal = result.unwrap_err();
    assert_eq!((refusal.kind.smtp().0, refusal.kind.smtp().1.to_string().as_str()), (550, "5.7.1"));
    assert_eq!(refusal.kind.http(), 403);
    refusal.text
}

#[tokio::test]
async fn a_form_post_chooses_among_the_senders_of_its_account() {
    let sender_ids = Some(vec![crate::model::SenderId::new("Shop").unwrap()]);
    let (intake, _guard) = intake(Allowance { sender_ids, ..Allowance::default() });
    let post = async |client: Client, sender: Option<&str>| {
        let form = Form { sender: sender.map(str::to_owned), ..form() };
        intake.submit_form(&client, form).await.map(|_| ())
    };
    let text =
        "account `ups` may not send as `Other`; use a sender of its own, or have the operator add this one";
    assert_eq!(not_allowed(post(ups(), Some("Other")).await), text);
    post(ups(), Some("Shop")).await.unwrap();
    post(ups(), None).await.unwrap();
    post(client(), Some("Other")).await.unwrap();
}

#[tokio::test]
async fn a_sender_that_is_not_the_accounts_is_refused_at_mail_and_at_the_end() {
    let senders = Some(vec![SenderPattern::new("@example.com").unwrap()]);
    let (intake, _guard) = intake(Allowance { senders, ..Allowance::default() });
    let other = ReversePath::Path(address("root@example.org"));
    let text = "account `ups` may not send as `root@example.org`; use a sender of its own, or have the operator add \
                this one";
    assert_eq!(not_allowed(intake.check_sender(&ups(), &other)), text);
    let null = not_allowed(intake.check_sender(&ups(), &ReversePath::Null));
    assert!(null.starts_with("account `ups` may not send as `<>`; "), "{null}");
    intake.check_sender(&ups(), &ReversePath::Path(address("a@example.com"))).unwrap();
    intake.check_sender(&client(), &other).unwrap();
    let pbx = Client { account: Some("pbx".to_owned()), ..client() };
    intake.check_sender(&pbx, &other).unwrap();

    assert_eq!(not_allowed(mail(&intake, "root@example.org", &["boss@sms.local"]).await), text);
    mail(&intake, "a@example.com", &["boss@sms.local"]).await.unwrap();
    intake.submit_form(&ups(), form()).await.unwrap();
}

#[tokio::test]
async fn a_destination_that_is_not_the_accounts_is_refused_at_rcpt_and_at_the_end() {
    let destinations = Some(vec![Prefix::new("+393280000001").unwrap()]);
    let (intake, _guard) = intake(Allowance { destinations, ..Allowance::default() });
    let text = |to: &str| {
        format!(
            "account `ups` may not send to `{to}`; the operator has to add its prefix to the account's `allowed`"
        )
    };
    // One number of `ops` is its own, the other is not.
    assert_eq!(not_allowed(recipient(&intake, &ups(), "ops@sms.local").await), text("ops"));
    recipient(&intake, &ups(), "boss@sms.local").await.unwrap();
    recipient(&intake, &ups(), "postmaster@sms.local").await.unwrap();
    recipient(&intake, &client(), "ops@sms.local").await.unwrap();
    let general = not_allowed(recipient(&intake, &ups(), "+447911123456@sms.local").await);
    assert!(general.starts_with("destination `+447911123456` is not allowed here"), "{general}");

    let both = mail(&intake, "a@example.com", &["boss@sms.local", "ops@sms.local"]).await;
    assert_eq!(not_allowed(both), text("ops"));
    let to_ops = Form { to: vec!["boss".to_owned(), "ops".to_owned()], ..form() };
    assert_eq!(not_allowed(intake.submit_form(&ups(), to_ops).await.map(|_| ())), text("ops"));
    intake.submit_form(&ups(), form()).await.unwrap();
}

#[tokio::test]
async fn an_account_that_is_too_fast_is_refused_at_mail_and_at_the_end() {
    let (intake, _guard) =
        intake(Allowance { messages_per_minute: NonZeroU32::new(2), ..Allowance::default() });
    let from = ReversePath::Path(address("a@example.com"));
    for _ in 0..5 {
        intake.check_sender(&ups(), &from).unwrap();
    }
    mail(&intake, "a@example.com", &["boss@sms.local"]).await.unwrap();
    intake.submit_form(&ups(), form()).await.unwrap();
    let refusal = intake.check_sender(&ups(), &from).unwrap_err();
    assert_eq!((refusal.kind.smtp().0, refusal.kind.smtp().1.to_string().as_str()), (450, "4.7.1"));
    assert_eq!(refusal.kind.http(), 429);
    assert!(refusal.kind.retry_after().is_some_and(|wait| wait <= Duration::from_secs(60)));
    assert!(
        refusal.text.starts_with("account `ups` may send 2 messages a minute; try again in "),
        "{refusal}"
    );
    for refused in [
        mail(&intake, "a@example.com", &["boss@sms.local"]).await,
        intake.submit_form(&ups(), form()).await.map(|_| ()),
    ] {
        assert!(matches!(refused.unwrap_err().kind, RefusalKind::TooFast { .. }));
    }
    intake.submit_form(&client(), form()).await.unwrap();
}

#[tokio::test]
async fn an_account_without_parts_is_refused_at_rcpt_and_mail_for_many_is_taken_whole_or_not() {
    let (intake, _guard) = intake(Allowance { parts_per_day: NonZeroU32::new(3), ..Allowance::default() });
    // Two phones; the second `boss` says the same to the same phone and costs nothing.
    mail(&intake, "a@example.com", &["ops@sms.local", "boss@sms.local"]).await.unwrap();
    recipient(&intake, &ups(), "ops@sms.local").await.unwrap();
    let refusal = mail(&intake, "a@example.com", &["ops@sms.local"]).await.unwrap_err();
    assert_eq!((refusal.kind.smtp().0, refusal.kind.smtp().1.to_string().as_str()), (452, "4.7.1"));
    assert_eq!(refusal.kind.http(), 429);
    assert!(
        refusal.text.starts_with("the message takes 2 parts, and account `ups` has 1 of its 3 left today"),
        "{refusal}"
    );
    let dropped = b"Subject: newsletter\r\n\r\nbuy\r\n".to_vec();
    let to_ops = envelope("a@example.com", &["ops@sms.local"]);
    intake.submit_mail(&ups(), to_ops.clone(), dropped.clone()).await.unwrap();
    mail(&intake, "a@example.com", &["boss@sms.local"]).await.unwrap();
    let refusal = recipient(&intake, &ups(), "boss@sms.local").await.unwrap_err();
    assert!(refusal.text.starts_with("account `ups` has used its 3 parts of today; "), "{refusal}");
    recipient(&intake, &ups(), "postmaster@sms.local").await.unwrap();
    recipient(&intake, &client(), "boss@sms.local").await.unwrap();
    mail(&intake, "a@example.com", &["postmaster@sms.local"]).await.unwrap();
    intake.submit_mail(&ups(), to_ops, dropped).await.unwrap();
}
