//! What the measurements share: the real program, an API that answers at once, and
//! a mail client, each over real sockets of the loopback interface. All three measure with the same clock.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest wait for anything that is to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The relay as a process of its own, with a new spool on the disk that `target` is on. Killed and
/// removed when dropped.
pub(crate) struct Relay {
    process: Child,
    directory: TempDir,
    /// Its SMTP port.
    pub(crate) smtp: SocketAddr,
    /// Its HTTP port, where it has one.
    pub(crate) http: Option<SocketAddr>,
}

/// What of a configuration differs from one measurement to the next.
pub(crate) struct Wanted<'a> {
    /// Connections of SMTP in all.
    pub(crate) in_all: usize,
    /// The same from one address.
    pub(crate) per_client: usize,
    /// Who is told of failures.
    pub(crate) reports_to: &'a str,
    /// Further sections.
    pub(crate) more: &'a str,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self { in_all: 2000, per_client: 2000, reports_to: "off", more: "" }
    }
}

impl Relay {
    /// Starts it before the API at `api`; the configuration is the default but for what must differ.
    pub(crate) fn start(api: SocketAddr) -> Result<Self> {
        Self::wanted(api, &Wanted::default())
    }

    /// Starts one that takes this many connections in all and from one address.
    pub(crate) fn with_connections(api: SocketAddr, in_all: usize, per_client: usize) -> Result<Self> {
        Self::wanted(api, &Wanted { in_all, per_client, ..Wanted::default() })
    }

    /// Starts one with a configuration that differs. Where `SMS_RELAY` names another program, such as a build of
    /// another day, it is that one which is measured.
    pub(crate) fn wanted(api: SocketAddr, wanted: &Wanted<'_>) -> Result<Self> {
        let Wanted { in_all, per_client, reports_to, more } = wanted;
        let directory = tempfile::Builder::new().prefix("bench").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let allowed: Vec<String> = (1..=9).map(|digit| format!("\"+{digit}\"")).collect();
        let configuration = format!(
            "hostname = \"bench.example.com\"\n\
             [smtp]\nconnections = {in_all}\nconnections_per_client = {per_client}\n\
             [[smtp.listener]]\nname = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
             [routing]\ndomains = [\"sms.local\"]\nallowed = [{}]\n\
             [defaults]\nsender = \"Bench\"\n\
             [spool]\ndirectory = \"spool\"\n\
             [gateway]\nurl = \"http://{api}\"\ncredentials = \"emulator\"\n\
             [reporting]\nto = \"{reports_to}\"\n{more}",
            allowed.join(", ")
        );
        let path = directory.path().join("relay.toml");
        std::fs::write(&path, configuration)?;
        let log = directory.path().join("relay.log");
        let program = std::env::var_os("SMS_RELAY").unwrap_or(env!("CARGO_BIN_EXE_sms-relay").into());
        let process = Command::new(program)
            .args(["run", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut relay = Self { process, directory, smtp: SocketAddr::from(([127, 0, 0, 1], 0)), http: None };
        let lines = relay.wait_until_ready(&log)?;
        relay.smtp = port(&lines, "smtp")?.context("no SMTP port in the log")?;
        relay.http = port(&lines, "http")?;
        Ok(relay)
    }

    /// The log, once it says that the ports are open.
    fn wait_until_ready(&mut self, log: &Path) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let lines = std::fs::read_to_string(log)?;
            if lines.contains(" ready ") {
                return Ok(lines);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the relay ended with {status}: {lines}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the relay was not ready in time")
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as the system would, and leaves its spool alone until this is dropped.
    pub(crate) fn stop(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the relay ended with {status}");
        Ok(())
    }
}

/// The port of a listener, by the log.
fn port(lines: &str, listener: &str) -> Result<Option<SocketAddr>> {
    let rest = lines.split(&format!("listener=\"{listener}\" address=")).nth(1);
    let address = rest.and_then(|rest| rest.split_whitespace().next());
    address
        .map(|address| address.parse().with_context(|| format!("the port of {listener} in the log")))
        .transpose()
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A call to send that the API got.
pub(crate) struct Call {
    /// The `messageId`.
    pub(crate) id: String,
    /// When the whole request had been read.
    pub(crate) at: Instant,
}

/// The platform's API as far as the relay needs it, one thread a connection. It accepts everything
/// and keeps nothing.
pub(crate) struct Api {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it got.
    pub(crate) calls: Receiver<Call>,
}

impl Api {
    /// Starts it; each call is answered after `delay`.
    pub(crate) fn start(delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, calls) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || answer(stream, &sender, delay));
            }
        });
        Ok(Self { address, calls })
    }

    /// The next call.
    pub(crate) fn next(&self) -> Result<Call> {
        self.calls.recv_timeout(PATIENCE).context("no call came in time")
    }
}

/// Serves a connection until it ends.
fn answer(stream: TcpStream, calls: &Sender<Call>, delay: Duration) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut octets, mut line) = (0, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                octets = value.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; octets];
        reader.read_exact(&mut body)?;
        let at = Instant::now();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let said = match json["messageId"].as_str() {
            Some(id) => {
                // Nobody listens any more once the figures are printed.
                let _ = calls.send(Call { id: id.to_owned(), at });
                let parts = parts(json["body"].as_str().unwrap_or_default().len());
                format!(r#"{{"results":{{"sms":{{"accepted":true,"unicode":false,"parts":{parts}}}}}}}"#)
            }
            None => r#"{"deliveryStatus":"DELIVERED"}"#.to_owned(),
        };
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        let length = said.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        writer.write_all(format!("{head}{said}").as_bytes())?;
    }
}

/// Parts of an SMS of so many signs of the GSM alphabet, none of which takes two places.
pub(crate) fn parts(signs: usize) -> usize {
    if signs <= 160 { 1 } else { signs.div_ceil(153) }
}

/// A mail client on one connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// A mail that was accepted.
pub(crate) struct Sent {
    /// The id in the reply.
    pub(crate) id: String,
    /// When the final dot was about to be written.
    pub(crate) dot_at: Instant,
    /// When the reply to it had been read.
    pub(crate) accepted_at: Instant,
}

impl Client {
    /// Connects and greets.
    pub(crate) fn connect(relay: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(relay)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream: BufReader::new(stream) };
        client.reply("220")?;
        client.command("EHLO bench.example.com", "250")?;
        Ok(client)
    }

    /// Sends `mail`, which ends with a line end, to `recipient`.
    pub(crate) fn mail(&mut self, recipient: &str, mail: &str) -> Result<Sent> {
        self.mail_from("ups@example.com", &format!("<{recipient}@sms.local>"), mail)
    }

    /// Sends `mail` from `sender` to `recipient`, which has its parameters with it.
    pub(crate) fn mail_from(&mut self, sender: &str, recipient: &str, mail: &str) -> Result<Sent> {
        self.command(&format!("MAIL FROM:<{sender}>"), "250")?;
        self.command(&format!("RCPT TO:{recipient}"), "250")?;
        self.command("DATA", "354")?;
        self.send(mail.as_bytes())?;
        let dot_at = Instant::now();
        let reply = self.command(".", "250")?;
        let accepted_at = Instant::now();
        let id = reply.rsplit(' ').next().unwrap_or_default().to_owned();
        Ok(Sent { id, dot_at, accepted_at })
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(octets)?)
    }

    /// Sends a line; its reply, or the last line of it, must begin with `expected`.
    pub(crate) fn command(&mut self, line: &str, expected: &str) -> Result<String> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.reply(expected)
    }

    /// The last line of a reply, which must begin with `expected`.
    pub(crate) fn reply(&mut self, expected: &str) -> Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the relay closed the connection");
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        if !line.starts_with(expected) {
            bail!("the relay answered {line:?} and not {expected}");
        }
        Ok(line.trim_end().to_owned())
    }
}

/// A mail of 1 KiB.
pub(crate) fn mail_of_1_kib() -> String {
    let mut mail = "From: ups@example.com\r\nSubject: UPS on battery\r\n\r\n".to_owned();
    while mail.len() < 1024 {
        mail.push_str("Input 0 V, battery 80 percent, load 41 percent, 12 minutes left\r\n");
    }
    mail
}

/// What one sync of this disk costs: 4 KiB of a file in `directory` written anew and synced, the
/// median of 200. In place, as a write-ahead log does after its first round; appending costs more.
pub(crate) fn sync_time(directory: &Path) -> Result<Duration> {
    let file = File::create(directory.join("sync"))?;
    file.write_all_at(&[b'x'; 1 << 20], 0)?;
    file.sync_all()?;
    let mut times = Vec::new();
    for number in 0..200 {
        let begun = Instant::now();
        file.write_all_at(&[b'y'; 4096], number * 4096)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(percentile(&mut times, 50))
}

/// The time that `percent` of `times` do not exceed.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).max(1) - 1;
    times.get(place).copied().unwrap_or_default()
}
