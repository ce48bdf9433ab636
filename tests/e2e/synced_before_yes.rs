//! "Yes" comes after the disk has it, as the kernel saw it: between the last octet of a message and our
//! answer the spool's log is written and synced.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Mail, PATIENCE, World, run, tool};

/// Calls in the order of their ends; a call that another thread interrupted is joined with its rest.
fn calls(trace: &str) -> Vec<String> {
    let mut begun = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.trim_start().split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, beginning.to_owned());
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let end = rest.split_once("resumed>").map_or("", |(_, end)| end);
            calls.push(begun.remove(thread).unwrap_or_default() + end);
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}

/// Whether between the call that read `asked` and the one that wrote `answered` the spool's log was
/// written and then synced.
fn is_synced(calls: &[String], asked: &str, answered: &str) {
    let end = calls.iter().position(|call| call.contains(answered)).unwrap();
    let begin = calls[..end].iter().rposition(|call| call.contains(asked)).unwrap();
    let between = &calls[begin..end];
    let of_the_log = |call: &str, names: &[&str]| {
        names.iter().any(|name| call.starts_with(&format!("{name}("))) && call.contains("/spool.sqlite-wal>")
    };
    // The first: what a worker writes for the next step of the message may already follow.
    let written = between.iter().position(|call| of_the_log(call, &["pwrite64", "write"]));
    let written = written.unwrap_or_else(|| panic!("the log is not written:\n{}", between.join("\n")));
    let synced = |call: &String| of_the_log(call, &["fdatasync", "fsync"]) && call.ends_with("= 0");
    assert!(between[written..].iter().any(synced), "the log is not synced:\n{}", between.join("\n"));
}

/// Waits until strace has written the end of its process.
fn whole(trace: &Path) -> String {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(trace).unwrap_or_default();
        if text.contains("+++ exited with 0 +++\n") {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "strace does not end: {text}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_log_is_synced_between_the_message_and_the_yes() {
    if !(tool("strace") && tool("python3") && tool("curl")) {
        return;
    }
    let (code, printed) = run("strace", &["-o", "/dev/null", "true"]);
    if code != Some(0) {
        assert!(std::env::var_os("SMS_RELAY_TESTS_SKIP_NOTHING").is_none(), "{printed}");
        println!("skipped: strace may not trace here: {printed}");
        return;
    }
    let world = World::new();
    let trace = world.directory.path().join("trace");
    let traced = "trace=fdatasync,fsync,write,pwrite64,writev,sendto,sendmsg,read,recvfrom";
    // -D: the relay stays our child and gets our signals.
    let strace = ["strace", "-D", "-f", "-y", "-s", "2000", "-e", traced, "-o", trace.to_str().unwrap()];
    let relay = world.start_under(&strace);
    let mail = "From: ups@example.com\n\nby mail\n";
    let mail = Mail::new("ups@example.com", &("oncall@sms.local", &[]), mail).send(relay.smtp);
    let url = format!("http://{}/sms", relay.http);
    let form = ["--silent", "--user", "pbx:swordfish", "-d", "to=oncall", "-d", "text=by+form", &url];
    let (code, answer) = run("curl", &form);
    assert_eq!(code, Some(0), "{answer}");
    world.wait_for_platform("both", |record| record.total() == 2);
    assert!(relay.terminate().success());
    let calls = calls(&whole(&trace));
    is_synced(&calls, "by mail\\r\\n.\\r\\n", &format!("250 2.0.0 queued as {mail}"));
    is_synced(&calls, "text=by+form", "OK; ID=");
}
