//! Patterns without their borders of words, as the way around what is slow.
//!
//! A border of words (`\b`) depends on the characters beside it. As soon as one of these is outside ASCII, `regex` leaves its automaton and goes
//! a way that takes twenty times as long. The same expression without borders has none of that, and is found wherever
//! the whole one is. So it is asked first in such a text, and mostly that is the end.

use std::sync::{Arc, OnceLock};

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Capture, Hir, HirKind, Look, Repetition};

use super::{MAX_COMPILED, parser};

/// A pattern without its borders of words. It is compiled when it is asked for the first time, since many never are.
#[derive(Clone, Debug, Default)]
pub(super) struct Loose(Arc<OnceLock<Option<Regex>>>);

impl Loose {
    /// `None` for an expression that has no such borders.
    pub(super) fn of(tree: &Hir) -> Option<Self> {
        tree.properties().look_set().contains_word_unicode().then(Self::default)
    }

    /// The octet of `text` before which the expression `source`, that which this was made of, is not found; `None` where it is nowhere.
    pub(super) fn begin(&self, source: &str, text: &str) -> Option<usize> {
        let compile = || {
            let tree = parser().build().parse(source).ok()?;
            RegexBuilder::new(&without_borders(&tree).to_string()).size_limit(MAX_COMPILED).build().ok()
        };
        match self.0.get_or_init(compile) {
            Some(regex) => regex.find(text).map(|found| found.start()),
            // Anywhere then.
            None => Some(0),
        }
    }
}

/// The same without borders of words, so that it is found in more texts and in none less.
pub(super) fn without_borders(tree: &Hir) -> Hir {
    let all = |trees: &[Hir]| trees.iter().map(without_borders).collect();
    match tree.kind() {
        HirKind::Look(Look::Start | Look::End | Look::StartLF | Look::EndLF) => tree.clone(),
        HirKind::Look(_) => Hir::empty(),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => tree.clone(),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(without_borders(&repetition.sub));
            // Written behind each other, two repetitions would mean something else.
            let sub = Box::new(Hir::capture(Capture { index: 1, name: None, sub }));
            Hir::repetition(Repetition { sub, ..repetition.clone() })
        }
        HirKind::Capture(Capture { sub, .. }) => without_borders(sub),
        HirKind::Concat(trees) => Hir::concat(all(trees)),
        HirKind::Alternation(trees) => Hir::alternation(all(trees)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Pattern;
    use super::*;

    #[test]
    fn only_what_has_borders_of_words_has_a_way_around_them() {
        for (source, has) in [
            (r"\bups\b", true),
            (r"a\B", true),
            (r"ups|(a\b{start}b)*", true),
            (r"(?-u:\b)ups", false),
            ("^ups$", false),
        ] {
            assert_eq!(Loose::of(&parser().build().parse(source).unwrap()).is_some(), has, "{source}");
        }
    }

    #[test]
    fn it_begins_where_the_first_one_without_borders_does() {
        let pattern = Pattern::new(r"\bups (?P<n>\d)\b").unwrap();
        let text = "\u{e8}ups 1, \u{e8} ups 23, ups 4";
        assert_eq!(pattern.begin(text), Some(2));
        assert_eq!(pattern.find(text), Some(20..25));
        assert_eq!(pattern.groups(text), Some(vec![("n", "4".to_owned())]));
        assert_eq!(pattern.begin("\u{e8} ups"), None);
        assert_eq!(pattern.begin("all ASCII"), Some(0));
    }

    fn expression() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(
            &[
                "a",
                "B",
                "\u{e4}",
                "\u{df}",
                " ",
                r"\w",
                r"\W",
                r"\b",
                r"\b",
                r"\B",
                r"\b{start}",
                r"\b{end-half}",
                "^",
                "$",
                "[ab]",
                ".",
            ][..],
        );
        let leaf = proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat());
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| format!("({})", all.join("|"))),
                (inner.clone(), proptest::sample::select(&["?", "*", "+", "??", "*?", "{2}", "{0,2}"][..]))
                    .prop_map(|(inner, times)| format!("({inner}){times}")),
                (inner.clone(), inner).prop_map(|(one, other)| format!("{one}{other}")),
            ]
        })
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(
            &["a", "b", "A", "\u{e4}", "\u{c4}", "\u{1e9e}", "\u{2019}", "_", "7", " ", "-", "\n"][..],
        );
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_way_around_comes_to_the_same(source in expression(), texts in proptest::collection::vec(text(), 8)) {
            let pattern = Pattern::new(&source).unwrap();
            let plain = RegexBuilder::new(&source).case_insensitive(true).build().unwrap();
            for text in &texts {
                prop_assert_eq!(pattern.is_in(text), plain.is_match(text), "{} in {:?}", source, text);
                prop_assert_eq!(pattern.find(text), plain.find(text).map(|found| found.range()), "{} in {:?}", source, text);
                for number in 0..plain.captures_len() {
                    let group = plain.captures(text).and_then(|captures| captures.get(number)).map(|found| found.as_str());
                    prop_assert_eq!(pattern.group(text, number), group, "{} in {:?}", source, text);
                }
            }
        }
    }
}
