//! Python as a client: its SMTP library, and whatever else a test lets it do.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::json;

/// Runs a script with `input` on its standard input and returns what it prints. Panics with its own
/// words when it fails.
pub fn python(script: &str, input: &str) -> String {
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Command by command, so that every reply is seen; stops at the first that ends the mail.
const DIALOGUE: &str = r#"
import json, smtplib, sys
order = json.load(sys.stdin)
replies = []
def reply(answer):
    code, text = answer
    replies.append(f"{code} {text.decode()}")
    return code < 400
with smtplib.SMTP(order["host"], order["port"], timeout=60) as smtp:
    smtp.ehlo("printer.test")
    if reply(smtp.mail(order["from"], order["options"])):
        taken = [reply(smtp.rcpt(to, options)) for to, options in order["to"]]
        if any(taken):
            try:
                reply(smtp.data(order["mail"].replace("\n", "\r\n").encode()))
            except smtplib.SMTPDataError as error:
                reply((error.smtp_code, error.smtp_error))
print(json.dumps(replies))
"#;

/// One mail, sent with Python's `smtplib`.
pub struct Mail<'a> {
    pub from: &'a str,
    /// Parameters of MAIL.
    pub options: &'a [&'a str],
    /// Recipients, each with its parameters of RCPT.
    pub to: &'a [(&'a str, &'a [&'a str])],
    /// The mail with LF line ends.
    pub mail: &'a str,
}

impl<'a> Mail<'a> {
    /// A plain one to one recipient.
    pub fn new(from: &'a str, to: &'a (&'a str, &'a [&'a str]), mail: &'a str) -> Self {
        Self { from, options: &[], to: std::slice::from_ref(to), mail }
    }

    /// Every reply to MAIL, RCPT and DATA.
    pub fn replies(&self, relay: SocketAddr) -> Vec<String> {
        let order = json!({
            "host": relay.ip().to_string(),
            "port": relay.port(),
            "from": self.from,
            "options": self.options,
            "to": self.to,
            "mail": self.mail,
        });
        serde_json::from_str(&python(DIALOGUE, &order.to_string())).unwrap()
    }

    /// The id under which it was queued.
    pub fn send(&self, relay: SocketAddr) -> String {
        let replies = self.replies(relay);
        super::Smtp::queued(replies.last().map_or("", String::as_str))
    }
}
