//! Command lines, read exactly (RFC 5321 sections 4.1.1 to 4.1.3, RFC 1870, 3461, 6152, 6531).
//!
//! Pure: a line without its CRLF goes in, a [`Command`] or the fault comes out. Verbs, parameters
//! and their keywords are read in any case and white space at the end of the line is ignored
//! (section 4.1.1); nothing else is forgiven here.

use crate::model::{EnhancedStatus, Notify, Orcpt, Ret, ReversePath};

use super::address::{self, ForwardPath, PathError};

/// Longest `ENVID` value as sent, in octets (RFC 3461 section 4.4).
const MAX_ENVID: usize = 100;
/// Longest `ORCPT` value as sent, in octets (RFC 3461 section 4.2).
const MAX_ORCPT: usize = 500;
/// Longest `SIZE` value, in digits (RFC 1870 section 3).
const MAX_SIZE_DIGITS: usize = 20;

/// One command of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `EHLO` with the name that the client gives itself.
    Ehlo(String),
    /// `HELO` with the name that the client gives itself.
    Helo(String),
    /// `MAIL FROM:`.
    Mail(MailFrom),
    /// `RCPT TO:`.
    Rcpt(RcptTo),
    /// `DATA`.
    Data,
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
    /// A parameter that belongs to no extension offered.
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
            Self::Syntax(_) | Self::ParameterSyntax | Self::ParameterValue(_) | Self::Duplicate(_) => {
                (501, 5, 4)
            }
            Self::ValueNotImplemented(_) => (504, 5, 4),
            Self::UnknownParameter(_) => (555, 5, 4),
        };
        (code, Some(EnhancedStatus::new(5, subject, detail)))
    }
}

/// Reads one line, without its CRLF.
///
/// # Errors
/// A [`CommandError`]; its [`status`](CommandError::status) and its text are the reply.
pub fn parse(line: &[u8]) -> Result<Command, CommandError> {
    let line = trim_end(line);
    let verb_end = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    let (verb, argument) = line.split_at(verb_end);
    if is_http_method(verb) {
        return Err(CommandError::Http);
    }
    if line.iter().any(u8::is_ascii_control) {
        return Err(CommandError::ControlCharacter);
    }
    let argument = std::str::from_utf8(argument).map_err(|_| CommandError::NotUtf8)?;
    let argument = argument.strip_prefix(' ').unwrap_or(argument);
    match verb.to_ascii_uppercase().as_slice() {
        b"EHLO" => hello(argument, "EHLO").map(Command::Ehlo),
        b"HELO" => hello(argument, "HELO").map(Command::Helo),
        b"MAIL" => mail(argument).map(Command::Mail),
        b"RCPT" => rcpt(argument).map(Command::Rcpt),
        b"DATA" => alone(argument, Command::Data, "DATA takes no argument"),
        b"RSET" => alone(argument, Command::Rset, "RSET takes no argument"),
        b"QUIT" => alone(argument, Command::Quit, "QUIT takes no argument"),
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"VRFY" if argument.is_empty() => Err(CommandError::Syntax("VRFY name")),
        b"VRFY" => Ok(Command::Vrfy),
        b"EXPN" => Err(CommandError::NotImplemented("EXPN")),
        b"STARTTLS" => Err(CommandError::NotImplemented("STARTTLS")),
        b"AUTH" => Err(CommandError::NotImplemented("AUTH")),
        b"BDAT" => Err(CommandError::NotImplemented("BDAT")),
        _ => Err(CommandError::Unknown),
    }
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

fn hello(argument: &str, verb: &'static str) -> Result<String, CommandError> {
    if address::is_hello_name(argument) {
        Ok(argument.to_owned())
    } else {
        Err(CommandError::HelloName(verb))
    }
}

fn alone(argument: &str, command: Command, syntax: &'static str) -> Result<Command, CommandError> {
    if argument.is_empty() { Ok(command) } else { Err(CommandError::Syntax(syntax)) }
}

/// `FROM:` or `TO:` in any case, directly before the path.
fn strip_keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let start = argument.get(..keyword.len())?;
    start.eq_ignore_ascii_case(keyword).then(|| &argument[keyword.len()..])
}

fn mail(argument: &str) -> Result<MailFrom, CommandError> {
    let path = strip_keyword(argument, "FROM:").ok_or(CommandError::Syntax("MAIL FROM:<name@domain>"))?;
    let (reverse_path, rest) = address::reverse_path(path).map_err(CommandError::ReversePath)?;
    let (mut size, mut body, mut smtputf8, mut ret, mut envid) = (None, None, None, None, None);
    for parameter in parameters(rest)? {
        let (keyword, value) = parameter?;
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => once(&mut size, "SIZE", size_value(value)?)?,
            "BODY" => once(&mut body, "BODY", body_value(value)?)?,
            "SMTPUTF8" if value.is_none() => once(&mut smtputf8, "SMTPUTF8", ())?,
            "SMTPUTF8" => return Err(CommandError::ParameterValue("SMTPUTF8 takes no value")),
            "RET" => once(&mut ret, "RET", ret_value(value)?)?,
            "ENVID" => once(&mut envid, "ENVID", envid_value(value)?)?,
            _ => return Err(CommandError::UnknownParameter(keyword.to_owned())),
        }
    }
    Ok(MailFrom { reverse_path, size, ret, envid, smtputf8: smtputf8.is_some() })
}

fn rcpt(argument: &str) -> Result<RcptTo, CommandError> {
    let path = strip_keyword(argument, "TO:").ok_or(CommandError::Syntax("RCPT TO:<name@domain>"))?;
    let (recipient, rest) = address::forward_path(path).map_err(CommandError::ForwardPath)?;
    let (mut notify, mut orcpt) = (None, None);
    for parameter in parameters(rest)? {
        let (keyword, value) = parameter?;
        match keyword.to_ascii_uppercase().as_str() {
            "NOTIFY" => once(&mut notify, "NOTIFY", notify_value(value)?)?,
            "ORCPT" => once(&mut orcpt, "ORCPT", orcpt_value(value)?)?,
            _ => return Err(CommandError::UnknownParameter(keyword.to_owned())),
        }
    }
    Ok(RcptTo { recipient, notify: notify.unwrap_or_default(), orcpt })
}

type Parameter<'a> = (&'a str, Option<&'a str>);

/// What follows a path: nothing, or a space and parameters with spaces between them.
fn parameters(rest: &str) -> Result<impl Iterator<Item = Result<Parameter<'_>, CommandError>>, CommandError> {
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(CommandError::ParameterSyntax);
    }
    Ok(rest.split(' ').filter(|word| !word.is_empty()).map(parameter))
}

/// `esmtp-keyword ["=" esmtp-value]` (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
fn parameter(word: &str) -> Result<Parameter<'_>, CommandError> {
    let (keyword, value) = match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    };
    let keyword_ok = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
        && keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let value_ok = value.is_none_or(|value| !value.is_empty() && !value.contains('='));
    if keyword_ok && value_ok { Ok((keyword, value)) } else { Err(CommandError::ParameterSyntax) }
}

fn once<T>(slot: &mut Option<T>, keyword: &'static str, value: T) -> Result<(), CommandError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(CommandError::Duplicate(keyword)),
    }
}

/// A number that does not fit is a syntax error and never wraps (R13).
fn size_value(value: Option<&str>) -> Result<u64, CommandError> {
    let digits = value.filter(|digits| {
        digits.len() <= MAX_SIZE_DIGITS && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or(CommandError::ParameterValue("SIZE needs a number of octets"))
}

fn body_value(value: Option<&str>) -> Result<(), CommandError> {
    match value {
        Some(value) if value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME") => Ok(()),
        Some(value) if value.eq_ignore_ascii_case("BINARYMIME") => {
            Err(CommandError::ValueNotImplemented("BODY=BINARYMIME"))
        }
        Some(_) | None => Err(CommandError::ParameterValue("BODY is 7BIT or 8BITMIME")),
    }
}

fn ret_value(value: Option<&str>) -> Result<Ret, CommandError> {
    match value {
        Some(value) if value.eq_ignore_ascii_case("FULL") => Ok(Ret::Full),
        Some(value) if value.eq_ignore_ascii_case("HDRS") => Ok(Ret::Headers),
        Some(_) | None => Err(CommandError::ParameterValue("RET is FULL or HDRS")),
    }
}

fn envid_value(value: Option<&str>) -> Result<String, CommandError> {
    value
        .filter(|value| value.len() <= MAX_ENVID)
        .and_then(|value| decode_xtext(value, NonAscii::Refused))
        .ok_or(CommandError::ParameterValue("ENVID needs up to 100 octets of xtext (RFC 3461)"))
}

fn notify_value(value: Option<&str>) -> Result<Notify, CommandError> {
    value.filter(|value| !value.is_empty()).and_then(Notify::from_parameter).ok_or(
        CommandError::ParameterValue("NOTIFY is NEVER, or SUCCESS, FAILURE and DELAY with commas between"),
    )
}

/// `addr-type ";" xtext`. The type `utf-8` may carry characters outside ASCII (RFC 6533 section 3).
fn orcpt_value(value: Option<&str>) -> Result<Orcpt, CommandError> {
    let wrong =
        CommandError::ParameterValue("ORCPT needs type;address, up to 500 octets of xtext (RFC 3461)");
    let Some((kind, address)) =
        value.filter(|value| value.len() <= MAX_ORCPT).and_then(|value| value.split_once(';'))
    else {
        return Err(wrong);
    };
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/?^_`{|}~".contains(&b);
    if kind.is_empty() || address.is_empty() || !kind.bytes().all(atom) {
        return Err(wrong);
    }
    let non_ascii = if kind.eq_ignore_ascii_case("utf-8") { NonAscii::Kept } else { NonAscii::Refused };
    let address = decode_xtext(address, non_ascii).ok_or(wrong)?;
    Ok(Orcpt { kind: kind.to_owned(), address })
}

/// What [`decode_xtext`] does with characters that stand there as UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NonAscii {
    Kept,
    Refused,
}

/// xtext (RFC 3461 section 4): `+` and two upper-case hexadecimal digits stand for an octet. What
/// comes out is printable ASCII, or it is `None`: a report repeats it in a header field.
fn decode_xtext(value: &str, non_ascii: NonAscii) -> Option<String> {
    let mut decoded = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            '+' => {
                let mut digit = || characters.next().filter(|c| matches!(c, '0'..='9' | 'A'..='F'));
                let (high, low) = (digit()?.to_digit(16)?, digit()?.to_digit(16)?);
                let octet = char::from_u32(high * 16 + low)?;
                decoded.push(Some(octet).filter(|c| matches!(c, ' '..='~'))?);
            }
            '=' => return None,
            '!'..='~' => decoded.push(c),
            _ if non_ascii == NonAscii::Kept && !c.is_ascii() && !c.is_control() => decoded.push(c),
            _ => return None,
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reply(line: &[u8]) -> String {
        match parse(line) {
            Ok(command) => format!("{command:?}"),
            Err(error) => match error.status() {
                (code, Some(enhanced)) => format!("{code} {enhanced} {error}"),
                (code, None) => format!("{code} {error}"),
            },
        }
    }

    fn mail_of(line: &str) -> MailFrom {
        match parse(line.as_bytes()) {
            Ok(Command::Mail(mail)) => mail,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn rcpt_of(line: &str) -> RcptTo {
        match parse(line.as_bytes()) {
            Ok(Command::Rcpt(rcpt)) => rcpt,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn verbs_in_any_case_with_white_space_behind() {
        let table: [(&[u8], &str); 16] = [
            (b"EHLO x.it", "Ehlo(\"x.it\")"),
            (b"ehlo [192.0.2.1]", "Ehlo(\"[192.0.2.1]\")"),
            (b"HeLo x \t ", "Helo(\"x\")"),
            (b"DATA", "Data"),
            (b"data  ", "Data"),
            (b"RSET\t", "Rset"),
            (b"NOOP", "Noop"),
            (b"noop whatever <this> is", "Noop"),
            (b"HELP", "Help"),
            (b"HELP MAIL", "Help"),
            (b"VRFY ops", "Vrfy"),
            (b"quit", "Quit"),
            (b"VRFY", "501 5.5.4 syntax: VRFY name"),
            (b"DATA now", "501 5.5.4 syntax: DATA takes no argument"),
            (b"RSET all", "501 5.5.4 syntax: RSET takes no argument"),
            (b"QUIT now", "501 5.5.4 syntax: QUIT takes no argument"),
        ];
        for (line, expected) in table {
            assert_eq!(reply(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_command_gets_its_code() {
        let control =
            "500 5.5.2 a command cannot contain control characters; lines end with CR LF and nothing else";
        let table: [(&[u8], &str); 24] = [
            (b"", "500 5.5.1 unknown command; try HELP"),
            (b"   ", "500 5.5.1 unknown command; try HELP"),
            (b"TURN", "500 5.5.1 unknown command; try HELP"),
            (b" NOOP", "500 5.5.1 unknown command; try HELP"),
            (b"MAILFROM:<a@x>", "500 5.5.1 unknown command; try HELP"),
            (b"EXPN list", "502 5.5.1 EXPN is not offered here"),
            (b"STARTTLS", "502 5.5.1 STARTTLS is not offered here"),
            (b"AUTH LOGIN", "502 5.5.1 AUTH is not offered here"),
            (b"BDAT 10 LAST", "502 5.5.1 BDAT is not offered here"),
            (b"GET / HTTP/1.1", "421 4.7.0 this port speaks SMTP, not HTTP"),
            (b"POST /sms HTTP/1.0\nHost: x", "421 4.7.0 this port speaks SMTP, not HTTP"),
            (b"NOOP\nMAIL FROM:<a@x>", control),
            (b"NOOP\rMAIL FROM:<a@x>", control),
            (b"MAIL FROM:<a\r@x>", control),
            (b"MAIL FROM:<a@x>\n", control),
            (b"MAIL FROM:<a@x>\r", control),
            (b"NO\0OP", control),
            (b"NOOP \x1b[2J", control),
            (b"NOOP \x7f", control),
            (b"NOOP a\tb", control),
            (b"MAIL FROM:<\xff@x>", "500 5.5.2 a command can contain ASCII and UTF-8 only"),
            (b"\xc3\xa9", "500 5.5.1 unknown command; try HELP"),
            (b"EHLO", "501 EHLO needs the client's domain name or [address]"),
            (b"HELO my_host", "501 HELO needs the client's domain name or [address]"),
        ];
        for (line, expected) in table {
            assert_eq!(reply(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn mail_with_all_its_parameters() {
        let mail =
            mail_of("mail from:<ups@x.it>  size=1000 BODY=8bitmime smtputf8 ret=hdrs EnvId=QQ314+2Bx+20y ");
        assert_eq!(mail.reverse_path.to_string(), "<ups@x.it>");
        assert_eq!(mail.size, Some(1000));
        assert!(mail.smtputf8);
        assert_eq!(mail.ret, Some(Ret::Headers));
        assert_eq!(mail.envid.as_deref(), Some("QQ314+x y"));
        let mail = mail_of("MAIL FROM:<> BODY=7BIT RET=FULL");
        let expected = MailFrom {
            reverse_path: ReversePath::Null,
            size: None,
            ret: Some(Ret::Full),
            envid: None,
            smtputf8: false,
        };
        assert_eq!(mail, expected);
    }

    #[test]
    fn rcpt_with_all_its_parameters() {
        let rcpt = rcpt_of("rcpt to:<a@x> notify=success,Delay ORCPT=rfc822;Bob+2BSms@x.it");
        assert_eq!(rcpt.notify, Notify::On { success: true, failure: false, delay: true });
        let orcpt = Orcpt { kind: "rfc822".to_owned(), address: "Bob+Sms@x.it".to_owned() };
        assert_eq!(rcpt.orcpt, Some(orcpt));
        let rcpt = rcpt_of("RCPT TO:<Postmaster>");
        assert_eq!(
            rcpt,
            RcptTo { recipient: ForwardPath::Postmaster, notify: Notify::Unspecified, orcpt: None }
        );
        assert_eq!(rcpt_of("RCPT TO:<a@x> NOTIFY=never").notify, Notify::Never);
        let orcpt = rcpt_of("RCPT TO:<a@x> ORCPT=utf-8;ü@x").orcpt.unwrap();
        assert_eq!(orcpt.address, "ü@x");
    }

    #[test]
    fn wrong_parameters_get_their_code() {
        let form = "501 5.5.4 parameters follow the address after a space and look like NAME or NAME=value";
        let size = "501 5.5.4 SIZE needs a number of octets";
        let envid = "501 5.5.4 ENVID needs up to 100 octets of xtext (RFC 3461)";
        let table = [
            ("MAIL FROM:<a@x>SIZE=1", form),
            ("MAIL FROM:<a@x> =1", form),
            ("MAIL FROM:<a@x> SIZE=", form),
            ("MAIL FROM:<a@x> SIZE=1=2", form),
            ("MAIL FROM:<a@x> -A", form),
            ("MAIL FROM:<a@x> <b@x>", form),
            ("MAIL FROM:<a@x> SIZE", size),
            ("MAIL FROM:<a@x> SIZE=-1", size),
            ("MAIL FROM:<a@x> SIZE=+1", size),
            ("MAIL FROM:<a@x> SIZE=1k", size),
            ("MAIL FROM:<a@x> SIZE=18446744073709551616", size),
            ("MAIL FROM:<a@x> SIZE=000000000000000000001", size),
            ("MAIL FROM:<a@x> SIZE=1 size=1", "501 5.5.4 the parameter SIZE stands there twice"),
            ("MAIL FROM:<a@x> SMTPUTF8 SMTPUTF8", "501 5.5.4 the parameter SMTPUTF8 stands there twice"),
            ("MAIL FROM:<a@x> SMTPUTF8=YES", "501 5.5.4 SMTPUTF8 takes no value"),
            ("MAIL FROM:<a@x> BODY=9BIT", "501 5.5.4 BODY is 7BIT or 8BITMIME"),
            ("MAIL FROM:<a@x> BODY", "501 5.5.4 BODY is 7BIT or 8BITMIME"),
            ("MAIL FROM:<a@x> BODY=BINARYMIME", "504 5.5.4 BODY=BINARYMIME is not offered here"),
            ("MAIL FROM:<a@x> RET=SOME", "501 5.5.4 RET is FULL or HDRS"),
            ("MAIL FROM:<a@x> ENVID=a+2bc", envid),
            ("MAIL FROM:<a@x> ENVID=a+0Ab", envid),
            ("MAIL FROM:<a@x> ENVID=a+", envid),
            ("MAIL FROM:<a@x> ENVID=ü", envid),
            ("MAIL FROM:<a@x> ENVID", envid),
            ("MAIL FROM:<a@x> AUTH=<>", "555 5.5.4 the parameter AUTH is unknown"),
            ("MAIL FROM:<a@x> NOTIFY=NEVER", "555 5.5.4 the parameter NOTIFY is unknown"),
            ("RCPT TO:<a@x> SIZE=1", "555 5.5.4 the parameter SIZE is unknown"),
            ("RCPT TO:<a@x> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4 the parameter NOTIFY stands there twice"),
        ];
        for (line, expected) in table {
            assert_eq!(reply(line.as_bytes()), expected, "{line}");
        }
        for value in ["", "=", "=NEVER,FAILURE", "=SOON", "=SUCCESS,SUCCESS"] {
            let (code, _) = parse(format!("RCPT TO:<a@x> NOTIFY{value}").as_bytes()).unwrap_err().status();
            assert_eq!(code, 501, "NOTIFY{value}");
        }
        for value in ["", "=", "=rfc822", "=;a", "=rfc822;", "=rf c;a", "=rfc822;ü", "=rfc822;a+00", "=r=;a"]
        {
            let (code, _) = parse(format!("RCPT TO:<a@x> ORCPT{value}").as_bytes()).unwrap_err().status();
            assert_eq!(code, 501, "ORCPT{value}");
        }
    }

    #[test]
    fn syntax_of_the_paths_gets_501() {
        let from =
            "501 5.1.7 the address must stand in angle brackets right behind the colon, like <name@domain>";
        let table = [
            ("MAIL", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
            ("MAIL <a@x>", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
            ("MAIL  FROM:<a@x>", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
            ("MAIL FROM <a@x>", "501 5.5.4 syntax: MAIL FROM:<name@domain>"),
            ("RCPT FROM:<a@x>", "501 5.5.4 syntax: RCPT TO:<name@domain>"),
            ("MAIL FROM:", from),
            ("MAIL FROM:a@x", from),
            ("MAIL FROM: <a@x>", from),
            ("RCPT TO:<>", "501 5.1.3 a recipient cannot be empty"),
            ("RCPT TO:<ops>", "501 5.1.3 the address needs an @ and a domain"),
        ];
        for (line, expected) in table {
            assert_eq!(reply(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn limits_at_n_and_n_plus_one() {
        assert_eq!(mail_of("MAIL FROM:<> SIZE=18446744073709551615").size, Some(u64::MAX));
        let envid = |octets| format!("MAIL FROM:<> ENVID={}", "e".repeat(octets));
        assert_eq!(mail_of(&envid(100)).envid.unwrap().len(), 100);
        assert!(parse(envid(101).as_bytes()).is_err());
        let orcpt = |octets: usize| format!("RCPT TO:<a@x> ORCPT=rfc822;{}", "o".repeat(octets - 7));
        assert_eq!(rcpt_of(&orcpt(500)).orcpt.unwrap().address.len(), 493);
        assert!(parse(orcpt(501).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_octets_give_a_command_or_an_error(line in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&line);
        }

        #[test]
        fn nothing_that_breaks_a_line_survives_in_an_address(
            line in "(MAIL FROM:|RCPT TO:)<?[ -~\\PC\r\n\0]{0,40}@?[ -~\r\n]{0,20}>?( [A-Z]{3,8}=[ -~]{0,20})?"
        ) {
            let written = match parse(line.as_bytes()) {
                Ok(Command::Mail(MailFrom { reverse_path, .. })) => reverse_path.to_string(),
                Ok(Command::Rcpt(RcptTo { recipient: ForwardPath::Mailbox(address), .. })) => address.to_string(),
                Ok(_) | Err(_) => String::new(),
            };
            prop_assert!(!written.chars().any(char::is_control), "{written:?}");
        }

        #[test]
        fn a_written_address_is_read_back(local in "[ -~]{1,20}", domain in "[a-z]{1,9}(\\.[a-z]{2,5}){0,2}") {
            let address = crate::model::MailAddress::new(&local, &domain).unwrap();
            let rcpt = rcpt_of(&format!("RCPT TO:<{address}>"));
            prop_assert_eq!(rcpt.recipient, ForwardPath::Mailbox(address));
        }
    }
}
