//! Every fault that can be ordered, by the library and from other processes.

use reqwest::header::RETRY_AFTER;

use super::*;

#[tokio::test]
async fn messages_end_as_ordered() {
    let emulator = started(at_once()).await;
    for (body, outcome) in [("e", Outcome::Error), ("x", Outcome::Expired), ("n", Outcome::Never)] {
        let fault = Fault::Deliver { outcome, delay_millis: None };
        emulator.order(FaultRule::on_send(fault).containing(body)).unwrap();
    }
    for body in ["e", "x", "n", "d"] {
        send(&emulator, &with(sms(body), "body", json!(body))).await;
    }
    let ended = |record: &Record| record.accepted().filter(|message| message.ended_at.is_some()).count() == 3;
    emulator.wait_until(ended, LIMIT).await.unwrap();
    for (id, status) in [("e", "ERROR"), ("x", "EXPIRED"), ("n", "SENT"), ("d", "DELIVERED")] {
        assert_eq!(ask(&emulator, id).await.1["deliveryStatus"], json!(status));
    }
}

/// Sends on a raw socket and returns whatever comes back until the end, or the error.
async fn raw(emulator: &Emulator, id: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(emulator.addr()).await?;
    let body = sms(id).to_string();
    let head = "POST /api/message-server/sms/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    stream
        .write_all(
            format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).as_bytes(),
        )
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_reset_is_a_reset_before_or_after_the_message_is_recorded() {
    let emulator = started(Settings::default()).await;
    for (id, recorded) in [("lost", false), ("kept", true)] {
        emulator.order(FaultRule::on_send(Fault::Reset { recorded }).times(1)).unwrap();
        let error = raw(&emulator, id).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(ids(&emulator), ["kept"]);
    assert!(raw(&emulator, "after").await.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(emulator.requests().faulted, 2);
}

#[tokio::test]
async fn a_truncated_answer_promises_more_than_it_has() {
    let emulator = started(Settings::default()).await;
    for (id, recorded) in [("lost", false), ("kept", true)] {
        emulator.order(FaultRule::on_send(Fault::Truncated { recorded }).times(1)).unwrap();
        let answer = raw(&emulator, id).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let promised: usize = head.rsplit_once(": ").unwrap().1.parse().unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && body.len() < promised && !body.is_empty(),
            "{answer}"
        );
    }
    assert_eq!(ids(&emulator), ["kept"]);
}

#[tokio::test]
async fn garbage_is_no_json_and_a_refusal_has_its_reasons() {
    let emulator = started(Settings::default()).await;
    for (id, recorded) in [("lost", false), ("kept", true)] {
        emulator.order(FaultRule::on_send(Fault::Garbage { recorded }).times(1)).unwrap();
        let answer = raw(&emulator, id).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && serde_json::from_str::<Value>(body).is_err());
    }
    assert_eq!(ids(&emulator), ["kept"]);
    let reasons = vec!["Blacklisted".to_owned(), "No route".to_owned()];
    emulator.order(FaultRule::on_send(Fault::Refuse { reasons }).times(1)).unwrap();
    assert_eq!(
        send(&emulator, &sms("m")).await.1["results"]["sms"]["reasons"],
        json!(["Blacklisted", "No route"])
    );
    assert_eq!(ids(&emulator), ["kept"]);
}

#[tokio::test]
async fn a_status_fault_carries_its_code_header_and_body() {
    let emulator = started(Settings::default()).await;
    let fault = |code, body: Option<&str>, recorded| {
        let (retry_after, body) = (Some("soon".to_owned()), body.map(str::to_owned));
        FaultRule::on_send(Fault::Status { code, retry_after, body, recorded }).times(1)
    };
    emulator.order(fault(429, None, false)).unwrap();
    emulator.order(fault(503, Some("down"), true)).unwrap();
    let url = format!("{}/api/message-server/sms/send", emulator.base_url());
    let answer = client().post(&url).json(&sms("lost")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()[RETRY_AFTER]), (429, &"soon".parse().unwrap()));
    assert_eq!(answer.text().await.unwrap(), r#"{"data":{"fault":"As ordered"},"status":"fail"}"#);
    let answer = client().post(&url).json(&sms("kept")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.text().await.unwrap(), "down");
    assert_eq!(ids(&emulator), ["kept"]);
}

#[tokio::test]
async fn a_hold_waits_for_its_release_before_or_after_the_message_is_recorded() {
    let emulator = Arc::new(started(Settings::default()).await);
    for (id, recorded, known) in [("first", true, 1), ("second", false, 1)] {
        emulator.order(FaultRule::on_send(Fault::Hold { recorded }).times(1)).unwrap();
        let held = Arc::clone(&emulator);
        let sent = tokio::spawn(async move { raw(&held, id).await });
        emulator.wait_until(|record| record.held() == 1, LIMIT).await.unwrap();
        assert_eq!(emulator.record(Record::total), known);
        emulator.release();
        assert!(sent.await.unwrap().unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(emulator.record(Record::held), 0);
    }
    assert_eq!(ids(&emulator), ["first", "second"]);
}

#[tokio::test]
async fn a_client_that_goes_while_it_is_held_leaves_only_what_was_recorded() {
    let emulator = Arc::new(started(Settings::default()).await);
    for (id, recorded) in [("lost", false), ("kept", true)] {
        emulator.order(FaultRule::on_send(Fault::Hold { recorded }).times(1)).unwrap();
        let held = Arc::clone(&emulator);
        let sent = tokio::spawn(async move { raw(&held, id).await });
        emulator.wait_until(|record| record.held() == 1, LIMIT).await.unwrap();
        sent.abort();
        emulator.wait_until(|record| record.held() == 0, LIMIT).await.unwrap();
        emulator.release();
    }
    assert_eq!(ids(&emulator), ["kept"]);
    emulator.order(FaultRule::on_send(Fault::Hold { recorded: true })).unwrap();
    let held = Arc::clone(&emulator);
    let sent = tokio::spawn(async move { raw(&held, "cleared").await });
    emulator.wait_until(|record| record.held() == 1, LIMIT).await.unwrap();
    emulator.clear_faults();
    assert!(sent.await.unwrap().is_ok());
    assert!(raw(&emulator, "free").await.is_ok());
}

#[tokio::test]
async fn a_slow_answer_comes_after_its_delay() {
    let emulator = Arc::new(started(Settings::default()).await);
    emulator.order(FaultRule::on_send(Fault::Slow { millis: 50, recorded: false }).times(1)).unwrap();
    emulator.order(FaultRule::on_send(Fault::Slow { millis: 3_600_000, recorded: true }).times(1)).unwrap();
    let before = std::time::Instant::now();
    assert_eq!(send(&emulator, &sms("a")).await.0, 200);
    // Never early; how much later is the machine's business.
    assert!(before.elapsed() >= Duration::from_millis(50));
    let slow = Arc::clone(&emulator);
    let sent = tokio::spawn(async move { raw(&slow, "b").await });
    emulator.wait_until(|record| record.total() == 2, LIMIT).await.unwrap();
    assert!(!sent.is_finished());
    sent.abort();
    assert_eq!(ids(&emulator), ["a", "b"]);
}

#[tokio::test]
async fn faults_of_the_status_endpoint_match_the_messages_destination() {
    let emulator = started(Settings::default()).await;
    send(&emulator, &sms("a")).await;
    send(&emulator, &with(sms("b"), "destination", json!("+41791234567"))).await;
    let fault = Fault::Status { code: 500, retry_after: None, body: None, recorded: false };
    emulator.order(FaultRule::on_status(fault).to("+41791234567")).unwrap();
    assert_eq!(ask(&emulator, "a").await.0, 200);
    assert_eq!(ask(&emulator, "b").await.0, 500);
    assert_eq!(ask(&emulator, "unknown").await.0, 404);
}

#[tokio::test]
async fn other_processes_order_faults_wait_and_look() {
    let emulator = Arc::new(started(at_once()).await);
    let rules = json!([
        {"body_contains": "held", "times": 1, "fault": {"kind": "hold", "recorded": true}},
        {"endpoint": "status", "fault": {"kind": "status", "code": 500}},
    ]);
    let (status, in_force) = post(&emulator, "/emulator/faults", &rules).await;
    assert_eq!((status, in_force.as_array().unwrap().len()), (201, 2));
    assert_eq!(get(&emulator, "/emulator/faults").await.1, in_force);
    let holding = Arc::clone(&emulator);
    let sent = tokio::spawn(async move { send(&holding, &with(sms("h"), "body", json!("held"))).await });
    let (status, counts) = get(&emulator, "/emulator/wait?held=1&accepted=1").await;
    assert_eq!((status, &counts["held"]), (200, &json!(1)));
    let url = |path: &str| format!("{}{path}", emulator.base_url());
    assert_eq!(client().post(url("/emulator/release")).send().await.unwrap().status().as_u16(), 204);
    assert_eq!(sent.await.unwrap().0, 200);
    assert_eq!(ask(&emulator, "h").await.0, 500);
    assert_eq!(client().delete(url("/emulator/faults")).send().await.unwrap().status().as_u16(), 204);
    assert_eq!(get(&emulator, "/emulator/faults").await.1, json!([]));
    let (status, _) = get(&emulator, "/emulator/wait?delivered=1&status_requests=1").await;
    assert_eq!(status, 200);
    assert_eq!(get(&emulator, "/emulator/wait?accepted=2&seconds=0").await.0, 408);
    send(&emulator, &sms("second")).await;
    let answer = client().get(url("/emulator/accepted?after=1")).send().await.unwrap();
    let seen: Vec<Accepted> = answer.json().await.unwrap();
    assert_eq!(seen.iter().map(|m| (m.number, m.message_id.as_str())).collect::<Vec<_>>(), [(2, "second")]);
    for (wrong, what) in [
        (json!({"fault": {"kind": "status", "code": 99}}), "status code 99 is not between 200 and 599"),
        (json!({"fault": {"kind": "x"}}), "unknown variant `x`"),
        (json!([{"fault": {"kind": "reset"}}, {"times": 1}]), "missing field `fault`"),
    ] {
        let (status, answer) = post(&emulator, "/emulator/faults", &wrong).await;
        let said = answer["data"]["fault"].as_str().unwrap();
        assert!(status == 400 && said.starts_with(what), "{said}");
    }
    assert_eq!(get(&emulator, "/emulator/faults").await.1, json!([]));
}
