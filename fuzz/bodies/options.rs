//! Inputs whose first line says how the rest is handled.

/// The first line as letters, and the rest as text, where octets outside UTF-8 are replaced. Without a line
/// end it is all text.
pub fn split(input: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(input);
    match text.split_once('\n') {
        Some((options, rest)) => (options.to_owned(), rest.to_owned()),
        None => (String::new(), text.into_owned()),
    }
}
