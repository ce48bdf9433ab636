//! The fields of a request and what they mean.
//!
//! Field names are compared without regard to case, and each meaning has several names
//! ([`Names`]), as the field's devices use them. Fields of other names are ignored: devices send
//! much that concerns only the gateway they were built for.
//!
//! Repeated fields: destinations add up, over all their names. Anything else may be given once,
//! under one of its names, because picking one would be a guess; empty ones do not count, as URL
//! templates are full of them.
//!
//! Octets become text when a field is used: in the charset that the request or its `_charset_`
//! field declares, else as UTF-8. What is not valid in it is refused by name, never replaced.

use encoding_rs::{Encoding, UTF_8};
use secrecy::SecretString;

use super::account::Shown;
use super::destinations::{PlusSigns, split};
use crate::model::Secret;

/// Most fields of one request, known or not.
pub(super) const MAX_FIELDS: usize = 256;
/// Most characters of a refused value that are shown back.
const SHOWN_CHARACTERS: usize = 40;

/// The names of each meaning; the first is the one in our messages.
#[derive(Debug)]
pub(super) struct Names {
    /// Destinations.
    pub(super) to: &'static [&'static str],
    /// The text.
    pub(super) text: &'static [&'static str],
    /// The sender.
    pub(super) sender: &'static [&'static str],
    /// When it is to be sent.
    pub(super) deliver_at: &'static [&'static str],
    /// How urgent it is.
    pub(super) lane: &'static [&'static str],
    /// Who is told how it ended.
    pub(super) callback_url: &'static [&'static str],
    /// Credentials.
    pub(super) username: &'static [&'static str],
    /// Credentials.
    pub(super) password: &'static [&'static str],
    /// A credential alone.
    pub(super) api_key: &'static [&'static str],
}

/// The names that `/sms` knows.
pub(super) const GENERIC: Names = Names {
    to: &["to", "number", "phone", "phone_number", "phones", "num", "dst", "recipient"],
    text: &["text", "message", "msg", "body", "content"],
    sender: &["from", "sender"],
    deliver_at: &["deliver_at", "scheduledDate", "schedule", "send_at"],
    lane: &["lane"],
    callback_url: &["callback_url"],
    username: &["username", "user", "login"],
    password: &["password", "pass"],
    api_key: &["api_key"],
};

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
    charset: Option<&'static Encoding>,
}

/// What a field asks in vain: 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldError {
    /// Not there, or empty.
    #[error("there is no `{}`, or it is empty; these names are taken: {}", .0[0], .0.join(", "))]
    Missing(&'static [&'static str]),
    /// There twice.
    #[error("`{0}` and `{1}` are both given; give one, once")]
    Repeated(String, String),
    /// Octets that the charset has not.
    #[error(
        "`{field}` is not valid {charset}; send UTF-8, or declare the charset in Content-Type or in `_charset_`"
    )]
    Octets {
        /// Which field.
        field: String,
        /// The charset it was read in.
        charset: &'static str,
    },
    /// `_charset_` or a part's charset names none that we can use.
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

    /// Settles the charset: the one that the request declares, else the one in `_charset_`
    /// (HTML, section 4.10.18.5; RFC 7578 section 4.6).
    ///
    /// # Errors
    /// [`FieldError`] when `_charset_` cannot be used.
    pub(super) fn settle_charset(&mut self, declared: Option<&'static Encoding>) -> Result<(), FieldError> {
        self.charset = match declared {
            Some(declared) => Some(declared),
            None => self.one(&["_charset_"])?.map(|label| charset(label.trim())).transpose()?,
        };
        Ok(())
    }

    /// The destinations, in order, as written.
    ///
    /// # Errors
    /// [`FieldError`] when there is none, or one cannot be read.
    pub(super) fn destinations(&self, names: &Names) -> Result<Vec<String>, FieldError> {
        let mut found = Vec::new();
        for field in self.named(names.to) {
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
                found.extend(split(&text, plus_signs));
            }
            if found.iter().any(|destination| destination.contains(char::is_control)) {
                return Err(FieldError::Control(shown(&field.name)));
            }
        }
        if found.is_empty() { Err(FieldError::Missing(names.to)) } else { Ok(found) }
    }

    /// The text, its line ends as LF. Other control characters but the tab become spaces: a stray
    /// NUL of a device is no reason to lose its alarm.
    ///
    /// # Errors
    /// [`FieldError`] when there is none but blanks, or it cannot be read.
    pub(super) fn text(&self, names: &Names) -> Result<String, FieldError> {
        let text = self.one(names.text)?.ok_or(FieldError::Missing(names.text))?;
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), " ");
        if text.trim().is_empty() { Err(FieldError::Missing(names.text)) } else { Ok(text) }
    }

    /// The sender, if one is given.
    ///
    /// # Errors
    /// [`FieldError`] when it cannot be read.
    pub(super) fn sender(&self, names: &Names) -> Result<Option<String>, FieldError> {
        self.line(names.sender)
    }

    /// The one field of these names, on one line and trimmed, if it has more than blanks.
    ///
    /// # Errors
    /// [`FieldError`] when it cannot be read.
    pub(super) fn line(&self, names: &'static [&'static str]) -> Result<Option<String>, FieldError> {
        let line = self.one(names)?.map(|line| line.trim().to_owned());
        match line.filter(|line| !line.is_empty()) {
            Some(line) if line.contains(char::is_control) => Err(FieldError::Control(names[0].to_owned())),
            line => Ok(line),
        }
    }

    /// The credential among the fields.
    ///
    /// # Errors
    /// [`FieldError`] when it cannot be read.
    pub(super) fn credential(&self, names: &Names) -> Result<Shown, FieldError> {
        if let Some(key) = self.one(names.api_key)? {
            return Ok(Shown::Key(Secret::from(key)));
        }
        let (username, password) = (self.one(names.username)?, self.one(names.password)?);
        if username.is_none() && password.is_none() {
            return Ok(Shown::Nothing);
        }
        let password = SecretString::from(password.unwrap_or_default());
        Ok(Shown::Pair(username.unwrap_or_default(), password))
    }

    fn named(&self, names: &'static [&'static str]) -> impl Iterator<Item = &Field> {
        self.list.iter().filter(move |field| names.iter().any(|name| name.eq_ignore_ascii_case(&field.name)))
    }

    /// The one field of these names that is not empty.
    fn one(&self, names: &'static [&'static str]) -> Result<Option<String>, FieldError> {
        let mut found: Option<(&Field, String)> = None;
        for field in self.named(names) {
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
            Value::Form(octets) => (octets, None),
            Value::Part(octets, own) => (octets, *own),
            Value::Text(text) => return Ok(text.clone()),
            Value::Integer(_) => return Err(not_a_string(field, "a number")),
            Value::List(_) => return Err(not_a_string(field, "an array")),
            Value::Other(kind) => return Err(not_a_string(field, kind)),
        };
        let charset = own.or(self.charset).unwrap_or(UTF_8);
        match charset.decode_without_bom_handling_and_without_replacement(octets) {
            Some(text) => Ok(text.into_owned()),
            None => Err(FieldError::Octets { field: shown(&field.name), charset: charset.name() }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn form(octets: &[u8]) -> Fields {
        let mut fields = Fields::default();
        fields.add_form(octets).unwrap();
        fields.settle_charset(None).unwrap();
        fields
    }

    fn text(octets: &[u8]) -> Result<String, FieldError> {
        form(octets).text(&GENERIC)
    }

    #[test]
    fn every_synonym_is_taken_in_any_case() {
        for name in
            ["to", "number", "phone", "phone_number", "phones", "num", "dst", "recipient", "TO", "Phone"]
        {
            let fields = form(format!("{name}=%2B391").as_bytes());
            assert_eq!(fields.destinations(&GENERIC).unwrap(), ["+391"], "{name}");
        }
        for name in ["text", "message", "msg", "body", "content", "Text"] {
            assert_eq!(text(format!("{name}=a").as_bytes()).unwrap(), "a", "{name}");
        }
        for name in ["from", "sender", "From"] {
            let fields = form(format!("{name}=+Alarm+").as_bytes());
            assert_eq!(fields.sender(&GENERIC).unwrap().unwrap(), "Alarm", "{name}");
        }
    }

    #[test]
    fn a_plus_is_a_space_and_percent_is_decoded_once() {
        assert_eq!(text(b"text=a+b%2Bc%20d%25%32%35").unwrap(), "a b+c d%25");
        assert_eq!(text(b"text=100%+sure%zz%4").unwrap(), "100% sure%zz%4");
        assert_eq!(text(b"text=a=b").unwrap(), "a=b");
        assert_eq!(text(b"&&te%78t=%C3%A8&").unwrap(), "è");
    }

    #[test]
    fn destinations_add_up_over_all_their_names() {
        let fields = form(b"to=%2B391,%2B392&phone=+393&to=oncall&to=");
        assert_eq!(fields.destinations(&GENERIC).unwrap(), ["+391", "+392", "+393", "oncall"]);
    }

    #[test]
    fn what_is_repeated_is_refused_unless_empty() {
        assert_eq!(
            text(b"text=a&msg=b").unwrap_err().to_string(),
            "`text` and `msg` are both given; give one, once"
        );
        assert!(matches!(text(b"text=a&text=a"), Err(FieldError::Repeated(..))));
        assert_eq!(text(b"text=&msg=b&body=").unwrap(), "b");
        assert!(matches!(form(b"from=a&sender=b").sender(&GENERIC), Err(FieldError::Repeated(..))));
    }

    #[test]
    fn what_is_missing_is_named_with_its_synonyms() {
        for octets in [&b"to=1"[..], b"text=", b"text=+%0A%09", b"text=%00"] {
            assert_eq!(
                text(octets).unwrap_err().to_string(),
                "there is no `text`, or it is empty; these names are taken: text, message, msg, body, content"
            );
        }
        assert_eq!(
            form(b"to=+,+").destinations(&GENERIC).unwrap_err().to_string(),
            "there is no `to`, or it is empty; these names are taken: \
             to, number, phone, phone_number, phones, num, dst, recipient"
        );
        assert_eq!(form(b"from=+").sender(&GENERIC), Ok(None));
    }

    #[test]
    fn octets_are_read_in_the_declared_charset_or_refused_by_name() {
        assert_eq!(
            text(b"msg=caff%E8").unwrap_err().to_string(),
            "`msg` is not valid UTF-8; send UTF-8, or declare the charset in Content-Type or in `_charset_`"
        );
        assert_eq!(text(b"msg=caff%E8&_charset_=iso-8859-1").unwrap(), "caffè");
        assert_eq!(text(b"msg=%80&_charset_=windows-1252").unwrap(), "€");
        let mut fields = Fields::default();
        fields.add_form(b"msg=caff%E8&_charset_=utf-8").unwrap();
        fields.settle_charset(Some(charset("latin1").unwrap())).unwrap();
        assert_eq!(fields.text(&GENERIC).unwrap(), "caffè");
    }

    #[test]
    fn octets_of_fields_that_nobody_reads_do_not_matter() {
        assert_eq!(text(b"text=a&logo=%FF&%FF=%FF").unwrap(), "a");
    }

    #[test]
    fn charsets_that_a_form_cannot_have_are_refused() {
        for label in ["utf-16", "klingon", "", "replacement"] {
            assert_eq!(charset(label), Err(FieldError::Charset(label.to_owned())), "{label}");
        }
        let mut fields = Fields::default();
        fields.add_form(b"_charset_=klingon").unwrap();
        assert_eq!(fields.settle_charset(None), Err(FieldError::Charset("klingon".to_owned())));
    }

    #[test]
    fn control_characters_are_neutralised_in_the_text_and_refused_elsewhere() {
        assert_eq!(text(b"text=a%0D%0Ab%0Dc%0Ad%09e%00f%1Bg").unwrap(), "a\nb\nc\nd\te f g");
        let to = form(b"to=%2B39%00").destinations(&GENERIC).unwrap_err();
        assert_eq!(to.to_string(), "`to` contains a control character; leave it out");
        let from = form(b"sender=a%0D%0Ab").sender(&GENERIC).unwrap_err();
        assert_eq!(from.to_string(), "`from` contains a control character; leave it out");
    }

    #[test]
    fn fields_are_counted_at_the_limit_and_one_more() {
        let mut fields = Fields::default();
        fields.add_form("a=b&".repeat(MAX_FIELDS).as_bytes()).unwrap();
        assert_eq!(fields.add_form(b"a=b"), Err(FieldError::TooMany));
        assert_eq!(FieldError::TooMany.to_string(), "the request has more than 256 fields");
    }

    #[test]
    fn json_values_keep_their_types() {
        let with = |name: &str, value: Value| {
            let mut fields = Fields::default();
            fields.add(Field { name: name.to_owned(), value }).unwrap();
            fields
        };
        let list = with("to", Value::List(vec!["+391, +392".to_owned(), " 393".to_owned()]));
        assert_eq!(list.destinations(&GENERIC).unwrap(), ["+391", "+392", "393"]);
        let integer = with("to", Value::Integer("391".to_owned()));
        assert_eq!(integer.destinations(&GENERIC).unwrap(), ["391"]);
        assert_eq!(
            with("to", Value::Other("an object")).destinations(&GENERIC).unwrap_err().to_string(),
            "`to` is an object; it must be a string or an array of strings"
        );
        assert_eq!(
            with("message", Value::Integer("1".to_owned())).text(&GENERIC).unwrap_err().to_string(),
            "`message` is a number; it must be a string"
        );
        assert_eq!(
            with("text", Value::List(Vec::new())).text(&GENERIC).unwrap_err().to_string(),
            "`text` is an array; it must be a string"
        );
    }

    #[test]
    fn a_part_may_have_its_own_charset() {
        let mut fields = Fields::default();
        let latin1 = Some(charset("iso-8859-1").unwrap());
        fields.add(Field { name: "text".to_owned(), value: Value::Part(vec![0xe8], latin1) }).unwrap();
        assert_eq!(fields.text(&GENERIC).unwrap(), "è");
    }

    #[test]
    fn credentials_are_a_pair_or_a_key() {
        let credential = |octets: &[u8]| match form(octets).credential(&GENERIC) {
            Ok(Shown::Nothing) => "nothing".to_owned(),
            Ok(Shown::Pair(username, password)) => format!("pair {username} {}", password.expose_secret()),
            Ok(Shown::Key(key)) => format!("key {}", key.expose_secret()),
            Ok(Shown::Unreadable) => "unreadable".to_owned(),
            Err(error) => error.to_string(),
        };
        for (username, password) in [("username", "password"), ("user", "pass"), ("login", "pass")] {
            assert_eq!(credential(format!("{username}=u&{password}=p%20").as_bytes()), "pair u p ");
        }
        assert_eq!(credential(b"api_key=k"), "key k");
        assert_eq!(credential(b"user=u"), "pair u ");
        assert_eq!(credential(b"pass=p"), "pair  p");
        assert_eq!(credential(b"user=&pass=&api_key="), "nothing");
        assert_eq!(credential(b"user=u&login=v"), "`user` and `login` are both given; give one, once");
    }

    #[test]
    fn values_are_shown_short_and_escaped() {
        assert_eq!(shown("a\r\nb"), "a\\r\\nb");
        assert_eq!(shown(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(shown(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
    }
}
