//! What appliances send by a URL in their forms, and what monitoring systems look at in an answer.

use sms_relay::config;
use sms_relay::http::Account;
use sms_relay::profile::Profile;

use super::support::{Door, ID, account, form, limits};

/// Built-in profiles, as the configuration makes them.
pub(crate) fn built_in(names: &[&str]) -> Vec<std::sync::Arc<Profile>> {
    let account = "name = \"a\"\nwithout_password = true\n";
    configured(names, account).http.listeners[0].profiles.clone()
}

/// A configuration with a listener that speaks these, and one account.
fn configured(names: &[&str], account: &str) -> config::Config {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    let written = format!(
        "[[http.listener]]\nbind = \"127.0.0.1:0\"\nprofiles = {names:?}\n[[http.account]]\n{account}[routing]\n\
         allowed = [\"+39\"]\n[defaults]\nsender = \"Relay\"\n[spool]\ndirectory = \"spool\"\n[gateway]\n\
         url = \"http://127.0.0.1:9\"\ncredentials = \"emulator\"\n[reporting]\nto = \"off\"\n"
    );
    std::fs::write(&path, written).unwrap();
    let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.to_string(), "");
    loaded.config
}

fn nas() -> Vec<Account> {
    vec![account("nas", Some(("nas", "secret")))]
}

async fn get(url: String) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_text_is_decoded_as_often_as_its_sender_encodes_it() {
    let door = Door::speaking(built_in(&["synology", "qnap", "prtg"]), nas()).await;
    for path in [
        "/synology?user=nas&password=secret&to=+391&text=hello+world",
        // Once only: what looks encoded is the text.
        "/synology?user=nas&password=secret&to=%2B391&text=100%2525",
        "/qnap?user=nas&password=secret&to=%2B391&text=%5BNAS%5D%20%2541",
        "/prtg?user=nas&password=secret&to=%2B391&text=Ping%20%28DOWN%29%20100%25",
        "/prtg?user=nas&password=secret&to=%252B391&text=Ping%2520%2528DOWN%2529",
    ] {
        assert_eq!(get(door.url(path)).await.0, 200, "{path}");
    }
    let text = |text| form(&["+391"], text);
    assert_eq!(
        door.forms(),
        [
            text("hello world"),
            text("100%25"),
            text("[NAS] %41"),
            text("Ping (DOWN) 100%"),
            text("Ping (DOWN)")
        ]
    );
    door.close().await;
}

/// LibreNMS takes an SMS for sent by a body that begins with `OK`, or by a code of at most 202.
#[tokio::test]
async fn what_librenms_looks_at_is_there() {
    let door = Door::speaking(built_in(&["smseagle", "playsms"]), nas()).await;
    for path in [
        "/sms?username=nas&password=secret&to=%2B391&text=Device+down",
        "/http_api/send_sms?login=nas&pass=secret&to=391&message=Device+down",
    ] {
        let url = if path.starts_with("/sms") { door.get_url(path) } else { door.url(path) };
        let (code, body) = get(url).await;
        assert!(code <= 202 && body.starts_with("OK"), "{path}: {code} {body}");
    }
    let playsms = "/index.php?app=ws&op=pv&u=nas&h=secret&to=%2B391&msg=Device+down";
    assert_eq!(get(door.url(playsms)).await.0, 200);
    // A device that tests for `OK` must not find it in a refusal.
    let (code, body) = get(door.get_url("/sms?username=nas&password=secret&to=%2B391")).await;
    assert!(code > 202 && !body.starts_with("OK"), "{code} {body}");
    assert_eq!(door.forms().len(), 3);
    door.close().await;
}

#[tokio::test]
async fn an_account_may_have_its_own_answer_to_what_was_taken() {
    let own = r#"
        name = "cam"
        without_password = true
        accepted = { status = 202, type = "text/html", body = "<b>{{ messages[0].phone }}</b> {{ id }}" }
    "#;
    let configured = configured(&["teltonika"], own);
    let door = Door::speaking(built_in(&["teltonika"]), configured.accounts).await;
    let response = reqwest::get(door.get_url("/sms?to=%2B393471234567&text=a")).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
        (202, &b"text/html"[..])
    );
    assert_eq!(response.text().await.unwrap(), format!("<b>+393471234567</b> {ID}"));
    // Also in the place of JSON: it is what this client looks for.
    let client = reqwest::Client::new();
    let json = client.post(door.url("/sms")).json(&serde_json::json!({ "to": "+393471234567", "text": "a" }));
    assert_eq!(json.send().await.unwrap().text().await.unwrap(), format!("<b>+393471234567</b> {ID}"));
    // Refusals and other APIs are as they were.
    let refused = reqwest::get(door.get_url("/sms?to=%2B393471234567")).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().starts_with("there is no `text`"));
    assert_eq!(
        get(door.url("/cgi-bin/sms_send?number=%2B393471234567&text=a")).await,
        (200, "OK\n".to_owned())
    );
    assert!(door.forms().iter().all(|form| !form.partial));
    door.close().await;
}

#[tokio::test]
async fn an_own_answer_is_given_on_its_conditions_and_may_tell_each_destination() {
    let own = r#"
        name = "cam"
        without_password = true
        [[http.account.accepted]]
        for = "json"
        type = "application/json"
        body = '{"sent":{{ recipients|selectattr("ok")|list|length }}}'
        [[http.account.accepted]]
        when = { format = "short" }
        body = "1"
    "#;
    let door = Door::with(limits(), configured(&[], own).accounts).await;
    let client = reqwest::Client::new();
    let json = client
        .post(door.url("/sms"))
        .json(&serde_json::json!({ "to": ["+393471234567", "nobody"], "text": "a" }));
    assert_eq!(json.send().await.unwrap().text().await.unwrap(), "{\"sent\":1}");
    assert_eq!(get(door.get_url("/sms?to=%2B393471234567&text=a&format=short")).await, (200, "1".to_owned()));
    let usual = format!("OK; ID={ID}-1; TO=+393471234567; PARTS=1\n");
    assert_eq!(get(door.get_url("/sms?to=%2B393471234567&text=a")).await, (200, usual));
    assert_eq!(door.forms().iter().map(|form| form.partial).collect::<Vec<_>>(), [true, false, false]);
    door.close().await;
}
