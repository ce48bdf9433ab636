//! The command stream: lines out of octets, commands out of lines.

use secrecy::ExposeSecret as _;
use sms_relay::model::{Ret, ReversePath};
use sms_relay::smtp::Profile;
use sms_relay::smtp::address::ForwardPath;
use sms_relay::smtp::command::{self, Command, CommandError, MailFrom, RcptTo};
use sms_relay::smtp::lines::{Line, LineReader, MAX_LINE};
use sms_relay::smtp::reply::Reply;

use super::pieces::cuts;
use super::replies;

/// Packets make no difference to the lines, which are those of a plain second reader; each line is a
/// command that reads the same when it is written anew, or an error with a proper reply; and what a
/// strict listener takes, a forgiving one takes for the same.
///
/// # Panics
/// When one of these does not hold.
pub fn check(stream: &[u8]) {
    let expected = lines_of(stream);
    for pieces in cuts(stream) {
        assert_eq!(read(&pieces), expected, "{} pieces", pieces.len());
    }
    let strict = Profile::default();
    let forgiving = ["bare_addresses", "stray_spaces", "any_hello_name"].map(|switch| strict.with(switch));
    for line in expected {
        let Line::Complete(line) = line else { continue };
        let strictly = check_line(&line, &strict);
        for profile in forgiving.iter().flatten().chain([&Profile::APPLIANCE]) {
            let read = check_line(&line, profile);
            assert!(strictly.is_err() || read == strictly, "{profile} reads {read:?}, strict {strictly:?}");
        }
    }
}

/// What a line says, as a strict client would have written it.
fn parse(line: &[u8], profile: &Profile) -> Result<String, CommandError> {
    command::parse(line, profile).map(|command| write(&command))
}

fn check_line(line: &[u8], profile: &Profile) -> Result<String, CommandError> {
    let parsed = parse(line, profile);
    let more_space = [line, b" \t "].concat();
    assert_eq!(parse(&more_space, profile), parsed, "white space at the end counts, {profile}");
    let mut other_case = line.to_vec();
    for octet in other_case.iter_mut().take_while(|octet| octet.is_ascii_alphabetic()) {
        *octet ^= 0x20;
    }
    assert_eq!(parse(&other_case, profile), parsed, "the case of a verb counts, {profile}");
    match &parsed {
        Ok(written) => {
            assert!(!written.chars().any(char::is_control), "{written:?}");
            assert_eq!(parse(written.as_bytes(), profile), parsed, "{written:?}, {profile}");
        }
        Err(error) => check_error(error),
    }
    parsed
}

fn check_error(error: &CommandError) {
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let reply = match error.status() {
        (code, Some(enhanced)) => Reply::new(code, enhanced, text),
        (code, None) => Reply::plain(code, vec![text.into()]),
    };
    assert!(reply.code() >= 400, "{reply:?}");
    replies::written(&reply);
}

/// All that a command says, as a strict client would write it.
fn write(command: &Command) -> String {
    match command {
        Command::Ehlo(name) => format!("EHLO {}", name.as_deref().unwrap_or_default()),
        Command::Helo(name) => format!("HELO {}", name.as_deref().unwrap_or_default()),
        Command::Mail(mail) => write_mail(mail),
        Command::Rcpt(rcpt) => write_rcpt(rcpt),
        Command::Data => "DATA".to_owned(),
        Command::Bdat { octets, last } => format!("BDAT {octets}{}", if *last { " LAST" } else { "" }),
        Command::StartTls => "STARTTLS".to_owned(),
        Command::Auth { mechanism, initial: None } => format!("AUTH {mechanism}"),
        Command::Auth { mechanism, initial: Some(initial) } => {
            format!("AUTH {mechanism} {}", initial.expose_secret())
        }
        Command::Rset => "RSET".to_owned(),
        Command::Noop => "NOOP".to_owned(),
        Command::Vrfy => "VRFY anybody".to_owned(),
        Command::Help => "HELP".to_owned(),
        Command::Quit => "QUIT".to_owned(),
    }
}

fn write_mail(mail: &MailFrom) -> String {
    let MailFrom { reverse_path, size, ret, envid, smtputf8 } = mail;
    let mut line = match reverse_path {
        ReversePath::Null => "MAIL FROM:<>".to_owned(),
        ReversePath::Path(address) => format!("MAIL FROM:<{address}>"),
    };
    if let Some(octets) = size {
        line += &format!(" SIZE={octets}");
    }
    match ret {
        Some(Ret::Full) => line += " RET=FULL",
        Some(Ret::Headers) => line += " RET=HDRS",
        None => {}
    }
    if let Some(envid) = envid {
        line += &format!(" ENVID={}", xtext(envid));
    }
    if *smtputf8 {
        line += " SMTPUTF8";
    }
    line
}

fn write_rcpt(rcpt: &RcptTo) -> String {
    let RcptTo { recipient, notify, orcpt } = rcpt;
    let mut line = match recipient {
        ForwardPath::Mailbox(address) => format!("RCPT TO:<{address}>"),
        ForwardPath::Postmaster => "RCPT TO:<Postmaster>".to_owned(),
    };
    let notify = notify.to_parameter();
    if !notify.is_empty() {
        line += &format!(" NOTIFY={notify}");
    }
    if let Some(orcpt) = orcpt {
        line += &format!(" ORCPT={};{}", orcpt.kind, xtext(&orcpt.address));
    }
    line
}

/// Only what must be encoded is (RFC 3461 section 4), so that this is never longer than what came.
fn xtext(text: &str) -> String {
    let encode = |c| match c {
        '+' | '=' | ' ' => format!("+{:02X}", u32::from(c)),
        other => other.to_string(),
    };
    text.chars().map(encode).collect()
}

fn read(pieces: &[&[u8]]) -> Vec<Line> {
    let mut reader = LineReader::default();
    let mut found = Vec::new();
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let (used, line) = reader.feed(piece);
            assert!(used > 0 && used <= piece.len(), "{used} octets of {}", piece.len());
            assert!(line.is_some() || used == piece.len(), "it stopped in the middle of a line");
            piece = &piece[used..];
            found.extend(line);
        }
    }
    found
}

/// What the lines are by the plain definition: CRLF ends one, and nothing else does.
fn lines_of(mut stream: &[u8]) -> Vec<Line> {
    let mut found = Vec::new();
    while let Some(end) = stream.windows(2).position(|pair| pair == b"\r\n") {
        let too_long = end + 2 > MAX_LINE;
        found.push(if too_long { Line::TooLong } else { Line::Complete(stream[..end].to_vec()) });
        stream = &stream[end + 2..];
    }
    found
}
