//! Inputs that are made to cost much: each kind at n, 2n and 4n.

use std::collections::BTreeMap;
use std::hint::black_box;

use sms_relay::mail;
use sms_relay::mail::Headers;
use sms_relay::model::{Client, Door};
use sms_relay::pattern::Pattern;
use sms_relay::text::{Fitting, Keep, Split, Transliteration, fit};
use sms_relay::wording::{Distilling, Groups, Source, Template, Wording, addressed};

/// n of the mails: repetitions.
const MAILS: usize = 5_000;
/// n of texts to distil: octets, about.
const TEXTS: usize = 100_000;
/// n of texts to fit: octets, about. Beyond 255 parts they are cut without a look at the rest.
const WORDS: usize = 100_000;

/// n of texts for templates: octets, about. They see no more than 64 KiB.
const TEMPLATES: usize = 15_000;

pub(crate) struct Case {
    /// Size of the input.
    pub octets: usize,
    pub run: Box<dyn FnMut()>,
}

/// Makes the case with so many times n.
pub(crate) type Kind = Box<dyn Fn(usize) -> Case>;

pub(crate) fn kinds() -> Vec<(String, Kind)> {
    let mut kinds: Vec<(String, Kind)> = Vec::new();
    for (name, make) in mails() {
        let kind = move |times| {
            let mail = make(times * MAILS);
            Case { octets: mail.len(), run: Box::new(move || drop(black_box(mail::read(black_box(&mail))))) }
        };
        kinds.push((format!("mail: {name}"), Box::new(kind)));
    }
    for (name, make) in texts() {
        let kind = move |times| {
            let text = make(times * TEXTS);
            let distilling = every_step();
            let run = move || drop(black_box(distilling.distill(black_box(&text))));
            Case { octets: make(times * TEXTS).len(), run: Box::new(run) }
        };
        kinds.push((format!("distill: {name}"), Box::new(kind)));
    }
    for (name, piece) in [
        ("to: lines", "to: +393471234567\n"),
        ("to: one line", "+393471234567, "),
        ("text: lines", "text: x\n"),
    ] {
        let kind = move |times| {
            let begin = if piece.contains(':') { "" } else { "to: " };
            let text = begin.to_owned() + &piece.repeat(times * TEXTS / piece.len());
            Case {
                octets: text.len(),
                run: Box::new(move || drop(black_box(addressed::read(black_box(&text))))),
            }
        };
        kinds.push((format!("addressed: {name}"), Box::new(kind)));
    }
    for (name, fitting, piece) in words() {
        let kind = move |times| {
            let text = format!("x{}x", piece.repeat(times * WORDS / piece.len()));
            let (octets, fitting) = (text.len(), fitting.clone());
            Case { octets, run: Box::new(move || drop(black_box(fit(black_box(&text), &fitting)))) }
        };
        kinds.push((format!("fit: {name}"), Box::new(kind)));
    }
    for source in [
        "{{ text | first_line }}",
        "{{ text | match('(\\w+\\s?)+$') }}",
        "{{ text | gsm | mask_digits | shorten(9) }}",
        "{% for a in text %}{{ a }}{% endfor %}",
    ] {
        // What this build does not have costs nothing.
        if let Ok(template) = Template::new(source) {
            kinds.push((
                format!("template: `{}`", source.replace('|', "\\|")),
                Box::new(move |times| rendering(&template, times)),
            ));
        }
    }
    kinds
}

type Make = Box<dyn Fn(usize) -> Vec<u8>>;

fn mails() -> Vec<(&'static str, Make)> {
    fn kind(make: impl Fn(usize) -> String + 'static) -> Make {
        Box::new(move |n| make(n).into_bytes())
    }
    /// Behind `top` a piece n times.
    fn many(top: &'static str, piece: &'static str) -> Make {
        kind(move |n| top.to_owned() + &piece.repeat(n))
    }
    const MULTI: &str = "Content-Type: multipart/mixed; boundary=b\n\n";
    const HTML: &str = "Content-Type: text/html; charset=utf-8\n\n";
    const PLAIN: &str = "Subject: x\n\n";
    vec![
        ("parts", many(MULTI, "--b\nContent-Type: image/png\n\nx\n")),
        (
            "parts with names",
            many(
                MULTI,
                "--b\nContent-Disposition: attachment; filename*0=a; filename*1=\"=?utf-8?q?b?=\"\n\nx\n",
            ),
        ),
        ("text parts", many(MULTI, "--b\n\nx\n")),
        (
            "nested multiparts",
            kind(|n| {
                (0..n).map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n")).collect()
            }),
        ),
        (
            "boundaries that are never used",
            kind(|n| {
                MULTI.to_owned()
                    + &(0..n)
                        .map(|i| format!("--b\nContent-Type: multipart/mixed; boundary=x{i}\n\n"))
                        .collect::<String>()
            }),
        ),
        ("lines like boundaries", many(MULTI, "--bb\n--\n--b-\n")),
        (
            "nested messages",
            many("Content-Type: multipart/mixed; boundary=b\n\n--b\n", "Content-Type: message/rfc822\n\n"),
        ),
        ("fields", many("Subject: x\n", "X-A: b\n")),
        ("odd header lines", many("Subject: x\n", "no field\nX-A: b\n")),
        ("folds", many("Subject: x\n", " y\n")),
        ("encoded words", kind(|n| format!("Subject: {}\n\n", "=?utf-8?q?=C3=A8?= ".repeat(n)))),
        ("encoded words that never end", kind(|n| format!("Subject: {}\n\n", "=?utf-8?q?".repeat(n)))),
        (
            "parameters",
            kind(|n| {
                format!(
                    "Content-Type: text/plain{}\n\nx",
                    (0..n).map(|i| format!("; a*{i}=b")).collect::<String>()
                )
            }),
        ),
        ("open tags", many(HTML, "<a b=\"<!--<style>")),
        ("nested tags", many(HTML, "<div>x")),
        ("hidden elements", many(HTML, "<div style=\"display:none\">x")),
        ("hidden elements, closed", many(HTML, "<span hidden>x</span>")),
        ("closing tags", many(HTML, "</div></td>")),
        ("comments that never end", many(HTML, "<!-- x")),
        ("scripts that never end", many(HTML, "<script>x<style>")),
        ("entities", many(HTML, "&nGt;&amp&#x1F525;&bogus")),
        ("cells", many(HTML, "<tr><td>x</td><td>y</td></tr>")),
        ("links", many(HTML, "<a href=\"https://x.example/\">x</a>")),
        ("links that never end", many(HTML, "<a href=\"x\">")),
        ("uuencode begins", many(PLAIN, "begin 644 x\n")),
        ("uuencode begins with a line", many(PLAIN, "begin 644 x\n#0V%T\n")),
        ("quoted-printable", many("Content-Transfer-Encoding: quoted-printable\n\n", "=C3=A8=\n=")),
        ("base64", many("Content-Transfer-Encoding: base64\n\n", "w6gK\n=")),
        ("flowed quotes", many("Content-Type: text/plain; format=flowed\n\n", "> a \n>> b \n")),
        ("one flowed quote", many("Content-Type: text/plain; format=flowed\n\n", ">")),
        ("ISO-2022-JP", many("Content-Type: text/plain; charset=iso-2022-jp\n\n", "\u{1b}$B7Y\u{1b}(B ")),
        ("UTF-7", many("Content-Type: text/plain; charset=utf-7\n\n", "+AOk-+")),
        ("undeclared octets", Box::new(|n| [PLAIN.as_bytes(), &b"\xe8 ".repeat(n)].concat())),
        ("blank lines", many(PLAIN, " \r\r\n")),
        ("blank lines in front", kind(|n| "\n".repeat(n) + "Subject: x\n\ny")),
    ]
}

/// Every step, as a route may have them.
fn every_step() -> Distilling {
    Distilling {
        link_targets: true,
        addressed_lines: true,
        end_mark: Some("$$$".to_owned()),
        quotes: true,
        signature: true,
        disclaimers: ["(?s)confidential .* sender", "x+y"].map(|source| Pattern::new(source).unwrap()).into(),
        tracking_links: true,
        blank_space: true,
    }
}

type Text = Box<dyn Fn(usize) -> String>;

fn texts() -> Vec<(&'static str, Text)> {
    /// Between two words a piece until there are n octets.
    fn many(piece: &'static str) -> Text {
        Box::new(move |n| format!("begin\n{}\nend", piece.repeat(n / piece.len())))
    }
    vec![
        ("ordinary words", many("Room 1: temperature 41 C, limit 30 C.\n")),
        ("quotes", many("> x\n")),
        ("quotes and own lines", many("> x\ny\n")),
        ("one deep quote", many(">")),
        ("attributions", many("On Mon, 1 Jan 2024, Ada wrote:\n")),
        ("attributions over lines", many("On Mon, 1 Jan 2024, Ada\n")),
        ("ends of attributions", many("Ada <a@b.example> wrote:\n")),
        ("original messages", many("-----Original Message-----\nFrom: x\n")),
        ("signatures", many("-- \n")),
        ("signatures with lines", many("-- \nups1\n")),
        ("links", many("https://x.example/?utm_source=m&id=7 ")),
        ("one long link", Box::new(|n| format!("https://x.example/?{}", "utm_source=m&a=b&".repeat(n / 17)))),
        ("beginnings of links", many("https://")),
        ("links in links", many("https://x.example/?u=")),
        ("to: lines", many("to: 1\n")),
        ("to: and text: lines", many("to: 1\ntext: x\n")),
        ("beginnings of an end mark", many("$$ ")),
        ("beginnings of a disclaimer", many("confidential ")),
        ("disclaimers that are found", many("xxxxxxxxy ")),
        ("blanks", many(" \t")),
        ("blank lines", many("\n \n")),
        ("CR", many("\r")),
    ]
}

fn words() -> Vec<(&'static str, Fitting, &'static str)> {
    let three = Fitting::in_parts(3);
    let most = Fitting::in_parts(255);
    let off = Fitting { transliteration: Transliteration::Off, ..three.clone() };
    let always = Fitting { transliteration: Transliteration::Always, ..three.clone() };
    let end = Fitting { keep: Keep::End, ..three.clone() };
    let messages = Fitting { split: Split::Messages, ..most.clone() };
    let values: BTreeMap<String, String> =
        [("n", "Ada".to_owned()), ("e", String::new()), ("l", "ж".repeat(100))]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
    let placeholders = Fitting { placeholders: values, ..three.clone() };
    vec![
        ("words", three.clone(), "word "),
        ("one word", three.clone(), "x"),
        ("combining marks", off.clone(), "\u{301}"),
        ("accented letters", three.clone(), "e\u{301}"),
        ("accented letters, always", always.clone(), "o\u{30b}"),
        ("emoji", three.clone(), "🔥"),
        ("emoji, always", always.clone(), "🔥"),
        ("one emoji", off.clone(), "👨\u{200D}"),
        ("flags", three.clone(), "🇮"),
        ("foreign letters", three.clone(), "ж a"),
        ("foreign letters, always", always.clone(), "警"),
        ("typographic", three.clone(), "“ő”… "),
        ("extension characters", three, "€"),
        ("spaces", off, " \n"),
        ("words, the end kept", end.clone(), "word "),
        ("emoji, the end kept", end.clone(), "🔥"),
        ("combining marks, the end kept", end, "\u{301}"),
        ("words in 255 parts", most, "word "),
        ("words in messages", messages.clone(), "word "),
        ("emoji in messages", messages, "🔥"),
        ("placeholders", placeholders.clone(), "{n} "),
        ("empty placeholders", placeholders.clone(), "{e}"),
        ("long placeholders", placeholders.clone(), "{l}"),
        ("braces", placeholders, "{"),
    ]
}

fn rendering(template: &Template, times: usize) -> Case {
    let text = "word 12 word\n".repeat(times * TEMPLATES / 13);
    let octets = text.len();
    let wording = Wording {
        distilling: Distilling::default(),
        template: template.clone(),
        fitting: Fitting::in_parts(3),
    };
    let client = Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: "10.0.0.7".parse().unwrap(),
        helo: None,
        account: None,
    };
    let received_at = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let run = move || {
        let source = Source {
            subject: "x",
            text: &text,
            text_with_links: None,
            is_mail: true,
            from: "a@b.example",
            from_name: "",
            client: &client,
            headers: Headers::default(),
            attachments: &[],
            received_at: &received_at,
        };
        drop(black_box(wording.compose(black_box(&source), &text, "oncall", &Groups::new())));
    };
    Case { octets, run: Box::new(run) }
}
