//! `docs/webhooks.md` is true: each request in it becomes the SMS beside it, by the profile before it.

use sms_relay::http::Account;

use super::support::account;
use super::webhooks::{door, profiles, texts};

const MANUAL: &str = include_str!("../../docs/webhooks.md");

/// The fenced blocks in order: kind and content.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = MANUAL.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

fn anybody() -> Vec<Account> {
    let anybody = account("monitoring", None);
    vec![Account { may_choose_lane: true, ..anybody }]
}

#[tokio::test]
async fn its_requests_become_what_it_says() {
    let (mut described, mut name) = ("", None);
    let (mut profiles_seen, mut requests) = (0, 0);
    let blocks = blocks();
    for (place, (kind, block)) in blocks.iter().enumerate() {
        match *kind {
            "toml" if block.contains("[[http.profile]]") => {
                profiles_seen += 1;
                described = block;
                name = block.split("name = \"").nth(1).and_then(|rest| rest.split('"').next());
            }
            "http" => {
                requests += 1;
                let names = name.map_or(vec!["alertmanager", "grafana"], |name| vec![name]);
                let door = door(profiles(&names, described), anybody()).await;
                let (line, body) = block.split_once("\n\n").unwrap();
                let length = body.len();
                let request = format!(
                    "{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                );
                let response = door.exchange(request).await;
                assert!(response.starts_with("HTTP/1.1 200 "), "{line}: {response}");
                let said: Vec<String> = door.forms().iter().flat_map(texts).collect();
                let ("text", expected) = blocks[place + 1] else { panic!("no text behind {line}") };
                assert_eq!(said, expected.lines().collect::<Vec<_>>(), "{line}");
                door.close().await;
            }
            _ => {}
        }
    }
    assert_eq!((profiles_seen, requests), (3, 6));
}

#[test]
fn its_table_has_every_path() {
    for name in ["alertmanager", "grafana"] {
        let profile = &profiles(&[name], "")[0];
        for path in profile.endpoints.iter().flat_map(|endpoint| &endpoint.paths) {
            assert!(MANUAL.contains(&format!("| `{name}` | `{path}` |")), "{path}");
        }
    }
}
