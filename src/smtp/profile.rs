//! What a listener forgives: twenty-year-old clients in, without opening the door for others.

/// Departures from the standards that are forgiven, each on its own. All off is `strict`.
///
/// White space at the end of a line is ignored in every profile (RFC 5321 section 4.1.1), and only
/// CRLF.CRLF ends a message unless [`lf_dot_ends_data`](Self::lf_dot_ends_data) says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// `MAIL FROM:a@b` and `RCPT TO:a@b` without angle brackets.
    pub bare_addresses: bool,
    /// Spaces behind the colon of `MAIL FROM:` and `RCPT TO:`, and inside the angle brackets.
    pub stray_spaces: bool,
    /// `EHLO` and `HELO` with a name that is no domain: with `_`, with spaces, with anything.
    pub any_hello_name: bool,
    /// `EHLO` and `HELO` without a name.
    pub empty_hello: bool,
    /// `MAIL` before `EHLO` or `HELO`.
    pub mail_before_hello: bool,
    /// `AUTH` where it was not offered, with any credentials: answered 235 and taken for nobody.
    pub any_credentials: bool,
    /// Bare LF and bare CR inside a message are made CRLF.
    pub bare_line_ends: bool,
    /// `EHLO` does not name STARTTLS, for clients that take it and then fail. It still works when
    /// asked for.
    pub hide_starttls: bool,
    /// LF.LF and its mixtures end a message, too. This opens the way for smuggling: whoever can make
    /// a mail server in front of this one send such a line sends mail in its name (CVE-2023-51764).
    pub lf_dot_ends_data: bool,
}
