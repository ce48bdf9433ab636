//! Cutting one value of a template to so many characters, whatever they cost.

use unicode_segmentation::UnicodeSegmentation;

/// At most `max` characters of `text` as readers count them (grapheme clusters),
/// the `...` that stands for the rest among them; `text` itself when it is no longer. Cut at a word's
/// end, unless that leaves less than half; too short for an ellipsis, it is cut without. White space at
/// the end of what is cut goes. Reads no further than what fits.
pub fn shorten(text: &str, max: usize) -> String {
    const ELLIPSIS: &str = "...";
    let (kept, ellipsis) = match max.checked_sub(ELLIPSIS.len()) {
        None | Some(0) => (max, ""),
        Some(kept) => (kept, ELLIPSIS),
    };
    // Octets at the end of the last cluster and of the last word that can be kept, and how many
    // clusters those are.
    let (mut end, mut word) = (0, (0, 0));
    let mut count = 0;
    for (start, cluster) in text.grapheme_indices(true) {
        let blank = cluster.chars().all(char::is_whitespace);
        if blank && count <= kept && end == start {
            word = (end, count);
        }
        count += 1;
        if count > max {
            let cut = if word.1 * 2 >= kept && word.1 > 0 { word.0 } else { end };
            return format!("{}{ellipsis}", &text[..cut]);
        }
        if !blank && count <= kept {
            end = start + cluster.len();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_short_enough_stays() {
        for (text, max) in [("", 0), ("abc", 3), ("abc def", 7), ("👨‍👩‍👧‍👦🇮🇹e\u{301}", 3), (" a ", 3)]
        {
            assert_eq!(shorten(text, max), text);
        }
    }

    #[test]
    fn one_character_too_many_is_cut_with_the_ellipsis_counted_in() {
        assert_eq!(shorten("abcdefgh", 7), "abcd...");
        assert_eq!(shorten("abcd", 3), "abc");
        assert_eq!(shorten("abcde", 4), "a...");
        assert_eq!(shorten("abc", 0), "");
        assert_eq!(shorten("👨‍👩‍👧‍👦🇮🇹e\u{301}xyz", 5), "👨‍👩‍👧‍👦🇮🇹...");
    }

    #[test]
    fn it_is_cut_at_a_word_unless_that_leaves_less_than_half() {
        assert_eq!(shorten("Temperature too high in room 1", 20), "Temperature too...");
        assert_eq!(shorten("Temperature too high", 18), "Temperature too...", "exactly behind a word");
        assert_eq!(shorten("Temperature too high", 17), "Temperature...");
        assert_eq!(shorten("at Donaudampfschifffahrt", 15), "at Donaudamp...");
        assert_eq!(shorten("one   two three", 9), "one...");
    }

    proptest! {
        #[test]
        fn it_is_never_longer_and_stays_as_it_is_a_second_time(text in "([a-z]{1,9}|[ \\n]|\\PC){0,40}", max in 0..50_usize) {
            let short = shorten(&text, max);
            prop_assert!(short.graphemes(true).count() <= max);
            prop_assert_eq!(shorten(&short, max), short.as_str());
            if text.graphemes(true).count() > max {
                prop_assert!(text.starts_with(short.strip_suffix("...").unwrap_or(&short)));
            } else {
                prop_assert_eq!(short, text);
            }
        }
    }
}
