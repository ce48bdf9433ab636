//! What the log says, and what it must not.

use super::support::{Door, ID, account, limits, log_lines};

#[tokio::test]
async fn one_line_a_form_and_never_a_secret_a_query_a_text_or_a_whole_number() {
    let door = Door::with(limits(), vec![account("printer", Some(("printer", "secret1")))]).await;
    let ours = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line.contains("sms_relay::")).collect()
    };
    log_lines();
    let get = |query: &str| reqwest::get(door.get_url(query));

    get("/sms?user=printer&pass=secret1&to=%2B393471234567&text=Geheim").await.unwrap();
    let lines = log_lines();
    for hidden in ["secret1", "Geheim", "pass="] {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(hidden)).collect();
        // The client of this test logs its own requests; the door must not.
        assert!(
            found.iter().all(|line| !line.contains("sms_relay::") && !line.contains("hyper::proto")),
            "{found:?}"
        );
    }
    assert_eq!(
        ours(lines),
        [format!(
            "INFO sms_relay::http::submit: form accepted id={ID} account=\"printer\" client=127.0.0.1 \
             listener=\"gets\" messages=1"
        )]
    );

    get("/sms?user=printer&pass=wrong1&to=%2B393471234567&text=Geheim").await.unwrap();
    assert_eq!(
        ours(log_lines()),
        [
            "INFO sms_relay::http::submit: form refused status=401 reason=the user name, password or API key is wrong \
          client=127.0.0.1 listener=\"gets\""
        ]
    );

    *door.recorder.refusal.lock().unwrap() = Some(sms_relay::intake::Refusal {
        kind: sms_relay::intake::RefusalKind::UnknownRecipient,
        text: "`+393471234567` is in no allowed prefix".to_owned(),
    });
    get("/sms?user=printer&pass=secret1&to=%2B393471234567&text=Geheim").await.unwrap();
    assert_eq!(
        ours(log_lines()),
        [
            "INFO sms_relay::http::submit: form refused status=400 reason=`+39347•••4567` is in no allowed prefix \
          account=\"printer\" client=127.0.0.1 listener=\"gets\""
        ]
    );

    get("/cgi-bin/sendsms?username=x&password=secret1").await.unwrap();
    assert_eq!(
        ours(log_lines()),
        [
            "INFO sms_relay::http::server: no such path client=127.0.0.1 listener=\"gets\" path=/cgi-bin/sendsms"
        ]
    );

    get("/send/+393471234567/x").await.unwrap();
    assert_eq!(
        ours(log_lines()),
        [
            "INFO sms_relay::http::server: no such path client=127.0.0.1 listener=\"gets\" path=/send/+39347•••4567/x"
        ]
    );
    door.close().await;
}
