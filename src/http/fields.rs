//! The fields of a request and what they mean.
//!
//! Field names are compared without regard to case, and each meaning has several names
//! ([`Names`]), as the field's devices use them. Fields of other names are ignored: devices send
//! much that concerns only the gateway they were built for. `/sms` and the APIs of other gateways
//! differ in their [`Reading`] only.
//!
//! Repeated fields: destinations add up, over all their names. Anything else may be given once,
//! under one of its names, because picking one would be a guess; empty ones do not count, as URL
//! templates are full of them.
//!
//! Octets become text when a field is used: in the charset that the request or its charset field
//! declares, else in that of its reading. What is not valid in it is refused by name, never
//! replaced.

use std::borrow::Cow;
use std::collections::BTreeMap;

use encoding_rs::{Encoding, UTF_8};
use secrecy::SecretString;

use super::account::Shown;
use super::destinations::{PlusSigns, split};
use crate::model::Secret;
use crate::profile::{Meaning, Names, Reading};

/// Most fields of one request, known or not.
pub(super) const MAX_FIELDS: usize = 256;
/// Most characters of a refused value that are shown back.
const SHOWN_CHARACTERS: usize = 40;

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name as given.
    pub(super) name: String,
    /// Its value as given.
    pub(super) value: Value,
}

/// A value, as far as the request's format says what it is.
#[derive(Debug)]
pub(super) enum Value {
    /// From a query or a form; `+` and `%xx` are decoded.
    Form(Vec<u8>),
    /// A part of a multipart body, with the charset of its own.
    Part(Vec<u8>, Option<&'static Encoding>),
    /// A JSON string.
    Text(String),
    /// A JSON integer: a destination, where it is one.
    Integer(String),
    /// A JSON array of strings and integers.
    List(Vec<String>),
    /// Any other JSON value, in words.
    Other(&'static str),
}

/// All fields of a request, in order, those of the query first.
#[derive(Debug, Default)]
pub(super) struct Fields {
    list: Vec<Field>,
    /// Members of a JSON object around the one that holds the fields: they mean nothing, but can be asked for.
    around: Vec<Field>,
    charset: Option<&'static Encoding>,
    /// The name of the field that may declare it.
    charset_field: Option<String>,
    decode_twice: bool,
    hex_text: bool,
}

/// What a field asks in vain: 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldError {
    /// Not there, or empty.
    #[error("there is no `{}`, or it is empty; these names are taken: {}", first(.names), .names.join(", "))]
    Missing {
        /// What is missing.
        meaning: Meaning,
        /// How it may be called.
        names: Vec<String>,
        /// Whether it is there, with nothing in it.
        is_there: bool,
    },
    /// There twice.
    #[error("`{0}` and `{1}` are both given; give one, once")]
    Repeated(String, String),
    /// Octets that the charset has not.
    #[error("`{field}` is not valid {charset}; send UTF-8, or declare the charset in Content-Type{also}")]
    Octets {
        /// Which field.
        field: String,
        /// The charset it was read in.
        charset: &'static str,
        /// Where else it can be declared.
        also: String,
    },
    /// Not what a text in hexadecimal digits is.
    #[error(
        "`{0}` is not UTF-16 in hexadecimal digits, four for each unit; send it so, or ask for another form"
    )]
    Hex(String),
    /// The charset field or a part's charset names none that we can use.
    #[error("the charset `{0}` is not known; send UTF-8")]
    Charset(String),
    /// A JSON value of the wrong type.
    #[error("`{field}` is {found}; it must be {wanted}")]
    Type {
        /// Which field.
        field: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A control character where none makes sense.
    #[error("`{0}` contains a control character; leave it out")]
    Control(String),
    /// Too many.
    #[error("the request has more than {MAX_FIELDS} fields")]
    TooMany,
}

/// A charset by its label, if form data can be in it: UTF-16 cannot, its `=` is not an `=`.
///
/// # Errors
/// [`FieldError::Charset`] with the label.
pub(super) fn charset(label: &str) -> Result<&'static Encoding, FieldError> {
    Encoding::for_label(label.as_bytes())
        .filter(|encoding| encoding.is_ascii_compatible())
        .ok_or_else(|| FieldError::Charset(shown(label)))
}

/// A value for a message: without control characters, and not too long.
pub(super) fn shown(value: &str) -> String {
    let mut start: String = value.chars().take(SHOWN_CHARACTERS).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    start.escape_debug().to_string()
}

/// A text with its line ends as LF and spaces for other control characters but the tab: a stray NUL is no reason to
/// lose an alarm.
pub(super) fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), " ")
}

impl Fields {
    /// Reads a query or an `application/x-www-form-urlencoded` body as browsers write it (WHATWG
    /// URL, section 5.1): decoded once, a `%` without two digits behind it stays a `%`.
    ///
    /// # Errors
    /// [`FieldError::TooMany`].
    pub(super) fn add_form(&mut self, octets: &[u8]) -> Result<(), FieldError> {
        for pair in octets.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |octet| *octet == b'=');
            let name = decode_once(halves.next().unwrap_or_default());
            let value = decode_once(halves.next().unwrap_or_default());
            self.add(Field { name: String::from_utf8_lossy(&name).into_owned(), value: Value::Form(value) })?;
        }
        Ok(())
    }

    /// Adds one field.
    ///
    /// # Errors
    /// [`FieldError::TooMany`].
    pub(super) fn add(&mut self, field: Field) -> Result<(), FieldError> {
        if self.list.len() == MAX_FIELDS {
            return Err(FieldError::TooMany);
        }
        self.list.push(field);
        Ok(())
    }

    /// Adds a field that means nothing here.
    ///
    /// # Errors
    /// [`FieldError::TooMany`].
    pub(super) fn add_around(&mut self, field: Field) -> Result<(), FieldError> {
        if self.around.len() == MAX_FIELDS {
            return Err(FieldError::TooMany);
        }
        self.around.push(field);
        Ok(())
    }

    /// Settles how octets become text. The charset is the one that the request declares, else the one in its
    /// charset field (`_charset_` of forms: HTML, section 4.10.18.5; RFC 7578 section 4.6), else that of `reading`.
    ///
    /// # Errors
    /// [`FieldError`] when the charset field cannot be used.
    pub(super) fn settle(
        &mut self,
        declared: Option<&'static Encoding>,
        reading: &Reading,
    ) -> Result<(), FieldError> {
        self.decode_twice = reading.decode_twice;
        self.hex_text = reading.hex_text;
        self.charset_field = reading.names.of(Meaning::Charset).first().cloned();
        self.charset = match declared {
            Some(declared) => Some(declared),
            None => {
                let label = self.one(&reading.names, Meaning::Charset)?.or_else(|| reading.charset.clone());
                label.map(|label| charset(label.trim())).transpose()?
            }
        };
        Ok(())
    }

    /// The first value of this name that is a text; for conditions and answers, not for what is sent.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let named = self.list.iter().chain(&self.around);
        named.filter(|field| field.name.eq_ignore_ascii_case(name)).find_map(|field| self.shown_text(field))
    }

    /// Every name, in lower case, with its first value that is a text.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for field in self.list.iter().chain(&self.around) {
            if let Some(text) = self.shown_text(field) {
                found.entry(field.name.to_ascii_lowercase()).or_insert(text);
            }
        }
        found
    }

    /// As [`parameters`](Self::parameters), with commas between the values of a name that comes several times.
    pub(super) fn joined(&self) -> BTreeMap<String, String> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for field in self.list.iter().chain(&self.around) {
            let Some(text) = self.shown_text(field) else { continue };
            let value = found.entry(field.name.to_ascii_lowercase()).or_default();
            if !value.is_empty() {
                value.push(',');
            }
            value.push_str(&text);
        }
        found
    }

    fn shown_text(&self, field: &Field) -> Option<String> {
        match &field.value {
            Value::Integer(digits) => Some(digits.clone()),
            Value::Form(_) | Value::Part(..) | Value::Text(_) | Value::List(_) | Value::Other(_) => {
                self.text_of(field).ok()
            }
        }
    }

    /// The destinations, in order, as written.
    ///
    /// # Errors
    /// [`FieldError`] when there is none, or one cannot be read.
    pub(super) fn destinations(&self, reading: &Reading) -> Result<Vec<String>, FieldError> {
        let mut found = Vec::new();
        for field in self.named(&reading.names, Meaning::To) {
            let (texts, plus_signs) = match &field.value {
                Value::Form(_) => (vec![self.text_of(field)?], PlusSigns::MayBeSpaces),
                Value::Part(..) | Value::Text(_) => (vec![self.text_of(field)?], PlusSigns::AreKept),
                Value::Integer(digits) => (vec![digits.clone()], PlusSigns::AreKept),
                Value::List(texts) => (texts.clone(), PlusSigns::AreKept),
                Value::Other(kind) => {
                    return Err(FieldError::Type {
                        field: shown(&field.name),
                        found: kind,
                        wanted: "a string or an array of strings",
                    });
                }
            };
            for text in texts {
                found.extend(split(&text, plus_signs, &reading.separators));
            }
            if found.iter().any(|destination| destination.contains(char::is_control)) {
                return Err(FieldError::Control(shown(&field.name)));
            }
        }
        if found.is_empty() { Err(self.missing(&reading.names, Meaning::To)) } else { Ok(found) }
    }

    /// The text, its line ends as LF. Other control characters but the tab become spaces: a stray
    /// NUL of a device is no reason to lose its alarm.
    ///
    /// # Errors
    /// [`FieldError`] when there is none but blanks, or it cannot be read.
    pub(super) fn text(&self, names: &Names) -> Result<String, FieldError> {
        let missing = || self.missing(names, Meaning::Text);
        let text = self.one(names, Meaning::Text)?.ok_or_else(missing)?;
        let text = match self.hex_text {
            true => {
                from_hex(&text).ok_or_else(|| FieldError::Hex(first(names.of(Meaning::Text)).to_owned()))?
            }
            false => text,
        };
        let text = clean(&text);
        if text.trim().is_empty() { Err(missing()) } else { Ok(text) }
    }

    /// The one field of this meaning, on one line and trimmed, if it has more than blanks.
    ///
    /// # Errors
    /// [`FieldError`] when it cannot be read.
    pub(super) fn line(&self, names: &Names, meaning: Meaning) -> Result<Option<String>, FieldError> {
        let line = self.one(names, meaning)?.map(|line| line.trim().to_owned());
        match line.filter(|line| !line.is_empty()) {
            Some(line) if line.contains(char::is_control) => {
                Err(FieldError::Control(first(names.of(meaning)).to_owned()))
            }
            line => Ok(line),
        }
    }

    /// The credential among the fields. Where the API knows no password but a key, the key beside a user name is
    /// the password.
    ///
    /// # Errors
    /// [`FieldError`] when it cannot be read.
    pub(super) fn credential(&self, names: &Names) -> Result<Shown, FieldError> {
        let key = self.one(names, Meaning::ApiKey)?;
        let username = self.one(names, Meaning::Username)?;
        let is_password = names.of(Meaning::Password).is_empty();
        let password = match key {
            Some(key) if username.is_none() || !is_password => return Ok(Shown::Key(Secret::from(key))),
            Some(key) => Some(key),
            None => self.one(names, Meaning::Password)?,
        };
        if username.is_none() && password.is_none() {
            return Ok(Shown::Nothing);
        }
        let password = SecretString::from(password.unwrap_or_default());
        Ok(Shown::Pair(username.unwrap_or_default(), password))
    }

    /// That nothing of this meaning is there, or nothing in it.
    pub(super) fn missing(&self, names: &Names, meaning: Meaning) -> FieldError {
        let is_there = self.named(names, meaning).next().is_some();
        FieldError::Missing { meaning, names: names.of(meaning).to_vec(), is_there }
    }

    fn named<'a>(&'a self, names: &'a Names, meaning: Meaning) -> impl Iterator<Item = &'a Field> {
        let names = names.of(meaning);
        self.list.iter().filter(move |field| names.iter().any(|name| name.eq_ignore_ascii_case(&field.name)))
    }

    /// The one field of this meaning that is not empty.
    fn one(&self, names: &Names, meaning: Meaning) -> Result<Option<String>, FieldError> {
        let mut found: Option<(&Field, String)> = None;
        for field in self.named(names, meaning) {
            let text = self.text_of(field)?;
            if text.is_empty() {
                continue;
            }
            if let Some((earlier, _)) = found {
                return Err(FieldError::Repeated(shown(&earlier.name), shown(&field.name)));
            }
            found = Some((field, text));
        }
        Ok(found.map(|(_, text)| text))
    }

    fn text_of(&self, field: &Field) -> Result<String, FieldError> {
        let (octets, own) = match &field.value {
            Value::Form(octets) if self.decode_twice => (decode_again(octets), None),
            Value::Form(octets) => (Cow::Borrowed(octets.as_slice()), None),
            Value::Part(octets, own) => (Cow::Borrowed(octets.as_slice()), *own),
            Value::Text(text) => return Ok(text.clone()),
            Value::Integer(_) => return Err(not_a_string(field, "a number")),
            Value::List(_) => return Err(not_a_string(field, "an array")),
            Value::Other(kind) => return Err(not_a_string(field, kind)),
        };
        let charset = own.or(self.charset).unwrap_or(UTF_8);
        match charset.decode_without_bom_handling_and_without_replacement(&octets) {
            Some(text) => Ok(text.into_owned()),
            None => Err(FieldError::Octets {
                field: shown(&field.name),
                charset: charset.name(),
                also: self.charset_field.as_ref().map(|name| format!(" or in `{name}`")).unwrap_or_default(),
            }),
        }
    }
}

fn not_a_string(field: &Field, found: &'static str) -> FieldError {
    FieldError::Type { field: shown(&field.name), found, wanted: "a string" }
}

/// `+` is a space and `%xx` an octet; once, so that `%2525` is `%25`.
fn decode_once(octets: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = octets.iter().map(|octet| if *octet == b'+' { b' ' } else { *octet }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

/// What a text that is decoded already, and still looks encoded, was before. A `+` is a plus by now.
fn decode_again(octets: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(octets).into()
}

/// UTF-16 in hexadecimal digits, the high octet of each unit first.
fn from_hex(digits: &str) -> Option<String> {
    let digits = digits.trim().as_bytes();
    let unit = |digits: &[u8]| {
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        u16::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| is_hex)?, 16).ok()
    };
    let units = digits.chunks(4).map(|digits| (digits.len() == 4).then(|| unit(digits))?);
    String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
}

fn first(names: &[String]) -> &str {
    names.first().map_or("", String::as_str)
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
