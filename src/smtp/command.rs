//! Command lines (RFC 5321 sections 4.1.1 to 4.1.3, RFC 1870, 3030, 3207, 3461, 4954, 6152, 6531).
//!
//! Pure: a line without its CRLF goes in, a [`Command`] or the fault comes out. Verbs, parameters
//! and their keywords are read in any case and white space at the end of the line is ignored
//! (section 4.1.1). What else is forgiven is a matter of the [`Profile`]; without one of its
//! switches lines are read exactly.

mod parameters;

#[cfg(test)]
mod tests;

use crate::model::{EnhancedStatus, Notify, Orcpt, Ret, ReversePath, Secret};

use super::address::{self, ForwardPath, PathError};
use super::profile::Profile;

/// Longest name of a mechanism, in octets (RFC 4422 section 3.1).
const MAX_MECHANISM: usize = 20;
/// Longest name in `EHLO` and `HELO` that is kept, in octets: that of a domain.
const MAX_HELLO: usize = 255;

/// One command of the client.
#[derive(Clone, Debug)]
pub enum Command {
    /// `EHLO` with the name that the client gives itself: printable ASCII, at most 255 octets. None
    /// where it gives no name and is forgiven.
    Ehlo(Option<String>),
    /// `HELO`, likewise.
    Helo(Option<String>),
    /// `MAIL FROM:`.
    Mail(MailFrom),
    /// `RCPT TO:`.
    Rcpt(RcptTo),
    /// `DATA`.
    Data,
    /// `BDAT`: the octets of a chunk follow.
    Bdat {
        /// How many.
        octets: u64,
        /// Whether the message ends with them.
        last: bool,
    },
    /// `STARTTLS`.
    StartTls,
    /// `AUTH`.
    Auth {
        /// The mechanism in upper case; whether there is one of that name is not looked at.
        mechanism: String,
        /// The initial response as sent: base64, or `=` for an empty one.
        initial: Option<Secret>,
    },
    /// `RSET`.
    Rset,
    /// `NOOP`, its argument dropped.
    Noop,
    /// `VRFY`, its argument dropped: nothing is told about it.
    Vrfy,
    /// `HELP`, its argument dropped.
    Help,
    /// `QUIT`.
    Quit,
}

/// What `MAIL` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFrom {
    /// Where failures are reported.
    pub reverse_path: ReversePath,
    /// `SIZE=`: octets that the client is going to send (RFC 1870).
    pub size: Option<u64>,
    /// `RET=`.
    pub ret: Option<Ret>,
    /// `ENVID=`, decoded.
    pub envid: Option<String>,
    /// `SMTPUTF8`.
    pub smtputf8: bool,
}

/// What `RCPT` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RcptTo {
    /// Who is to get it.
    pub recipient: ForwardPath,
    /// `NOTIFY=`.
    pub notify: Notify,
    /// `ORCPT=`, decoded.
    pub orcpt: Option<Orcpt>,
}

/// Why a line is not a command. The sentences are for the client and repeat nothing of its line
/// but the keyword of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// An HTTP method: somebody makes a browser or a proxy speak to this port (R51).
    #[error("this port speaks SMTP, not HTTP")]
    Http,
    /// A control character; a bare CR or LF among them, which never ends a command (R4).
    #[error("a command cannot contain control characters; lines end with CR LF and nothing else")]
    ControlCharacter,
    /// Octets that are no UTF-8.
    #[error("a command can contain ASCII and UTF-8 only")]
    NotUtf8,
    /// No such verb.
    #[error("unknown command; try HELP")]
    Unknown,
    /// A verb of the standards that is not offered here.
    #[error("{0} is not offered here")]
    NotImplemented(&'static str),
    /// `EHLO` or `HELO` without a proper name.
    #[error("{0} needs the client's domain name or [address]")]
    HelloName(&'static str),
    /// `BDAT` without a number of octets that can be read. How many follow is unknown and they would
    /// be taken for commands, so the session cannot go on behind it.
    #[error("syntax: BDAT octets [LAST]")]
    ChunkSize,
    /// The argument of a verb is missing, superfluous or wrong.
    #[error("syntax: {0}")]
    Syntax(&'static str),
    /// The path of `MAIL`.
    #[error("{0}")]
    ReversePath(PathError),
    /// The path of `RCPT`.
    #[error("{0}")]
    ForwardPath(PathError),
    /// Something behind the path that is no parameter.
    #[error("parameters follow the address after a space and look like NAME or NAME=value")]
    ParameterSyntax,
    /// A parameter with a value it can't have.
    #[error("{0}")]
    ParameterValue(&'static str),
    /// A value of a parameter that is not implemented.
    #[error("{0} is not offered here")]
    ValueNotImplemented(&'static str),
    /// The same parameter again.
    #[error("the parameter {0} stands there twice")]
    Duplicate(&'static str),
    /// A parameter that belongs to no extension offered; its first 64 octets.
    #[error("the parameter {0} is unknown")]
    UnknownParameter(String),
}

impl CommandError {
    /// The reply code and its enhanced status code (RFC 5321 section 4.2.3, RFC 3463). None for
    /// `EHLO` and `HELO`, whose replies have no enhanced codes (RFC 2034 section 4).
    pub fn status(&self) -> (u16, Option<EnhancedStatus>) {
        let (code, subject, detail) = match self {
            Self::Http => return (421, Some(EnhancedStatus::new(4, 7, 0))),
            Self::HelloName(_) => return (501, None),
            Self::ControlCharacter | Self::NotUtf8 => (500, 5, 2),
            Self::Unknown => (500, 5, 1),
            Self::NotImplemented(_) => (502, 5, 1),
            Self::ReversePath(_) => (501, 1, 7),
            Self::ForwardPath(_) => (501, 1, 3),
            Self::ChunkSize
            | Self::Syntax(_)
            | Self::ParameterSyntax
            | Self::ParameterValue(_)
            | Self::Duplicate(_) => (501, 5, 4),
            Self::ValueNotImplemented(_) => (504, 5, 4),
            Self::UnknownParameter(_) => (555, 5, 4),
        };
        (code, Some(EnhancedStatus::new(5, subject, detail)))
    }
}

/// Reads one line, without its CRLF, as `profile` says.
///
/// # Errors
/// A [`CommandError`]; its [`status`](CommandError::status) and its text are the reply.
pub fn parse(line: &[u8], profile: &Profile) -> Result<Command, CommandError> {
    let command = read(line, profile);
    // Whatever is wrong with it: octets may follow that nobody has counted.
    let announces_octets = line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"))
        && !line.get(4).is_some_and(u8::is_ascii_alphanumeric);
    if announces_octets { command.map_err(|_| CommandError::ChunkSize) } else { command }
}

fn read(line: &[u8], profile: &Profile) -> Result<Command, CommandError> {
    let is_blank = |b: u8| b == b' ' || b == b'\t' && profile.stray_spaces;
    let line = trim_end(line);
    let verb_end = line.iter().position(|&b| is_blank(b)).unwrap_or(line.len());
    let (verb, argument) = line.split_at(verb_end);
    if is_http_method(verb) {
        return Err(CommandError::Http);
    }
    if line.iter().any(|&b| b.is_ascii_control() && !is_blank(b)) {
        return Err(CommandError::ControlCharacter);
    }
    let argument = argument.get(1..).unwrap_or_default();
    let verb = verb.to_ascii_uppercase();
    match verb.as_slice() {
        b"EHLO" => return hello(argument, "EHLO", profile).map(Command::Ehlo),
        b"HELO" => return hello(argument, "HELO", profile).map(Command::Helo),
        _ => {}
    }
    let argument = std::str::from_utf8(argument).map_err(|_| CommandError::NotUtf8)?;
    match verb.as_slice() {
        b"MAIL" => mail(argument, profile).map(Command::Mail),
        b"RCPT" => rcpt(argument, profile).map(Command::Rcpt),
        b"DATA" => alone(argument, Command::Data, "DATA takes no argument"),
        b"BDAT" => bdat(argument),
        b"STARTTLS" => alone(argument, Command::StartTls, "STARTTLS takes no argument"),
        b"AUTH" => auth(argument),
        b"RSET" => alone(argument, Command::Rset, "RSET takes no argument"),
        b"QUIT" => alone(argument, Command::Quit, "QUIT takes no argument"),
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"VRFY" if argument.is_empty() => Err(CommandError::Syntax("VRFY name")),
        b"VRFY" => Ok(Command::Vrfy),
        b"EXPN" => Err(CommandError::NotImplemented("EXPN")),
        _ => Err(CommandError::Unknown),
    }
}

/// What would make a command of a line that `profile` refuses: the name of a switch, or `appliance` where
/// it takes more than one of that. For the operator's log; the client cannot change it.
pub fn forgiven_by(line: &[u8], profile: &Profile) -> Option<&'static str> {
    let is_read = |profile: Profile| parse(line, &profile).is_ok();
    let with = |switch: &&str| profile.with(switch).is_some_and(is_read);
    Profile::SWITCHES.into_iter().find(with).or_else(|| is_read(Profile::APPLIANCE).then_some("appliance"))
}

fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&b| b != b' ' && b != b'\t').map_or(0, |at| at + 1);
    &line[..end]
}

fn is_http_method(verb: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] =
        [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH", b"PRI"];
    METHODS.iter().any(|method| method.eq_ignore_ascii_case(verb))
}

/// The client's name. Nothing is decided by it, so one that is no name may be forgiven; but it comes
/// to stand in logs, the spool and trace fields, so what is kept is one short line of ASCII.
fn hello(argument: &[u8], verb: &'static str, profile: &Profile) -> Result<Option<String>, CommandError> {
    let blank = |c: char| c == ' ' || c == '\t';
    let Ok(name) = std::str::from_utf8(argument) else {
        // Windows machines give their names in the code page of their country.
        return if profile.any_hello_name {
            Ok(Some(printable(&String::from_utf8_lossy(argument))))
        } else {
            Err(CommandError::NotUtf8)
        };
    };
    let name = if profile.stray_spaces { name.trim_matches(blank) } else { name };
    if address::is_hello_name(name) {
        Ok(Some(name.to_owned()))
    } else if profile.empty_hello && name.chars().all(blank) {
        Ok(None)
    } else if profile.any_hello_name && !name.chars().all(blank) {
        Ok(Some(printable(name)))
    } else {
        Err(CommandError::HelloName(verb))
    }
}

/// Words of printable ASCII with one space between them; `?` stands for every other character.
fn printable(name: &str) -> String {
    let words = name.split([' ', '\t']).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let kept = line.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(MAX_HELLO);
    // The cut may fall behind a space.
    kept.collect::<String>().trim_end().to_owned()
}

fn alone(argument: &str, command: Command, syntax: &'static str) -> Result<Command, CommandError> {
    if argument.is_empty() { Ok(command) } else { Err(CommandError::Syntax(syntax)) }
}

/// `AUTH mechanism [initial-response]` (RFC 4954 section 4).
fn auth(argument: &str) -> Result<Command, CommandError> {
    let wrong = CommandError::Syntax("AUTH mechanism [initial-response]");
    let mut words = argument.split_ascii_whitespace();
    let (Some(mechanism), initial, None) = (words.next(), words.next(), words.next()) else {
        return Err(wrong);
    };
    let named = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if mechanism.len() > MAX_MECHANISM || !mechanism.bytes().all(named) {
        return Err(wrong);
    }
    Ok(Command::Auth { mechanism: mechanism.to_ascii_uppercase(), initial: initial.map(Secret::from) })
}

/// `BDAT octets [LAST]` (RFC 3030 section 2). A number that does not fit never wraps.
fn bdat(argument: &str) -> Result<Command, CommandError> {
    let mut words = argument.split_ascii_whitespace();
    let octets = words.next().and_then(parameters::octets).ok_or(CommandError::ChunkSize)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(CommandError::ChunkSize),
    };
    if words.next().is_some() { Err(CommandError::ChunkSize) } else { Ok(Command::Bdat { octets, last }) }
}

/// `FROM:` or `TO:` in any case, directly before the path; with spaces anywhere around the word and
/// its colon where those are forgiven.
fn strip_keyword<'a>(argument: &'a str, keyword: &str, profile: &Profile) -> Option<&'a str> {
    let trim = |text: &'a str| if profile.stray_spaces { address::trim_start(text) } else { text };
    let argument = trim(argument);
    let start = argument.get(..keyword.len())?;
    if !start.eq_ignore_ascii_case(keyword) {
        return None;
    }
    trim(&argument[keyword.len()..]).strip_prefix(':')
}

fn mail(argument: &str, profile: &Profile) -> Result<MailFrom, CommandError> {
    let path =
        strip_keyword(argument, "FROM", profile).ok_or(CommandError::Syntax("MAIL FROM:<name@domain>"))?;
    let (reverse_path, rest) = address::reverse_path(path, profile).map_err(CommandError::ReversePath)?;
    let (mut size, mut body, mut smtputf8, mut ret, mut envid) = (None, None, None, None, None);
    let mut auth = None;
    for parameter in parameters::all(rest)? {
        let (keyword, value) = parameter?;
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => parameters::once(&mut size, "SIZE", parameters::size(value)?)?,
            "BODY" => parameters::once(&mut body, "BODY", parameters::body(value)?)?,
            "SMTPUTF8" if value.is_none() => parameters::once(&mut smtputf8, "SMTPUTF8", ())?,
            "SMTPUTF8" => return Err(CommandError::ParameterValue("SMTPUTF8 takes no value")),
            "RET" => parameters::once(&mut ret, "RET", parameters::ret(value)?)?,
            "ENVID" => parameters::once(&mut envid, "ENVID", parameters::envid(value)?)?,
            "AUTH" => parameters::once(&mut auth, "AUTH", parameters::auth(value)?)?,
            _ => return Err(parameters::unknown(keyword)),
        }
    }
    Ok(MailFrom { reverse_path, size, ret, envid, smtputf8: smtputf8.is_some() })
}

fn rcpt(argument: &str, profile: &Profile) -> Result<RcptTo, CommandError> {
    let path = strip_keyword(argument, "TO", profile).ok_or(CommandError::Syntax("RCPT TO:<name@domain>"))?;
    let (recipient, rest) = address::forward_path(path, profile).map_err(CommandError::ForwardPath)?;
    let (mut notify, mut orcpt) = (None, None);
    for parameter in parameters::all(rest)? {
        let (keyword, value) = parameter?;
        match keyword.to_ascii_uppercase().as_str() {
            "NOTIFY" => parameters::once(&mut notify, "NOTIFY", parameters::notify(value)?)?,
            "ORCPT" => parameters::once(&mut orcpt, "ORCPT", parameters::orcpt(value)?)?,
            _ => return Err(parameters::unknown(keyword)),
        }
    }
    Ok(RcptTo { recipient, notify: notify.unwrap_or_default(), orcpt })
}
