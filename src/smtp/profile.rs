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

impl Profile {
    /// What twenty-year-old clients need: everything but what hides STARTTLS or opens the way for
    /// smuggling.
    pub const APPLIANCE: Self = Self {
        bare_addresses: true,
        stray_spaces: true,
        any_hello_name: true,
        empty_hello: true,
        mail_before_hello: true,
        any_credentials: true,
        bare_line_ends: true,
        hide_starttls: false,
        lf_dot_ends_data: false,
    };

    /// The names of the switches.
    pub const SWITCHES: [&str; 9] = [
        "bare_addresses",
        "stray_spaces",
        "any_hello_name",
        "empty_hello",
        "mail_before_hello",
        "any_credentials",
        "bare_line_ends",
        "hide_starttls",
        "lf_dot_ends_data",
    ];

    /// The same with one switch on; `None` where there is no such switch.
    #[must_use]
    pub fn with(mut self, switch: &str) -> Option<Self> {
        let on = match switch {
            "bare_addresses" => &mut self.bare_addresses,
            "stray_spaces" => &mut self.stray_spaces,
            "any_hello_name" => &mut self.any_hello_name,
            "empty_hello" => &mut self.empty_hello,
            "mail_before_hello" => &mut self.mail_before_hello,
            "any_credentials" => &mut self.any_credentials,
            "bare_line_ends" => &mut self.bare_line_ends,
            "hide_starttls" => &mut self.hide_starttls,
            "lf_dot_ends_data" => &mut self.lf_dot_ends_data,
            _ => return None,
        };
        *on = true;
        Some(self)
    }
}
