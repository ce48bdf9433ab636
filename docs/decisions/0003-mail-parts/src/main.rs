//! How mail-parser 0.11.9 takes mails that are made to hurt: `cargo run --release`.
//!
//! Each mail is read in a process of its own, since some end it.

use std::process::Command;
use std::time::Instant;

use mail_parser::{MessageParser, MimeHeaders};

const KINDS: [(&str, &[usize]); 5] = [
    ("unused-boundaries", &[2_500, 5_000, 10_000, 20_000]),
    ("nested-multiparts", &[10_000, 20_000, 40_000]),
    ("nested-messages", &[1_000, 10_000, 100_000, 300_000]),
    ("siblings", &[10_000, 20_000, 40_000]),
    ("unfinished-words", &[10_000, 20_000, 40_000]),
];

/// A mail with `n` of what `kind` names.
fn hostile(kind: &str, n: usize) -> String {
    let head = "Content-Type: multipart/mixed; boundary=b\n\n";
    match kind {
        // Declared by parts that end before any line uses it.
        "unused-boundaries" => {
            let part = |i| format!("--b\nContent-Type: multipart/mixed; boundary=x{i}\n\n");
            format!("{head}{}--b\n\nfound\n", (0..n).map(part).collect::<String>())
        }
        "nested-multiparts" => {
            let level = |i| format!("Content-Type: multipart/mixed; boundary=x{i}\n\n--x{i}\n");
            format!("{}\ndeep\n", (0..n).map(level).collect::<String>())
        }
        "nested-messages" => format!("{}Subject: x\n\ndeep\n", "Content-Type: message/rfc822\n\n".repeat(n)),
        "siblings" => format!("{head}{}--b--\n", "--b\nContent-Type: image/png\n\nx\n".repeat(n)),
        _ => format!("Subject: {}\n\nx\n", "=?utf-8?q?a".repeat(n)),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [kind, n] = arguments.as_slice() {
        let mail = hostile(kind, n.parse().expect("a number"));
        let read = move || {
            let begun = Instant::now();
            let parsed = MessageParser::default().parse(mail.as_bytes());
            drop(parsed);
            println!("{} octets in {:.3} s", mail.len(), begun.elapsed().as_secs_f64());
        };
        // The stack that a thread of tokio has.
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(read);
        thread.expect("a thread starts").join().expect("the library does not panic");
        return;
    }
    let this = std::env::current_exe().expect("this program has a path");
    for (kind, sizes) in KINDS {
        for n in sizes {
            let ran = Command::new(&this).args([kind, &n.to_string()]).output().expect("this program runs");
            let said = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
            println!(
                "{kind} {n}: {}",
                if ran.status.success() { said } else { format!("died: {}", ran.status) }
            );
        }
    }
    let cut = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello";
    let mail = MessageParser::default().parse(cut.as_bytes());
    println!(
        "a mail cut inside its only part: text {:?}, attachments {:?}",
        mail.as_ref().and_then(|m| m.body_text(0)),
        mail.as_ref().map(|m| m
            .attachments()
            .map(|a| a.content_type().map(|c| c.ctype().to_owned()))
            .collect::<Vec<_>>())
    );
    let bare = MessageParser::default().parse(b"just words\nand more\n");
    println!("a mail without headers: {:?}", bare.map(|m| m.body_text(0).map(|t| t.into_owned())));
    for subject in ["=?utf-8?q?Caff=C3?= =?utf-8?q?=A8?=", "x=?utf-8?q?=C3=A8?=y", "Caff\u{e8}"] {
        let mail = format!("Subject: {subject}\n\nx\n");
        let parsed = MessageParser::default().parse(mail.as_bytes());
        println!("subject {subject:?}: {:?}", parsed.and_then(|m| m.subject().map(str::to_owned)));
    }
    let latin = MessageParser::default()
        .parse(b"Subject: Caff\xe8\n\nCaff\xe8\n")
        .map(|m| (m.subject().map(str::to_owned), m.body_text(0).map(|t| t.into_owned())));
    println!("undeclared latin1: {latin:?}");
}
