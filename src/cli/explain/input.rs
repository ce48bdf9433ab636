//! From the arguments to what is explained: a mail with its envelope or a form, and who hands it in when.

use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Zoned;
use mail_parser::{HeaderName, HeaderValue, MessageParser};

use super::super::moment::moment;
use super::Options;
use super::request::{self, Recorded};
use crate::cli::Exit;
use crate::config::Config;
use crate::http::{self, Answered, Api};
use crate::intake::{Form, Incoming};
use crate::mail;
use crate::model::{Client, Door, Envelope, EnvelopeRecipient, MailAddress, Notify, Protocol, ReversePath};
use crate::profile::Action;
use crate::smtp::Auth;

/// Octets of text in one encoded word, which may have 75 characters in all (RFC 2047 section 2).
const ENCODED_WORD: usize = 45;

/// What is explained, and the circumstances.
pub(super) struct Input {
    pub(super) client: Client,
    pub(super) at: Zoned,
    /// Whether the recipients are those of the mail's header.
    pub(super) is_from_header: bool,
    /// The mail or form, or the reply of the door that would not let it in.
    pub(super) asked: Result<Asked, String>,
    /// The API of another gateway that is asked, and its answer where that is known by now.
    pub(super) api: Option<(Api, Option<Answered>)>,
}

/// A mail or a form.
pub(super) enum Asked {
    Mail(Envelope, Vec<u8>),
    Form(Form),
}

impl Asked {
    pub(super) fn incoming(&self) -> Incoming<'_> {
        match self {
            Self::Mail(envelope, bytes) => Incoming::Mail { envelope, bytes },
            Self::Form(form) => Incoming::Form(form),
        }
    }

    pub(super) fn envelope(&self) -> Option<&Envelope> {
        match self {
            Self::Mail(envelope, _) => Some(envelope),
            Self::Form(_) => None,
        }
    }
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    /// The arguments.
    #[error("{0}")]
    Arguments(String),
    /// The mail.
    #[error("{0}")]
    Mail(String),
}

impl Wrong {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Arguments(_) => Exit::Usage,
            Self::Mail(_) => Exit::Data,
        }
    }
}

pub(super) fn read(options: &Options, config: &Config) -> Result<Input, Wrong> {
    let at = moment(options.at.as_deref()).map_err(Wrong::Arguments)?;
    if options.request.is_some() || options.form.is_some() {
        return form(options, config, at);
    }
    let listeners = config.smtp.listeners.iter().map(|listener| listener.name.as_str());
    let name = chosen(options.listener.as_deref(), listeners, "SMTP listener", "[[smtp.listener]]")?;
    let account = match &options.account {
        None => None,
        wanted => {
            let accounts = config.smtp.accounts.iter().map(|account| account.name.as_str());
            Some(chosen(wanted.as_deref(), accounts, "SMTP account", "[[smtp.account]]")?)
        }
    };
    let client = client(Door::Smtp, name, options.client, account);
    let bytes = match &options.mail {
        Some(path) => bytes(path, config.smtp.limits.message_octets, "the mail")?,
        None if options.subject.is_none() && options.text.is_none() => {
            let text = "there is nothing to explain; give a mail as a file, `-` for standard input, --subject or \
                        --text, or --request";
            return Err(Wrong::Arguments(text.to_owned()));
        }
        None => written(options),
    };
    let mail = mail::read(&bytes);
    let reverse_path = match &options.from {
        Some(from) => reverse_path(from)?,
        None => mail.from.as_ref().map_or(ReversePath::Null, |from| ReversePath::Path(from.address.clone())),
    };
    let is_from_header = options.to.is_empty();
    let recipients = match is_from_header {
        true => in_header(&bytes[mail.header_section], config),
        false => options.to.iter().map(|to| recipient(to, config)).collect::<Result<_, _>>()?,
    };
    if recipients.is_empty() {
        let ours = config.routing.first_domain();
        let why = match options.mail {
            Some(_) => "the To: and Cc: fields name nobody who is served here",
            None => "a mail needs a recipient",
        };
        return Err(Wrong::Arguments(format!("{why}; write --to NUMBER@{ours} or --to NAME@{ours}")));
    }
    let listener = config.smtp.listeners.iter().find(|listener| listener.name == client.listener);
    let lets_in = |address: IpAddr| {
        listener.is_some_and(|listener| listener.networks.iter().any(|network| network.contains(&address)))
    };
    let must_authenticate = |listener| config.smtp.policy(listener, client.address).auth == Auth::Required;
    let asked =
        if client.account.is_none() && lets_in(client.address) && listener.is_some_and(must_authenticate) {
            let text = "530 5.7.0 only authenticated clients may send here; name the account by --account";
            Err(text.to_owned())
        } else if lets_in(client.address) {
            let smtputf8 = !recipients.iter().all(MailAddress::is_ascii);
            let named = |address| EnvelopeRecipient { address, notify: Notify::Unspecified, orcpt: None };
            let recipients = recipients.into_iter().map(named).collect();
            let protocol = Protocol::Esmtp;
            Ok(Asked::Mail(
                Envelope { protocol, reverse_path, ret: None, envid: None, smtputf8, recipients },
                bytes,
            ))
        } else {
            let address = client.address;
            Err(format!("554 5.7.1 {address} is in none of the networks that this listener serves"))
        };
    Ok(Input { client, at, is_from_header, asked, api: None })
}

fn form(options: &Options, config: &Config, at: Zoned) -> Result<Input, Wrong> {
    let names = config.http.listeners.iter().map(|listener| listener.name.as_str());
    let name = chosen(options.listener.as_deref(), names, "HTTP listener", "[[http.listener]]")?;
    if options.account.is_some() {
        let accounts = config.accounts.iter().map(|account| account.name.as_str());
        chosen(options.account.as_deref(), accounts, "HTTP account", "[[http.account]]")?;
    }
    let Some(listener) = config.http.listeners.iter().find(|listener| listener.name == name) else {
        return Err(Wrong::Arguments(format!("there is no HTTP listener `{name}`")));
    };
    let line = options.request.as_deref().unwrap_or("POST /sms").trim();
    let recorded = match line.strip_prefix('@') {
        Some(path) => {
            if options.form.is_some() {
                return Err(Wrong::Arguments(
                    "the request in a file has its own body; leave out --form".to_owned(),
                ));
            }
            // A body of the most that is taken, and a head before it.
            let most = config.http.limits.body_octets + http::HEAD_OCTETS;
            let octets = bytes(Path::new(path), most, "the request")?;
            request::parse(&octets)
                .map_err(|error| Wrong::Mail(format!("the request in `{path}` {error}")))?
        }
        None => {
            let (method, target) = request_line(line, options.form.is_some());
            let body = options.form.as_deref().unwrap_or_default().as_bytes().to_vec();
            Recorded { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body }
        }
    };
    let Recorded { method, target, headers, body } = &recorded;
    if method == "GET" && options.form.is_some() {
        let text = "a GET has no body; put the fields behind the `?`, or write --request 'POST /sms'";
        return Err(Wrong::Arguments(text.to_owned()));
    }
    let mut client = client(Door::Http, name, options.client, options.account.clone());
    let asked = http::Asked { method, target, headers, body, account: options.account.as_deref() };
    let (asked, api) = match http::preview(listener, &config.accounts, client.address, &asked) {
        Ok(preview) => {
            client.account = Some(preview.account);
            let form = preview.form.ok_or_else(|| sends_nothing(preview.api.as_ref()))?;
            (Ok(Asked::Form(form)), preview.api.map(|api| (api, None)))
        }
        Err(refused) => {
            let said = match refused.api.as_deref() {
                Some((_, answered)) => said(answered, &refused.reason),
                None => refused.to_string(),
            };
            let said = match refused.note {
                Some(note) => format!("{said} ({note})"),
                None => said,
            };
            let api = refused.api.map(|both| *both);
            (Err(said), api.map(|(api, answered)| (api, Some(answered))))
        }
    };
    Ok(Input { client, at, is_from_header: false, asked, api })
}

/// A refusal in the words of another gateway's API, what they mean, and why they are said.
pub(super) fn said(answered: &Answered, reason: &str) -> String {
    let body = answered.body.trim();
    let gap = if body.is_empty() { "" } else { " " };
    format!("{}{gap}{body} ({}: {reason})", answered.status, answered.outcome.as_str())
}

/// That a request is understood, and sends nothing.
fn sends_nothing(api: Option<&Api>) -> Wrong {
    let (path, profile) = api.map_or(("", ""), |api| (api.path(), api.profile()));
    let does = match api.map(Api::action) {
        Some(Action::Login) => "begins a session",
        Some(Action::Status) => "asks what became of an SMS",
        Some(Action::Webhook(_)) => "wants nothing sent by its `when`",
        Some(Action::Send) | None => "asks for nothing",
    };
    let path = path.escape_debug();
    Wrong::Arguments(format!("this request to `{path}` of {profile} {does}; only what sends is explained"))
}

/// Method and target of `GET /sms?to=.. HTTP/1.1`, of which only the target must be there.
fn request_line(line: &str, has_body: bool) -> (&str, &str) {
    let is_method = |word: &str| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_uppercase());
    let usual = if has_body { "POST" } else { "GET" };
    let (method, rest) = line.split_once(' ').filter(|(word, _)| is_method(word)).unwrap_or((usual, line));
    let target = match rest.rsplit_once(' ') {
        Some((target, version)) if version.starts_with("HTTP/") => target,
        Some(_) | None => rest,
    };
    (method, target.trim())
}

fn client(door: Door, listener: String, address: IpAddr, account: Option<String>) -> Client {
    Client { door, listener, address: address.to_canonical(), helo: None, account }
}

/// The name that is wanted, or the first one.
fn chosen<'a>(
    wanted: Option<&str>,
    known: impl Iterator<Item = &'a str>,
    what: &str,
    section: &str,
) -> Result<String, Wrong> {
    let known: Vec<&str> = known.collect();
    match (wanted, known.first()) {
        (_, None) => {
            Err(Wrong::Arguments(format!("the configuration has no {what}; write one as {section}")))
        }
        (None, Some(first)) => Ok((*first).to_owned()),
        (Some(wanted), _) if known.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => {
            let (wanted, known) = (wanted.escape_debug(), known.join(", "));
            Err(Wrong::Arguments(format!("there is no {what} `{wanted}`; the configuration has {known}")))
        }
    }
}

/// What is in a file, or on standard input.
fn bytes(path: &Path, limit: usize, what: &str) -> Result<Vec<u8>, Wrong> {
    let is_stdin = path.as_os_str() == "-";
    let shown = if is_stdin { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    let failed = |error: std::io::Error| Wrong::Mail(format!("{what} in {shown} cannot be read: {error}"));
    let source: Box<dyn Read> = match is_stdin {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(path).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        let text = format!("{what} in {shown} has more than {limit} octets, and no larger one is taken");
        return Err(Wrong::Mail(text));
    }
    Ok(bytes)
}

/// A mail of subject and text as they are given.
fn written(options: &Options) -> Vec<u8> {
    let mut mail = String::new();
    if let Some(from) = options.from.as_deref().filter(|from| *from != "<>") {
        mail += &format!("From: {}\r\n", in_brackets(from));
    }
    if let Some(subject) = &options.subject {
        mail += &format!("Subject: {}\r\n", encoded(subject));
    }
    let text = options.text.as_deref().unwrap_or_default().replace("\r\n", "\n").replace('\n', "\r\n");
    mail += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
    mail += &text;
    mail += "\r\n";
    mail.into_bytes()
}

/// An address between brackets, and nothing that could begin another field.
fn in_brackets(address: &str) -> String {
    let address = address.trim_start_matches('<').trim_end_matches('>');
    format!("<{}>", address.replace(char::is_control, ""))
}

/// Words as a field's value: as they are where that is a line of ASCII, otherwise as encoded words.
fn encoded(words: &str) -> String {
    let is_plain = words.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    if is_plain && words.len() <= 900 && !words.contains("=?") && words.trim() == words {
        return words.to_owned();
    }
    let mut rest = words;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(ENCODED_WORD));
        found.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    found.join("\r\n ")
}

fn reverse_path(written: &str) -> Result<ReversePath, Wrong> {
    if written.trim() == "<>" {
        return Ok(ReversePath::Null);
    }
    let address = MailAddress::parse(bare(written));
    address.map(ReversePath::Path).map_err(|error| Wrong::Arguments(format!("--from: {error}; or write <>")))
}

/// A recipient; a number or a name alone is one of our first domain.
fn recipient(written: &str, config: &Config) -> Result<MailAddress, Wrong> {
    let written = bare(written);
    let address = match written.contains('@') {
        true => MailAddress::parse(written),
        false => MailAddress::new(written, config.routing.first_domain()),
    };
    address.map_err(|error| Wrong::Arguments(format!("--to: {error}")))
}

fn bare(written: &str) -> &str {
    let written = written.trim();
    written.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(written)
}

/// The addresses in `To:` and `Cc:` that are ours, each once.
fn in_header(section: &[u8], config: &Config) -> Vec<MailAddress> {
    let mut found = Vec::new();
    let Some(message) = MessageParser::default().parse_headers(section) else { return found };
    for header in message.headers() {
        if !matches!(header.name, HeaderName::To | HeaderName::Cc) {
            continue;
        }
        let HeaderValue::Address(addresses) = &header.value else { continue };
        for address in addresses.iter().filter_map(|one| one.address()) {
            let ours = |address: &MailAddress| {
                let domain = address.domain();
                config.routing.serves(domain) || domain.eq_ignore_ascii_case(&config.intake.hostname)
            };
            match MailAddress::parse(address) {
                Ok(address) if ours(&address) && !found.contains(&address) => found.push(address),
                Ok(_) | Err(_) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_may_leave_out_what_is_usual() {
        assert_eq!(request_line("GET /sms?to=a HTTP/1.1", false), ("GET", "/sms?to=a"));
        assert_eq!(request_line("POST /sms", true), ("POST", "/sms"));
        assert_eq!(
            request_line("http://relay/sms?to=a&text=b", false),
            ("GET", "http://relay/sms?to=a&text=b")
        );
        assert_eq!(request_line("/sms", true), ("POST", "/sms"));
        assert_eq!(request_line("/sms?text=Door 3", false), ("GET", "/sms?text=Door 3"));
    }

    #[test]
    fn a_subject_comes_back_as_it_was_given() {
        let long = "è’😀 ".repeat(60);
        for subject in ["Toner low", "Störung: Drucker 3F", "=?utf-8?Q?x?=", long.trim(), &"x".repeat(2000)]
        {
            let mail = format!("Subject: {}\r\n\r\n", encoded(subject));
            assert!(mail.lines().all(|line| line.len() <= 998), "{mail}");
            assert_eq!(mail::read(mail.as_bytes()).subject.as_deref(), Some(subject));
        }
        // A line end cannot begin another field.
        let mail = format!("Subject: {}\r\n\r\n", encoded("a\r\nFrom: b@c"));
        assert_eq!(mail::read(mail.as_bytes()).from, None);
    }
}
