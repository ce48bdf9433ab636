//! Our own ways of writing characters that the GSM alphabet lacks: typographic characters, letters
//! without a decomposition, and Greek.

/// Characters that show nothing by themselves: marks for the direction of writing, joiners, variation
/// selectors, tags.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Combining accents; their letter is written by itself.
pub(super) fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20DF}' | '\u{20E1}' | '\u{20E5}'..='\u{20F0}' | '\u{FE20}'..='\u{FE2F}')
}

/// Typographic characters, symbols with a usual spelling, and Latin letters that neither decompose nor
/// have a compatibility form. Everything in it is GSM.
///
/// - `ő` and `ű` are the long `ö` and `ü`: Hungarian reads them so where phones lack them, and `o` is
///   another vowel.
/// - `ç` is not `Ç`: a capital in the middle of a word reads worse than a missing cedilla.
/// - Bullets become `*`: `-` in front of a number would read as minus.
/// - `‰` is not `%`, `≥` is not `>`: no spelling changes a value.
#[rustfmt::skip]
pub(super) fn spelling(c: char) -> Option<&'static str> {
    Some(match c {
        '‘' | '’' | '‚' | '‛' | '‹' | '›' | '′' | '‵' | 'ʹ' | 'ʻ' | 'ʼ' | 'ʽ' | 'ʾ' | 'ʿ' | 'ˈ' | '`' | '´'
            | '❛' | '❜' => "'",
        '“' | '”' | '„' | '‟' | '«' | '»' | '″' | '‶' | 'ʺ' | '¨' | '〝' | '〞' | '〟' | '❝' | '❞' => "\"",
        '‴' => "'''",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '⁃' | '﹘' | '﹣' | '¯' | 'ˉ' | '‾' | '➖' => "-",
        '\u{1680}' => " ",
        '‥' => "..",
        '•' | '‣' | '◦' | '·' | '∙' | '⋅' | '▪' | '▫' | '■' | '□' | '●' | '○' | '◆' | '◇' | '★' | '☆'
            | '∗' | '⁎' | '※' => "*",
        // Word's bullets, arrow and smile in the fonts Symbol and Wingdings.
        '\u{F0B7}' | '\u{F0A7}' => "*",
        '\u{F0E0}' => "->",
        '\u{F04A}' => ":-)",
        '™' => "(TM)", '℠' => "(SM)", '®' => "(R)", '©' => "(C)", '℗' => "(P)",
        '×' | '✕' | '✖' | '⨯' => "x",
        '÷' | '⁄' | '∕' | '➗' => "/",
        '±' => "+/-", '∓' => "-/+",
        '→' | '⟶' | '➔' | '➜' | '➝' | '➞' | '➡' => "->",
        '←' | '⟵' | '⬅' => "<-",
        '↔' | '⟷' => "<->",
        '⇒' | '⟹' => "=>",
        '⇐' => "<=",
        '⇔' => "<=>",
        '↑' | '▲' | '△' | '⬆' => "^",
        '↓' | '▼' | '▽' | '⬇' => "v",
        '►' | '▶' | '▸' | '➤' => ">",
        '◄' | '◀' | '◂' => "<",
        '✓' | '✔' => "OK",
        '✗' | '✘' => "X",
        '℃' => "C", '℉' => "F",
        '†' => "+", '‡' => "++",
        '‰' => "/1000", '‱' => "/10000",
        '≤' | '⩽' => "<=", '≥' | '⩾' => ">=", '≠' => "!=", '≈' | '∼' | '˜' => "~", '≡' => "=",
        'ˆ' => "^", '¸' | '˛' => ",", '¦' => "|", '∞' => "inf",
        '∆' => "Δ", '∏' => "Π", '∑' => "Σ", '⌀' | '∅' => "Ø",
        'µ' | 'μ' => "u",
        '¢' => "c", '₤' => "£", '₹' => "Rs", '₺' => "TL", '₽' => "RUB", '₩' => "KRW", '₿' => "BTC",
        '₴' => "UAH", '₪' => "ILS", '₫' => "VND", '฿' => "THB", '₦' => "NGN", '₱' => "PHP",
        '\u{FFFD}' => "?",
        '─' | '━' | '┄' | '┅' | '┈' | '┉' | '╌' | '╍' | '╴' | '╶' | '╸' | '╺' => "-",
        '═' => "=",
        '│' | '┃' | '┆' | '┇' | '┊' | '┋' | '╎' | '╏' | '║' => "|",
        '\u{2500}'..='\u{257F}' => "+",
        '\u{2580}'..='\u{259F}' => "#",

        'ő' => "ö", 'Ő' => "Ö", 'ű' => "ü", 'Ű' => "Ü",
        'ç' => "c",
        'ł' | 'ŀ' | 'ƚ' => "l", 'Ł' | 'Ŀ' => "L",
        'đ' | 'ð' | 'ɖ' | 'ɗ' => "d", 'Đ' | 'Ð' | 'Ɖ' | 'Ɗ' => "D",
        'þ' => "th", 'Þ' => "Th",
        'œ' => "oe", 'Œ' => "OE",
        'ẞ' => "SS",
        'ı' => "i", 'ȷ' => "j",
        'ħ' => "h", 'Ħ' => "H",
        'ŧ' => "t", 'Ŧ' => "T",
        'ŋ' => "ng", 'Ŋ' => "NG",
        'ĸ' | 'ƙ' => "k", 'Ƙ' => "K",
        'ə' | 'ɛ' | 'ǝ' => "e", 'Ə' | 'Ɛ' | 'Ǝ' => "E",
        'ɔ' => "o", 'Ɔ' => "O",
        'ƒ' => "f", 'ɓ' => "b", 'Ɓ' => "B", 'ƴ' => "y", 'Ƴ' => "Y",
        'ƶ' => "z", 'Ƶ' => "Z", 'ɨ' => "i", 'Ɨ' => "I", 'ʉ' => "u", 'Ʉ' => "U",
        _ => return None,
    })
}

/// What `always` writes for pictures in a shorter way than by their names.
#[rustfmt::skip]
pub(super) fn picture(c: char) -> Option<&'static str> {
    Some(match c {
        '✅' | '☑' => "OK",
        '❌' | '❎' => "X",
        '❗' | '❕' => "!",
        '❓' | '❔' => "?",
        '➕' => "+",
        _ => return None,
    })
}

/// Greek as Greek phones have always sent it: capitals that GSM has, and for the others the Latin
/// capital of the same shape. `letter` is without accents.
#[rustfmt::skip]
pub(super) fn greek(letter: char) -> Option<char> {
    Some(match letter {
        'Α' | 'α' => 'A', 'Β' | 'β' => 'B', 'Γ' | 'γ' => 'Γ', 'Δ' | 'δ' => 'Δ', 'Ε' | 'ε' => 'E',
        'Ζ' | 'ζ' => 'Z', 'Η' | 'η' => 'H', 'Θ' | 'θ' => 'Θ', 'Ι' | 'ι' => 'I', 'Κ' | 'κ' => 'K',
        'Λ' | 'λ' => 'Λ', 'Μ' | 'μ' => 'M', 'Ν' | 'ν' => 'N', 'Ξ' | 'ξ' => 'Ξ', 'Ο' | 'ο' => 'O',
        'Π' | 'π' => 'Π', 'Ρ' | 'ρ' => 'P', 'Σ' | 'σ' | 'ς' => 'Σ', 'Τ' | 'τ' => 'T', 'Υ' | 'υ' => 'Y',
        'Φ' | 'φ' => 'Φ', 'Χ' | 'χ' => 'X', 'Ψ' | 'ψ' => 'Ψ', 'Ω' | 'ω' => 'Ω',
        _ => return None,
    })
}

/// Letters and stops that `deunicode` leaves out, or writes with a sign that means something else in an SMS
/// (`@`, `~`, `/`).
pub(super) fn sound(c: char) -> Option<&'static str> {
    match c {
        'ة' => Some("h"),
        'ى' => Some("a"),
        '।' | '॥' => Some("."),
        'ا' | 'ٱ' => Some("a"),
        'ー' | 'ｰ' => Some("-"),
        _ => None,
    }
}
