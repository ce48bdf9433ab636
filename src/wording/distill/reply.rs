//! What Outlook and its like put under a reply: all that stands behind goes with it.
//!
//! - A line `-----Original Message-----` in one of many languages.
//! - A line of ten or more underscores, with the [header](super::header) of a mail behind it.
//! - The header itself, complete and in order, with a mail behind it. No line in front of it may introduce it, as
//!   that of a forward or of an alert does (`This mail was refused:`). Anything less is an alert about a mail
//!   (`From: .. To: .. Subject: .. Virus: ..`) and stays.
//!
//! `Forwarded message` is not among them.

use super::header::{Header, may_begin};
use super::words::lines;

/// Longest line of the first kind, in octets.
const MAX_DELIMITER: usize = 120;
/// Most blank lines between underscores and header.
const MAX_GAP: usize = 2;
/// Fewest underscores.
const MIN_UNDERSCORES: usize = 10;
/// Fewest dashes on either side.
const MIN_DASHES: usize = 3;
/// What stands between the dashes, in lower case.
const ORIGINAL: &[&str] = &[
    "original message",
    "original email",
    "reply message",
    "messaggio originale",
    "messaggio originario",
    "ursprüngliche nachricht",
    "ursprüngliche mail",
    "original-nachricht",
    "originalnachricht",
    "message d'origine",
    "message d’origine",
    "message original",
    "mensaje original",
    "missatge original",
    "mensagem original",
    "oorspronkelijk bericht",
    "ursprungligt meddelande",
    "originalmeddelande",
    "oprindelig meddelelse",
    "original meddelelse",
    "opprinnelig melding",
    "alkuperäinen viesti",
    "wiadomość oryginalna",
    "oryginalna wiadomość",
    "původní zpráva",
    "pôvodná správa",
    "eredeti üzenet",
    "mesaj original",
    "mesajul original",
    "izvorna poruka",
    "izvirno sporočilo",
    "исходное сообщение",
    "оригинальное сообщение",
    "оригінальне повідомлення",
    "оригинално съобщение",
    "αρχικό μήνυμα",
    "πρωτότυπο μήνυμα",
    "orijinal mesaj",
    "özgün ileti",
    "原始邮件",
    "邮件原件",
    "原始郵件",
    "元のメッセージ",
    "원본 메시지",
    "الرسالة الأصلية",
    "הודעה מקורית",
];

/// Where it begins.
pub(super) fn start(text: &str) -> Option<usize> {
    lines(text)
        .find(|(start, line)| match line.bytes().next() {
            Some(b'-') => is_delimiter(line),
            Some(b'_') => is_underscores(line) && header_follows(&text[start + line.len()..]),
            Some(_) => {
                may_begin(line)
                    && Header::read(&text[*start..]).is_some_and(|header| header.is_complete())
                    && !is_introduced(&text[..*start])
            }
            None => false,
        })
        .map(|(start, _)| start)
}

fn is_delimiter(line: &str) -> bool {
    let line = line.trim_end();
    let inner = line.trim_start_matches('-');
    let words = inner.trim_end_matches('-');
    line.len() <= MAX_DELIMITER
        && line.len() - inner.len() >= MIN_DASHES
        && inner.len() - words.len() >= MIN_DASHES
        && ORIGINAL.contains(&words.trim().to_lowercase().as_str())
}

fn is_underscores(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= MIN_UNDERSCORES && line.bytes().all(|byte| byte == b'_')
}

/// Whether the header of a mail is the next thing behind the end of this line.
fn header_follows(text: &str) -> bool {
    let next = lines(text).skip(1).take(MAX_GAP + 1).find(|(_, line)| !line.trim().is_empty());
    next.and_then(|(start, _)| Header::read(&text[start..])).is_some_and(|header| header.is_mails())
}

/// Whether the last words say what comes: they end in a colon, or are a heading in dashes.
fn is_introduced(front: &str) -> bool {
    let front = front.trim_end();
    let line = &front[front.rfind('\n').map_or(0, |at| at + 1)..];
    line.ends_with([':', '：']) || line.starts_with("--") && line.contains(char::is_alphabetic)
}
