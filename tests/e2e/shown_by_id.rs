//! `sms-relay queue show ID` and the page of a message: one id, the same everywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::World;
use crate::support::client::run;
use crate::support::http::ask;

/// What the command prints about `id`, with these options.
fn shown(world: &World, id: &str, options: &[&str]) -> (Option<i32>, String) {
    let config = world.directory.path().join("relay.toml");
    let arguments = [&["queue", "show", id, "--config", config.to_str().unwrap()], options].concat();
    run(env!("CARGO_BIN_EXE_sms-relay"), &arguments)
}

#[test]
fn the_command_shows_a_mail_while_the_relay_runs_and_after_it() {
    let world = World::new();
    let relay = world.start();
    let reply = relay.mail("oncall@sms.local", "Fire in hall 3");
    let id = reply.split(' ').find(|word| word.len() == 26).unwrap_or_else(|| panic!("{reply}")).to_owned();
    let told = relay.look_until(|| {
        let (code, told) = shown(&world, &id, &[]);
        assert_eq!(code, Some(0), "{told}");
        if told.contains(": delivered\n") { Ok(told) } else { Err(told) }
    });
    for piece in [
        format!("{id}: mail of "),
        " from 127.0.0.1".to_owned(),
        format!("\n{id}-1: SMS to oncall@sms.local (+393471234567): delivered\n"),
        "\n  | Fire in hall 3\n".to_owned(),
        "  due        ".to_owned(),
        "  delivered  ".to_owned(),
    ] {
        assert!(told.contains(&piece), "{piece:?}: {told}");
    }
    assert!(relay.terminate().success());
    assert_eq!(shown(&world, &id, &[]), (Some(0), told), "the relay is not needed for it");
}

#[test]
fn command_form_page_and_json_tell_the_same_under_one_id() {
    let world = World::new();
    let relay = world.start();
    let id = relay.post(&[("to", "oncall"), ("text", "Door <3> & gate")]);
    let fate = relay.fate_when(&id, "delivered");
    let (code, printed) = shown(&world, &id, &["--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&printed).unwrap()), (Some(0), fate));
    let (code, printed) = shown(&world, &format!("{id}-1"), &["--json"]);
    let one: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &one["messages"][0]["id"]), (Some(0), &json!(format!("{id}-1"))));

    let page = |key: &str| {
        let browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        ask(relay.http, "GET", &format!("/sms/{id}"), &[browser, key], "")
    };
    let answered = page("X-Api-Key: swordfish");
    assert_eq!(answered.status, 200);
    for piece in [format!("<h2>{id}-1: delivered</h2>"), "<pre>Door &lt;3&gt; &amp; gate</pre>".to_owned()] {
        assert!(answered.body.contains(&piece), "{piece}: {}", answered.body);
    }
    let denied = page("X-Api-Key: wrong");
    assert_eq!(denied.status, 401);
    assert!(!denied.body.contains("gate"), "{}", denied.body);
}

#[test]
fn the_id_of_a_mail_opens_a_page_for_those_who_may_see_all() {
    let mut world = World::new();
    world.extra = r#"
[[http.account]]
name = "night-shift"
username = "anna"
networks = ["127.0.0.0/8"]
password = { env = "ANNA_PASSWORD" }
may_see_all = true
"#
    .to_owned();
    world.otherwise.push(("[[http.listener]]", "[[http.listener]]\napi = true".to_owned()));
    let relay = world.start_with(&[("ANNA_PASSWORD", "correct horse")]);
    let reply = relay.mail("oncall@sms.local", "Fire in hall 3");
    let id = reply.split(' ').find(|word| word.len() == 26).unwrap_or_else(|| panic!("{reply}")).to_owned();
    let anna = format!("Authorization: Basic {}", STANDARD.encode("anna:correct horse"));
    let browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = relay.look_until(|| {
        let page = ask(relay.http, "GET", &format!("/sms/{id}"), &[browser, &anna], "");
        assert_eq!(page.status, 200, "{}", page.body);
        if page.body.contains(&format!("<h2>{id}-1: delivered</h2>")) { Ok(page) } else { Err(page.body) }
    });
    for piece in ["<pre>Fire in hall 3</pre>", "oncall@sms.local (+393471234567)", "<td>delivered</td>"] {
        assert!(page.body.contains(piece), "{piece}: {}", page.body);
    }
    let json = ask(relay.http, "GET", &format!("/v1/messages/{id}-1"), &[&anna], "");
    assert_eq!((json.status, &json.json()["messages"][0]["state"]), (200, &json!("delivered")));

    for (method, path, key, status, words) in [
        ("DELETE", "/sms/", anna.as_str(), 403, "look at it, and not cancel it"),
        ("DELETE", "/v1/messages/", &anna, 403, "look at it, and not cancel it"),
        ("GET", "/sms/", "X-Api-Key: swordfish", 404, "no id of a form of yours"),
        ("GET", "/v1/messages/", "X-Api-Key: swordfish", 404, "no id of a form of yours"),
    ] {
        let denied = ask(relay.http, method, &format!("{path}{id}"), &[key], "");
        assert_eq!(denied.status, status, "{method} {path}: {}", denied.body);
        assert!(denied.body.contains(words) && !denied.body.contains("Fire"), "{}", denied.body);
    }
}

#[test]
fn what_there_is_not_is_told() {
    let world = World::new();
    let id = "01JABCDEFGHJKMNPQRSTVWXYZ0";
    world.write();
    let spool = world.directory.path().join("spool");
    let missing = format!(
        "the spool cannot be used: there is no spool in `{}`; the relay makes it when it first runs\n",
        spool.display()
    );
    assert_eq!(shown(&world, id, &[]), (Some(69), missing));
    assert!(!spool.exists(), "looking makes nothing");
    assert!(world.start().terminate().success());
    assert_eq!(shown(&world, id, &[]), (Some(1), format!("no message has the id {id}\n")));
    let wrong = "`01J` is no id; it has 26 letters and digits, and for one SMS a number behind: ...-1\n";
    assert_eq!(shown(&world, "01J", &[]), (Some(64), wrong.to_owned()));
    let other = world.directory.path().join("other");
    std::fs::create_dir(&other).unwrap();
    rusqlite::Connection::open(other.join("spool.sqlite"))
        .unwrap()
        .execute("CREATE TABLE a (b)", [])
        .unwrap();
    let arguments = ["queue", "show", id, "--spool", other.to_str().unwrap()];
    let (code, told) = run(env!("CARGO_BIN_EXE_sms-relay"), &arguments);
    assert_eq!(code, Some(69));
    assert!(told.ends_with("it is no spool of sms-relay\n"), "{told}");
}
