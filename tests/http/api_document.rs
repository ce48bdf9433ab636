//! `/v1/openapi.json`.

use reqwest::header::IF_NONE_MATCH;
use reqwest::{Method, Response};
use serde_json::Value;

use super::contract;
use super::status::two;
use super::support::{Door, limits};

const PATH: &str = "/v1/openapi.json";

async fn ask(door: &Door, method: Method, known: Option<&str>) -> Response {
    let request = reqwest::Client::new().request(method, door.url(PATH));
    let request = known.into_iter().fold(request, |request, tag| request.header(IF_NONE_MATCH, tag));
    request.send().await.unwrap()
}

#[tokio::test]
async fn it_is_given_to_whoever_may_come_from_there() {
    let door = Door::with(limits(), two()).await;
    let answer = contract::read("get", ask(&door, Method::GET, None).await).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut written: Value = serde_json::from_str(include_str!("../../src/http/v1/openapi.json")).unwrap();
    written["info"]["version"] = answer.body["info"]["version"].clone();
    assert_eq!(answer.body, written);
    let head = contract::read("head", ask(&door, Method::HEAD, None).await).await;
    assert_eq!(head.headers["etag"], answer.headers["etag"]);
    assert_eq!(head.headers["content-length"], answer.headers["content-length"]);
    let put = contract::read("put", ask(&door, Method::PUT, None).await).await;
    assert_eq!((put.status, put.headers["allow"].to_str().unwrap()), (405, "GET, HEAD"));
    door.accounts.store(Vec::new().into());
    assert_eq!(contract::read("get", ask(&door, Method::GET, None).await).await.status, 403);
    door.close().await;
}

#[tokio::test]
async fn who_has_it_is_told_so() {
    let door = Door::with(limits(), two()).await;
    let tag = ask(&door, Method::GET, None).await.headers()["etag"].to_str().unwrap().to_owned();
    for method in [Method::GET, Method::HEAD] {
        let answer = contract::read(method.as_str(), ask(&door, method.clone(), Some(&tag)).await).await;
        assert_eq!((answer.status, answer.headers["etag"].to_str().unwrap()), (304, tag.as_str()));
    }
    assert_eq!(contract::read("get", ask(&door, Method::GET, Some("\"other\"")).await).await.status, 200);
    door.close().await;
}

#[tokio::test]
async fn a_listener_without_the_api_has_no_document() {
    let door = Door::with(limits(), two()).await;
    let response = reqwest::get(door.get_url(PATH)).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.text().await.unwrap(), "there is nothing here; forms go to /sms\n");
    door.close().await;
}

#[tokio::test]
async fn what_is_not_in_it_is_not_there() {
    let door = Door::with(limits(), two()).await;
    for path in ["/v1/messages/", "/v1/messages/a/b", "/v1/message", "/v1/openapi.yaml"] {
        let response = reqwest::get(door.url(path)).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let told: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let detail = format!("there is nothing at `{path}`; messages are at /v1/messages");
        assert_eq!((&told["status"], &told["detail"]), (&404.into(), &detail.into()));
    }
    door.close().await;
}
