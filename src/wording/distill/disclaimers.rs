//! What the operator's patterns find.

use super::edit::Edit;
use crate::pattern::Pattern;

/// Most places of one pattern that go. `regex` looks for each in linear time only.
const MAX_PLACES: usize = 1000;

/// The places that `pattern` finds, the first 1,000; none that is empty.
pub(super) fn edits(pattern: &Pattern, text: &str) -> Vec<Edit> {
    pattern.find_all(text).take(MAX_PLACES).filter(|range| !range.is_empty()).map(Edit::cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(pattern: &str, text: &'a str) -> Vec<&'a str> {
        let edits = edits(&Pattern::new(pattern).unwrap(), text);
        edits.into_iter().map(|edit| &text[edit.range]).collect()
    }

    #[test]
    fn every_place_is_found_once() {
        assert_eq!(
            found("diese e-mail .*", "a\nDiese E-Mail ist geheim.\nb\nDiese E-Mail auch"),
            ["Diese E-Mail ist geheim.", "Diese E-Mail auch"]
        );
        assert_eq!(found("^b", "ab\nb"), [""; 0], "an anchor means the text's beginning");
        assert_eq!(found("(?m)^b", "ab\nb"), ["b"]);
        assert_eq!(found("è*", "aèèbè"), ["èè", "è"]);
        assert_eq!(found("", "abc"), [""; 0]);
        assert_eq!(found("$|^", "abc"), [""; 0]);
        for (count, gone) in [(999, 999), (1000, 1000), (1001, 1000)] {
            assert_eq!(found("x", &"x".repeat(count)).len(), gone);
        }
    }
}
