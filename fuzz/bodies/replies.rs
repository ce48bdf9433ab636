//! What every reply must look like on the wire (RFC 5321 section 4.2, RFC 2034).

use sms_relay::smtp::reply::Reply;

/// Longest line of a reply in octets, its CRLF included (RFC 5321 section 4.5.3.1.5).
const LONGEST: usize = 512;

/// The reply's octets, once they are found to be one reply.
///
/// # Panics
/// When they are not.
pub fn written(reply: &Reply) -> String {
    let mut octets = Vec::new();
    reply.write_to(&mut octets);
    let text = String::from_utf8(octets).unwrap_or_else(|error| panic!("not even UTF-8: {error}"));
    let body = text.strip_suffix("\r\n").unwrap_or_else(|| panic!("no line end: {text:?}"));
    let lines: Vec<&str> = body.split("\r\n").collect();
    let code = lines[0].get(..3).unwrap_or_else(|| panic!("no code: {text:?}"));
    assert!(code.bytes().all(|b| b.is_ascii_digit()) && "2345".contains(&code[..1]), "the code: {text:?}");
    assert_eq!(code, reply.code().to_string());
    for (index, line) in lines.iter().enumerate() {
        assert!(line.len() + "\r\n".len() <= LONGEST, "{} octets: {line:?}", line.len());
        assert!(line.bytes().all(|b| matches!(b, b' '..=b'~')), "no printable ASCII: {line:?}");
        let separator = if index + 1 == lines.len() { " " } else { "-" };
        assert!(line.starts_with(&format!("{code}{separator}")), "line {index} of {text:?}");
        if let Some(class) = enhanced_class(&line[4..]) {
            assert_eq!(class, &code[..1], "the codes contradict each other: {line:?}");
        }
    }
    text
}

/// The class of an enhanced status code at the start of `text`.
fn enhanced_class(text: &str) -> Option<&str> {
    let word = text.split(' ').next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let numbers = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    (parts.len() == 3 && numbers).then(|| parts[0])
}
