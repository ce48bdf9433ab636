//! Globs: what a whole value looks like, for people who do not want a regular expression.

use std::ops::Range;

use super::PatternError;

/// The regular expression for a glob over a whole text: `*` any characters, `?` one, `[..]` one of these, `[!..]` or
/// `[^..]` one that is none of these; everything else stands for itself.
pub(super) fn translate(glob: &str) -> Result<String, PatternError> {
    let mut expression = String::from("(?s)\\A");
    let mut rest = glob.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            // Several in a row say no more than one, and would cost more.
            '*' => {
                while rest.next_if(|(_, next)| *next == '*').is_some() {}
                expression.push_str(".*");
            }
            '?' => expression.push('.'),
            '[' => {
                let length = class(&glob[at..], at, &mut expression)?;
                while rest.next_if(|(next, _)| *next < at + length).is_some() {}
            }
            c => literal(c, &mut expression),
        }
    }
    expression.push_str("\\z");
    Ok(expression)
}

/// Translates the class that `text` begins with, which stands at `place`: its length in octets.
fn class(text: &str, place: usize, expression: &mut String) -> Result<usize, PatternError> {
    let wrong = |reason: &str, range: Range<usize>| PatternError {
        reason: reason.to_owned(),
        is_glob: true,
        range: Some(place + range.start..place + range.end),
    };
    let inner: Vec<(usize, char)> = text.char_indices().skip(1).collect();
    let is_negated = matches!(inner.first(), Some((_, '!' | '^')));
    expression.push_str(if is_negated { "[^" } else { "[" });
    let begin = usize::from(is_negated);
    let mut n = begin;
    loop {
        let Some(&(at, first)) = inner.get(n) else {
            return Err(wrong("a `[` has no `]`; write [[] for the character itself", 0..1));
        };
        // The first of them is no end, so that it can be named at all.
        if first == ']' && n > begin {
            expression.push(']');
            return Ok(at + 1);
        }
        literal(first, expression);
        n += 1;
        if let (Some((_, '-')), Some(&(end, last))) = (inner.get(n), inner.get(n + 1))
            && last != ']'
        {
            if last < first {
                return Err(wrong("a range in [..] goes backwards", at..end + last.len_utf8()));
            }
            expression.push('-');
            literal(last, expression);
            n += 2;
        }
    }
}

/// A character that means nothing but itself, within a class and without.
fn literal(c: char, expression: &mut String) {
    if c.is_alphanumeric() {
        expression.push(c);
    } else {
        expression.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::pattern::Pattern;

    fn matches(glob: &str, text: &str) -> bool {
        Pattern::glob(glob).unwrap().is_in(text)
    }

    #[test]
    fn a_glob_is_about_the_whole_value() {
        for (glob, text, expected) in [
            ("*@example.com", "ups@example.com", true),
            ("*@example.com", "ups@EXAMPLE.com", true),
            ("*@example.com", "ups@example.com.evil", false),
            ("*@example.com", "ups@exampleXcom", false),
            ("*@example.com", "@example.com", true),
            ("ups-?", "ups-3", true),
            ("ups-?", "ups-", false),
            ("ups-?", "ups-33", false),
            ("ups-?", "ups-\u{e8}", true),
            ("ups-[0-46]", "ups-6", true),
            ("ups-[0-46]", "ups-5", false),
            ("ups-[!0-4]", "ups-5", true),
            ("ups-[^0-4]", "ups-3", false),
            ("[[]x]", "[x]", true),
            ("a[]]b", "a]b", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("a\\b", "a\\b", true),
            ("(a|b)+.$^{1}", "(a|b)+.$^{1}", true),
            ("a*b**c", "a\nb--\nc", true),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
            ("stra\u{df}e", "STRA\u{df}E", true),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} in {text:?}");
        }
    }

    #[test]
    fn a_glob_that_is_wrong_says_where() {
        for (glob, reason, range) in [
            (
                "ups[12",
                "this is not a valid glob: a `[` has no `]`; write [[] for the character itself",
                3..4,
            ),
            ("[]", "this is not a valid glob: a `[` has no `]`; write [[] for the character itself", 0..1),
            ("x[z-a]", "this is not a valid glob: a range in [..] goes backwards", 2..5),
        ] {
            let error = Pattern::glob(glob).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.range), (reason, Some(range)), "{glob}");
        }
    }

    #[test]
    fn a_glob_is_shown_as_it_was_written() {
        let pattern = Pattern::glob("*@example.com").unwrap();
        assert_eq!(pattern.written(), "*@example.com");
        assert!(pattern.is_glob() && pattern.group_names().next().is_none());
        assert!(!pattern.same_as(&Pattern::new("*@example.com".trim_start_matches('*')).unwrap()));
    }

    /// Another matcher, in the simplest way: what is left of both, and at `*` every rest.
    fn simple(glob: &[char], text: &[char]) -> bool {
        match glob.first() {
            None => text.is_empty(),
            Some('*') => (0..=text.len()).any(|skipped| simple(&glob[1..], &text[skipped..])),
            Some('?') => !text.is_empty() && simple(&glob[1..], &text[1..]),
            Some('[') => {
                let is_negated = matches!(glob.get(1), Some('!' | '^'));
                let begin = if is_negated { 2 } else { 1 };
                let end = begin + 1 + glob[begin + 1..].iter().position(|c| *c == ']').unwrap();
                let Some(&c) = text.first() else { return false };
                let members = &glob[begin..end];
                let has = |c: char| {
                    let mut n = 0;
                    while n < members.len() {
                        if n + 2 < members.len() && members[n + 1] == '-' {
                            if (members[n]..=members[n + 2]).contains(&c) {
                                return true;
                            }
                            n += 3;
                        } else if members[n] == c {
                            return true;
                        } else {
                            n += 1;
                        }
                    }
                    false
                };
                let is_in = has(c.to_ascii_lowercase()) || has(c.to_ascii_uppercase());
                is_in != is_negated && simple(&glob[end + 1..], &text[1..])
            }
            Some(c) => {
                text.first().is_some_and(|first| first.eq_ignore_ascii_case(c))
                    && simple(&glob[1..], &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn a_simple_matcher_says_the_same(
            pieces in prop::collection::vec("[*]|[?]|[ab.A]|\\[[!^]?[]ab.A][-abB.]{0,3}\\]", 0..6),
            text in "[abAB.\\-\\]\n]{0,6}",
        ) {
            let glob = pieces.concat();
            let both = |text: &str| text.chars().collect::<Vec<char>>();
            // What goes backwards is told, and no pattern.
            if let Ok(pattern) = Pattern::glob(&glob) {
                prop_assert_eq!(pattern.is_in(&text), simple(&both(&glob), &both(&text)), "{} in {:?}", glob, text);
            }
        }
    }
}
