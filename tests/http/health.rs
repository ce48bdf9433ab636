//! What supervisors ask.

use super::support::{Door, limits};

async fn ask(url: String) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn health_and_readiness_need_no_account() {
    let door = Door::with(limits(), Vec::new()).await;
    assert_eq!(ask(door.url("/healthz")).await, (200, "alive\n".to_owned()));
    assert_eq!(ask(door.url("/readyz")).await, (200, "ready\n".to_owned()));
    door.close().await;
}

#[tokio::test]
async fn readiness_tells_every_reason() {
    let door = Door::open().await;
    *door.recorder.not_ready.lock().unwrap() =
        vec!["the spool is full".to_owned(), "the account is refused".to_owned()];
    assert_eq!(
        ask(door.url("/readyz")).await,
        (503, "not ready: the spool is full\nnot ready: the account is refused\n".to_owned())
    );
    let json = reqwest::Client::new().get(door.url("/readyz")).header("accept", "application/json");
    let response = json.send().await.unwrap();
    assert_eq!(
        response.text().await.unwrap(),
        "{\"ready\":false,\"reasons\":[\"the spool is full\",\"the account is refused\"]}"
    );
    assert_eq!(ask(door.url("/healthz")).await.0, 200);
    door.close().await;
}

#[tokio::test]
async fn health_is_read_and_not_written() {
    let door = Door::open().await;
    let client = reqwest::Client::new();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client.head(door.url(path)).send().await.unwrap().status(), 200);
        let post = client.post(door.url(path)).send().await.unwrap();
        assert_eq!((post.status().as_u16(), post.headers()["allow"].as_bytes()), (405, &b"GET, HEAD"[..]));
    }
    door.close().await;
}
