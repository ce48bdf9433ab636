//! The legacy API, and the templates of RCS and WhatsApp.

use super::*;

#[tokio::test]
async fn a_legacy_call_sends_to_everyone_and_counts() {
    let emulator = started(Settings::default()).await;
    let request = json!({"globalId": "g", "enableDelivery": false, "skipRcsOverride": true, "messages": [
        {"destinations": [NUMBER, "3471", "+41791234567"], "ids": ["a", "b", "c"], "sender": "MyBrand",
            "body": "x".repeat(161), "scheduling": "2001-01-01 09:00:00.000+0000"},
        {"destinations": [NUMBER], "sender": "12345", "hexBody": "ab".repeat(141), "udhData": "0605"},
    ]});
    let counts = json!({"globalId": "g", "processedMessages": 3, "processedSmsParts": 6, "credit": 999.79});
    assert_eq!(post(&emulator, "/api/services/sms/send", &request).await, (200, counts));
    let accepted = emulator.accepted();
    let seen: Vec<(&str, &str, u32)> =
        accepted.iter().map(|m| (m.destination.as_str(), m.sender.as_str(), m.parts)).collect();
    assert_eq!(seen, [(NUMBER, "MyBrand", 2), ("+41791234567", "MyBrand", 2), (NUMBER, "12345", 2)]);
    assert_eq!((accepted[0].message_id.as_str(), accepted[1].message_id.as_str()), ("a", "c"));
    assert!(
        accepted
            .iter()
            .all(|m| !m.enable_notification && m.skip_rcs_override && m.campaign_id.as_deref() == Some("g"))
    );
    assert_eq!(get(&emulator, "/api/services/sms/credit").await, (200, json!({"credit": 999.79})));
    assert_eq!(ask(&emulator, "c").await.0, 200);
}

#[tokio::test]
async fn the_legacy_switches_cut_and_replace() {
    let emulator = started(Settings::default()).await;
    let call = |switch: &str, body: String| {
        let message = json!({"destinations": [NUMBER], "sender": "A", "body": body});
        json!({switch: false, "messages": [message]})
    };
    for (switch, body) in [("enableConcatenated", "x".repeat(161)), ("enableUnicode", "è 🎉".to_owned())] {
        let (status, answer) = post(&emulator, "/api/services/sms/send", &call(switch, body)).await;
        assert_eq!((status, &answer["processedSmsParts"]), (200, &json!(1)), "{switch}");
    }
    let simulated =
        json!({"simulation": true, "messages": [{"destinations": [NUMBER], "sender": "A", "body": "x"}]});
    let (_, answer) = post(&emulator, "/api/services/sms/send", &simulated).await;
    assert_eq!(answer["credit"], json!(999.93));
    let texts: Vec<String> = emulator.accepted().into_iter().map(|m| m.text).collect();
    assert_eq!(texts, ["x".repeat(160), "è ?".to_owned(), "x".to_owned()]);
}

#[tokio::test]
async fn a_legacy_call_is_read_strictly_and_sent_whole_or_not_at_all() {
    let emulator = started(Settings::default()).await;
    let good = json!({"destinations": [NUMBER], "sender": "A", "body": "x"});
    for (message, field, what) in [
        (json!({"sender": "A", "body": "x"}), "destinations", "must have at least one destination"),
        (with(good.clone(), "destinations", json!([1])), "destinations", "must be an array of strings"),
        (with(good.clone(), "ids", json!(["a", "b"])), "ids", "must have as many elements as destinations"),
        (with(good.clone(), "hexBody", json!("ab")), "body", "either body or hexBody is required"),
        (json!({"destinations": [NUMBER], "sender": "A"}), "body", "either body or hexBody is required"),
        (with(good.clone(), "scheduledDate", json!("x")), "scheduledDate", "is not a field of this request"),
        (
            with(good.clone(), "scheduling", json!("x")),
            "scheduling",
            "must have the form yyyy-MM-dd HH:mm:ss.SSSZ",
        ),
    ] {
        let request = json!({"messages": [good, message]});
        assert_eq!(
            post(&emulator, "/api/services/sms/send", &request).await,
            (400, json!({"status": "fail", "data": {field: what}})),
            "{request}"
        );
    }
    for request in [json!({}), json!({"messages": []}), json!({"messages": ["x"]}), json!({"messages": {}})] {
        assert_eq!(post(&emulator, "/api/services/sms/send", &request).await.0, 400, "{request}");
    }
    assert_eq!(ids(&emulator), Vec::<String>::new());
}

#[tokio::test]
async fn templates_are_answered_in_the_array_form_and_have_a_status_in_their_channel() {
    let emulator = started(Settings::default()).await;
    let request =
        json!({"phoneNumber": NUMBER, "templateId": "t1", "variables": {"name": "John"}, "messageId": "m"});
    for (path, word, channel) in [("rcs", "rcs", Channel::Rcs), ("whatsapp", "whatsapp", Channel::WhatsApp)] {
        let (status, answer) = post(&emulator, &format!("/api/message-server/{path}/send"), &request).await;
        assert_eq!(status, 200);
        assert_eq!(
            answer,
            json!({"messageId": "m", "customerMessageId": "m", "simulation": false,
                "results": [{"phoneNumber": NUMBER, "accepted": true, "channel": word, "statusCode": 200}]})
        );
        let message = emulator.accepted().pop().unwrap();
        assert_eq!((message.channel, message.text.as_str()), (channel, "t1 name=John"));
        let url = format!("/api/partner-gateway/v1/messages/status/m?channel={}", channel.as_str());
        assert_eq!(get(&emulator, &url).await.1["channel"], json!(channel.as_str()));
    }
    assert_eq!(ask(&emulator, "m").await.0, 404);
    let wrong = with(request.clone(), "phoneNumber", json!("347"));
    let (_, answer) = post(&emulator, "/api/message-server/rcs/send", &wrong).await;
    assert_eq!(answer["results"][0]["accepted"], json!(false));
    let missing = json!({"phoneNumber": NUMBER});
    assert_eq!(
        post(&emulator, "/api/message-server/rcs/send", &missing).await,
        (400, json!({"status": "fail", "data": {"templateId": "is required"}}))
    );
}

#[tokio::test]
async fn a_partial_call_counts_what_was_ordered_and_sends_no_more_than_there_is() {
    let emulator = started(Settings::default()).await;
    let request = |ids: [&str; 3]| json!({"messages": [{"destinations": [NUMBER, NUMBER, NUMBER], "ids": ids, "sender": "A", "body": "x"}]});
    for (processed, parts) in [(2, 2), (5, 3), (0, 0)] {
        emulator.order(FaultRule::on_legacy(Fault::Partial { processed }).times(1)).unwrap();
        let (status, answer) = post(&emulator, "/api/services/sms/send", &request(["a", "b", "c"])).await;
        let counts = (&answer["processedMessages"], &answer["processedSmsParts"]);
        assert_eq!((status, counts), (200, (&json!(processed), &json!(parts))));
    }
    assert_eq!(ids(&emulator), ["a", "b", "a", "b", "c"]);
}

#[tokio::test]
async fn the_credit_can_be_set() {
    let emulator = started(Settings::default()).await;
    let credit = || async { get(&emulator, "/api/services/sms/credit").await.1["credit"].clone() };
    emulator.set_credit(-1500);
    assert_eq!(credit().await, json!(-1.5));
    for (body, status) in
        [(json!({"credit": 12.25}), 204), (json!({"credit": "1"}), 400), (json!({"credit": 1, "x": 1}), 400)]
    {
        let url = format!("{}/emulator/credit", emulator.base_url());
        assert_eq!(client().post(url).json(&body).send().await.unwrap().status().as_u16(), status);
        assert_eq!(credit().await, json!(12.25));
    }
}

#[tokio::test]
async fn templates_end_as_ordered() {
    let emulator = started(at_once()).await;
    let fault = Fault::Deliver { outcome: Outcome::Error, delay_millis: None };
    emulator.order(FaultRule::on_template(fault).containing("t1")).unwrap();
    for template in ["t1", "t2"] {
        let request = json!({"phoneNumber": NUMBER, "templateId": template, "customerMessageId": template});
        assert_eq!(post(&emulator, "/api/message-server/rcs/send", &request).await.0, 200);
    }
    let ended = |record: &Record| record.accepted().all(|message| message.ended_at.is_some());
    emulator.wait_until(ended, LIMIT).await.unwrap();
    for (id, status) in [("t1", "ERROR"), ("t2", "DELIVERED")] {
        let url = format!("/api/partner-gateway/v1/messages/status/{id}?channel=RCS");
        assert_eq!(get(&emulator, &url).await.1["deliveryStatus"], json!(status));
    }
}
