//! The URL of a program.

use reqwest::Url;

/// Most octets of a URL.
const MAX_URL: usize = 2048;

/// A URL that no program is called at. Nothing of it is shown: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is none, or has no host.
    #[error("it is not a URL of http or https")]
    NotHttp,
    /// It has a user name or password.
    #[error("it holds a user name or password; calls are signed, and need none")]
    Credentials,
    /// It is too long.
    #[error("it is longer than {MAX_URL} octets")]
    TooLong,
}

/// Reads the URL of a program: `http` or `https`, without credentials. A fragment is cut off.
///
/// # Errors
/// [`TargetError`].
pub fn target(written: &str) -> Result<Url, TargetError> {
    if written.len() > MAX_URL {
        return Err(TargetError::TooLong);
    }
    target_of_any_length(written)
}

/// As [`target`], of any length.
///
/// # Errors
/// [`TargetError`].
pub(super) fn target_of_any_length(written: &str) -> Result<Url, TargetError> {
    let mut url = Url::parse(written).map_err(|_| TargetError::NotHttp)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(TargetError::NotHttp);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Credentials);
    }
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_a_url_of_http_without_credentials() {
        for (written, read) in [
            ("https://shop.example.com", "https://shop.example.com/"),
            ("http://192.0.2.1:8080/done?shop=1#there", "http://192.0.2.1:8080/done?shop=1"),
            ("https://SHOP.example.com/A", "https://shop.example.com/A"),
            ("http://[2001:db8::1]/", "http://[2001:db8::1]/"),
        ] {
            assert_eq!(target(written).unwrap().as_str(), read);
        }
        for (written, error) in [
            ("", TargetError::NotHttp),
            ("/done", TargetError::NotHttp),
            ("shop.example.com", TargetError::NotHttp),
            ("file:///etc/passwd", TargetError::NotHttp),
            ("gopher://shop.example.com/", TargetError::NotHttp),
            ("https://", TargetError::NotHttp),
            ("https://user@shop.example.com/", TargetError::Credentials),
            ("https://:secret@shop.example.com/", TargetError::Credentials),
        ] {
            assert_eq!(target(written), Err(error), "{written}");
        }
        let long = |octets: usize| format!("https://a/{}", "x".repeat(octets - 10));
        assert!(target(&long(2048)).is_ok());
        assert_eq!(target(&long(2049)), Err(TargetError::TooLong));
    }
}
