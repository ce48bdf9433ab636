//! Writing a text in characters that the GSM alphabet has.
//!
//! Each character is written by itself, looking only at its neighbours. What the alphabet has stays
//! as it is: `à è é ì ò ù Ç Ä Ö Ñ Ü ä ö ñ ü ß Æ æ Ø ø Å å É`. An accented letter becomes the letter
//! with the accent that GSM has (`ǻ` is `å`), or without one.

mod table;

use deunicode::deunicode_char;
use unicode_normalization::char::{compose, decompose_canonical, decompose_compatible, is_combining_mark};

use super::clean::scrub;
use super::gsm;

/// Which characters are written otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Typographic characters and accented Latin letters.
    Latin,
    /// All of them.
    All,
}

/// `text` in characters of the GSM alphabet only, its control characters as [`clean`](super::clean())
/// leaves them, its white space at both ends kept.
///
/// Typographic characters and Latin letters by a table of our own (`“` is `"`, `ł` is `l`, `½` is
/// `1/2`); Greek in the capitals that GSM has and Latin ones of the same shape (`Αθήνα` is `AΘHNA`);
/// other scripts by their sound; emoji by their names, `(fire)`. Where there is no equivalent stands
/// `?`. Nothing goes without a trace but what cannot be seen, and the degree sign: `41 °C` is `41 C`,
/// since `o` next to a number would read as a zero; behind a letter (`n° 5`) it is an `o`. Linear.
pub fn to_gsm(text: &str) -> String {
    let text = scrub(text);
    let mut written = String::with_capacity(text.len());
    write(&text, 0..text.len(), Reach::All, &mut written);
    written
}

/// Appends `text[range]` to `out` in GSM characters; false where a character is beyond `reach`, with
/// what stands before it appended. The range begins and ends at characters. Needs cleaned text.
pub(super) fn write(text: &str, range: std::ops::Range<usize>, reach: Reach, out: &mut String) -> bool {
    let mut before = text[..range.start].chars().next_back();
    let mut rest = text[range.start..].chars();
    let mut left = range.len();
    while left > 0 {
        let Some(character) = rest.next() else { break };
        left = left.saturating_sub(character.len_utf8());
        if !write_one(before, character, rest.clone().next(), reach, out) {
            return false;
        }
        before = Some(character);
    }
    true
}

/// Whether anything in it can be seen.
pub(super) fn shows_something(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !table::is_invisible(c))
}

fn write_one(before: Option<char>, c: char, after: Option<char>, reach: Reach, out: &mut String) -> bool {
    let start = out.len();
    let written = if gsm::encode(c).is_some() {
        out.push(c);
        true
    } else {
        write_latin(before, c, after, out) || reach == Reach::All && write_any(c, out)
    };
    // The names of ideographs and pictures would run into a word that follows.
    if reach == Reach::All
        && before.is_some_and(is_named)
        && out[start..].starts_with(|c: char| c.is_alphanumeric())
    {
        out.insert(start, ' ');
    }
    written
}

/// Typographic characters and Latin letters.
fn write_latin(before: Option<char>, c: char, after: Option<char>, out: &mut String) -> bool {
    if table::is_invisible(c) || table::is_accent(c) {
        return true;
    }
    match c {
        // The degree sign, and what keyboards have that looks like it.
        '°' | 'º' | '˚' => {
            if before.is_some_and(char::is_alphabetic) {
                out.push('o');
            }
            return true;
        }
        'μ' if [before, after].into_iter().flatten().any(is_greek) => return false,
        _ => {}
    }
    if let Some(spelling) = table::spelling(c) {
        out.push_str(spelling);
        return true;
    }
    write_without_accents(c, out) || write_compatible(before, c, out)
}

fn is_greek(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}') && c.is_alphabetic()
}

/// A letter of the alphabet that is not Greek.
fn is_latin_gsm(c: char) -> bool {
    c.is_alphabetic() && !is_greek(c) && gsm::encode(c).is_some()
}

fn write_without_accents(c: char, out: &mut String) -> bool {
    let mut letter = None;
    let mut with_accent = None;
    decompose_canonical(c, |part| match letter {
        None => letter = Some(part),
        Some(letter) => {
            with_accent = with_accent.or_else(|| compose(letter, part).filter(|&c| is_latin_gsm(c)));
        }
    });
    match letter {
        Some(letter) if letter != c => match with_accent.or(Some(letter).filter(|&c| is_latin_gsm(c))) {
            Some(written) => {
                out.push(written);
                true
            }
            None => table::spelling(letter).is_some_and(|spelling| {
                out.push_str(spelling);
                true
            }),
        },
        Some(_) | None => false,
    }
}

/// Ligatures, full-width forms, superscripts, fractions and all else that Unicode calls another form of
/// what the alphabet has.
fn write_compatible(before: Option<char>, c: char, out: &mut String) -> bool {
    let start = out.len();
    let behind_digit = before.is_some_and(|c| c.is_ascii_digit());
    match c {
        // 10⁶ is not 106, and 2½ not 21/2.
        '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '⁺' | '⁻' if behind_digit => out.push('^'),
        '¼'..='¾' | '⅐'..='⅟' | '↉' if behind_digit => out.push(' '),
        _ => {}
    }
    let form = out.len();
    let mut complete = true;
    let mut last = None;
    decompose_compatible(c, |part| {
        if gsm::encode(part).is_some() && !is_greek(part) {
            out.push(part);
        } else if table::is_accent(part) && last.is_some_and(char::is_alphabetic) {
        } else if part != c
            && let Some(spelling) = table::spelling(part)
        {
            out.push_str(spelling);
        } else {
            complete = false;
        }
        last = Some(part);
    });
    if !complete || out.len() == form {
        out.truncate(start);
        return false;
    }
    true
}

/// Whatever else there is, in any way; always true.
fn write_any(c: char, out: &mut String) -> bool {
    let mut letter = None;
    decompose_compatible(c, |part| letter = letter.or(Some(part)));
    if let Some(capital) = letter.and_then(table::greek) {
        out.push(capital);
        return true;
    }
    if let Some(short) = table::picture(c).or_else(|| table::sound(c)) {
        out.push_str(short);
        return true;
    }
    match deunicode_char(c).map(str::trim) {
        Some("") if is_combining_mark(c) || is_skin_tone(c) => {}
        Some("") | None => out.push('?'),
        Some(name) if is_picture(c) && name.chars().filter(char::is_ascii_lowercase).count() > 1 => {
            out.push('(');
            out.push_str(name);
            out.push(')');
        }
        Some(sound) => out.extend(sound.chars().map(|c| if c == '`' { '\'' } else { c })),
    }
    true
}

/// Whether `deunicode` wants a space behind it.
fn is_named(c: char) -> bool {
    !c.is_ascii() && deunicode_char(c).is_some_and(|name| name.len() > 1 && name.ends_with(' '))
}

fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

#[cfg(test)]
mod tests;
