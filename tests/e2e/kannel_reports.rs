//! A client of Kannel is told what became of each SMS as Kannel tells it: by its own URL, of what its mask names.

use std::collections::BTreeMap;

use sms_relay::emulator::{Fault, FaultRule, Outcome};

use crate::support::{Program, Relay, World, run, tool};

const SECRET: &str = "a secret between two";

/// The path of a report, from the point of view of a client that has its own number for each SMS.
const ESCAPES: &str = "status=%25d&id=%25I&to=%25p&from=%25P&reply=%25A&client=%25n&missing=%25B.";

fn start(world: &mut World, program: &Program, usual: &Program) -> Relay {
    world.otherwise.push(("allow_get = true", "allow_get = true\nprofiles = [\"kannel\"]".to_owned()));
    let account = format!(
        "may_choose_sender = true\ncallback_secret = {{ env = \"TELL_SECRET\" }}\ncallback_hosts = [\"{}\"]\ncallback_url = \"{}\"",
        program.address,
        usual.url(),
    );
    world.otherwise.push(("may_choose_sender = true", account));
    world.extra = "[telling]\nbackoff = { first = \"1s\", most = \"1s\" }\n".to_owned();
    world.start_with(&[("TELL_SECRET", SECRET)])
}

/// Sends one SMS whose reports go to `dlr_url`, which is written as in a query.
fn send(relay: &Relay, to: &str, mask: u8, dlr_url: &str) {
    let sent = "/cgi-bin/sendsms?username=pbx&password=swordfish&text=On+battery&from=PBX";
    let dlr_url = dlr_url.replace('&', "%26");
    let url = format!("http://{}{sent}&to=%2B{to}&dlr-mask={mask}&dlr-url={dlr_url}", relay.http);
    let (code, answer) = run("curl", &["--silent", "--show-error", "--globoff", &url]);
    assert_eq!((code, answer.as_str()), (Some(0), "0: Accepted for delivery"));
}

/// The query of a call by its names.
fn query(line: &str) -> BTreeMap<String, String> {
    let target = line.strip_prefix("GET /dlr?").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let target = target.unwrap_or_else(|| panic!("{line}"));
    form_urlencoded::parse(target.as_bytes()).into_owned().collect()
}

#[test]
fn each_end_is_told_by_the_client_s_own_url() {
    if !tool("curl") {
        return;
    }
    let (program, usual) = (Program::listen(&[503]), Program::listen(&[]));
    let mut world = World::new();
    let refuse = Fault::Refuse { reasons: vec!["Blocked & barred".to_owned()] };
    world.order(FaultRule::on_send(refuse).to("+393470000002"));
    let relay = start(&mut world, &program, &usual);
    let dlr = |own: u8| format!("http://{}/dlr?own={own}&{ESCAPES}", program.address);
    send(&relay, "393470000001", 31, &dlr(1));
    // Its first call is answered by 503, and comes again.
    let calls = program.wait_for(2);
    assert_eq!(calls[0].line, calls[1].line);
    send(&relay, "393470000002", 16, &dlr(2));
    let calls = program.wait_for(3);
    for (call, own, status, to, reply) in
        [(&calls[1], "1", "1", "+393470000001", ""), (&calls[2], "2", "16", "+393470000002", "NACK/")]
    {
        let told = query(&call.line);
        assert_eq!((told["own"].as_str(), told["status"].as_str()), (own, status));
        assert_eq!((told["to"].as_str(), told["from"].as_str()), (to, "PBX"));
        assert_eq!((told["client"].as_str(), told["missing"].as_str()), ("pbx", "."));
        assert!(told["reply"].starts_with(reply), "{told:?}");
        assert!(call.body.is_empty(), "{call:?}");
        // The id by which the relay knows it.
        let (id, _) = told["id"].split_once('-').unwrap();
        assert_eq!(relay.fate(id)["messages"][0]["phone"], to);
    }
    assert!(query(&calls[2].line)["reply"].contains("Blocked & barred"), "{}", calls[2].line);
    assert!(usual.wait_for(0).is_empty(), "the form's word counts in place of the account's");
    let log: Vec<String> = relay.log().iter().map(ToString::to_string).collect();
    assert!(!log.iter().any(|line| line.contains("own=1")), "{log:#?}");
    assert!(relay.terminate().success());
}

#[test]
fn what_the_phone_did_not_get_is_2_and_what_the_mask_lacks_is_not_told() {
    if !tool("curl") {
        return;
    }
    let (program, usual) = (Program::listen(&[]), Program::listen(&[]));
    let mut world = World::with_platform(|settings| settings.delivery.outcome = Outcome::Error);
    let relay = start(&mut world, &program, &usual);
    let dlr = |own: u8| format!("http://{}/dlr?own={own}&{ESCAPES}", program.address);
    send(&relay, "393470000001", 29, &dlr(1));
    relay.wait_for_log("its end", |line| line["state"] == "Undelivered");
    send(&relay, "393470000002", 2, &dlr(2));
    let told = query(&program.wait_for(1)[0].line);
    assert_eq!((told["own"].as_str(), told["status"].as_str()), ("2", "2"));
    relay.wait_for_message("program told");
    assert!(relay.terminate().success());
    assert_eq!((program.told().len(), usual.told().len()), (1, 0));
}

#[test]
fn a_url_on_a_host_that_is_not_allowed_is_not_called_and_the_message_goes() {
    if !tool("curl") {
        return;
    }
    let (program, usual) = (Program::listen(&[]), Program::listen(&[]));
    let elsewhere = Program::listen(&[]);
    let mut world = World::new();
    let relay = start(&mut world, &program, &usual);
    send(&relay, "393470000001", 31, &format!("http://{}/dlr?{ESCAPES}", elsewhere.address));
    let line = relay.wait_for_message("a form's callback is not heeded; the form is taken");
    let reason = line["reason"].as_str().unwrap();
    let host = elsewhere.address.to_string();
    assert!(reason.contains(&host) && !reason.contains("status"), "{reason}");
    world.wait_for_platform("it", |record| record.total() == 1);
    // The account's own program is told as if nothing had been asked.
    assert_eq!(usual.wait_for(1)[0].line, "POST /done?shop=1 HTTP/1.1");
    relay.wait_for_message("program told");
    assert!(relay.terminate().success());
    assert_eq!((elsewhere.told().len(), program.told().len()), (0, 0));
}
