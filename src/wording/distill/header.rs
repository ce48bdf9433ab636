//! The header of a mail, as mailers write it into the text of a reply, in many languages:
//! ```text
//! From: Zabbix <zabbix@example.com>
//! Sent: Monday, 3 March 2025 10:11
//! To: Ops; John Doe
//! Subject: Disk full
//! ```
//! Alerts about a mail look much like it. What tells the two apart is their order, and what stands behind.

use super::words::lines;

/// Most lines of a header.
const MAX_LINES: usize = 12;
/// Longest name of a field, in octets.
const MAX_NAME: usize = 24;

/// The names of the field that begins such a header, in lower case.
const FROM: &[&str] = &[
    "from",
    "da",
    "von",
    "de",
    "van",
    "från",
    "fra",
    "lähettäjä",
    "od",
    "от",
    "від",
    "από",
    "feladó",
    "kimden",
    "gönderen",
    "de la",
    "发件人",
    "寄件者",
    "差出人",
    "보낸 사람",
    "من",
];

/// A field of the header. Its names in many languages are in [`Field::read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    From,
    Sent,
    Date,
    To,
    Subject,
    Other,
}

/// The lines of a header.
#[derive(Debug)]
pub(super) struct Header {
    /// From the first, which is [`Field::From`].
    fields: Vec<Field>,
    behind: Behind,
}

/// What stands behind a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    /// A blank line, and words.
    Gap,
    /// Words.
    Words,
    /// Nothing, or more lines of what turns out to be a list.
    NoMail,
}

impl Header {
    /// The header whose first line begins `text`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut fields = Vec::new();
        let mut folded = false;
        for (start, line) in lines(text).take(MAX_LINES + 1) {
            let behind = match Field::of(line) {
                Some(Field::From) if !fields.is_empty() => Behind::NoMail,
                Some(field) if fields.is_empty() && field != Field::From => return None,
                Some(field) => {
                    fields.push(field);
                    continue;
                }
                None if fields.is_empty() => return None,
                None if line.trim().is_empty() && text[start..].trim().is_empty() => Behind::NoMail,
                None if line.trim().is_empty() => Behind::Gap,
                // Many names go on on the next line.
                None if !fields.contains(&Field::Subject)
                    && matches!(fields.last(), Some(Field::To | Field::Other)) =>
                {
                    folded = true;
                    continue;
                }
                None if folded || is_entry(line) => Behind::NoMail,
                None => Behind::Words,
            };
            return Some(Self { fields, behind });
        }
        Some(Self { fields, behind: Behind::NoMail })
    }

    /// Whether it has every field, in an order that mailers use, and a mail behind it.
    pub(super) fn is_complete(&self) -> bool {
        let at = |wanted| self.fields.iter().position(|field| *field == wanted);
        // Some write `Sent:` behind `To:`; a `Date:` there may be an alert's.
        let sent = at(Field::Sent).or_else(|| at(Field::Date).filter(|at| *at == 1));
        let (Some(sent), Some(to), Some(subject)) = (sent, at(Field::To), at(Field::Subject)) else {
            return false;
        };
        sent.max(to) < subject && self.behind != Behind::NoMail
    }

    /// Whether it is a mail's, where something else tells that a mail begins here.
    pub(super) fn is_mails(&self) -> bool {
        let has = |wanted| self.fields.contains(&wanted);
        (has(Field::Sent) || has(Field::Date)) && (has(Field::To) || has(Field::Subject))
    }
}

/// A line `name: value` that no header has: then all is a list.
fn is_entry(line: &str) -> bool {
    name(line).is_some_and(|name| line[name.len()..].chars().nth(1).is_none_or(char::is_whitespace))
}

/// What stands in front of the colon that ends the name of a field.
fn name(line: &str) -> Option<&str> {
    // The wide colon, or its first octet: no name has another character that begins so.
    let end = line.bytes().take(MAX_NAME + 1).position(|byte| matches!(byte, b':' | 0xef))?;
    let name = line.get(..end)?;
    line[end..].starts_with([':', '：']).then_some(name)
}

/// Whether a line may be the first of a header. Most lines of a text get no further than their first octet.
pub(super) fn may_begin(line: &str) -> bool {
    line.bytes().next().is_some_and(may_begin_name)
        && name(line).is_some_and(|name| lower(name, |name| FROM.contains(&name)))
}

/// Whether `From:` begins so in some language.
fn may_begin_name(byte: u8) -> bool {
    matches!(byte | 0x20, b'f' | b'd' | b'v' | b'l' | b'o' | b'k' | b'g')
        || !byte.is_ascii()
        || matches!(byte, b'*' | b' ' | b'\t')
}

/// Reads a name in lower case, without the asterisks that stand around bold ones.
fn lower<T>(name: &str, read: impl FnOnce(&str) -> T) -> T {
    let name = name.trim_matches(|c: char| c == '*' || c.is_whitespace());
    let mut copy = [0; MAX_NAME];
    let copy = copy.get_mut(..name.len()).filter(|_| name.is_ascii());
    let Some(copy) = copy else { return read(&name.to_lowercase()) };
    copy.copy_from_slice(name.as_bytes());
    copy.make_ascii_lowercase();
    read(std::str::from_utf8(copy).unwrap_or_default())
}

impl Field {
    /// The field that a line `name: value` is.
    fn of(line: &str) -> Option<Self> {
        lower(name(line)?, Self::read)
    }

    /// `name` in lower case.
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            name if FROM.contains(&name) => Self::From,
            "sent"
            | "inviato"
            | "inviata"
            | "gesendet"
            | "envoyé"
            | "enviado"
            | "enviado el"
            | "enviada em"
            | "enviado em"
            | "enviat"
            | "verzonden"
            | "skickat"
            | "sendt"
            | "lähetetty"
            | "wysłano"
            | "wysłane"
            | "odesláno"
            | "odoslané"
            | "poslano"
            | "отправлено"
            | "надіслано"
            | "изпратено"
            | "στάλθηκε"
            | "εστάλη"
            | "elküldve"
            | "küldve"
            | "gönderildi"
            | "gönderme tarihi"
            | "trimis"
            | "发送时间"
            | "寄件日期"
            | "送信日時"
            | "보낸 날짜" => Self::Sent,
            "to" | "a" | "an" | "à" | "para" | "per a" | "aan" | "till" | "til" | "vastaanottaja" | "do"
            | "komu" | "pre" | "за" | "кому" | "до" | "προς" | "címzett" | "kime" | "alıcı" | "către"
            | "收件人" | "收件者" | "宛先" | "받는 사람" | "إلى" => Self::To,
            "subject" | "oggetto" | "betreff" | "objet" | "asunto" | "assunto" | "assumpte" | "onderwerp"
            | "ämne" | "emne" | "aihe" | "temat" | "předmět" | "predmet" | "zadeva" | "тема" | "относно"
            | "θέμα" | "tárgy" | "konu" | "subiect" | "主题" | "主旨" | "件名" | "제목" | "الموضوع" => {
                Self::Subject
            }
            "date"
            | "data"
            | "datum"
            | "fecha"
            | "dato"
            | "päivämäärä"
            | "дата"
            | "ημερομηνία"
            | "dátum"
            | "tarih"
            | "dată"
            | "日期"
            | "日付"
            | "날짜" => Self::Date,
            "cc" | "bcc" | "ccn" | "kopie" | "kopia" | "copia" | "копия" | "копія" | "importance"
            | "priorità" | "wichtigkeit" | "reply-to" | "organization" | "attachments" | "allegati"
            | "抄送" => Self::Other,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_looked_for() {
        for name in FROM {
            for name in [name, &*name.to_uppercase()] {
                assert!(may_begin(&format!("{name}: a")), "{name}");
                assert!(!may_begin(name), "{name}");
            }
        }
        assert!(!may_begin_name(b'Z'));
        assert_eq!(Field::of("From a: b"), None);
    }

    #[test]
    fn names_and_headers_have_a_longest() {
        for (length, is_name) in [(24, true), (25, false)] {
            assert_eq!(name(&format!("{}: a", "f".repeat(length))).is_some(), is_name, "{length}");
        }
        for (count, complete) in [(8, true), (9, false)] {
            let text = format!("From: a\nSent: b\nTo: c\n{}Subject: d\n\ne", "Cc: x\n".repeat(count));
            assert_eq!(Header::read(&text).unwrap().is_complete(), complete, "{count} times Cc");
        }
    }
}
