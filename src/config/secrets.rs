//! Passwords and keys: never in the configuration itself, but in a file that others cannot read,
//! an environment variable, or a systemd credential. No message here shows one.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::reader::Value;
use super::values;
use crate::model::Secret;

/// Most octets of a secret.
const MAX_SECRET: u64 = 4096;
/// Most octets of a file with a private key; certificates may stand in it, too.
const MAX_KEY: u64 = 1 << 20;
/// Mode bits by which anybody may read or write.
const OTHERS: u32 = 0o006;
/// Where systemd puts credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Said where a secret stands in the configuration itself, or nothing that names one.
const ADVICE: &str =
    "write where it is: { file = \"PATH\" }, { env = \"NAME\" } or { credential = \"NAME\" }";

/// The secret that `{ file = }`, `{ env = }` or `{ credential = }` leads to.
pub(super) fn secret(value: &Value) -> Option<Secret> {
    secret_or(value, "not looked up")
}

/// The same; `stand_in` takes its place where secrets are left alone.
pub(super) fn secret_or(value: &Value, stand_in: &str) -> Option<Secret> {
    if !matches!(value.item.get_ref(), DeValue::Table(_)) {
        return value.fail(format!("`{}` is a secret and does not belong here; {ADVICE}", value.name));
    }
    let section = value.section()?;
    let sources = ["file", "env", "credential"].map(|key| section.value(key));
    let mut given = sources.into_iter().flatten();
    let (Some(source), None) = (given.next(), given.next()) else {
        return value.fail(format!("`{}` needs exactly one source; {ADVICE}", value.name));
    };
    let found = match source.name {
        _ if value.reader.leaves_secrets() => values::text(&source).map(|_| Ok(Secret::from(stand_in)))?,
        "file" => file(&values::path(&source)?, true),
        "env" => environment(&values::text(&source)?),
        _ => {
            let directory = std::env::var_os(CREDENTIALS_DIRECTORY);
            credential(directory.as_deref().map(Path::new), &values::text(&source)?)
        }
    };
    found.map_or_else(|text| source.fail(text), Some)
}

/// A private key in PEM form, from `"PATH"`, `{ file = }` or `{ credential = }`, with the name of its
/// file.
pub(super) fn private_key(value: &Value) -> Option<(PathBuf, Vec<u8>)> {
    let (source, path, guarded) = if let DeValue::Table(_) = value.item.get_ref() {
        let section = value.section()?;
        let sources = (section.value("file"), section.value("credential"));
        match sources {
            (Some(file), None) => (file.clone(), values::path(&file)?, true),
            (None, Some(name)) => {
                let directory = std::env::var_os(CREDENTIALS_DIRECTORY);
                let path = in_credentials(directory.as_deref().map(Path::new), &values::text(&name)?);
                match path {
                    Ok(path) => (name, path, false),
                    Err(text) => return name.fail(text),
                }
            }
            (Some(_), Some(_)) | (None, None) => {
                let advice = "write key = \"PATH\" or key = { credential = \"NAME\" }";
                return value.fail(format!("`{}` needs exactly one source; {advice}", value.name));
            }
        }
    } else {
        (value.clone(), values::path(value)?, true)
    };
    match octets(&path, guarded, "private key", MAX_KEY) {
        Ok(content) if content.len() as u64 <= MAX_KEY => Some((path, content)),
        Ok(_) => source.fail(format!("`{}` is over 1 MiB; that is not a key", path.display())),
        Err(text) => source.fail(text),
    }
}

/// That a file with a private key in it is open to every user, if it is.
pub(super) fn open_key(path: &Path) -> Option<String> {
    octets(path, true, "private key", 0).err()
}

/// The content of a file. A file of the operator's must not be open to others; what systemd puts
/// into its own directory is guarded by that directory.
fn file(path: &Path, guarded: bool) -> Result<Secret, String> {
    let content = octets(path, guarded, "secret", MAX_SECRET)?;
    let shown = path.display();
    let text =
        String::from_utf8(content).map_err(|_| format!("the secret in `{shown}` is not UTF-8 text"))?;
    checked(&text, &format!("`{shown}`"))
}

/// The first `most` octets of a file and one more where there is one; `what` it holds, for errors.
fn octets(path: &Path, guarded: bool, what: &str, most: u64) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("the {what} in `{shown}` cannot be read: {error}");
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("`{shown}` is not a file"));
    }
    let mut opened = std::fs::File::open(path).map_err(failed)?;
    let mode = opened.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if guarded && mode & OTHERS != 0 {
        return Err(format!(
            "the {what} in `{shown}` is open to every user of this machine (mode {mode:04o}); run: chmod 0600 {shown}"
        ));
    }
    let mut content = Vec::new();
    opened.by_ref().take(most + 1).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

fn environment(name: &str) -> Result<Secret, String> {
    let shown = name.escape_debug();
    match std::env::var(name) {
        Ok(text) => checked(&text, &format!("environment variable `{shown}`")),
        Err(std::env::VarError::NotPresent) => Err(format!("environment variable `{shown}` is not set")),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("the secret in environment variable `{shown}` is not UTF-8 text"))
        }
    }
}

fn credential(directory: Option<&Path>, name: &str) -> Result<Secret, String> {
    file(&in_credentials(directory, name)?, false)
}

fn in_credentials(directory: Option<&Path>, name: &str) -> Result<PathBuf, String> {
    let shown = name.escape_debug();
    if name.contains('/') || name.starts_with('.') {
        return Err(format!("`{shown}` is not the name of a credential; it has no path"));
    }
    let Some(directory) = directory else {
        return Err(format!(
            "there are no credentials: {CREDENTIALS_DIRECTORY} is not set; give the service \
             LoadCredential={shown}:PATH, or use a file"
        ));
    };
    Ok(directory.join(name))
}

/// One line of text, its line end cut off. An API key or password with another line in it would
/// break the header that carries it.
fn checked(text: &str, place: &str) -> Result<Secret, String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(format!("the secret in {place} is empty"));
    }
    if text.len() as u64 > MAX_SECRET {
        return Err(format!(
            "the secret in {place} is over {MAX_SECRET} octets; that is not a key or password"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("the secret in {place} has more than one line, or control characters"));
    }
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(result: Result<Secret, String>) -> Result<String, String> {
        result.map(|secret| secret.expose_secret().to_owned())
    }

    fn written(directory: &Path, content: &[u8], mode: u32) -> std::path::PathBuf {
        let path = directory.join("key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_gives_its_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let of = |content: &[u8]| {
            let path = written(directory.path(), content, 0o640);
            read(file(&path, true)).map_err(|text| text.replace(&path.display().to_string(), "KEY"))
        };
        assert_eq!(of(b"hunter2"), Ok("hunter2".to_owned()));
        assert_eq!(of(b"hunter2\r\n"), Ok("hunter2".to_owned()));
        assert_eq!(of(b" a b \n"), Ok(" a b ".to_owned()));
        assert_eq!(of(b"\n"), Err("the secret in `KEY` is empty".to_owned()));
        assert_eq!(
            of(b"a\nb\n"),
            Err("the secret in `KEY` has more than one line, or control characters".to_owned())
        );
        assert_eq!(of(b"\xff"), Err("the secret in `KEY` is not UTF-8 text".to_owned()));
        assert!(of(&[b'a'; 4096]).is_ok());
        assert_eq!(
            of(&[b'a'; 4097]),
            Err("the secret in `KEY` is over 4096 octets; that is not a key or password".to_owned())
        );
    }

    #[test]
    fn a_file_open_to_others_is_refused_and_one_for_the_group_is_not() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, good) in [(0o600, true), (0o640, true), (0o604, false), (0o602, false)] {
            let path = written(directory.path(), b"hunter2", mode);
            assert_eq!(file(&path, true).is_ok(), good, "{mode:o}");
        }
        assert_eq!(
            read(file(directory.path(), true)),
            Err(format!("`{}` is not a file", directory.path().display()))
        );
    }

    #[test]
    fn a_credential_is_a_file_that_systemd_guards() {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path(), b"hunter2\n", 0o444);
        assert_eq!(read(credential(Some(directory.path()), "key")), Ok("hunter2".to_owned()));
        for name in ["../key", ".", "a/b"] {
            assert!(credential(Some(directory.path()), name).is_err(), "{name}");
        }
        assert!(credential(None, "key").unwrap_err().contains("LoadCredential=key:PATH"));
    }

    #[test]
    fn an_environment_variable_is_read_or_named() {
        assert_eq!(read(environment("CARGO_PKG_NAME")), Ok("sms-relay".to_owned()));
        assert_eq!(
            read(environment("SMS_RELAY_NO_SUCH")),
            Err("environment variable `SMS_RELAY_NO_SUCH` is not set".to_owned())
        );
    }
}
