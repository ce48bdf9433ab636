//! How many parts a text takes, found by packing it and not by dividing (3GPP TS 23.040 clause
//! 9.2.3.24.1): a pair that may not be split moves to the next part and leaves a unit unused.

use super::gsm;
use crate::model::Encoding;

/// What a text takes as SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How it travels: GSM 7-bit when the alphabet has every character, otherwise UCS-2.
    pub encoding: Encoding,
    /// Septets (an extension character is 2) or UTF-16 units (a surrogate pair is 2), without
    /// concatenation headers.
    pub units: usize,
    /// How many parts; 0 for the empty text only.
    pub parts: u32,
}

/// What `text` takes as it stands: [`fit`](super::fit()) cleans it first. Linear in the text.
pub fn measure(text: &str) -> Size {
    if let Some(size) = measure_short_ascii(text) {
        return size;
    }
    let encoding = encoding_of(text);
    let mut packer = Packer::new(encoding);
    for character in text.chars() {
        packer.push(units(character, encoding));
    }
    Size { encoding, units: packer.total, parts: packer.parts() }
}

/// The short way for most alerts: one part of ASCII.
fn measure_short_ascii(text: &str) -> Option<Size> {
    if text.len() > 160 {
        return None;
    }
    let mut units = 0;
    for &octet in text.as_bytes() {
        match gsm::ASCII_SEPTETS.get(usize::from(octet)) {
            None | Some(0) => return None,
            Some(&septets) => units += usize::from(septets),
        }
    }
    (units <= 160).then(|| Size { encoding: Encoding::Gsm7, units, parts: u32::from(units > 0) })
}

/// A character that the GSM alphabet does not have, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The character.
    pub character: char,
    /// Its line, from 1.
    pub line: usize,
    /// Its place in the line in characters, from 1.
    pub column: usize,
}

/// The characters of `text` that make it UCS-2, in order. Linear.
pub fn foreign(text: &str) -> Vec<Foreign> {
    let mut found = Vec::new();
    for (line, words) in text.split('\n').enumerate() {
        for (column, character) in words.chars().enumerate() {
            if gsm::encode(character).is_none() {
                found.push(Foreign { character, line: line + 1, column: column + 1 });
            }
        }
    }
    found
}

/// The words of each part of `text`, as we predict the platform to split it; one part for a text that
/// fits alone, none for the empty text. Linear.
pub fn parts(text: &str) -> Vec<&str> {
    let encoding = encoding_of(text);
    let mut packer = Packer::new(encoding);
    let mut starts = Vec::new();
    for (at, character) in text.char_indices() {
        let before = packer.full;
        packer.push(units(character, encoding));
        if packer.full > before {
            starts.push(at);
        }
    }
    if packer.parts() <= 1 {
        starts.truncate(1);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &text[start..end]).collect()
}

fn encoding_of(text: &str) -> Encoding {
    let gsm = text.chars().all(|c| gsm::encode(c).is_some());
    if gsm { Encoding::Gsm7 } else { Encoding::Ucs2 }
}

/// Units of one character, which may not be split. In GSM 7-bit for characters that it has; others
/// count as 1 and do not occur.
fn units(character: char, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Gsm7 => match gsm::encode(character) {
            Some(gsm::Septets::Escaped(_)) => 2,
            Some(gsm::Septets::One(_)) | None => 1,
        },
        Encoding::Ucs2 => character.len_utf16(),
    }
}

/// Fills parts one character after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packer {
    encoding: Encoding,
    /// All units so far.
    total: usize,
    /// Parts so far if it is a concatenation.
    full: u32,
    /// Units in the last of those parts.
    used: usize,
}

impl Packer {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, total: 0, full: 0, used: 0 }
    }

    /// Adds the characters of `text`; those outside the encoding are the caller's to avoid.
    pub(super) fn push_str(&mut self, text: &str) {
        for character in text.chars() {
            self.push(units(character, self.encoding));
        }
    }

    fn push(&mut self, units: usize) {
        let each = match self.encoding {
            Encoding::Gsm7 => 153,
            Encoding::Ucs2 => 67,
        };
        self.total += units;
        if self.full == 0 || self.used + units > each {
            self.full = self.full.saturating_add(1);
            self.used = 0;
        }
        self.used += units;
    }

    /// Whether so many parts surely hold what was pushed and `more` units behind it: quick, and true
    /// unless it comes near. A pair that is not split wastes one unit of a part at most.
    pub(super) fn is_surely_within(&self, max_parts: u32, more: usize) -> bool {
        let each = match self.encoding {
            Encoding::Gsm7 => 152,
            Encoding::Ucs2 => 66,
        };
        self.total + more <= usize::try_from(max_parts).unwrap_or(usize::MAX).saturating_mul(each)
    }

    /// Parts needed for what was pushed.
    pub(super) fn parts(&self) -> u32 {
        let alone = match self.encoding {
            Encoding::Gsm7 => 160,
            Encoding::Ucs2 => 70,
        };
        if self.total <= alone { self.full.min(1) } else { self.full }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gsm(units: usize, parts: u32) -> Size {
        Size { encoding: Encoding::Gsm7, units, parts }
    }

    fn ucs2(units: usize, parts: u32) -> Size {
        Size { encoding: Encoding::Ucs2, units, parts }
    }

    #[test]
    fn gsm_holds_160_alone_and_153_in_each_of_several_parts() {
        for (length, parts) in
            [(1, 1), (159, 1), (160, 1), (161, 2), (305, 2), (306, 2), (307, 3), (459, 3), (460, 4)]
        {
            assert_eq!(measure(&"a".repeat(length)), gsm(length, parts), "{length}");
        }
    }

    #[test]
    fn ucs2_holds_70_alone_and_67_in_each_of_several_parts() {
        for (length, parts) in [(1, 1), (69, 1), (70, 1), (71, 2), (133, 2), (134, 2), (135, 3), (202, 4)] {
            assert_eq!(measure(&"ç".repeat(length)), ucs2(length, parts), "{length}");
        }
    }

    #[test]
    fn parts_are_split_where_the_packing_says() {
        assert_eq!(parts(""), [""; 0]);
        let alone = "a".repeat(160);
        assert_eq!(parts(&alone), [alone.as_str()]);
        let border = format!("{}€{}", "a".repeat(152), "b".repeat(20));
        let rest = format!("€{}", "b".repeat(20));
        assert_eq!(parts(&border), [&border[..152], rest.as_str()]);
        let emoji = "😀".repeat(36);
        assert_eq!(parts(&emoji), [&emoji[..33 * 4], &emoji[33 * 4..]]);
    }

    #[test]
    fn foreign_characters_are_found_with_their_places() {
        let found = foreign("caffè\nit’s ж€");
        let at = |character, line, column| Foreign { character, line, column };
        assert_eq!(found, [at('’', 2, 3), at('ж', 2, 6)]);
    }

    #[test]
    fn the_empty_text_takes_no_part() {
        assert_eq!(measure(""), gsm(0, 0));
    }

    #[test]
    fn an_extension_character_is_two_septets() {
        assert_eq!(measure(&"€".repeat(80)), gsm(160, 1));
        assert_eq!(measure(&format!("{}a", "€".repeat(80))), gsm(161, 2));
        assert_eq!(measure(&format!("{}€", "a".repeat(158))), gsm(160, 1));
        assert_eq!(measure(&format!("{}€", "a".repeat(159))), gsm(161, 2));
    }

    #[test]
    fn an_extension_pair_is_never_split_so_a_part_may_hold_152() {
        // The pair would be septets 153 and 154: it moves, and the first part holds 152.
        let border = |tail: usize| format!("{}€{}", "a".repeat(152), "a".repeat(tail));
        assert_eq!(measure(&border(151)), gsm(305, 2), "152 + 153");
        assert_eq!(measure(&border(152)), gsm(306, 3), "306 septets do not fit when one is wasted");
        // One place earlier nothing is wasted.
        assert_eq!(measure(&format!("{}€{}", "a".repeat(151), "a".repeat(153))), gsm(306, 2));
        // All pairs: 76 in a part.
        assert_eq!(measure(&"€".repeat(152)), gsm(304, 2));
        assert_eq!(measure(&"€".repeat(153)), gsm(306, 3));
    }

    #[test]
    fn a_surrogate_pair_is_never_split_so_a_part_may_hold_66() {
        assert_eq!(measure(&"😀".repeat(35)), ucs2(70, 1));
        assert_eq!(measure(&"😀".repeat(36)), ucs2(72, 2));
        assert_eq!(measure(&"😀".repeat(66)), ucs2(132, 2));
        assert_eq!(measure(&"😀".repeat(67)), ucs2(134, 3), "134 units do not fit when two are wasted");
        let border = |tail: usize| format!("{}😀{}", "a".repeat(66), "a".repeat(tail));
        assert_eq!(measure(&border(65)), ucs2(133, 2), "66 + 67");
        assert_eq!(measure(&border(66)), ucs2(134, 3));
    }

    #[test]
    fn one_character_outside_the_alphabet_makes_the_whole_text_ucs2() {
        assert_eq!(measure("a^"), gsm(3, 1));
        assert_eq!(measure("a^ç"), ucs2(3, 1));
        assert_eq!(measure("`"), ucs2(1, 1));
        assert_eq!(measure("\u{0C}"), gsm(2, 1));
    }
}
