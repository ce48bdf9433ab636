//! What every engine of the spool must do, as tests against the trait. An engine's tests name a
//! function that opens an empty spool: `super::super::behaviour::suite!(open)`.

pub(super) mod accounts;
pub(super) mod delivery;
pub(super) mod mail;
pub(super) mod order;
pub(super) mod reports;
pub(super) mod sequences;

use jiff::{SignedDuration, Timestamp};

use super::{Claimed, Event, MessageView, Spool, Step};
use crate::model::{
    Cause, Client, Door, Encoding, EnhancedStatus, Fate, FinalState, MailAddress, MailId, MailKind, Message,
    MessageId, Notify, Original, OutgoingMail, PhoneNumber, Recipient, ReportTo, ReversePath, SenderId, Sms,
    SmsOptions, SmsText, Submission, SubmissionId,
};

/// One test for each behaviour. `$open` makes `(spool, guard)`; the guard keeps what the spool needs.
macro_rules! suite {
    ($open:path) => {
        $crate::spool::behaviour::suite! { $open =>
            delivery: what_was_accepted_is_shown_as_it_was
            delivery: a_claim_records_the_attempt_and_is_made_once
            delivery: each_step_moves_as_the_table_of_states_says
            delivery: a_step_of_another_attempt_is_stale
            delivery: a_retry_is_claimed_again_at_its_time_and_counts
            delivery: questions_come_at_their_time_and_not_again_before_the_next
            delivery: what_a_dead_process_claimed_becomes_unknown
            delivery: what_outlived_its_time_expires_and_is_not_claimed
            delivery: the_next_time_is_that_of_the_first_to_try_or_to_expire
            delivery: the_backlog_counts_each_state
            delivery: signals_are_raised_for_the_queue_that_got_something
            delivery: an_id_is_taken_once
            accounts: parts_are_counted_for_their_account_and_from_their_time_on
            accounts: what_is_not_sent_does_not_count_and_what_failed_later_does
            order: one_destination_gets_one_at_a_time_in_the_order_of_acceptance
            order: a_retry_an_unknown_and_a_claim_hold_back_what_is_behind_them
            order: the_longest_due_come_first_up_to_the_limit
            order: a_head_that_expires_lets_the_next_pass_in_the_same_call
            order: ten_thousand_for_one_phone_are_no_burden
            reports: a_case_waits_for_all_sms_of_its_submission_or_for_its_time
            reports: every_kind_of_ending_owes_what_was_asked_for
            reports: what_was_told_is_not_told_again
            reports: a_case_carries_everything_that_a_report_needs
            reports: the_time_of_the_cases_is_that_of_the_first_untold_outcome
            mail: mail_is_claimed_settled_and_claimed_again
            mail: a_failed_mail_leaves_another_in_its_place
            mail: mail_that_is_not_claimed_cannot_be_settled
            mail: mail_of_a_dead_process_is_due_at_once
        }
    };
    ($open:path => $($area:ident: $name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            let (spool, _guard) = $open();
            $crate::spool::behaviour::$area::$name(&spool).await;
        }
    )*};
}
pub(in crate::spool) use suite;

/// `seconds` after a fixed point in time.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// When SMS of these tests expire, unless said otherwise: `at(LIFETIME)`.
pub(super) const LIFETIME: i64 = 10_000;

pub(super) fn phone(n: u32) -> PhoneNumber {
    PhoneNumber::from_e164(&format!("+3934700{n:05}")).unwrap()
}

pub(super) fn operator() -> MailAddress {
    MailAddress::parse("ops@example.com").unwrap()
}

pub(super) fn failure() -> Cause {
    Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, "the platform refused it").with_diagnostic("http 422")
}

pub(super) fn success() -> Cause {
    Cause::new(EnhancedStatus::SUCCESS, "the handset has it")
}

pub(super) fn later() -> Cause {
    Cause::new(EnhancedStatus::new(4, 4, 1), "the platform did not answer")
}

/// A submission from 10.0.0.7 by SMTP, accepted at `at(received)`, one due SMS for each phone.
pub(super) fn submission(received: i64, phones: &[u32]) -> Submission {
    let id = SubmissionId::new(at(received));
    Submission {
        id,
        received_at: at(received),
        client: Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: Some("ups.example".to_owned()),
            account: None,
        },
        report_to: ReportTo::Sender(operator()),
        original: Original::default(),
        messages: phones
            .iter()
            .zip(1..)
            .map(|(n, ordinal)| message(id.message(ordinal), phone(*n)))
            .collect(),
        forwards: Vec::new(),
    }
}

pub(super) fn message(id: MessageId, destination: PhoneNumber) -> Message {
    Message {
        recipient: Recipient {
            address: format!("{destination}@sms.local"),
            notify: Notify::Unspecified,
            orcpt: None,
        },
        sms: Sms {
            id,
            destination,
            sender: SenderId::new("Alarm").unwrap(),
            text: SmsText { body: "Battery low".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions::default(),
        },
        rule: "default".to_owned(),
        expires_at: at(LIFETIME),
        fate: Fate::Due,
    }
}

pub(super) fn report(about: SubmissionId, now: Timestamp) -> OutgoingMail {
    OutgoingMail {
        id: MailId::new(now),
        about,
        kind: MailKind::Report,
        reverse_path: ReversePath::Null,
        recipient: operator(),
        bytes: b"Subject: not sent\r\n\r\nSorry.\r\n".to_vec(),
        expires_at: at(LIFETIME),
    }
}

/// Accepts one SMS to `phone` at `at(received)`.
pub(super) async fn accept_one(spool: &dyn Spool, received: i64, phone: u32) -> MessageId {
    let submission = submission(received, &[phone]);
    let id = submission.id.message(1);
    spool.accept(submission).await.unwrap();
    id
}

/// What `claim_due` hands out at `at(now)`.
pub(super) async fn claim(spool: &dyn Spool, now: i64) -> Vec<Claimed> {
    spool.claim_due(at(now), 100).await.unwrap()
}

/// The ids of what [`claim`] hands out.
pub(super) async fn claim_ids(spool: &dyn Spool, now: i64) -> Vec<MessageId> {
    claim(spool, now).await.into_iter().map(|claimed| claimed.sms.id).collect()
}

/// Settles attempt 1 at `at(now)`.
pub(super) async fn settle(spool: &dyn Spool, id: MessageId, step: Step, now: i64) {
    spool.settle(id, 1, step, at(now)).await.unwrap();
}

pub(super) fn sent(ask: i64) -> Step {
    Step::Sent {
        parts: Some(1),
        unicode: Some(false),
        ask_at: at(ask),
        note: "the platform has it".to_owned(),
    }
}

pub(super) fn retry(due: i64) -> Step {
    Step::Retry { at: at(due), cause: later() }
}

pub(super) fn unknown(ask: i64) -> Step {
    Step::Unknown { ask_at: at(ask), cause: later() }
}

pub(super) fn refused() -> Step {
    Step::Final { state: FinalState::Failed, cause: failure() }
}

pub(super) fn delivered() -> Step {
    Step::Final { state: FinalState::Delivered, cause: success() }
}

/// The view of one SMS.
pub(super) async fn look(spool: &dyn Spool, id: MessageId) -> MessageView {
    let view = spool.submission(id.submission).await.unwrap().unwrap();
    view.messages.into_iter().find(|message| message.sms.id == id).unwrap()
}

/// The timeline of one SMS as `seconds state: note`.
pub(super) async fn timeline(spool: &dyn Spool, id: MessageId) -> Vec<String> {
    let line = |event: Event| {
        let seconds = event.at.duration_since(at(0)).as_secs();
        format!("{seconds} {}: {}", event.state, event.note)
    };
    look(spool, id).await.events.into_iter().map(line).collect()
}
