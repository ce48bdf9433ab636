//! A form post has no sender to tell, so that its failure goes to the operator's address.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Letter, World, run, settled, tool};

#[test]
fn a_refused_form_post_is_told_to_the_operator() {
    if !(tool("python3") && tool("curl")) {
        return;
    }
    let world = World::new();
    world.order(FaultRule::on_send(Fault::Status {
        code: 422,
        retry_after: None,
        body: None,
        recorded: false,
    }));
    let relay = world.start();
    let url = format!("http://{}/sms", relay.http);
    let form = ["--silent", "--user", "pbx:swordfish", "-d", "to=oncall", "-d", "text=Missed call: 17", &url];
    let (code, answer) = run("curl", &form);
    assert_eq!(code, Some(0));
    let id = answer.strip_prefix("OK; ID=").and_then(|rest| rest.split('-').next()).unwrap().to_owned();

    let arrived = &world.mailbox.wait_for(1)[0];
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<operator@example.com>"]);
    let letter = Letter::read(arrived);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.header("Subject"), format!("SMS not delivered: form post {id}"));
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    let kinds: Vec<&str> = letter.parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status"], "a form has no headers to return");
    let human = "\
A form post asked for an SMS.
The SMS relay at relay.test reports what became of it.

  Received: DATE
  From:     client pbx at 127.0.0.1, by listener forms

It could not be delivered to:

  oncall (phone +393471234567)
    the SMS platform refused the message (HTTP 422): fault: As ordered
    The platform said: http 422 Unprocessable Entity: fault: As ordered
    Status 5.3.0, SMS ID-1,
    last tried DATE

What you can do:

  - Reach the person in another way, and ask whoever runs the relay what is wrong.

The text that was not delivered:

> Missed call: 17

Whoever runs the relay reads answers to this mail. It was kept under the id
ID.
";
    assert_eq!(settled(letter.human(), &id), human);
    assert_eq!(letter.status("Final-Recipient"), ["x-sms; oncall"]);
    assert_eq!(letter.status("Action"), ["failed"]);
    assert!(relay.terminate().success());
}
