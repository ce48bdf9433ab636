//! Who may post.

use sms_relay::http::Account;

use super::appliances::built_in;
use super::support::{Door, account, limits, log_lines};

const BODY: &str = "to=391&text=a";
const WRONG: &str = "the user name, password or API key is wrong\n";

fn two() -> Vec<Account> {
    let mut elsewhere = account("elsewhere", Some(("far", "secret3")));
    elsewhere.networks = vec!["192.0.2.0/24".parse().unwrap()];
    vec![
        account("printer", Some(("printer", "secret1"))),
        account("nas", Some(("nas", "secret2"))),
        elsewhere,
    ]
}

async fn send(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let challenge =
        response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(
        challenge.as_deref(),
        (response.status() == 401).then_some("Basic realm=\"sms-relay\", charset=\"UTF-8\"")
    );
    (response.status().as_u16(), response.text().await.unwrap())
}

fn account_of(door: &Door) -> Option<String> {
    door.recorder.forms.lock().unwrap().drain(..).next_back().and_then(|(client, _)| client.account)
}

#[tokio::test]
async fn credentials_come_by_basic_key_or_parameters() {
    let door = Door::with(limits(), two()).await;
    let client = reqwest::Client::new();
    let post = || client.post(door.url("/sms"));
    for (request, name) in [
        (post().basic_auth("printer", Some("secret1")).body(BODY), "printer"),
        (post().header("X-Api-Key", "secret2").body(BODY), "nas"),
        (post().bearer_auth("secret2").body(BODY), "nas"),
        (post().body(format!("{BODY}&username=printer&password=secret1")), "printer"),
        (post().body(format!("user=nas&pass=secret2&{BODY}")), "nas"),
        (post().body(format!("{BODY}&api_key=secret2")), "nas"),
        (client.post(door.url("/sms?login=nas&pass=secret2")).body(BODY), "nas"),
        (client.get(door.get_url(&format!("/sms?{BODY}&user=nas&password=secret2"))), "nas"),
    ] {
        assert_eq!(send(request).await.0, 200);
        assert_eq!(account_of(&door).as_deref(), Some(name));
    }
    door.close().await;
}

#[tokio::test]
async fn wrong_credentials_are_401_and_say_no_more() {
    let door = Door::with(limits(), two()).await;
    let client = reqwest::Client::new();
    let post = || client.post(door.url("/sms"));
    let requests = [
        post().basic_auth("printer", Some("secret2")).body(BODY),
        post().header("X-Api-Key", "secret").body(BODY),
        post().bearer_auth("secret").body(BODY),
        post().body(format!("{BODY}&username=printer")),
        // Headers come before parameters, right as these may be.
        post().header("X-Api-Key", "").body(format!("{BODY}&api_key=secret1")),
        // Right, but not from here: no different.
        post().basic_auth("far", Some("secret3")).body(BODY),
        // Wrong fields are for those who may post.
        post().basic_auth("printer", Some("")).body("text="),
    ];
    let answers = requests.map(|request| tokio::spawn(send(request)));
    for answer in answers {
        assert_eq!(answer.await.unwrap(), (401, WRONG.to_owned()));
    }
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn missing_credentials_are_asked_for() {
    let door = Door::with(limits(), two()).await;
    let client = reqwest::Client::new();
    let missing = (401, "a user name and password are needed, or an API key\n".to_owned());
    assert_eq!(send(client.post(door.url("/sms")).body(BODY)).await, missing);
    assert_eq!(send(client.post(door.url("/sms")).body("user=&pass=&text=")).await, missing);
    assert_eq!(send(client.get(door.get_url("/sms?to=391"))).await, missing);
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn an_address_that_no_account_has_is_403_whatever_it_shows() {
    let mut accounts = two();
    accounts.drain(..2);
    let door = Door::with(limits(), accounts).await;
    let refused = (403, "nobody may post from 127.0.0.1; see the networks of the accounts\n".to_owned());
    let client = reqwest::Client::new();
    assert_eq!(send(client.post(door.url("/sms")).body(BODY)).await, refused);
    let request = client.post(door.url("/sms")).basic_auth("far", Some("secret3"));
    assert_eq!(send(request.body(BODY)).await, refused);
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn accounts_are_exchanged_while_a_connection_stays_open() {
    let door = Door::with(limits(), two()).await;
    let client = reqwest::Client::new();
    let post = || send(client.post(door.url("/sms")).header("X-Api-Key", "secret1").body(BODY));
    assert_eq!(post().await.0, 200);
    door.accounts.store(vec![account("printer", Some(("printer", "new")))].into());
    assert_eq!(post().await, (401, WRONG.to_owned()));
    door.close().await;
}

#[tokio::test]
async fn a_wrong_credential_waits_for_its_answer_while_others_are_served() {
    let door = Door::with(limits(), two()).await;
    let mut guess = door.connect().await;
    let head =
        "POST /sms HTTP/1.1\r\nHost: a\r\nX-Api-Key: guess\r\nContent-Length: 13\r\nConnection: close\r\n";
    guess.send(format!("{head}\r\n{BODY}")).await;
    for _ in 0..5 {
        assert_eq!(reqwest::get(door.url("/healthz")).await.unwrap().status(), 200);
    }
    let early = guess.0.try_read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
    assert!(guess.rest().await.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    door.close().await;
}

#[tokio::test]
async fn an_account_may_be_bound_to_some_apis() {
    let bound = |name: &str, password: &str, profiles: &[&str]| Account {
        profiles: Some(profiles.iter().map(ToString::to_string).collect()),
        ..account(name, Some((name, password)))
    };
    let accounts = vec![
        bound("pbx", "p1", &["kannel"]),
        bound("nas", "p2", &["sms"]),
        bound("erp", "p3", &["api"]),
        bound("cam", "p4", &["clickatell"]),
        account("all", Some(("all", "p5"))),
    ];
    let door = Door::speaking(built_in(&["kannel", "clickatell"]), accounts).await;
    let client = reqwest::Client::new();
    let mut seen = Vec::new();
    for (name, password) in [("pbx", "p1"), ("nas", "p2"), ("erp", "p3"), ("cam", "p4"), ("all", "p5")] {
        let query = format!("to=%2B391&text=a&username={name}&password={password}");
        let kannel = client.get(door.url(&format!("/cgi-bin/sendsms?{query}"))).send().await.unwrap();
        let basic =
            client.get(door.url("/cgi-bin/sendsms?to=%2B391&text=a")).basic_auth(name, Some(password));
        let kannel = [kannel, basic.send().await.unwrap()].map(|response| response.status().as_u16());
        let form = client.post(door.url("/sms")).header("content-type", "application/x-www-form-urlencoded");
        let form = form.body(query.clone()).send().await.unwrap().status().as_u16();
        let asked = client.get(door.url("/sms/01ARZ3NDEKTSV4RRFFQ69G5FAV")).basic_auth(name, Some(password));
        let asked = asked.send().await.unwrap().status().as_u16();
        let api = client.post(door.url("/v1/messages")).basic_auth(name, Some(password));
        let api = api.json(&serde_json::json!({ "to": "+391", "text": "a" })).send().await.unwrap();
        let told = client.get(door.url("/v1/messages?ids=01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        let told = told.basic_auth(name, Some(password)).send().await.unwrap().status().as_u16();
        let login = format!("/http/auth?user={name}&password={password}");
        let login = client.get(door.url(&login)).send().await.unwrap().text().await.unwrap();
        seen.push((name, kannel, form, asked, api.status().as_u16(), told, login[..4].to_owned()));
    }
    let row = |name, kannel, form, asked, api, told, login: &str| {
        (name, [kannel, kannel], form, asked, api, told, login.to_owned())
    };
    assert_eq!(
        seen,
        [
            row("pbx", 202, 403, 403, 403, 403, "ERR:"),
            row("nas", 403, 200, 404, 403, 403, "ERR:"),
            row("erp", 403, 403, 403, 202, 200, "ERR:"),
            row("cam", 403, 403, 403, 403, 403, "OK: "),
            row("all", 202, 200, 404, 202, 200, "OK: "),
        ]
    );
    door.close().await;
}

#[tokio::test]
async fn asking_by_another_api_is_refused_in_its_words_and_the_log_names_it() {
    let nas = Account { profiles: Some(vec!["sms".to_owned()]), ..account("nas", Some(("nas", "secret"))) };
    let door = Door::speaking(built_in(&["kannel", "clickatell"]), vec![nas]).await;
    log_lines();
    let get = |path: &str| reqwest::get(door.url(path));
    let kannel = get("/cgi-bin/sendsms?username=nas&password=secret&to=%2B391&text=a").await.unwrap();
    assert_eq!(kannel.text().await.unwrap(), "Not routable. Do not try again.");
    let lines: Vec<_> = log_lines().into_iter().filter(|line| line.contains("refused")).collect();
    assert_eq!(
        lines,
        [
            "INFO sms_relay::http::submit: form refused status=403 reason=account `nas` may not use `kannel`, but only \
             sms; see its `profiles` account=\"nas\" client=127.0.0.1 listener=\"posts\" profile=\"kannel\" \
             outcome=\"not_allowed\""
        ]
    );
    // Whoever does not know the password learns nothing of that.
    let wrong = get("/cgi-bin/sendsms?username=nas&password=wrong&to=%2B391&text=a").await.unwrap();
    assert_eq!(wrong.text().await.unwrap(), "Authorization failed for sendsms");
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_session_ends_where_its_account_may_not_go_any_more() {
    let bound = |profiles: &[&str]| Account {
        profiles: Some(profiles.iter().map(ToString::to_string).collect()),
        ..account("cam", Some(("cam", "secret")))
    };
    let door = Door::speaking(built_in(&["clickatell"]), vec![bound(&["clickatell"])]).await;
    let login =
        reqwest::get(door.url("/http/auth?user=cam&password=secret")).await.unwrap().text().await.unwrap();
    let session = login.strip_prefix("OK: ").unwrap();
    let send = || async {
        let url = door.url(&format!("/http/sendmsg?session_id={session}&to=391&text=a"));
        reqwest::get(url).await.unwrap().text().await.unwrap()[..8].to_owned()
    };
    door.accounts.store(vec![bound(&["sms"])].into());
    assert_eq!(send().await, "ERR: 114");
    door.accounts.store(vec![bound(&["sms", "clickatell"])].into());
    assert_ne!(send().await, "ERR: 114");
    door.close().await;
}
