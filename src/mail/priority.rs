//! How urgent a mail says that it is.
//!
//! `X-Priority` and `X-MSMail-Priority` are what mail programs write, `Importance` and `Priority` are of
//! RFC 2156 (section 5.3), `Precedence` is of RFC 2076 (section 3.9).

use super::headers::{Fields, first_word};

/// How urgent a mail says that it is, the most urgent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// `X-Priority: 1` or `2`, `Importance: high`, `Priority: urgent`, `X-MSMail-Priority: High`.
    High,
    /// It says so, or nothing.
    #[default]
    Normal,
    /// `X-Priority: 4` or `5`, `Importance: low`, `Priority: non-urgent`, `X-MSMail-Priority: Low`,
    /// `Precedence: bulk`, `list` or `junk`.
    Low,
}

/// The most urgent that the fields say; what none of them can say is passed over.
pub(super) fn read(fields: &Fields<'_>) -> Priority {
    let number = |value| leading_number(first_word(value)).and_then(of_number);
    let word = |value| of_word(first_word(value));
    let said = fields
        .all(b"x-priority")
        .filter_map(|value| number(value).or_else(|| word(value)))
        .chain(fields.all(b"x-msmail-priority").filter_map(|value| word(value).or_else(|| number(value))))
        .chain(fields.all(b"importance").filter_map(word))
        .chain(fields.all(b"priority").filter_map(word))
        .chain(fields.all(b"precedence").filter_map(|value| of_precedence(first_word(value))));
    said.min().unwrap_or_default()
}

/// The number that `1`, `1 (Highest)` and `1=high` begin with.
fn leading_number(word: &[u8]) -> Option<u32> {
    let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
    str::from_utf8(&word[..digits]).ok()?.parse().ok()
}

fn of_number(number: u32) -> Option<Priority> {
    match number {
        1 | 2 => Some(Priority::High),
        3 => Some(Priority::Normal),
        4 | 5 => Some(Priority::Low),
        _ => None,
    }
}

fn of_word(word: &[u8]) -> Option<Priority> {
    let known: [(&[u8], Priority); 9] = [
        (b"high", Priority::High),
        (b"highest", Priority::High),
        (b"urgent", Priority::High),
        (b"normal", Priority::Normal),
        (b"medium", Priority::Normal),
        (b"low", Priority::Low),
        (b"lowest", Priority::Low),
        (b"non-urgent", Priority::Low),
        (b"nonurgent", Priority::Low),
    ];
    known.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, priority)| priority)
}

fn of_precedence(word: &[u8]) -> Option<Priority> {
    let known = [&b"bulk"[..], b"list", b"junk"];
    known.iter().any(|name| word.eq_ignore_ascii_case(name)).then_some(Priority::Low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Priority {
        crate::mail::read(format!("From: a@example.com\r\n{header}\r\n\r\nhot\r\n").as_bytes()).priority
    }

    #[test]
    fn real_spellings_are_understood() {
        for (header, priority) in [
            ("X-Priority: 1", Priority::High),
            ("X-Priority: 1 (Highest)", Priority::High),
            ("X-Priority: 1 (High)", Priority::High),
            ("X-Priority: 2 (High)", Priority::High),
            ("X-Priority:\r\n 1", Priority::High),
            ("x-priority: \"1\"", Priority::High),
            ("X-Priority: High", Priority::High),
            ("X-Priority: 3", Priority::Normal),
            ("X-Priority: 3 (Normal)", Priority::Normal),
            ("X-Priority: 4 (Low)", Priority::Low),
            ("X-Priority: 5 (Lowest)", Priority::Low),
            ("X-Priority: 0", Priority::Normal),
            ("X-Priority: 6", Priority::Normal),
            ("X-Priority: 10", Priority::Normal),
            ("X-Priority: 99999999999", Priority::Normal),
            ("X-Priority:", Priority::Normal),
            ("Importance: high", Priority::High),
            ("Importance: High", Priority::High),
            ("Importance: normal", Priority::Normal),
            ("Importance: low", Priority::Low),
            ("Importance: 1", Priority::Normal),
            ("Priority: urgent", Priority::High),
            ("Priority: Urgent (wake up)", Priority::High),
            ("Priority: non-urgent", Priority::Low),
            ("Priority: normal", Priority::Normal),
            ("X-MSMail-Priority: High", Priority::High),
            ("X-MSMail-Priority: 1", Priority::High),
            ("X-MSMail-Priority: Low", Priority::Low),
            ("X-MSMail-Priority: Normal", Priority::Normal),
            ("Precedence: bulk", Priority::Low),
            ("Precedence: LIST", Priority::Low),
            ("Precedence: junk", Priority::Low),
            ("Precedence: first-class", Priority::Normal),
            ("Subject: X-Priority: 1", Priority::Normal),
        ] {
            assert_eq!(of(header), priority, "{header}");
        }
    }

    #[test]
    fn of_several_fields_the_most_urgent_counts() {
        for (headers, priority) in [
            ("X-Priority: 5\r\nImportance: high", Priority::High),
            ("Precedence: bulk\r\nX-Priority: 1 (Highest)", Priority::High),
            ("Precedence: bulk\r\nX-Priority: 3", Priority::Normal),
            ("Precedence: bulk\r\nX-Priority: soon", Priority::Low),
            ("X-Priority: 4\r\nX-Priority: 2", Priority::High),
            ("Precedence: bulk\r\nPriority: non-urgent", Priority::Low),
        ] {
            assert_eq!(of(headers), priority, "{headers}");
        }
    }
}
