//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): the client's name for a request.

use axum::http::{HeaderMap, StatusCode};

use super::super::answer::Denial;

/// Most characters of a key.
pub(super) const MOST: usize = 255;
const NAME: &str = "idempotency-key";

/// The key of a request, if it has one: a string of structured fields (RFC 8941 section 3.3.3), or the same without its
/// quotes, as most clients send it.
///
/// # Errors
/// 400 for what is no key, and for more than one.
pub(in crate::http) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Denial> {
    let mut all = headers.get_all(NAME).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let key = value.to_str().ok().and_then(|written| {
        let written = written.trim();
        match written.strip_prefix('"') {
            Some(rest) => unquoted(rest),
            None => Some(written.to_owned()),
        }
    });
    let is_right =
        |key: &String| (1..=MOST).contains(&key.len()) && key.bytes().all(|octet| octet.is_ascii_graphic());
    match (key.filter(is_right), all.next()) {
        (Some(key), None) => Ok(Some(key)),
        (Some(_) | None, _) => {
            let reason = format!(
                "`Idempotency-Key` must be one string of 1 to {MOST} visible ASCII characters, like \"8e03978e-40d5\""
            );
            Err(Denial::new(StatusCode::BAD_REQUEST, reason))
        }
    }
}

/// What stands before the closing quote; nothing may stand behind it.
fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => key.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => key.push(other),
        }
    }
    characters.next().is_none().then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn read(values: &[&str]) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(NAME, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        key_of(&headers).map_err(|denial| denial.status.as_u16())
    }

    #[test]
    fn a_key_stands_in_quotes_or_alone() {
        assert_eq!(read(&[]), Ok(None));
        for written in ["\"8e03-40d5\"", "8e03-40d5", " \"8e03-40d5\" "] {
            assert_eq!(read(&[written]), Ok(Some("8e03-40d5".to_owned())), "{written}");
        }
        assert_eq!(read(&[r#""a\"b\\c""#]), Ok(Some(r#"a"b\c"#.to_owned())));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in ["", "\"\"", "\"a", "\"a\"b", "\"a\";p=1", r#""a\b""#, "a b", "\"a b\"", "é", "a\tb"] {
            assert_eq!(read(&[wrong]), Err(400), "{wrong}");
        }
        assert_eq!(read(&["a", "a"]), Err(400));
    }

    #[test]
    fn a_key_has_up_to_255_characters() {
        for (length, is_right) in [(1, true), (255, true), (256, false)] {
            let key = "k".repeat(length);
            assert_eq!(read(&[&key]).is_ok(), is_right, "{length}");
            assert_eq!(read(&[&format!("\"{key}\"")]).is_ok(), is_right, "{length}");
        }
    }
}
