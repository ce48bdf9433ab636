//! What every engine of the spool must do, as tests against the trait. An engine's tests name a
//! function that opens an empty spool: `super::super::behaviour::suite!(open)`.

pub(super) mod accounts;
pub(super) mod again;
pub(super) mod apart;
pub(super) mod bounded;
pub(super) mod budgets;
pub(super) mod callbacks;
pub(super) mod delivery;
pub(super) mod dry_run;
pub(super) mod escalated;
pub(super) mod escalation;
pub(super) mod heard;
pub(super) mod held;
pub(super) mod lanes;
pub(super) mod mail;
pub(super) mod notes;
pub(super) mod notices;
pub(super) mod once;
pub(super) mod order;
pub(super) mod outage;
pub(super) mod pairs;
pub(super) mod passages;
pub(super) mod pieces;
pub(super) mod quiet;
pub(super) mod reports;
pub(super) mod sequences;
pub(super) mod storms;
pub(super) mod tellings;
pub(super) mod waits;
pub(super) mod ways;

use jiff::{SignedDuration, Timestamp};

use super::{Again, Claimed, Event, MessageView, Queue, Room, Spool, Step, Taken};
use crate::model::{
    About, Callback, Cause, Channel, Client, Delivery, Door, Encoding, EnhancedStatus, Fate, FinalState,
    MailAddress, MailId, MailKind, Message, MessageId, Notify, Original, OutgoingMail, PartStatus, Passage,
    PhoneNumber, Recipient, ReportTo, ReversePath, SenderId, Sms, SmsOptions, SmsText, Submission,
    SubmissionId,
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
            dry_run: what_is_real_waits_for_the_next_start
            dry_run: what_is_said_of_the_real_meanwhile_counts
            delivery: each_sms_has_a_number_of_its_own_by_which_it_is_found
            callbacks: a_message_is_delivered_once_every_part_is
            callbacks: one_part_that_fails_fails_the_message
            callbacks: what_comes_before_the_answer_counts_once_that_is_there
            callbacks: a_callback_counts_more_than_any_other_answer
            callbacks: what_is_due_again_or_unknown_is_sent_once_the_platform_speaks
            callbacks: an_answer_older_than_the_callback_is_overruled
            callbacks: what_was_never_tried_is_not_believed
            callbacks: a_callback_names_its_message_by_either_id
            callbacks: what_names_an_id_before_the_answer_tells_it_is_kept
            callbacks: the_first_final_word_about_a_part_stays
            callbacks: a_broken_platform_can_add_only_so_much
            callbacks: a_start_believes_the_callbacks_too
            callbacks: a_case_waits_for_the_handset
            callbacks: an_account_that_prefers_rcs_is_understood
            ways: the_next_way_follows_at_once
            ways: a_way_follows_what_is_claimed_unknown_or_sent_only
            ways: who_comes_back_from_sent_takes_its_place_in_the_order
            ways: what_failed_by_callback_goes_on_by_the_next_way
            ways: an_answer_about_a_way_that_has_ended_says_nothing_of_the_next
            ways: an_earlier_way_that_came_through_ends_it
            ways: an_earlier_way_that_came_through_ends_what_the_next_has_begun
            ways: a_way_that_was_not_tried_has_no_callbacks
            ways: a_retry_may_be_bound_to_its_gateway
            again: failures_of_one_gateway_in_a_row_are_counted
            again: an_order_goes_on_behind_a_gateway_round_and_round
            again: an_order_of_one_and_of_unknown_gateways_leaves_no_choice
            again: the_next_way_has_the_order_of_acceptance
            once: a_key_takes_one_submission_and_tells_the_same_again
            once: of_two_at_once_one_is_taken
            once: a_key_for_another_request_is_told_so
            once: a_key_is_kept_for_a_day_and_cleared_away_after
            tellings: a_program_is_told_of_every_end
            tellings: a_telling_is_tried_until_it_is_told_or_has_failed
            tellings: what_was_not_called_after_all_has_not_been_tried
            tellings: what_a_dead_process_was_telling_is_told_again
            tellings: a_telling_raises_its_signal
            tellings: a_client_of_kannel_is_told_of_what_its_mask_names
            escalation: an_escalation_goes_once_all_others_have_failed
            escalation: an_escalation_is_cancelled_by_a_delivery
            escalation: a_delivery_stops_an_escalation_that_waits_to_be_sent
            escalation: an_escalation_of_what_was_cancelled_is_cancelled
            escalation: an_escalation_goes_by_the_sms_that_goes_in_place_of_its_own
            escalation: what_another_brings_stops_an_escalation_whose_time_has_come
            accounts: parts_are_counted_for_their_account_and_from_their_time_on
            accounts: what_is_not_sent_does_not_count_and_what_failed_later_does
            accounts: what_ends_before_it_was_tried_is_told_once
            order: one_destination_gets_one_at_a_time_in_the_order_of_acceptance
            order: a_retry_an_unknown_and_a_claim_hold_back_what_is_behind_them
            order: the_longest_due_come_first_up_to_the_limit
            order: a_head_that_expires_lets_the_next_pass_in_the_same_call
            order: ten_thousand_for_one_phone_are_no_burden
            lanes: a_more_urgent_lane_overtakes_and_each_keeps_its_order
            lanes: a_storm_in_bulk_holds_nothing_urgent_back
            lanes: each_call_takes_room_of_every_lane
            lanes: the_first_open_gateway_of_an_order_takes_it_once_it_has_room
            lanes: of_several_orders_the_longest_due_goes_first
            lanes: an_order_of_unknown_gateways_goes_by_any
            lanes: the_next_time_counts_what_can_go
            lanes: every_gateway_of_an_order_or_an_attempt_is_named
            lanes: questions_are_for_the_gateway_that_was_given_the_sms
            lanes: a_call_says_its_way_and_whether_another_follows
            lanes: what_is_alike_goes_together_by_the_legacy_door
            lanes: only_what_is_due_and_first_of_its_phone_goes_together
            lanes: a_call_takes_no_more_than_it_may
            held: what_is_held_is_due_at_its_time
            held: what_was_held_takes_its_place_in_the_order_of_acceptance
            held: a_late_claim_releases_in_bounded_steps
            held: quiet_hours_hold_until_they_end
            held: what_outlives_its_time_while_held_expires
            held: an_escalation_is_due_where_nobody_has_the_message
            held: an_escalation_is_cancelled_where_somebody_has_the_message
            held: what_waits_can_be_cancelled_and_nothing_else
            held: what_is_cancelled_lets_the_next_pass_and_is_told_to_nobody
            reports: a_case_waits_for_all_sms_of_its_submission_or_for_its_time
            reports: every_kind_of_ending_owes_what_was_asked_for
            reports: what_was_told_is_not_told_again
            reports: a_case_carries_everything_that_a_report_needs
            reports: the_time_of_the_cases_is_that_of_the_first_untold_outcome
            reports: a_piece_that_arrived_is_news_once_all_of_its_text_has
            reports: a_piece_that_failed_is_news_at_once_and_the_others_know_of_it
            reports: other_recipients_and_other_phones_are_no_pieces
            reports: what_is_late_is_told_once
            reports: a_delay_says_why_as_far_as_that_is_known
            reports: a_delay_of_what_a_dead_process_had_says_so
            reports: what_has_ended_is_late_no_more
            reports: a_delay_is_told_to_who_wants_to_know_and_not_of_what_is_held
            reports: an_expansion_is_news_from_acceptance_on_and_told_once
            reports: the_time_of_the_case_is_right_after_every_kind_of_news
            mail: mail_is_claimed_settled_and_claimed_again
            mail: a_failed_mail_leaves_another_in_its_place
            mail: mail_that_is_not_claimed_cannot_be_settled
            mail: mail_of_a_dead_process_is_due_at_once
            mail: every_move_of_a_mail_is_a_line_of_its_timeline
            mail: a_mail_about_no_submission_is_sent_like_any_other
            mail: reports_of_the_last_hour_are_listed_by_their_time
            waits: what_was_put_off_waits_as_long_as_it_was_to
            waits: a_wait_of_the_longest_stays_and_a_longer_one_does_not
            waits: questions_come_within_their_longest_wait
            waits: nothing_came_into_its_state_after_it_is_asked_about
            waits: what_people_wished_for_stays
            waits: mail_and_tellings_wait_as_long_as_they_were_to
            waits: news_from_a_future_is_news_now
            waits: a_case_that_waits_for_a_piece_goes_on_waiting
            waits: many_waits_are_shortened_in_steps
            waits: a_clock_that_is_ten_years_back_loses_nothing
            storms: the_first_goes_at_once_and_the_rest_by_one_summary
            storms: a_storm_that_goes_on_gives_one_text_a_window
            storms: a_digest_tells_several_at_intervals
            storms: what_finds_no_room_is_told_by_the_next_summary
            storms: nobody_jumps_the_queue_of_an_overflow
            storms: a_summary_without_room_is_told_by_the_overflow
            storms: a_source_counts_each_submission_once
            storms: what_is_exempt_neither_folds_nor_opens_a_window
            pairs: a_recovery_ends_what_waits
            pairs: a_recovery_ends_nothing_that_came_after_it
            pairs: an_overflow_of_nothing_is_no_new_limit_to_the_operator
            pairs: a_recovery_ends_what_a_summary_on_its_way_tells_no_more
            storms: what_is_simulated_never_folds_with_what_is_sent
            storms: what_is_folded_can_be_cancelled_until_it_is_told
            storms: a_summary_within_the_overflow_can_still_lose_what_it_tells
            storms: what_is_folded_ends_as_its_summary_and_is_reported
            storms: many_folded_ones_end_in_portions
            storms: what_is_folded_takes_no_parts_of_its_account
            storms: what_was_held_passes_when_it_is_released
            storms: what_is_folded_is_not_late_and_does_not_expire
            storms: an_escalation_goes_by_the_summary
            storms: a_clock_that_was_put_back_delays_no_summary
            storms: plain_sms_are_not_touched
            outage: an_outage_brings_the_first_and_one_summary
            outage: summaries_that_waited_become_one
            outage: the_summary_of_an_overflow_waits_on_and_gathers
            outage: a_summary_that_waited_is_told_by_the_overflow
            outage: what_is_exempt_goes_after_an_outage_and_counts
            outage: what_goes_within_a_second_is_not_asked_again
            outage: what_ended_before_it_was_tried_takes_no_room
            outage: who_waits_behind_another_lets_it_go_first
            outage: what_was_tried_waits_for_room_and_is_not_folded
            outage: what_waits_for_room_holds_up_nobody_behind_it
            outage: the_pieces_of_a_text_wait_for_the_first_of_them
            outage: a_text_that_goes_by_its_next_way_counts_once
            outage: what_folds_gives_back_what_it_was_charged
            outage: a_summary_that_is_held_again_is_charged_when_it_goes
            outage: lanes_share_the_room_and_not_their_summaries
            outage: what_is_simulated_waits_for_its_own_room
            outage: those_of_one_call_are_asked_each
            outage: a_recovery_ends_what_folded_after_an_outage
            outage: what_is_told_by_nested_overflows_can_be_cancelled
            outage: a_platform_that_is_back_at_night_wakes_nobody
            outage: what_was_tried_waits_for_the_morning_as_it_is
            outage: summaries_that_waited_gather_on_until_the_morning
            outage: a_text_of_several_pieces_goes_or_folds_as_one
            outage: many_that_waited_fold_in_steps
            notes: a_note_is_kept_under_its_key_until_the_next
            notices: nothing_to_tell_is_nothing
            heard: who_is_expected_is_heard_of_with_what_is_accepted
            heard: what_comes_within_the_grain_is_not_written
            heard: a_change_of_who_is_expected_keeps_the_others
            heard: a_clock_that_was_put_back_counts_from_now_on
            heard: notes_are_kept_with_what_is_accepted_or_not_at_all
            budgets: what_finds_no_room_is_held_until_the_period_ends
            budgets: what_finds_no_room_in_the_next_period_either_waits_on
            budgets: what_passes_the_hold_level_goes_up_to_the_ceiling
            budgets: what_a_limit_lets_pass_waits_for_the_budget
            budgets: what_an_earlier_way_cost_says_nothing_of_the_next
            budgets: what_is_held_for_another_reason_is_charged_when_it_goes
            budgets: what_was_never_tried_is_given_back
            pieces: pieces_of_a_text_find_room_together
            pieces: pieces_of_a_text_say_the_same_together
            pieces: pieces_of_a_text_are_charged_together
            pieces: what_was_held_in_pieces_passes_together
            pieces: pieces_that_are_held_on_are_held_on_once
            quiet: what_would_be_due_in_quiet_hours_waits_for_their_end
            quiet: what_a_budget_held_waits_for_the_morning
            quiet: what_passed_before_the_night_is_not_folded_into_what_it_began
            quiet: a_summary_waits_for_the_morning_and_tells_of_the_night
            quiet: a_problem_behind_a_recovery_of_the_same_night_is_told
            quiet: what_may_wake_somebody_waits_for_no_summary_that_may_not
            quiet: an_escalation_waits_for_the_morning_however_it_is_released
            quiet: an_escalation_that_waits_for_the_morning_is_cancelled_by_a_delivery
            quiet: a_recovery_at_night_ends_what_waits_for_the_morning
            quiet: what_the_platform_is_to_hold_counts_by_its_time
            quiet: hours_of_an_unknown_zone_hold_nothing
            budgets: a_summary_that_never_has_room_expires_with_what_it_tells_of
            apart: nobody_waits_for_the_budget_of_others
            apart: what_is_paid_or_sent_otherwise_is_told_by_another_summary
            apart: digests_of_other_intervals_are_other_digests
            escalated: an_escalation_of_what_is_folded_waits_with_its_summary
            escalated: a_summary_that_arrives_in_time_stops_the_escalations
            escalated: a_summary_that_fails_lets_the_escalations_go
            escalated: an_escalation_goes_by_the_first_that_could_have_been_delivered
            escalated: an_escalation_waits_for_summaries_of_summaries
            escalated: an_escalation_of_a_digest_counts_from_it
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
        tell_url: None,
        original: Original::default(),
        messages: phones
            .iter()
            .zip(1..)
            .map(|(n, ordinal)| message(id.message(ordinal), phone(*n)))
            .collect(),
        forwards: Vec::new(),
        remembered: crate::model::Remembered::default(),
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
        delivery: Delivery::until(at(LIFETIME)),
        fate: Fate::Due,
        passage: Passage::default(),
    }
}

pub(super) fn report(about: SubmissionId, now: Timestamp) -> OutgoingMail {
    OutgoingMail {
        id: MailId::new(now),
        about: Some(about),
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

/// The one gateway of most tests.
pub(in crate::spool) const GATEWAY: &str = "platform";

/// The queue of what goes by it.
pub(in crate::spool) fn due_queue() -> Queue {
    Queue::Due { open: vec![GATEWAY.to_owned()], known: vec![GATEWAY.to_owned()] }
}

/// Room for so many calls by [`GATEWAY`], whatever their lane.
pub(in crate::spool) fn room(calls: usize) -> Vec<Room> {
    vec![Room { gateway: GATEWAY.to_owned(), calls: [calls; 3], is_open: true, may_hang: false }]
}

/// Up to `limit` SMS that `claim_due` hands out at `at(now)`.
pub(in crate::spool) async fn claim_up_to(spool: &dyn Spool, now: i64, limit: usize) -> Vec<Claimed> {
    let calls = spool.claim_due(at(now), room(limit)).await.unwrap();
    calls.into_iter().flat_map(|call| call.messages).collect()
}

/// What `claim_due` hands out at `at(now)`.
pub(super) async fn claim(spool: &dyn Spool, now: i64) -> Vec<Claimed> {
    claim_up_to(spool, now, 100).await
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
        platform_id: None,
        ask_at: at(ask),
        note: "the platform has it".to_owned(),
    }
}

pub(super) fn retry(due: i64) -> Step {
    Step::Retry { at: at(due), cause: later(), by: Again::InOrder }
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

/// A callback by the channel SMS, without words and price.
pub(super) fn callback(id: MessageId, part: u32, parts: u32, code: i64) -> Callback {
    Callback {
        about: About::Ours(id),
        channel: Channel::Sms,
        part,
        parts,
        status: PartStatus::of_code(code),
        description: String::new(),
        price: None,
        at: None,
    }
}

/// What `callback` comes to at `at(now)`.
pub(super) async fn take(spool: &dyn Spool, callback: &Callback, now: i64) -> Taken {
    spool.take_callback(callback.clone(), at(now)).await.unwrap()
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
