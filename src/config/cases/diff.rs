//! Two texts side by side: which lines differ, and in which words.

use similar::{ChangeTag, DiffOp, TextDiff};
use unicode_segmentation::UnicodeSegmentation as _;

/// The lines of both texts: `-` in front of what only `expected` has, `+` in front of what only `found`
/// has, and carets below the words in which two lines differ.
pub(super) fn diff(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.split('\n').collect(), found.split('\n').collect());
    let lines = TextDiff::from_slices(&old, &new);
    let mut out = Vec::new();
    let mut whole =
        |sign: char, lines: &[&str]| out.extend(lines.iter().map(|line| format!("{sign} {line}")));
    for op in lines.ops() {
        match *op {
            DiffOp::Equal { old_index, len, .. } => whole(' ', &old[old_index..][..len]),
            DiffOp::Delete { old_index, old_len, .. } => whole('-', &old[old_index..][..old_len]),
            DiffOp::Insert { new_index, new_len, .. } => whole('+', &new[new_index..][..new_len]),
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                let (old, new) = (&old[old_index..][..old_len], &new[new_index..][..new_len]);
                let both = old_len.min(new_len);
                for (old, new) in old.iter().zip(new) {
                    let (old_marks, new_marks) = marks(old, new);
                    let shown = [("-", *old), (" ", &old_marks), ("+", *new), (" ", &new_marks)];
                    for (sign, line) in
                        shown.into_iter().filter(|(sign, line)| *sign != " " || !line.is_empty())
                    {
                        whole(sign.chars().next().unwrap_or(' '), &[line]);
                    }
                }
                whole('-', &old[both..]);
                whole('+', &new[both..]);
            }
        }
    }
    out.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// Carets below the words that only one of two lines has; nothing where they have no word in common.
fn marks(old: &str, new: &str) -> (String, String) {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.split_word_bounds().collect(), new.split_word_bounds().collect());
    let words = TextDiff::from_slices(&old, &new);
    let (mut old_marks, mut new_marks) = (String::new(), String::new());
    let mut common = false;
    for change in words.iter_all_changes() {
        let width = change.value().chars().count();
        match change.tag() {
            ChangeTag::Equal => {
                common |= !change.value().trim().is_empty();
                old_marks.push_str(&" ".repeat(width));
                new_marks.push_str(&" ".repeat(width));
            }
            ChangeTag::Delete => old_marks.push_str(&"^".repeat(width)),
            ChangeTag::Insert => new_marks.push_str(&"^".repeat(width)),
        }
    }
    match common {
        true => (old_marks.trim_end().to_owned(), new_marks.trim_end().to_owned()),
        false => (String::new(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_are_marked() {
        assert_eq!(
            diff("UPS on battery\nLoad 40 %\nbye", "UPS on fire now\nLoad 40 %\nbye"),
            "- UPS on battery\n         ^^^^^^^\n+ UPS on fire now\n         ^^^^^^^^\n  Load 40 %\n  bye"
        );
    }

    #[test]
    fn lines_that_only_one_has_stand_alone() {
        assert_eq!(diff("a\nb", "a"), "  a\n- b");
        assert_eq!(diff("a", "a\n\nb"), "  a\n+\n+ b");
        assert_eq!(diff("abc", "xyz"), "- abc\n+ xyz");
    }

    #[test]
    fn a_blank_that_differs_is_seen() {
        assert_eq!(diff("a b", "a\u{a0}b"), "- a b\n   ^\n+ a\u{a0}b\n   ^");
    }
}
