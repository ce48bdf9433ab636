//! Phone numbers in international form (ITU-T E.164), and reading them from what people write.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shortest number that is taken, in digits. E.164 names no minimum; nothing shorter than this is
/// a mobile subscriber anywhere, and a typo usually is.
const MIN_DIGITS: usize = 8;
/// Longest number of E.164 (section 6.2.1), in digits, the country code included.
const MAX_DIGITS: usize = 15;
/// Digits without any prefix are a national number up to this length when a country code is
/// configured; longer ones already carry their country code.
const MAX_BARE_NATIONAL_DIGITS: usize = 10;

static SHOW_FULL_NUMBERS: AtomicBool = AtomicBool::new(false);

/// Makes [`Masked`] show numbers in full, for the rest of the process. Set once at start from the
/// configuration; the default is to mask.
pub fn show_full_numbers(show: bool) {
    SHOW_FULL_NUMBERS.store(show, Ordering::Relaxed);
}

/// A phone number in international form: `+` and 8 to 15 digits, the first not zero (E.164).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

/// How numbers without a country code are completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialPlan {
    /// Digits of the country code, such as `39`; `None` refuses national numbers.
    country_code: Option<String>,
    /// The prefix of national dialling that is dropped before the country code is put in front.
    trunk_prefix: Option<String>,
}

/// Why a text is not a phone number. `Display` is the sentence for whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// There is something in it that no number contains.
    #[error("`{0}` is not a phone number")]
    NotANumber(String),
    /// Fewer than 8 digits.
    #[error("`{0}` is too short for a phone number in international form (8 to 15 digits)")]
    TooShort(String),
    /// More than 15 digits.
    #[error("`{0}` is too long for a phone number in international form (8 to 15 digits)")]
    TooLong(String),
    /// A country code never begins with zero.
    #[error("`{0}` begins with a zero where the country code should be")]
    LeadingZero(String),
    /// A national number, and no country code is configured.
    #[error(
        "`{0}` is a national number and no country code is configured; write it with its country code, like +39..."
    )]
    NoCountryCode(String),
}

impl DialPlan {
    /// A plan that completes national numbers with `country_code` (1 to 3 digits, not beginning
    /// with zero). `trunk_prefix` is the national prefix to drop; `None` takes the usual one: a
    /// zero, and nothing for Italy, San Marino and the Vatican, where the zero is dialled from
    /// abroad too.
    ///
    /// # Errors
    /// [`PhoneError::NotANumber`] when either is not made of digits as described.
    pub fn national(country_code: &str, trunk_prefix: Option<&str>) -> Result<Self, PhoneError> {
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let code = country_code.strip_prefix('+').unwrap_or(country_code);
        if !(1..=3).contains(&code.len()) || !digits(code) || code.starts_with('0') {
            return Err(PhoneError::NotANumber(country_code.to_owned()));
        }
        let trunk = match trunk_prefix {
            Some(prefix) if !digits(prefix) => {
                return Err(PhoneError::NotANumber(prefix.to_owned()));
            }
            Some(prefix) => prefix,
            None if matches!(code, "39" | "378" | "379") => "",
            None => "0",
        };
        Ok(Self {
            country_code: Some(code.to_owned()),
            trunk_prefix: (!trunk.is_empty()).then(|| trunk.to_owned()),
        })
    }
}

impl PhoneNumber {
    /// Reads a number as a person or an appliance writes it: `+39 347 123-4567`, `0039347...`,
    /// `p39347...` (for mailers that cannot put a plus into a local part), `39347...`,
    /// `+44 (0)20 ...`, or a national number where `plan` has a country code. Digits without a
    /// prefix are national up to 10 digits when there is a country code, international otherwise.
    ///
    /// # Errors
    /// A [`PhoneError`] that names the text as written.
    pub fn parse(written: &str, plan: &DialPlan) -> Result<Self, PhoneError> {
        let trimmed = written.trim();
        let (international, rest) = if let Some(rest) = trimmed.strip_prefix(['+', 'p', 'P']) {
            (true, rest)
        } else if let Some(rest) = trimmed.strip_prefix("00") {
            (true, rest)
        } else {
            (false, trimmed)
        };
        // `(0)` marks the trunk zero that is left out from abroad.
        let rest = if international { rest.replacen("(0)", "", 1) } else { rest.to_owned() };
        let mut digits = String::with_capacity(rest.len());
        for c in rest.chars() {
            match c {
                '0'..='9' => digits.push(c),
                ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '\u{202f}' | '\u{2011}' => {}
                _ => return Err(PhoneError::NotANumber(written.to_owned())),
            }
        }
        if digits.is_empty() {
            return Err(PhoneError::NotANumber(written.to_owned()));
        }
        if !international {
            digits = complete(digits, plan, written)?;
        }
        Self::from_digits(&digits, written)
    }

    /// Reads `+` and 8 to 15 digits, and nothing else.
    ///
    /// # Errors
    /// A [`PhoneError`] that names the text.
    pub fn from_e164(text: &str) -> Result<Self, PhoneError> {
        match text.strip_prefix('+') {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Self::from_digits(digits, text)
            }
            _ => Err(PhoneError::NotANumber(text.to_owned())),
        }
    }

    fn from_digits(digits: &str, written: &str) -> Result<Self, PhoneError> {
        if digits.starts_with('0') {
            return Err(PhoneError::LeadingZero(written.to_owned()));
        }
        match digits.len() {
            0..MIN_DIGITS => Err(PhoneError::TooShort(written.to_owned())),
            MIN_DIGITS..=MAX_DIGITS => Ok(Self(format!("+{digits}"))),
            _ => Err(PhoneError::TooLong(written.to_owned())),
        }
    }

    /// The number with its plus: `+393471234567`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number for a log line: masked unless the operator chose otherwise.
    pub fn masked(&self) -> Masked<'_> {
        Masked(&self.0)
    }
}

fn complete(digits: String, plan: &DialPlan, written: &str) -> Result<String, PhoneError> {
    let Some(code) = &plan.country_code else {
        return if digits.starts_with('0') {
            Err(PhoneError::NoCountryCode(written.to_owned()))
        } else {
            Ok(digits)
        };
    };
    if let Some(trunk) = &plan.trunk_prefix
        && let Some(rest) = digits.strip_prefix(trunk.as_str())
    {
        return Ok(format!("{code}{rest}"));
    }
    if digits.len() <= MAX_BARE_NATIONAL_DIGITS || digits.starts_with('0') {
        return Ok(format!("{code}{digits}"));
    }
    Ok(digits)
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Masked, so that a stray `{:?}` in a log line shows nobody's number.
impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

/// A number as logs show it: `+39347•••4567`, unless [`show_full_numbers`] was asked for. Any text
/// with digits may be shown so, for instance a recipient that was refused.
pub struct Masked<'a>(pub &'a str);

/// A number masked whatever [`show_full_numbers`] says, for places with a setting of their own.
pub struct AlwaysMasked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOW_FULL_NUMBERS.load(Ordering::Relaxed) {
            return f.write_str(self.0);
        }
        AlwaysMasked(self.0).fmt(f)
    }
}

impl fmt::Display for AlwaysMasked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.bytes().filter(u8::is_ascii_digit).count();
        if digits < 7 {
            return f.write_str(self.0);
        }
        // Country and network stay readable, the subscriber's middle digits do not.
        let tail = 4;
        let head = digits.saturating_sub(tail + 3).min(5);
        let mut seen = 0;
        let mut dotted = false;
        for c in self.0.chars() {
            if c.is_ascii_digit() {
                seen += 1;
                if seen > head && seen <= digits - tail {
                    if !dotted {
                        f.write_str("•••")?;
                        dotted = true;
                    }
                    continue;
                }
            }
            fmt::Write::write_char(f, c)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str, plan: &DialPlan) -> String {
        match PhoneNumber::parse(written, plan) {
            Ok(number) => number.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn international_forms_without_a_country_code() {
        let none = DialPlan::default();
        for written in [
            "+393471234567",
            "00393471234567",
            "393471234567",
            "p393471234567",
            "P39-347-1234567",
            " +39 347 123.45.67 ",
        ] {
            assert_eq!(read(written, &none), "+393471234567", "{written}");
        }
        assert_eq!(read("+44 (0)20 7946 0123", &none), "+442079460123");
    }

    #[test]
    fn national_forms_with_a_country_code() {
        let italy = DialPlan::national("39", None).unwrap();
        assert_eq!(read("3471234567", &italy), "+393471234567");
        assert_eq!(read("3931234567", &italy), "+393931234567");
        assert_eq!(read("393471234567", &italy), "+393471234567");
        assert_eq!(read("0612345678", &italy), "+390612345678");
        assert_eq!(read("41791234567", &italy), "+41791234567");
        let germany = DialPlan::national("+49", None).unwrap();
        assert_eq!(read("0151 12345678", &germany), "+4915112345678");
        assert_eq!(read("00393471234567", &germany), "+393471234567");
        let america = DialPlan::national("1", Some("")).unwrap();
        assert_eq!(read("212-555-1234", &america), "+12125551234");
        assert_eq!(read("12125551234", &america), "+12125551234");
    }

    #[test]
    fn what_is_not_a_number_is_refused_by_name() {
        let none = DialPlan::default();
        assert_eq!(read("", &none), "NotANumber(\"\")");
        assert_eq!(read("+", &none), "NotANumber(\"+\")");
        assert_eq!(read("oncall", &none), "NotANumber(\"oncall\")");
        assert_eq!(read("+39347x234567", &none), "NotANumber(\"+39347x234567\")");
        assert_eq!(read("+1234567", &none), "TooShort(\"+1234567\")");
        assert_eq!(read("+12345678", &none), "+12345678");
        assert_eq!(read("+123456789012345", &none), "+123456789012345");
        assert_eq!(read("+1234567890123456", &none), "TooLong(\"+1234567890123456\")");
        assert_eq!(read("+0393471234567", &none), "LeadingZero(\"+0393471234567\")");
        assert_eq!(read("0612345678", &none), "NoCountryCode(\"0612345678\")");
        assert_eq!(read("٣٩٣٤٧١٢٣٤٥٦٧", &none), "NotANumber(\"٣٩٣٤٧١٢٣٤٥٦٧\")");
    }

    #[test]
    fn e164_is_read_strictly() {
        assert!(PhoneNumber::from_e164("+393471234567").is_ok());
        for wrong in ["393471234567", "+39 3471234567", "+", "", "00393471234567"] {
            assert!(PhoneNumber::from_e164(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn masked_shows_country_network_and_the_last_four() {
        assert_eq!(Masked("+393471234567").to_string(), "+39347•••4567");
        assert_eq!(Masked("00393471234567@sms.local").to_string(), "00393•••4567@sms.local");
        assert_eq!(Masked("+12345678").to_string(), "+1•••5678");
        assert_eq!(Masked("oncall@sms.local").to_string(), "oncall@sms.local");
        let number = PhoneNumber::from_e164("+393471234567").unwrap();
        assert_eq!(format!("{number:?}"), "PhoneNumber(+39347•••4567)");
        assert_eq!(AlwaysMasked("+393471234567").to_string(), "+39347•••4567");
    }

    #[test]
    fn a_dial_plan_takes_digits_only() {
        for code in ["", "0", "1234", "it", "+"] {
            assert!(DialPlan::national(code, None).is_err(), "{code}");
        }
        assert!(DialPlan::national("39", Some("x")).is_err());
    }
}
