//! What the service manager is told (`sd_notify(3)`), and when.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::process::Signal;

use crate::support::{PATIENCE, World};

/// The place of the service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn hear(&self) -> String {
        let mut buffer = [0; 4096];
        let octets = self.0.recv(&mut buffer).expect("the service manager is told something");
        String::from_utf8(buffer[..octets].to_vec()).unwrap()
    }

    /// The next words that are not the watchdog's.
    fn hear_news(&self) -> String {
        loop {
            let words = self.hear();
            if words != "WATCHDOG=1\n" {
                return words;
            }
        }
    }
}

#[test]
fn it_hears_of_ready_watchdog_reload_and_stopping() {
    let mut world = World::new();
    // A port that is known before, so that the door can be knocked at the moment that READY comes.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bind = format!("name = \"mail\"\nbind = \"{free}\"");
    world.otherwise.push(("name = \"mail\"\nbind = \"127.0.0.1:0\"", bind));
    let path = world.directory.path().join("notify");
    let manager = Manager::at(&path);
    let knock = std::thread::spawn(move || {
        let first = manager.hear_news();
        let mut greeting = String::new();
        let stream = TcpStream::connect(free).expect("READY comes after the door is open");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        BufReader::new(stream).read_line(&mut greeting).unwrap();
        (manager, first, greeting)
    });
    let relay = world.start_with(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")]);
    let (manager, first, greeting) = knock.join().unwrap();
    assert_eq!(first, "READY=1\nSTATUS=serving\n");
    assert_eq!(greeting, "220 relay.test ESMTP sms-relay\r\n");
    assert_eq!(manager.hear(), "WATCHDOG=1\n");
    assert_eq!(manager.hear(), "WATCHDOG=1\n");

    let good = std::fs::read_to_string(world.write()).unwrap();
    std::fs::write(world.directory.path().join("relay.toml"), "broken").unwrap();
    relay.signal(Signal::HUP);
    assert_eq!(manager.hear_news(), "STATUS=the last reload failed: the old rules stay\n");
    std::fs::write(world.directory.path().join("relay.toml"), good).unwrap();
    relay.signal(Signal::HUP);
    assert_eq!(manager.hear_news(), "STATUS=serving\n");

    relay.signal(Signal::TERM);
    assert_eq!(manager.hear_news(), "STOPPING=1\nSTATUS=finishing what is under way\n");
    assert!(relay.wait_for_end().success());
}

#[test]
fn it_hears_that_a_dry_run_is_one() {
    let world = World::new();
    let path = world.directory.path().join("notify");
    let manager = Manager::at(&path);
    let mut relay = std::process::Command::new(env!("CARGO_BIN_EXE_sms-relay"))
        .args(["run", "--dry-run", "--config"])
        .arg(world.write())
        .env("NOTIFY_SOCKET", &path)
        .env("PBX_PASSWORD", "swordfish")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let status = "STATUS=serving; a dry run, no phone gets anything\n";
    assert_eq!(manager.hear_news(), format!("READY=1\n{status}"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&relay), Signal::HUP).unwrap();
    assert_eq!(manager.hear_news(), status, "also behind a reload");
    relay.kill().unwrap();
    let output = relay.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("this is a dry run") && log.contains("WARN"), "{log}");
    assert!(!log.contains("needs a restart") && !log.contains("as before until a restart"), "{log}");
}
