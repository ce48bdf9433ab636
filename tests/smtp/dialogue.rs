//! The dialogues of this folder and the ways to hold them; `README.md` tells how they are written.

use std::net::Shutdown;

use sms_relay::smtp::auth::Mechanism;
use sms_relay::smtp::{Auth, Limits, Profile, Settings, Tls};

use crate::certificate::certificate;
use crate::relay::{CLIENT, GREETING, Peer, limits, settings};

/// One file of `tests/smtp/`.
pub struct Dialogue {
    /// What the server allows.
    pub limits: Limits,
    /// What it forgives.
    pub profile: Profile,
    pub auth: Auth,
    /// Whether AUTH is for those without TLS, too.
    pub in_clear: bool,
    /// What AUTH is narrowed to.
    pub mechanisms: Option<Vec<Mechanism>>,
    /// Whether STARTTLS is possible.
    pub starttls: bool,
    turns: Vec<Turn>,
    /// Whether the server closes; else it goes on until the client is done.
    pub closed: bool,
    /// The mails that come out.
    pub mails: Vec<String>,
}

enum Turn {
    Client(Vec<u8>),
    Server(String),
}

impl Dialogue {
    pub fn read(text: &str) -> Self {
        let mut dialogue = Self {
            limits: limits(),
            profile: Profile::default(),
            auth: Auth::Off,
            in_clear: false,
            mechanisms: None,
            starttls: false,
            turns: Vec::new(),
            closed: false,
            mails: Vec::new(),
        };
        assert!(text.starts_with("# ") && text.contains("\n# From: "), "no title or no origin");
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "" | "#" => {}
                "limit" | "profile" | "auth" | "mechanisms" | "in-clear" | "starttls" => {
                    dialogue.setting(word, rest)
                }
                "C:" => dialogue.turns.push(Turn::Client([unescape(rest), b"\r\n".to_vec()].concat())),
                "c:" => dialogue.turns.push(Turn::Client(unescape(rest))),
                "S:" => dialogue.turns.push(Turn::Server(format!("{rest}\r\n"))),
                "hello" => dialogue.hello(),
                "closed" => dialogue.closed = true,
                "mail:" => dialogue.mails.push(rest.to_owned()),
                _ => panic!("no such line: {line}"),
            }
        }
        dialogue
    }

    /// What the listener is told.
    pub fn settings(&self) -> Settings {
        let mut settings = settings(self.limits, &["127.0.0.0/8"]);
        let listener = &mut settings.listeners[0];
        (listener.profile, listener.auth) = (self.profile, self.auth);
        listener.auth_without_tls = self.in_clear;
        listener.auth_mechanisms.clone_from(&self.mechanisms);
        if self.starttls {
            listener.tls = Tls::StartTls(certificate().identity());
        }
        settings
    }

    fn setting(&mut self, word: &str, value: &str) {
        assert!(self.turns.is_empty(), "`{word} {value}` must stand before the dialogue");
        match (word, value) {
            ("limit", limit) => self.limit(limit),
            ("profile", switches) => {
                for switch in switches.split(',') {
                    self.profile = match switch {
                        "appliance" => Profile::APPLIANCE,
                        _ => self.profile.with(switch).unwrap_or_else(|| panic!("no switch {switch}")),
                    };
                }
            }
            ("auth", "offered") => self.auth = Auth::Offered,
            ("auth", "required") => self.auth = Auth::Required,
            ("mechanisms", names) => {
                let named = names.split(',').map(|name| Mechanism::from_name(name).unwrap());
                self.mechanisms = Some(named.collect());
            }
            ("in-clear", "") => self.in_clear = true,
            ("starttls", "") => self.starttls = true,
            _ => panic!("no such setting: {word} {value}"),
        }
    }

    fn limit(&mut self, text: &str) {
        let (name, value) = text.split_once(' ').unwrap();
        let value: usize = value.parse().unwrap();
        let Limits { per_connection, per_minute, .. } = &mut self.limits;
        let allotted = match name {
            "message" => return self.limits.message_octets = value,
            "memory" => return self.limits.memory_octets = value,
            "recipients" => return self.limits.recipients = value,
            "errors" => return self.limits.errors = value,
            "auth-failures" => return self.limits.auth_failures = value,
            "per-connection-messages" => &mut per_connection.messages,
            "per-connection-recipients" => &mut per_connection.recipients,
            "per-connection-octets" => &mut per_connection.octets,
            "per-minute-messages" => &mut per_minute.messages,
            "per-minute-recipients" => &mut per_minute.recipients,
            "per-minute-octets" => &mut per_minute.octets,
            _ => panic!("no such limit: {name}"),
        };
        *allotted = Some(value as u64);
    }

    fn hello(&mut self) {
        self.turns.push(Turn::Server(GREETING.to_owned()));
        self.turns.push(Turn::Client(format!("EHLO {CLIENT}\r\n").into_bytes()));
        let size = format!("SIZE {}", self.limits.message_octets);
        let limits = match self.limits.per_connection.messages {
            Some(messages) => format!("LIMITS MAILMAX={messages} RCPTMAX={}", self.limits.recipients),
            None => format!("LIMITS RCPTMAX={}", self.limits.recipients),
        };
        let mut lines =
            vec!["relay.test", "PIPELINING", &size, "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"];
        lines.extend(["DSN", "CHUNKING", &limits]);
        if self.starttls && !self.profile.hide_starttls {
            lines.push("STARTTLS");
        }
        if self.auth != Auth::Off && self.in_clear {
            lines.push("AUTH PLAIN LOGIN CRAM-MD5");
        }
        self.turns.extend(lines.iter().map(|line| Turn::Server(format!("250-{line}\r\n"))));
        self.turns.push(Turn::Server("250 HELP\r\n".to_owned()));
    }

    pub fn client_octets(&self) -> Vec<u8> {
        let octets = self.turns.iter().filter_map(|turn| match turn {
            Turn::Client(octets) => Some(octets.as_slice()),
            Turn::Server(_) => None,
        });
        octets.collect::<Vec<_>>().concat()
    }

    pub fn server_text(&self) -> String {
        let text = self.turns.iter().filter_map(|turn| match turn {
            Turn::Client(_) => None,
            Turn::Server(line) => Some(line.as_str()),
        });
        text.collect()
    }
}

/// `\r \n \0 \\ \xHH`, and `\{x*12}` for twelve times `x`.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        octets.extend(plain.bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "r" => octets.push(b'\r'),
            "n" => octets.push(b'\n'),
            "0" => octets.push(0),
            "\\" => octets.push(b'\\'),
            "x" => {
                octets.push(u8::from_str_radix(&after[..2], 16).unwrap());
                rest = &after[2..];
            }
            "{" => {
                let (repeat, after) = after.split_once('}').unwrap();
                let (unit, times) = repeat.rsplit_once('*').unwrap();
                octets.extend(unescape(unit).repeat(times.parse().unwrap()));
                rest = after;
            }
            _ => panic!("no such escape: \\{kind}"),
        }
    }
    octets.extend(rest.bytes());
    octets
}

/// Line by line: each reply is awaited before the client goes on.
pub fn step_by_step(dialogue: &Dialogue, peer: &mut Peer) -> String {
    let mut heard = String::new();
    for turn in &dialogue.turns {
        match turn {
            Turn::Client(octets) => peer.send(octets),
            Turn::Server(line) => {
                peer.expect(line);
                heard.push_str(line);
            }
        }
    }
    finish(dialogue, peer, heard)
}

/// In pieces, without waiting for anything.
pub fn in_pieces<'a>(
    dialogue: &Dialogue,
    peer: &mut Peer,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> String {
    pieces.into_iter().for_each(|piece| peer.send(piece));
    finish(dialogue, peer, String::new())
}

fn finish(dialogue: &Dialogue, peer: &mut Peer, mut heard: String) -> String {
    if !dialogue.closed {
        peer.0.shutdown(Shutdown::Write).unwrap();
    }
    heard.push_str(&peer.rest());
    heard
}
