//! One-time passwords, which are never folded.
//!
//! Somebody waits for such a text in front of a login, and the next one differs in its digits only. It is known by words for a
//! code and what it is for, or whose it is, beside a code, in the main languages of Europe. Alarms have codes and
//! numbers, too; words of trouble tell them apart, and what is left in doubt is an alarm.

mod words;

use words::{
    CODES, COMPOUND_BEGINS, COMPOUND_ENDS, HINTS, IS, OTHER_CODES, POSSESSIVES, PURPOSES, STRONG, TAKE,
    TO_DO, TROUBLE,
};

/// Characters that are looked at; a text for a phone is shorter.
const LONGEST: usize = 2000;
/// Words between a phrase and its code: `Your code for the login to ... is 123456`.
const FAR: usize = 16;

/// Whether `text` brings a one-time password: a code of 4 to 10 digits, or one like `G-123456`, with words that say so.
///
/// ```
/// # use sms_relay::storm::one_time::is_one_time_password;
/// assert!(is_one_time_password("Your Acme code is 482913. Do not share it."));
/// assert!(!is_one_time_password("Error code 5012 on PLC 3"));
/// ```
pub fn is_one_time_password(text: &str) -> bool {
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
    let words = Word::all(&text[..end]);
    if !(0..words.len()).any(|place| Code::at(&words, place).is_some()) {
        return false;
    }
    let kinds: Vec<Kind> = (0..words.len()).map(|place| kind(&words, place)).collect();
    let is_alarm = words.iter().any(|word| is_in(TROUBLE, word));
    let has_hint = words.iter().any(|word| is_in(HINTS, word));
    let counts = |kind: Kind| match kind {
        Kind::Nothing => false,
        Kind::Bare => has_hint && !is_alarm,
        Kind::Pin => !is_alarm,
        Kind::Strong => !is_alarm,
        Kind::Owned => true,
    };
    (0..words.len()).any(|place| {
        let Some(code) = Code::at(&words, place) else { return false };
        is_for_a_form(&words, &code)
            || is_asked_for(&words, &code) && !is_alarm
            || before(&words, &kinds, &code).is_some_and(|kind| counts(kind) && code.suits(kind))
            || after(&words, &kinds, &code)
                .is_some_and(|kind| counts(kind) && kind != Kind::Pin && code.suits(kind))
    })
}

/// How much a word says that a code beside it is a one-time password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Nothing,
    /// `code`, and no more.
    Bare,
    /// `PIN`, `password`: with a colon and a code behind it, it needs no more.
    Pin,
    /// `verification code`, `mTAN`.
    Strong,
    /// `your code`.
    Owned,
}

fn kind(words: &[Word<'_>], place: usize) -> Kind {
    let word = &words[place];
    let is_code = is_in(CODES, word);
    let is_tan = word.lower != "tan" || word.text == "TAN";
    let is_compound = COMPOUND_ENDS.iter().any(|end| {
        word.lower
            .strip_suffix(end)
            .is_some_and(|begin| COMPOUND_BEGINS.iter().any(|known| begin.starts_with(known)))
    });
    let is_strong = is_compound || (is_in(STRONG, word) && is_tan);
    if !is_code && !is_strong {
        return Kind::Nothing;
    }
    let near = |back: usize, ahead: usize| {
        words[place.saturating_sub(back)..place].iter().chain(words[place + 1..].iter().take(ahead))
    };
    // Romance languages name the kind behind: `code d'erreur`, `codice di errore`.
    if near(1, 2).any(|word| is_in(OTHER_CODES, word)) && is_code {
        return Kind::Nothing;
    }
    if near(4, 1).any(|word| is_in(POSSESSIVES, word)) {
        return Kind::Owned;
    }
    let says_what_for = near(3, 4)
        .any(|word| PURPOSES.iter().any(|purpose| word.lower.starts_with(purpose)) && !word.is_number());
    let is_one_time = words[..place].iter().rev().take(3).any(|word| word.lower == "time")
        && words[..place].iter().rev().take(4).any(|word| word.lower == "one");
    match word.lower.as_str() {
        _ if is_strong || says_what_for || is_one_time => Kind::Strong,
        "pin" | "password" | "passwort" | "kennwort" => Kind::Pin,
        _ => Kind::Bare,
    }
}

/// The best that stands before a code and leads to it.
fn before(words: &[Word<'_>], kinds: &[Kind], code: &Code) -> Option<Kind> {
    let first = code.first;
    let last = first.checked_sub(1)?;
    let gap = words[first].gap;
    let has_colon = gap.contains([':', '=', '\u{ff1a}']);
    let is_direct = kinds[last] != Kind::Nothing && !gap.contains(['.', '!', '?', ';', ',', '(']);
    if !(has_colon || is_direct || is_in(IS, &words[last]) || gap.contains(" - ")) {
        return None;
    }
    let mut best = None;
    for place in (first.saturating_sub(FAR)..first).rev() {
        let is_pin_apart =
            kinds[place] == Kind::Pin && !(place == last && (has_colon || is_direct && gap == " "));
        if !is_pin_apart && kinds[place] != Kind::Nothing && kinds[place] != Kind::Pin
            || place == last && has_colon
        {
            best = best.max(Some(kinds[place]));
        }
        // Another sentence.
        if words[place].ends_sentence_before() {
            break;
        }
    }
    best
}

/// The best that stands behind a code: `123456 is your code`.
fn after(words: &[Word<'_>], kinds: &[Kind], code: &Code) -> Option<Kind> {
    let next = words.get(code.last + 1)?;
    if next.ends_sentence_before() || !(is_in(IS, next) || next.gap.contains([':', '-', '\u{2013}'])) {
        return None;
    }
    let rest = words.iter().enumerate().skip(code.last + 1);
    rest.take(FAR).take_while(|(_, word)| !word.ends_sentence_before()).map(|(place, _)| kinds[place]).max()
}

/// `Use 123456 to log in`, `use code 123456 to sign in`.
fn is_asked_for(words: &[Word<'_>], code: &Code) -> bool {
    let mut before = words[..code.first].iter().rev().skip_while(|word| is_in(CODES, word));
    code.is_digits
        && before.next().is_some_and(|word| is_in(TAKE, word))
        && words.get(code.last + 1).is_some_and(|word| word.lower == "to")
        && words.get(code.last + 2).is_some_and(|word| is_in(TO_DO, word))
}

/// `@example.com #123456`, which browsers put into a form by themselves (origin-bound one-time codes, WICG).
fn is_for_a_form(words: &[Word<'_>], code: &Code) -> bool {
    words[code.first].gap == " #"
        && code.last + 1 == words.len()
        && words[..code.first].iter().any(|word| word.gap.ends_with("\n@") || word.gap.ends_with("\r@"))
}

/// A code of a one-time password by its form: from which word to which.
struct Code {
    first: usize,
    last: usize,
    is_digits: bool,
}

impl Code {
    fn at(words: &[Word<'_>], place: usize) -> Option<Self> {
        let word = &words[place];
        let next = words.get(place + 1);
        if word.is_joined() && !(is_letters_before(words, place) && word.gap == "-") {
            return None;
        }
        let is_split = matches!(word.text.len(), 3 | 4)
            && word.is_number()
            && next.is_some_and(|next| {
                next.is_number() && next.text.len() == word.text.len() && matches!(next.gap, " " | "-")
            });
        if is_split && !words.get(place + 2).is_some_and(|word| word.is_joined() || word.is_number()) {
            return Some(Self { first: place, last: place + 1, is_digits: true });
        }
        if next.is_some_and(Word::is_joined) {
            return None;
        }
        let length = word.text.len();
        if word.is_number() && (4..=10).contains(&length) {
            // The letters before it are part of the code.
            let first = if word.gap == "-" { place - 1 } else { place };
            return Some(Self { first, last: place, is_digits: true });
        }
        let digits = word.text.bytes().filter(u8::is_ascii_digit).count();
        let letters = word.text.bytes().filter(u8::is_ascii_uppercase).count();
        let is_mixed =
            (5..=10).contains(&length) && digits >= 2 && letters >= 1 && digits + letters == length;
        is_mixed.then_some(Self { first: place, last: place, is_digits: false })
    }

    /// One of letters and digits is taken for a code where more than the word `code` says so.
    fn suits(&self, kind: Kind) -> bool {
        self.is_digits || kind >= Kind::Strong
    }
}

/// Whether the number at `place` has letters and a hyphen before it that are no word: `G-123456`.
fn is_letters_before(words: &[Word<'_>], place: usize) -> bool {
    place.checked_sub(1).and_then(|before| words.get(before)).is_some_and(|before| {
        before.text.len() <= 3
            && before.text.bytes().all(|octet| octet.is_ascii_uppercase())
            && !before.is_joined()
    })
}

/// Letters and digits, and what stands between them and those before.
struct Word<'a> {
    text: &'a str,
    lower: String,
    gap: &'a str,
}

impl<'a> Word<'a> {
    fn all(text: &'a str) -> Vec<Self> {
        let mut words = Vec::new();
        let mut rest = text;
        while let Some(begin) = rest.find(char::is_alphanumeric) {
            let (gap, from) = rest.split_at(begin);
            let end = from.find(|character: char| !character.is_alphanumeric()).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            words.push(Self { text: word, lower: word.to_lowercase(), gap });
            rest = after;
        }
        words
    }

    fn is_number(&self) -> bool {
        self.text.bytes().all(|octet| octet.is_ascii_digit())
    }

    /// Whether it is one with the word before it: a part of an address, a number with a fraction, a date or a path.
    fn is_joined(&self) -> bool {
        matches!(self.gap, "." | "," | "/" | "\\" | "-" | "_" | "@" | "#" | "'" | "+" | "%")
            || (self.gap == ":" && self.is_number() && self.text.len() < 4)
    }

    /// Whether a sentence ends before it; small letters go on behind an abbreviation.
    fn ends_sentence_before(&self) -> bool {
        let is_end = |end: char| matches!(end, '.' | '!' | '?' | ';');
        !self.text.starts_with(char::is_lowercase)
            && self.gap.find(is_end).is_some_and(|end| self.gap[end..].contains(char::is_whitespace))
    }
}

fn is_in(list: &[&str], word: &Word<'_>) -> bool {
    list.contains(&word.lower.as_str())
}

#[cfg(test)]
#[path = "one_time_tests.rs"]
mod tests;
