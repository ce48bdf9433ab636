//! Clients of other gateways send SMS through the relay: Kannel's URL, Clickatell with a session, SMSEagle's
//! JSON-RPC.

use crate::support::{Relay, World, run, tool};

const PROFILES: &str = "allow_get = true\nprofiles = [\"kannel\", \"clickatell\", \"smseagle\"]";

fn curl(relay: &Relay, path: &str, arguments: &[&str]) -> String {
    let url = format!("http://{}{path}", relay.http);
    let (code, printed) = run("curl", &[&["--silent", "--show-error"], arguments, &[&url]].concat());
    assert_eq!(code, Some(0), "{printed}");
    printed
}

#[test]
fn their_clients_need_no_change() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("allow_get = true", PROFILES.to_owned()));
    let relay = world.start();

    let kannel = "/cgi-bin/sendsms?username=pbx&password=swordfish&to=%2B393470000001&from=PBX";
    let answer = curl(&relay, &format!("{kannel}&text=Missed+call%3A+M%FCller&charset=latin1"), &[]);
    assert_eq!(answer, "0: Accepted for delivery");

    let answer =
        curl(&relay, "/http/auth", &["-d", "user=pbx", "-d", "password=swordfish", "-d", "api_id=1"]);
    let session = answer.strip_prefix("OK: ").unwrap_or_else(|| panic!("{answer}"));
    let to = "to=393470000002,oncall,00447911123456";
    let answer = curl(&relay, &format!("/http/sendmsg?session_id={session}&{to}&text=In+session"), &[]);
    let lines: Vec<(&str, &str)> = answer.lines().map(|line| line.split_once(" To: ").unwrap()).collect();
    let [(first, "393470000002"), (second, "393471234567"), (third, "00447911123456")] = lines[..] else {
        panic!("{answer}")
    };
    assert!(first.starts_with("ID: ") && second.starts_with("ID: ") && first != second, "{answer}");
    assert_eq!(third, "ERR: 105, Invalid destination address");

    let call = r#"{"method":"sms.send_sms","params":{"login":"pbx","pass":"swordfish","to":"393470000003","message":"By JSON-RPC","responsetype":"extended"}}"#;
    let answer = curl(&relay, "/jsonrpc/sms", &["--data", call]);
    assert_eq!(answer, r#"{"result":{"message_id":"4","status":"ok"}}"#);

    world.wait_for_platform("four", |record| record.total() == 4);
    let accepted = world.emulator.accepted();
    for (destination, text, sender) in [
        ("+393470000001", "Missed call: Müller", "PBX"),
        ("+393470000002", "In session", "Relay"),
        ("+393471234567", "In session", "Relay"),
        ("+393470000003", "By JSON-RPC", "Relay"),
    ] {
        let found = accepted
            .iter()
            .any(|sms| sms.destination == destination && sms.text == text && sms.sender == sender);
        assert!(found, "{destination}: {accepted:#?}");
    }
    let log: Vec<String> = relay.log().iter().map(ToString::to_string).collect();
    for secret in ["swordfish", session, "393470000001"] {
        assert!(!log.iter().any(|line| line.contains(secret)), "{secret}: {log:#?}");
    }
    assert!(relay.terminate().success());
}
