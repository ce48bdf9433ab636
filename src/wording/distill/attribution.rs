//! The line that introduces a quote, in any language: `On Mon, 3 Mar 2025 at 10:11, Jo <jo@x> wrote:`.
//!
//! Recognised by its shape: it stands right in front of the quote, ends in a colon, and has
//! - a verb of [`WROTE`] and a date or an address, or
//! - a date, and an address in angle brackets right in front of the colon, whatever the language.
//!
//! Mailers break it into two lines where it grows long. Apple's put it inside, as the first line of the quote.

use std::ops::Range;

/// Longest attribution, in octets.
const MAX_ATTRIBUTION: usize = 400;

/// What people did, in lower case, with what stands in front of it.
const WROTE: &[&str] = &[
    " wrote",
    " writes",
    " ha scritto",
    " scrive",
    " schrieb",
    " geschrieben",
    " a écrit",
    " écrit",
    " escribió",
    " va escriure",
    " escreveu",
    " schreef",
    " skrev",
    " kirjoitti",
    " napisał",
    " pisze",
    " napsal",
    " napísal",
    " napisao",
    " napisala",
    " je pisal",
    " írta",
    " a scris",
    " yazdı",
    " έγραψε",
    " написал",
    " пишет",
    " написав",
    " пише",
    " написа",
    " كتب",
    " כתב",
    "写道",
    "寫道",
    "書きました",
    "작성",
    " đã viết",
    " menulis",
    " เขียนว่า",
    " نوشت",
    " skrifaði",
    " kirjutas",
    " rakstīja",
    " rašė",
];

/// The lines in front of a quote, as far as they may introduce it.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    last: Option<Range<usize>>,
    /// Directly in front of `last`.
    last_but_one: Option<Range<usize>>,
}

impl Before {
    /// Another line, which is not blank.
    pub(super) fn push(&mut self, line: Range<usize>, behind_a_gap: bool) {
        self.last_but_one = self.last.replace(line).filter(|_| !behind_a_gap);
    }

    /// Where the attribution begins, if these lines end in one.
    pub(super) fn attribution(&self, text: &str) -> Option<usize> {
        let last = self.last.clone()?;
        let line = &text[last.clone()];
        if !ends_in_colon(line) {
            return None;
        }
        let first_half =
            self.last_but_one.clone().filter(|before| is_first_half(&text[before.clone()], line));
        first_half.or_else(|| introduces(line).then_some(last)).map(|begin| begin.start)
    }
}

/// Whether `last`, which ends in a colon, is the second half of an attribution that begins with `first`.
fn is_first_half(first: &str, last: &str) -> bool {
    if first.len() + last.len() > MAX_ATTRIBUTION {
        return false;
    }
    let first = first.trim_end();
    if introduces(last) {
        // The first half has the date that this one lacks.
        !has_date(last) && has_date(first) && !first.ends_with(['.', '!', '?', ':', ';'])
    } else {
        introduces(&format!("{first} {last}"))
    }
}

/// Whether a quote introduces itself: its first line does so, or its first two, and it goes on behind them.
pub(super) fn begins(quote: &str) -> bool {
    let mut lines = quote.split('\n').map_while(|line| Some(line.trim_start().strip_prefix('>')?.trim()));
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    if ends_in_colon(first) {
        return introduces(first);
    }
    ends_in_colon(second) && is_first_half(first, second) && lines.next().is_some()
}

fn ends_in_colon(line: &str) -> bool {
    line.trim_end().ends_with([':', '：'])
}

/// Of a line that ends in a colon.
fn introduces(line: &str) -> bool {
    // Neither a date nor an address.
    if line.len() > MAX_ATTRIBUTION || !line.bytes().any(|byte| byte.is_ascii_digit() || byte == b'@') {
        return false;
    }
    let line = line.to_lowercase();
    if WROTE.iter().any(|verb| line.contains(verb)) {
        has_date(&line) || has_address(&line)
    } else {
        has_date(&line) && ends_in_address(&line)
    }
}

/// `a@b`.
fn has_address(line: &str) -> bool {
    let bytes = line.as_bytes();
    let beside = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    (1..bytes.len()).any(|at| bytes[at] == b'@' && beside(bytes.get(at - 1)) && beside(bytes.get(at + 1)))
}

/// `<a@b>:`, or what is left of it where a mailer made a link of the address.
fn ends_in_address(line: &str) -> bool {
    let front = line.trim_end().trim_end_matches([':', '：']).trim_end().strip_suffix('>');
    front.and_then(|front| front.rsplit_once('<')).is_some_and(|(_, inside)| has_address(inside))
}

/// A year of four digits, or a date in digits.
fn has_date(line: &str) -> bool {
    let numbers: Vec<(usize, &str)> = line
        .match_indices(|c: char| c.is_ascii_digit())
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || !line.as_bytes()[at - 1].is_ascii_digit())
        .map(|at| {
            let rest = &line[at..];
            (at, &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()])
        })
        .collect();
    let is_year = |(_, number): &(usize, &str)| {
        number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
    };
    let joined = |(at, number): (usize, &str), (next, _): (usize, &str)| {
        number.len() <= 2
            && next == at + number.len() + 1
            && matches!(line.as_bytes()[next - 1], b'.' | b'/' | b'-')
    };
    numbers.iter().any(is_year)
        || numbers.windows(3).any(|three| joined(three[0], three[1]) && joined(three[1], three[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_addresses_have_a_shape() {
        for (line, date) in [
            ("lun 3 mar 2025", true),
            ("03.03.25", true),
            ("2025年3月3日", true),
            ("3/3/2025", true),
            ("10:11", false),
            ("10.0.0.2025", true),
            ("1999", true),
            ("9000", false),
            ("20250", false),
            ("v1.2", false),
            ("", false),
        ] {
            assert_eq!(has_date(line), date, "{line}");
        }
        for (line, address) in [("a@b", true), ("<é@b>", true), ("a @b", false), ("@b", false), ("a@", false)]
        {
            assert_eq!(has_address(line), address, "{line}");
        }
    }
}
