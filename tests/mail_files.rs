//! Mails as real senders write them, in `tests/mails/` (`README.md` there tells how they are kept): what
//! is extracted, what the default steps leave of it, and the SMS that is made, each in full.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a helper of tests may panic and print, too")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use similar::TextDiff;
use sms_relay::mail::{self, Headers};
use sms_relay::model::{Client, Door, Encoding};
use sms_relay::text::measure;
use sms_relay::wording::{Groups, Source, Wording};

/// As many pairs as there must be.
const FEWEST: usize = 60;
/// Most parts of an SMS.
const PARTS: u32 = 3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mails")
}

/// The names of the files that end so, without the ending.
fn names(extension: &str) -> BTreeSet<String> {
    fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// The sections of one mail, as its `.txt` must have them.
fn outcome(octets: &[u8]) -> String {
    let mail = mail::read(octets);
    let from = mail.from.as_ref().map_or_else(String::new, |sender| sender.address.to_string());
    let from_name = mail.from.as_ref().and_then(|sender| sender.name.as_deref()).unwrap_or_default();
    let client = Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        helo: None,
        account: None,
    };
    let source = Source {
        subject: mail.subject.as_deref().unwrap_or_default(),
        text: &mail.text,
        text_with_links: mail.text_with_links.as_deref(),
        is_mail: true,
        from: &from,
        from_name,
        client: &client,
        headers: Headers::new(&octets[mail.header_section.clone()]),
        attachments: &mail.attachments,
        received_at: &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC),
    };
    let wording = Wording::in_parts(PARTS);
    let distilled = wording.distill(&source);
    let composed = wording.compose(&source, &distilled.text, "oncall", &Groups::new());
    assert_eq!(composed.template_problem, None);

    let mut out = String::new();
    if let Some(subject) = &mail.subject {
        writeln!(out, "subject: {subject}").unwrap();
    }
    match (from.as_str(), from_name) {
        ("", _) => {}
        (address, "") => writeln!(out, "from: {address}").unwrap(),
        (address, name) => writeln!(out, "from: {name} <{address}>").unwrap(),
    }
    if !mail.attachments.is_empty() {
        let named = |it: &mail::Attachment| it.name.clone().unwrap_or_else(|| it.media_type.clone());
        let list: Vec<String> = mail.attachments.iter().map(named).collect();
        writeln!(out, "attachments: {}", list.join(", ")).unwrap();
    }
    out.push_str("extracted:\n");
    push_lines(&mut out, &mail.text);
    if distilled.text != mail.text {
        out.push_str("distilled:\n");
        push_lines(&mut out, &distilled.text);
    }
    if composed.texts.is_empty() {
        out.push_str("sms: nothing\n");
    }
    for sms in &composed.texts {
        let encoding = match sms.encoding {
            Encoding::Gsm7 => "gsm7",
            Encoding::Ucs2 => "ucs2",
        };
        let units = measure(&sms.body).units;
        let s = if sms.parts == 1 { "" } else { "s" };
        writeln!(out, "sms: {encoding}, {units} units, {} part{s}", sms.parts).unwrap();
        push_lines(&mut out, &sms.body);
    }
    out
}

/// The text and a line end, nothing for the empty text.
fn push_lines(out: &mut String, text: &str) {
    if !text.is_empty() {
        out.push_str(text);
        out.push('\n');
    }
}

/// The lines that differ, with what an eye does not see in them escaped.
fn difference(expected: &str, found: &str) -> String {
    let diff = TextDiff::from_lines(expected, found);
    let mut shown = String::new();
    for line in diff.unified_diff().context_radius(1).header("expected", "found").to_string().lines() {
        for character in line.chars() {
            let visible = !character.is_control() && (character == ' ' || !character.is_whitespace());
            if visible && !('\u{200B}'..='\u{200F}').contains(&character) {
                shown.push(character);
            } else {
                shown.extend(character.escape_unicode());
            }
        }
        shown.push('\n');
    }
    shown
}

#[test]
fn each_mail_gives_the_words_that_its_reader_needs() {
    let bless = std::env::var_os("BLESS").is_some();
    let mails = names("eml");
    let mut wrong = Vec::new();
    for name in &mails {
        println!("reading {name}.eml");
        let found = outcome(&fs::read(folder().join(format!("{name}.eml"))).unwrap());
        let path = folder().join(format!("{name}.txt"));
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if found == expected {
            continue;
        }
        wrong.push(format!("{name}\n{}", difference(&expected, &found)));
        if bless {
            fs::write(&path, found).unwrap();
        }
    }
    let done = if bless { "; they are written anew, read each" } else { "" };
    assert!(
        wrong.is_empty(),
        "{} of {} mails differ{done}:\n\n{}",
        wrong.len(),
        mails.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_mail_has_its_expectation_and_arrives_as_smtp_brings_it() {
    let (mails, texts) = (names("eml"), names("txt"));
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(mails.difference(&texts).map(|name| format!("{name}.eml has no {name}.txt")));
    wrong.extend(texts.difference(&mails).map(|name| format!("{name}.txt has no {name}.eml")));
    for name in &mails {
        let octets = fs::read(folder().join(format!("{name}.eml"))).unwrap();
        let bare = (0..octets.len()).find(|&i| octets[i] == b'\n' && (i == 0 || octets[i - 1] != b'\r'));
        if let Some(at) = bare {
            let line = octets[..at].iter().filter(|&&octet| octet == b'\n').count() + 1;
            wrong.push(format!("{name}.eml has a bare LF at the end of line {line}; write CRLF"));
        }
    }
    if mails.len() < FEWEST {
        wrong.push(format!("only {} mails, there must be {FEWEST}", mails.len()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
