//! Clients: a plain SMTP one for floods, and the programs that nobody here wrote.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use super::PATIENCE;

/// A blocking SMTP client. A broken connection shows as `None`.
pub struct Smtp {
    write: TcpStream,
    read: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects and greets.
    pub fn connect(relay: SocketAddr) -> Option<Self> {
        let write = TcpStream::connect(relay).ok()?;
        write.set_read_timeout(Some(PATIENCE)).ok()?;
        let read = BufReader::new(write.try_clone().ok()?);
        let mut smtp = Self { write, read };
        smtp.reply()?;
        smtp.command("EHLO client.test")?;
        Some(smtp)
    }

    /// Sends a line and returns the last line of the reply.
    pub fn command(&mut self, line: &str) -> Option<String> {
        self.write.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        self.reply()
    }

    /// The last line of the next reply, to nothing that was said.
    pub fn wait_for_reply(&mut self) -> Option<String> {
        self.reply()
    }

    fn reply(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.read.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Some(line.trim_end().to_owned());
            }
        }
    }

    /// One whole mail. Returns the reply to the final dot, or to the command that was refused.
    pub fn mail(&mut self, from: &str, to: &str, mail: &str) -> Option<String> {
        for command in [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>"), "DATA".to_owned()] {
            let reply = self.command(&command)?;
            if !reply.starts_with(['2', '3']) {
                return Some(reply);
            }
        }
        self.command(&format!("{mail}\r\n."))
    }

    /// The id in `250 2.0.0 queued as ID`.
    pub fn queued(reply: &str) -> String {
        let id = reply.strip_prefix("250 2.0.0 queued as ");
        id.unwrap_or_else(|| panic!("not queued: {reply}")).to_owned()
    }
}

/// Whether a program is installed. Where it is not, the test says so and skips itself; in CI, where
/// nothing may be skipped, it fails.
pub fn tool(name: &str) -> bool {
    let there =
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    given(there, &format!("{name} is not installed"))
}

/// Whether what a test needs is there. Where it is not, the test says with `otherwise` why it skips
/// itself, and fails in CI.
pub fn given(there: bool, otherwise: &str) -> bool {
    assert!(there || std::env::var_os("SMS_RELAY_TESTS_SKIP_NOTHING").is_none(), "{otherwise}");
    if !there {
        println!("skipped: {otherwise}");
    }
    there
}

/// Runs a program to its end and returns its exit code and everything that it printed. One that
/// waits for a person is ended after a minute, with code 124.
pub fn run(name: &str, arguments: &[&str]) -> (Option<i32>, String) {
    run_fed(name, arguments, "")
}

/// The same with `input` on its standard input.
pub fn run_fed(name: &str, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    run_within(60, name, arguments, input)
}

/// The same for one that takes longer by itself: it is ended after so many seconds.
pub fn run_within(seconds: u32, name: &str, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = Command::new("timeout");
    command.args([&seconds.to_string(), name]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that ends without reading all of it says why with its code.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&printed).into_owned())
}
