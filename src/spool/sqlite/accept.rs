//! Takes a submission: one row of `submission`, and its SMS and mail.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::super::{SpoolError, reports};
use super::error::Damage;
use super::expand::{self, Expanded};
use super::fold::Place;
use super::lane::Effects;
use super::passage::{self, Candidate, Steps, Verdict};
use super::{heard, mail, orders, pairing, pieces, route, row, tellings, timeline};
use crate::model::{
    Cause, Fate, FinalState, HoldReason, Legacy, Message, MessageId, Notify, Passage, Pieces, State,
    Submission, Way,
};

const INSERT_SUBMISSION: &str = "INSERT INTO submission (id, received_at, pending, case_at, door, listener, \
     client_address, helo, account, report_to, report_address, report_reason, envid, ret, message_id, subject, \
     tell_url, tell_account, tell_mask) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

const INSERT_ORIGINAL: &str = "INSERT INTO original (submission, is_full, content) VALUES (?1, ?2, ?3)";

/// An SMS that is due is the head of its destination and lane when there is none.
pub(super) const INSERT_SMS: &str = "INSERT INTO sms (submission, ordinal, state, since, next_at, expires_at, head, \
     report, destination, sender, body, encoding, parts, options, recipient, notify, orcpt_type, orcpt_address, rule, \
     ended_at, cause, cause_status, cause_diagnostic, lane, gateway_order, ways, silence_ms, batch, on_unknown, \
     hold_reason, escalation, delayed_at, expand_report, same_as, passage, pair_key, fold, \
     passed_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
     ?3 = 'due' AND NOT EXISTS (SELECT 1 FROM sms WHERE destination = ?8 AND lane = ?23 AND head = 1), \
     ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, \
     ?30, ?31, ?32, ?33, ?34, ?35, ?36, CASE WHEN ?3 = 'due' THEN ?37 END)";

/// Writes `submission` with everything that belongs to it, and returns the rows of its SMS, in order.
pub(super) fn accept(
    connection: &Connection,
    effects: &mut Effects,
    submission: &Submission,
) -> Result<Vec<i64>, SpoolError> {
    let beginnings: Vec<_> = submission.messages.iter().map(|one| beginning(one, submission)).collect();
    let pending = beginnings.iter().filter(|beginning| beginning.cause.is_none()).count();
    let expanded = expand::expanded(submission);
    let has_news = !expanded.is_empty() || beginnings.iter().any(|beginning| beginning.is_owed);
    let received_at = row::millis(submission.received_at);
    let client = &submission.client;
    let original = &submission.original;
    let (report_to, report_address, report_reason) = row::report_columns(&submission.report_to);
    let id = submission.id.to_string();
    connection.prepare_cached(INSERT_SUBMISSION)?.execute(params![
        id,
        received_at,
        row::limit(pending),
        has_news.then_some(received_at),
        client.door.as_str(),
        client.listener,
        client.address.to_string(),
        client.helo,
        client.account,
        report_to,
        report_address,
        report_reason,
        original.envid,
        original.ret.map(row::ret_column),
        original.message_id,
        original.subject,
        submission.tell_url.as_ref().map(|to| &to.url),
        submission.tell_url.as_ref().map(|to| &to.account),
        submission.tell_url.as_ref().and_then(|to| tellings::mask_column(to.style)),
    ])?;
    if !original.content.is_empty() || original.is_full {
        connection.prepare_cached(INSERT_ORIGINAL)?.execute(params![
            id,
            original.is_full,
            original.content
        ])?;
    }
    let mut shared = Shared { submission, id, expanded, orders: HashMap::new(), batches: HashMap::new() };
    let mut numbers = Vec::with_capacity(submission.messages.len());
    // A program is told of what ended at once, too.
    let mut whole = None;
    for (message, beginning) in submission.messages.iter().zip(&beginnings) {
        let passed = pass(connection, effects, message, submission, &mut whole)?;
        let beginning = passed.as_ref().unwrap_or(beginning);
        let seq = insert_sms(connection, &mut shared, message, beginning)?;
        numbers.push(seq);
        if let (Some(to), State::Final(end), Some(cause)) =
            (&submission.tell_url, beginning.state, &beginning.cause)
            && to.style.wants(end, cause)
        {
            tellings::insert(connection, effects, seq, submission.received_at)?;
        }
    }
    for forward in &submission.forwards {
        mail::insert(connection, effects, forward, submission.received_at)?;
    }
    heard::remember(connection, effects, &submission.remembered, submission.received_at)?;
    // What is held counts: its release is something to wait for.
    effects.due |= pending > 0;
    effects.cases |= has_news;
    Ok(numbers)
}

/// How an SMS begins.
struct Beginning<'a> {
    state: State,
    next_at: Option<Timestamp>,
    hold_reason: Option<HoldReason>,
    /// Where it ends at once.
    cause: Option<Cow<'a, Cause>>,
    is_owed: bool,
    /// Where it was folded.
    place: Option<Place>,
    /// How much later than it was meant to be its lifetime begins.
    shift: SignedDuration,
}

impl Beginning<'_> {
    fn waits(state: State, next_at: Option<Timestamp>, hold_reason: Option<HoldReason>) -> Self {
        let shift = SignedDuration::ZERO;
        Self { state, next_at, hold_reason, cause: None, is_owed: false, place: None, shift }
    }
}

fn beginning<'a>(message: &'a Message, submission: &Submission) -> Beginning<'a> {
    let ended = |state| {
        let cause = message.fate.cause();
        let is_owed = cause.as_ref().is_some_and(|cause| {
            reports::is_owed(state, cause.status, message.recipient.notify, &submission.report_to)
        });
        Beginning { cause, is_owed, ..Beginning::waits(State::Final(state), None, None) }
    };
    match &message.fate {
        Fate::Due => Beginning::waits(State::Due, Some(submission.received_at), None),
        Fate::Held { until, reason } => Beginning::waits(State::Held, Some(*until), Some(*reason)),
        Fate::Refused(_) => ended(FinalState::Failed),
        Fate::Dropped(_) | Fate::SameAs(_) => ended(FinalState::Cancelled),
    }
}

/// Lets an SMS that would be due pass what it has to; how it begins where that is not as it would. `whole` is what came
/// of the text that it is a piece of, once its first piece has passed.
fn pass(
    connection: &Connection,
    effects: &mut Effects,
    message: &Message,
    submission: &Submission,
    whole: &mut Option<(Pieces, Verdict)>,
) -> Result<Option<Beginning<'static>>, SpoolError> {
    if message.passage.is_empty() {
        return Ok(None);
    }
    let now = submission.received_at;
    let Message { sms, rule, delivery, passage, .. } = message;
    let candidate = Candidate {
        sms,
        passage,
        rule,
        lane: delivery.lane,
        gateways: &delivery.gateways,
        on_unknown: delivery.on_unknown,
        received_at: now,
        lifetime: Duration::try_from(delivery.expires_at.duration_since(now)).unwrap_or_default(),
        account: submission.client.account.as_deref(),
        count: 1,
        together: None,
    };
    match message.fate {
        Fate::Due => {}
        // What somebody sleeps over may be over in the morning.
        Fate::Held { until: _, reason: HoldReason::Quiet } => {
            pairing::end_problems(connection, effects, &candidate, now)?;
            return Ok(None);
        }
        Fate::Held { .. } | Fate::Refused(_) | Fate::Dropped(_) | Fate::SameAs(_) => return Ok(None),
    }
    let verdict = match (passage.pieces, whole.take()) {
        (Some(pieces), Some((of, verdict))) if pieces == of => verdict,
        (Some(pieces), _) => {
            let all = || {
                submission.messages.iter().map(|one| &one.passage).filter(|one| one.pieces == Some(pieces))
            };
            let together = pieces::together(all());
            let count = u32::try_from(all().count()).unwrap_or(u32::MAX);
            let candidate = Candidate { count, together: Some(&together), ..candidate };
            passage::pass(connection, effects, &candidate, Steps::All, now)?
        }
        (None, _) => passage::pass(connection, effects, &candidate, Steps::All, now)?,
    };
    *whole = passage.pieces.map(|pieces| (pieces, verdict.clone()));
    Ok(match verdict {
        Verdict::Due => None,
        Verdict::Held(reason, until) => {
            // Quiet hours take nothing of its lifetime.
            let shift =
                if reason == HoldReason::Quiet { until.duration_since(now) } else { SignedDuration::ZERO };
            Some(Beginning { shift, ..Beginning::waits(State::Held, Some(until), Some(reason)) })
        }
        Verdict::Folded(place) => {
            effects.unused.extend(candidate.unused(now));
            Some(Beginning { place: Some(place), ..Beginning::waits(State::Folded, None, None) })
        }
    })
}

/// What the SMS of a submission have in common.
struct Shared<'a> {
    submission: &'a Submission,
    id: String,
    expanded: Expanded<'a>,
    /// Orders of gateways by what they name.
    orders: HashMap<&'a [String], i64>,
    batches: HashMap<Batch<'a>, usize>,
}

/// SMS for which this is the same may go in one call of the legacy door, while they have lane and gateways in
/// common.
#[derive(PartialEq, Eq, Hash)]
struct Batch<'a> {
    legacy: (bool, bool),
    place: usize,
    rule: &'a str,
    sender: &'a str,
    body: &'a str,
    options: String,
}

impl<'a> Shared<'a> {
    fn order(&mut self, connection: &Connection, message: &'a Message) -> Result<i64, SpoolError> {
        let names = message.delivery.gateways.as_slice();
        if let Some(id) = self.orders.get(names) {
            return Ok(*id);
        }
        let id = orders::intern_order(connection, names)?;
        self.orders.insert(names, id);
        Ok(id)
    }

    /// The number that an SMS shares with those that may go with it, from 1; `None` where none may.
    fn batch(&mut self, message: &'a Message, options: &str) -> Option<usize> {
        let by_legacy = |(place, way): (usize, &Way)| match way {
            Way::Legacy(Legacy { unicode, concatenated }) => Some((place, (*unicode, *concatenated))),
            Way::Sms | Way::Template(_) => None,
        };
        let (place, legacy) = message.delivery.ways.as_slice().iter().enumerate().find_map(by_legacy)?;
        let batch = Batch {
            legacy,
            place,
            rule: &message.rule,
            sender: message.sms.sender.as_str(),
            body: &message.sms.text.body,
            options: options.to_owned(),
        };
        let next = self.batches.len() + 1;
        Some(*self.batches.entry(batch).or_insert(next))
    }

    /// When somebody is to be told that it is late.
    fn delayed_at(&self, message: &Message, beginning: &Beginning<'_>) -> Option<Timestamp> {
        let is_wanted = match message.recipient.notify {
            Notify::Unspecified => true,
            Notify::Never => false,
            Notify::On { delay, .. } => delay,
        };
        let may_be_late = beginning.cause.is_none() && beginning.place.is_none() && is_wanted;
        message
            .delivery
            .delayed_at
            .filter(|_| may_be_late && expand::has_somebody(&self.submission.report_to))
            .map(|late_at| late_at.saturating_add(beginning.shift).unwrap_or(Timestamp::MAX))
    }
}

/// Writes one SMS and returns its row.
fn insert_sms<'a>(
    connection: &Connection,
    shared: &mut Shared<'a>,
    message: &'a Message,
    beginning: &Beginning<'_>,
) -> Result<i64, SpoolError> {
    let Message { sms, recipient, rule, delivery, fate, passage } = message;
    let Beginning { state, next_at, hold_reason, cause, is_owed, place, shift } = beginning;
    let at = row::millis(shared.submission.received_at);
    // Only a map with keys that are no text could fail, and ours are text.
    let options = serde_json::to_string(&sms.options).map_err(|_| unwritable(message, Damage("options")))?;
    let ways = route::ways_column(&delivery.ways).map_err(|damage| unwritable(message, damage))?;
    let expires_at = delivery.expires_at.saturating_add(*shift).unwrap_or(Timestamp::MAX);
    let order = shared.order(connection, message)?;
    let batch = shared.batch(message, &options);
    let seq = connection.prepare_cached(INSERT_SMS)?.insert(params![
        shared.id,
        sms.id.ordinal,
        state.as_str(),
        at,
        next_at.map(row::millis),
        row::millis(expires_at),
        report_column(*is_owed),
        sms.destination.as_str(),
        sms.sender.as_str(),
        sms.text.body,
        sms.text.encoding.as_str(),
        sms.text.parts,
        options,
        recipient.address,
        shared.expanded.notify(message).to_parameter(),
        recipient.orcpt.as_ref().map(|orcpt| &orcpt.kind),
        recipient.orcpt.as_ref().map(|orcpt| &orcpt.address),
        rule,
        cause.as_ref().map(|_| at),
        cause.as_ref().map(|cause| &cause.text),
        cause.as_ref().map(|cause| cause.status.to_string()),
        cause.as_ref().and_then(|cause| cause.diagnostic.as_ref()),
        route::lane_column(delivery.lane),
        order,
        ways,
        route::silence_column(&delivery.ways),
        batch.map(row::limit),
        delivery.on_unknown.as_str(),
        hold_reason.map(HoldReason::as_str),
        *hold_reason == Some(HoldReason::Escalation),
        shared.delayed_at(message, beginning).map(row::millis),
        report_column(shared.expanded.is_told_with(message)),
        same_as(fate).map(|other| other.ordinal),
        passage_column(passage).map_err(|damage| unwritable(message, damage))?,
        passage.pairing.own.as_ref().map(|own| passage::scoped(sms.options.simulation, own)),
        place.as_ref().map(|place| place.fold),
        passage.is_asked_again().then_some(at),
    ])?;
    let note = match (cause, place, hold_reason, next_at) {
        (Some(cause), ..) => row::note(cause),
        (None, Some(place), ..) => place.note.clone(),
        (None, None, Some(reason), Some(until)) => format!("held until {until}: {}", reason.as_str()),
        (None, None, _, _) => "accepted".to_owned(),
    };
    timeline::event(connection, seq, shared.submission.received_at, state.as_str(), &note)?;
    Ok(seq)
}

/// The SMS by which the recipient gets the words.
fn same_as(fate: &Fate) -> Option<MessageId> {
    match fate {
        Fate::SameAs(other) => Some(*other),
        Fate::Due | Fate::Held { .. } | Fate::Refused(_) | Fate::Dropped(_) => None,
    }
}

/// `NULL` for one that lets everything pass.
pub(super) fn passage_column(passage: &Passage) -> Result<Option<String>, Damage> {
    let written = (!passage.is_empty()).then(|| serde_json::to_string(passage));
    written.transpose().map_err(|_| Damage("passage"))
}

fn report_column(is_owed: bool) -> &'static str {
    if is_owed { "owed" } else { "none" }
}

fn unwritable(message: &Message, damage: Damage) -> SpoolError {
    SpoolError::Unavailable(format!("SMS {} cannot be written: {damage}", message.sms.id))
}
