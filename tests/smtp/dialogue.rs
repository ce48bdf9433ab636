//! The dialogues of this folder and the ways to hold them; `README.md` tells how they are written.

use std::net::Shutdown;

use sms_relay::smtp::Limits;

use crate::relay::{GREETING, Peer, limits};

/// One file of `tests/smtp/`.
pub struct Dialogue {
    /// What the server allows.
    pub limits: Limits,
    turns: Vec<Turn>,
    /// Whether the server closes; else it goes on until the client is done.
    closed: bool,
    /// The mails that come out.
    pub mails: Vec<String>,
}

enum Turn {
    Client(Vec<u8>),
    Server(String),
}

impl Dialogue {
    pub fn read(text: &str) -> Self {
        let mut dialogue = Self { limits: limits(), turns: Vec::new(), closed: false, mails: Vec::new() };
        assert!(text.starts_with("# ") && text.contains("\n# From: "), "no title or no origin");
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "" | "#" => {}
                "limit" => dialogue.limit(rest),
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

    fn limit(&mut self, text: &str) {
        let (name, value) = text.split_once(' ').unwrap();
        let value = value.parse().unwrap();
        match name {
            "message" => self.limits.message_octets = value,
            "recipients" => self.limits.recipients = value,
            "errors" => self.limits.errors = value,
            _ => panic!("no such limit: {name}"),
        }
    }

    fn hello(&mut self) {
        self.turns.push(Turn::Server(GREETING.to_owned()));
        self.turns.push(Turn::Client(b"EHLO client.test\r\n".to_vec()));
        let size = format!("SIZE {}", self.limits.message_octets);
        let lines = ["relay.test", "PIPELINING", &size, "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"];
        self.turns.extend(lines.map(|line| Turn::Server(format!("250-{line}\r\n"))));
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

/// In pieces of `size` octets, without waiting for anything.
pub fn in_pieces(dialogue: &Dialogue, peer: &mut Peer, size: usize) -> String {
    for piece in dialogue.client_octets().chunks(size) {
        peer.send(piece);
    }
    finish(dialogue, peer, String::new())
}

fn finish(dialogue: &Dialogue, peer: &mut Peer, mut heard: String) -> String {
    if !dialogue.closed {
        peer.0.shutdown(Shutdown::Write).unwrap();
    }
    heard.push_str(&peer.rest());
    heard
}
