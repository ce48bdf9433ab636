//! The client of the platform's API against the emulator: every door, every fault that can be ordered, and
//! what the relay makes of it.

// All of this is a test; the helpers too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use sms_relay::emulator::{
    Accepted, AnswerShape, CallbackShape, Channel, Delivery, Emulator, Endpoint, Fault, FaultRule, Outcome,
    Settings, Status,
};
use sms_relay::gateway::universal::{self, Credentials, Universal};
use sms_relay::gateway::{Gateway, notification};
use sms_relay::model::Channel as PhoneChannel;
use sms_relay::model::{
    About, Cause, CreditOutcome, DeliveryStatus, Encoding, EnhancedStatus, Legacy, MessageId, PartStatus,
    PhoneNumber, Price, Secret, SendOutcome, SenderId, Sms, SmsOptions, SmsText, StatusOutcome, SubmissionId,
    Template,
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
    assert_eq!(
        gateway.send(&sms).await,
        SendOutcome::Accepted { parts: Some(1), unicode: Some(true), platform_id: None }
    );
    let seen = emulator.accepted();
    let expected = Accepted {
        number: 1,
        accepted_at: seen[0].accepted_at,
        channel: Channel::Sms,
        message_id: sms.id.to_string(),
        platform_id: None,
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
    assert_eq!(
        gateway.send(&sms).await,
        SendOutcome::Accepted { parts: Some(1), unicode: Some(false), platform_id: None }
    );
    assert_eq!(emulator.accepted()[0].text, "disk {sda} at 97%");
}

#[tokio::test]
async fn the_array_form_is_understood_accepted_and_refused() {
    let (emulator, gateway) = pair(Settings { answer_shape: AnswerShape::Array, ..at_once() }).await;
    assert_eq!(
        gateway.send(&sms("x")).await,
        SendOutcome::Accepted { parts: None, unicode: None, platform_id: None }
    );
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
    let outcome = gateway.status(&sms("x").id, PhoneChannel::Sms).await;
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
    (kind, gateway.status(&sms.id, PhoneChannel::Sms).await)
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
    let outcome = gateway.status(&sms("x").id, PhoneChannel::Sms).await;
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
        assert_eq!(gateway.status(&id, PhoneChannel::Sms).await, StatusOutcome::Known(status));
    }
    let simulated = Sms { options: SmsOptions { simulation: true, ..SmsOptions::default() }, ..sms("x") };
    gateway.send(&simulated).await;
    assert_eq!(
        gateway.status(&simulated.id, PhoneChannel::Sms).await,
        StatusOutcome::Known(DeliveryStatus::NotYetAvailable)
    );
    assert_eq!(gateway.status(&sms("never sent").id, PhoneChannel::Sms).await, StatusOutcome::NotKnown);
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

/// `count` SMS of one submission with the same words.
fn several(count: u32, options: &SmsOptions) -> Vec<Sms> {
    let submission = SubmissionId::new(jiff::Timestamp::now());
    let one = |ordinal| Sms {
        id: submission.message(ordinal),
        destination: PhoneNumber::from_e164(&format!("+39347123{ordinal:04}")).unwrap(),
        options: options.clone(),
        ..sms("è {1} 🎉")
    };
    (1..=count).map(one).collect()
}

fn alert(channel: PhoneChannel) -> Template {
    let variables = BTreeMap::from([("code".to_owned(), "7".to_owned())]);
    Template { channel, id: "alert_v2".to_owned(), variables }
}

#[tokio::test]
async fn many_go_in_one_call_with_every_field_and_ids_of_ours() {
    let (emulator, gateway) = pair(at_once()).await;
    let options = SmsOptions {
        campaign_id: Some("night".to_owned()),
        udh_data: Some("050003CC0201".to_owned()),
        enable_notification: Some(false),
        placeholders: Some(BTreeMap::from([("1".to_owned(), "one".to_owned())])),
        scheduled_at: Some("2026-04-10T08:00:00.5+02:00".parse().unwrap()),
        skip_rcs_override: true,
        simulation: false,
    };
    let all = several(200, &options);
    let accepted = SendOutcome::Accepted { parts: None, unicode: None, platform_id: None };
    assert_eq!(gateway.send_many(&all, Legacy::default()).await, accepted);
    let seen = emulator.accepted();
    assert_eq!((seen.len(), emulator.requests().legacy), (200, 1));
    for (sms, message) in all.iter().zip(&seen) {
        let expected = Accepted {
            number: message.number,
            accepted_at: message.accepted_at,
            channel: Channel::Sms,
            message_id: sms.id.to_string(),
            platform_id: None,
            destination: sms.destination.as_str().to_owned(),
            sender: "Alarm".to_owned(),
            body: "è {1} 🎉".to_owned(),
            text: "è {1} 🎉".to_owned(),
            encoding: Encoding::Ucs2,
            parts: 1,
            simulation: false,
            campaign_id: Some(sms.id.submission.to_string()),
            udh_data: Some("050003CC0201".to_owned()),
            enable_notification: false,
            placeholders: None,
            scheduled_at: Some("2026-04-10T06:00:00.5Z".parse().unwrap()),
            skip_rcs_override: true,
            status: message.status,
            ended_at: message.ended_at,
        };
        assert_eq!(*message, expected);
        let known = gateway.status(&sms.id, PhoneChannel::Sms).await;
        assert!(matches!(known, StatusOutcome::Known(_)), "{known:?}");
    }
}

#[tokio::test]
async fn what_only_the_legacy_door_can_be_told_arrives() {
    let (emulator, gateway) = pair(at_once()).await;
    let simulated = SmsOptions { simulation: true, ..SmsOptions::default() };
    let switches = Legacy { unicode: false, concatenated: false };
    let one = gateway.send_many(&several(1, &simulated), switches).await;
    assert_eq!(one, SendOutcome::Accepted { parts: Some(1), unicode: None, platform_id: None });
    let message = emulator.accepted().remove(0);
    assert_eq!((message.text.as_str(), message.simulation), ("è {1} ?", true));
    let mut long = several(1, &SmsOptions::default());
    long[0].text.body = "x".repeat(161);
    let two = gateway.send_many(&long, Legacy::default()).await;
    assert_eq!(two, SendOutcome::Accepted { parts: Some(2), unicode: None, platform_id: None });
    let nothing = gateway.send_many(&[], Legacy::default()).await;
    assert!(matches!(nothing, SendOutcome::Refused(_)), "{nothing:?}");
    assert_eq!(emulator.requests().legacy, 2);
}

#[tokio::test]
async fn a_count_that_is_not_all_is_unknown_for_all_and_none_is_refused() {
    let (emulator, gateway) = pair(at_once()).await;
    let all = several(3, &SmsOptions::default());
    for (processed, kind) in [(2, "unknown"), (4, "unknown"), (0, "refused"), (3, "accepted")] {
        emulator.order(FaultRule::on_legacy(Fault::Partial { processed }).times(1)).unwrap();
        let outcome = gateway.send_many(&all, Legacy::default()).await;
        assert_eq!(kind_of(&outcome), kind, "{processed}: {outcome:?}");
    }
    emulator.order(FaultRule::on_legacy(Fault::Refuse { reasons: Vec::new() })).unwrap();
    assert_eq!(kind_of(&gateway.send_many(&all, Legacy::default()).await), "refused");
}

#[tokio::test]
async fn templates_go_by_their_channels_with_variables_and_have_ids_of_the_platforms() {
    let (emulator, gateway) = pair(at_once()).await;
    for (channel, theirs) in [(PhoneChannel::Rcs, Channel::Rcs), (PhoneChannel::WhatsApp, Channel::WhatsApp)]
    {
        let sms = sms("not sent");
        let outcome = gateway.send_template(&sms, &alert(channel)).await;
        let message = emulator.accepted().pop().unwrap();
        let platform_id = message.platform_id.clone();
        assert!(platform_id.is_some());
        assert_eq!(outcome, SendOutcome::Accepted { parts: None, unicode: None, platform_id });
        assert_eq!(message.message_id, sms.id.to_string());
        assert_eq!((message.channel, message.text.as_str()), (theirs, "alert_v2 code=7"));
        let known = gateway.status(&sms.id, channel).await;
        assert!(matches!(known, StatusOutcome::Known(_)), "{known:?}");
        assert_eq!(gateway.status(&sms.id, PhoneChannel::Sms).await, StatusOutcome::NotKnown);
    }
    let plain = Template { variables: BTreeMap::new(), ..alert(PhoneChannel::Rcs) };
    assert_eq!(kind_of(&gateway.send_template(&sms("x"), &plain).await), "accepted");
    assert_eq!(emulator.accepted().pop().unwrap().placeholders, None);
    // None of these may be sent for real, or at all.
    let simulated = Sms { options: SmsOptions { simulation: true, ..SmsOptions::default() }, ..sms("x") };
    assert_eq!(kind_of(&gateway.send_template(&simulated, &plain).await), "refused");
    assert_eq!(kind_of(&gateway.send_template(&sms("x"), &alert(PhoneChannel::Sms)).await), "refused");
    assert_eq!(emulator.requests().template, 3);
}

#[tokio::test]
async fn an_id_of_the_platforms_own_is_handed_up() {
    let (emulator, gateway) = pair(Settings { own_ids: true, ..at_once() }).await;
    let outcome = gateway.send(&sms("x")).await;
    let platform_id = emulator.accepted()[0].platform_id.clone();
    assert!(platform_id.is_some());
    assert_eq!(outcome, SendOutcome::Accepted { parts: Some(1), unicode: Some(false), platform_id });
}

fn kind_of(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::Refused(_) => "refused",
        SendOutcome::Later { .. } => "later",
        SendOutcome::GatewayFault(_) => "fault",
        SendOutcome::Unknown(_) => "unknown",
    }
}

/// A door that sends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Universal,
    Legacy,
    Template,
}

impl Door {
    async fn send(self, gateway: &Universal, sms: &Sms) -> SendOutcome {
        match self {
            Self::Universal => gateway.send(sms).await,
            Self::Legacy => gateway.send_many(std::slice::from_ref(sms), Legacy::default()).await,
            Self::Template => gateway.send_template(sms, &alert(PhoneChannel::Rcs)).await,
        }
    }

    fn rule(self, fault: Fault) -> FaultRule {
        match self {
            Self::Universal => FaultRule::on_send(fault),
            Self::Legacy => FaultRule::on_legacy(fault),
            Self::Template => FaultRule::on_template(fault),
        }
    }

    fn channel(self) -> PhoneChannel {
        match self {
            Self::Universal | Self::Legacy => PhoneChannel::Sms,
            Self::Template => PhoneChannel::Rcs,
        }
    }
}

#[tokio::test]
async fn every_door_judges_every_fault_alike_and_its_status_settles_what_is_unknown() {
    let (emulator, gateway) = pair(Settings {
        delivery: Delivery { delay: Duration::from_secs(3600), outcome: Outcome::Delivered },
        ..Settings::default()
    })
    .await;
    for door in [Door::Universal, Door::Legacy, Door::Template] {
        for recorded in [true, false] {
            let code = |code| Fault::Status { code, retry_after: None, body: None, recorded };
            let missing = if door == Door::Template { "refused" } else { "fault" };
            for (fault, kind) in [
                (Fault::Reset { recorded }, "unknown"),
                (Fault::Garbage { recorded }, "unknown"),
                (Fault::Truncated { recorded }, "unknown"),
                (code(200), "unknown"),
                (code(302), "fault"),
                (code(400), "refused"),
                (code(401), "fault"),
                (code(403), missing),
                (code(404), missing),
                (code(408), "later"),
                (code(409), "unknown"),
                (code(422), "refused"),
                (code(429), "later"),
                (code(500), "later"),
                (code(503), "later"),
            ] {
                emulator.order(door.rule(fault.clone()).times(1)).unwrap();
                let sms = sms("x");
                let outcome = door.send(&gateway, &sms).await;
                assert_eq!(kind_of(&outcome), kind, "{door:?} {fault:?}: {outcome:?}");
                let settled = gateway.status(&sms.id, door.channel()).await;
                let known = matches!(settled, StatusOutcome::Known(DeliveryStatus::Sent));
                assert_eq!(known, recorded, "{door:?} {fault:?}: {settled:?}");
            }
        }
        emulator.order(door.rule(Fault::Refuse { reasons: Vec::new() }).times(1)).unwrap();
        assert_eq!(kind_of(&door.send(&gateway, &sms("x")).await), "refused", "{door:?}");
        let busy =
            Fault::Status { code: 429, retry_after: Some("90".to_owned()), body: None, recorded: false };
        emulator.order(door.rule(busy).times(1)).unwrap();
        let outcome = door.send(&gateway, &sms("x")).await;
        assert!(matches!(outcome, SendOutcome::Later { until: Some(_), .. }), "{door:?}: {outcome:?}");
        assert_eq!(kind_of(&door.send(&gateway, &sms("x")).await), "accepted", "{door:?}");
    }
}

#[tokio::test]
async fn credit_is_told_in_thousandths_and_a_debt_is_none() {
    let (emulator, gateway) = pair(at_once()).await;
    for (thousandths, millionths) in [(1_247_500, 1_247_500_000), (0, 0), (35, 35_000), (-12_500, 0)] {
        emulator.set_credit(thousandths);
        assert_eq!(gateway.credit().await, CreditOutcome::Left(Price::from_millionths(millionths)));
    }
    let faults = [
        Fault::Reset { recorded: false },
        Fault::Garbage { recorded: false },
        Fault::Truncated { recorded: false },
        Fault::Status { code: 401, retry_after: None, body: None, recorded: false },
        Fault::Status { code: 404, retry_after: None, body: None, recorded: false },
    ];
    for fault in faults {
        emulator.order(FaultRule::on_credit(fault.clone()).times(1)).unwrap();
        let outcome = gateway.credit().await;
        assert!(matches!(outcome, CreditOutcome::CannotTell { until: None, .. }), "{fault:?}: {outcome:?}");
    }
    let busy = Fault::Status { code: 503, retry_after: Some("90".to_owned()), body: None, recorded: false };
    emulator.order(FaultRule { endpoint: Endpoint::Credit, ..FaultRule::on_send(busy) }).unwrap();
    let outcome = gateway.credit().await;
    assert!(matches!(outcome, CreditOutcome::CannotTell { until: Some(_), .. }), "{outcome:?}");
}

#[tokio::test]
async fn what_the_emulator_calls_back_is_what_the_parser_reads() {
    for shape in [CallbackShape::Universal, CallbackShape::UseCase] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/secret", listener.local_addr().unwrap());
        let (received, mut bodies) = tokio::sync::mpsc::unbounded_channel();
        let take = move |body: axum::body::Bytes| async move { received.send(body).unwrap() };
        let router = axum::Router::new().route("/secret", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = Settings { callback_url: Some(url), callback_shape: shape, ..at_once() };
        let (emulator, gateway) = pair(settings).await;
        emulator
            .order(
                FaultRule::on_template(Fault::Deliver { outcome: Outcome::Expired, delay_millis: None })
                    .times(1),
            )
            .unwrap();
        let long = sms(&"x".repeat(161));
        gateway.send(&long).await;
        for part in [1, 2] {
            let read = notification::read(&bodies.recv().await.unwrap()).unwrap().callbacks;
            let [callback] = read.as_slice() else { panic!("{read:?}") };
            assert_eq!(callback.about, About::Ours(long.id));
            assert_eq!((callback.part, callback.parts), (part, 2));
            assert_eq!(callback.status, PartStatus::Delivered);
            assert_eq!(callback.price, Some(Price::from_millionths(35_000)));
            assert!(callback.at.is_some() && callback.channel == PhoneChannel::Sms);
        }
        let outcome = gateway.send_template(&sms("x"), &alert(PhoneChannel::WhatsApp)).await;
        let SendOutcome::Accepted { platform_id: Some(id), .. } = outcome else { panic!("{outcome:?}") };
        let read = notification::read(&bodies.recv().await.unwrap()).unwrap().callbacks;
        let [callback] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(callback.about, About::Theirs(id));
        assert_eq!((callback.channel, callback.status), (PhoneChannel::WhatsApp, PartStatus::Expired));
        assert_eq!(callback.description.to_lowercase(), "expired");
    }
}
