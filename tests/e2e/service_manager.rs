//! What the service manager is told: ready, alive, stopping; and that a full disk is no reason to end.

use std::os::unix::net::UnixDatagram;

use crate::support::{PATIENCE, Relay, Smtp, World, run, tool};

struct Manager {
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn new(world: &World) -> Self {
        let path = world.directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path: path.to_str().unwrap().to_owned() }
    }

    /// The next thing that it is told.
    fn hears(&self) -> String {
        let mut told = [0; 1024];
        let length = self.socket.recv(&mut told).unwrap();
        String::from_utf8_lossy(&told[..length]).trim_end().to_owned()
    }

    fn hears_until(&self, wanted: &str) -> String {
        loop {
            let told = self.hears();
            if told.contains(wanted) {
                return told;
            }
        }
    }
}

#[test]
fn ready_comes_once_the_doors_are_open_then_the_watchdog_is_fed_and_the_end_is_told() {
    let world = World::new();
    let manager = Manager::new(&world);
    let relay = world.start_with(&[("NOTIFY_SOCKET", &manager.path), ("WATCHDOG_USEC", "1000000")]);
    assert_eq!(manager.hears_until("READY=1"), "READY=1\nSTATUS=serving");
    assert!(Smtp::connect(relay.smtp).is_some(), "ready, and nobody answers");
    for _ in 0..3 {
        assert_eq!(manager.hears_until("WATCHDOG=1"), "WATCHDOG=1");
    }
    assert!(relay.terminate().success());
    assert_eq!(manager.hears_until("STOPPING=1"), "STOPPING=1\nSTATUS=finishing what is under way");
}

#[test]
fn a_full_disk_keeps_it_from_being_ready_and_from_nothing_else() {
    let mut world = World::new();
    // First a message that waits in the spool, accepted while there was room.
    world.emulator.order(sms_relay::emulator::FaultRule::on_send(unavailable())).unwrap();
    let relay = world.start();
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let waiting =
        Smtp::queued(&smtp.mail("ups@example.com", "oncall@sms.local", "Subject: first\r\n\r\n").unwrap());
    world.wait_for_platform("tried", |record| record.requests().faulted >= 1);
    relay.kill();
    world.emulator.clear_faults();

    // More than any disk of a test machine has free.
    let directory = "directory = \"spool\"";
    world.otherwise.push((directory, format!("{directory}\nmin_free = 1099511627776")));
    let manager = Manager::new(&world);
    let environment = [("PBX_PASSWORD", "swordfish"), ("NOTIFY_SOCKET", manager.path.as_str())];
    let relay = Relay::start_until_listening(&world.write(), &environment);
    let told = manager.hears_until("STATUS=not ready");
    assert!(told.starts_with("STATUS=not ready: the spool cannot take anything now"), "{told}");
    assert!(told.contains("EXTEND_TIMEOUT_USEC="), "{told}");
    world.wait_for_platform("what waited is sent", |record| record.total() == 1);
    assert_eq!(world.emulator.accepted()[0].message_id, format!("{waiting}-1"));

    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let reply = smtp.mail("ups@example.com", "oncall@sms.local", "Subject: second\r\n\r\n").unwrap();
    assert_eq!(reply, "452 4.3.1 the message cannot be stored now, try again later");
    if tool("curl") {
        let curl = |arguments: &[&str]| {
            run("curl", &[&["--silent", "--write-out", " %{http_code}"], arguments].concat()).1
        };
        let form = curl(&[
            "-u",
            "pbx:swordfish",
            "-d",
            "to=oncall",
            "-d",
            "text=x",
            &format!("http://{}/sms", relay.http),
        ]);
        assert_eq!(form, "the message cannot be stored now, try again later\n 503");
        let ready = curl(&[&format!("http://{}/readyz", relay.http)]);
        assert!(
            ready.starts_with("not ready: spool: the spool cannot take anything now")
                && ready.ends_with(" 503"),
            "{ready}"
        );
    }
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.record(|record| record.total()), 1, "what was refused was not sent");
}

fn unavailable() -> sms_relay::emulator::Fault {
    sms_relay::emulator::Fault::Status { code: 503, retry_after: None, body: None, recorded: false }
}
