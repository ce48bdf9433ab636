//! `sms-relay hash-password`: the hash of a password or an API key, for an account of a door.
//!
//! The password never is an argument, which every user of the machine could read in the list of
//! processes.

use std::io::{self, BufRead, IsTerminal, Write};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use secrecy::ExposeSecret;

use super::Exit;
use crate::credential::{ApiKeyError, ApiKeyHash, PasswordError, PasswordHash};
use crate::model::{Secret, same_secret};

pub(super) const LONG_ABOUT: &str = "\
Makes the hash of a password or an API key for an account.

On a terminal it asks for the password twice and does not show it; otherwise it reads the first line of \
standard input. It prints the hash alone (argon2id, as a PHC \
string), or that of an API key (sha256:HEX), which has to be long and made by chance: `openssl rand -hex 16`.";
pub(super) const EXAMPLE: &str = "Example:\n  sms-relay hash-password > ups.hash && chmod 600 ups.hash";

/// Options of `hash-password`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// An API key, for `api_key_hash` of an account of the HTTP door.
    #[arg(long)]
    api_key: bool,
}

/// What is hashed, and how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Password,
    ApiKey,
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the password cannot be read: {0}")]
    Read(io::Error),
    #[error("the password is not UTF-8 text")]
    NotUtf8,
    #[error("the two passwords differ; nothing was made")]
    Differ,
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    #[error("there are no random numbers for the salt: {0}")]
    Salt(argon2::password_hash::rand_core::Error),
    #[error("the hash cannot be written: {0}")]
    Write(io::Error),
}

pub(super) fn hash_password(options: &Options) -> Exit {
    match make(if options.api_key { What::ApiKey } else { What::Password }) {
        Ok(()) => Exit::Fine,
        Err(failure) => {
            eprintln!("sms-relay: {failure}");
            match failure {
                Failure::NotUtf8 | Failure::Differ | Failure::Password(_) | Failure::ApiKey(_) => Exit::Data,
                Failure::Read(error) | Failure::Write(error) => Exit::of(&error),
                Failure::Salt(_) => Exit::Unavailable,
            }
        }
    }
}

fn make(what: What) -> Result<(), Failure> {
    let stdin = io::stdin();
    let secret = if stdin.is_terminal() { asked_twice(what)? } else { first_line(stdin.lock())? };
    let hash = match what {
        What::ApiKey => ApiKeyHash::new(&secret)?.to_string(),
        What::Password => {
            let mut salt = [0; 16];
            OsRng.try_fill_bytes(&mut salt).map_err(Failure::Salt)?;
            PasswordHash::new(&secret, salt)?.as_str().to_owned()
        }
    };
    // Not println!, which panics on a full disk.
    let mut stdout = io::stdout();
    writeln!(stdout, "{hash}").and_then(|()| stdout.flush()).map_err(Failure::Write)
}

/// From the terminal, where the questions go too: standard output may be a file.
fn asked_twice(what: What) -> Result<Secret, Failure> {
    let ask = |question: &str| rpassword::prompt_password(question).map(Secret::from).map_err(Failure::Read);
    let password = ask(match what {
        What::Password => "Password: ",
        What::ApiKey => "API key: ",
    })?;
    if password.expose_secret().is_empty() {
        return Err(PasswordError::Empty.into());
    }
    let again = ask("Once more: ")?;
    if same_secret(&password, again.expose_secret()) { Ok(password) } else { Err(Failure::Differ) }
}

/// Up to the first line end, or the end where there is none. Reads little more than a password may have.
fn first_line(input: impl BufRead) -> Result<Secret, Failure> {
    let most = PasswordHash::MAX_PASSWORD + "\r\n".len();
    let mut line = Vec::new();
    input.take(most as u64 + 1).read_until(b'\n', &mut line).map_err(Failure::Read)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Before the text: the cut may be inside a character.
    if line.len() > PasswordHash::MAX_PASSWORD {
        return Err(PasswordError::TooLong.into());
    }
    std::str::from_utf8(line).map(Secret::from).map_err(|_| Failure::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Result<String, String> {
        first_line(input)
            .map(|password| password.expose_secret().to_owned())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_first_line_is_the_password_whatever_ends_it() {
        assert_eq!(read(b"hunter2"), Ok("hunter2".to_owned()));
        assert_eq!(read(b"hunter2\n"), Ok("hunter2".to_owned()));
        assert_eq!(read(b"hunter2\r\nuser: ups\n"), Ok("hunter2".to_owned()));
        assert_eq!(read(" süß \n".as_bytes()), Ok(" süß ".to_owned()));
        assert_eq!(read(b""), Ok(String::new()));
        assert_eq!(read(b"s\xfc\xdf\n"), Err("the password is not UTF-8 text".to_owned()));
    }

    #[test]
    fn a_password_has_1024_octets_and_never_1025() {
        let longest = "ä".repeat(512);
        assert_eq!(read(format!("{longest}\r\n").as_bytes()), Ok(longest.clone()));
        let too_long = Err("the password is over 1024 octets".to_owned());
        assert_eq!(read(format!("{longest}a").as_bytes()), too_long);
        assert_eq!(read(format!("{longest}a\r\n").as_bytes()), too_long);
        assert_eq!(read(&[b'a'; 1 << 20]), too_long);
    }
}
