//! Taking pieces out of a text, and noting which.

use std::borrow::Cow;
use std::ops::Range;

use super::{Distilled, Removed, Step};

/// Most notes of what was removed from one text.
const MAX_NOTES: usize = 50;
/// Most characters of a piece that a note holds.
const MAX_NOTED: usize = 200;

/// A piece of the text that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Its octets.
    pub(super) range: Range<usize>,
    /// What takes its place; mostly nothing, and never longer.
    pub(super) instead: String,
}

impl Edit {
    /// Nothing takes its place.
    pub(super) fn cut(range: Range<usize>) -> Self {
        Self { range, instead: String::new() }
    }
}

impl Distilled<'_> {
    /// Makes the edits, which stand in order and don't overlap, and notes them; unless what is left is
    /// `nothing`.
    pub(super) fn edit(&mut self, step: Step, edits: &[Edit], nothing: impl Fn(&str) -> bool) {
        let edited = match (&self.text, edits) {
            (_, []) => return,
            (Cow::Borrowed(text), [only]) if only.range.end == text.len() && only.instead.is_empty() => {
                Cow::Borrowed(&text[..only.range.start])
            }
            (text, edits) => Cow::Owned(with(text, edits)),
        };
        if nothing(&edited) {
            return;
        }
        let room = MAX_NOTES.saturating_sub(self.removed.len());
        let noted = edits.iter().take(room).map(|edit| noted(step, &self.text[edit.range.clone()]));
        self.removed.extend(noted);
        self.text = edited;
    }

    /// Puts `text` in the place of the text, and notes of the step what `words` says.
    pub(super) fn replace(&mut self, step: Step, text: String, words: &str) {
        self.text = Cow::Owned(text);
        if self.removed.len() < MAX_NOTES {
            self.removed.push(noted(step, words));
        }
    }
}

fn with(text: &str, edits: &[Edit]) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut end = 0;
    for Edit { range, instead } in edits {
        edited.push_str(&text[end..range.start]);
        edited.push_str(instead);
        end = range.end;
    }
    edited.push_str(&text[end..]);
    edited
}

fn noted(step: Step, piece: &str) -> Removed {
    let piece = piece.trim();
    let end = piece.char_indices().nth(MAX_NOTED).map_or(piece.len(), |(end, _)| end);
    Removed { step, words: piece[..end].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_limited_in_length_and_number() {
        for (length, noted_length) in [(199, 199), (200, 200), (201, 200)] {
            let piece = "é".repeat(length);
            assert_eq!(noted(Step::Quotes, &piece).words, "é".repeat(noted_length));
        }
        for (count, noted_count) in [(49, 49), (50, 50), (51, 50)] {
            let text = format!("a{}", "x".repeat(count));
            let mut distilled = Distilled::whole(&text);
            let edits: Vec<Edit> = (1..=count).map(|at| Edit::cut(at..at + 1)).collect();
            distilled.edit(Step::Quotes, &edits, str::is_empty);
            assert_eq!((&*distilled.text, distilled.removed.len()), ("a", noted_count));
            distilled.replace(Step::BlankSpace, "b".to_owned(), "");
            assert_eq!((&*distilled.text, distilled.removed.len()), ("b", (noted_count + 1).min(50)));
        }
    }

    #[test]
    fn what_ends_a_text_goes_without_a_copy() {
        let mut distilled = Distilled::whole("abc");
        distilled.edit(Step::Signature, &[Edit::cut(1..3)], str::is_empty);
        assert!(matches!(distilled.text, Cow::Borrowed("a")));
        distilled.edit(Step::Signature, &[Edit::cut(0..1)], str::is_empty);
        assert_eq!(&*distilled.text, "a", "nothing would be left");
        assert_eq!(distilled.removed, [Removed { step: Step::Signature, words: "bc".to_owned() }]);
    }
}
