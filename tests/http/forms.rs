//! What a form says, and what is answered.

use std::time::Duration;

use sms_relay::intake::{Refusal, RefusalKind};
use sms_relay::model::{Client, Door as Kind};

use super::support::{Door, ID, LOOPBACK, form};

const FORM: &str = "application/x-www-form-urlencoded";

async fn post(door: &Door, content_type: &str, body: &str) -> (u16, String) {
    let request = reqwest::Client::new().post(door.url("/sms")).header("content-type", content_type);
    let response = request.body(body.to_owned()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_form_is_submitted_and_answered_with_its_ids() {
    let door = Door::open().await;
    let answer = post(&door, FORM, "to=%2B393471234567,oncall&text=Caff%C3%A8+pronto").await;
    assert_eq!(answer, (200, format!("OK; ID={ID}-1; TO=+393471234567; PARTS=1\n")));
    let recorded = door.recorder.forms.lock().unwrap().clone();
    let client = Client {
        door: Kind::Http,
        listener: "posts".to_owned(),
        address: LOOPBACK,
        helo: None,
        account: Some("lab".to_owned()),
    };
    assert_eq!(recorded, [(client, form(&["+393471234567", "oncall"], "Caffè pronto"))]);
    door.close().await;
}

#[tokio::test]
async fn the_page_of_another_site_may_not_post_without_a_credential() {
    let door = Door::open().await;
    let from = async |origin: String| {
        let body = "to=391&text=a";
        let request = format!(
            "POST /sms HTTP/1.1\r\nHost: relay.lan:8025\r\nOrigin: {origin}\r\nConnection: close\r\nContent-Type: {FORM}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        door.exchange(request).await
    };
    let answer = from("https://example.com".to_owned()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("the page of another site may not ask"), "{answer}");
    assert_eq!(door.forms(), []);
    let answer = from("http://relay.lan:8025".to_owned()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    door.close().await;
}

#[tokio::test]
async fn json_is_answered_in_json() {
    let door = Door::open().await;
    let body = r#"{"phone_number":"+393471234567","message":"Disk\nfull"}"#;
    assert_eq!(
        post(&door, "application/json", body).await,
        (
            200,
            format!(
                "{{\"id\":\"{ID}\",\"messages\":[{{\"destination\":\"+393471234567\",\
                 \"id\":\"{ID}-1\",\"parts\":1}}]}}"
            )
        )
    );
    assert_eq!(door.forms(), [form(&["+393471234567"], "Disk\nfull")]);
    assert_eq!(
        post(&door, "application/json", "{\"to\":1}").await,
        (
            400,
            "{\"error\":\"there is no `text`, or it is empty; these names are taken: text, message, msg, body, \
             content\"}"
                .to_owned()
        )
    );
    door.close().await;
}

#[tokio::test]
async fn a_form_without_text_or_destination_is_refused_by_name() {
    let door = Door::open().await;
    assert_eq!(
        post(&door, FORM, "to=%2B393471234567&text=").await,
        (
            400,
            "there is no `text`, or it is empty; these names are taken: text, message, msg, body, content\n"
                .to_owned()
        )
    );
    assert_eq!(
        post(&door, FORM, "text=a").await,
        (
            400,
            "there is no `to`, or it is empty; these names are taken: to, number, phone, phone_number, phones, \
             num, dst, recipient\n"
                .to_owned()
        )
    );
    assert_eq!(
        post(&door, FORM, "to=391&text=%E8").await,
        (
            400,
            "`text` is not valid UTF-8; send UTF-8, or declare the charset in Content-Type or in `_charset_`\n"
                .to_owned()
        )
    );
    assert_eq!(post(&door, "text/xml", "<to/>").await.0, 415);
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_refusal_of_the_submitter_keeps_its_words_and_its_status() {
    let door = Door::open().await;
    let seconds = Duration::from_secs;
    for (kind, status, wait) in [
        (RefusalKind::UnknownRecipient, 400, None),
        (RefusalKind::NotAllowed, 403, None),
        (RefusalKind::TooMany, 413, None),
        (RefusalKind::StorageUnavailable, 503, Some("10")),
        (RefusalKind::TooFast { retry_after: seconds(7) }, 429, Some("7")),
        (RefusalKind::TooFast { retry_after: Duration::from_millis(7001) }, 429, Some("8")),
        (RefusalKind::QuotaSpent { retry_after: seconds(90_000) }, 429, Some("90000")),
    ] {
        *door.recorder.refusal.lock().unwrap() = Some(Refusal { kind, text: format!("{kind:?} it is") });
        let request = reqwest::Client::new().post(door.url("/sms")).header("content-type", FORM);
        let response = request.body("to=391&text=a").send().await.unwrap();
        assert_eq!(response.status(), status);
        let retry_after =
            response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(retry_after.as_deref(), wait);
        assert_eq!(response.text().await.unwrap(), format!("{kind:?} it is\n"));
    }
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn get_is_for_listeners_that_allow_it() {
    let door = Door::open().await;
    let path = "/sms?to=+393471234567&text=a%2Bb+c";
    let refused = reqwest::get(door.url(path)).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["allow"].as_bytes()), (405, &b"POST"[..]));
    assert_eq!(refused.text().await.unwrap(), "this method is not taken here; use POST\n");
    assert_eq!(door.forms(), []);
    let taken = reqwest::get(door.get_url(path)).await.unwrap();
    assert_eq!(taken.status(), 200);
    assert_eq!(door.forms(), [form(&["+393471234567"], "a+b c")]);
    assert_eq!(door.recorder.forms.lock().unwrap()[0].0.listener, "gets");
    door.close().await;
}

#[tokio::test]
async fn head_never_submits() {
    let door = Door::open().await;
    let client = reqwest::Client::new();
    for url in [door.url("/sms?to=391&text=a"), door.get_url("/sms?to=391&text=a")] {
        assert_eq!(client.head(url).send().await.unwrap().status(), 405);
    }
    let put = client.put(door.get_url("/sms?to=391&text=a")).send().await.unwrap();
    assert_eq!((put.status().as_u16(), put.headers()["allow"].as_bytes()), (405, &b"GET, POST"[..]));
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_sender_is_for_accounts_that_may_choose_it() {
    let door = Door::open().await;
    assert_eq!(
        post(&door, FORM, "to=391&text=a&from=Alarm").await,
        (
            403,
            "account `lab` may not choose the sender; leave out `from`, or set may_choose_sender = true for the \
             account\n"
                .to_owned()
        )
    );
    assert_eq!(door.forms(), []);
    assert_eq!(post(&door, FORM, "to=391&text=a&from=").await.0, 200);
    let mut accounts = door.accounts.load().as_ref().clone();
    accounts[0].may_choose_sender = true;
    door.accounts.store(accounts.into());
    assert_eq!(post(&door, FORM, "to=391&text=a&from=Alarm").await.0, 200);
    let senders: Vec<_> = door.forms().into_iter().map(|form| form.sender).collect();
    assert_eq!(senders, [None, Some("Alarm".to_owned())]);
    door.close().await;
}

#[tokio::test]
async fn other_paths_are_404() {
    let door = Door::open().await;
    for path in ["/", "/sms/", "/cgi-bin/sendsms?user=a", "/SMS"] {
        let response = reqwest::get(door.url(path)).await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.text().await.unwrap(), "there is nothing here; forms go to /sms\n");
    }
    door.close().await;
}
