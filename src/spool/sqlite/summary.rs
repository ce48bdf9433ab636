//! Summaries: SMS of the relay itself, which tell of those that were folded. Their words are made when they go.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};

use super::super::SpoolError;
use super::accept;
use super::fold::{self, Gathered, Kind, Load};
use super::lane::Effects;
use super::moves::{self, End, Standing};
use super::passage::{self, Candidate, Waiting};
use super::{budget, limits, queue, quiet, row, timeline};
use crate::budget::never_has_room;
use crate::model::{
    Charge, Client, Delivery, Door, Fate, FinalState, HoldReason, Limit, LimitScope, Message, MessageId,
    Notify, Original, Passage, Reason, Recipient, Remembered, ReportTo, Sms, SmsOptions, SmsText, State,
    Submission, SubmissionId, SummaryForm, Unit, Ways,
};
use crate::retry::later;
use crate::storm::summary::{Told, of_many, of_similar};
use crate::text::{Fitting, Transliteration, fit, measure};

/// Where its submission says that it came in.
const LISTENER: &str = "storm";

const WRITE: &str =
    "UPDATE sms SET body = ?2, encoding = ?3, parts = ?4, passage = ?5, expires_at = ?6 WHERE seq = ?1";

const PUT_OFF: &str =
    "UPDATE sms SET next_at = ?2, since = ?3, expires_at = ?4 WHERE seq = ?1 AND state = 'held'";

const GATHER_ON: &str =
    "UPDATE sms SET hold_reason = 'summary', expires_at = ?2 WHERE seq = ?1 AND state = 'held'";

/// Makes the summary that tells of what is folded like `first`, which goes at `until`. Returns its row and its id.
pub(super) fn make(
    connection: &Connection,
    effects: &mut Effects,
    first: &Candidate<'_>,
    limits: Vec<Limit>,
    until: Timestamp,
    now: Timestamp,
) -> Result<(i64, MessageId), SpoolError> {
    let is_counted = limits.iter().any(|limit| limit.scope == LimitScope::Source);
    let submission = SubmissionId::new(now);
    let id = submission.message(1);
    let Sms { destination, sender, text, options, .. } = first.sms;
    let options = SmsOptions {
        campaign_id: options.campaign_id.clone(),
        simulation: options.simulation,
        enable_notification: options.enable_notification,
        skip_rcs_override: options.skip_rcs_override,
        ..SmsOptions::default()
    };
    let message = Message {
        sms: Sms {
            id,
            destination: destination.clone(),
            sender: sender.clone(),
            text: text.clone(),
            options,
        },
        recipient: Recipient { address: destination.to_string(), notify: Notify::Never, orcpt: None },
        rule: first.rule.to_owned(),
        delivery: Delivery {
            lane: first.lane,
            gateways: first.gateways.to_vec(),
            ways: Ways::default(),
            on_unknown: first.on_unknown,
            expires_at: later(until, first.lifetime),
            delayed_at: None,
        },
        fate: Fate::Held { until, reason: HoldReason::Summary },
        passage: Passage {
            quiet: first.passage.quiet.clone(),
            limits,
            budgets: first.passage.budgets.clone(),
            counts_as: is_counted.then(|| first.counts_as()),
            ..Passage::default()
        },
    };
    let client = Client {
        door: Door::Relay,
        listener: LISTENER.to_owned(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        helo: None,
        account: None,
    };
    let submission = Submission {
        id: submission,
        received_at: now,
        client,
        report_to: ReportTo::Nobody("those folded into it are told".to_owned()),
        tell_url: None,
        original: Original::default(),
        messages: vec![message],
        forwards: Vec::new(),
        remembered: Remembered::default(),
    };
    let rows = accept::accept(connection, effects, &submission)?;
    let seq = rows.first().ok_or_else(|| SpoolError::Unavailable(format!("summary {id} has no row")))?;
    Ok((*seq, id))
}

/// Lets a summary go: its window is over. Where there is no room for it, it waits on, or is told by the overflow.
pub(super) fn release(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let held = moves::standing_or_aside(connection, effects, seq)?.filter(|from| from.state == State::Held);
    let Some(mut from) = held else { return Ok(()) };
    let Some(waiting) = passage::waiting_or_aside(connection, effects, seq)? else { return Ok(()) };
    let gathered = match fold::of_summary(connection, seq)? {
        Some(Ok(gathered)) => gathered,
        Some(Err(damage)) => return queue::set_aside(connection, effects, seq, damage),
        None => {
            let note = "its time has come";
            return moves::step_to(connection, effects, &mut from, State::Due, Some(now), Some(note), now);
        }
    };
    if let Some(until) = quiet::summary_asleep_until(&waiting.candidate(), now) {
        return put_off(connection, seq, &gathered, until, "quiet hours", now);
    }
    let load = fold::load(connection, &gathered)?;
    let waiting = written(connection, seq, waiting, &gathered, &load, now)?;
    let candidate = waiting.candidate();
    let limits: Vec<&Limit> = waiting.passage.limits.iter().collect();
    if gathered.kind == Kind::Overflow {
        if let Some(until) = limits::free_at(connection, &candidate, &limits, now)? {
            return put_off(connection, seq, &gathered, until, "no room", now);
        }
    } else if let Some(place) = passage::overflow(connection, effects, &candidate, &limits, &load, now)? {
        fold::lay_down(connection, effects, &mut from, &place, now)?;
        return go_on(connection, &gathered, now);
    }
    if let Some(until) = candidate.charge(connection, effects, now)? {
        // Nor will there be room in the next period: whoever is folded into it would wait for ever.
        if waiting.passage.budgets.iter().any(never_has_room) {
            let cause = Reason::Expired.told("it is larger than its budget");
            let end = End { state: FinalState::Expired, cause: &cause, now };
            return moves::finish(connection, effects, &mut from, &end);
        }
        return put_off(connection, seq, &gathered, until, "a budget is spent", now);
    }
    limits::charge(connection, &candidate, &limits, now)?;
    let note = format!("its time has come: {} of {}", gathered.kind.as_str(), gathered.count);
    moves::step_to(connection, effects, &mut from, State::Due, Some(now), Some(&note), now)?;
    if waiting.passage.is_asked_again() {
        limits::mark(connection, seq, now)?;
    }
    go_on(connection, &gathered, now)
}

/// The fold takes no more, and the next one begins: a window for what says the same, and for an overflow the time
/// within which the operator is not told again.
fn go_on(connection: &Connection, of: &Gathered, now: Timestamp) -> Result<(), SpoolError> {
    fold::set_state(connection, of.seq, "sent")?;
    match of.kind {
        Kind::Similar | Kind::Overflow => {
            fold::begin(connection, of.kind, &of.key, of.window, &of.words, now, now)?;
        }
        Kind::Digest => {}
    }
    Ok(())
}

/// A summary waits on, and others go on to fold into it.
fn put_off(
    connection: &Connection,
    seq: i64,
    of: &Gathered,
    until: Timestamp,
    why: &str,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let expires_at = row::millis(later(until, of.lifetime));
    connection.prepare_cached(PUT_OFF)?.execute(params![
        seq,
        row::millis(until),
        row::millis(now),
        expires_at
    ])?;
    timeline::event(connection, seq, now, State::Held.as_str(), &format!("held until {until}: {why}"))
}

/// A summary that was let go has waited for the platform, and may not go now: it waits on, and others go on to fold into
/// it.
pub(super) fn hold_again(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    of: &Gathered,
    (until, why): (Timestamp, &str),
    now: Timestamp,
) -> Result<(), SpoolError> {
    // It is charged anew when it goes, for the words that it has then.
    budget::give_back(connection, from.seq, now)?;
    let note = format!("held until {until}: {why}");
    moves::step_to(connection, effects, from, State::Held, Some(until), Some(&note), now)?;
    let expires_at = row::millis(later(until, of.lifetime));
    connection.prepare_cached(GATHER_ON)?.execute(params![from.seq, expires_at])?;
    fold::reopen(connection, of, now)
}

/// Gives a summary its words, and what these take; its lifetime begins.
fn written(
    connection: &Connection,
    seq: i64,
    waiting: Waiting,
    of: &Gathered,
    load: &Load,
    now: Timestamp,
) -> Result<Waiting, SpoolError> {
    let Waiting { mut sms, mut passage, .. } = waiting;
    let before = sms.text.parts.max(1);
    if let Some(text) = words(of, load) {
        sms.text = text;
    }
    for charge in &mut passage.budgets {
        *charge = scaled(charge, before, sms.text.parts);
    }
    passage.summary = SummaryForm { parts: of.most_parts, zone: of.zone.clone() };
    let column = accept::passage_column(&passage).map_err(|damage| {
        SpoolError::Unavailable(format!("summary {} cannot be written: {damage}", sms.id))
    })?;
    let expires_at = later(now, of.lifetime);
    connection.prepare_cached(WRITE)?.execute(params![
        seq,
        sms.text.body,
        sms.text.encoding.as_str(),
        sms.text.parts,
        column,
        row::millis(expires_at),
    ])?;
    Ok(Waiting { sms, passage, until: Some(now), expires_at, ..waiting })
}

/// What it takes of a budget with so many parts in place of `before`.
fn scaled(charge: &Charge, before: u32, parts: u32) -> Charge {
    let amount = match charge.unit {
        Unit::Parts => u64::from(parts),
        Unit::Money => charge.amount.saturating_mul(u64::from(parts)).div_ceil(u64::from(before)),
    };
    Charge { amount, ..charge.clone() }
}

/// What a summary says; `None` where that would be nothing that a phone can show.
fn words(of: &Gathered, load: &Load) -> Option<SmsText> {
    let named = of.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
    let zone = named.unwrap_or_else(TimeZone::system);
    let (from, to) = (load.first_at.to_zoned(zone.clone()), load.last_at.to_zoned(zone));
    let most = of.most_parts.max(1);
    let fits = |words: &str| measure(words).parts <= most;
    let count = u64::try_from(load.count).unwrap_or(0);
    let words = match of.kind {
        Kind::Similar => of_similar(&of.words, count, &from, &to, fits),
        Kind::Digest | Kind::Overflow => {
            let told: Vec<Told<'_>> = load
                .shares
                .iter()
                .map(|share| Told { words: &share.words, count: u64::try_from(share.count).unwrap_or(0) })
                .collect();
            of_many(&told, count, &from, &to, fits)
        }
    };
    let fitting = Fitting { transliteration: Transliteration::Off, ..Fitting::in_parts(most) };
    fit(&words, &fitting).into_iter().next()
}
