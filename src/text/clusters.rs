//! The grapheme clusters of a text (UAX 29), fast where it is ASCII.

use unicode_segmentation::UnicodeSegmentation;

/// Octets of a grapheme cluster that are looked at together. There are none so long in any language, and
/// each SMS of a text would look for the end of the same one.
const MAX_CLUSTER: usize = 1000;

/// Each cluster with the octet where it begins; those of more than [`MAX_CLUSTER`] octets in pieces.
pub(super) fn clusters(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let length = match rest.as_bytes() {
            // Between two ASCII characters is a border, but inside CR LF; no need to look the two up.
            [first, second, ..] if first.is_ascii() && second.is_ascii() && *first != b'\r' => 1,
            // The rest begins at a border, so that nothing in front of it matters.
            _ => rest[..rest.floor_char_boundary(MAX_CLUSTER)]
                .graphemes(true)
                .next()
                .map_or(rest.len(), str::len),
        };
        let start = at;
        at += length;
        Some((start, &rest[..length]))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z ]{0,4}",
            prop::sample::select(vec![
                "\r",
                "\n",
                "\r\n",
                "\u{301}",
                "\u{200D}",
                "👩",
                "🔧",
                "🇮",
                "🇹",
                "न",
                "्",
                "द",
                "ㅎ",
                "ㅏ",
                "각",
                "\u{600}",
                "é",
                "\u{FE0F}",
                "1\u{20E3}",
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn they_are_those_of_the_library(text in pieces()) {
            let found: Vec<_> = clusters(&text).collect();
            let expected: Vec<_> = text.grapheme_indices(true).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
