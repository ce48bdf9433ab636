//! Exchanges behind `AUTH`.

use secrecy::ExposeSecret as _;
use sms_relay::smtp::auth::{AuthStep, Credentials, Exchange, Mechanism};

const CHALLENGE: &str = "<1896.697170952@relay.test>";
/// A secret of this many octets does not stand in a text by chance.
const SECRET_OCTETS: usize = 12;

/// The first line is what follows `AUTH`, the others are what the client answers. The exchange ends with
/// the line that it must end with and with the outcome that a plain second reader finds; an asterisk
/// ends each; spaces behind a line mean nothing; and nothing but the credentials themselves holds the
/// secret.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let mut lines = input.split(|&octet| octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let Some(Ok(first)) = lines.next().map(str::from_utf8) else { return };
    let (name, initial) = match first.split_once(' ') {
        Some((name, initial)) => (name, Some(initial)),
        None => (first, None),
    };
    let Some(mechanism) = Mechanism::from_name(name) else { return };
    let lines: Vec<&[u8]> = lines.collect();
    let outcome = hold(mechanism, initial, &lines);
    assert_eq!(outcome, expected(mechanism, initial, &lines), "{mechanism:?}");
    let spaced: Vec<Vec<u8>> = lines.iter().map(|line| [line, &b" \t"[..]].concat()).collect();
    let spaced: Vec<&[u8]> = spaced.iter().map(Vec::as_slice).collect();
    assert_eq!(hold(mechanism, initial, &spaced), outcome, "spaces behind the lines of {mechanism:?}");
}

/// How an exchange ended, and after how many lines.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Unfinished,
    Password { username: String, password: String, lines: usize },
    Digest { username: String, digest: String, lines: usize },
    Cancelled { lines: usize },
    Malformed { lines: usize },
    Unwanted,
    Refused { lines: usize },
}

fn hold(mechanism: Mechanism, initial: Option<&str>, lines: &[&[u8]]) -> Outcome {
    let (mut exchange, mut step) = Exchange::begin(mechanism, initial, CHALLENGE.to_owned());
    let mut used = 0;
    loop {
        let shown = format!("{exchange:?} {step:?}");
        assert_eq!(exchange.is_some(), matches!(step, AuthStep::Challenge(_)), "{shown}");
        let outcome = match step {
            AuthStep::Challenge(text) => {
                assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)), "{text:?}");
                None
            }
            AuthStep::Credentials(Credentials::Password { username, password }) => {
                let password = password.expose_secret().to_owned();
                check_silence(&shown, &username, &password);
                Some(Outcome::Password { username, password, lines: used })
            }
            AuthStep::Credentials(Credentials::CramMd5 { username, challenge, digest }) => {
                assert_eq!(challenge, CHALLENGE);
                let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
                check_silence(&shown, &username, &digest);
                Some(Outcome::Digest { username, digest, lines: used })
            }
            AuthStep::Cancelled => Some(Outcome::Cancelled { lines: used }),
            AuthStep::Malformed(_) => Some(Outcome::Malformed { lines: used }),
            AuthStep::UnwantedInitialResponse => Some(Outcome::Unwanted),
            AuthStep::Refused(_) => Some(Outcome::Refused { lines: used }),
        };
        if let Some(outcome) = outcome {
            return outcome;
        }
        let (Some(waiting), Some(line)) = (exchange, lines.get(used)) else { return Outcome::Unfinished };
        let (cancelled, last) = Exchange::begin(mechanism, None, CHALLENGE.to_owned())
            .0
            .map(|waiting| waiting.line(b"*"))
            .unwrap_or_else(|| panic!("{mechanism:?} waits for nothing"));
        assert!(cancelled.is_none() && matches!(last, AuthStep::Cancelled), "{last:?}");
        used += 1;
        (exchange, step) = waiting.line(line);
    }
}

fn check_silence(shown: &str, username: &str, secret: &str) {
    let told = secret.len() >= SECRET_OCTETS && !username.contains(secret) && shown.contains(secret);
    assert!(!told, "{secret:?} stands in {shown}");
}

/// What must come of it, by RFC 4616, RFC 2195 and the habit of LOGIN.
fn expected(mechanism: Mechanism, initial: Option<&str>, lines: &[&[u8]]) -> Outcome {
    let initial = initial.map(str::trim_end).filter(|initial| !initial.is_empty());
    if mechanism == Mechanism::CramMd5 && initial.is_some() {
        return Outcome::Unwanted;
    }
    let wanted = if mechanism == Mechanism::Login { 2 } else { 1 };
    let mut answers = Vec::new();
    let mut used = 0;
    if let Some(initial) = initial {
        match if initial == "=" { Some(Vec::new()) } else { base64(initial.as_bytes()) } {
            Some(answer) => answers.push(answer),
            None => return Outcome::Malformed { lines: 0 },
        }
    }
    while answers.len() < wanted {
        let Some(line) = lines.get(used) else { return Outcome::Unfinished };
        used += 1;
        let line = line.trim_ascii_end();
        if line == b"*" {
            return Outcome::Cancelled { lines: used };
        }
        match base64(line) {
            Some(answer) => answers.push(answer),
            None => return Outcome::Malformed { lines: used },
        }
    }
    match mechanism {
        Mechanism::Plain => plain(&answers[0], used),
        Mechanism::Login => password(&answers[0], &answers[1], used),
        Mechanism::CramMd5 => digest(&answers[0], used),
    }
}

fn plain(answer: &[u8], lines: usize) -> Outcome {
    let fields: Vec<&[u8]> = answer.split(|&octet| octet == 0).collect();
    match fields[..] {
        [authorized, user, secret] if authorized.is_empty() || authorized == user => {
            password(user, secret, lines)
        }
        [_, _, _] => Outcome::Refused { lines },
        _ => Outcome::Malformed { lines },
    }
}

fn password(user: &[u8], secret: &[u8], lines: usize) -> Outcome {
    match username(user) {
        Some(username) if !secret.is_empty() => Outcome::Password { username, password: text(secret), lines },
        _ => Outcome::Refused { lines },
    }
}

fn digest(answer: &[u8], lines: usize) -> Outcome {
    let Some(space) = answer.iter().rposition(|&octet| octet == b' ') else {
        return Outcome::Malformed { lines };
    };
    let (user, digits) = (&answer[..space], &answer[space + 1..]);
    if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Outcome::Malformed { lines };
    }
    let digest = text(digits).to_ascii_lowercase();
    username(user).map_or(Outcome::Refused { lines }, |username| Outcome::Digest { username, digest, lines })
}

fn username(octets: &[u8]) -> Option<String> {
    Some(text(octets)).filter(|name| !name.is_empty() && !name.chars().any(char::is_control))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap_or_else(|_| octets.iter().copied().map(char::from).collect())
}

/// RFC 4648 section 4, octet by octet; padding may be missing.
fn base64(line: &[u8]) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let length = line.iter().position(|&octet| octet == b'=').unwrap_or(line.len());
    let (symbols, padding) = line.split_at(length);
    let most = [0, 0, 2, 1][symbols.len() % 4];
    if symbols.len() % 4 == 1 || padding.len() > most || padding.iter().any(|&octet| octet != b'=') {
        return None;
    }
    let (mut decoded, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for symbol in symbols {
        let value = ALPHABET.iter().position(|one| one == symbol)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push(u8::try_from(bits >> held).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(decoded)
}
