//! Cases that the tests of the module's files share.

use std::time::Duration;

use jiff::Timestamp;

use super::Settings;
use crate::model::{
    Cause, Client, Door, Encoding, EnhancedStatus, FinalState, MailAddress, Notify, Original, PhoneNumber,
    Recipient, ReportTo, SenderId, Sms, SmsOptions, SmsText, State, SubmissionId,
};
use crate::retry::Backoff;
use crate::spool::{Case, News, Outcome, Siblings};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(super) fn settings() -> Settings {
    Settings {
        hostname: "relay.example.com".to_owned(),
        from: MailAddress::parse("postmaster@relay.example.com").unwrap(),
        operator: None,
        include_text: true,
        template: None,
        window: Duration::from_secs(30),
        reports_per_hour: 20,
        backoff: Backoff { first: Duration::from_secs(60), most: Duration::from_secs(900) },
        lifetime: Duration::from_secs(86_400),
    }
}

/// How an SMS for recipient `ordinal` ended.
pub(super) fn outcome(
    submission: SubmissionId,
    ordinal: u32,
    notify: &str,
    state: FinalState,
    class: u8,
) -> Outcome {
    Outcome {
        sms: Sms {
            id: submission.message(ordinal),
            destination: PhoneNumber::from_e164("+393471234567").unwrap(),
            sender: SenderId::new("Alarm").unwrap(),
            text: SmsText { body: "Disk full".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions::default(),
        },
        recipient: Recipient {
            address: format!("p39347123456{ordinal}@sms.local"),
            notify: Notify::from_parameter(notify).unwrap(),
            orcpt: None,
        },
        news: News::Ended,
        state: State::Final(state),
        cause: Cause::new(EnhancedStatus::new(class, 0, 0), "The platform said so."),
        at: at(i64::from(ordinal)),
        gateway: None,
        expires_at: at(1000),
        is_escalation: false,
        siblings: Siblings::default(),
        last_attempt_at: None,
    }
}

/// A case of one recipient whose SMS failed, accepted at `at(number)`.
pub(super) fn case(number: i64, report_to: ReportTo) -> Case {
    let submission = SubmissionId::new(at(number));
    Case {
        submission,
        received_at: at(number),
        client: Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "192.0.2.7".parse().unwrap(),
            helo: None,
            account: None,
        },
        report_to,
        original: Original { subject: Some(format!("Alarm {number}")), ..Original::default() },
        outcomes: vec![outcome(submission, 1, "", FinalState::Failed, 5)],
    }
}

pub(super) fn sender(name: &str) -> ReportTo {
    ReportTo::Sender(MailAddress::parse(&format!("{name}@example.com")).unwrap())
}

pub(super) fn cases(count: i64, name: &str) -> Vec<Case> {
    (0..count).map(|number| case(number, sender(name))).collect()
}
