//! Which octets of a command line are credentials (RFC 4954).

/// Mechanisms that are shown by name. Any other word behind `AUTH` may be a password: a client that
/// leaves the mechanism out sends one there.
const MECHANISMS: [&str; 11] = [
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "NTLM",
    "GSSAPI",
    "XOAUTH2",
    "OAUTHBEARER",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "EXTERNAL",
];
/// Words that end an exchange of credentials.
const VERBS: [&str; 13] = [
    "EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "HELP", "VRFY", "EXPN",
    "STARTTLS",
];

/// Follows the command lines of a connection.
///
/// Behind an `AUTH`, each line that is no command is a secret, whatever the server made of it: a client
/// whose `AUTH` was refused may send its credentials all the same.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// No command has come since `AUTH` or a line of its exchange.
    exchange: bool,
}

/// How much of some octets may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Octets at their start that may be shown; the others are a secret.
    pub(super) octets: usize,
    /// Whether what follows in the same line is a secret.
    pub(super) rest_is_secret: bool,
}

impl Secrets {
    /// A line of an exchange has come.
    pub(super) fn exchange(&mut self) {
        self.exchange = true;
    }

    /// Judges a line, or the first part of one. Bare line ends count, too: who sends only those must
    /// not show its password.
    pub(super) fn line(&mut self, line: &[u8]) -> Shown {
        if let Some(shown) = self.auth_in(line, 0) {
            return shown;
        }
        let verb = word(trimmed(line), |octet| octet.is_ascii_alphabetic());
        if VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known.as_bytes())) {
            self.exchange = false;
        }
        if self.exchange {
            return Shown { octets: 0, rest_is_secret: true };
        }
        undecided(line)
    }

    /// Judges a further part of a line that has shown its first.
    pub(super) fn continued(&mut self, part: &[u8]) -> Shown {
        let first_end = part.iter().position(ends_line).unwrap_or(part.len());
        match self.auth_in(part, first_end) {
            Some(shown) => shown,
            None if first_end == part.len() => Shown { octets: part.len(), rest_is_secret: false },
            None => undecided(part),
        }
    }

    /// The first `AUTH` at the start of a line of `text`, from `from` on.
    fn auth_in(&mut self, text: &[u8], from: usize) -> Option<Shown> {
        let mut start = from;
        while let Some(line) = text.get(start..) {
            let octets = trimmed(line);
            if octets.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH")) {
                self.exchange = true;
                let octets = text.len() - secret_behind_auth(&octets[4..]).len();
                return Some(Shown { octets, rest_is_secret: true });
            }
            start += line.iter().position(ends_line).map_or(line.len(), |at| at) + 1;
        }
        None
    }
}

/// What is behind the mechanism, if it is known, or else behind `AUTH`.
fn secret_behind_auth(rest: &[u8]) -> &[u8] {
    // `AUTH=LOGIN` is how old clients write it.
    let rest = &rest[run(rest, |octet| matches!(octet, b' ' | b'\t' | b'='))..];
    let mechanism = word(rest, |octet| !octet.is_ascii_whitespace());
    if MECHANISMS.iter().any(|known| mechanism.eq_ignore_ascii_case(known.as_bytes())) {
        let rest = &rest[mechanism.len()..];
        &rest[run(rest, |octet| octet.is_ascii_whitespace())..]
    } else {
        rest
    }
}

/// All may be shown, but the last line may yet become an `AUTH`.
fn undecided(text: &[u8]) -> Shown {
    let last = text.rsplit(ends_line).next().unwrap_or_default();
    let verb = trimmed(last);
    let rest_is_secret = verb.len() < 4 && verb.eq_ignore_ascii_case(&b"AUTH"[..verb.len()]);
    Shown { octets: text.len(), rest_is_secret }
}

fn ends_line(octet: &u8) -> bool {
    matches!(octet, b'\r' | b'\n' | b'\0')
}

fn run(octets: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    octets.iter().position(|octet| !belongs(octet)).unwrap_or(octets.len())
}

fn word(octets: &[u8], belongs: impl Fn(&u8) -> bool) -> &[u8] {
    &octets[..run(octets, belongs)]
}

/// Without spaces and control characters in front.
fn trimmed(octets: &[u8]) -> &[u8] {
    &octets[run(octets, |octet| *octet <= b' ')..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines with `*` for each secret octet.
    fn masked(lines: &[&str]) -> Vec<String> {
        let mut secrets = Secrets::default();
        lines
            .iter()
            .map(|line| {
                let shown = secrets.line(line.as_bytes()).octets;
                format!("{}{}", &line[..shown], "*".repeat(line.len() - shown))
            })
            .collect()
    }

    #[test]
    fn an_initial_response_is_a_secret_however_auth_is_written() {
        for (line, shown) in [
            ("AUTH PLAIN c2VjcmV0", "AUTH PLAIN ********"),
            ("auth login c2VjcmV0", "auth login ********"),
            ("  Auth \t PLAIN \t c2VjcmV0 ", "  Auth \t PLAIN \t *********"),
            ("AUTH=LOGIN c2VjcmV0", "AUTH=LOGIN ********"),
            ("\0AUTH PLAIN c2VjcmV0", "\0AUTH PLAIN ********"),
            ("AUTH c2VjcmV0", "AUTH ********"),
            ("AUTHc2VjcmV0", "AUTH********"),
            ("AUTH PLAINc2VjcmV0", "AUTH *************"),
            ("AUTH PLAIN =", "AUTH PLAIN *"),
            ("AUTH PLAIN", "AUTH PLAIN"),
            ("AUTH CRAM-MD5", "AUTH CRAM-MD5"),
            ("EHLO x\nAUTH PLAIN c2VjcmV0\nMAIL", "EHLO x\nAUTH PLAIN *************"),
            ("EHLO x\rAUTH LOGIN\rc2VjcmV0", "EHLO x\rAUTH LOGIN\r********"),
            ("EHLO AUTH PLAIN x", "EHLO AUTH PLAIN x"),
            ("NOOP", "NOOP"),
        ] {
            assert_eq!(masked(&[line]), [shown]);
        }
    }

    #[test]
    fn behind_auth_everything_is_a_secret_until_a_command_comes() {
        let lines = ["EHLO x", "AUTH LOGIN", "dXNlcg==", "c2VjcmV0", "", "mail from:<a@b>", "dXNlcg=="];
        let shown = ["EHLO x", "AUTH LOGIN", "********", "********", "", "mail from:<a@b>", "dXNlcg=="];
        assert_eq!(masked(&lines), shown);
        let mut secrets = Secrets::default();
        secrets.exchange();
        assert_eq!(secrets.line(b"dXNlcg=="), Shown { octets: 0, rest_is_secret: true });
        assert_eq!(secrets.line(b"MAILS x"), Shown { octets: 0, rest_is_secret: true });
        assert_eq!(secrets.line(b"RSET"), Shown { octets: 4, rest_is_secret: false });
    }

    #[test]
    fn a_part_that_may_become_auth_shows_nothing_more() {
        let rest_is_secret = |text: &str| Secrets::default().line(text.as_bytes()).rest_is_secret;
        for text in ["", " ", "AU", "  aut", "AUTH", "AUTH PLAIN", "EHLO x\n", "EHLO x\nA"] {
            assert!(rest_is_secret(text), "{text:?}");
        }
        for text in ["EHLO", "AX", "EHLO x\nQ", "EHLO A"] {
            assert!(!rest_is_secret(text), "{text:?}");
        }
    }

    #[test]
    fn a_further_part_does_not_begin_a_line() {
        let continued = |text: &str| {
            let shown = Secrets::default().continued(text.as_bytes());
            (shown.octets, shown.rest_is_secret)
        };
        assert_eq!(continued("AUTH PLAIN x"), (12, false));
        assert_eq!(continued(""), (0, false));
        assert_eq!(continued("x\nAUTH PLAIN x"), (13, true));
        assert_eq!(continued("x\nAU"), (4, true));
        assert_eq!(continued("x\nQUIT"), (6, false));
    }
}
