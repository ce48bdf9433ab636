//! What the fields of an API are called, and how their values are read.

use std::collections::BTreeMap;

/// What a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// Destinations.
    To,
    /// The text.
    Text,
    /// The sender.
    From,
    /// When it is to be sent.
    DeliverAt,
    /// How urgent it is.
    Lane,
    /// Who is told how it ended.
    CallbackUrl,
    /// Of which ends.
    CallbackMask,
    /// Credentials.
    Username,
    /// Credentials.
    Password,
    /// A credential alone.
    ApiKey,
    /// A session that a login has given.
    Session,
    /// The charset that the other fields are in.
    Charset,
    /// The SMS that is asked about.
    Id,
}

impl Meaning {
    /// All.
    pub const ALL: [Self; 13] = [
        Self::To,
        Self::Text,
        Self::From,
        Self::DeliverAt,
        Self::Lane,
        Self::CallbackUrl,
        Self::CallbackMask,
        Self::Username,
        Self::Password,
        Self::ApiKey,
        Self::Session,
        Self::Charset,
        Self::Id,
    ];

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::To => "to",
            Self::Text => "text",
            Self::From => "from",
            Self::DeliverAt => "deliver_at",
            Self::Lane => "lane",
            Self::CallbackUrl => "callback_url",
            Self::CallbackMask => "callback_mask",
            Self::Username => "username",
            Self::Password => "password",
            Self::ApiKey => "api_key",
            Self::Session => "session",
            Self::Charset => "charset",
            Self::Id => "id",
        }
    }
}

/// The names of each meaning; compared without regard to case. The first is the one in our messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<Meaning, Vec<String>>);

impl Names {
    /// Names by their meanings.
    pub fn new(names: impl IntoIterator<Item = (Meaning, Vec<String>)>) -> Self {
        Self(names.into_iter().collect())
    }

    /// The names of a meaning; none where the API has no such field.
    pub fn of(&self, meaning: Meaning) -> &[String] {
        self.0.get(&meaning).map_or(&[], Vec::as_slice)
    }

    /// What a field of this name means.
    pub fn meaning(&self, name: &str) -> Option<Meaning> {
        let is_it = |names: &Vec<String>| names.iter().any(|own| own.eq_ignore_ascii_case(name));
        self.0.iter().find(|(_, names)| is_it(names)).map(|(meaning, _)| *meaning)
    }
}

/// What stands between destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Separators {
    /// Commas, semicolons, line ends, and spaces where no number could contain them.
    #[default]
    Any,
    /// These characters and nothing else.
    Only(Vec<char>),
}

/// What becomes of a sender that the client's account may not choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnaskedSender {
    /// It is not heeded: appliances always send one, and nobody can mend them.
    #[default]
    Ignored,
    /// The request is refused: whoever wrote it can mend it.
    Refused,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeForm {
    /// `2031-01-31T07:30:00+01:00`, or without the offset in the time of the relay.
    #[default]
    Iso,
    /// `203101310730`, in the time of the relay.
    Compact,
    /// Minutes from now.
    Minutes,
}

/// What a body is whose type is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON where it begins like an object, else a form.
    #[default]
    Guessed,
    /// JSON, whatever it is said to be.
    Json,
    /// A form, whatever it is said to be.
    Form,
    /// As [`Guessed`](Self::Guessed), but plain text and octets of no type are the text itself.
    Text,
}

/// How an API tells its clients what became of an SMS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallbackStyle {
    /// By the relay's own signed call. A URL that may not be called refuses the request.
    #[default]
    Signed,
    /// By a GET of the client's URL with Kannel's escapes, of the ends in its mask. A URL that may not be called is not
    /// heeded: its clients always send one, and nobody can mend them.
    Kannel,
}

/// How the fields of a request are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What they are called.
    pub names: Names,
    /// What stands between destinations.
    pub separators: Separators,
    /// How times are written.
    pub times: TimeForm,
    /// What the body is.
    pub body: BodyKind,
    /// The label of the charset where none is declared; UTF-8 where it is `None` (Encoding Standard, section 4.2).
    pub charset: Option<String>,
    /// Whether the text is UTF-16, the high octet first, in hexadecimal digits (Clickatell HTTP API 2.5, `unicode`).
    pub hex_text: bool,
    /// The member of a JSON object that holds the fields; `None` where the object itself does.
    pub inside: Option<String>,
    /// Header fields whose names begin so, in lower case, are fields called by the rest of their names.
    pub header_prefix: Option<String>,
    /// Whether a value that still looks percent-encoded is decoded once more.
    pub decode_twice: bool,
    /// What becomes of a sender that the account may not choose.
    pub unasked_sender: UnaskedSender,
    /// Whether a request line of HTTP/1 that has spaces or other octets as they are is read as if they were encoded.
    pub raw_request_line: bool,
    /// What becomes of [`Meaning::CallbackUrl`].
    pub callbacks: CallbackStyle,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_thing_in_any_case() {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let names =
            Names::new([(Meaning::Username, owned(&["username", "user"])), (Meaning::To, owned(&["to"]))]);
        assert_eq!(names.of(Meaning::Username), ["username", "user"]);
        assert!(names.of(Meaning::Lane).is_empty());
        assert_eq!(names.meaning("USER"), Some(Meaning::Username));
        assert_eq!(names.meaning("To"), Some(Meaning::To));
        assert_eq!(names.meaning("from"), None);
    }
}
