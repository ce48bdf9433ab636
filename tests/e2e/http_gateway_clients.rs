//! Clients of other gateways, as they come from their makers: Debian's for Kannel, and a Python package for Clickatell.

use serde_json::Value;

use crate::support::{World, perl_clients, python_clients, script, tool};

#[test]
fn a_client_of_kannel() {
    let Some(perl) = perl_clients().filter(|_| tool("perl")) else { return };
    let world = World::speaking(&["kannel"]);
    let relay = world.start();
    let url = relay.url("/cgi-bin/sendsms");
    let send = |password, to, text| script(&perl, "perl", "kannel.pl", &[&url, password, to, text]);

    let (code, printed) = send("guessed", "+393470000001", "x");
    assert_ne!(code, Some(0), "{printed}");
    assert!(printed.contains("403 Forbidden"), "{printed}");
    let (code, printed) = send("swordfish", "+447911123456", "x");
    assert_ne!(code, Some(0), "{printed}");

    let (code, printed) = send("swordfish", "+393470000001 +393470000002", "Kühlung è aus");
    assert_eq!((code, printed.lines().last()), (Some(0), Some("0: Accepted for delivery")), "{printed}");
    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Kannel"),
        ("+393470000002", "Kühlung è aus", "Kannel"),
    ]);
    assert!(relay.terminate().success());
}

#[test]
fn a_client_of_clickatell_by_way_of_a_proxy() {
    let Some(mut python) = python_clients().filter(|_| tool("python3")) else { return };
    let world = World::speaking(&["clickatell"]);
    let relay = world.start();
    python.extend([format!("http_proxy={}", relay.url("")), "no_proxy=".to_owned()]);
    let send = |how, password, to: &[&str]| -> Value {
        let arguments = [&[how, "pbx", password, "Kühlung è aus"], to].concat();
        let (code, printed) = script(&python, "python3", "clickatell_http.py", &arguments);
        assert_eq!(code, Some(0), "{printed}");
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    };

    let told = send("plain", "guessed", &["393470000001"]);
    assert_eq!((&told[0]["id"], &told[0]["errorCode"]), (&Value::Bool(false), &"001".into()), "{told}");

    let told = send("plain", "swordfish", &["393470000001"]);
    assert_eq!(told[0]["id"].as_str().map(str::len), Some(32), "{told}");
    assert_eq!(told[0]["error"], false, "{told}");
    let told = send("unicode", "swordfish", &["393470000002", "447911123456", "+393470000003"]);
    let of_each =
        [0, 1, 2].map(|at| (&told[at]["destination"], &told[at]["error"], told[at]["id"].is_string()));
    let (none, refused) = (Value::Bool(false), Value::from("Invalid destination address"));
    let to = ["393470000002", "447911123456", "393470000003"].map(Value::from);
    assert_eq!(of_each, [(&to[0], &none, true), (&to[1], &refused, false), (&to[2], &none, true)]);

    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393470000002", "Kühlung è aus", "Relay"),
        ("+393470000003", "Kühlung è aus", "Relay"),
    ]);
    assert!(relay.terminate().success());
}
