//! What comes along with the text, by name and type.

use super::Attachment;
use super::headers::one_line;
use super::parts::Part;

/// How many are kept.
pub(super) const MAX_ATTACHMENTS: usize = 100;
/// Longest name, in characters.
const MAX_NAME: usize = 255;
/// Longest media type, in octets: two names of 127 (RFC 6838 section 4.2).
const MAX_MEDIA_TYPE: usize = 255;

/// A part that is not shown.
pub(super) fn of_part(part: &Part<'_>) -> Attachment {
    Attachment { name: name_of(part), media_type: media_type(part) }
}

/// The name of the file that a part is, where it says so.
pub(super) fn name_of(part: &Part<'_>) -> Option<String> {
    let written = part.disposition.text("filename");
    written.as_deref().and_then(name).or_else(|| part.content_type.text("name").as_deref().and_then(name))
}

/// A file that stood in the text.
pub(super) fn uuencoded(written: &str) -> Attachment {
    Attachment { name: name(written), media_type: "application/octet-stream".to_owned() }
}

/// The last component of a path, on one line.
fn name(written: &str) -> Option<String> {
    // Marks that change the direction of writing would show a name as another one.
    let visible =
        |c: &char| !matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let line = one_line(&written.chars().filter(visible).collect::<String>())?;
    let last = line.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let cut: String = last.chars().take(MAX_NAME).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

fn media_type(part: &Part<'_>) -> String {
    let (main, sub) = part.content_type.media_type();
    if main.is_empty() {
        // What is not declared (RFC 2045 section 5.2, RFC 2046 section 5.1.5).
        return if part.in_digest { "message/rfc822" } else { "text/plain" }.to_owned();
    }
    let written = |half: &[u8]| !half.is_empty() && half.iter().all(u8::is_ascii_graphic);
    if !written(main) || !written(sub) || main.len() + 1 + sub.len() > MAX_MEDIA_TYPE {
        return "application/octet-stream".to_owned();
    }
    let whole = [main, b"/", sub].concat().to_ascii_lowercase();
    String::from_utf8(whole).unwrap_or_else(|_| "application/octet-stream".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_last_components_on_one_line() {
        for (written, expected) in [
            ("a.txt", Some("a.txt")),
            ("/etc/passwd", Some("passwd")),
            ("C:\\Temp\\my scan.pdf", Some("my scan.pdf")),
            ("..\\../a", Some("a")),
            ("a\r\n\tb\0c.txt", Some("a b c.txt")),
            ("\u{202E}fdp.exe", Some("fdp.exe")),
            ("dir/", None),
            (" ", None),
        ] {
            assert_eq!(name(written).as_deref(), expected, "{written:?}");
        }
        let of_length = |n: usize| name(&"è".repeat(n)).map_or(0, |name| name.chars().count());
        assert_eq!((of_length(255), of_length(256)), (255, 255));
    }
}
