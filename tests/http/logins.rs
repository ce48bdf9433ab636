//! Hashed credentials, and clients that show wrong ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sms_relay::credential::{ApiKeyHash, PasswordHash};
use sms_relay::http::{Account, Limits, Login, Proof};
use sms_relay::model::Secret;

use super::support::{Door, account, limits, log_lines};

const BODY: &str = "to=391&text=a";
const WRONG: &str = "the user name, password or API key is wrong\n";
const TOO_MANY: &str = "there were too many wrong credentials from your address; come again later\n";
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn hash(password: &str) -> PasswordHash {
    PasswordHash::new(&Secret::from(password), [7; 16]).unwrap()
}

fn hashed(name: &str, proof: Proof) -> Account {
    Account { login: Some(Login { username: name.to_owned(), proof }), ..account(name, None) }
}

fn both() -> Vec<Account> {
    let key = ApiKeyHash::new(&Secret::from(KEY)).unwrap();
    vec![
        hashed("shop", Proof::Hash(hash("secret1"))),
        hashed("camera", Proof::HashAndKey(hash("secret2"), key)),
    ]
}

async fn send(request: reqwest::RequestBuilder) -> (u16, String, Option<u64>) {
    let response = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let retry_after =
        response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (response.status().as_u16(), response.text().await.unwrap(), retry_after)
}

/// Those of failed authentications.
async fn counted(door: &Door) -> BTreeMap<String, u64> {
    let text = reqwest::get(door.get_url("/metrics")).await.unwrap().text().await.unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("sms_relay_http_auth_failures_total"));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(labels, n)| (labels.to_owned(), n.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn hashed_credentials_come_by_basic_key_or_parameters() {
    let door = Door::with(limits(), both()).await;
    let client = reqwest::Client::new();
    let post = || client.post(door.url("/sms"));
    for (request, name) in [
        (post().basic_auth("shop", Some("secret1")).body(BODY), "shop"),
        (post().body(format!("{BODY}&username=camera&password=secret2")), "camera"),
        (post().header("X-Api-Key", KEY).body(BODY), "camera"),
        (post().body(format!("{BODY}&api_key={KEY}")), "camera"),
    ] {
        assert_eq!(send(request).await.0, 200);
        let (client, _) = door.recorder.forms.lock().unwrap().pop().unwrap();
        assert_eq!(client.account.as_deref(), Some(name));
    }
    let requests = [
        post().basic_auth("shop", Some("secret2")).body(BODY),
        post().basic_auth("nobody", Some("secret1")).body(BODY),
        post().basic_auth("camera", Some(KEY)).body(BODY),
        post().header("X-Api-Key", "secret1").body(BODY),
        post().header("X-Api-Key", hash("secret1").as_str()).body(BODY),
        post().header("X-Api-Key", ApiKeyHash::new(&Secret::from(KEY)).unwrap().to_string()).body(BODY),
    ];
    for answer in futures_of(requests).await {
        assert_eq!(answer, (401, WRONG.to_owned(), None));
    }
    assert_eq!(door.forms(), []);
    door.close().await;
}

/// All at once, as each waits a second.
async fn futures_of<const N: usize>(
    requests: [reqwest::RequestBuilder; N],
) -> Vec<(u16, String, Option<u64>)> {
    let sent: Vec<_> = requests.map(|request| tokio::spawn(send(request))).into();
    let mut answers = Vec::new();
    for one in sent {
        answers.push(one.await.unwrap());
    }
    answers
}

/// A hash of half a second: what is posted a hundred times costs one.
#[tokio::test]
async fn a_right_password_is_hashed_once_and_again_after_a_reload() {
    let door = Door::with(limits(), both()).await;
    let client = reqwest::Client::new();
    let post = |password: &'static str| {
        let request = client.post(door.url("/sms")).basic_auth("shop", Some(password)).body(BODY);
        async move { send(request).await.0 }
    };
    let timed = Instant::now();
    assert!(hash("secret1").verify("secret1"));
    let one = timed.elapsed() / 2;
    let timed = Instant::now();
    for _ in 0..200 {
        assert_eq!(post("secret1").await, 200);
    }
    let all = timed.elapsed();
    assert!(all < 100 * one, "200 posts took {all:?}, where one hash takes {one:?}");
    door.accounts.store(Arc::new(vec![hashed("shop", Proof::Hash(hash("changed")))]));
    assert_eq!(post("secret1").await, 401);
    assert_eq!(post("changed").await, 200);
    door.close().await;
}

#[tokio::test]
async fn a_client_with_too_many_wrong_credentials_waits() {
    let few = Limits { auth_failures: 2, auth_window: Duration::from_secs(300), ..limits() };
    let mut accounts = both();
    accounts.push(account("open", None));
    accounts.push(account("plain", Some(("plain", "secret3"))));
    let door = Door::with(few, accounts).await;
    let client = reqwest::Client::new();
    let post = || client.post(door.url("/sms")).body(BODY);
    for wrong in [post().basic_auth("shop", Some("secret2")), post().basic_auth("plain", Some("secret1"))] {
        let asked = Instant::now();
        assert_eq!(send(wrong).await, (401, WRONG.to_owned(), None));
        assert!(asked.elapsed() >= Duration::from_secs(1), "answered at once");
    }
    // The third is refused, whatever it shows; so is a question.
    for refused in [
        post().basic_auth("shop", Some("secret2")),
        post().basic_auth("shop", Some("secret1")),
        post().basic_auth("plain", Some("secret3")),
        post().header("X-Api-Key", KEY),
        client.get(door.url("/sms/01ARZ3NDEKTSV4RRFFQ69G5FAV")).basic_auth("shop", Some("secret1")),
    ] {
        let (status, text, retry_after) = send(refused).await;
        assert_eq!((status, text.as_str()), (429, TOO_MANY));
        assert!(retry_after.is_some_and(|seconds| (290..=300).contains(&seconds)), "{retry_after:?}");
    }
    assert_eq!(send(post()).await.0, 200, "without a credential there is no attempt");
    let all = counted(&door).await;
    let expected = [("failed", 2), ("limited", 5), ("unavailable", 0)];
    let expected = expected.map(|(result, n)| (format!("{{result=\"{result}\"}}"), n));
    assert_eq!(all, BTreeMap::from(expected));
    door.close().await;
}

#[tokio::test]
async fn the_log_tells_of_twenty_refused_clients_a_minute() {
    let none = Limits { auth_failures: 1, ..limits() };
    let door = Door::with(none, both()).await;
    let client = reqwest::Client::new();
    let post = || client.post(door.url("/sms")).body(BODY).basic_auth("shop", Some("secret2"));
    assert_eq!(send(post()).await.0, 401);
    for _ in 0..30 {
        assert_eq!(send(post()).await.0, 429);
    }
    let lines = log_lines().into_iter().filter(|line| line.contains("form refused")).collect::<Vec<_>>();
    assert_eq!(lines.len(), 20, "{lines:#?}");
    assert!(
        lines[1].contains("status=429") && lines[1].contains("too many wrong credentials"),
        "{}",
        lines[1]
    );
    assert!(!lines.concat().contains("secret2"));
    door.close().await;
}
