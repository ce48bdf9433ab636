//! What the README tells a newcomer to type works as it stands: the copied example, the emulator, the
//! `swaks` and `curl` lines, and those that the demo prints.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, run, tool};

/// Ends its process when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn relay(directory: &Path, arguments: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sms-relay"));
    command
        .current_dir(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

/// Three ports that were free a moment ago, in place of those that the example names.
fn free_ports() -> Vec<(&'static str, String)> {
    let sockets: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports = sockets.iter().map(|socket| socket.local_addr().unwrap().to_string());
    ["127.0.0.1:2525", "127.0.0.1:8025", "127.0.0.1:8026"].into_iter().zip(ports).collect()
}

fn with_ports(text: &str, ports: &[(&str, String)]) -> String {
    ports.iter().fold(text.to_owned(), |text, (written, free)| text.replace(written, free))
}

fn wait_for_port(address: &str) {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_readmes_lines_work_with_the_copied_example() {
    if !(tool("swaks") && tool("curl")) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let example = std::fs::read_to_string(root.join("relay.example.toml")).unwrap();
    std::fs::write(directory.path().join("relay.toml"), with_ports(&example, &ports)).unwrap();
    let readme = with_ports(&std::fs::read_to_string(root.join("README.md")).unwrap(), &ports);

    let _emulator = relay(directory.path(), &["emulator", "--bind", &ports[2].1]);
    let _relay = relay(directory.path(), &["run", "--config", "relay.toml"]);
    for (_, address) in &ports {
        wait_for_port(address);
    }
    let typed = readme.lines().filter(|line| line.starts_with("swaks ") || line.starts_with("curl "));
    let printed: Vec<String> = typed
        .map(|line| {
            let (code, printed) = run("sh", &["-c", line]);
            assert_eq!(code, Some(0), "{line}\n{printed}");
            printed
        })
        .collect();
    assert_eq!(printed.len(), 4, "swaks, curl, a look at the platform, and one at the relay");
    assert!(printed[0].contains("<-  250 2.0.0 queued as "), "{}", printed[0]);
    assert!(printed[1].contains("OK; ID="), "{}", printed[1]);
    assert!(printed[3].contains("ready"), "{}", printed[3]);
    let wait = format!("http://{}/emulator/wait?accepted=2&seconds=30", ports[2].1);
    assert_eq!(run("curl", &["--silent", "--fail", &wait]).0, Some(0));
    let (_, accepted) = run("curl", &["--silent", &format!("http://{}/emulator/accepted", ports[2].1)]);
    assert!(
        accepted.contains("UPS on battery, 12 minutes left") && accepted.contains("Door 3 is open"),
        "{accepted}"
    );

    if tool("sqlite3") {
        let id = printed[1].split("OK; ID=").nth(1).unwrap().split('-').next().unwrap();
        let look = readme.lines().find(|line| line.starts_with("sqlite3 ")).unwrap();
        let look = look
            .replace("/var/lib/sms-relay", "sms-relay-spool")
            .replace("LIKE 'ID%", &format!("LIKE '{id}%"));
        let (code, timeline) = run("sh", &["-c", &format!("cd {} && {look}", directory.path().display())]);
        assert_eq!(code, Some(0), "{timeline}");
        assert!(
            timeline.contains("|due|accepted") && timeline.contains("|claimed|attempt 1 began"),
            "{timeline}"
        );
    }
}

#[test]
fn the_demo_shows_three_outcomes_and_lines_that_work() {
    if !(tool("swaks") && tool("curl")) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut demo = relay(directory.path(), &["demo"]);
    let output = BufReader::new(demo.0.stdout.take().unwrap());
    let mut seen = Vec::new();
    // The last thing that it prints is where its files are; then it stays.
    for line in output.lines().map_while(Result::ok) {
        let last = line.contains("configuration and spool:");
        seen.push(line);
        if last {
            break;
        }
    }
    let text = seen.join("\n");
    assert_eq!(text.matches("1 part, GSM 7-bit, DELIVERED").count(), 2, "{text}");
    assert!(text.contains("Subject: SMS not delivered: Störung: Drucker 3F"), "{text}");
    assert_eq!(text.matches("  delivered    the handset has it").count(), 2, "{text}");
    assert_eq!(text.matches("  undelivered  the platform could not deliver it").count(), 1, "{text}");
    assert_eq!(text.matches("callback: part 1 of 1").count(), 3, "{text}");
    let typed: Vec<&str> = seen
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.starts_with("swaks ") || line.starts_with("curl "))
        .collect();
    assert_eq!(typed.len(), 4, "{text}");
    for line in typed {
        let (code, printed) = run("sh", &["-c", line]);
        assert_eq!(code, Some(0), "{line}\n{printed}");
    }
}

#[test]
fn the_demo_ends_by_itself_when_asked_to() {
    let (code, printed) = run(env!("CARGO_BIN_EXE_sms-relay"), &["demo", "--once"]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed.matches("DELIVERED").count(), 2, "{printed}");
}
