//! Upper and lower case as regular expressions see them (Unicode's simple case folding), for a known set of words.

use std::borrow::Cow;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// Every character that is the same as another one without regard to case becomes that one: of those that
/// occur in the words that were learned.
#[derive(Clone, Debug, Default)]
pub(super) struct Folding {
    /// Characters outside ASCII and what they become, in order.
    others: Vec<(char, char)>,
}

impl Folding {
    /// What `c`, which stands in a word, becomes. From then on everything that is the same does.
    pub(super) fn learn(&mut self, c: char) -> char {
        // In ASCII only these have relatives outside: the sign for Kelvin and the long s.
        if c.is_ascii() && !matches!(c, 'k' | 'K' | 's' | 'S') {
            return c.to_ascii_lowercase();
        }
        let known = |folding: &Self| folding.others.binary_search_by_key(&c, |(from, _)| *from);
        if !c.is_ascii()
            && let Ok(place) = known(self)
        {
            return self.others[place].1;
        }
        let mut same = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        // It fails where the tables were left out of the program. Then patterns pay regard to case, too.
        let _no_tables = same.try_case_fold_simple();
        let same: Vec<char> = same.iter().flat_map(|range| range.start()..=range.end()).collect();
        let ascii = same.iter().find(|c| c.is_ascii()).map(char::to_ascii_lowercase);
        let becomes = ascii.or_else(|| same.first().copied()).unwrap_or(c);
        for from in same.into_iter().filter(|c| !c.is_ascii()) {
            if let Err(place) = self.others.binary_search_by_key(&from, |(from, _)| *from) {
                self.others.insert(place, (from, becomes));
            }
        }
        becomes
    }

    /// `text` with every character that was learned, and all of ASCII, in its one form.
    pub(super) fn fold<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.is_ascii() {
            return match text.bytes().any(|octet| octet.is_ascii_uppercase()) {
                true => Cow::Owned(text.to_ascii_lowercase()),
                false => Cow::Borrowed(text),
            };
        }
        // Stretches of ASCII are copied whole: they are most of nearly every text.
        let mut folded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|octet| !octet.is_ascii()) {
            let (ascii, others) = rest.split_at(at);
            folded.push_str(ascii);
            let mut others = others.chars();
            folded.extend(others.next().map(|c| self.folded(c)));
            rest = others.as_str();
        }
        folded.push_str(rest);
        folded.make_ascii_lowercase();
        Cow::Owned(folded)
    }

    /// What `c` becomes, which is outside ASCII.
    fn folded(&self, c: char) -> char {
        self.others.binary_search_by_key(&c, |(from, _)| *from).map_or(c, |place| self.others[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_without_regard_to_case_becomes_the_same() {
        let mut folding = Folding::default();
        let word: String = "Kelvin ſS ΣΤΟΣ Straße µ ДЕНЬ".chars().map(|c| folding.learn(c)).collect();
        for same in [
            "Kelvin ſS ΣΤΟΣ Straße µ ДЕНЬ",
            "KELVIN sſ στος STRAẞE μ день",
            "\u{212A}elvin Ss Στοσ straße Μ День",
        ] {
            assert_eq!(folding.fold(same), word, "{same}");
        }
        assert_eq!(folding.fold("ABC Ж"), "abc Ж", "what no word has may stay");
        assert!(matches!(folding.fold("all small"), Cow::Borrowed(_)));
    }
}
