//! What a kill cannot show: between the end of a mail and the 250 the spool is synced to the disk. Seen
//! in a trace of the system calls.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Smtp, World, tool};

#[test]
fn the_spool_is_synced_before_the_client_reads_yes() {
    if !tool("strace") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let trace = world.directory.path().join("trace");
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-yy",
            "-s",
            "64",
            "-e",
            "trace=recvfrom,sendto,read,write,writev,fsync,fdatasync",
            "-o",
        ])
        .arg(&trace)
        .args(["-p", &relay.pid().as_raw_nonzero().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says so on standard error once it has taken hold of every thread.
    let mut said = String::new();
    let mut errors = std::io::BufReader::new(strace.stderr.take().unwrap());
    while !said.contains("attached") {
        let length = std::io::BufRead::read_line(&mut errors, &mut said).unwrap();
        if length == 0 {
            strace.wait().unwrap();
            let nothing_may_be_skipped = std::env::var_os("SMS_RELAY_TESTS_SKIP_NOTHING").is_some();
            assert!(!nothing_may_be_skipped, "processes cannot be traced here: {said}");
            println!("skipped: processes cannot be traced here: {said}");
            return;
        }
    }
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let reply =
        smtp.mail("ups@example.com", "oncall@sms.local", "Subject: the-last-line\r\n\r\nhot").unwrap();
    let id = Smtp::queued(&reply);
    assert!(relay.terminate().success());
    strace.wait().unwrap();

    let trace = fs::read_to_string(&trace).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let at = |what: &str, wanted: &dyn Fn(&str) -> bool| {
        lines.iter().position(|line| wanted(line)).unwrap_or_else(|| panic!("{what} is not in:\n{trace}"))
    };
    let end_of_data = at("the mail", &|line| line.contains("Subject: the-last-line"));
    let yes = at("the 250", &|line| line.contains(&format!("250 2.0.0 queued as {id}")));
    let synced = lines[end_of_data..yes].iter().any(|line| {
        (line.contains("fdatasync(") || line.contains("fsync(")) && line.contains("spool.sqlite-wal")
    });
    assert!(
        synced,
        "no sync of the log between the mail and the 250:\n{}",
        lines[end_of_data..=yes].join("\n")
    );
}
