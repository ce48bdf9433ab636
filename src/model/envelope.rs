//! The SMTP envelope with its DSN parameters (RFC 5321 section 2.3.1, RFC 3461).

use super::{MailAddress, ReversePath};

/// What `MAIL` and `RCPT` said, and in which protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// How the mail came.
    pub protocol: Protocol,
    /// Where failures are reported.
    pub reverse_path: ReversePath,
    /// `RET=`: how much of the mail a failure report returns (RFC 3461 section 4.3).
    pub ret: Option<Ret>,
    /// `ENVID=` with its xtext decoded: printable ASCII, at most 100 octets as sent (section 4.4).
    pub envid: Option<String>,
    /// Whether `SMTPUTF8` was given (RFC 6531).
    pub smtputf8: bool,
    /// The recipients that were accepted, in order.
    pub recipients: Vec<EnvelopeRecipient>,
}

/// The protocol that a mail came by, as its trace field names it (RFC 3848).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The client said `HELO`, or nothing.
    Smtp,
    /// It said `EHLO`.
    Esmtp,
    /// It said `EHLO`, and all was encrypted.
    Esmtps,
}

/// One accepted `RCPT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeRecipient {
    /// The address as given, without source route.
    pub address: MailAddress,
    /// `NOTIFY=`: which reports the sender wants.
    pub notify: Notify,
    /// `ORCPT=`: the recipient that the sender first wrote.
    pub orcpt: Option<Orcpt>,
}

/// `RET=` (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// The whole mail.
    Full,
    /// The headers only.
    Headers,
}

/// `NOTIFY=` (RFC 3461 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Notify {
    /// Not given: failures are reported, and delays may be.
    #[default]
    Unspecified,
    /// `NEVER`.
    Never,
    /// Any of `SUCCESS`, `FAILURE` and `DELAY`; at least one is set.
    On {
        /// Report a success.
        success: bool,
        /// Report a failure.
        failure: bool,
        /// Report a delay.
        delay: bool,
    },
}

impl Notify {
    /// Whether a failure is to be reported.
    pub fn wants_failure(self) -> bool {
        match self {
            Self::Unspecified => true,
            Self::Never => false,
            Self::On { failure, .. } => failure,
        }
    }

    /// Whether a success is to be reported.
    pub fn wants_success(self) -> bool {
        match self {
            Self::Unspecified | Self::Never => false,
            Self::On { success, .. } => success,
        }
    }

    /// Whether a delay is to be reported. Without a word it may be (RFC 3461 section 4.1).
    pub fn wants_delay(self) -> bool {
        match self {
            Self::Unspecified => true,
            Self::Never => false,
            Self::On { delay, .. } => delay,
        }
    }

    /// The parameter's value, as the spool keeps it; empty when it was not given.
    pub fn to_parameter(self) -> String {
        match self {
            Self::Unspecified => String::new(),
            Self::Never => "NEVER".to_owned(),
            Self::On { success, failure, delay } => {
                let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
                let set: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
                set.join(",")
            }
        }
    }

    /// Reads a `NOTIFY=` value, in any case; the empty text is [`Notify::Unspecified`]. `None` for
    /// an unknown or repeated word, or `NEVER` beside another.
    pub fn from_parameter(value: &str) -> Option<Self> {
        if value.is_empty() {
            return Some(Self::Unspecified);
        }
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Self::Never);
        }
        let (mut success, mut failure, mut delay) = (false, false, false);
        for word in value.split(',') {
            let flag = match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => &mut success,
                "FAILURE" => &mut failure,
                "DELAY" => &mut delay,
                _ => return None,
            };
            if std::mem::replace(flag, true) {
                return None;
            }
        }
        Some(Self::On { success, failure, delay })
    }
}

/// `ORCPT=`: address type and address, its xtext decoded (RFC 3461 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orcpt {
    /// The address type, mostly `rfc822`.
    pub kind: String,
    /// The address.
    pub address: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notify_is_read_and_written_alike() {
        for value in ["", "NEVER", "SUCCESS", "FAILURE", "SUCCESS,FAILURE,DELAY", "DELAY"] {
            assert_eq!(Notify::from_parameter(value).unwrap().to_parameter(), value);
        }
        assert_eq!(
            Notify::from_parameter("delay,Success"),
            Some(Notify::On { success: true, failure: false, delay: true })
        );
        for wrong in ["NEVER,SUCCESS", "SUCCESS,SUCCESS", "SUCCESS,", "SOON", ","] {
            assert_eq!(Notify::from_parameter(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn failures_are_reported_unless_the_sender_said_otherwise() {
        assert!(Notify::Unspecified.wants_failure());
        assert!(!Notify::Never.wants_failure());
        assert!(!Notify::from_parameter("SUCCESS").unwrap().wants_failure());
        assert!(Notify::from_parameter("SUCCESS").unwrap().wants_success());
    }

    #[test]
    fn delays_are_reported_unless_the_sender_named_other_reports_only() {
        for (value, wanted) in [
            ("", true),
            ("NEVER", false),
            ("DELAY", true),
            ("FAILURE,DELAY", true),
            ("SUCCESS,FAILURE", false),
        ] {
            assert_eq!(Notify::from_parameter(value).unwrap().wants_delay(), wanted, "{value}");
        }
    }
}
