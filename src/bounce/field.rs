//! Header fields of ours: one line of ASCII each, folded, whatever is put into them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use crate::model::MailAddress;

/// Where a field is folded, in columns (RFC 5322 section 2.1.1).
const FOLD: usize = 76;
/// Longest field value in octets. With its name it stays under the 998 of a line even where there
/// is no space to fold at.
const MAX_VALUE: usize = 900;
/// Longest subject in characters; the rest adds nothing to finding the mail again.
const MAX_SUBJECT: usize = 200;
/// UTF-8 octets of one encoded word: with `Subject: ` before it, it may not pass column 76 (RFC 2047
/// section 2); `=?utf-8?B??=` takes 12 columns, and 39 octets take 52 in base64.
const ENCODED_WORD_OCTETS: usize = 39;

/// `Auto-Submitted` of RFC 3834 section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AutoSubmitted {
    /// An answer to one mail.
    Replied,
    /// Of our own accord.
    Generated,
}

impl AutoSubmitted {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Replied => "auto-replied",
            Self::Generated => "auto-generated",
        }
    }
}

/// `text` on one line: control characters, line and paragraph separators become spaces, runs of
/// them one, none at the ends.
pub(super) fn one_line(text: &str) -> String {
    let blank = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
    text.split(blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `text` on one line of ASCII; other characters are written `\x{E8}` as RFC 6533 section 3 does
/// for addresses, so that nothing is lost.
pub(super) fn ascii_line(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            push_embedded(&mut ascii, c);
        }
    }
    ascii
}

/// Writes `name: value`, folded at spaces. Anything that is no printable ASCII is made so first.
pub(super) fn write(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = cut(ascii_line(value));
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for (at, word) in value.split(' ').enumerate() {
        // The first word stays on the name's line: a line of white space alone is obsolete syntax.
        if at > 0 && column + 1 + word.len() > FOLD {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    out.extend_from_slice(b"\r\n");
}

/// Bounds ASCII at [`MAX_VALUE`] octets.
fn cut(mut ascii: String) -> String {
    if ascii.len() > MAX_VALUE {
        ascii.truncate(MAX_VALUE - 3);
        ascii.push_str("...");
    }
    ascii
}

/// Writes `Subject`, with encoded words where it is not plain ASCII (RFC 2047).
pub(super) fn write_subject(out: &mut Vec<u8>, subject: &str) {
    let mut subject = one_line(subject);
    if let Some((at, _)) = subject.char_indices().nth(MAX_SUBJECT) {
        subject.truncate(at);
        subject.push('…');
    }
    // An ASCII `=?` of the sender's would be decoded by the reader and could hide what it says.
    if subject.is_ascii() && !subject.contains("=?") {
        return write(out, "Subject", &subject);
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in subject.chars() {
        if word.len() + c.len_utf8() > ENCODED_WORD_OCTETS {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    // The space between two encoded words is not part of the text (RFC 2047 section 6.2).
    let encoded: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    write(out, "Subject", &encoded.join(" "));
}

/// A mailbox for `From` and `To`. An address that is not ASCII cannot stand in a header without
/// SMTPUTF8; it is shown as the name of an empty group (RFC 6857 section 3.1), while the
/// envelope carries the address itself.
pub(super) fn mailbox(address: &MailAddress) -> String {
    let text = address.to_string();
    if address.is_ascii() {
        return format!("<{text}>");
    }
    let mut words = String::from("Internationalized Address");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .take_while(|end| *end <= ENCODED_WORD_OCTETS);
        let (word, after) = rest.split_at(end.last().unwrap_or(rest.len()));
        words.push_str(&format!(" =?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    format!("{words} Removed:;")
}

/// A host name as it may stand in a field: other characters than those of a name or an address
/// literal become `-`.
pub(super) fn host(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let host: String = name.chars().take(255).map(|c| if allowed(c) { c } else { '-' }).collect();
    if host.is_empty() { "localhost".to_owned() } else { host }
}

/// The value of a `Message-ID` field if it may be repeated in one of ours: `<left@right>` of
/// printable ASCII and at most 512 octets.
pub(super) fn message_id(value: &str) -> Option<&str> {
    let value = value.trim();
    let inner = value.strip_prefix('<')?.strip_suffix('>')?;
    let (left, right) = inner.rsplit_once('@')?;
    let plain = |c: char| c.is_ascii_graphic() && !"<>".contains(c);
    (!left.is_empty() && !right.is_empty() && value.len() <= 512 && inner.chars().all(plain)).then_some(value)
}

/// `Tue, 14 Nov 2023 22:13:20 +0000` (RFC 5322 section 3.3).
pub(super) fn date(at: Timestamp) -> String {
    // A year below zero has no such form; no clock shows one.
    rfc2822::to_string(&at.to_zoned(TimeZone::UTC))
        .unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 +0000".to_owned())
}

/// Address type and address for a field of a report: `rfc822; ...`, or `utf-8; ...` in the ASCII
/// form `utf-8-addr-xtext` (RFC 6533 section 3), which `message/delivery-status` needs.
pub(super) fn typed_address(kind: &str, address: &str) -> String {
    // An ORCPT of type `utf-8` arrives in its ASCII form already, and stays as it came.
    if address.is_ascii() {
        return format!("{}; {}", atom(kind), unprintable_as_xtext(address));
    }
    let mut encoded = String::with_capacity(address.len());
    for c in address.chars() {
        if c.is_ascii_graphic() && !"+=\\".contains(c) {
            encoded.push(c);
        } else {
            push_embedded(&mut encoded, c);
        }
    }
    // A type of our own keeps its name; an Internet address changes its type with its form.
    let kind = if kind.eq_ignore_ascii_case("rfc822") { "utf-8".to_owned() } else { atom(kind) };
    format!("{kind}; {encoded}")
}

/// Printable ASCII stays as it is, as RFC 3464 section 2.3.1 shows original recipients; the rest
/// goes back into the xtext that it came from (RFC 3461 section 4).
fn unprintable_as_xtext(address: &str) -> String {
    let mut text = String::with_capacity(address.len());
    for c in address.chars() {
        if c == ' ' || c.is_ascii_graphic() {
            text.push(c);
        } else {
            text.push_str(&format!("+{:02X}", u32::from(c)));
        }
    }
    text
}

fn push_embedded(out: &mut String, c: char) {
    out.push_str(&format!("\\x{{{:02X}}}", u32::from(c)));
}

/// An address type: an atom of RFC 5322, here letters, digits, `-` and `_`.
fn atom(kind: &str) -> String {
    let atom: String =
        kind.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(32).collect();
    if atom.is_empty() { "x-unknown".to_owned() } else { atom }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, value: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, name, value);
        String::from_utf8(out).unwrap()
    }

    fn subject(text: &str) -> String {
        let mut out = Vec::new();
        write_subject(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_field_is_one_folded_line_whatever_it_is_given() {
        assert_eq!(written("X", "a\r\nBcc: evil@x\0 \t b\u{2028}c"), "X: a Bcc: evil@x b c\r\n");
        assert_eq!(written("X", "caffè"), "X: caff\\x{E8}\r\n");
        assert_eq!(
            written("X", &format!("{} {}", "a".repeat(40), "b".repeat(40))),
            format!("X: {}\r\n {}\r\n", "a".repeat(40), "b".repeat(40))
        );
        assert_eq!(written("X", ""), "X: \r\n");
    }

    #[test]
    fn a_value_of_900_octets_stays_and_a_longer_one_is_cut() {
        assert_eq!(written("X", &"a".repeat(900)), format!("X: {}\r\n", "a".repeat(900)));
        assert_eq!(written("X", &"a".repeat(901)), format!("X: {}...\r\n", "a".repeat(897)));
    }

    #[test]
    fn subjects_are_encoded_only_where_they_must_be() {
        assert_eq!(subject("Disk full"), "Subject: Disk full\r\n");
        assert_eq!(subject("Caffè"), "Subject: =?utf-8?B?Q2FmZsOo?=\r\n");
        assert_eq!(subject("=?utf-8?Q?hidden?="), "Subject: =?utf-8?B?PT91dGYtOD9RP2hpZGRlbj89?=\r\n");
        assert_eq!(
            subject(&"è".repeat(20)),
            "Subject: =?utf-8?B?w6jDqMOow6jDqMOow6jDqMOow6jDqMOow6jDqMOow6jDqMOow6g=?=\r\n =?utf-8?B?w6g=?=\r\n"
        );
        assert!(subject(&"日".repeat(150)).split("\r\n").all(|line| line.len() <= 76));
    }

    #[test]
    fn a_subject_of_200_characters_stays_and_a_longer_one_is_cut() {
        assert_eq!(subject(&"a".repeat(200)), format!("Subject: {}\r\n", "a".repeat(200)));
        let cut = subject(&"a".repeat(201));
        let words: Vec<u8> = cut
            .trim_start_matches("Subject: ")
            .split_whitespace()
            .flat_map(|word| STANDARD.decode(&word["=?utf-8?B?".len()..word.len() - 2]).unwrap())
            .collect();
        assert_eq!(String::from_utf8(words).unwrap(), format!("{}…", "a".repeat(200)));
    }

    #[test]
    fn a_mailbox_that_is_not_ascii_becomes_an_empty_group() {
        assert_eq!(mailbox(&MailAddress::new("a b", "x.it").unwrap()), "<\"a b\"@x.it>");
        assert_eq!(
            mailbox(&MailAddress::new("usèr", "x.it").unwrap()),
            "Internationalized Address =?utf-8?B?dXPDqHJAeC5pdA==?= Removed:;"
        );
    }

    #[test]
    fn only_a_plain_message_id_is_repeated() {
        assert_eq!(message_id(" <a.1@x> "), Some("<a.1@x>"));
        for wrong in ["", "a@x", "<a@x", "<>", "<@>", "<a>", "<a@x> <b@x>", "<a@x\r\n>", "<è@x>", "<a @x>"] {
            assert_eq!(message_id(wrong), None, "{wrong}");
        }
        assert!(message_id(&format!("<{}@x>", "a".repeat(508))).is_some());
        assert!(message_id(&format!("<{}@x>", "a".repeat(509))).is_none());
    }

    #[test]
    fn addresses_keep_their_type_and_lose_nothing() {
        assert_eq!(typed_address("rfc822", "p39@sms.local"), "rfc822; p39@sms.local");
        assert_eq!(typed_address("rfc822", "a\r\nb+c@x"), "rfc822; a+0D+0Ab+c@x");
        assert_eq!(typed_address("rfc822", "usèr+x@é.it"), "utf-8; us\\x{E8}r\\x{2B}x@\\x{E9}.it");
        assert_eq!(typed_address("utf-8", "us\\x{E8}r@x"), "utf-8; us\\x{E8}r@x");
        assert_eq!(typed_address("utf-8", "a=b\\è@x"), "utf-8; a\\x{3D}b\\x{5C}\\x{E8}@x");
        assert_eq!(typed_address("x\r\n: y", "a"), "xy; a");
        assert_eq!(typed_address("", "a"), "x-unknown; a");
    }

    #[test]
    fn dates_are_in_universal_time() {
        assert_eq!(date(Timestamp::from_second(1_700_000_000).unwrap()), "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!(date(Timestamp::UNIX_EPOCH), "Thu, 1 Jan 1970 00:00:00 +0000");
    }

    #[test]
    fn hosts_have_the_characters_of_hosts() {
        assert_eq!(host("relay.example.com"), "relay.example.com");
        assert_eq!(host("[192.0.2.1]"), "[192.0.2.1]");
        assert_eq!(host("a\r\nb>"), "a--b-");
        assert_eq!(host(""), "localhost");
    }
}
