//! Postfix, as another mail server next to the relay: a private instance in a temporary directory.
//! What it has for us goes to the relay, what it has for `example.com` to the test's mailbox.

use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::{Mailbox, PATIENCE, given, run_fed};

const SENDMAIL: &str = "/usr/sbin/sendmail";
/// Not everybody's search path has it.
const POSTCONF: &str = "/usr/sbin/postconf";

/// The directories of its queue by group and mode; all belong to the user `postfix`.
const QUEUE: [(&str, &str, &[&str]); 3] = [
    (
        "root",
        "700",
        &[
            "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
            "saved", "trace", "../data",
        ],
    ),
    ("postdrop", "710", &["public"]),
    ("postdrop", "1730", &["maildrop"]),
];

/// Its programs; what cannot be reached from here is left out.
const PROGRAMS: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
";

/// A running Postfix. Stopped when dropped, its children with it.
pub struct Postfix {
    master: Child,
    directory: TempDir,
    log: Receiver<String>,
    /// What of its log was read.
    seen: Vec<String>,
}

impl Postfix {
    /// Whether it is installed and may be started here: its master changes users, so it needs root.
    /// Where it can't, the test says so and skips itself; in CI it fails.
    pub fn available() -> bool {
        given(Path::new(SENDMAIL).exists() && daemons().is_some(), "Postfix is not installed")
            && given(geteuid().is_root(), "Postfix starts for root only")
    }

    /// Where the Postfix of this mailbox listens: at its port, but on another address of loopback, so
    /// that nobody else has taken it.
    pub fn address(mailbox: &Mailbox) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), mailbox.address.port()))
    }

    /// Starts one that relays to the door `relay` of localhost, with further lines of `main.cf`.
    pub fn start(relay: SocketAddr, mailbox: &Mailbox, settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        lay_out(path);
        let main = format!(
            "compatibility_level = 3.6
queue_directory = {here}/queue
data_directory = {here}/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_dns_support_level = disabled
smtp_host_lookup = native
transport_maps = inline:{{ {{ example.com = smtp:[127.0.0.1]:{mailbox} }} }}
relayhost = [localhost]:{relay}
{settings}
",
            here = path.display(),
            mailbox = mailbox.address.port(),
            relay = relay.port(),
        );
        let programs = format!("{} inet n - n - - smtpd\n{PROGRAMS}", Self::address(mailbox));
        std::fs::write(path.join("etc/main.cf"), main).unwrap();
        std::fs::write(path.join("etc/master.cf"), programs).unwrap();
        // It waits until a file that was just written has rested for some seconds; this one is whole.
        let rested = SystemTime::now() - Duration::from_secs(60);
        File::open(path.join("etc/main.cf")).unwrap().set_modified(rested).unwrap();
        let mut master = Command::new(daemons().unwrap().join("master"))
            .arg("-s")
            .env("MAIL_CONFIG", path.join("etc"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(master.stdout.take().unwrap()).lines();
        let (write, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| write.send(line)));
        let mut postfix = Self { master, directory, log, seen: Vec::new() };
        postfix.wait_for_log("daemon started");
        postfix
    }

    /// Waits for the next line of its log with these words and returns it.
    pub fn wait_for_log(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.log.recv_timeout(left) else {
                panic!("Postfix never said `{words}` in:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Gives it a mail by its `sendmail`, which takes the recipients from the headers with `-t`.
    pub fn sendmail(&self, arguments: &[&str], mail: &str) {
        let etc = self.directory.path().join("etc");
        let arguments = [&["-C", etc.to_str().unwrap()], arguments].concat();
        let (code, printed) = run_fed(SENDMAIL, &arguments, mail);
        assert_eq!(code, Some(0), "{printed}");
    }
}

/// Where its programs are, once it is installed.
fn daemons() -> Option<PathBuf> {
    let mut postconf = Command::new(POSTCONF);
    let output = postconf.args(["-d", "-h", "daemon_directory"]).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().into())
}

/// The directories, as `postfix check` would make them, but without its looking at the whole system.
fn lay_out(path: &Path) {
    for directory in ["etc", "queue", "queue/pid"] {
        std::fs::create_dir(path.join(directory)).unwrap();
        std::fs::set_permissions(path.join(directory), Permissions::from_mode(0o755)).unwrap();
    }
    for (group, mode, names) in QUEUE {
        let mut install = Command::new("install");
        install.args(["-d", "-o", "postfix", "-g", group, "-m", mode]).args(names);
        assert!(install.current_dir(path.join("queue")).status().unwrap().success());
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.master), Signal::TERM);
        let _ = self.master.wait();
        // Its children hold the log open; the directory goes when they are gone.
        while self.log.recv_timeout(PATIENCE).is_ok() {}
    }
}
