//! The program as a child process, with its log read as JSON.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::PATIENCE;

/// A running relay. Killed when dropped.
pub struct Relay {
    child: Child,
    log: Arc<Log>,
    pub smtp: SocketAddr,
    pub http: SocketAddr,
}

#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<Value>, bool)>,
    grown: Condvar,
}

impl Relay {
    /// Starts the program and waits until it is ready.
    pub fn start(config: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_under(&[], config, environment)
    }

    /// The same by way of another program, whose arguments end with the relay's own.
    pub fn start_under(wrapper: &[&str], config: &Path, environment: &[(&str, &str)]) -> Self {
        let relay = Self::listening(Self::spawn(wrapper, config, environment));
        relay.wait_for_log("ready", |line| line["message"] == "ready");
        relay
    }

    /// Starts the program and waits until its doors are open; it may not be ready yet.
    pub fn start_until_listening(config: &Path, environment: &[(&str, &str)]) -> Self {
        Self::listening(Self::spawn(&[], config, environment))
    }

    /// The same for a start that may end before its doors are open, as at a crash point: `Err` where it did.
    pub fn start_unless_it_ends(config: &Path, environment: &[(&str, &str)]) -> Result<Self, ExitStatus> {
        let mut relay = Self::nowhere(Self::spawn(&[], config, environment));
        if ["mail", "forms"].iter().all(|listener| relay.wait_for_log_or_end(is_open(listener))) {
            relay.find_doors();
            Ok(relay)
        } else {
            Err(relay.wait_for_end())
        }
    }

    fn nowhere((child, log): (Child, Arc<Log>)) -> Self {
        let nowhere: SocketAddr = ([0, 0, 0, 0], 0).into();
        Self { child, log, smtp: nowhere, http: nowhere }
    }

    fn listening(spawned: (Child, Arc<Log>)) -> Self {
        let mut relay = Self::nowhere(spawned);
        for listener in ["mail", "forms"] {
            relay.wait_for_log("listening", is_open(listener));
        }
        relay.find_doors();
        relay
    }

    fn find_doors(&mut self) {
        let address = |listener: &str| -> SocketAddr {
            self.find_log(is_open(listener)).unwrap()["address"].as_str().unwrap().parse().unwrap()
        };
        (self.smtp, self.http) = (address("mail"), address("forms"));
    }

    /// Starts the program and waits for its end: for starts that must fail, and for crash points
    /// that strike before it is ready.
    pub fn start_and_end(config: &Path, environment: &[(&str, &str)]) -> (ExitStatus, Vec<Value>) {
        let relay = Self::nowhere(Self::spawn(&[], config, environment));
        let log = Arc::clone(&relay.log);
        let status = relay.wait_for_end();
        let lines = log.lines.lock().unwrap().0.clone();
        (status, lines)
    }

    fn spawn(wrapper: &[&str], config: &Path, environment: &[(&str, &str)]) -> (Child, Arc<Log>) {
        let words = [wrapper, &[env!("CARGO_BIN_EXE_sms-relay"), "run", "--config"]].concat();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .arg(config)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Log::default());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let reader = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                reader.lines.lock().unwrap().0.push(line);
                reader.grown.notify_all();
            }
            reader.lines.lock().unwrap().1 = true;
            reader.grown.notify_all();
        });
        (child, log)
    }

    /// The log lines so far.
    pub fn log(&self) -> Vec<Value> {
        self.log.lines.lock().unwrap().0.clone()
    }

    pub fn find_log(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        self.log().into_iter().find(wanted)
    }

    /// Waits for a line. Panics with the whole log when the program ends or patience does first.
    pub fn wait_for_log(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.log.wait(|lines, ended| ended || lines.iter().any(&wanted));
        self.find_log(wanted).unwrap_or_else(|| {
            let lines: Vec<String> = self.log().iter().map(ToString::to_string).collect();
            panic!("no log line `{what}` in:\n{}", lines.join("\n"))
        })
    }

    /// Whether the program has ended.
    pub fn has_ended(&self) -> bool {
        self.log.lines.lock().unwrap().1
    }

    /// Waits for a line; `false` when the program ends before there is one. Panics when patience ends first.
    pub fn wait_for_log_or_end(&self, wanted: impl Fn(&Value) -> bool) -> bool {
        self.log.wait(|lines, ended| ended || lines.iter().any(&wanted));
        let (lines, ended) = &*self.log.lines.lock().unwrap();
        let found = lines.iter().any(&wanted);
        assert!(found || *ended, "neither the line nor the end; the last line: {:?}", lines.last());
        found
    }

    /// Reads the log from its beginning, each line once, until `done` says so. For what is gathered
    /// from many lines. Panics when the program ends or patience does first.
    pub fn follow_log(&self, what: &str, mut done: impl FnMut(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut read = 0;
        let mut held = self.log.lines.lock().unwrap();
        loop {
            let (lines, ended) = &*held;
            if lines[read..].iter().any(&mut done) {
                return;
            }
            read = lines.len();
            let left = deadline.checked_duration_since(Instant::now());
            let Some(left) = left.filter(|_| !ended) else {
                let last: Vec<String> = lines.iter().rev().take(20).map(ToString::to_string).collect();
                drop(held);
                panic!("{what}: not in the log; its last lines, the newest first:\n{}", last.join("\n"));
            };
            held = self.log.grown.wait_timeout(held, left).unwrap().0;
        }
    }

    /// Waits for a line with these words as its message.
    pub fn wait_for_message(&self, message: &str) -> Value {
        self.wait_for_log(message, |line| line["message"] == message)
    }

    /// Waits for the next line with these words, after the first `seen` lines of the log.
    pub fn wait_for_next(&self, seen: usize, message: &str) -> Value {
        let next = |lines: &[Value]| lines.iter().skip(seen).find(|line| line["message"] == message).cloned();
        self.log.wait(|lines, ended| ended || next(lines).is_some());
        next(&self.log()).unwrap_or_else(|| panic!("no further log line `{message}`"))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// SIGKILL, as a power cut would end it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().unwrap()
    }

    /// Waits until it has ended by itself, as at a crash point. Panics when it does not.
    pub fn wait_for_end(mut self) -> ExitStatus {
        self.log.wait(|_, ended| ended);
        let (last, ended) = {
            let held = self.log.lines.lock().unwrap();
            (held.0.last().map(ToString::to_string), held.1)
        };
        assert!(ended, "it goes on; its last line: {last:?}");
        self.child.wait().unwrap()
    }
}

/// Whether it is the line of the log that says that a door is open.
fn is_open(listener: &str) -> impl Fn(&Value) -> bool {
    move |line| line["message"] == "listening" && line["listener"] == listener
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    /// Waits until `done`, at most for [`PATIENCE`].
    fn wait(&self, done: impl Fn(&[Value], bool) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut held = self.lines.lock().unwrap();
        while !done(&held.0, held.1) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            held = self.grown.wait_timeout(held, left).unwrap().0;
        }
    }
}
