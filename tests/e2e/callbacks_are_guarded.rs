//! Whoever is not the platform cannot say of a message that it arrived: one of the guards has to be shown,
//! and what is shown wrongly is answered like any path that is not there.

use std::net::SocketAddr;

use crate::support::{Relay, SECRET, World, ask, callback};

/// A guard, and requests with what each is answered: path, a header line, the status.
type Case = (&'static str, &'static [(&'static str, &'static str, u16)]);

/// `platform:t0p-secret`, the same with another password, and with another name.
const RIGHT: &str = "Authorization: Basic cGxhdGZvcm06dDBwLXNlY3JldA==";
const WRONG_PASSWORD: &str = "Authorization: Basic cGxhdGZvcm06dDBwLXNlY3JlVA==";
const WRONG_NAME: &str = "Authorization: Basic cGxhdGZvcm1zOnQwcC1zZWNyZXQ=";
const NOTHING: &str = "X-Nothing: shown";
const BASIC: &str = "basic = { username = \"platform\", password = { env = \"CALLBACK_PASSWORD\" } }";

const CASES: [Case; 5] = [
    (
        "secret = { env = \"CALLBACK_SECRET\" }",
        &[
            ("/callbacks/t0p-secret", NOTHING, 200),
            ("/callbacks/t0p-secreT", NOTHING, 404),
            ("/callbacks/t0p-secret/", NOTHING, 404),
            ("/callbacks", RIGHT, 404),
        ],
    ),
    (
        BASIC,
        &[
            ("/callbacks", RIGHT, 200),
            ("/callbacks", WRONG_PASSWORD, 404),
            ("/callbacks", WRONG_NAME, 404),
            ("/callbacks/t0p-secret", NOTHING, 404),
        ],
    ),
    (
        "networks = [\"127.0.0.0/8\"]",
        &[("/callbacks", NOTHING, 200), ("/callbacks/any", WRONG_PASSWORD, 200)],
    ),
    ("networks = [\"192.0.2.0/24\"]", &[("/callbacks", NOTHING, 404), ("/callbacks", RIGHT, 404)]),
    (
        "networks = [\"192.0.2.0/24\"]\nsecret = { env = \"CALLBACK_SECRET\" }\n",
        &[("/callbacks/t0p-secret", NOTHING, 200), ("/callbacks", NOTHING, 404)],
    ),
];

/// The status, and whether the answer says no more than that of a path that is not there.
fn call(http: SocketAddr, path: &str, header: &str, id: &str) -> u16 {
    let answered = ask(http, "POST", path, &[header], &callback(id, 3, (1, 1)).to_string());
    if answered.status != 200 {
        assert_eq!(answered, ask(http, "POST", "/nothing/here", &[], "{}"));
    }
    answered.status
}

fn start(world: &World) -> Relay {
    world.start_with(&[("CALLBACK_SECRET", SECRET), ("CALLBACK_PASSWORD", SECRET)])
}

#[test]
fn each_guard_lets_in_who_shows_it_and_nobody_else() {
    for (guards, calls) in CASES {
        let mut world = World::new();
        world.take_callbacks(guards);
        let relay = start(&world);
        let http = relay.http;
        // A denial is answered slowly, so they are asked for together.
        let said: Vec<u16> = std::thread::scope(|scope| {
            let asked: Vec<_> = calls
                .iter()
                .map(|(path, header, _)| scope.spawn(move || call(http, path, header, "nobody's")))
                .collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let expected: Vec<u16> = calls.iter().map(|(_, _, status)| *status).collect();
        assert_eq!(said, expected, "{guards}");
        let denied = expected.iter().filter(|status| **status == 404).count() as u64;
        let series = |result: &str| format!("sms_relay_callback_requests_total{{result=\"{result}\"}}");
        assert_eq!(relay.counted(&series("denied")), denied, "{guards}");
        assert_eq!(relay.counted(&series("ok")), expected.len() as u64 - denied, "{guards}");
        assert!(
            relay.log().iter().all(|line| !line.to_string().contains("t0p-secre")),
            "no secret is logged, nor one with a slip in it"
        );
        assert!(relay.terminate().success());
    }
}

#[test]
fn a_listener_without_callbacks_has_no_such_path_and_a_lie_moves_nothing() {
    let mut world = World::new();
    world.extra = "[callbacks]\nsecret = { env = \"CALLBACK_SECRET\" }\n".to_owned();
    // Nobody delivers and nobody is asked: only a lie could end it.
    let never = sms_relay::emulator::Fault::Deliver {
        outcome: sms_relay::emulator::Outcome::Never,
        delay_millis: None,
    };
    world.order(sms_relay::emulator::FaultRule::on_send(never));
    let relay = start(&world);
    let id = relay.send_form("oncall", "On battery");
    relay.wait_for_message("accepted by the platform");
    assert_eq!(call(relay.http, "/callbacks/t0p-secret", NOTHING, &format!("{id}-1")), 404);
    assert_eq!(relay.fate(&id)["messages"][0]["state"], "sent");
    assert!(relay.terminate().success());
}

#[test]
fn only_a_post_is_a_callback() {
    let mut world = World::new();
    world.take_callbacks("secret = { env = \"CALLBACK_SECRET\" }");
    let relay = start(&world);
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
        assert_eq!(ask(relay.http, method, "/callbacks/t0p-secret", &[], "").status, 405, "{method}");
    }
    assert!(relay.terminate().success());
}
