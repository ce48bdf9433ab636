//! What a listener forgives: twenty-year-old clients in, without opening the door for others.

use std::fmt;

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
    /// What twenty-year-old devices need. What costs others something is not among it: hiding
    /// STARTTLS takes the encryption away from those who could use it, and
    /// [`lf_dot_ends_data`](Self::lf_dot_ends_data) opens the way for smuggling.
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

    /// The names of all switches, as the configuration and the logs write them.
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

    /// The same with `switch` on; `None` where there is no switch of that name.
    pub fn with(mut self, switch: &str) -> Option<Self> {
        let at = Self::SWITCHES.iter().position(|name| *name == switch)?;
        *self.fields()[at] = true;
        Some(self)
    }

    /// The fields in the order of [`SWITCHES`](Self::SWITCHES). Taken apart without `..`, so that a
    /// new field cannot be forgotten here.
    fn fields(&mut self) -> [&mut bool; 9] {
        let Self {
            bare_addresses,
            stray_spaces,
            any_hello_name,
            empty_hello,
            mail_before_hello,
            any_credentials,
            bare_line_ends,
            hide_starttls,
            lf_dot_ends_data,
        } = self;
        [
            bare_addresses,
            stray_spaces,
            any_hello_name,
            empty_hello,
            mail_before_hello,
            any_credentials,
            bare_line_ends,
            hide_starttls,
            lf_dot_ends_data,
        ]
    }
}

/// `strict`, `appliance`, or the names of the switches that are on, with commas between.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("strict");
        }
        if *self == Self::APPLIANCE {
            return f.write_str("appliance");
        }
        let mut copy = *self;
        let on = Self::SWITCHES.into_iter().zip(copy.fields()).filter(|(_, on)| **on);
        f.write_str(&on.map(|(name, _)| name).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_sets_the_field_of_its_name_and_no_other() {
        for switch in Profile::SWITCHES {
            let profile = Profile::default().with(switch).unwrap();
            // The derived Debug knows the fields by themselves.
            let shown = format!("{profile:?}");
            assert_eq!(shown.matches(": true").count(), 1, "{shown}");
            assert!(shown.contains(&format!(" {switch}: true")), "{switch}: {shown}");
            assert_eq!(profile.to_string(), switch);
            assert_eq!(profile.with(switch), Some(profile));
        }
        let fields = format!("{:?}", Profile::default()).matches(": false").count();
        assert_eq!(fields, Profile::SWITCHES.len());
    }

    #[test]
    fn unknown_switches_are_told_and_the_others_stay() {
        for unknown in ["", "strict", "appliance", "BARE_ADDRESSES", "bare_addresses "] {
            assert_eq!(Profile::default().with(unknown), None, "{unknown}");
        }
        let risky = Profile::APPLIANCE.with("lf_dot_ends_data").unwrap();
        assert_eq!(Profile { lf_dot_ends_data: false, ..risky }, Profile::APPLIANCE);
    }

    #[test]
    fn logs_name_what_is_on() {
        assert_eq!(Profile::default().to_string(), "strict");
        assert_eq!(Profile::APPLIANCE.to_string(), "appliance");
        let mixed = Profile { hide_starttls: true, stray_spaces: true, ..Profile::default() };
        assert_eq!(mixed.to_string(), "stray_spaces,hide_starttls");
    }

    #[test]
    fn appliances_lose_neither_encryption_nor_the_border_between_mails() {
        let expected = "bare_addresses,stray_spaces,any_hello_name,empty_hello,mail_before_hello,any_credentials,\
                        bare_line_ends,hide_starttls";
        assert_eq!(Profile::APPLIANCE.with("hide_starttls").unwrap().to_string(), expected);
    }
}
