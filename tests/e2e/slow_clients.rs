//! Who is as slow as it can be takes nothing from others: slowhttptest in each of its modes from one address, and a
//! device that posts forms from another one meanwhile.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use crate::support::{Relay, World, ask_from, tool};

/// Ends it in any case, in seconds; it ends by itself after 10, or once all of its connections are closed.
const MOST: &str = "40";
/// Forms that are to be accepted before the attack is over, and in all.
const FEWEST: (u64, u64) = (5, 20);

/// 200 connections, 100 more every second.
fn attack(mode: &[&str], relay: SocketAddr, path: &str) -> Child {
    let url = format!("http://{relay}{path}");
    let usual = ["-c", "200", "-r", "100", "-l", "10", "-i", "1", "-p", "3", "-u", &url];
    let mut command = Command::new("timeout");
    command.args([MOST, "slowhttptest"]).args(usual).args(mode);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Posts one form after another until the attack is over; all are accepted. How many were accepted before that, and in all.
fn served(world: &World, relay: &Relay, attack: &mut Child) -> (u64, u64) {
    let client = Ipv4Addr::new(127, 0, 0, 2);
    let headers = ["X-Api-Key: swordfish", "Content-Type: application/x-www-form-urlencoded"];
    let (mut meanwhile, mut posted) = (0, 0);
    let mut is_over = false;
    while !is_over || posted < FEWEST.1 {
        let form = format!("to=oncall&text=alarm+{posted}");
        let answered = ask_from(client, relay.http, ("POST", "/sms"), &headers, &form);
        assert_eq!(answered.status, 200, "post {posted}: {}", answered.body);
        posted += 1;
        // One by one, or the spool would be full of them at the end.
        world.wait_for_platform("a form of somebody else", |record| record.total() >= posted);
        is_over = attack.try_wait().unwrap().is_some();
        if !is_over {
            meanwhile = posted;
        }
    }
    (meanwhile, posted)
}

/// `holds`: its connections stay open, as nothing that they do is over by itself.
fn others_are_served(mode: &[&str], path: &str, holds: bool) {
    if !tool("slowhttptest") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("allow_get = true", "allow_get = true\nmetrics = true".to_owned()));
    // The relay is not to be saved by its patience: that ends long after the test.
    world.extra = r#"
[http]
connections = 100
connections_per_client = 50
header_time = "10m"
request_time = "10m"
"#
    .to_owned();
    let relay = world.start();
    let mut attack = attack(mode, relay.http, path);
    if holds {
        relay.wait_for_log("all that one client may have is taken", |line| {
            line["message"] == "connection refused: client has enough" && line["client"] == "127.0.0.1"
        });
    }
    let (meanwhile, posted) = served(&world, &relay, &mut attack);
    let output = attack.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{told}");
    // Its last words: it did what it was told to, for as long as there was anything to do.
    let ended = if holds { "Hit test time limit" } else { "No open connections left" };
    assert!(told.contains(ended), "{told}");
    assert!(!holds || meanwhile >= FEWEST.0, "{meanwhile} of {posted} during the attack: {told}");
    assert!(relay.terminate().success());
}

#[test]
fn headers_that_drip() {
    others_are_served(&["-H"], "/sms", true);
}

#[test]
fn bodies_that_drip() {
    others_are_served(&["-B", "-s", "8192"], "/sms", true);
}

#[test]
fn ranges_that_overlap() {
    others_are_served(&["-R"], "/healthz", false);
}

#[test]
fn answers_that_are_hardly_read() {
    let slow = ["-X", "-k", "10", "-w", "1", "-y", "2", "-n", "1", "-z", "1"];
    others_are_served(&slow, "/metrics", true);
}
