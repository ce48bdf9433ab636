//! What a test is given: a mail in a file, a mail as the test writes it, or a form post.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use jiff::Timestamp;

use super::super::doors::Doors;
use super::super::problem::Spot;
use super::super::reader::{Reader, Section, Value};
use super::super::values;
use crate::http;
use crate::intake::{Form, Incoming};
use crate::mail;
use crate::model::{Client, Door, Envelope, EnvelopeRecipient, MailAddress, Notify, Protocol, ReversePath};
use crate::routing::{KnownAccount, KnownListener};

/// Most octets of a mail in a file.
const MAX_MAIL: u64 = 10 << 20;

/// What comes in.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// A mail as the test writes it.
    Mail { envelope: Envelope, bytes: Vec<u8> },
    /// A mail in a file.
    File {
        path: PathBuf,
        /// Where the configuration names it.
        place: Spot,
        /// `MAIL FROM`; the file's own `From:` where it is `None`.
        from: Option<ReversePath>,
        to: Vec<MailAddress>,
    },
    /// A form post.
    Form(Form),
}

impl Given {
    /// Whom it is for: local parts of addresses, and a form's destinations.
    pub(super) fn recipients(&self) -> Vec<String> {
        match self {
            Self::Mail { envelope, .. } => {
                envelope.recipients.iter().map(|to| to.address.local().to_owned()).collect()
            }
            Self::File { to, .. } => to.iter().map(|to| to.local().to_owned()).collect(),
            Self::Form(form) => form.to.clone(),
        }
    }

    /// What `then` makes of it.
    ///
    /// # Errors
    /// A sentence and its place, when the file cannot be read.
    pub(super) fn with_incoming<T>(&self, then: impl FnOnce(Incoming<'_>) -> T) -> Result<T, (Spot, String)> {
        match self {
            Self::Mail { envelope, bytes } => Ok(then(Incoming::Mail { envelope, bytes })),
            Self::Form(form) => Ok(then(Incoming::Form(form))),
            Self::File { path, place, from, to } => {
                let failed = |why: String| (place.clone(), format!("`{}` {why}", path.display()));
                let bytes = content(path).map_err(failed)?;
                let own = || {
                    mail::read(&bytes).from.map_or(ReversePath::Null, |from| ReversePath::Path(from.address))
                };
                let reverse_path = from.clone().unwrap_or_else(own);
                Ok(then(Incoming::Mail { envelope: &envelope(reverse_path, to), bytes: &bytes }))
            }
        }
    }
}

fn content(path: &std::path::Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_MAIL + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_MAIL {
        return Err("is over 10 MiB; cut the mail down to what the rules look at".to_owned());
    }
    Ok(bytes)
}

fn envelope(reverse_path: ReversePath, to: &[MailAddress]) -> Envelope {
    let ascii = match &reverse_path {
        ReversePath::Null => true,
        ReversePath::Path(address) => address.is_ascii(),
    };
    let recipient = |address: &MailAddress| EnvelopeRecipient {
        address: address.clone(),
        notify: Notify::Unspecified,
        orcpt: None,
    };
    Envelope {
        protocol: Protocol::Esmtp,
        smtputf8: !ascii || !to.iter().all(MailAddress::is_ascii),
        reverse_path,
        ret: None,
        envid: None,
        recipients: to.iter().map(recipient).collect(),
    }
}

/// The keys of a test that say what comes in, and in which kind each means something.
const KEYS: [(&str, &[Kind]); 10] = [
    ("mail", &[Kind::File]),
    ("from", &[Kind::File, Kind::Mail]),
    ("header_from", &[Kind::Mail]),
    ("subject", &[Kind::Mail]),
    ("text", &[Kind::Mail, Kind::Form]),
    ("headers", &[Kind::Mail]),
    ("helo", &[Kind::File, Kind::Mail]),
    ("sender", &[Kind::Form]),
    ("deliver_at", &[Kind::Form]),
    ("lane", &[Kind::Form]),
];

/// The kinds of what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Mail,
    Form,
}

/// Reads who hands in what; `None` where that is not clear. Each error is noted.
pub(super) fn read(reader: &Reader, section: &Section, doors: &Doors) -> Option<(Client, Given)> {
    let path = section.optional("mail", |value| values::path(value).map(|path| (path, value.spot())));
    let from = section.optional("from", reverse_path);
    let header_from = section.optional("header_from", line);
    let subject = section.optional("subject", line);
    let text = section.or("text", String::new(), any_text);
    let headers = section.or("headers", Vec::new(), headers);
    let sender = section.optional("sender", values::text);
    let deliver_at = section.optional("deliver_at", deliver_at);
    let lane = section.optional("lane", |value| values::text(value).map(|written| (written, value.clone())));
    let helo = section.optional("helo", line);
    let written_address = section.optional("client", address);
    let address = written_address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let listener = listener(section, doors);
    let account = section.optional("account", |value| values::text(value).map(|name| (name, value.clone())));
    let to = section.value("to");
    if to.is_none() {
        section.error("`to` is missing in [test]; write it like to = \"oncall@sms.local\"".to_owned());
    }
    if section.has("client") && written_address.is_none() {
        return None;
    }

    let listener = listener?;
    let kind = match listener.door {
        Door::Http | Door::Relay => Kind::Form,
        Door::Smtp if section.has("mail") => Kind::File,
        Door::Smtp => Kind::Mail,
    };
    let idle = KEYS.iter().find(|(key, kinds)| section.has(key) && !kinds.contains(&kind));
    if let Some((key, _)) = idle {
        let text = match kind {
            Kind::File => {
                format!("`{key}` means nothing beside `mail`: what the file says counts; remove one of them")
            }
            Kind::Mail => format!(
                "`{key}` belongs to a form post, and listener `{}` takes mail; remove `{key}` or name an HTTP listener",
                listener.name
            ),
            Kind::Form => format!(
                "`{key}` belongs to a mail, and listener `{}` takes form posts; remove `{key}` or name an SMTP listener",
                listener.name
            ),
        };
        reader.error(section.place(key), text);
        return None;
    }
    let written_account = account.is_some();
    let account = match account {
        Some((name, value)) => Some(known_account(doors, listener, &name, &value)?),
        None if kind == Kind::Form && listener.door == Door::Http && !section.has("account") => {
            let lets_in = |known: &&KnownAccount| {
                known.door == Door::Http && known.networks.iter().any(|net| net.contains(&address))
            };
            let found = doors.known_accounts.iter().find(lets_in);
            if found.is_none() && !doors.known_accounts.is_empty() {
                let text = format!(
                    "no [[http.account]] may come from {address}; write another `client` or an `account`"
                );
                reader.error(section.place("client"), text);
            }
            Some(found?)
        }
        None => None,
    };
    let networks = match (kind, account) {
        (Kind::Form, Some(account)) => &account.networks,
        (Kind::Form | Kind::File | Kind::Mail, _) => &listener.networks,
    };
    if !networks.is_empty() && !networks.iter().any(|net| net.contains(&address)) {
        let (what, name) = match (kind, account) {
            (Kind::Form, Some(account)) if written_account => ("account", &account.name),
            (Kind::Form | Kind::File | Kind::Mail, _) => ("listener", &listener.name),
        };
        let text = format!("{what} `{name}` lets nobody in from {address}; write a `client` that it lets in");
        reader.error(section.place("client"), text);
        return None;
    }

    let given = if kind == Kind::Form {
        // One with a mistake of its own may choose nothing, and that is told.
        let account_of = |known: &KnownAccount| doors.accounts.iter().find(|one| one.name == known.name);
        let chooses =
            |known: &KnownAccount| account_of(known).is_some_and(|account| account.may_choose_sender);
        if let Some(account) = account.filter(|account| sender.is_some() && !chooses(account)) {
            let name = &account.name;
            let text = format!(
                "account `{name}` may not choose the sender; remove `sender`, or set may_choose_sender = true for the account"
            );
            reader.error(section.place("sender"), text);
        }
        let lane = match (lane, account.and_then(account_of)) {
            (Some((written, value)), Some(account)) => {
                http::lane(account, &written).map_err(|error| value.error(error.to_string())).ok()
            }
            (None, _) | (_, None) => None,
        };
        let to = values::one_or_more(values::text)(&to?)?;
        Given::Form(Form {
            to,
            text,
            sender,
            deliver_at,
            lane,
            tell_url: None,
            partial: false,
            sender_is_wish: false,
            others: Vec::new(),
        })
    } else {
        let to = values::one_or_more(values::address)(&to?)?;
        match path {
            Some((path, place)) => Given::File { path, place, from, to },
            None if kind == Kind::File => return None,
            None => {
                if !section.has("from") {
                    let text = "`from` is missing in [test]; write it like from = \"ups@example.com\", or \"<>\" for a bounce";
                    section.error(text.to_owned());
                }
                let from = from?;
                let sender = match &from {
                    ReversePath::Null => None,
                    ReversePath::Path(address) => Some(address.to_string()),
                };
                let bytes = bytes(header_from.or(sender), &to, subject, &headers, &text);
                Given::Mail { envelope: envelope(from, &to), bytes }
            }
        }
    };
    let client = Client {
        door: listener.door,
        listener: listener.name.clone(),
        address,
        helo,
        account: account.map(|account| account.name.clone()),
    };
    Some((client, given))
}

/// The listener that the test names, or the first there is; SMTP ones come first.
fn listener<'d>(section: &Section, doors: &'d Doors) -> Option<&'d KnownListener> {
    let known = &doors.known_listeners;
    if !section.has("listener") {
        section.value("listener");
        return known.first();
    }
    section.optional("listener", |value| {
        let name = values::text(value)?;
        known.iter().find(|known| known.name == name).or_else(|| {
            let names: Vec<String> = known.iter().map(|known| format!("\"{}\"", known.name)).collect();
            let (name, names) = (name.escape_debug(), names.join(", "));
            value.fail(format!("there is no listener `{name}`; write one of {names}"))
        })
    })
}

fn known_account<'d>(
    doors: &'d Doors,
    listener: &KnownListener,
    name: &str,
    value: &Value,
) -> Option<&'d KnownAccount> {
    let door = listener.door;
    let found = doors.known_accounts.iter().find(|known| known.name == name && known.door == door);
    found.or_else(|| {
        value.fail(format!(
            "there is no account `{}` that comes through listener `{}`; write the name of a [[{}.account]]",
            name.escape_debug(),
            listener.name,
            door.as_str()
        ))
    })
}

/// A mail in UTF-8 as a modern client writes it (RFC 6532): what it says reaches the rules as it is written.
fn bytes(
    from: Option<String>,
    to: &[MailAddress],
    subject: Option<String>,
    headers: &[(String, String)],
    text: &str,
) -> Vec<u8> {
    let to: Vec<String> = to.iter().map(ToString::to_string).collect();
    let usual = [
        ("From", from),
        ("To", Some(to.join(", "))),
        ("Subject", subject),
        ("MIME-Version", Some("1.0".to_owned())),
        ("Content-Type", Some("text/plain; charset=utf-8".to_owned())),
        ("Content-Transfer-Encoding", Some("8bit".to_owned())),
    ];
    let mut mail = String::new();
    let mut line = |name: &str, value: &str| mail.extend([name, ": ", value, "\r\n"]);
    for (name, value) in usual {
        if let Some(value) = value.filter(|_| !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)))
        {
            line(name, &value);
        }
    }
    for (name, value) in headers {
        line(name, value);
    }
    mail.push_str("\r\n");
    for line in text.lines() {
        mail.extend([line, "\r\n"]);
    }
    mail.into_bytes()
}

fn address(value: &Value) -> Option<IpAddr> {
    let written = values::text(value)?;
    written.parse::<IpAddr>().ok().map(|address| address.to_canonical()).or_else(|| {
        let shown = written.escape_debug();
        value.fail(format!("`{shown}` is not an address; write it like \"192.0.2.7\" or \"2001:db8::7\""))
    })
}

/// As a form has it; TOML's own dates are the same words.
fn deliver_at(value: &Value) -> Option<Timestamp> {
    let item = value.item.get_ref();
    let written = item.as_str().map(str::to_owned).or_else(|| item.as_datetime().map(ToString::to_string));
    let Some(written) = written else { return value.wrong_type("a date with a time") };
    http::deliver_at(&written).map_err(|error| value.error(error.to_string())).ok()
}

fn reverse_path(value: &Value) -> Option<ReversePath> {
    let written = values::text(value)?;
    if written == "<>" {
        return Some(ReversePath::Null);
    }
    MailAddress::parse(&written).map_err(|error| value.error(error.to_string())).ok().map(ReversePath::Path)
}

/// A text on one line.
fn line(value: &Value) -> Option<String> {
    let written = values::text(value)?;
    if written.chars().any(|c| c.is_control() && c != '\t') {
        return value.fail(format!("`{}` is one line; remove what ends it", value.name));
    }
    Some(written)
}

/// A text that may be empty.
fn any_text(value: &Value) -> Option<String> {
    let written = value.item.get_ref().as_str().or_else(|| value.wrong_type("a text in quotes"))?;
    Some(written.to_owned())
}

/// Header fields by name.
fn headers(value: &Value) -> Option<Vec<(String, String)>> {
    let read = value.section()?.entries().into_iter().map(|(name, span, value)| {
        // What a field's name is made of (RFC 5322 section 2.2).
        let good = |b: u8| b.is_ascii_graphic() && b != b':';
        if name.is_empty() || name.len() > 76 || !name.bytes().all(good) {
            let shown = name.escape_debug();
            let text =
                format!("`{shown}` cannot be the name of a header field; write it like \"X-Priority\"");
            value.reader.error(Some(span), text);
            return None;
        }
        let key = match name.to_ascii_lowercase().as_str() {
            "from" => Some("header_from"),
            "subject" => Some("subject"),
            _ => None,
        };
        if let Some(key) = key {
            let text = format!("write `{name}` as `{key}` of the test");
            value.reader.error(Some(span), text);
            return None;
        }
        let written = value.item.get_ref().as_str().or_else(|| value.wrong_type("a text in quotes"))?;
        if written.chars().any(|c| c.is_control() && c != '\t') {
            return value.fail(format!("`{name}` is one line; remove what ends it"));
        }
        Some((name, written.to_owned()))
    });
    // All are read before any is missed, so that every error is noted.
    let read: Vec<Option<(String, String)>> = read.collect();
    read.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to() -> Vec<MailAddress> {
        vec![MailAddress::parse("oncall@sms.local").unwrap(), MailAddress::parse("ufficio@è.it").unwrap()]
    }

    #[test]
    fn what_a_test_writes_is_what_a_mail_says() {
        let from = Some("Centrale è <ups@example.com>".to_owned());
        let own = [("X-Priority".to_owned(), "1".to_owned())];
        let subject = "Perché «no»: it’s – 3 °C 😀";
        let text = "Città\n\n.\nperò\n";
        let bytes = bytes(from, &to(), Some(subject.to_owned()), &own, text);
        let mail = mail::read(&bytes);
        assert_eq!(mail.subject.as_deref(), Some(subject));
        assert_eq!(mail.text.trim(), "Città\n\n.\nperò");
        let from = mail.from.clone().unwrap();
        assert_eq!(
            (from.address.to_string().as_str(), from.name.as_deref()),
            ("ups@example.com", Some("Centrale è"))
        );
        let headers = mail::Headers::of(&mail, &bytes);
        assert_eq!(headers.field("x-priority").as_deref(), Some("1"));
        assert_eq!(headers.field("to").as_deref(), Some("oncall@sms.local, ufficio@è.it"));
    }

    #[test]
    fn a_header_of_the_test_stands_in_place_of_the_usual_one() {
        let html = [("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
        let bytes = bytes(None, &to(), None, &html, "<p>Fire</p><p>Hall</p>");
        let written = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(written.to_lowercase().matches("content-type").count(), 1, "{written}");
        assert!(!written.contains("From:") && !written.contains("Subject:"), "{written}");
        assert!(!mail::read(&bytes).text.contains('<'));
    }

    #[test]
    fn a_mail_with_an_address_that_is_not_ascii_says_so() {
        assert!(envelope(ReversePath::Null, &to()).smtputf8);
        assert!(!envelope(ReversePath::Null, &to()[..1]).smtputf8);
        let foreign = MailAddress::parse("è@example.com").unwrap();
        assert!(envelope(ReversePath::Path(foreign), &to()[..1]).smtputf8);
    }

    /// The reverse path under which a mail in a file comes in, or why it does not.
    fn comes_in(content: Option<&[u8]>, from: Option<ReversePath>) -> Result<ReversePath, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alarm.eml");
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let place = Spot::new("mail", &(0..4), &[]);
        let given = Given::File { path, place, from, to: to() };
        let reverse_path = given.with_incoming(|incoming| match incoming {
            Incoming::Mail { envelope, bytes } => {
                assert_eq!(Some(bytes), content);
                envelope.reverse_path.clone()
            }
            Incoming::Form(_) => panic!("a file is a mail"),
        });
        reverse_path.map_err(|(_, text)| text.replace(&directory.path().display().to_string(), ""))
    }

    #[test]
    fn a_mail_in_a_file_comes_from_its_own_sender_unless_told_otherwise() {
        let mail = b"From: Ups <ups@example.com>\r\n\r\nx\r\n".as_slice();
        let path = |text: &str| ReversePath::Path(MailAddress::parse(text).unwrap());
        assert_eq!(comes_in(Some(mail), None), Ok(path("ups@example.com")));
        assert_eq!(comes_in(Some(mail), Some(path("a@b"))), Ok(path("a@b")));
        assert_eq!(comes_in(Some(mail), Some(ReversePath::Null)), Ok(ReversePath::Null));
        assert_eq!(comes_in(Some(b"Subject: x\r\n\r\n"), None), Ok(ReversePath::Null));
    }

    #[test]
    fn a_file_that_is_missing_or_endless_is_told() {
        let missing = "`/alarm.eml` cannot be read: No such file or directory (os error 2)";
        assert_eq!(comes_in(None, None), Err(missing.to_owned()));
        let too_long = comes_in(Some(&vec![b'x'; 10 * 1024 * 1024 + 1]), None).unwrap_err();
        assert!(too_long.contains("is over 10 MiB"), "{too_long}");
        assert_eq!(comes_in(Some(&vec![b'x'; 10 * 1024 * 1024]), None), Ok(ReversePath::Null));
    }
}
