//! Charsets: octets to text by the name that was declared, and against it where it is plainly wrong.
//!
//! Never fails: what can't be read becomes U+FFFD, and a name that nobody knows counts as none. The tables
//! are `encoding_rs`'s; here are the names that mailers use and that library does not know, and the few
//! charsets that are missing from it because browsers must not have them.

use std::borrow::Cow;
use std::cmp::Ordering;

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, IBM866, ISO_2022_JP, KOI8_R, KOI8_U, MACINTOSH, REPLACEMENT,
    SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_874, WINDOWS_1252, X_USER_DEFINED,
};
use mail_parser::decoders::charsets::map::charset_decoder;

/// Upper half of code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}";
/// Upper half of code page 852.
const CP852: &str = "ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐\
    └┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ´\u{AD}˝˛ˇ˘§÷¸°¨˙űŘř■\u{A0}";
/// Longest charset name that is looked at.
const MAX_NAME: usize = 64;
/// How far into an HTML part its own declaration is looked for (the HTML standard's limit).
const MAX_HTML_PROLOGUE: usize = 1024;
/// From how many octets on a text of ASCII alone that claims to be UTF-16 is not believed; short ones may be
/// Chinese.
const SURELY_ASCII: usize = 32;

/// How octets become text.
#[derive(Clone, Copy)]
enum Charset {
    /// UTF-8 if it can be, else windows-1252: nothing is declared, or UTF-8, ASCII or something unknown.
    Guessed,
    /// ISO-8859-1 and windows-1252, which are one (as browsers have it), and which senders of UTF-8 declare.
    Latin,
    Encoding(&'static Encoding),
    /// Its upper half in order.
    Table(&'static str),
    Cp850,
    Cp858,
    Utf7,
    /// Byte order by its mark, or else by where the zeros are, or else this.
    Utf16(&'static Encoding),
    Utf32,
    /// ISO-2022-KR and -CN: what is shifted out is in this encoding, but for the eighth bit.
    ShiftOut(&'static Encoding),
    /// RFC 1843.
    Hz,
}

/// The text of octets in the declared charset.
pub(super) fn text<'a>(octets: &'a [u8], declared: Option<&str>) -> Cow<'a, str> {
    if let Some(octets) = octets.strip_prefix(b"\xEF\xBB\xBF") {
        return guessed(octets);
    }
    match declared.map_or(Charset::Guessed, by_name) {
        Charset::Guessed => guessed(octets),
        Charset::Latin => match std::str::from_utf8(octets) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => windows_1252(octets),
        },
        Charset::Encoding(encoding) => match encoding.decode_without_bom_handling(octets) {
            (text, false) => text,
            // Most octets are right in most of these encodings, so what fails and is UTF-8 is that.
            (text, true) => std::str::from_utf8(octets).map_or(text, Cow::Borrowed),
        },
        Charset::Table(upper) => Cow::Owned(by_table(octets, upper)),
        Charset::Cp850 => Cow::Owned(cp850(octets)),
        // It differs in the euro sign only.
        Charset::Cp858 => Cow::Owned(cp850(octets).replace('ı', "€")),
        Charset::Utf7 => Cow::Owned(utf7(octets)),
        Charset::Utf16(order) => utf16(octets, order),
        Charset::Utf32 => Cow::Owned(utf32(octets)),
        Charset::ShiftOut(encoding) => Cow::Owned(shift_out(octets, encoding)),
        Charset::Hz => Cow::Owned(hz(octets)),
    }
}

/// Whether text in this charset starts in a state of its own, so that pieces of it can't be put together
/// before they are decoded.
pub(super) fn has_state(name: &str) -> bool {
    match by_name(name) {
        Charset::Encoding(encoding) => encoding == ISO_2022_JP,
        Charset::Utf7 | Charset::Utf16(_) | Charset::Utf32 | Charset::ShiftOut(_) | Charset::Hz => true,
        Charset::Guessed | Charset::Latin | Charset::Table(_) | Charset::Cp850 | Charset::Cp858 => false,
    }
}

/// The charset that an HTML text declares in itself: `<meta charset=...>`, in `http-equiv` too.
pub(super) fn declared_in_html(octets: &[u8]) -> Option<&str> {
    let prologue = &octets[..octets.len().min(MAX_HTML_PROLOGUE)];
    let mut at = 0;
    while let Some(found) = prologue[at..].windows(7).position(|w| w.eq_ignore_ascii_case(b"charset")) {
        at += found + 7;
        let Some(value) = prologue[at..].trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        let end = value.iter().position(|b| !is_name_octet(*b)).unwrap_or(value.len());
        // What could be read up to here is not UTF-16, whatever it says.
        return std::str::from_utf8(&value[..end])
            .ok()
            .filter(|name| !name.is_empty() && !matches!(by_name(name), Charset::Utf16(_) | Charset::Utf32));
    }
    None
}

fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b':' | b'+')
}

/// The charset of a declared name, as far as one can be made out: quotes, language (RFC 2231 section 5) and
/// whatever else stands around it are passed over.
fn by_name(written: &str) -> Charset {
    if written.eq_ignore_ascii_case("utf-8") || written.eq_ignore_ascii_case("us-ascii") {
        return Charset::Guessed;
    }
    let start = written.bytes().position(|b| b.is_ascii_alphanumeric()).unwrap_or(written.len());
    let name = &written[start..];
    let end = name.bytes().position(|b| !is_name_octet(b)).unwrap_or(name.len()).min(MAX_NAME);
    let name = name[..end].to_ascii_lowercase();
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare = bare.strip_prefix('x').unwrap_or(&bare);
    by_own_name(bare)
        .or_else(|| standard(name.as_bytes()))
        .or_else(|| standard(name.replace('_', "-").as_bytes()))
        .or_else(|| standard(bare.as_bytes()))
        .or_else(|| standard(format!("cs{bare}").as_bytes()))
        .or_else(|| by_code_page(bare))
        .unwrap_or(Charset::Guessed)
}

/// Names for which `encoding_rs` has no encoding or another one than mail means.
fn by_own_name(bare: &str) -> Option<Charset> {
    Some(match bare {
        "utf7" | "csutf7" | "unicode11utf7" | "unicode20utf7" => Charset::Utf7,
        "utf16" | "csutf16" | "unicode" | "csunicode" | "ucs2" | "iso10646ucs2" | "utf16be"
        | "unicodefffe" => Charset::Utf16(UTF_16BE),
        "utf16le" | "unicodefeff" => Charset::Utf16(UTF_16LE),
        "utf32" | "utf32le" | "utf32be" | "ucs4" | "iso10646ucs4" => Charset::Utf32,
        "hz" | "hzgb2312" => Charset::Hz,
        "iso2022kr" | "csiso2022kr" => Charset::ShiftOut(EUC_KR),
        "iso2022cn" | "iso2022cnext" => Charset::ShiftOut(GB18030),
        "eucjp" => Charset::Encoding(EUC_JP),
        "euckr" => Charset::Encoding(EUC_KR),
        "euccn" | "eucgb" => Charset::Encoding(GB18030),
        "eucgb2312cn" | "gb231280" | "gb23121980" => Charset::Encoding(GB18030),
        "koi8u" | "koi8ru" => Charset::Encoding(KOI8_U),
        "macroman" | "mac" | "applemacintosh" => Charset::Encoding(MACINTOSH),
        _ if bare.starts_with("iso2022jp") => Charset::Encoding(ISO_2022_JP),
        _ if bare.starts_with("ksc5601") => Charset::Encoding(EUC_KR),
        _ if bare.starts_with("big5") => Charset::Encoding(BIG5),
        _ => return None,
    })
}

/// Labels that the Encoding standard knows.
fn standard(label: &[u8]) -> Option<Charset> {
    let encoding = Encoding::for_label(label)?;
    Some(if [UTF_8, REPLACEMENT, X_USER_DEFINED].contains(&encoding) {
        // "User defined" is a sender's way of not knowing.
        Charset::Guessed
    } else if encoding == WINDOWS_1252 {
        Charset::Latin
    } else if encoding == UTF_16LE || encoding == UTF_16BE {
        Charset::Utf16(encoding)
    } else {
        Charset::Encoding(encoding)
    })
}

/// Windows' and DOS's numbers, with whatever word in front.
fn by_code_page(bare: &str) -> Option<Charset> {
    let number = bare.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let word = &bare[..bare.len() - number.len()];
    if word == "iso" {
        let part = number.strip_prefix("8859")?;
        return standard(format!("iso-8859-{part}").as_bytes());
    }
    if word == "latin" {
        let part = match number {
            "7" => "13",
            "8" => "14",
            "9" => "15",
            "10" => "16",
            _ => return None,
        };
        return standard(format!("iso-8859-{part}").as_bytes());
    }
    let known = ["", "cp", "cpx", "win", "windows", "cswindows", "ms", "ibm", "dos", "oem", "codepage", "pc"];
    if !known.contains(&word) && !word.starts_with("cspc") {
        return None;
    }
    // Some have a name behind the number, as in cspc850multilingual.
    let digits = number.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(number.len());
    Some(match number[..digits].parse::<u16>().ok()? {
        437 => Charset::Table(CP437),
        850 => Charset::Cp850,
        852 => Charset::Table(CP852),
        858 => Charset::Cp858,
        866 => Charset::Encoding(IBM866),
        874 => Charset::Encoding(WINDOWS_874),
        932 | 943 => Charset::Encoding(SHIFT_JIS),
        936 | 54936 => Charset::Encoding(GB18030),
        949 | 51949 => Charset::Encoding(EUC_KR),
        950 => Charset::Encoding(BIG5),
        1200 => Charset::Utf16(UTF_16LE),
        1201 => Charset::Utf16(UTF_16BE),
        page @ 1250..=1258 => return standard(format!("windows-{page}").as_bytes()),
        10000 => Charset::Encoding(MACINTOSH),
        20866 => Charset::Encoding(KOI8_R),
        21866 => Charset::Encoding(KOI8_U),
        page @ 28591..=28606 => return standard(format!("iso-8859-{}", page - 28590).as_bytes()),
        50220..=50222 => Charset::Encoding(ISO_2022_JP),
        50225 => Charset::ShiftOut(EUC_KR),
        51932 => Charset::Encoding(EUC_JP),
        52936 => Charset::Hz,
        65000 => Charset::Utf7,
        20127 | 65001 => Charset::Guessed,
        _ => return None,
    })
}

/// One wrong octet in a UTF-8 text is damage; a text without any right sequence is not UTF-8.
fn guessed(octets: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(octets) {
        // The escapes of ISO-2022-JP say themselves what they are.
        let japanese = text.is_ascii() && (text.contains("\x1B$B") || text.contains("\x1B$@"));
        return if japanese {
            ISO_2022_JP.decode_without_bom_handling(octets).0
        } else {
            Cow::Borrowed(text)
        };
    }
    if matches!(octets, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) && octets.contains(&0) {
        return utf16(octets, UTF_16LE);
    }
    let (mut right, mut wrong) = (0_usize, 0_usize);
    for chunk in octets.utf8_chunks() {
        right += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    if right >= wrong { String::from_utf8_lossy(octets) } else { windows_1252(octets) }
}

fn windows_1252(octets: &[u8]) -> Cow<'_, str> {
    WINDOWS_1252.decode_without_bom_handling(octets).0
}

fn by_table(octets: &[u8], upper: &str) -> String {
    let table: Vec<char> = upper.chars().collect();
    let decode = |octet: &u8| match octet.checked_sub(0x80) {
        None => char::from(*octet),
        Some(place) => table.get(usize::from(place)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    octets.iter().map(decode).collect()
}

fn cp850(octets: &[u8]) -> String {
    charset_decoder(b"cp850").map_or_else(|| guessed(octets).into_owned(), |decode| decode(octets))
}

/// RFC 2152. The library's decoder loses what an encoded run at the end holds, and the character behind one.
fn utf7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut at = 0;
    while let Some(shift) = octets[at..].iter().position(|&b| b == b'+') {
        text.push_str(&guessed(&octets[at..at + shift]));
        at += shift + 1;
        let run = octets[at..].iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')));
        let run = &octets[at..run.map_or(octets.len(), |end| at + end)];
        let mut decoder = super::decode::Base64::default();
        let mut decoded = Vec::with_capacity(run.len());
        run.iter().for_each(|&b| decoder.push(b, &mut decoded));
        decoder.finish(&mut decoded);
        let closed = octets.get(at + run.len()) == Some(&b'-');
        if run.is_empty() {
            text.push('+');
        } else {
            let even = decoded.len() & !1;
            text.push_str(&UTF_16BE.decode_without_bom_handling(&decoded[..even]).0);
        }
        at += run.len() + usize::from(closed);
    }
    text.push_str(&guessed(&octets[at..]));
    text
}

fn utf16<'a>(octets: &'a [u8], declared: &'static Encoding) -> Cow<'a, str> {
    match octets {
        [0xFF, 0xFE, rest @ ..] => return UTF_16LE.decode_without_bom_handling(rest).0,
        [0xFE, 0xFF, rest @ ..] => return UTF_16BE.decode_without_bom_handling(rest).0,
        _ => {}
    }
    let ascii = octets.iter().all(|b| b.is_ascii() && *b != 0);
    if ascii && (octets.len() >= SURELY_ASCII || octets.len() % 2 == 1) {
        return guessed(octets);
    }
    // Mail written in Latin letters has a zero in every other octet.
    let zeros = |odd: usize| octets.iter().skip(odd).step_by(2).filter(|&&b| b == 0).count();
    let encoding = match zeros(1).cmp(&zeros(0)) {
        Ordering::Greater => UTF_16LE,
        Ordering::Less => UTF_16BE,
        Ordering::Equal => declared,
    };
    encoding.decode_without_bom_handling(octets).0
}

fn utf32(octets: &[u8]) -> String {
    let (units, _) = octets.as_chunks::<4>();
    // No character is above 0x10FFFF, so the most significant octet is zero.
    let zeros = |place: usize| units.iter().filter(|unit| unit[place] == 0).count();
    let little = units.first() == Some(&[0xFF, 0xFE, 0, 0]) || zeros(3) > zeros(0);
    let character = |unit: &[u8; 4]| {
        let code = if little { u32::from_le_bytes(*unit) } else { u32::from_be_bytes(*unit) };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    units.iter().map(character).skip_while(|c| *c == '\u{FEFF}').collect()
}

/// RFC 1557 and RFC 1922: SO and SI stand around two-octet characters, announced by `ESC $ ) x`.
fn shift_out(octets: &[u8], encoding: &'static Encoding) -> String {
    let mut plain = Vec::with_capacity(octets.len());
    let mut rest = octets;
    let mut out = false;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            (0x1B, [b'$', b')' | b'*' | b'+', _, tail @ ..]) => rest = tail,
            (0x0E, _) => out = true,
            (0x0F, _) => out = false,
            (b'\n', _) => {
                out = false;
                plain.push(b'\n');
            }
            (octet @ 0x21..=0x7E, _) if out => plain.push(octet | 0x80),
            (octet, _) => plain.push(octet),
        }
    }
    encoding.decode_without_bom_handling(&plain).0.into_owned()
}

/// RFC 1843: `~{` and `~}` stand around two-octet characters.
fn hz(octets: &[u8]) -> String {
    let mut plain = Vec::with_capacity(octets.len());
    let mut rest = octets;
    let mut chinese = false;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            (b'~', [b'{', tail @ ..]) => (chinese, rest) = (true, tail),
            (b'~', [b'}', tail @ ..]) => (chinese, rest) = (false, tail),
            (b'~', [b'~', tail @ ..]) if !chinese => {
                plain.push(b'~');
                rest = tail;
            }
            (b'~', [b'\n', tail @ ..] | [b'\r', b'\n', tail @ ..]) => rest = tail,
            (b'\n', _) => {
                chinese = false;
                plain.push(b'\n');
            }
            (octet @ 0x21..=0x7E, _) if chinese => plain.push(octet | 0x80),
            (octet, _) => plain.push(octet),
        }
    }
    GB18030.decode_without_bom_handling(&plain).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_charset_of_mail_is_decoded() {
        let cases: &[(&str, &[u8], &str)] = &[
            ("iso-8859-1", b"Caff\xe8 \xbf", "Caffè ¿"),
            ("iso-8859-2", b"Za\xbf\xf3\xb3\xe6 g\xea\xb6l\xb1", "Zażółć gęślą"),
            ("iso-8859-3", b"\xc6irka\xfd \xb6oro", "Ĉirkaŭ ĥoro"),
            ("iso-8859-4", b"\xd3\xbani\xf1\xb9 \xbb", "Ķēniņš ģ"),
            ("iso-8859-5", b"\xc2\xe0\xd5\xd2\xde\xd3\xd0", "Тревога"),
            ("iso-8859-6", b"\xc5\xe6\xd0\xc7\xd1", "إنذار"),
            ("iso-8859-7", b"\xd0\xf1\xef\xf3\xef\xf7\xde", "Προσοχή"),
            ("iso-8859-8", b"\xe0\xe6\xf2\xf7\xe4", "אזעקה"),
            ("iso-8859-9", b"Yang\xfdn \xf0\xfe", "Yangın ğş"),
            ("iso-8859-10", b"\xde\xf3r\xf0ur \xbf", "Þórður ŋ"),
            ("iso-8859-11", b"\xe0\xb5\xd7\xcd\xb9", "เตือน"),
            ("iso-8859-13", b"\xc0\xfeuolas \xf0", "Ąžuolas š"),
            ("iso-8859-14", b"\xd0yl \xfed", "Ŵyl ŷd"),
            ("iso-8859-15", b"5 \xa4 \xbduf", "5 € œuf"),
            ("iso-8859-16", b"\xaatiri \xfe \xa4", "Știri ț €"),
            ("windows-1250", b"\x8elu\x9dou\xe8k\xfd k\xf9\xf2", "Žluťoučký kůň"),
            ("windows-1251", b"\xd2\xf0\xe5\xe2\xee\xe3\xe0 \xb91", "Тревога №1"),
            ("windows-1252", b"\x93Caff\xe8\x94 \x80", "“Caffè” €"),
            ("windows-1253", b"\xd0\xf1\xef\xf3\xef\xf7\xde", "Προσοχή"),
            ("windows-1254", b"Yang\xfdn \xf0\xfe", "Yangın ğş"),
            ("windows-1255", b"\xe0\xe6\xf2\xf7\xe4", "אזעקה"),
            ("windows-1256", b"\xc5\xe4\xd0\xc7\xd1 \x90", "إنذار گ"),
            ("windows-1257", b"\xcd\xe7ni\xf2\xf0", "Ķēniņš"),
            ("windows-1258", b"\xf0\xf5n \x80", "đơn €"),
            ("windows-874", b"\xe0\xb5\xd7\xcd\xb9 \x80", "เตือน €"),
            ("koi8-r", b"\xf4\xd2\xc5\xd7\xcf\xc7\xc1", "Тревога"),
            ("koi8-u", b"\xf4\xd2\xc9\xd7\xcf\xc7\xc1 \xa7", "Тривога ї"),
            ("iso-2022-jp", b"\x1b$B2P:R7YJs$G$9\x1b(B", "火災警報です"),
            ("iso-2022-kr", b"\x1b$)C\x0e0f:8\x0f \x0e?o82\x0f", "경보 울림"),
            ("gb2312", b"\xbb\xf0\xd4\xd6\xbe\xaf\xb1\xa8", "火灾警报"),
            ("gbk", b"\xbb\xf0\x9e\xc4", "火災"),
            ("gb18030", b"\xbb\xf0\xd4\xd6\x949\xfc6", "火灾😀"),
            ("HZ-GB-2312", b"~{;pTV~}~~~{>/1(~}", "火灾~警报"),
            ("shift_jis", b"\x89\xce\x8d\xd0\x83n", "火災ハ"),
            ("euc-jp", b"\xb2\xd0\xba\xd2\xa5\xcf", "火災ハ"),
            ("euc-kr", b"\xb0\xe6\xba\xb8", "경보"),
            ("big5", b"\xa4\xf5\xa8a\xc4\xb5\xb3\xf8", "火災警報"),
            ("cp437", b"Temp\x82rature 27 \xf8C \xe1", "Température 27 °C ß"),
            ("cp850", b"\xa5and\xa3 \xf15 \xe5", "Ñandú ±5 Õ"),
            ("cp852", b"\xbd\xa2\x88w \x8b", "Żółw ő"),
            ("cp858", b"5 \xd5", "5 €"),
            ("cp866", b"\x92\xe0\xa5\xa2\xae\xa3\xa0", "Тревога"),
            ("macintosh", b"Caff\x8f \xd2ok\xd3 \xa1", "Caffè “ok” °"),
            ("utf-7", b"Caff+AOg 1+-1", "Caffè 1+1"),
            ("utf-16", b"\xff\xfeC\x00a\x00f\x00f\x00\xe8\x00", "Caffè"),
            ("utf-16le", b"C\x00a\x00f\x00f\x00\xe8\x00", "Caffè"),
            ("utf-16be", b"\x00C\x00a\x00f\x00f\x00\xe8", "Caffè"),
            ("utf-32", b"\xff\xfe\x00\x00C\x00\x00\x00a\x00\x00\x00f\x00\x00\x00f\x00\x00\x00\xe8\x00\x00\x00 \x00\x00\x00\x00\xf6\x01\x00", "Caffè 😀"),
        ];
        for (name, octets, expected) in cases {
            assert_eq!(text(octets, Some(name)), *expected, "{name}");
        }
    }

    #[test]
    fn charsets_have_many_names() {
        for (octets, expected, names) in [
            (
                &b"\x93\xe8\x94"[..],
                "“è”",
                &[
                    "iso8859-1",
                    "ISO88591",
                    "iso_8859-1",
                    "ISO-8859-1:1987",
                    "latin1",
                    "latin-1",
                    "l1",
                    "cp1252",
                    "CP-1252",
                    "win-1252",
                    "windows1252",
                    "x-windows-1252",
                    "ibm819",
                    "ansi_x3.4-1968",
                    "\"iso-8859-1\"",
                    "'iso-8859-1'",
                    "iso-8859-1;",
                    "iso-8859-1 (Latin)",
                    "iso-8859-1*it",
                    "x-iso-8859-1",
                ][..],
            ),
            (b"\xa4", "€", &["iso-8859-15", "latin9", "latin-9", "iso885915", "cp28605", "ISO_8859-15"]),
            (b"\xc3\xa8", "è", &["utf8", "UTF_8", "unicode-1-1-utf-8", "cp65001", "utf-8;", "=utf-8"]),
            (b"\xd2\xf0", "Тр", &["cp1251", "win1251", "windows_1251", "ms-1251", "x-cp1251"]),
            (b"\xf4\xd2", "Тр", &["koi8r", "KOI8_R", "koi8", "cp20866"]),
            (
                b"\x89\xce",
                "火",
                &["sjis", "x-sjis", "ms932", "cp932", "windows-31j", "shift-jis", "shiftjis"],
            ),
            (b"\xb2\xd0", "火", &["eucjp", "x-euc-jp", "EUC_JP", "cp51932"]),
            (b"\xb0\xe6", "경", &["ks_c_5601-1987", "ksc5601", "cp949", "windows-949", "euckr", "ks_c_5601"]),
            (b"\xbb\xf0", "火", &["gb2312", "gb_2312-80", "cp936", "x-gbk", "gb18030"]),
            (b"\xa4\xf5", "火", &["big5", "big-5", "cp950", "x-x-big5", "big5-hkscs", "Big5-ETEN"]),
            (
                b"\x1b$B2P\x1b(B",
                "火",
                &["iso-2022-jp", "ISO-2022-JP-2", "iso-2022-jp-ms", "cp50221", "csISO2022JP"],
            ),
            (
                b"\x8a",
                "è",
                &["cp850", "850", "ibm850", "cspc850multilingual", "cp437", "ibm437", "dos-437", "cp858"],
            ),
            (b"\x8e", "é", &["macintosh", "mac", "x-mac-roman", "macroman"]),
        ] {
            for name in names {
                assert_eq!(text(octets, Some(name)), expected, "{name}");
            }
        }
    }

    #[test]
    fn names_that_nobody_knows_are_none() {
        for name in [
            "x-unknown",
            "unknown-8bit",
            "x-user-defined",
            "default",
            "",
            "?",
            "cp",
            "cp99999",
            "replacement",
        ] {
            assert_eq!(text(b"Caff\xc3\xa8", Some(name)), "Caffè", "{name}");
            assert_eq!(text(b"Caff\xe8", Some(name)), "Caffè", "{name}");
        }
    }

    #[test]
    fn undeclared_octets_are_utf8_or_else_windows_1252() {
        assert_eq!(text("Caffè €".as_bytes(), None), "Caffè €");
        assert_eq!(text(b"Caff\xe8 \x80", None), "Caffè €");
        assert_eq!(text(b"\xef\xbb\xbfa", None), "a");
        assert_eq!(text(b"\xff\xfea\0", None), "a");
        assert_eq!(text(b"\x1b$B2P:R\x1b(B", None), "火災");
    }

    #[test]
    fn a_plainly_wrong_declaration_is_mended() {
        for name in ["us-ascii", "iso-8859-1", "windows-1252", "latin1"] {
            assert_eq!(text("Caffè – 5 €".as_bytes(), Some(name)), "Caffè – 5 €", "{name}");
            assert_eq!(text(b"Caff\xe8", Some(name)), "Caffè", "{name}");
        }
        assert_eq!(text(b"Caff\xc3\xa8", Some("iso-8859-2")), "CaffĂ¨", "others are believed");
        assert_eq!(text(b"Caff\xe8", Some("utf-8")), "Caffè");
        assert_eq!(text("Погода".as_bytes(), Some("iso-2022-jp")), "Погода");
        let ascii = "A long text of ASCII that says it were UTF-16";
        assert_eq!(text(ascii.as_bytes(), Some("utf-16")), ascii);
        assert_eq!(text(b"a\0b\0", Some("utf-16be")), "ab");
        assert_eq!(text(b"\x4f\x60\x59\x7d", Some("utf-16")), "你好");
        assert_eq!(text(b"\x60\x4f\x7d\x59", Some("utf-16le")), "你好");
    }

    #[test]
    fn one_wrong_octet_does_not_make_a_utf8_text_latin() {
        assert_eq!(text(b"\xc3\xa8 \xc3\xa8 \xff", Some("utf-8")), "è è \u{FFFD}");
    }

    #[test]
    fn utf7_is_read_to_its_end() {
        for (written, expected) in [
            ("Hi Mom -+Jjo--!", "Hi Mom -☺-!"),
            ("+ZeVnLIqe", "日本語"),
            ("+ZeVnLIqe.", "日本語."),
            ("Fr+APY-sche", "Frösche"),
            ("1 +- 1", "1 + 1"),
            ("+2D3eAA-", "😀"),
            ("+ +", "+ +"),
            ("+AA", ""),
        ] {
            assert_eq!(text(written.as_bytes(), Some("utf-7")), expected, "{written}");
        }
    }

    #[test]
    fn html_says_its_charset_itself() {
        for (html, expected) in [
            ("<meta charset=utf-8>", Some("utf-8")),
            ("<META CHARSET = 'koi8-r'/>", Some("koi8-r")),
            (
                "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1251\">",
                Some("windows-1251"),
            ),
            ("<p>charset</p><meta charset=\"big5\">", Some("big5")),
            ("<meta charset=utf-16>", None),
            ("<meta charset=>", None),
            ("<p>text</p>", None),
        ] {
            assert_eq!(declared_in_html(html.as_bytes()), expected, "{html}");
        }
        let late = |n: usize| format!("{}<meta charset=big5>", " ".repeat(n));
        assert_eq!(declared_in_html(late(1024 - 18).as_bytes()), Some("big5"));
        assert_eq!(declared_in_html(late(1024).as_bytes()), None);
    }
}
