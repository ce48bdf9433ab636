use std::time::Duration;

use super::*;
use crate::model::{EnhancedStatus, MailAddress, SubmissionId};
use crate::retry::Backoff;
use crate::spool::{Queue, Spool, SqliteSpool, sqlite};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn settings(operator: Option<&str>) -> Settings {
    Settings {
        hostname: "relay.example.com".to_owned(),
        from: MailAddress::parse("postmaster@relay.example.com").unwrap(),
        operator: operator.map(|address| MailAddress::parse(address).unwrap()),
        include_text: true,
        template: None,
        window: Duration::from_secs(30),
        reports_per_hour: 20,
        backoff: Backoff { first: Duration::from_secs(60), most: Duration::from_secs(900) },
        lifetime: Duration::from_secs(3600),
    }
}

fn claimed(kind: MailKind, attempt: u32) -> ClaimedMail {
    let mail = OutgoingMail {
        id: MailId::new(at(0)),
        about: Some(SubmissionId::new(at(0))),
        kind,
        reverse_path: ReversePath::Null,
        recipient: MailAddress::parse("nas@example.com").unwrap(),
        bytes: b"Subject: SMS not delivered\r\n\r\nSorry.\r\n".to_vec(),
        expires_at: at(1000),
    };
    ClaimedMail { mail, attempt }
}

fn cause(class: u8) -> Cause {
    Cause::new(EnhancedStatus::new(class, 1, 1), "The mail server said no.")
        .with_diagnostic("550 no such user")
}

/// The step after `outcome` at second `now`.
fn step(claimed: &ClaimedMail, outcome: MailOutcome, operator: Option<&str>, now: i64) -> MailStep {
    judge(claimed, outcome, &settings(operator), at(now), 1.0, MailId::new(at(now)))
}

#[test]
fn a_mail_that_was_taken_is_sent() {
    assert_eq!(step(&claimed(MailKind::Report, 1), MailOutcome::Sent, None, 5000), MailStep::Sent);
}

#[test]
fn waits_grow_and_the_last_try_is_at_the_end_of_the_lifetime() {
    for (attempt, now, next) in
        [(1, 0, 60), (2, 60, 180), (3, 180, 420), (4, 420, 900), (5, 900, 1000), (6, 999, 1000)]
    {
        assert_eq!(
            step(&claimed(MailKind::Report, attempt), MailOutcome::Later(cause(4)), None, now),
            MailStep::Retry { at: at(next), cause: cause(4) }
        );
    }
    assert_eq!(
        step(&claimed(MailKind::Report, 7), MailOutcome::Later(cause(4)), None, 1000),
        MailStep::Failed { cause: cause(4), instead: None }
    );
}

#[test]
fn a_lost_report_goes_to_the_operator() {
    for (outcome, now) in [(MailOutcome::Refused(cause(5)), 10), (MailOutcome::Later(cause(4)), 1000)] {
        let claimed = claimed(MailKind::Report, 1);
        let MailStep::Failed { instead: Some(mail), .. } =
            step(&claimed, outcome, Some("ops@example.com"), now)
        else {
            panic!("nobody is told")
        };
        assert_eq!((mail.kind, mail.reverse_path), (MailKind::OperatorReport, ReversePath::Null));
        assert_eq!(
            (mail.recipient.to_string(), mail.about),
            ("ops@example.com".to_owned(), claimed.mail.about)
        );
        assert_eq!(mail.expires_at, at(now + 3600));
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(text.contains("    The mail server said: 550 no such user\r\n"), "{text}");
        assert!(text.contains("\r\nSubject: SMS not delivered\r\n\r\nSorry.\r\n"), "{text}");
    }
}

#[test]
fn there_is_never_a_report_about_a_report() {
    for kind in [MailKind::OperatorReport, MailKind::Notice, MailKind::Returned] {
        assert_eq!(
            step(&claimed(kind, 1), MailOutcome::Refused(cause(5)), Some("ops@example.com"), 10),
            MailStep::Failed { cause: cause(5), instead: None }
        );
    }
    // The operator's own address was the one that failed.
    assert_eq!(
        step(&claimed(MailKind::Report, 1), MailOutcome::Refused(cause(5)), Some("nas@example.com"), 10),
        MailStep::Failed { cause: cause(5), instead: None }
    );
}

/// What is sent in place of mail for the postmaster that was refused.
fn given_back(reverse_path: ReversePath, headers: &str) -> Option<OutgoingMail> {
    let mut claimed = claimed(MailKind::Postmaster, 1);
    claimed.mail.recipient = MailAddress::parse("ops@example.com").unwrap();
    claimed.mail.reverse_path = reverse_path;
    claimed.mail.bytes = format!("{headers}\r\nPlease call.\r\n").into_bytes();
    let step = step(&claimed, MailOutcome::Refused(cause(5)), Some("ops@example.com"), 10);
    let MailStep::Failed { instead, .. } = step else { panic!("{step:?}") };
    instead
}

#[test]
fn mail_for_the_postmaster_goes_back_to_a_sender_who_can_be_told() {
    let path = |address| ReversePath::Path(MailAddress::parse(address).unwrap());
    let headers = "Subject: Badge\r\nMessage-ID: <7@example.com>\r\n";
    let mail = given_back(path("anna@example.com"), headers).unwrap();
    assert_eq!((mail.kind, mail.reverse_path), (MailKind::Returned, ReversePath::Null));
    assert_eq!(mail.recipient.to_string(), "anna@example.com");
    let text = String::from_utf8(mail.bytes).unwrap();
    assert!(text.contains("Subject: Mail not delivered: Badge\r\n"), "{text}");
    assert!(text.contains("In-Reply-To: <7@example.com>\r\n"), "{text}");
    assert_eq!(given_back(ReversePath::Null, headers), None);
    assert_eq!(given_back(path("anna@example.com"), "Auto-Submitted: auto-generated\r\n"), None);
    assert_eq!(given_back(path("ops@example.com"), headers), None, "the address that has just refused");
}

/// Sends what is due until `until` with a smarthost that is down; returns how often and when it was tried.
async fn try_until(spool: &dyn Spool, settings: &Settings, until: i64) -> Vec<i64> {
    let mut tried = Vec::new();
    while let Some(due) = spool.next_due(Queue::Mail).await.unwrap() {
        if due >= at(until) {
            break;
        }
        for claimed in spool.claim_mail(due, 9).await.unwrap() {
            tried.push(due.as_second() - at(0).as_second());
            let step = judge(&claimed, MailOutcome::Later(cause(4)), settings, due, 1.0, MailId::new(due));
            spool.settle_mail(claimed.mail.id, step, due).await.unwrap();
        }
    }
    tried
}

const DAY: i64 = 24 * 3600;

/// The usual settings with an operator, and a report that is due at second 0.
async fn waiting_report() -> (SqliteSpool, tempfile::TempDir, Settings, OutgoingMail) {
    let directory = tempfile::tempdir().unwrap();
    let place = sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    let spool = SqliteSpool::open(place).unwrap();
    let settings = Settings {
        backoff: Backoff { first: Duration::from_secs(60), most: Duration::from_secs(3600) },
        lifetime: Duration::from_secs(5 * DAY as u64),
        ..settings(Some("ops@example.com"))
    };
    let mut mail = claimed(MailKind::Report, 0).mail;
    (mail.about, mail.expires_at) = (None, later(at(0), settings.lifetime));
    spool.file_mail(mail.clone(), None, at(0)).await.unwrap();
    (spool, directory, settings, mail)
}

#[tokio::test]
async fn a_smarthost_that_is_down_for_a_day_loses_nothing() {
    let (spool, _guard, settings, mail) = waiting_report().await;
    let tried = try_until(&spool, &settings, DAY).await;
    assert_eq!(tried[..7], [0, 60, 180, 420, 900, 1860, 3780]);
    assert!(tried.windows(2).all(|pair| pair[1] - pair[0] <= 3600), "{tried:?}");
    let back = spool.next_due(Queue::Mail).await.unwrap().unwrap();
    assert!(back < at(DAY + 3600), "{back}");
    let attempt = spool.claim_mail(back, 9).await.unwrap();
    assert_eq!(attempt[0].mail, mail);
    spool.settle_mail(mail.id, MailStep::Sent, back).await.unwrap();
    let view = spool.mail(mail.id).await.unwrap().unwrap();
    assert_eq!((view.state.as_str(), view.attempts as usize), ("sent", tried.len() + 1));
    // Filed, then a begin and an end for each attempt.
    assert_eq!(view.events.len(), 1 + 2 * (tried.len() + 1));
    assert_eq!(view.events[2].note, "The mail server said no. (550 no such user)");
}

#[tokio::test]
async fn a_smarthost_that_stays_down_has_the_operator_told_in_the_end_and_nobody_after() {
    let (spool, _guard, settings, mail) = waiting_report().await;
    let tried = try_until(&spool, &settings, 5 * DAY + 1).await;
    assert_eq!(*tried.last().unwrap(), 5 * DAY, "the last try is at the end of its lifetime");
    let view = spool.mail(mail.id).await.unwrap().unwrap();
    let instead = view.events.last().unwrap().note.strip_prefix("replaced by ").unwrap().parse().unwrap();
    let told = spool.mail(instead).await.unwrap().unwrap();
    assert_eq!((view.state.as_str(), told.state.as_str()), ("failed", "due"));
    assert_eq!(
        (told.mail.kind, told.mail.recipient.to_string()),
        (MailKind::OperatorReport, "ops@example.com".to_owned())
    );
    try_until(&spool, &settings, 99 * DAY).await;
    assert_eq!(spool.mail(instead).await.unwrap().unwrap().state, "failed");
    assert_eq!(spool.backlog().await.unwrap().mail, 0, "and that is the end of it");
}
