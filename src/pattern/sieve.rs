//! Many patterns over one text at once: which of them can be in it.
//!
//! Most expressions are found only where one of a few words is: `(\w+) is (down|up)` needs " is down" or " is up".
//! Those words of all patterns are looked for in one pass, and who finds none of its own is out. Where an expression has several such
//! lists, that is taken which the fewest others have: the name of a host rather than "alarm". The few patterns without
//! such words run together, without their borders of words, which are slow in a text outside ASCII. The rest is asked one by one.
//!
//! Running all of them together instead was measured: quicker by half a microsecond in ASCII, and a
//! thousand times slower outside it.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind, StartKind};
use regex::RegexSet;
use regex_syntax::hir::Hir;

use super::fold::Folding;
use super::loose::without_borders;
use super::{Bits, Pattern, needles, parser};

/// Octets of all words together. Whoever comes later is let through always.
const MAX_OCTETS: usize = 1 << 24;
/// Octets of all words together up to which a table leads from each of their beginnings and each octet of a text to the next. It
/// takes less than 1 KiB of memory for each, mostly a quarter; beyond that the beginnings are searched.
const MAX_TABLE: usize = 1 << 14;
/// Most patterns without words that run together; beyond that each is asked by itself.
const MAX_TOGETHER: usize = 256;

/// Lets the numbers through whose patterns can be in a text.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// Those that are let through always: nothing is asked of them, or nothing that can be told here.
    always: Bits,
    /// The words; `None` where there are none.
    words: Option<AhoCorasick>,
    /// By word, who passes where it is found, in order.
    passing: Vec<Vec<u32>>,
    folding: Folding,
    /// Patterns that have no words; `None` where there are none.
    wordless: Option<RegexSet>,
    /// By pattern that has no words, who passes where it is found.
    passing_wordless: Vec<usize>,
}

/// What one number asks for.
struct Asked {
    number: usize,
    /// By pattern, its tree and its lists of words.
    patterns: Vec<(Hir, Vec<Vec<String>>)>,
}

impl Asked {
    /// Of each pattern the list that is shared least; `None` where one has none.
    fn words(&self, shared: &HashMap<String, usize>) -> Option<Vec<String>> {
        let sharing = |words: &[String]| words.iter().filter_map(|word| shared.get(word)).copied().max();
        let rare = |words: &&Vec<String>| (std::cmp::Reverse(sharing(words)), needles::worth(words));
        let chosen = self.patterns.iter().map(|(_, lists)| lists.iter().max_by_key(rare).cloned());
        Some(chosen.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

impl Sieve {
    /// A sieve for the numbers below `length`. Each of `wanted` is a number, and patterns of which at least one has to be in
    /// the text. A number that is not among them passes always.
    pub fn new<'a, P>(length: usize, wanted: impl IntoIterator<Item = (usize, P)>) -> Self
    where
        P: IntoIterator<Item = &'a Pattern>,
    {
        let mut folding = Folding::default();
        let mut read = |pattern: &Pattern| {
            let tree = parser().build().parse(pattern.source()).ok()?;
            let lists = needles::of(&tree, &mut folding);
            Some((tree, lists))
        };
        let asked = wanted.into_iter().filter_map(|(number, patterns)| {
            let patterns = patterns.into_iter().map(&mut read).collect::<Option<_>>()?;
            Some(Asked { number, patterns })
        });
        let asked: Vec<Asked> = asked.collect();
        let mut shared = HashMap::<String, usize>::new();
        for word in asked.iter().flat_map(|one| &one.patterns).flat_map(|(_, lists)| lists).flatten() {
            *shared.entry(word.clone()).or_default() += 1;
        }
        let mut always = Bits::all(length);
        let mut words = BTreeMap::<String, Vec<u32>>::new();
        let (mut wordless, mut passing_wordless) = (Vec::new(), Vec::new());
        let mut octets = 0;
        for one in asked {
            let Ok(narrow) = u32::try_from(one.number) else { continue };
            let Some(own) = one.words(&shared) else {
                let bare = one.patterns.iter().map(|(tree, _)| without_borders(tree).to_string());
                if wordless.len() + one.patterns.len() <= MAX_TOGETHER {
                    wordless.extend(bare);
                    passing_wordless.resize(wordless.len(), one.number);
                }
                continue;
            };
            octets += own.iter().map(String::len).sum::<usize>();
            if octets > MAX_OCTETS {
                break;
            }
            always.remove(one.number);
            for word in own {
                let passing = words.entry(word).or_default();
                if passing.last() != Some(&narrow) {
                    passing.push(narrow);
                }
            }
        }
        // Where they are too large together, each is asked by itself.
        let wordless = (!wordless.is_empty()).then(|| RegexSet::new(wordless).ok()).flatten();
        if wordless.is_some() {
            passing_wordless.iter().for_each(|number| always.remove(*number));
        }
        let (words, passing): (Vec<String>, Vec<Vec<u32>>) = words.into_iter().unzip();
        let built = AhoCorasickBuilder::new()
            .kind((octets <= MAX_TABLE).then_some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .build(&words);
        match built {
            Ok(built) => {
                let words = (!words.is_empty()).then_some(built);
                Self { always, words, passing, folding, wordless, passing_wordless }
            }
            // Too many words for it, which the bound above keeps away.
            Err(_) => Self {
                always: Bits::all(length),
                words: None,
                passing: Vec::new(),
                folding,
                wordless: None,
                passing_wordless: Vec::new(),
            },
        }
    }

    /// The numbers whose patterns can be in `text`: all of which one is in it, and few others. Linear in the text.
    pub fn pass(&self, text: &str) -> Bits {
        let mut passed = self.always.clone();
        self.add(text, &mut passed);
        passed
    }

    /// The same for patterns that may be in either of two texts.
    pub fn pass_either(&self, one: &str, other: &str) -> Bits {
        let mut passed = self.pass(one);
        self.add(other, &mut passed);
        passed
    }

    /// Whether every number passes, whatever the text is.
    pub fn is_open(&self) -> bool {
        self.words.is_none() && self.wordless.is_none()
    }

    /// Octets of memory that its words take, at least.
    pub fn memory(&self) -> usize {
        self.words.as_ref().map_or(0, AhoCorasick::memory_usage)
    }

    fn add(&self, text: &str, passed: &mut Bits) {
        if let Some(wordless) = &self.wordless {
            wordless.matches(text).iter().for_each(|n| passed.insert(self.passing_wordless[n]));
        }
        let Some(words) = &self.words else { return };
        let text = self.folding.fold(text);
        let mut seen = Bits::none(self.passing.len());
        for found in words.find_overlapping_iter(text.as_bytes()) {
            let word = found.pattern().as_usize();
            // A word that comes again brings nothing new.
            if !seen.contains(word) {
                seen.insert(word);
                self.passing[word].iter().for_each(|number| passed.insert(*number as usize));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sieve(patterns: &[Pattern]) -> Sieve {
        Sieve::new(patterns.len(), patterns.iter().map(std::slice::from_ref).enumerate())
    }

    fn passed(sources: &[&str], text: &str) -> Vec<usize> {
        let patterns: Vec<Pattern> = sources.iter().map(|source| Pattern::new(source).unwrap()).collect();
        sieve(&patterns).pass(text).iter().collect()
    }

    #[test]
    fn only_who_can_be_found_passes() {
        let sources = [r"(?P<host>\w+) is (down|up)", "battery", r"\d{3}", "rain|snow", r"\bUPS\b"];
        assert_eq!(passed(&sources, "SRV1 is down"), [0]);
        assert_eq!(passed(&sources, "UPS: BATTERY 400 %"), [1, 2, 4]);
        assert_eq!(passed(&sources, "upset"), [4], "what stands around a word is not looked at");
        assert_eq!(passed(&sources, "all"), [0; 0]);
    }

    #[test]
    fn the_words_that_are_shared_least_are_looked_for() {
        let sources =
            ["srv1[a-z]? is down for long", "srv2[a-z]? is down for long", "srv3[a-z]? is down for long"];
        assert_eq!(passed(&sources, "srv2 is down for long"), [1]);
    }

    #[test]
    fn patterns_without_words_are_asked_for_together_and_without_borders_of_words() {
        let sources = [r"\b\d{3}\b", r"\b[0-9a-f]{8}$", r"^\s*$", r"."];
        assert_eq!(passed(&sources, "1234"), [0, 3]);
        assert_eq!(passed(&sources, "Störung deadBEEF"), [1, 3]);
        assert_eq!(passed(&sources, " "), [2, 3]);
        let many = vec!["[0-9][ab]"; MAX_TOGETHER + 1];
        assert_eq!(passed(&many, "ac"), [MAX_TOGETHER], "who is too many is let through always");
    }

    #[test]
    fn one_of_several_patterns_is_enough_and_without_any_nobody_passes() {
        let [rain, snow, digits] = ["rain", "snow", r"\d"].map(|source| Pattern::new(source).unwrap());
        let wanted = [(0, vec![&rain, &snow]), (1, vec![&rain, &digits]), (2, Vec::new())];
        let sieve = Sieve::new(4, wanted);
        assert_eq!(sieve.pass("Snow").iter().collect::<Vec<_>>(), [0, 3]);
        assert_eq!(sieve.pass("sun").iter().collect::<Vec<_>>(), [3]);
        assert_eq!(sieve.pass("sun 7").iter().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(sieve.pass_either("sun", "rain").iter().collect::<Vec<_>>(), [0, 1, 3]);
        let nothing: [(usize, Vec<&Pattern>); 0] = [];
        assert!(!sieve.is_open() && Sieve::new(1, nothing).is_open());
    }

    #[test]
    fn a_table_has_its_size() {
        let word = |n: usize| format!("{n:064}");
        for (count, has_table) in [(MAX_TABLE / 64, true), (MAX_TABLE / 64 + 1, false)] {
            let patterns: Vec<Pattern> = (0..count).map(|n| Pattern::new(&word(n)).unwrap()).collect();
            let sieve = sieve(&patterns);
            let is_table = sieve.words.as_ref().unwrap().kind() == AhoCorasickKind::DFA;
            assert_eq!(is_table, has_table, "{count}");
            let text = format!("1{}x{}", word(count - 1), word(7));
            assert_eq!(sieve.pass(&text).iter().collect::<Vec<_>>(), [7, count - 1]);
        }
    }

    #[test]
    fn words_inside_of_words_are_found() {
        assert_eq!(
            passed(&["switch", "core switch 12", "witch", "switch 1"], "Core switch 12"),
            [0, 1, 2, 3]
        );
    }

    /// Expressions of pieces that texts are made of, too.
    fn expression() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(
            &[
                "al", "AR", "m", "k", "ss", "ß", "Σ", "ſ", "ж", ".", r"\w", r"\d", r"\b", "^", "$", " ",
                "[ab]", "[^a]", "(?-i)", "é",
            ][..],
        );
        let leaf = proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat());
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| format!("({})", all.join("|"))),
                (inner.clone(), proptest::sample::select(&["?", "*", "+", "{2}", "{2,}", "{0,2}"][..]))
                    .prop_map(|(inner, times)| format!("(?:{inner}){times}")),
                (inner.clone(), inner).prop_map(|(one, other)| format!("{one}{other}")),
            ]
        })
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(
            &[
                "al", "AL", "ar", "m", "M", "k", "\u{212A}", "ss", "ſ", "S", "ß", "ẞ", "σ", "ς", "Ж", "7",
                " ", "a", "B", "É", "x", "\n",
            ][..],
        );
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_is_found_passes(
            sources in proptest::collection::vec(expression(), 1..6),
            texts in proptest::collection::vec(text(), 1..6),
        ) {
            let patterns: Vec<Pattern> =
                sources.iter().filter_map(|source| Pattern::new(source).ok()).collect();
            let sieve = sieve(&patterns);
            for text in &texts {
                let passed = sieve.pass(text);
                for (n, pattern) in patterns.iter().enumerate() {
                    prop_assert!(passed.contains(n) || !pattern.is_in(text), "{} in {text:?}", pattern.source());
                }
            }
        }
    }
}
