//! A form post becomes an SMS, in each of its forms, from curl.

use crate::support::{Relay, World, run, tool};

fn curl(relay: &Relay, arguments: &[&str], query: &str) -> String {
    let url = format!("http://{}/sms{query}", relay.http);
    let (code, printed) = run("curl", &[&["--silent", "--show-error"], arguments, &[&url]].concat());
    assert_eq!(code, Some(0), "{printed}");
    printed
}

#[test]
fn form_multipart_json_and_get_all_arrive() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let user = ["--user", "pbx:swordfish"];
    let answers = [
        curl(
            &relay,
            &[&user[..], &["-d", "to=oncall", "--data-urlencode", "text=Missed call: Müller"]].concat(),
            "",
        ),
        curl(
            &relay,
            &[&user[..], &["-F", "number=0039347 1234567", "-F", "message=multi part"]].concat(),
            "",
        ),
        curl(
            &relay,
            &[
                "--header",
                "X-Api-Key: swordfish",
                "--json",
                r#"{"to": ["+393470000001", "+393470000002"], "text": "json", "from": "PBX"}"#,
            ],
            "",
        ),
        curl(&relay, &["--get"], "?user=pbx&password=swordfish&to=+393470000003&text=by+get"),
    ];
    world.wait_for_platform("five", |record| record.total() == 5);
    let accepted = world.emulator.accepted();
    let said = |destination: &str, text: &str, sender: &str| {
        accepted.iter().any(|sms| sms.destination == destination && sms.text == text && sms.sender == sender)
    };
    assert!(said("+393471234567", "Missed call: Müller", "Relay"), "{accepted:#?}");
    assert!(said("+393471234567", "multi part", "Relay"), "{accepted:#?}");
    assert!(said("+393470000001", "json", "PBX") && said("+393470000002", "json", "PBX"), "{accepted:#?}");
    assert!(said("+393470000003", "by get", "Relay"), "{accepted:#?}");
    for (sms, answer) in accepted.iter().flat_map(|sms| answers.iter().map(move |answer| (sms, answer))) {
        let told = answer.contains(&sms.message_id);
        let its_own = answer.contains(sms.message_id.split('-').next().unwrap());
        assert_eq!(told, its_own, "every id of a submission is in its answer: {answer}");
    }
    assert!(
        answers.iter().all(|answer| accepted.iter().any(|sms| answer.contains(&sms.message_id))),
        "{answers:?}"
    );
    assert!(relay.terminate().success());
}

#[test]
fn wrong_credentials_a_missing_text_and_a_foreign_destination_are_told_apart() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let status = |arguments: &[&str]| {
        let answer = curl(&relay, &[&["--write-out", "%{http_code}"], arguments].concat(), "");
        let (text, code) = answer.split_at(answer.len() - 3);
        (code.to_owned(), text.trim().to_owned())
    };
    let (code, _) = status(&["--user", "pbx:sword", "-d", "to=oncall", "-d", "text=x"]);
    assert_eq!(code, "401");
    let (code, text) = status(&["--user", "pbx:swordfish", "-d", "to=oncall"]);
    assert_eq!(code, "400");
    assert!(text.contains("text"), "{text}");
    let (code, text) = status(&["--user", "pbx:swordfish", "-d", "to=0044 7911 123456", "-d", "text=x"]);
    assert_eq!(code, "403");
    assert!(text.contains("is not allowed here"), "{text}");
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().send, 0, "nothing reached the platform");
}
