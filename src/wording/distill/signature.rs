//! Signatures: what stands behind `-- `, and the line with which a phone says that it is one.
//!
//! The mark stands alone on its line (RFC 3676 section 4.3); its trailing blank is often lost on the way.
//! The last one counts, and only when at most 15 lines and 1,000 characters follow: more than that is no
//! signature. A rule of dashes is longer than the mark; an option such as `--force` doesn't stand alone.

use super::edit::Edit;
use super::words::{lines, says_nothing};

/// Most lines behind the mark.
const MAX_LINES: usize = 15;
/// Most characters behind the mark.
const MAX_CHARACTERS: usize = 1000;
/// Most octets behind it, with lines of blanks.
const MAX_OCTETS: usize = 4 * MAX_CHARACTERS + 100;
/// Most lines of a phone or app at the end.
const MAX_FOOTERS: usize = 2;
/// Most octets of such a line, with a link behind it.
const MAX_FOOTER: usize = 200;

/// Most words of one: with more it says more.
const MAX_WORDS: usize = 8;

/// How such lines begin, in lower case. None has a word of an alert in it, and what follows must name one of
/// [`DEVICES`].
const FOOTERS: &[&str] = &[
    "sent from",
    "sent with",
    "sent via",
    "get outlook for",
    "inviato da",
    "scarica outlook per",
    "ottieni outlook per",
    "gesendet von",
    "gesendet mit",
    "holen sie sich outlook",
    "envoyé de",
    "envoyé à partir",
    "envoyé depuis",
    "obtenir outlook",
    "obtenez outlook",
    "télécharger outlook",
    "téléchargez outlook",
    "enviado desde",
    "enviado do",
    "enviado de",
    "enviado a partir",
    "obtener outlook",
    "obter o outlook",
    "obtenha o outlook",
    "verstuurd vanaf",
    "verzonden vanaf",
    "wysłane z",
    "wysłano z",
    "pobierz outlook",
    "skickat från",
    "sendt fra",
    "lähetetty",
    "odesláno z",
    "odoslané z",
    "отправлено с",
    "надіслано з",
    "στάλθηκε από",
    "trimis de pe",
    "iphoneから送信",
    "发自我的",
    "發自我的",
    "나의 iphone에서 보냄",
];

/// How others begin and end.
const FRAMES: &[(&str, &str)] = &[
    ("von meinem", " gesendet"),
    ("outlook für", " beziehen"),
    ("outlook für", " herunterladen"),
    ("outlook voor", " downloaden"),
    ("outlook voor", " ophalen"),
];

/// What such a line names, as words of their own. Makers of printers and names that people give to hosts are not
/// among them.
const DEVICES: &[&str] = &[
    "iphone",
    "ipad",
    "ipod",
    "apple watch",
    "android",
    "outlook for ios",
    "outlook for mac",
    "outlook für ios",
    "outlook per ios",
    "outlook pour ios",
    "outlook para ios",
    "outlook voor ios",
    "outlook dla systemu ios",
    "galaxy",
    "my samsung",
    "meinem samsung",
    "mijn samsung",
    "mon samsung",
    "mi samsung",
    "samsung mobile",
    "samsung tablet",
    "my huawei",
    "meinem huawei",
    "huawei phone",
    "my xiaomi",
    "meinem xiaomi",
    "blackberry",
    "smartphone",
    "yahoo mail",
    "proton mail",
    "protonmail",
    "gmail",
    "gmx",
    "web.de",
    "libero mail",
    "mail per windows",
    "posta per windows",
    "mail for windows",
    "mail für windows",
];

/// What goes; empty where there is no signature.
pub(super) fn edits(text: &str) -> Vec<Edit> {
    let end = mark(text).unwrap_or(text.len());
    let start = footers(&text[..end]);
    if start == text.len() { Vec::new() } else { vec![Edit::cut(start..text.len())] }
}

/// Whether a reader finds no words in it but those of a signature.
pub(super) fn says_nothing_else(text: &str) -> bool {
    says_nothing(text) || edits(text).first().is_some_and(|cut| says_nothing(&text[..cut.range.start]))
}

/// Where the line of the mark begins.
fn mark(text: &str) -> Option<usize> {
    if !text.contains("--") {
        return None;
    }
    let text = text.trim_end();
    let mut end = text.len();
    for _ in 0..=MAX_LINES {
        let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
        if is_mark(&text[start..end]) {
            let behind = text.get(end + 1..).unwrap_or_default();
            let is_long = behind.chars().nth(MAX_CHARACTERS).is_some();
            return (!is_long && !is_separator(text, start)).then_some(start);
        }
        if start == 0 || text.len() - start > MAX_OCTETS {
            return None;
        }
        end = start - 1;
    }
    None
}

fn is_mark(line: &str) -> bool {
    line.starts_with("--") && line.trim_end().len() == 2
}

/// Whether the mark stands in front of this one, too, both without their blank: `grep` puts it between what it
/// found, and so does many a script.
fn is_separator(text: &str, start: usize) -> bool {
    let bare = |(_, line): (usize, &str)| line.trim_end_matches('\r') == "--";
    lines(&text[start..]).next().is_some_and(bare) && lines(&text[..start]).any(bare)
}

/// Where the last lines begin that only name a device; the end where there is none.
fn footers(text: &str) -> usize {
    let mut end = text.len();
    for _ in 0..MAX_FOOTERS {
        let words = text[..end].trim_end();
        let start = words.rfind('\n').map_or(0, |at| at + 1);
        if !is_footer(&words[start..]) {
            break;
        }
        end = start;
    }
    end
}

fn is_footer(line: &str) -> bool {
    let line = line.trim();
    if line.is_empty() || line.len() > MAX_FOOTER {
        return false;
    }
    // Dashes or an asterisk often surround it, and a link stands behind.
    let is_frame = |c: char| matches!(c, '-' | '*' | '_' | '[' | ']' | '<' | '>' | '.' | ' ');
    let line = line.trim_matches(is_frame);
    let line = line.split(['<', '(']).next().unwrap_or_default().trim_end();
    let begins = |line: &str, start: &str| {
        line.as_bytes().get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start.as_bytes()))
    };
    let starts = || FOOTERS.iter().copied().chain(FRAMES.iter().map(|(start, _)| *start));
    // Few lines get as far as to be made lower case.
    if line.is_ascii() && !starts().any(|start| begins(line, start)) {
        return false;
    }
    let line = line.to_lowercase();
    let is_framed = |(start, end): &(&str, &str)| line.starts_with(start) && line.ends_with(end);
    (FOOTERS.iter().any(|start| line.starts_with(start)) || FRAMES.iter().any(is_framed))
        && line.split_whitespace().nth(MAX_WORDS).is_none()
        && (line.ends_with(" outlook") || DEVICES.iter().any(|device| names(&line, device)))
}

/// Whether `device` stands in it, but not as a piece of a host's name.
fn names(line: &str, device: &str) -> bool {
    line.match_indices(device).any(|(at, _)| {
        let mut behind = line[at + device.len()..].chars();
        let glues = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
        let glued_in_front = line[..at].chars().next_back().is_some_and(glues);
        let glued_behind = match behind.next() {
            Some('-') => behind.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => glues(c),
            None => false,
        };
        !glued_in_front && !glued_behind
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> &str {
        edits(text).first().map_or(text, |cut| &text[..cut.range.start])
    }

    #[test]
    fn signatures_go() {
        for (text, rest) in [
            ("Server down\n-- \nJohn Doe\nIT", "Server down\n"),
            ("Server down\n--\nJohn Doe\r\n", "Server down\n"),
            ("a\r\n-- \r\nb", "a\r\n"),
            ("a\n-- \nb\n-- \nc", "a\n-- \nb\n"),
            ("a\n--", "a\n"),
            ("a\n-- \n\n\n", "a\n"),
            ("Restart it\n\nSent from my iPhone\n", "Restart it\n\n"),
            ("Riavvia\nInviato da iPhone", "Riavvia\n"),
            ("Neustart\nVon meinem iPhone gesendet", "Neustart\n"),
            ("Redémarre\nEnvoyé de mon iPad", "Redémarre\n"),
            ("Reinicia\nEnviado desde mi Samsung Galaxy", "Reinicia\n"),
            ("Перезагрузи\nОтправлено с iPhone", "Перезагрузи\n"),
            ("再起動\niPhoneから送信", "再起動\n"),
            ("ok\nGet Outlook for Android<https://aka.ms/AAb9ysg>", "ok\n"),
            ("ok\nSent from my iPhone\n\nGet Outlook for iOS\n", "ok\n"),
            ("ok\nSent from my iPhone\n-- \nJohn", "ok\n"),
            ("ok\n*Sent from Outlook.*", "ok\n"),
            ("ok\nOutlook für iOS beziehen", "ok\n"),
            ("ok\nGesendet von meinem Android-Gerät", "ok\n"),
            ("ok\nSent from Yahoo Mail on Android", "ok\n"),
            ("ok\nInviato da Posta per Windows", "ok\n"),
            ("ok\nSent from a b c d e iPhone", "ok\n"),
        ] {
            assert_eq!(kept(text), rest, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_signature_stays() {
        for text in [
            "a\n---\nb",
            "a\n--------\nb",
            "run it with\n--force\n-- now",
            "a -- b",
            "a\n -- \nb",
            "Alarm sent from pump 3",
            "Sent from my pump 3",
            "Mail sent from Outlook was refused",
            "Sent from my iPhone\nthe server is down",
            "Sent from a b c d e f iPhone",
            "Printer error\nSent from Samsung MultiXpress, floor 2",
            "Sent from galaxy1",
            "Sent from galaxy-1",
            "Sent from android.example.com",
            "Sent from: build.android",
            "Neues Ticket\nOutlook für Android startet nicht",
            "Neues Ticket\nVon meinem iPhone kommt keine Mail an",
            "New ticket\nGet Outlook for Maria to work again",
            // What `grep` and scripts put between two things.
            "a\n--\nb\n--\nc",
            "a\r\n--\r\nb\r\n--\r\nc",
        ] {
            assert_eq!(kept(text), text);
        }
    }

    #[test]
    fn a_long_tail_is_no_signature() {
        for (lines, goes) in [(15, true), (16, false)] {
            let text = format!("a\n-- \n{}", vec!["b"; lines].join("\n"));
            assert_eq!(kept(&text) == "a\n", goes, "{lines} lines");
        }
        for (characters, goes) in [(1000, true), (1001, false)] {
            for text in [
                format!("a\n-- \n{}", "è".repeat(characters)),
                format!("a\n-- \n{}\n{}", "è".repeat(499), "è".repeat(characters - 500)),
            ] {
                assert_eq!(kept(&text) == "a\n", goes, "{characters} characters");
            }
        }
    }

    #[test]
    fn a_signature_alone_says_nothing() {
        for (text, nothing) in [
            ("Sent from my iPhone", true),
            ("\n-- \nJohn", true),
            ("-----\n", true),
            ("ok\n-- \nJohn", false),
            ("John", false),
        ] {
            assert_eq!(says_nothing_else(text), nothing, "{text:?}");
        }
    }
}
