//! The client of the universal API against the emulator: every fault that can be ordered, and
//! what the relay makes of it.

// All of this is a test; the helpers too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use sms_relay::emulator::{
    Accepted, AnswerShape, Channel, Delivery, Emulator, Fault, FaultRule, Outcome, Settings, Status,
};
use sms_relay::gateway::Gateway;
use sms_relay::gateway::universal::{self, Credentials, Universal};
use sms_relay::model::{
    Cause, DeliveryStatus, Encoding, EnhancedStatus, MessageId, PhoneNumber, Secret, SendOutcome, SenderId,
    Sms, SmsOptions, SmsText, StatusOutcome, SubmissionId,
};

const LIMIT: Duration = Duration::from_secs(10);

fn settings(base_url: String) -> universal::Settings {
    universal::Settings {
        name: "main".to_owned(),
        base_url,
        credentials: Credentials::ApiKey(Secret::from("k3y")),
        ca_pem: None,
        connect_time: Duration::from_secs(5),
        total_time: Duration::from_secs(10),
    }
}

async fn pair(settings_of_emulator: Settings) -> (Emulator, Universal) {
    let emulator = Emulator::start(Settings { api_key: Some(Secret::from("k3y")), ..settings_of_emulator })
        .await
        .unwrap();
    let gateway = Universal::new(settings(emulator.base_url())).unwrap();
    (emulator, gateway)
}

fn at_once() -> Settings {
    Settings {
        delivery: Delivery { delay: Duration::ZERO, outcome: Outcome::Delivered },
        ..Settings::default()
    }
}

fn sms(body: &str) -> Sms {
    Sms {
        id: SubmissionId::new(jiff::Timestamp::now()).message(1),
        destination: PhoneNumber::from_e164("+393471234567").unwrap(),
        sender: SenderId::new("Alarm").unwrap(),
        text: SmsText { body: body.to_owned(), encoding: Encoding::Gsm7, parts: 1 },
        options: SmsOptions::default(),
    }
}

fn accepted_ids(emulator: &Emulator) -> Vec<String> {
    emulator.accepted().into_iter().map(|message| message.message_id).collect()
}

#[tokio::test]
async fn every_field_passes_the_strict_reader_and_arrives() {
    let (emulator, gateway) = pair(at_once()).await;
    let sms = Sms {
        options: SmsOptions {
            campaign_id: Some("night".to_owned()),
            udh_data: Some("050003CC0201".to_owned()),
            simulation: true,
            enable_notification: Some(false),
            placeholders: Some(BTreeMap::from([("name".to_owned(), "Mario".to_owned())])),
            scheduled_at: Some("2026-04-10T08:00:00.5+02:00".parse().unwrap()),
            skip_rcs_override: true,
        },
        ..sms("Ciao {name} 🎉")
    };
    assert_eq!(gateway.send(&sms).await, SendOutcome::Accepted { parts: Some(1), unicode: Some(true) });
    let seen = emulator.accepted();
    let expected = Accepted {
        number: 1,
        accepted_at: seen[0].accepted_at,
        channel: Channel::Sms,
        message_id: sms.id.to_string(),
        destination: "+393471234567".to_owned(),
        sender: "Alarm".to_owned(),
        body: "Ciao {name} 🎉".to_owned(),
        text: "Ciao Mario 🎉".to_owned(),
        encoding: Encoding::Ucs2,
        parts: 1,
        simulation: true,
        campaign_id: Some("night".to_owned()),
        udh_data: Some("050003CC0201".to_owned()),
        enable_notification: false,
        placeholders: sms.options.placeholders.clone(),
        scheduled_at: Some("2026-04-10T06:00:00.5Z".parse().unwrap()),
        skip_rcs_override: true,
        status: Status::Unknown,
        ended_at: None,
    };
    assert_eq!(seen, [expected]);
}

#[tokio::test]
async fn braces_in_an_alert_stay_braces() {
    let (emulator, gateway) = pair(at_once()).await;
    let sms = sms("disk {sda} at 97%");
    assert_eq!(gateway.send(&sms).await, SendOutcome::Accepted { parts: Some(1), unicode: Some(false) });
    assert_eq!(emulator.accepted()[0].text, "disk {sda} at 97%");
}

#[tokio::test]
async fn the_array_form_is_understood_accepted_and_refused() {
    let (emulator, gateway) = pair(Settings { answer_shape: AnswerShape::Array, ..at_once() }).await;
    assert_eq!(gateway.send(&sms("x")).await, SendOutcome::Accepted { parts: None, unicode: None });
    emulator.order(FaultRule::on_send(Fault::Refuse { reasons: Vec::new() })).unwrap();
    let cause = Cause::new(
        EnhancedStatus::REFUSED_BY_NEXT_SYSTEM,
        "the SMS platform did not accept the message: statusCode 422",
    );
    assert_eq!(
        gateway.send(&sms("x")).await,
        SendOutcome::Refused(cause.with_diagnostic("http 200 OK: statusCode 422"))
    );
}

#[tokio::test]
async fn a_refusal_carries_the_platforms_reasons() {
    let (emulator, gateway) = pair(at_once()).await;
    emulator
        .order(FaultRule::on_send(Fault::Refuse {
            reasons: vec!["Number +393471234567 is blocked".to_owned()],
        }))
        .unwrap();
    let cause = Cause::new(
        EnhancedStatus::REFUSED_BY_NEXT_SYSTEM,
        "the SMS platform did not accept the message: Number ••• is blocked",
    );
    assert_eq!(
        gateway.send(&sms("x")).await,
        SendOutcome::Refused(cause.with_diagnostic("http 200 OK: Number +393471234567 is blocked"))
    );
    let long = Sms {
        options: SmsOptions { campaign_id: Some("c".repeat(256)), ..SmsOptions::default() },
        ..sms("x")
    };
    emulator.clear_faults();
    let cause = Cause::new(
        EnhancedStatus::REFUSED_BY_NEXT_SYSTEM,
        "the SMS platform refused the message (HTTP 400): campaignId: must have at most 255 characters",
    );
    assert_eq!(
        gateway.send(&long).await,
        SendOutcome::Refused(
            cause.with_diagnostic("http 400 Bad Request: campaignId: must have at most 255 characters")
        )
    );
}

#[tokio::test]
async fn a_wrong_key_is_the_gateways_fault_for_sending_and_tells_nothing_of_a_status() {
    let (emulator, _) = pair(at_once()).await;
    let credentials = Credentials::ApiKey(Secret::from("wrong"));
    let gateway =
        Universal::new(universal::Settings { credentials, ..settings(emulator.base_url()) }).unwrap();
    let outcome = gateway.send(&sms("x")).await;
    let SendOutcome::GatewayFault(cause) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        cause.text,
        "the SMS platform does not accept the gateway's credentials (HTTP 401): authentication: Invalid or missing API key"
    );
    let outcome = gateway.status(&sms("x").id).await;
    let StatusOutcome::CannotTell { until: None, cause } = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        cause.text,
        "the SMS platform gave no status (HTTP 401): authentication: Invalid or missing API key"
    );
}

#[tokio::test]
async fn a_wrong_path_is_the_gateways_fault() {
    let (emulator, _) = pair(at_once()).await;
    let gateway = Universal::new(settings(format!("{}/v2", emulator.base_url()))).unwrap();
    let outcome = gateway.send(&sms("x")).await;
    let SendOutcome::GatewayFault(cause) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        cause.text,
        "the SMS platform does not offer its API at the gateway's base_url (HTTP 404): path: No such endpoint"
    );
}

/// What became of a send under a fault, and what the status endpoint then says.
async fn under(fault: Fault) -> (&'static str, StatusOutcome) {
    let (emulator, gateway) = pair(Settings {
        delivery: Delivery { delay: Duration::from_secs(3600), outcome: Outcome::Delivered },
        ..Settings::default()
    })
    .await;
    emulator.order(FaultRule::on_send(fault)).unwrap();
    let sms = sms("x");
    let kind = match gateway.send(&sms).await {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::Refused(_) => "refused",
        SendOutcome::Later { .. } => "later",
        SendOutcome::GatewayFault(_) => "fault",
        SendOutcome::Unknown(_) => "unknown",
    };
    (kind, gateway.status(&sms.id).await)
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_status_endpoint_settles_it() {
    for (recorded, settled) in
        [(true, StatusOutcome::Known(DeliveryStatus::Sent)), (false, StatusOutcome::NotKnown)]
    {
        for fault in [Fault::Reset { recorded }, Fault::Garbage { recorded }, Fault::Truncated { recorded }] {
            assert_eq!(under(fault.clone()).await, ("unknown", settled.clone()), "{fault:?}");
        }
        let status = |code| Fault::Status { code, retry_after: None, body: None, recorded };
        for (code, kind) in [
            (200, "unknown"),
            (204, "unknown"),
            (302, "fault"),
            (409, "unknown"),
            (422, "refused"),
            (502, "later"),
        ] {
            assert_eq!(under(status(code)).await, (kind, settled.clone()), "{code}");
        }
    }
}

#[tokio::test]
async fn a_held_answer_is_unknown_after_the_total_time() {
    let (emulator, _) = pair(at_once()).await;
    emulator.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1)).unwrap();
    let (connect_time, total_time) = (Duration::from_millis(900), Duration::from_secs(1));
    let hasty = universal::Settings { connect_time, total_time, ..settings(emulator.base_url()) };
    let sms = sms("x");
    let outcome = Universal::new(hasty).unwrap().send(&sms).await;
    assert!(matches!(outcome, SendOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(accepted_ids(&emulator), [sms.id.to_string()]);
}

#[tokio::test]
async fn retry_after_is_obeyed_for_both_calls() {
    let (emulator, gateway) = pair(at_once()).await;
    let busy = Fault::Status { code: 429, retry_after: Some("90".to_owned()), body: None, recorded: false };
    emulator.order(FaultRule::on_send(busy.clone())).unwrap();
    emulator.order(FaultRule::on_status(busy)).unwrap();
    let before = jiff::Timestamp::now();
    let outcome = gateway.send(&sms("x")).await;
    let SendOutcome::Later { until: Some(send_again), .. } = outcome else { panic!("{outcome:?}") };
    let outcome = gateway.status(&sms("x").id).await;
    let StatusOutcome::CannotTell { until: Some(ask_again), .. } = outcome else { panic!("{outcome:?}") };
    let wait = Duration::from_secs(90);
    for until in [send_again, ask_again] {
        assert!(until >= before + wait && until <= jiff::Timestamp::now() + wait);
    }
}

#[tokio::test]
async fn a_stopped_platform_means_later() {
    let (emulator, gateway) = pair(at_once()).await;
    assert!(matches!(gateway.send(&sms("x")).await, SendOutcome::Accepted { .. }));
    let fresh = Universal::new(settings(emulator.base_url())).unwrap();
    emulator.stop().await;
    assert!(matches!(fresh.send(&sms("x")).await, SendOutcome::Later { until: None, .. }));
    // The kept connection may break before its end was seen; then nobody can say.
    let outcome = gateway.send(&sms("x")).await;
    assert!(matches!(outcome, SendOutcome::Later { .. } | SendOutcome::Unknown(_)), "{outcome:?}");
}

#[tokio::test]
async fn every_end_of_a_message_is_told() {
    let (emulator, gateway) = pair(at_once()).await;
    let mut sent: Vec<(MessageId, DeliveryStatus)> = Vec::new();
    for (outcome, status) in [
        (Outcome::Delivered, DeliveryStatus::Delivered),
        (Outcome::Error, DeliveryStatus::Undeliverable("Message undeliverable".to_owned())),
        (Outcome::Expired, DeliveryStatus::Expired("Message expired before delivery".to_owned())),
        (Outcome::Never, DeliveryStatus::Sent),
    ] {
        emulator.order(FaultRule::on_send(Fault::Deliver { outcome, delay_millis: None }).times(1)).unwrap();
        let sms = sms("x");
        assert!(matches!(gateway.send(&sms).await, SendOutcome::Accepted { .. }));
        sent.push((sms.id, status));
    }
    let three_ended = |record: &sms_relay::emulator::Record| {
        record.accepted().filter(|message| message.ended_at.is_some()).count() == 3
    };
    emulator.wait_until(three_ended, LIMIT).await.unwrap();
    for (id, status) in sent {
        assert_eq!(gateway.status(&id).await, StatusOutcome::Known(status));
    }
    let simulated = Sms { options: SmsOptions { simulation: true, ..SmsOptions::default() }, ..sms("x") };
    gateway.send(&simulated).await;
    assert_eq!(gateway.status(&simulated.id).await, StatusOutcome::Known(DeliveryStatus::NotYetAvailable));
    assert_eq!(gateway.status(&sms("never sent").id).await, StatusOutcome::NotKnown);
}

#[tokio::test]
async fn connections_are_reused_by_many_calls_at_once() {
    let (emulator, gateway) = pair(at_once()).await;
    let gateway = std::sync::Arc::new(gateway);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let gateway = std::sync::Arc::clone(&gateway);
        calls.spawn(async move { gateway.send(&sms("x")).await });
    }
    let outcomes = calls.join_all().await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, SendOutcome::Accepted { .. })));
    assert_eq!(emulator.record(|record| (record.total(), record.repeated())), (50, Vec::new()));
}
