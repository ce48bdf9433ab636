//! Reads the platform's delivery notifications, whichever of their shapes they come in.
//!
//! | field | read as |
//! |---|---|
//! | `messageId`, `customerMessageId` | the message: ours where one of them is an id of ours, otherwise theirs |
//! | `channel` | SMS where it is missing |
//! | `eventType` | anything but DELIVERY is no callback; DELIVERY where it is missing |
//! | `statusCode` | a whole number, or a text with one |
//! | `numPart`, `totalParts` | the same, 1 to 255; 1 where they are missing |
//! | `price` | a number, or a text with one; none where it is missing or no price |
//! | `description`, `statusDescription` | words, on one line and without phone numbers |
//! | `eventDate`, `timestamp` | a time with its zone (ISO 8601); none where it cannot be read |
//!
//! Several may come in one array; one that cannot be read takes nothing from the others. Null counts as missing,
//! and fields that are not named here are ignored, `destination` among them: the id says it all.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::words;
use crate::model::{About, Callback, Channel, MessageId, PartStatus, Price};

/// Most notifications of one array.
pub const MOST_AT_ONCE: usize = 1000;
/// Most parts of a message: the field in a part's header has eight bits (3GPP TS 23.040 clause 9.2.3.24.1).
const MOST_PARTS: u32 = 255;
/// Longest id of the platform's, in characters.
const MAX_ID: usize = 255;
/// Characters of a wrong value that an error shows.
const SHOWN: usize = 40;

/// What one request of the platform's brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// In the order in which they came.
    pub callbacks: Vec<Callback>,
    /// Notifications about something other than a delivery.
    pub ignored: usize,
    /// Why others could not be read.
    pub wrong: Vec<NotificationError>,
}

/// Why a notification can't be read. It shows no phone number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// The body is not JSON.
    #[error("the body is not JSON (line {line} column {column})")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1; 0 where the body ends too early.
        column: usize,
    },
    /// It is neither an object nor an array.
    #[error("a notification is a JSON object, or several in an array, and not {0}")]
    NotAnObject(&'static str),
    /// The array is too long.
    #[error("{0} notifications came at once; at most 1000 may")]
    TooMany(usize),
    /// A field that has to be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field has a value that it can't have.
    #[error("`{field}` is {value}, which is not {expected}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// Its value as JSON, shortened.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

/// Reads the body of a callback.
///
/// # Errors
/// A [`NotificationError`] when there is nothing in it that could be read.
pub fn read(body: &[u8]) -> Result<Notifications, NotificationError> {
    let text = String::from_utf8_lossy(body);
    let read: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| NotificationError::NotJson { line: error.line(), column: error.column() })?;
    let entries = match read {
        Value::Array(entries) if entries.len() > MOST_AT_ONCE => {
            return Err(NotificationError::TooMany(entries.len()));
        }
        Value::Array(entries) => entries,
        one @ (Value::Object(_) | Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null) => {
            vec![one]
        }
    };
    let mut found = Notifications::default();
    for entry in &entries {
        match read_one(entry) {
            Ok(Some(callback)) => found.callbacks.push(callback),
            Ok(None) => found.ignored += 1,
            Err(error) => found.wrong.push(error),
        }
    }
    match found.wrong.first() {
        Some(error) if found.callbacks.is_empty() && found.ignored == 0 => Err(error.clone()),
        Some(_) | None => Ok(found),
    }
}

/// `None` for a notification about something else.
fn read_one(entry: &Value) -> Result<Option<Callback>, NotificationError> {
    let fields = match entry {
        Value::Object(fields) => Fields(fields),
        Value::Null => return Err(NotificationError::NotAnObject("null")),
        Value::Bool(_) => return Err(NotificationError::NotAnObject("a boolean")),
        Value::Number(_) => return Err(NotificationError::NotAnObject("a number")),
        Value::String(_) => return Err(NotificationError::NotAnObject("a string")),
        Value::Array(_) => return Err(NotificationError::NotAnObject("an array in an array")),
    };
    let is_delivery = |kind: &Value| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("DELIVERY"));
    if fields.get("eventType").is_some_and(|kind| !is_delivery(kind)) {
        return Ok(None);
    }
    let parts = fields.count("totalParts")?;
    let part = fields.count("numPart")?;
    if part > parts {
        return Err(fields.wrong("numPart", "at most `totalParts`"));
    }
    Ok(Some(Callback {
        about: about(fields)?,
        channel: channel(fields)?,
        part,
        parts,
        status: PartStatus::of_code(match fields.get("statusCode") {
            None => return Err(NotificationError::Missing("statusCode")),
            Some(code) => whole(code).ok_or_else(|| fields.wrong("statusCode", "a whole number"))?,
        }),
        description: fields.words(["description", "statusDescription"]),
        price: fields.get("price").and_then(number).and_then(Price::from_number),
        at: ["eventDate", "timestamp"]
            .into_iter()
            .find_map(|name| fields.get(name)?.as_str()?.trim().parse::<Timestamp>().ok()),
    }))
}

fn channel(fields: Fields<'_>) -> Result<Channel, NotificationError> {
    let Some(value) = fields.get("channel") else { return Ok(Channel::Sms) };
    let named = value.as_str().and_then(|word| word.trim().parse().ok());
    named.ok_or_else(|| fields.wrong("channel", "SMS, RCS or WHATSAPP"))
}

/// Which message it is about. An id of ours counts wherever it stands, since it is what nobody else can have
/// given.
fn about(fields: Fields<'_>) -> Result<About, NotificationError> {
    let mut theirs = None;
    for name in ["messageId", "customerMessageId"] {
        let Some(value) = fields.get(name) else { continue };
        let id = match value {
            Value::String(id) => id.trim().to_owned(),
            Value::Number(id) => id.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return Err(fields.wrong(name, "an id"));
            }
        };
        if id.is_empty() {
            continue;
        }
        if id.chars().count() > MAX_ID || id.contains(char::is_control) {
            return Err(fields.wrong(name, "an id of at most 255 characters"));
        }
        if let Some(ours) = ours(&id) {
            return Ok(About::Ours(ours));
        }
        theirs = theirs.or(Some(id));
    }
    theirs.map(About::Theirs).ok_or(NotificationError::Missing("messageId"))
}

/// An id as we write it, in capitals or not. What only reads like one, such as one with a zero too many, is not ours.
fn ours(text: &str) -> Option<MessageId> {
    let id: MessageId = text.parse().ok()?;
    id.to_string().eq_ignore_ascii_case(text).then_some(id)
}

/// The fields of one notification.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn wrong(self, field: &'static str, expected: &'static str) -> NotificationError {
        let written = self.0.get(field).map(Value::to_string).unwrap_or_default();
        let line = words::without_numbers(&words::one_line(&written));
        let mut value: String = line.chars().take(SHOWN).collect();
        if value.len() < line.len() {
            value.push('…');
        }
        NotificationError::Wrong { field, value, expected }
    }

    /// A number of parts, or the number of one; 1 where it is missing.
    fn count(self, name: &'static str) -> Result<u32, NotificationError> {
        let Some(value) = self.get(name) else { return Ok(1) };
        let count = whole(value).and_then(|count| u32::try_from(count).ok());
        count
            .filter(|count| (1..=MOST_PARTS).contains(count))
            .ok_or_else(|| self.wrong(name, "a whole number from 1 to 255"))
    }

    /// The first of these fields that has words; empty where none has.
    fn words(self, names: [&str; 2]) -> String {
        let told = names.into_iter().filter_map(|name| self.get(name)?.as_str());
        let mut lines = told.map(|text| words::without_numbers(&words::one_line(text)));
        lines.find(|line| !line.is_empty()).unwrap_or_default()
    }
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number, written with a fraction of nothing or not, or a text that is one.
fn whole(value: &Value) -> Option<i64> {
    /// Above, a binary fraction cannot tell neighbours apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT)?;
            Some(number as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;
