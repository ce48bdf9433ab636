//! A disk that is full, and a spool that another program holds: said no, nothing half-kept, and
//! everything that was accepted is still there.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::support::{PATIENCE, Relay, Smtp, World, python, run, tool};

const MAIL_REFUSED: &str = "452 4.3.1 the message cannot be stored now, try again later";
const FORM_REFUSED: &str = "the message cannot be stored now, try again later\n503";

fn curl(relay: &Relay, path: &str, arguments: &[&str]) -> String {
    let url = format!("http://{}{path}", relay.http);
    let usual = ["--silent", "--write-out", "%{http_code}"];
    let (code, printed) = run("curl", &[&usual[..], arguments, &[&url]].concat());
    assert_eq!(code, Some(0), "{printed}");
    printed
}

fn post(relay: &Relay, text: &str) -> String {
    let text = format!("text={text}");
    curl(relay, "/sms", &["--user", "pbx:swordfish", "-d", "to=oncall", "-d", &text])
}

fn submissions(spool: &Path) -> String {
    let script = "import sqlite3, sys\n\
        print(sqlite3.connect(sys.stdin.read()).execute('SELECT count(*) FROM submission').fetchone()[0], end='')";
    python(script, spool.to_str().unwrap())
}

#[test]
fn what_was_accepted_before_the_disk_was_full_is_sent_once() {
    if !(tool("python3") && tool("curl")) {
        return;
    }
    let mut world = World::new();
    world.extra = "[shutdown]\ndrain_time = \"1s\"\n".to_owned();
    // No file may grow beyond a megabyte and a half: writing more fails as on a full disk.
    let limit = ["sh", "-c", "trap '' XFSZ; ulimit -f 3072; exec \"$@\"", "sh"];
    let relay = world.start_under(&limit);
    let mut accepted = BTreeSet::new();
    let mut client = Smtp::connect(relay.smtp).unwrap();
    let header = format!("X-Long: {}\r\n", "x".repeat(900)).repeat(60);
    // First what is large does not fit any more, then nothing does.
    for header in [header.as_str(), ""] {
        let refused = (0..500).find_map(|_| {
            let destination = format!("+39348{:07}@sms.local", accepted.len());
            let mail = format!("{header}Subject: x\r\n\r\nnumber {}", accepted.len());
            let reply = client.mail("ups@example.com", &destination, &mail).unwrap();
            if reply.starts_with('2') {
                accepted.insert(Smtp::queued(&reply));
                return None;
            }
            Some(reply)
        });
        assert_eq!(refused.as_deref(), Some(MAIL_REFUSED));
    }
    assert!(accepted.len() >= 5, "{accepted:?}");
    assert_eq!(curl(&relay, "/healthz", &[]), "alive\n200");
    let log = relay.find_log(|line| line["message"] == "a message could not be stored").unwrap();
    assert_eq!(log["level"], "ERROR");
    drop(client);
    assert!(relay.terminate().success());

    let relay = world.start();
    assert_eq!(curl(&relay, "/readyz", &[]), "ready\n200");
    let count = accepted.len() as u64;
    world.wait_for_platform("all that was accepted", |record| record.total() == count);
    assert!(relay.terminate().success());
    let arrived: Vec<String> = world.emulator.accepted().into_iter().map(|sms| sms.message_id).collect();
    let sent: BTreeSet<String> = arrived.iter().map(|id| id.strip_suffix("-1").unwrap().to_owned()).collect();
    assert_eq!((arrived.len(), sent), (accepted.len(), accepted), "each once, and nothing else");
    assert_eq!(submissions(&world.directory.path().join("spool/spool.sqlite")), count.to_string());
}

/// Another program in the middle of a write to the spool.
pub struct Writer(Child);

impl Writer {
    pub fn hold(spool: &Path) -> Self {
        let script = "import sqlite3, sys\n\
            db = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            db.execute('BEGIN IMMEDIATE')\n\
            print('held', flush=True)\n\
            sys.stdin.readline()\n\
            db.execute('ROLLBACK')\n\
            print('released', flush=True)\n";
        let mut child = Command::new("python3")
            .args(["-c", script])
            .arg(spool)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut held).unwrap();
        assert_eq!(held, "held\n");
        Self(child)
    }

    pub fn release(mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
fn a_spool_that_another_program_holds_refuses_until_it_is_released() {
    if !(tool("python3") && tool("curl")) {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let spool = world.directory.path().join("spool/spool.sqlite");
    let mut client = Smtp::connect(relay.smtp).unwrap();
    let mut mail = |text: &str| {
        let mail = format!("Subject: x\r\n\r\n{text}");
        client.mail("ups@example.com", "oncall@sms.local", &mail).unwrap()
    };
    Smtp::queued(&mail("before"));
    world.wait_for_platform("the first", |record| record.total() == 1);
    let writer = Writer::hold(&spool);
    assert_eq!(mail("meanwhile"), MAIL_REFUSED);
    assert_eq!(post(&relay, "meanwhile"), FORM_REFUSED);
    let reason = "not ready: spool: the spool cannot take anything now: another program holds its file locked (database is locked)\n503";
    assert_eq!(curl(&relay, "/readyz", &[]), reason);
    writer.release();
    Smtp::queued(&mail("after"));
    world.wait_for_platform("the second", |record| record.total() == 2);
    // The spool is looked at once a second at most, however often anybody asks.
    let begun = Instant::now();
    while curl(&relay, "/readyz", &[]) != "ready\n200" {
        assert!(begun.elapsed() < PATIENCE, "not ready again");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), ["before", "after"]);
    assert_eq!(submissions(&spool), "2");
}
