//! One value of a destination field: several numbers or aliases, however they are separated.
//!
//! `,`, `;` and line ends separate. A space may separate or stand inside a number, so it separates
//! only where no number could contain it:
//! - before a word that begins with `+`, or with the `p` that stands for it;
//! - beside a word with a letter in it: that is an alias;
//! - between two runs of digits that are 8 or more each: together they are longer than any number
//!   (E.164: 15), and each is long enough alone.
//!
//! An API that knows its separator has no such doubts: there nothing else separates.
//!
//! `+39 347 1234567` is one number and `393471234567 393487654321` two. What stays unclear, such as
//! `347 1234567 348 7654321`, stays together, and is then refused for its length: better told than
//! guessed.
//!
//! An unescaped `+` in a query or form is a space (R39). No one writes a space before the first
//! number, so a value of such a form that begins with a space and a digit other than zero has lost
//! its plus signs, and every such number in it gets its plus back.

use crate::profile::Separators;

/// Fewest digits of a destination that stands alone behind a space.
const WHOLE_NUMBER_DIGITS: usize = 8;

/// Whether an unescaped plus has become a space on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlusSigns {
    /// It would have: the value is from a query or a form.
    MayBeSpaces,
    /// It stays what it is.
    AreKept,
}

/// The destinations in `value`, trimmed, empty ones left out.
pub(super) fn split(value: &str, plus_signs: PlusSigns, separators: &Separators) -> Vec<String> {
    let begins = |text: &str| text.starts_with(|c: char| matches!(c, '1'..='9'));
    let has_lost_plus = plus_signs == PlusSigns::MayBeSpaces && value.strip_prefix(' ').is_some_and(begins);
    let found: Vec<String> = match separators {
        Separators::Any => value.split([',', ';', '\n', '\r']).flat_map(split_at_spaces).collect(),
        Separators::Only(characters) => {
            let pieces = value.split(characters.as_slice()).map(str::trim);
            pieces.filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
        }
    };
    let with_plus = |one: String| if has_lost_plus && begins(&one) { format!("+{one}") } else { one };
    found.into_iter().map(with_plus).collect()
}

fn split_at_spaces(piece: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in piece.split_whitespace() {
        match found.last_mut() {
            Some(last) if !stands_alone(last, word) => {
                last.push(' ');
                last.push_str(word);
            }
            Some(_) | None => found.push(word.to_owned()),
        }
    }
    found
}

/// Whether `word` is another destination than `before`, which stands before it behind a space.
fn stands_alone(before: &str, word: &str) -> bool {
    let begins_number = |text: &str| text.starts_with('+') || begins_with_p_for_plus(text);
    let is_alias = |text: &str| !begins_with_p_for_plus(text) && text.contains(char::is_alphabetic);
    let is_whole = |text: &str| text.bytes().filter(u8::is_ascii_digit).count() >= WHOLE_NUMBER_DIGITS;
    begins_number(word) || is_alias(word) || is_alias(before) || is_whole(before) && is_whole(word)
}

/// `p39...`, as mailers write that cannot put a plus into an address.
fn begins_with_p_for_plus(text: &str) -> bool {
    text.strip_prefix(['p', 'P']).is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains(char::is_alphabetic)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(value: &str) -> Vec<String> {
        split(value, PlusSigns::AreKept, &Separators::Any)
    }

    fn form(value: &str) -> Vec<String> {
        split(value, PlusSigns::MayBeSpaces, &Separators::Any)
    }

    #[test]
    fn commas_semicolons_and_line_ends_separate() {
        assert_eq!(kept("+391,+392;+393\r\n+394\n+395"), ["+391", "+392", "+393", "+394", "+395"]);
        assert_eq!(kept(" oncall , , boss;; "), ["oncall", "boss"]);
        assert_eq!(kept(""), [""; 0]);
        assert_eq!(kept(" ,;\n"), [""; 0]);
    }

    #[test]
    fn a_number_may_contain_spaces() {
        for one in [
            "+39 347 1234567",
            "0039 347 123 45 67",
            "347 12345678",
            "+44 (0)20 7946 0123",
            "p39 347 1234567",
        ] {
            assert_eq!(kept(one), [one]);
        }
        assert_eq!(kept("+39 347   1234567, 348 7654321"), ["+39 347 1234567", "348 7654321"]);
    }

    #[test]
    fn spaces_separate_where_no_number_could_contain_them() {
        assert_eq!(kept("+39 347 1234567 +39 348 7654321"), ["+39 347 1234567", "+39 348 7654321"]);
        assert_eq!(kept("393471234567 393487654321"), ["393471234567", "393487654321"]);
        assert_eq!(kept("00393471234567\t00393487654321"), ["00393471234567", "00393487654321"]);
        assert_eq!(kept("oncall boss 393471234567 night"), ["oncall", "boss", "393471234567", "night"]);
        assert_eq!(kept("393471234567 p393487654321"), ["393471234567", "p393487654321"]);
        assert_eq!(kept("12345678 12345678"), ["12345678", "12345678"]);
    }

    #[test]
    fn what_is_unclear_stays_together() {
        assert_eq!(kept("12345678 1234567"), ["12345678 1234567"]);
        assert_eq!(kept("347 1234567 348 7654321"), ["347 1234567 348 7654321"]);
    }

    #[test]
    fn plus_signs_that_arrived_as_spaces_come_back() {
        assert_eq!(form(" 393471234567"), ["+393471234567"]);
        assert_eq!(form(" 39 347 1234567"), ["+39 347 1234567"]);
        assert_eq!(form(" 393471234567, 393487654321"), ["+393471234567", "+393487654321"]);
        assert_eq!(form(" 393471234567 393487654321"), ["+393471234567", "+393487654321"]);
        assert_eq!(form(" 393471234567;oncall"), ["+393471234567", "oncall"]);
    }

    #[test]
    fn spaces_that_were_spaces_stay_so() {
        assert_eq!(form("3471234567, 3487654321"), ["3471234567", "3487654321"]);
        assert_eq!(form(" 0039347"), ["0039347"]);
        assert_eq!(form("  393471234567"), ["393471234567"]);
        assert_eq!(form(" oncall, 393471234567"), ["oncall", "393471234567"]);
        assert_eq!(kept(" 393471234567"), ["393471234567"]);
    }

    #[test]
    fn an_api_that_knows_its_separator_has_no_other() {
        let only = |characters: &[char], value: &str| {
            split(value, PlusSigns::MayBeSpaces, &Separators::Only(characters.to_vec()))
        };
        assert_eq!(only(&[','], "+39 347 1234567, 348;7654321,,"), ["+39 347 1234567", "348;7654321"]);
        assert_eq!(
            only(&[' '], "347 1234567 oncall,boss"),
            ["347", "1234567", "oncall,boss"],
            "kannel separates at every space"
        );
        assert_eq!(only(&[',', ';'], "oncall boss;393471234567"), ["oncall boss", "393471234567"]);
        assert_eq!(only(&[','], " ,, "), [""; 0]);
        // The plus signs come back here as well.
        assert_eq!(only(&[' '], " 393471234567  393487654321"), ["+393471234567", "+393487654321"]);
        assert_eq!(only(&[','], " 393471234567,393487654321"), ["+393471234567", "+393487654321"]);
    }
}
