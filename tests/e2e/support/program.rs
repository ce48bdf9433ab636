//! A program that is told how each SMS ended: it keeps what it got and answers as it is told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::Value;

use super::{PATIENCE, World, python};

/// One call.
#[derive(Clone, Debug)]
pub struct Told {
    /// `POST /path HTTP/1.1`.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub at: Instant,
}

impl Told {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether the Python of the manual takes it for a call of the relay.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let order = serde_json::json!([secret, self.header("X-SmsRelay-Signature"), self.body]);
        let script = manual_blocks("python").concat() + VERIFY;
        python(&script, &order.to_string()).trim() == "True"
    }
}

/// The manual of the delivery.
pub const MANUAL: &str = include_str!("../../../docs/delivery.md");

/// Its fenced blocks of a language.
pub fn manual_blocks(language: &str) -> Vec<&'static str> {
    let inside = MANUAL.split("```").skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

const VERIFY: &str = "
import json, sys
secret, header, body = json.load(sys.stdin)
print(is_from_relay(secret.encode(), header, body.encode()))
";

/// A running program.
pub struct Program {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Answers that are still to be given (from the status on, with their own headers), and all calls so far.
    state: Mutex<(VecDeque<String>, Vec<Told>)>,
    changed: Condvar,
}

impl Program {
    /// It gives these answers in their order, and 200 ever after.
    pub fn listen(answers: &[u16]) -> Self {
        Self::answering(answers.iter().map(|status| format!("{status} X")))
    }

    /// As [`listen`](Self::listen); each answer is `503 Busy`, with header fields behind it on lines of their own.
    pub fn answering(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        shared.state.lock().unwrap().0.extend(answers);
        let server = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = Arc::clone(&server);
                std::thread::spawn(move || server.serve(stream));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/done?shop=1", self.address)
    }

    /// The calls so far.
    pub fn told(&self) -> Vec<Told> {
        self.shared.state.lock().unwrap().1.clone()
    }

    /// Waits until so many calls have come; all of them.
    pub fn wait_for(&self, calls: usize) -> Vec<Told> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state.lock().unwrap();
        while state.1.len() < calls {
            let left = deadline.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("{} of {calls} calls have come", state.1.len()));
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        state.1.clone()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut write = stream.try_clone().unwrap();
        let mut read = BufReader::new(stream);
        while let Some(told) = Self::read(&mut read) {
            let answer = {
                let mut state = self.state.lock().unwrap();
                state.1.push(told);
                state.0.pop_front().unwrap_or_else(|| "200 X".to_owned())
            };
            self.changed.notify_all();
            let reply = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            if write.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn read(read: &mut impl BufRead) -> Option<Told> {
        let lines: Vec<String> =
            read.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let headers: Vec<(String, String)> = lines
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        // The connection has ended.
        let line = lines.first()?.clone();
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        read.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).unwrap();
        Some(Told { line, headers, body, at: Instant::now() })
    }
}

impl World {
    /// Has the relay tell `program` how the forms of its account ended.
    pub fn tell_program(&mut self, program: &Program) {
        let keys = format!(
            "may_choose_sender = true\ncallback_url = \"http://{}/done\"\ncallback_secret = {{ env = \"PBX_PASSWORD\" }}",
            program.address
        );
        self.otherwise.push(("may_choose_sender = true", keys));
        self.extra.push_str("[telling]\nbackoff = { first = \"1s\", most = \"2s\" }\n\n");
    }
}
