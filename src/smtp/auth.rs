//! The exchange behind `AUTH` (RFC 4954): lines of base64 in, credentials out.
//!
//! PLAIN is RFC 4616, CRAM-MD5 is RFC 2195; LOGIN has no standard, only clients. Whether the
//! credentials are anybody's is decided by [`accounts`](super::accounts). The codes of the replies are
//! the caller's; each [`AuthStep`] names its own.
//!
//! Forgiven, as it can mean only one thing: missing padding of base64, blanks at the end of a line,
//! upper-case hexadecimal, and a user name or password in ISO 8859-1 where it is not UTF-8.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;

use crate::model::Secret;

/// The standard alphabet. Padding may be missing, as small clients forget it; too much of it, bits
/// left over, and anything else is no base64 (RFC 4648 sections 3.2 to 3.5).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// `Username:` and `Password:`. Clients compare them (mailrise#101).
const USERNAME_PROMPT: &str = "VXNlcm5hbWU6";
const PASSWORD_PROMPT: &str = "UGFzc3dvcmQ6";
/// Octets of an HMAC-MD5.
const DIGEST: usize = 16;

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// User name and password at once (RFC 4616).
    Plain,
    /// User name and password one after the other.
    Login,
    /// Proof that the client knows a secret, made for one challenge (RFC 2195).
    CramMd5,
}

/// Who a client says it is, and what it shows for it.
pub enum Credentials {
    /// From PLAIN and LOGIN.
    Password {
        /// Not empty, without control characters.
        username: String,
        /// Not empty.
        password: Secret,
    },
    /// From CRAM-MD5.
    CramMd5 {
        /// Not empty, without control characters.
        username: String,
        /// What the client was asked to sign.
        challenge: String,
        /// The HMAC-MD5 of the challenge that it answered with.
        digest: [u8; DIGEST],
    },
}

/// What comes next in an exchange. Only after [`Challenge`](Self::Challenge) there is another line.
#[derive(Debug)]
pub enum AuthStep {
    /// Say `334 ` and this, which is base64 or empty, and read a line.
    Challenge(String),
    /// See whether these are somebody's: 235, or 535 5.7.8.
    Credentials(Credentials),
    /// The client gave up: 501 5.7.0.
    Cancelled,
    /// What came is not what the mechanism has at this place: 501 5.5.2 with this sentence. It is a
    /// mistake like a wrong command, and no attempt on a password.
    Malformed(&'static str),
    /// An initial response to a mechanism in which the server speaks first: 501 5.7.0 (RFC 4954
    /// section 4).
    UnwantedInitialResponse,
    /// Well-formed, and nobody's: 535 5.7.8 like a wrong password, and counted like one. The sentence
    /// is for the log.
    Refused(&'static str),
}

/// An exchange that waits for a line.
#[derive(Debug)]
pub struct Exchange(Waiting);

/// What the line will be.
#[derive(Debug)]
enum Waiting {
    Plain,
    LoginUsername,
    /// The user name may be nobody's already. The password is asked for all the same: a client that sends
    /// it unasked would have it read as a command, and logged.
    LoginPassword(Result<String, &'static str>),
    CramMd5 {
        challenge: String,
    },
}

impl Mechanism {
    /// A mechanism by its name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::Login, Self::CramMd5]
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(name))
    }

    /// The name in `EHLO` and `AUTH`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }
}

impl Credentials {
    /// The mechanism's part of the user name.
    pub fn username(&self) -> &str {
        match self {
            Self::Password { username, .. } | Self::CramMd5 { username, .. } => username,
        }
    }
}

/// Shows the user name only; from a digest and its challenge weak secrets can be guessed.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Password { .. } => "Password",
            Self::CramMd5 { .. } => "CramMd5",
        };
        f.debug_struct(kind).field("username", &self.username()).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Begins an exchange. `initial` is the initial response as written, `=` being the empty one;
    /// `challenge` is what CRAM-MD5 asks to sign, `<random.time@host>`, different each time (RFC 2195
    /// section 2); the other mechanisms ignore it.
    pub fn begin(mechanism: Mechanism, initial: Option<&str>, challenge: String) -> (Option<Self>, AuthStep) {
        let initial = initial.map(str::trim_end).filter(|initial| !initial.is_empty());
        let (waiting, prompt) = match mechanism {
            Mechanism::Plain => (Waiting::Plain, String::new()),
            Mechanism::Login => (Waiting::LoginUsername, USERNAME_PROMPT.to_owned()),
            Mechanism::CramMd5 if initial.is_some() => return (None, AuthStep::UnwantedInitialResponse),
            Mechanism::CramMd5 => {
                let prompt = BASE64.encode(&challenge);
                (Waiting::CramMd5 { challenge }, prompt)
            }
        };
        match initial {
            None => (Some(Self(waiting)), AuthStep::Challenge(prompt)),
            Some("=") => waiting.answer(b""),
            Some(initial) => waiting.line(initial.as_bytes()),
        }
    }

    /// Takes the client's next line, without its CRLF.
    pub fn line(self, line: &[u8]) -> (Option<Self>, AuthStep) {
        let line = line.trim_ascii_end();
        if line == b"*" { (None, AuthStep::Cancelled) } else { self.0.line(line) }
    }
}

impl Waiting {
    fn line(self, line: &[u8]) -> (Option<Exchange>, AuthStep) {
        match BASE64.decode(line) {
            Ok(answer) => self.answer(&Zeroizing::new(answer)),
            Err(_) => (None, AuthStep::Malformed("this is not base64")),
        }
    }

    fn answer(self, answer: &[u8]) -> (Option<Exchange>, AuthStep) {
        let last = match self {
            Self::Plain => plain(answer),
            Self::LoginUsername => {
                let username = username(answer);
                let next = Exchange(Self::LoginPassword(username));
                return (Some(next), AuthStep::Challenge(PASSWORD_PROMPT.to_owned()));
            }
            Self::LoginPassword(username) => with_password(username, answer),
            Self::CramMd5 { challenge } => cram_md5(challenge, answer),
        };
        (None, last)
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 section 2).
fn plain(answer: &[u8]) -> AuthStep {
    let fields: Vec<&[u8]> = answer.split(|&octet| octet == 0).collect();
    let &[authzid, authcid, password] = &fields[..] else {
        return AuthStep::Malformed("PLAIN has three fields with NUL between them (RFC 4616)");
    };
    // Nobody acts for somebody else here.
    if !authzid.is_empty() && authzid != authcid {
        return AuthStep::Refused("it wants to act for another user");
    }
    with_password(username(authcid), password)
}

fn with_password(username: Result<String, &'static str>, password: &[u8]) -> AuthStep {
    match username {
        Err(reason) => AuthStep::Refused(reason),
        Ok(_) if password.is_empty() => AuthStep::Refused("the password is empty"),
        Ok(username) => {
            AuthStep::Credentials(Credentials::Password { username, password: Secret::from(text(password)) })
        }
    }
}

/// `username SP digest`; the user name may have spaces in it (RFC 2195 section 2).
fn cram_md5(challenge: String, answer: &[u8]) -> AuthStep {
    let mut parts = answer.rsplitn(2, |&octet| octet == b' ');
    let (Some(digest), Some(name)) = (parts.next().and_then(hexadecimal), parts.next()) else {
        return AuthStep::Malformed("CRAM-MD5 has a user name, a space and 32 hexadecimal digits (RFC 2195)");
    };
    match username(name) {
        Ok(username) => AuthStep::Credentials(Credentials::CramMd5 { username, challenge, digest }),
        Err(reason) => AuthStep::Refused(reason),
    }
}

fn username(octets: &[u8]) -> Result<String, &'static str> {
    let username = text(octets);
    if username.is_empty() {
        Err("the user name is empty")
    } else if username.chars().any(char::is_control) {
        Err("the user name has control characters in it")
    } else {
        Ok(username)
    }
}

/// UTF-8, as RFC 4616 has it, or else ISO 8859-1, which old clients send all the same.
fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::mem::decode_latin1(octets).into_owned(),
    }
}

fn hexadecimal(digits: &[u8]) -> Option<[u8; DIGEST]> {
    if digits.len() != 2 * DIGEST || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let number = u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const CHALLENGE: &str = "<1896.697170952@postoffice.reston.mci.net>";

    /// A step as one line.
    fn shown(step: &AuthStep) -> String {
        match step {
            AuthStep::Challenge(text) => format!("334 {text}"),
            AuthStep::Credentials(Credentials::Password { username, password }) => {
                format!("{username:?} {:?}", password.expose_secret())
            }
            AuthStep::Credentials(Credentials::CramMd5 { username, challenge, digest }) => {
                format!("{username:?} {challenge} {:032x}", u128::from_be_bytes(*digest))
            }
            AuthStep::Cancelled => "cancelled".to_owned(),
            AuthStep::Malformed(sentence) => format!("501 {sentence}"),
            AuthStep::UnwantedInitialResponse => "501 unwanted".to_owned(),
            AuthStep::Refused(sentence) => format!("535 {sentence}"),
        }
    }

    /// All steps of an exchange; it must end with the last line and not before.
    fn dialogue(mechanism: Mechanism, initial: Option<&str>, lines: &[&str]) -> Vec<String> {
        let (mut exchange, step) = Exchange::begin(mechanism, initial, CHALLENGE.to_owned());
        let mut steps = vec![shown(&step)];
        for line in lines {
            let (next, step) = exchange.take().expect("the exchange has ended").line(line.as_bytes());
            assert_eq!(next.is_some(), matches!(step, AuthStep::Challenge(_)), "{step:?}");
            exchange = next;
            steps.push(shown(&step));
        }
        assert!(exchange.is_none(), "it waits for more after {steps:?}");
        steps
    }

    fn plain_of(response: &[u8]) -> String {
        dialogue(Mechanism::Plain, Some(&BASE64.encode(response)), &[]).remove(0)
    }

    #[test]
    fn mechanisms_have_names_in_any_case() {
        assert_eq!(Mechanism::from_name("plain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::from_name("Login"), Some(Mechanism::Login));
        assert_eq!(Mechanism::from_name("cram-MD5"), Some(Mechanism::CramMd5));
        for unknown in ["", "CRAM", "PLAIN ", "XOAUTH2", "SCRAM-SHA-256"] {
            assert_eq!(Mechanism::from_name(unknown), None, "{unknown}");
        }
        assert_eq!(Mechanism::CramMd5.name(), "CRAM-MD5");
    }

    #[test]
    fn plain_with_initial_response_and_without() {
        // R17. tim, tanstaaftanstaaf: the example of RFC 4616 section 4.
        let response = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm";
        let read = r#""tim" "tanstaaftanstaaf""#;
        assert_eq!(dialogue(Mechanism::Plain, Some(response), &[]), [read]);
        assert_eq!(dialogue(Mechanism::Plain, None, &[response]), ["334 ", read]);
        assert_eq!(dialogue(Mechanism::Plain, Some(""), &[response]), ["334 ", read]);
        assert_eq!(dialogue(Mechanism::Plain, Some(&format!("{response} ")), &[]), [read]);
        assert_eq!(dialogue(Mechanism::Plain, None, &[&format!("{response} \t")]), ["334 ", read]);
    }

    #[test]
    fn plain_acts_for_nobody_else() {
        // R17: the authorization identity is checked.
        assert_eq!(plain_of(b"ups\0ups\0pw"), r#""ups" "pw""#);
        assert_eq!(plain_of(b"root\0ups\0pw"), "535 it wants to act for another user");
        assert_eq!(plain_of(b"UPS\0ups\0pw"), "535 it wants to act for another user");
    }

    #[test]
    fn plain_needs_its_three_fields() {
        let malformed = "501 PLAIN has three fields with NUL between them (RFC 4616)";
        for wrong in ["ups", "ups\0pw", "\0ups\0pw\0", "\0ups\0p\0w", "\0\0\0"] {
            assert_eq!(plain_of(wrong.as_bytes()), malformed, "{wrong:?}");
        }
        assert_eq!(dialogue(Mechanism::Plain, Some("="), &[]), [malformed]);
        assert_eq!(dialogue(Mechanism::Plain, None, &[""]), ["334 ", malformed]);
        assert_eq!(plain_of(b"\0\0pw"), "535 the user name is empty");
        assert_eq!(plain_of(b"\0ups\0"), "535 the password is empty");
    }

    #[test]
    fn names_and_passwords_are_utf8_or_else_latin1_and_names_have_no_control_characters() {
        assert_eq!(plain_of("\0käthe\0süß ".as_bytes()), r#""käthe" "süß ""#);
        assert_eq!(plain_of(b"\0k\xe4the\0s\xfc\xdf"), r#""käthe" "süß""#);
        for control in ["\0a\nb\0pw", "\0a\x7f\0pw", "\0\x1b[2J\0pw", "\0a\u{85}\0pw"] {
            assert_eq!(plain_of(control.as_bytes()), "535 the user name has control characters in it");
        }
    }

    #[test]
    fn login_with_initial_response_and_without() {
        let (username, password) = ("dXBz", "cHc=");
        let prompts = ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", r#""ups" "pw""#];
        assert_eq!(dialogue(Mechanism::Login, None, &[username, password]), prompts);
        assert_eq!(dialogue(Mechanism::Login, Some(username), &[password]), prompts[1..]);
        assert_eq!(BASE64.decode("VXNlcm5hbWU6").unwrap(), b"Username:");
        assert_eq!(BASE64.decode("UGFzc3dvcmQ6").unwrap(), b"Password:");
    }

    #[test]
    fn login_asks_for_the_password_before_it_refuses_a_name() {
        let refused = |why: &str| ["334 UGFzc3dvcmQ6".to_owned(), format!("535 {why}")];
        assert_eq!(dialogue(Mechanism::Login, Some("="), &["cHc="]), refused("the user name is empty"));
        let control = BASE64.encode("a\0b");
        assert_eq!(
            dialogue(Mechanism::Login, Some(&control), &["cHc="]),
            refused("the user name has control characters in it")
        );
        assert_eq!(dialogue(Mechanism::Login, Some("dXBz"), &[""]), refused("the password is empty"));
    }

    #[test]
    fn cram_md5_as_in_its_rfc() {
        // RFC 2195 section 2.
        let prompt = "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
        let answer = "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw";
        let read = format!(r#""tim" {CHALLENGE} b913a602c7eda7a495b4e6e7334d3890"#);
        assert_eq!(dialogue(Mechanism::CramMd5, None, &[answer]), [prompt, &read]);
        assert_eq!(dialogue(Mechanism::CramMd5, Some(answer), &[]), ["501 unwanted"]);
        assert_eq!(dialogue(Mechanism::CramMd5, Some("="), &[]), ["501 unwanted"]);
    }

    #[test]
    fn cram_md5_answers_that_are_none() {
        let step = |answer: &str| dialogue(Mechanism::CramMd5, None, &[&BASE64.encode(answer)]).remove(1);
        let digest = "0123456789abcdef0123456789abcdef";
        assert_eq!(step(&format!("a b {digest}")), format!(r#""a b" {CHALLENGE} {digest}"#));
        assert_eq!(step(&format!("a {}", digest.to_uppercase())), format!(r#""a" {CHALLENGE} {digest}"#));
        let malformed = "501 CRAM-MD5 has a user name, a space and 32 hexadecimal digits (RFC 2195)";
        for wrong in [
            String::new(),
            digest.to_owned(),
            format!("a{digest}"),
            format!("a {digest}0"),
            format!("a {}", &digest[1..]),
            format!("a +{}", &digest[1..]),
            format!("a g{}", &digest[1..]),
            format!("a {digest} "),
        ] {
            assert_eq!(step(&wrong), malformed, "{wrong:?}");
        }
        assert_eq!(step(&format!(" {digest}")), "535 the user name is empty");
        assert_eq!(step(&format!("a\0 {digest}")), "535 the user name has control characters in it");
    }

    #[test]
    fn a_star_cancels_at_every_line_and_is_no_initial_response() {
        // R17
        assert_eq!(dialogue(Mechanism::Plain, None, &["*"])[1], "cancelled");
        assert_eq!(dialogue(Mechanism::Login, None, &["*"])[1], "cancelled");
        assert_eq!(dialogue(Mechanism::Login, None, &["dXBz", "* "])[2], "cancelled");
        assert_eq!(dialogue(Mechanism::CramMd5, None, &["*"])[1], "cancelled");
        assert_eq!(dialogue(Mechanism::Plain, Some("*"), &[]), ["501 this is not base64"]);
        assert_eq!(dialogue(Mechanism::Plain, None, &["**"])[1], "501 this is not base64");
    }

    #[test]
    fn base64_is_exact_but_for_missing_padding() {
        // R17. `cHc=` is `pw`.
        let password = |line: &str| dialogue(Mechanism::Login, Some("dXBz"), &[line]).remove(1);
        for good in ["cHc=", "cHc", "cHc= "] {
            assert_eq!(password(good), r#""ups" "pw""#, "{good}");
        }
        for bad in
            ["=", "cHc==", "cHd=", "c", "cH=c", "cHc=cHc=", " cHc=", "cH c=", "c-_=", "cHc\0", "ü", "cHc=*"]
        {
            assert_eq!(password(bad), "501 this is not base64", "{bad:?}");
        }
        assert_eq!(dialogue(Mechanism::Login, None, &["?"]), ["334 VXNlcm5hbWU6", "501 this is not base64"]);
        assert_eq!(dialogue(Mechanism::Login, Some("?"), &[]), ["501 this is not base64"]);
    }

    fn mechanism() -> impl Strategy<Value = Mechanism> {
        prop_oneof![Just(Mechanism::Plain), Just(Mechanism::Login), Just(Mechanism::CramMd5)]
    }

    /// Octets as they are, or in base64, so that some get past it.
    fn client_line() -> impl Strategy<Value = Vec<u8>> {
        let octets = || proptest::collection::vec(any::<u8>(), 0..80);
        prop_oneof![octets(), octets().prop_map(|octets| BASE64.encode(octets).into_bytes())]
    }

    proptest! {
        #[test]
        fn any_octets_end_within_two_lines_and_never_panic(
            mechanism in mechanism(),
            initial in proptest::option::of(prop_oneof![any::<String>(), "[A-Za-z0-9+/=]{0,40}"]),
            lines in [client_line(), client_line()],
        ) {
            let (mut exchange, _) = Exchange::begin(mechanism, initial.as_deref(), CHALLENGE.to_owned());
            for line in lines {
                exchange = exchange.and_then(|exchange| exchange.line(&line).0);
            }
            prop_assert!(exchange.is_none());
        }

        #[test]
        fn no_debug_shows_a_secret(password in "[a-z0-9]{12,20}") {
            let plain = BASE64.encode(format!("\0ups\0{password}"));
            let (_, step) = Exchange::begin(Mechanism::Plain, Some(&plain), String::new());
            let (waiting, _) = Exchange::begin(Mechanism::Login, Some("dXBz"), String::new());
            let login = waiting.unwrap().line(BASE64.encode(&password).as_bytes());
            let all = format!("{step:?} {login:?}");
            prop_assert_eq!(all.matches("username: \"ups\"").count(), 2);
            prop_assert!(!all.contains(&password) && !all.contains(&plain), "{}", all);
        }

        #[test]
        fn no_debug_shows_a_digest(digest in any::<u128>()) {
            let (waiting, _) = Exchange::begin(Mechanism::CramMd5, None, CHALLENGE.to_owned());
            let (_, step) = waiting.unwrap().line(BASE64.encode(format!("ups {digest:032x}")).as_bytes());
            prop_assert_eq!(format!("{step:?}"), "Credentials(CramMd5 { username: \"ups\", .. })");
        }
    }
}
