//! A form post has no sender to tell, so that its failure goes to the address that its account has for that, or else
//! to the operator's.

use sms_relay::emulator::{Fault, FaultRule, Outcome};

use crate::support::{Letter, Relay, World, run, settled, tool};

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

/// The platform takes both and says only later that they did not arrive.
#[test]
fn a_late_failure_goes_to_the_address_of_the_account_and_another_account_s_to_the_operator() {
    if !(tool("python3") && tool("curl")) {
        return;
    }
    let mut world = World::with_platform(|settings| settings.delivery.outcome = Outcome::Error);
    let accounts = "may_choose_sender = true\nreports_to = \"it@example.com\"\n\n[[http.account]]\nname = \"nas\"\n\
                    networks = [\"127.0.0.0/8\"]\npassword = { env = \"PBX_PASSWORD\" }";
    world.otherwise.push(("may_choose_sender = true", accounts.to_owned()));
    let relay = world.start();
    let post = |relay: &Relay, account: &str| {
        let url = format!("http://{}/sms", relay.http);
        let user = format!("{account}:swordfish");
        let (code, answer) = run(
            "curl",
            &["--silent", "--user", &user, "-d", "to=oncall", "-d", "text=Missed call: 17", &url],
        );
        assert_eq!(code, Some(0));
        answer.strip_prefix("OK; ID=").and_then(|rest| rest.split('-').next()).unwrap().to_owned()
    };
    let own = post(&relay, "pbx");
    world.mailbox.wait_for(1);
    let other = post(&relay, "nas");
    let arrived = world.mailbox.wait_for(2);
    for (arrived, id, to, phone) in [
        (&arrived[0], &own, "it@example.com", "oncall (phone +39347•••4567)"),
        (&arrived[1], &other, "operator@example.com", "oncall (phone +393471234567)"),
    ] {
        assert_eq!(arrived.rcpt_to, [format!("RCPT TO:<{to}>")]);
        let letter = Letter::read(arrived);
        assert_eq!(letter.defects, [""; 0]);
        assert_eq!(letter.header("Subject"), format!("SMS not delivered: form post {id}"));
        let kinds: Vec<&str> = letter.parts.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["text/plain", "message/delivery-status"]);
        assert_eq!(letter.status("Final-Recipient"), ["x-sms; oncall"]);
        assert_eq!(letter.status("Original-Recipient"), [""; 0], "a form has no ORCPT");
        assert_eq!(letter.status("Action"), ["failed"]);
        assert_eq!(letter.status("Status"), ["5.4.0"]);
        assert!(letter.human().contains(&format!("\n  {phone}\n")), "{}", letter.human());
    }
    // A reload changes it.
    world.otherwise[0].1 = accounts.replace("it@", "desk@");
    world.write();
    relay.reload();
    post(&relay, "pbx");
    assert_eq!(world.mailbox.wait_for(3)[2].rcpt_to, ["RCPT TO:<desk@example.com>"]);
    assert!(relay.terminate().success());
}
