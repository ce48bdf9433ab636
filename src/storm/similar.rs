//! What is the same about texts that differ in digits, times and hexadecimal numbers.

use std::net::Ipv6Addr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};

/// What stands for all that changes from one alarm to the next.
const MASK: char = '#';
/// Characters of the longest group of hexadecimal numbers with separators that is looked at as one: a fingerprint of 32
/// octets has 95. It bounds how often a character is looked at.
const LONGEST_GROUP: usize = 100;

/// `text` without what changes from one alarm to the next: `#` stands for numbers with all that belongs to them (times,
/// dates, IPv4 addresses, fractions, signs), hexadecimal numbers, UUIDs, IPv6 and MAC addresses, identifiers that mix letters and
/// digits, and names of months and days beside a number; a run of blanks and line breaks is one blank, and
/// letters are small. `Disk C: 91.5% full on SRV1` becomes `disk c: #% full on srv#`.
///
/// Takes time in proportion to the text's length, whatever it is.
pub fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let is_begin = !masked.ends_with(|last: char| last.is_alphanumeric() || last == MASK);
        let octets = if first.is_whitespace() {
            if !masked.ends_with(' ') {
                masked.push(' ');
            }
            first.len_utf8()
        } else if let Some(octets) = group(rest).filter(|_| is_begin) {
            masked.push(MASK);
            octets
        } else if let Some(word) = is_begin.then(|| word(rest)).filter(|word| is_changing(word)) {
            masked.push(MASK);
            word.len()
        } else if first.is_numeric() {
            masked.push(MASK);
            number(rest)
        } else if matches!(first, '-' | '+')
            && is_begin
            && !masked.ends_with('-')
            && begins_numeric(&rest[first.len_utf8()..])
        {
            // A sign; what it belongs to comes next.
            first.len_utf8()
        } else if let Some(word) = is_begin.then(|| word(rest)).filter(|word| is_of_date(word, &masked, rest))
        {
            masked.push(MASK);
            word.len()
        } else if first.is_alphanumeric() {
            let letters = rest.find(|letter: char| !letter.is_alphanumeric() || letter.is_numeric());
            let letters = letters.unwrap_or(rest.len());
            masked.extend(rest[..letters].chars().flat_map(char::to_lowercase));
            letters
        } else {
            masked.push(first);
            first.len_utf8()
        };
        rest = &rest[octets..];
    }
    masked
}

/// A name of fixed length for what is the same about SMS: `rule`, `destination` and `words`, which are [`masked`] or of the
/// operator's choice. It is the same after a restart, and nobody finds two others with the same name.
pub fn key(rule: &str, destination: &str, words: &str) -> String {
    let mut context = Context::new(&SHA256);
    for part in [rule, destination, words] {
        // The length keeps the parts apart.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

/// The letters and digits that `rest` begins with.
fn word(rest: &str) -> &str {
    &rest[..rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len())]
}

fn begins_numeric(rest: &str) -> bool {
    rest.starts_with(char::is_numeric)
}

/// Octets of the number that `rest` begins with: digits with single separators between them (`1,024.5`,
/// `2026-11-22T14:02:33.5Z`, `192.0.2.7`), and AM or PM behind them.
fn number(rest: &str) -> usize {
    let mut end = 0;
    loop {
        end += digits(&rest[end..]);
        let mut next = rest[end..].chars();
        match next.next() {
            Some(separator @ ('.' | ',' | ':' | '/' | '-' | '\'' | '_' | 'T'))
                if begins_numeric(next.as_str()) =>
            {
                end += separator.len_utf8();
            }
            Some('Z') if !next.as_str().starts_with(char::is_alphanumeric) => return end + 1,
            _ => break,
        }
    }
    let after = &rest[end..];
    let blanks = usize::from(after.starts_with(' '));
    let half = after.get(blanks..blanks + 2);
    let is_half = half.is_some_and(|half| half.eq_ignore_ascii_case("am") || half.eq_ignore_ascii_case("pm"));
    match is_half && !after[blanks + 2..].starts_with(char::is_alphanumeric) {
        true => end + blanks + 2,
        false => end,
    }
}

fn digits(rest: &str) -> usize {
    rest.find(|character: char| !character.is_numeric()).unwrap_or(rest.len())
}

/// Octets of the IPv6 address, UUID, MAC address or fingerprint that `rest` begins with.
fn group(rest: &str) -> Option<usize> {
    let is_part = |octet: &u8| octet.is_ascii_hexdigit() || matches!(octet, b':' | b'-' | b'.');
    let length = rest.bytes().take(LONGEST_GROUP).take_while(is_part).count();
    // Hexadecimal digits and separators are ASCII, so that this is a border.
    let run = &rest[..length];
    if length < 3 || rest[length..].starts_with(char::is_alphanumeric) {
        return None;
    }
    let run = run.trim_end_matches(['-', '.']);
    let run = if run.ends_with("::") { run } else { run.trim_end_matches(':') };
    let is_address = run.contains(':') && run.parse::<Ipv6Addr>().is_ok();
    (is_address || is_in_groups(run)).then_some(run.len())
}

/// Whether hexadecimal digits are in groups as those of a UUID, a MAC address or a fingerprint are.
fn is_in_groups(run: &str) -> bool {
    let Some(separator) = run.bytes().find(|octet| !octet.is_ascii_hexdigit()) else { return false };
    let lengths: Vec<usize> = run.split(char::from(separator)).map(str::len).collect();
    let is_clean = run.bytes().all(|octet| octet == separator || octet.is_ascii_hexdigit());
    let are = |length: usize| lengths.iter().all(|other| *other == length);
    is_clean
        && (lengths == [8, 4, 4, 4, 12] || (lengths.len() >= 3 && are(4)) || (lengths.len() >= 4 && are(2)))
}

/// Whether a word is a hexadecimal number or an identifier that some machine made up, which differs in its letters, too. A name
/// with a number, like `db01`, is none.
fn is_changing(word: &str) -> bool {
    if !word.is_ascii() || digits(word) == word.len() {
        return false;
    }
    let is_hex = |text: &str| text.bytes().all(|octet| octet.is_ascii_hexdigit());
    if let Some(number) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return !number.is_empty() && is_hex(number);
    }
    let borders =
        word.as_bytes().windows(2).filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit()).count();
    let is_name = borders == 1 && !begins_numeric(word);
    if is_hex(word) {
        return word.len() >= 8 || (word.len() >= 4 && borders > 0 && !is_name);
    }
    word.len() >= 8 && borders >= 3
}

/// Whether the word that `rest` begins with is the name of a month or day, and a number or another such name stands
/// beside it.
fn is_of_date(word: &str, before: &str, rest: &str) -> bool {
    let after = &rest[word.len()..];
    let is_between = |character: char| matches!(character, ' ' | ',' | '.' | '-' | '/');
    // Names are short, and only a few separators are looked over.
    is_name_of_date(word)
        && (before.trim_end_matches(is_between).ends_with(MASK) && before.ends_with(is_between) || {
            let blanks: usize =
                after.chars().take(3).take_while(|c| is_between(*c)).map(char::len_utf8).sum();
            let next = &after[blanks..];
            blanks > 0 && (begins_numeric(next) || is_name_of_date(self::word(next)))
        })
}

/// Names of months and days in English, German, French, Spanish, Italian and Dutch, and their short forms of three letters or
/// more.
fn is_name_of_date(word: &str) -> bool {
    if word.chars().take(11).count() > 10 {
        return false;
    }
    NAMES_OF_DATES.binary_search(&word.to_lowercase().as_str()).is_ok()
}

/// Sorted.
const NAMES_OF_DATES: [&str; 154] = [
    "abr",
    "abril",
    "ago",
    "agosto",
    "août",
    "apr",
    "april",
    "aprile",
    "aug",
    "august",
    "augustus",
    "avr",
    "avril",
    "dec",
    "december",
    "dez",
    "dezember",
    "dic",
    "dicembre",
    "diciembre",
    "dienstag",
    "dim",
    "dimanche",
    "dinsdag",
    "dom",
    "domenica",
    "domingo",
    "donderdag",
    "donnerstag",
    "déc",
    "décembre",
    "ene",
    "enero",
    "feb",
    "febbraio",
    "febrero",
    "februar",
    "februari",
    "february",
    "freitag",
    "fri",
    "friday",
    "fév",
    "févr",
    "février",
    "gen",
    "gennaio",
    "gio",
    "giovedì",
    "giu",
    "giugno",
    "jan",
    "januar",
    "januari",
    "january",
    "janvier",
    "jeu",
    "jeudi",
    "jue",
    "jueves",
    "juil",
    "juillet",
    "juin",
    "jul",
    "juli",
    "julio",
    "july",
    "jun",
    "june",
    "juni",
    "junio",
    "lug",
    "luglio",
    "lun",
    "lundi",
    "lunedì",
    "lunes",
    "maandag",
    "maart",
    "mag",
    "maggio",
    "mai",
    "mar",
    "march",
    "mardi",
    "mars",
    "martedì",
    "martes",
    "marzo",
    "may",
    "mayo",
    "mei",
    "mer",
    "mercoledì",
    "mercredi",
    "mittwoch",
    "mié",
    "miércoles",
    "mon",
    "monday",
    "montag",
    "mrt",
    "mär",
    "märz",
    "nov",
    "november",
    "novembre",
    "noviembre",
    "oct",
    "october",
    "octobre",
    "octubre",
    "okt",
    "oktober",
    "ott",
    "ottobre",
    "sab",
    "sabato",
    "sam",
    "samedi",
    "samstag",
    "sat",
    "saturday",
    "sep",
    "sept",
    "september",
    "septembre",
    "septiembre",
    "set",
    "settembre",
    "sonnabend",
    "sonntag",
    "sun",
    "sunday",
    "sáb",
    "sábado",
    "thu",
    "thur",
    "thurs",
    "thursday",
    "tue",
    "tues",
    "tuesday",
    "ven",
    "vendredi",
    "venerdì",
    "vie",
    "viernes",
    "vrijdag",
    "wed",
    "wednesday",
    "woensdag",
    "zaterdag",
    "zondag",
];

#[cfg(test)]
#[path = "similar_tests.rs"]
mod tests;
