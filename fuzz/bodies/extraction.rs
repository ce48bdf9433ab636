//! Mails to subject, text and the rest.

use sms_relay::mail::{Headers, Mail, read};

/// Octets of text for each octet of a mail, at most: one octet that no charset knows, and each of most in the
/// legacy ones, may become three in UTF-8, and nothing else grows more (an entity or two octets of a legacy
/// charset at most by half).
const GROWTH: usize = 3;
/// The same for the text: a line of one such octet and its end may stand in a quote of HTML, whose marks are
/// six octets for a line.
const TEXT_GROWTH: usize = 5;
/// Most attachments that are told.
const ATTACHMENTS: usize = 100;
/// Most characters of an attachment's name.
const NAME: usize = 255;
/// Longest `Message-ID:` that is kept.
const MESSAGE_ID: usize = 998;
/// Field names of the input itself that are asked for.
const NAMES: usize = 8;

/// What [`Mail`] promises of its fields holds; nothing grows beyond a bound; the same octets read the same
/// again, and so do they behind a field that means nothing; and the text of a mail without MIME is what stands in it.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let mail = read(input);
    check_text(&mail.text, input.len());
    if let Some(with_links) = &mail.text_with_links {
        check_text(with_links, input.len());
        assert_ne!(*with_links, mail.text, "there only where it differs");
    }
    let line = |line: &str| check_line(line, input.len());
    mail.subject.as_deref().inspect(|subject| line(subject));
    if let Some(from) = &mail.from {
        from.name.as_deref().inspect(|name| line(name));
        // A domain may have a no-break space, which is no beauty and no harm.
        line(&from.address.to_string().replace('\u{a0}', ""));
    }
    if let Some(id) = &mail.message_id {
        let inner = id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).expect("brackets");
        assert!(!inner.is_empty() && !inner.contains(['<', '>']) && id.len() <= MESSAGE_ID, "{id:?}");
        assert!(!id.contains(|c: char| c.is_whitespace() || c.is_control()), "{id:?}");
    }
    assert!(mail.attachments.len() <= ATTACHMENTS, "{} attachments", mail.attachments.len());
    for attachment in &mail.attachments {
        line(&attachment.media_type);
        assert!(!attachment.media_type.contains(|c: char| c.is_ascii_uppercase()), "{attachment:?}");
        if let Some(name) = &attachment.name {
            line(name);
            assert!(name.chars().count() <= NAME, "{attachment:?}");
        }
    }
    check_fields(input, &mail);
    assert!(mail == read(input), "it reads otherwise when read again");
    check_behind_a_field(input, &mail);
    if let Some(expected) = plain_reader(input, &mail) {
        assert_eq!(mail.text, expected, "a plain reader finds another text");
    }
}

fn check_text(text: &str, octets: usize) {
    assert!(text.len() <= TEXT_GROWTH * octets, "{octets} octets became {}", text.len());
    assert_eq!(text, text.trim(), "white space around it");
    for line in text.split('\n') {
        assert!(!line.contains(['\r', '\0']) && line == line.trim_end(), "{line:?}");
    }
}

/// A value on one line that is not blank.
fn check_line(line: &str, octets: usize) {
    assert!(line.len() <= GROWTH * octets, "{octets} octets became {}", line.len());
    assert!(!line.trim().is_empty(), "{line:?} is blank");
    let single = line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(single == line && !line.contains(char::is_control), "{line:?} is not one line");
}

/// Fields by name, of the section where the mail says that it is.
fn check_fields(input: &[u8], mail: &Mail) {
    let section = input.get(mail.header_section.clone()).expect("the section stands in the octets");
    let headers = Headers::of(mail, input);
    let lossy = String::from_utf8_lossy(section);
    let own = lossy.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim_end());
    for name in ["subject", "from", "Received", "", " ", "x\n"].into_iter().chain(own.take(NAMES)) {
        let value = headers.field(name);
        value.as_deref().inspect(|value| check_line(value, section.len()));
        assert_eq!(value, headers.field(&name.to_ascii_uppercase()), "{name:?} in capitals");
    }
    // Octets that no charset declares are read by what the mail says elsewhere.
    if section.is_ascii() {
        assert_eq!(headers.field("Subject"), mail.subject, "the subject as a field");
    }
}

/// A field that means nothing, put in front, changes nothing but where the section ends.
fn check_behind_a_field(input: &[u8], mail: &Mail) {
    const FIELD: &[u8] = b"X-Nothing: 1\n";
    let mbox = input.starts_with(b"From ") || input.starts_with(b">From ");
    // Where CR alone ends the lines, LF would end them all from now on.
    let cr = input.split(|octet| *octet == b'\n').any(|line| line[..line.len().max(1) - 1].contains(&b'\r'));
    if mail.header_section.start > 0 || mail.header_section.is_empty() || mbox || cr {
        return;
    }
    let other = read(&[FIELD, input].concat());
    let section = 0..mail.header_section.end + FIELD.len();
    assert_eq!(other, Mail { header_section: section, ..mail.clone() }, "behind a field that means nothing");
}

/// The text of a mail of ASCII lines without MIME, HTML or uuencode: all that stands behind its headers.
fn plain_reader(input: &[u8], mail: &Mail) -> Option<String> {
    let plain = input.iter().all(|octet| matches!(octet, b'\n' | b'\r' | b'\t' | b' '..=b'~'));
    let (section, body) = (&input[..mail.header_section.end], &input[mail.header_section.end..]);
    let (section, body) = (str::from_utf8(section).ok()?.to_ascii_lowercase(), str::from_utf8(body).ok()?);
    if !plain || section.contains("content-") || body.contains(['<', '+', '~']) || body.contains("begin ") {
        return None;
    }
    let lines = body.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = lines.split('\n').map(str::trim_end).collect();
    Some(lines.join("\n").trim().to_owned())
}
