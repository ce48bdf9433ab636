//! Takes a submission: one row of `submission`, and its SMS and mail.

use rusqlite::{Connection, params};

use super::super::{SpoolError, reports};
use super::error::Damage;
use super::lane::Effects;
use super::{mail, row, timeline};
use crate::model::{Cause, Fate, FinalState, Message, State, Submission};

const INSERT_SUBMISSION: &str = "INSERT INTO submission (id, received_at, pending, case_at, door, listener, \
     client_address, helo, account, report_to, report_address, report_reason, envid, ret, message_id, subject) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

const INSERT_ORIGINAL: &str = "INSERT INTO original (submission, is_full, content) VALUES (?1, ?2, ?3)";

/// An SMS that waits is the head of its destination when there is none.
pub(super) const INSERT_SMS: &str = "INSERT INTO sms (submission, ordinal, state, since, next_at, expires_at, head, \
     report, destination, sender, body, encoding, parts, options, recipient, notify, orcpt_type, orcpt_address, rule, \
     ended_at, cause, cause_status, cause_diagnostic) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
     ?3 = 'due' AND NOT EXISTS (SELECT 1 FROM sms WHERE destination = ?8 AND head = 1), \
     ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

/// Writes `submission` with everything that belongs to it.
pub(super) fn accept(
    connection: &Connection,
    effects: &mut Effects,
    submission: &Submission,
) -> Result<(), SpoolError> {
    let due = submission.messages.iter().filter(|message| message.fate == Fate::Due).count();
    let is_owed = |message: &&Message| beginning(message, submission).is_owed;
    let owed = submission.messages.iter().filter(is_owed).count();
    let received_at = row::millis(submission.received_at);
    let client = &submission.client;
    let original = &submission.original;
    let (report_to, report_address, report_reason) = row::report_columns(&submission.report_to);
    let id = submission.id.to_string();
    connection.prepare_cached(INSERT_SUBMISSION)?.execute(params![
        id,
        received_at,
        row::limit(due),
        (owed > 0).then_some(received_at),
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
    ])?;
    if !original.content.is_empty() || original.is_full {
        connection.prepare_cached(INSERT_ORIGINAL)?.execute(params![
            id,
            original.is_full,
            original.content
        ])?;
    }
    for message in &submission.messages {
        insert_sms(connection, submission, &id, message)?;
    }
    for forward in &submission.forwards {
        mail::insert(connection, effects, forward, submission.received_at)?;
    }
    effects.due |= due > 0;
    effects.cases |= owed > 0;
    Ok(())
}

/// How an SMS begins.
struct Beginning<'a> {
    state: State,
    cause: Option<&'a Cause>,
    is_owed: bool,
}

fn beginning<'a>(message: &'a Message, submission: &Submission) -> Beginning<'a> {
    let ended = |state, cause: &'a Cause| Beginning {
        state: State::Final(state),
        cause: Some(cause),
        is_owed: reports::is_owed(state, cause.status, message.recipient.notify, &submission.report_to),
    };
    match &message.fate {
        Fate::Due => Beginning { state: State::Due, cause: None, is_owed: false },
        Fate::Refused(cause) => ended(FinalState::Failed, cause),
        Fate::Dropped(cause) => ended(FinalState::Cancelled, cause),
    }
}

fn insert_sms(
    connection: &Connection,
    submission: &Submission,
    id: &str,
    message: &Message,
) -> Result<(), SpoolError> {
    let Message { sms, recipient, rule, expires_at, fate: _ } = message;
    let Beginning { state, cause, is_owed } = beginning(message, submission);
    let at = row::millis(submission.received_at);
    // Only a map with keys that are no text could fail, and ours are text.
    let options = serde_json::to_string(&sms.options).map_err(|_| unwritable(message, Damage("options")))?;
    let seq = connection.prepare_cached(INSERT_SMS)?.insert(params![
        id,
        sms.id.ordinal,
        state.as_str(),
        at,
        (state == State::Due).then_some(at),
        row::millis(*expires_at),
        if is_owed { "owed" } else { "none" },
        sms.destination.as_str(),
        sms.sender.as_str(),
        sms.text.body,
        sms.text.encoding.as_str(),
        sms.text.parts,
        options,
        recipient.address,
        recipient.notify.to_parameter(),
        recipient.orcpt.as_ref().map(|orcpt| &orcpt.kind),
        recipient.orcpt.as_ref().map(|orcpt| &orcpt.address),
        rule,
        cause.map(|_| at),
        cause.map(|cause| &cause.text),
        cause.map(|cause| cause.status.to_string()),
        cause.and_then(|cause| cause.diagnostic.as_ref()),
    ])?;
    let note = cause.map_or_else(|| "accepted".to_owned(), row::note);
    timeline::event(connection, seq, submission.received_at, state.as_str(), &note)
}

fn unwritable(message: &Message, damage: Damage) -> SpoolError {
    SpoolError::Unavailable(format!("SMS {} cannot be written: {damage}", message.sms.id))
}
