//! Words that a text must have for a pattern to be found in it: at least one of them.
//!
//! They are looked for in a text whose case was folded, so that they may be folded, too.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::fold::Folding;

/// Characters of a class, without regard to case, that are written out.
const MAX_CLASS: usize = 8;
/// Characters of a class, with regard to case, that are looked at.
const MAX_CLASS_WRITTEN: u32 = 32;
/// Texts that a part of an expression may stand for and be written out.
const MAX_EXACT: usize = 64;
/// Words that one pattern may have; beyond that it has none.
const MAX_NEEDLES: usize = 4096;
/// Lists of words of one pattern that are kept, to choose one of them.
const MAX_LISTS: usize = 4;
/// Octets of all of them.
const MAX_OCTETS: usize = 1 << 16;
/// A word that is shorter, in octets, is nearly everywhere.
const MIN_LENGTH: usize = 2;
/// Words of the least length that a list may have: of more of them one is nearly everywhere.
const MAX_SHORT: usize = 8;
/// A word that is longer is no better for it.
const LONG: usize = 8;
/// Octets of a word that are looked for: its last ones, as names are told apart by their ends. It bounds how many words end
/// at one place of a text.
const MAX_LENGTH: usize = 64;

type Words = BTreeSet<String>;

/// What one part of an expression stands for.
struct Part {
    /// Every text that it stands for; `None` where they are too many.
    exact: Option<Words>,
    /// Of each of these lists at least one word is in every text that it stands for.
    needles: Vec<Words>,
}

/// The lists of words for an expression: of each at least one word is in every text that it is found in. None where any text
/// may do.
pub(super) fn of(tree: &Hir, folding: &mut Folding) -> Vec<Vec<String>> {
    let cut =
        |word: String| word[word.ceil_char_boundary(word.len().saturating_sub(MAX_LENGTH))..].to_owned();
    let ends = |words: Words| words.into_iter().map(cut).collect::<Words>().into_iter().collect();
    part(tree, folding).into_needles().into_iter().map(ends).collect()
}

/// How many texts a word is in, by a guess: the longer, the fewer.
pub(super) fn worth(words: &[String]) -> (usize, std::cmp::Reverse<usize>) {
    let shortest = words.iter().map(String::len).min().unwrap_or(0);
    (shortest.min(LONG), std::cmp::Reverse(words.len()))
}

impl Part {
    fn unknown() -> Self {
        Self { exact: None, needles: Vec::new() }
    }

    fn exactly(words: impl IntoIterator<Item = String>) -> Self {
        Self { exact: Some(words.into_iter().collect()), needles: Vec::new() }
    }

    /// Its lists.
    fn into_needles(self) -> Vec<Words> {
        best(self.exact.into_iter().chain(self.needles))
    }
}

/// Of lists those that are found in the fewest texts, by a guess, and not more than are worth a look.
fn best(offers: impl IntoIterator<Item = Words>) -> Vec<Words> {
    let shortest = |words: &Words| words.iter().map(String::len).min().unwrap_or(0);
    let octets = |words: &Words| words.iter().map(String::len).sum::<usize>();
    let short = |words: &Words| words.iter().filter(|word| word.len() == MIN_LENGTH).count();
    let fits = |words: &Words| {
        shortest(words) >= MIN_LENGTH
            && short(words) <= MAX_SHORT
            && words.len() <= MAX_NEEDLES
            && octets(words) <= MAX_OCTETS
    };
    let mut offers: Vec<Words> = offers.into_iter().filter(fits).collect();
    offers.sort_by_key(|words| (std::cmp::Reverse(shortest(words).min(LONG)), words.len()));
    offers.dedup();
    offers.truncate(MAX_LISTS);
    offers
}

fn part(tree: &Hir, folding: &mut Folding) -> Part {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => Part::exactly([String::new()]),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Part::exactly([text.chars().map(|c| folding.learn(c)).collect()]),
            Err(_) => Part::unknown(),
        },
        HirKind::Class(class) => characters(class).map_or_else(Part::unknown, |characters| {
            let folded: BTreeSet<char> = characters.into_iter().map(|c| folding.learn(c)).collect();
            match folded.len() {
                1..=MAX_CLASS => Part::exactly(folded.into_iter().map(String::from)),
                _ => Part::unknown(),
            }
        }),
        HirKind::Repetition(repetition) => repeated(repetition, folding),
        HirKind::Capture(capture) => part(&capture.sub, folding),
        HirKind::Concat(parts) => in_a_row(parts.iter().map(|tree| part(tree, folding))),
        HirKind::Alternation(parts) => {
            let parts: Vec<Part> = parts.iter().map(|tree| part(tree, folding)).collect();
            either(parts)
        }
    }
}

/// The characters of a class, where they are few.
fn characters(class: &Class) -> Option<Vec<char>> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        // Without Unicode an octet above ASCII is no character.
        Class::Bytes(class) if class.is_ascii() => {
            class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(_) => return None,
    };
    let many = |(first, last): &(char, char)| u32::from(*last) - u32::from(*first) + 1;
    let few = ranges.iter().map(many).try_fold(0_u32, u32::checked_add)? <= MAX_CLASS_WRITTEN;
    few.then(|| ranges.into_iter().flat_map(|(first, last)| first..=last).collect())
}

fn repeated(repetition: &Repetition, folding: &mut Folding) -> Part {
    let inner = part(&repetition.sub, folding);
    match (repetition.min, repetition.max) {
        (0, Some(1)) => {
            let exact = inner.exact.map(|mut words| {
                words.insert(String::new());
                words
            });
            Part { exact, needles: Vec::new() }
        }
        (0, _) => Part::unknown(),
        (1, Some(1)) => inner,
        (least, most) => {
            let certain = std::iter::repeat_n(inner.exact.as_ref(), least as usize);
            // As many as are certain, of which a bounded number is written out.
            let row =
                certain.take(LONG).try_fold(Words::from([String::new()]), |row, next| times(&row, next?));
            let whole = most == Some(least) && least as usize <= LONG;
            match row {
                Some(row) if whole => Part { exact: Some(row), needles: inner.needles },
                row => Part {
                    exact: None,
                    needles: best(row.into_iter().chain(inner.exact).chain(inner.needles)),
                },
            }
        }
    }
}

/// Every one of `first` with every one of `second` behind it, unless they are too many.
fn times(first: &Words, second: &Words) -> Option<Words> {
    let octets = |words: &Words| words.iter().map(String::len).max().unwrap_or(0);
    let few = first.len() * second.len() <= MAX_EXACT && octets(first) + octets(second) <= MAX_OCTETS;
    let pair = |a: &String| second.iter().map(move |b| format!("{a}{b}")).collect::<Vec<_>>();
    few.then(|| first.iter().flat_map(pair).collect())
}

/// Parts one behind the other.
fn in_a_row(parts: impl Iterator<Item = Part>) -> Part {
    let nothing = || Words::from([String::new()]);
    // What is certain to stand together before the part that is looked at.
    let mut row = nothing();
    let mut whole = true;
    let mut found = Vec::new();
    for part in parts {
        found.extend(part.needles);
        row = match part.exact.as_ref().map(|exact| times(&row, exact)) {
            Some(Some(longer)) => longer,
            _ => {
                whole = false;
                found.push(row);
                part.exact.unwrap_or_else(nothing)
            }
        };
    }
    match whole {
        true => Part { exact: Some(row), needles: best(found) },
        false => Part { exact: None, needles: best(found.into_iter().chain([row])) },
    }
}

/// One of several parts.
fn either(parts: Vec<Part>) -> Part {
    let exact: Option<Words> = parts
        .iter()
        .try_fold(Words::new(), |all, part| Some(&all | part.exact.as_ref()?))
        .filter(|all| all.len() <= MAX_EXACT);
    // The best list of each, since every one of them would have to be tried with every other.
    let each = parts.into_iter().map(|part| part.into_needles().into_iter().next());
    let needles = each.collect::<Option<Vec<Words>>>().map(|each| each.into_iter().flatten().collect());
    let needles = needles.into_iter().collect();
    Part { exact, needles }
}

#[cfg(test)]
mod tests {
    use super::super::parser;
    use super::*;

    /// The first list.
    fn needles(source: &str) -> Option<Vec<String>> {
        of(&parser().build().parse(source).unwrap(), &mut Folding::default()).into_iter().next()
    }

    #[test]
    fn the_words_are_those_that_are_found_least() {
        for (source, expected) in [
            ("Alarm", &["alarm"][..]),
            (r"^\[zabbix\]", &["[zabbix]"]),
            (r"(?P<host>[\w.-]+) is (down|UP)", &[" is down", " is up"]),
            (r"\bUPS\b.*\bon battery\b", &["on battery"]),
            ("(fire|smoke)s? in", &["fire in", "fires in", "smoke in", "smokes in"]),
            ("colou?r", &["color", "colour"]),
            ("err(or)+", &["err"]),
            ("(ab){3}", &["ababab"]),
            ("[ab]{3,}x", &["aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"]),
            ("(fail|error: [0-9]+)", &["error: ", "fail"]),
            ("host-0[1-3]", &["host-01", "host-02", "host-03"]),
            ("Straße|ΔΕΗ", &["straße", "ΔΕΗ"]),
            ("(?-i)Alarm", &["alarm"]),
            ("(?-u:Alarm)", &["alarm"]),
            ("a+b", &[]),
            (r"\d{6}", &[]),
            ("alarm|.", &[]),
            ("alarm|", &[]),
            ("(alarm)?", &[]),
            ("(alarm)*x", &[]),
            ("", &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(needles(source).unwrap_or_default(), expected, "{source}");
        }
    }

    #[test]
    fn every_part_that_must_be_there_has_a_list() {
        let tree = parser().build().parse(r"(srv1|srv2)[a-z]? is .*(down|up)").unwrap();
        let lists = of(&tree, &mut Folding::default());
        assert_eq!(lists, [vec![" is "], vec!["srv1", "srv2"], vec!["down", "up"]]);
    }

    #[test]
    fn many_words_of_two_octets_are_no_help() {
        let words = |count: usize| ('a'..).take(count).map(|c| format!("{c}x")).collect::<Vec<_>>().join("|");
        assert_eq!(needles(&words(MAX_SHORT)).unwrap().len(), MAX_SHORT);
        assert_eq!(needles(&format!("{}|longer", words(MAX_SHORT))).unwrap().len(), MAX_SHORT + 1);
        assert_eq!(needles(&words(MAX_SHORT + 1)), None);
    }

    #[test]
    fn what_would_be_too_much_is_left_out() {
        let host = |n: usize| format!("{}{n}", ["web", "db"][n % 2]);
        let alternatives = |count: usize| (0..count).map(host).collect::<Vec<_>>().join("|");
        assert_eq!(needles(&alternatives(MAX_NEEDLES)).unwrap().len(), MAX_NEEDLES);
        assert_eq!(needles(&alternatives(MAX_NEEDLES + 1)), None);
        let six = needles(&format!("{}.", "[ab]".repeat(6))).unwrap();
        assert!(six.len() == MAX_EXACT && six.iter().all(|word| word.len() == 6), "{six:?}");
        let seven = needles(&format!("{}.", "[ab]".repeat(7))).unwrap();
        assert!(seven.len() == MAX_EXACT && seven.iter().all(|word| word.len() == 6), "{seven:?}");
        assert_eq!(needles(&"a".repeat(MAX_LENGTH + 1)).unwrap(), ["a".repeat(MAX_LENGTH)]);
        assert_eq!(needles(&"a".repeat(MAX_OCTETS)).unwrap().len(), 1);
    }
}
