//! The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038 clauses 6.2.1 and
//! 6.2.1.1).
//!
//! To the letter: `ç`, the grave accent and the tab are not in it, `Ç` is; the form feed is in the
//! extension table. ESC is not a character but the way into the extension table.

/// The code that announces a code of the extension table.
pub const ESCAPE: u8 = 0x1B;

/// Stands for [`ESCAPE`] in [`DEFAULT`]; never looked up.
const NO_CHARACTER: char = '\u{1B}';

/// The default alphabet by code.
#[rustfmt::skip]
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', NO_CHARACTER, 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table: the code behind ESC, and its character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Every character of both tables but the euro sign lies below this.
const LOOKUP_LEN: usize = 0x400;
/// In [`LOOKUP`]: no such character.
const ABSENT: u8 = 0xFF;
/// In [`LOOKUP`]: the other seven bits are a code of the extension table. Distinct from [`ABSENT`]
/// because no extension code is 0x7F.
const EXTENDED: u8 = 0x80;

/// From a character to its code: made from the two tables.
const LOOKUP: [u8; LOOKUP_LEN] = {
    let mut table = [ABSENT; LOOKUP_LEN];
    let mut code = 0;
    while code < DEFAULT.len() {
        if code != ESCAPE as usize {
            table[DEFAULT[code] as usize] = code as u8;
        }
        code += 1;
    }
    let mut i = 0;
    while i < EXTENSION.len() {
        let (code, character) = EXTENSION[i];
        if (character as usize) < LOOKUP_LEN {
            table[character as usize] = EXTENDED | code;
        }
        i += 1;
    }
    table
};

/// How many septets each ASCII character takes; 0 for those that the alphabet does not have.
pub(super) const ASCII_SEPTETS: [u8; 128] = {
    let mut septets = [0; 128];
    let mut i = 0;
    while i < septets.len() {
        septets[i] = match LOOKUP[i] {
            ABSENT => 0,
            code => 1 + code / EXTENDED,
        };
        i += 1;
    }
    septets
};

/// How a character is written in septets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Septets {
    /// One septet: a code of the default alphabet.
    One(u8),
    /// Two septets: [`ESCAPE`] and this code of the extension table.
    Escaped(u8),
}

impl Septets {
    /// 1 or 2.
    pub fn count(self) -> u32 {
        match self {
            Self::One(_) => 1,
            Self::Escaped(_) => 2,
        }
    }
}

/// The septets of a character; `None` when the alphabet does not have it.
pub fn encode(character: char) -> Option<Septets> {
    let code = match LOOKUP.get(character as usize) {
        Some(&code) => code,
        None if character == '€' => EXTENDED | 0x65,
        None => ABSENT,
    };
    match code {
        ABSENT => None,
        code if code & EXTENDED != 0 => Some(Septets::Escaped(code & !EXTENDED)),
        code => Some(Septets::One(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the table in TS 23.038 clause 6.2.1, as code points, independent of `DEFAULT`.
    const ROWS: [[u32; 16]; 8] = [
        [0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5],
        [
            0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0x1B, 0xC6, 0xE6,
            0xDF, 0xC9,
        ],
        [0x20, 0x21, 0x22, 0x23, 0xA4, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F],
        [0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F],
        [0xA1, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F],
        [0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xC4, 0xD6, 0xD1, 0xDC, 0xA7],
        [0xBF, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F],
        [0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xE4, 0xF6, 0xF1, 0xFC, 0xE0],
    ];

    /// The extension table of clause 6.2.1.1: code and code point.
    const ESCAPED: [(u8, u32); 10] = [
        (0x0A, 0x0C),
        (0x14, 0x5E),
        (0x28, 0x7B),
        (0x29, 0x7D),
        (0x2F, 0x5C),
        (0x3C, 0x5B),
        (0x3D, 0x7E),
        (0x3E, 0x5D),
        (0x40, 0x7C),
        (0x65, 0x20AC),
    ];

    #[test]
    fn every_code_point_has_the_septets_of_the_standard_and_no_other_has_any() {
        let mut expected = std::collections::BTreeMap::new();
        for (row, points) in ROWS.iter().enumerate() {
            for (column, point) in points.iter().enumerate() {
                let code = u8::try_from(row * 16 + column).unwrap();
                if code != ESCAPE {
                    expected.insert(*point, Septets::One(code));
                }
            }
        }
        for (code, point) in ESCAPED {
            expected.insert(point, Septets::Escaped(code));
        }
        assert_eq!(expected.len(), 127 + 10);
        for point in 0..=u32::from(char::MAX) {
            if let Some(character) = char::from_u32(point) {
                assert_eq!(encode(character), expected.get(&point).copied(), "U+{point:04X}");
            }
        }
    }

    #[test]
    fn the_short_way_for_ascii_says_the_same() {
        for (code, &septets) in ASCII_SEPTETS.iter().enumerate() {
            let character = char::from(u8::try_from(code).unwrap());
            assert_eq!(u32::from(septets), encode(character).map_or(0, Septets::count), "{character:?}");
        }
    }

    #[test]
    fn look_alikes_are_not_in_the_alphabet() {
        for character in ['ç', '`', '\t', '\u{1B}', '\0', 'á', '\u{2126}', '…', '’', '\u{A0}'] {
            assert_eq!(encode(character), None, "{character:?}");
        }
        assert_eq!(encode('Ç'), Some(Septets::One(0x09)));
    }
}
