//! Words and rows: how our types stand in columns, and how they are read back. What cannot be read
//! back is [`Damage`] of that one record.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};

use super::error::Damage;
use crate::model::{
    Cause, Channel, Client, Door, Encoding, EnhancedStatus, HoldReason, MailAddress, MailId, MailKind,
    MessageId, Notify, Orcpt, Original, OutgoingMail, PhoneNumber, Recipient, ReportTo, Ret, ReversePath,
    SenderId, Sms, SmsOptions, SmsText, State, SubmissionId,
};

/// The columns that [`sms`] and [`recipient`] read.
macro_rules! sms_columns {
    () => {
        "sms.seq, sms.submission, sms.ordinal, sms.destination, sms.sender, sms.body, sms.encoding, sms.parts, \
         sms.options, sms.recipient, sms.notify, sms.orcpt_type, sms.orcpt_address"
    };
}
pub(super) use sms_columns;

/// The null reverse path in a column; no mailbox is without `@`.
const NULL_PATH: &str = "<>";

/// Rows that were found, each with its first column, a number.
pub(super) type Found<T> = Vec<(i64, Result<T, Damage>)>;

/// Every row that `sql` finds, read by `read`.
pub(super) fn read_all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: fn(&Row<'_>) -> Result<T, Damage>,
) -> rusqlite::Result<Found<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| Ok((row.get(0)?, read(row))))?;
    rows.collect()
}

/// A column by its name.
pub(super) fn column<T: FromSql>(row: &Row<'_>, name: &'static str) -> Result<T, Damage> {
    row.get(name).map_err(|_| Damage(name))
}

/// A column of text that is one of our types.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, name: &'static str) -> Result<T, Damage> {
    column::<String>(row, name)?.parse().map_err(|_| Damage(name))
}

/// A point in time as it stands in a column: milliseconds since the epoch.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A point in time.
pub(super) fn time(row: &Row<'_>, name: &'static str) -> Result<Timestamp, Damage> {
    from_millis(column(row, name)?, name)
}

/// A point in time that may be missing.
pub(super) fn optional_time(row: &Row<'_>, name: &'static str) -> Result<Option<Timestamp>, Damage> {
    column::<Option<i64>>(row, name)?.map(|millis| from_millis(millis, name)).transpose()
}

/// Reads what [`millis`] wrote; `name` is the column.
fn from_millis(millis: i64, name: &'static str) -> Result<Timestamp, Damage> {
    Timestamp::from_millisecond(millis).map_err(|_| Damage(name))
}

/// A limit as SQL takes it.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The id of a submission.
pub(super) fn submission_id(row: &Row<'_>, name: &'static str) -> Result<SubmissionId, Damage> {
    parsed(row, name)
}

/// The id of a row of `sms`.
pub(super) fn message_id(row: &Row<'_>) -> Result<MessageId, Damage> {
    Ok(submission_id(row, "submission")?.message(column(row, "ordinal")?))
}

/// The state of a row of `sms`.
pub(super) fn state(row: &Row<'_>) -> Result<State, Damage> {
    parsed(row, "state")
}

/// The SMS of a row of `sms`.
pub(super) fn sms(row: &Row<'_>) -> Result<Sms, Damage> {
    let destination: String = column(row, "destination")?;
    let sender: String = column(row, "sender")?;
    Ok(Sms {
        id: message_id(row)?,
        destination: PhoneNumber::from_e164(&destination).map_err(|_| Damage("destination"))?,
        sender: SenderId::new(&sender).map_err(|_| Damage("sender"))?,
        text: SmsText {
            body: column(row, "body")?,
            encoding: word(row, "encoding", [Encoding::Gsm7, Encoding::Ucs2], Encoding::as_str)?,
            parts: column(row, "parts")?,
        },
        options: options(&column::<String>(row, "options")?)?,
    })
}

/// What stands in the column `options`.
pub(super) fn options(written: &str) -> Result<SmsOptions, Damage> {
    serde_json::from_str(written).map_err(|_| Damage("options"))
}

/// The one of `all` whose word stands in the column.
pub(super) fn word<T: Copy, const N: usize>(
    row: &Row<'_>,
    name: &'static str,
    all: [T; N],
    as_str: fn(T) -> &'static str,
) -> Result<T, Damage> {
    let found: String = column(row, name)?;
    all.into_iter().find(|one| as_str(*one) == found).ok_or(Damage(name))
}

/// The recipient of a row of `sms`.
pub(super) fn recipient(row: &Row<'_>) -> Result<Recipient, Damage> {
    let kind: Option<String> = column(row, "orcpt_type")?;
    let address: Option<String> = column(row, "orcpt_address")?;
    Ok(Recipient {
        address: column(row, "recipient")?,
        notify: notify(row)?,
        orcpt: kind.zip(address).map(|(kind, address)| Orcpt { kind, address }),
    })
}

/// Which reports are wanted for a row of `sms`.
pub(super) fn notify(row: &Row<'_>) -> Result<Notify, Damage> {
    Notify::from_parameter(&column::<String>(row, "notify")?).ok_or(Damage("notify"))
}

/// Why a row of `sms` ended.
pub(super) fn cause(row: &Row<'_>) -> Result<Cause, Damage> {
    let status: String = column(row, "cause_status")?;
    Ok(Cause {
        text: column(row, "cause")?,
        status: EnhancedStatus::parse(&status).ok_or(Damage("cause_status"))?,
        diagnostic: column(row, "cause_diagnostic")?,
    })
}

/// A cause as one line of a timeline.
pub(super) fn note(cause: &Cause) -> String {
    match &cause.diagnostic {
        Some(diagnostic) => format!("{} ({diagnostic})", cause.text),
        None => cause.text.clone(),
    }
}

/// Why a row of `sms` is held, where it is.
pub(super) fn hold_reason(row: &Row<'_>) -> Result<Option<HoldReason>, Damage> {
    let reasons = HoldReason::ALL;
    match column::<Option<String>>(row, "hold_reason")? {
        None => Ok(None),
        Some(_) => word(row, "hold_reason", reasons, HoldReason::as_str).map(Some),
    }
}

/// The channel of a row of `attempt` or `callback`.
pub(super) fn channel(row: &Row<'_>) -> Result<Channel, Damage> {
    parsed(row, "channel")
}

/// Who handed in a row of `submission`.
pub(super) fn client(row: &Row<'_>) -> Result<Client, Damage> {
    Ok(Client {
        door: word(row, "door", [Door::Smtp, Door::Http, Door::Relay], Door::as_str)?,
        listener: column(row, "listener")?,
        address: parsed(row, "client_address")?,
        helo: column(row, "helo")?,
        account: column(row, "account")?,
    })
}

/// The columns `report_to`, `report_address` and `report_reason` of a submission.
pub(super) fn report_columns(to: &ReportTo) -> (&'static str, Option<String>, Option<&str>) {
    match to {
        ReportTo::Sender(address) => ("sender", Some(mailbox_column(address)), None),
        ReportTo::Operator(address) => ("operator", Some(mailbox_column(address)), None),
        ReportTo::Nobody(reason) => ("nobody", None, Some(reason)),
    }
}

/// Who is told about a row of `submission`.
pub(super) fn report_to(row: &Row<'_>) -> Result<ReportTo, Damage> {
    let address = || mailbox(row, "report_address");
    match column::<String>(row, "report_to")?.as_str() {
        "sender" => Ok(ReportTo::Sender(address()?)),
        "operator" => Ok(ReportTo::Operator(address()?)),
        "nobody" => Ok(ReportTo::Nobody(column(row, "report_reason")?)),
        _ => Err(Damage("report_to")),
    }
}

/// The word for `RET`.
pub(super) fn ret_column(ret: Ret) -> &'static str {
    match ret {
        Ret::Full => "full",
        Ret::Headers => "headers",
    }
}

/// What is kept of a row of `submission` joined with its `original`, if there is one.
pub(super) fn original(row: &Row<'_>) -> Result<Original, Damage> {
    let ret = match column::<Option<String>>(row, "ret")? {
        None => None,
        Some(_) => Some(word(row, "ret", [Ret::Full, Ret::Headers], ret_column)?),
    };
    Ok(Original {
        envid: column(row, "envid")?,
        ret,
        message_id: column(row, "message_id")?,
        subject: column(row, "subject")?,
        content: column::<Option<Vec<u8>>>(row, "content")?.unwrap_or_default(),
        is_full: column::<Option<bool>>(row, "is_full")?.unwrap_or(false),
    })
}

/// A mailbox as it stands in a column. The local part may have an `@` of its own, the domain not,
/// so that the last one parts them.
pub(super) fn mailbox_column(address: &MailAddress) -> String {
    format!("{}@{}", address.local(), address.domain())
}

pub(super) fn mailbox(row: &Row<'_>, name: &'static str) -> Result<MailAddress, Damage> {
    read_mailbox(&column::<String>(row, name)?).ok_or(Damage(name))
}

fn read_mailbox(text: &str) -> Option<MailAddress> {
    let (local, domain) = text.rsplit_once('@')?;
    MailAddress::new(local, domain).ok()
}

/// The reverse path as it stands in a column.
pub(super) fn reverse_path_column(path: &ReversePath) -> String {
    match path {
        ReversePath::Null => NULL_PATH.to_owned(),
        ReversePath::Path(address) => mailbox_column(address),
    }
}

/// The id of a row of `outgoing_mail`.
pub(super) fn mail_id(row: &Row<'_>) -> Result<MailId, Damage> {
    parsed(row, "id")
}

/// A row of `outgoing_mail`.
pub(super) fn outgoing_mail(row: &Row<'_>) -> Result<OutgoingMail, Damage> {
    let reverse_path = match column::<String>(row, "reverse_path")?.as_str() {
        NULL_PATH => ReversePath::Null,
        other => ReversePath::Path(read_mailbox(other).ok_or(Damage("reverse_path"))?),
    };
    let kinds = [
        MailKind::Report,
        MailKind::OperatorReport,
        MailKind::Postmaster,
        MailKind::Notice,
        MailKind::Returned,
    ];
    Ok(OutgoingMail {
        id: mail_id(row)?,
        about: column::<Option<String>>(row, "about")?
            .map(|id| id.parse().map_err(|_| Damage("about")))
            .transpose()?,
        kind: word(row, "kind", kinds, MailKind::as_str)?,
        reverse_path,
        recipient: mailbox(row, "recipient")?,
        bytes: column(row, "bytes")?,
        expires_at: time(row, "expires_at")?,
    })
}
