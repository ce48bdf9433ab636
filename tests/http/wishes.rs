//! What a form may wish for: a time, a lane, and whom to tell.

use serde_json::json;
use sms_relay::http::{Account, Program};
use sms_relay::intake::Form;
use sms_relay::model::{Lane, Secret, TellStyle, TellUrl};
use sms_relay::telling::AllowedHost;

use super::support::{Door, account, limits};

fn shop() -> Account {
    Account {
        may_choose_lane: true,
        program: Some(Program {
            url: Some("https://shop.example.com/usual".to_owned()),
            hosts: ["shop.example.com", "shop.example.com:8080", "[2001:db8::1]:8443", "192.0.2.1"]
                .map(|written| AllowedHost::parse(written).unwrap())
                .into(),
            secret: Secret::from("k3y"),
        }),
        ..account("shop", None)
    }
}

async fn post(door: &Door, body: &str) -> (u16, String) {
    let request = reqwest::Client::new().post(door.url("/sms"));
    let response = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("to=391&text=a&{body}"))
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// What comes of a post that is taken.
async fn taken(door: &Door, body: &str) -> Form {
    let (status, answer) = post(door, body).await;
    assert_eq!(status, 200, "{body} {answer}");
    door.recorder.forms.lock().unwrap().pop().unwrap().1
}

#[tokio::test]
async fn a_form_names_its_time_under_several_names() {
    let door = Door::open().await;
    let at = "2031-01-31T06:30:00Z".parse().unwrap();
    for body in [
        "deliver_at=2031-01-31T07:30:00%2B01:00",
        // An unescaped plus is a space when it comes here.
        "send_at=2031-01-31T07:30:00+01:00",
        "schedule=2031-01-31+06:30:00Z&deliver_at=",
        "SCHEDULEDDATE=2031-01-31 06:30:00.000%2b0000",
    ] {
        assert_eq!(taken(&door, body).await.deliver_at, Some(at), "{body}");
    }
    assert_eq!(taken(&door, "deliver_at=").await.deliver_at, None);
    let json = json!({ "to": "391", "text": "a", "deliver_at": "2031-01-31T07:30:00+01:00" });
    let response = reqwest::Client::new().post(door.url("/sms")).json(&json).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(door.forms().pop().unwrap().deliver_at, Some(at));
    door.close().await;
}

#[tokio::test]
async fn a_time_that_is_none_is_400_and_shown() {
    let door = Door::open().await;
    let words = "is not a time; write it like 2031-01-31T07:30:00+01:00, or 2031-01-31 07:30 in the time of this \
                 relay\n";
    assert_eq!(post(&door, "deliver_at=tomorrow").await, (400, format!("`tomorrow` {words}")));
    let (status, answer) = post(&door, "deliver_at=2031-01-31T07:30Z&schedule=2031-01-31T07:30Z").await;
    assert_eq!(
        (status, answer.as_str()),
        (400, "`deliver_at` and `schedule` are both given; give one, once\n")
    );
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_lane_is_for_accounts_that_may_choose() {
    let door = Door::with(limits(), vec![shop()]).await;
    for (written, lane) in [("critical", Lane::Critical), ("Normal", Lane::Normal), ("bulk", Lane::Bulk)] {
        assert_eq!(taken(&door, &format!("lane={written}")).await.lane, Some(lane));
    }
    assert_eq!(taken(&door, "lane=").await.lane, None);
    let (status, answer) = post(&door, "lane=urgent").await;
    assert_eq!(
        (status, answer.as_str()),
        (400, "`urgent` is not a lane; write one of critical, normal, bulk\n")
    );
    door.accounts.store(vec![account("lab", None)].into());
    let (status, answer) = post(&door, "lane=bulk").await;
    let words = "account `lab` may not choose the lane; leave out `lane`, or set may_choose_lane = true for the \
                 account\n";
    assert_eq!((status, answer.as_str()), (403, words));
    door.close().await;
}

#[tokio::test]
async fn who_is_told_is_the_accounts_word_or_a_form_s_where_its_host_is_allowed() {
    let door = Door::with(limits(), vec![shop()]).await;
    let to = |url: &str| {
        Some(TellUrl { url: url.to_owned(), account: "shop".to_owned(), style: TellStyle::Signed })
    };
    assert_eq!(taken(&door, "").await.tell_url, to("https://shop.example.com/usual"));
    for (written, url) in [
        ("https://shop.example.com/7?a%3D1", "https://shop.example.com/7?a=1"),
        ("http://SHOP.example.com:8080", "http://shop.example.com:8080/"),
        ("https://[2001:db8:0::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://shop.example.com:443/", "https://shop.example.com/"),
        ("http://shop.example.com:80/", "http://shop.example.com/"),
        // One number, written in another way, is the same host.
        ("http://3221225985/", "http://192.0.2.1/"),
    ] {
        assert_eq!(taken(&door, &format!("callback_url={written}")).await.tell_url, to(url), "{written}");
    }
    door.close().await;
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_400_by_name() {
    let door = Door::with(limits(), vec![shop()]).await;
    let not_allowed = |host: &str| {
        let words = "of `callback_url` is not one of the callback_hosts of account `shop`; name a program that is, or \
                     have the operator add this one\n";
        (400, format!("`{host}` {words}"))
    };
    for (written, host) in [
        ("https://example.com/", "example.com"),
        ("https://shop.example.com.evil.example/", "shop.example.com.evil.example"),
        ("https://evil.example/shop.example.com", "evil.example"),
        ("https://evil.example%23shop.example.com/", "evil.example"),
        ("https://evil.example%5c@shop.example.com/", "evil.example"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://0/", "0.0.0.0"),
        ("https://shop.example.com./", "shop.example.com."),
        // A port that nobody allowed, and one that another host has.
        ("https://shop.example.com:8443/", "shop.example.com:8443"),
        ("http://shop.example.com:443/", "shop.example.com:443"),
        ("https://shop.example.com:80/", "shop.example.com:80"),
        ("http://192.0.2.1:22/", "192.0.2.1:22"),
        ("https://[2001:db8::1]/", "[2001:db8::1]"),
    ] {
        assert_eq!(post(&door, &format!("callback_url={written}")).await, not_allowed(host), "{written}");
    }
    for written in
        ["file:///etc/passwd", "shop.example.com", "https://user@shop.example.com/", "//shop.example.com"]
    {
        let (status, answer) = post(&door, &format!("callback_url={written}")).await;
        assert_eq!(status, 400, "{written}");
        assert!(answer.starts_with("`callback_url` cannot be called: it "), "{answer}");
    }
    // Neither hosts nor a program.
    door.accounts.store(vec![account("lab", None)].into());
    let (status, answer) = post(&door, "callback_url=https://shop.example.com/").await;
    assert_eq!(status, 400);
    assert!(answer.contains("`shop.example.com`") && answer.contains("account `lab`"), "{answer}");
    assert_eq!(taken(&door, "").await.tell_url, None);
    door.close().await;
}
