//! Every key against explanations made by hand.

use super::super::expect::At;
use super::*;
use crate::intake::{ExplainedPhone, ExplainedRecipient, Refusal, RefusalKind};
use crate::model::SmsText;
use crate::text::{foreign, measure};
use crate::wording::Groups;

const ONE: &str = "+393471234567";
const TWO: &str = "+393470000001";

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::from_e164(text).unwrap()
}

/// An expectation that stands at so many columns of its file.
fn at<T>(column: usize, value: T) -> At<T> {
    At { value, place: place(column) }
}

fn place(column: usize) -> Spot {
    Spot::new(&"x".repeat(100), &(column..column + 1), &[])
}

fn sms(text: &str) -> ExplainedSms {
    let size = measure(text);
    ExplainedSms {
        text: SmsText { body: text.to_owned(), encoding: size.encoding, parts: size.parts },
        units: size.units,
        parts: Vec::new(),
        foreign: foreign(text),
        parts_without_foreign: 1,
        price: None,
        same_as: None,
    }
}

fn phone(to: &str, rule: &str, fate: ExplainedFate) -> ExplainedPhone {
    ExplainedPhone {
        destination: number(to),
        named: None,
        is_of_rule: false,
        tried: Vec::new(),
        rule: rule.to_owned(),
        fate,
    }
}

/// `fire` sends these texts.
fn gets(to: &str, sender: &str, texts: &[&str]) -> ExplainedPhone {
    let fate = ExplainedFate::Sent {
        sender: SenderId::new(sender).unwrap(),
        removed: Vec::new(),
        variables: Vec::new(),
        groups: Groups::new(),
        template_problem: None,
        words: texts.concat(),
        sms: texts.iter().map(|text| sms(text)).collect(),
        delivery: Box::default(),
    };
    phone(to, "fire", fate)
}

fn dropped(to: &str, reason: &str) -> ExplainedPhone {
    phone(to, "noise", ExplainedFate::Dropped { reason: reason.to_owned() })
}

fn refused(to: &str, reason: &str) -> ExplainedPhone {
    phone(to, "no", ExplainedFate::Refused { reason: reason.to_owned() })
}

fn refusal(text: &str) -> Refusal {
    Refusal { kind: RefusalKind::NotAllowed, text: text.to_owned() }
}

/// One recipient, `everybody@sms.local`, with these phones.
fn explained(phones: Vec<ExplainedPhone>) -> Explanation {
    of(vec![Ok(phones)])
}

fn of(outcomes: Vec<Result<Vec<ExplainedPhone>, Refusal>>) -> Explanation {
    let recipient = |outcome| ExplainedRecipient {
        written: "everybody@sms.local".to_owned(),
        outcome,
        forwarded_to: None,
    };
    Explanation {
        subject: String::new(),
        from: String::new(),
        text: String::new(),
        attachments: Vec::new(),
        recipients: outcomes.into_iter().map(recipient).collect(),
        refusal: None,
    }
}

/// The sentences, and the columns of what they are about.
fn told(expect: &Expect, explanation: &Explanation) -> Vec<(usize, String)> {
    compare(expect, explanation).into_iter().map(|one| (one.place.column - 1, one.text)).collect()
}

fn one(expect: Expect, explanation: &Explanation) -> String {
    let mut told = told(&expect, explanation);
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0).1
}

fn sender(text: &str) -> Option<At<SenderId>> {
    Some(at(2, SenderId::new(text).unwrap()))
}

fn to(numbers: &[&str]) -> Option<At<BTreeSet<PhoneNumber>>> {
    Some(at(1, numbers.iter().map(|text| number(text)).collect()))
}

fn text(texts: &[&str]) -> Option<At<Vec<String>>> {
    Some(at(3, texts.iter().map(|text| (*text).to_owned()).collect()))
}

#[test]
fn what_is_as_expected_is_not_told() {
    let all = Expect {
        to: to(&[TWO, ONE]),
        rule: Some(at(0, vec!["fire".to_owned()])),
        sender: sender("Alarm"),
        text: text(&["Fire"]),
        parts: Some(at(4, 1)),
        encoding: Some(at(5, Encoding::Gsm7)),
        ..Expect::default()
    };
    let explanation = explained(vec![gets(ONE, "Alarm", &["Fire"]), gets(TWO, "Alarm", &["Fire"])]);
    assert_eq!(told(&all, &explanation), []);
    assert_eq!(told(&Expect::default(), &explained(vec![refused(ONE, "x")])), [], "nothing named");
}

#[test]
fn each_key_is_told_with_its_own_place() {
    let all = Expect {
        to: to(&[TWO]),
        rule: Some(at(0, vec!["water".to_owned()])),
        sender: sender("Relay"),
        text: text(&["Fire"]),
        parts: Some(at(4, 2)),
        encoding: Some(at(5, Encoding::Gsm7)),
        ..Expect::default()
    };
    let expected = [
        (0, "rule `fire` decides for +393471234567, not `water`"),
        (1, "it goes to +393471234567 and not to +393470000001"),
        (2, "the sender for +393471234567 is `Alarm`, not `Relay`"),
        (3, "+393471234567 gets other words"),
        (4, "+393471234567 gets 1 part, not 2"),
        (5, "the SMS to +393471234567 is in ucs2, not gsm7; `ж` at line 2, column 4 needs Unicode"),
    ];
    let expected = expected.map(|(column, text)| (column, text.to_owned()));
    assert_eq!(told(&all, &explained(vec![gets(ONE, "Alarm", &["Fire\nin ж"])])), expected);
}

#[test]
fn phones_are_compared_as_a_set() {
    let explanation = explained(vec![gets(ONE, "Alarm", &["x"]), gets(TWO, "Alarm", &["x"])]);
    let told = |numbers| one(Expect { to: to(numbers), ..Expect::default() }, &explanation);
    assert_eq!(told(&[ONE]), "it also goes to +393470000001");
    assert_eq!(told(&[ONE, TWO, "+393470000002"]), "nothing goes to +393470000002");
    let partly = explained(vec![gets(ONE, "Alarm", &["x"]), dropped(TWO, "noise")]);
    let told = one(Expect { to: to(&[ONE, TWO]), ..Expect::default() }, &partly);
    assert_eq!(told, "nothing goes to +393470000001");
}

#[test]
fn every_phone_must_get_what_is_expected() {
    let explanation = explained(vec![
        gets(ONE, "Alarm", &["x"]),
        gets(TWO, "Relay", &["x"]),
        gets("+393470000002", "Relay", &["x"]),
    ]);
    let expect = Expect { sender: sender("Alarm"), ..Expect::default() };
    assert_eq!(
        one(expect, &explanation),
        "the sender for +393470000001 is `Relay`, not `Alarm` (and so for 1 other phone)"
    );
    // Who gets nothing has nothing to be compared.
    let partly = explained(vec![gets(ONE, "Alarm", &["x"]), refused(TWO, "no")]);
    let expect = Expect { sender: sender("Alarm"), text: text(&["x"]), ..Expect::default() };
    assert_eq!(told(&expect, &partly), []);
}

#[test]
fn other_words_are_shown_line_by_line() {
    let explanation = explained(vec![gets(ONE, "Alarm", &["Fire\nHall 4"])]);
    let expect = Expect { text: text(&["Fire\nHall 3"]), ..Expect::default() };
    let differences = compare(&expect, &explanation);
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].diff, "  Fire\n- Hall 3\n       ^\n+ Hall 4\n       ^");
}

#[test]
fn several_sms_are_compared_one_by_one() {
    let explanation = explained(vec![gets(ONE, "Alarm", &["1/2 Fire", "2/2 Hall"])]);
    let expect = |texts| Expect { text: text(texts), parts: Some(at(4, 2)), ..Expect::default() };
    assert_eq!(told(&expect(&["1/2 Fire", "2/2 Hall"]), &explanation), []);
    let differences = compare(&expect(&["1/2 Fire"]), &explanation);
    assert_eq!(differences[0].text, "+393471234567 gets 2 SMS, not 1");
    assert_eq!(differences[0].diff, "  1/2 Fire\n+ ---\n+ 2/2 Hall");
    let differences = compare(&expect(&["1/2 Fire", "2/2 Gate"]), &explanation);
    assert_eq!(differences[0].text, "+393471234567 gets other words");
    assert_eq!(differences[0].diff, "  1/2 Fire\n  ---\n- 2/2 Gate\n      ^^^^\n+ 2/2 Hall\n      ^^^^");
}

#[test]
fn parts_say_what_makes_them_many() {
    let long = format!("{}ж", "a".repeat(80));
    let explanation = explained(vec![gets(ONE, "Alarm", &[&long])]);
    assert_eq!(
        one(Expect { parts: Some(at(4, 1)), ..Expect::default() }, &explanation),
        "+393471234567 gets 2 parts, not 1; `ж` at line 1, column 81 needs Unicode"
    );
}

#[test]
fn a_template_that_failed_is_told_with_its_words() {
    let mut phone = gets(ONE, "Alarm", &["x"]);
    if let ExplainedFate::Sent { template_problem, .. } = &mut phone.fate {
        *template_problem = Some("division by zero".to_owned());
    }
    assert_eq!(
        one(Expect { text: text(&["y"]), ..Expect::default() }, &explained(vec![phone])),
        "+393471234567 gets other words; the template of rule `fire` could not be used: division by zero"
    );
}

#[test]
fn a_phone_that_two_recipients_lead_to_is_compared_for_each() {
    let first = gets(ONE, "Alarm", &["1/2 Fire", "2/2 Hall"]);
    let mut again = first.clone();
    if let ExplainedFate::Sent { sms, .. } = &mut again.fate {
        sms[0].same_as = Some("boss@sms.local".to_owned());
    }
    let expect = |texts, parts| Expect {
        to: to(&[ONE]),
        text: text(texts),
        parts: Some(at(4, parts)),
        ..Expect::default()
    };
    let explanation = of(vec![Ok(vec![first.clone()]), Ok(vec![again])]);
    assert_eq!(told(&expect(&["1/2 Fire", "2/2 Hall"], 2), &explanation), []);
    let other = of(vec![Ok(vec![first]), Ok(vec![gets(ONE, "Alarm", &["1/2 Fire", "2/2 Gate"])])]);
    let told = told(&expect(&["1/2 Fire", "2/2 Hall"], 2), &other);
    assert_eq!(told, [(3, "+393471234567 gets other words".to_owned())]);
}

#[test]
fn that_nothing_is_sent_is_told_once() {
    let expect = Expect {
        to: to(&[ONE]),
        sender: sender("Alarm"),
        text: text(&["x"]),
        parts: Some(at(4, 1)),
        encoding: Some(at(5, Encoding::Gsm7)),
        ..Expect::default()
    };
    let whole = Explanation {
        refusal: Some(refusal("it goes in circles")),
        ..explained(vec![gets(ONE, "Alarm", &["x"])])
    };
    for (explanation, why) in [
        (of(vec![]), "there is no recipient"),
        (of(vec![Err(refusal("not allowed"))]), "everybody@sms.local is refused: not allowed"),
        (explained(vec![]), "mail for everybody@sms.local goes to the operator, by mail"),
        (explained(vec![dropped(ONE, "noise")]), "rule `noise` drops it for +393471234567: noise"),
        (explained(vec![refused(ONE, "never")]), "rule `no` refuses it for +393471234567: never"),
        (whole, "it is refused: it goes in circles"),
    ] {
        assert_eq!(told(&expect, &explanation), [(1, format!("nothing is sent: {why}"))]);
    }
}

#[test]
fn a_rule_decides_for_what_is_not_sent_too() {
    let rule = |name: &str| Expect { rule: Some(at(0, vec![name.to_owned()])), ..Expect::default() };
    assert_eq!(told(&rule("noise"), &explained(vec![dropped(ONE, "x")])), []);
    assert_eq!(
        one(rule("fire"), &explained(vec![gets(TWO, "Alarm", &["x"]), dropped(ONE, "x")])),
        "rule `noise` decides for +393471234567, not `fire`"
    );
    assert_eq!(
        one(rule("fire"), &of(vec![Err(refusal("unknown"))])),
        "no rule decides: everybody@sms.local is refused: unknown"
    );
}

#[test]
fn refused_is_everybody_and_each_for_the_reason() {
    let because = |reason: Reason| Expect { refused: Some(at(6, reason)), ..Expect::default() };
    let words = |words: &str| because(Reason::With(words.to_owned()));
    let both = of(vec![Err(refusal("Not allowed here")), Ok(vec![refused(ONE, "it is not allowed")])]);
    assert_eq!(told(&because(Reason::Any), &both), []);
    assert_eq!(told(&words("not ALLOWED"), &both), []);
    assert_eq!(one(words("here"), &both), "it is refused for another reason: it is not allowed");
    let whole = Explanation { refusal: Some(refusal("in circles")), ..explained(vec![]) };
    assert_eq!(told(&words("circles"), &whole), []);

    let any = || because(Reason::Any);
    let partly = explained(vec![refused(ONE, "no"), gets(TWO, "Alarm", &["x"])]);
    assert_eq!(one(any(), &partly), "it is not refused: rule `fire` sends it to +393470000001");
    assert_eq!(
        one(any(), &explained(vec![dropped(ONE, "x")])),
        "it is not refused: rule `noise` drops it for +393471234567: x"
    );
    assert_eq!(
        one(any(), &explained(vec![])),
        "it is not refused: mail for everybody@sms.local goes to the operator, by mail"
    );
    assert_eq!(one(any(), &of(vec![])), "it is not refused: there is no recipient");
}

#[test]
fn dropped_is_every_phone_and_each_for_the_reason() {
    let because = |reason: Reason| Expect { dropped: Some(at(7, reason)), ..Expect::default() };
    let words = |words: &str| because(Reason::With(words.to_owned()));
    let both = explained(vec![dropped(ONE, "An automatic reply"), dropped(TWO, "automatic")]);
    assert_eq!(told(&because(Reason::Any), &both), []);
    assert_eq!(told(&words("automatic"), &both), []);
    assert_eq!(one(words("reply"), &both), "it is dropped for another reason: automatic");

    let any = || because(Reason::Any);
    assert_eq!(
        one(any(), &explained(vec![dropped(ONE, "x"), gets(TWO, "Alarm", &["x"])])),
        "it is not dropped: rule `fire` sends it to +393470000001"
    );
    assert_eq!(
        one(any(), &of(vec![Err(refusal("unknown"))])),
        "it is not dropped: everybody@sms.local is refused: unknown"
    );
    let whole = Explanation { refusal: Some(refusal("in circles")), ..explained(vec![dropped(ONE, "x")]) };
    assert_eq!(one(any(), &whole), "it is not dropped: it is refused: in circles");
    assert_eq!(one(any(), &of(vec![])), "it is not dropped: there is no recipient");
}

/// One phone with this delivery, and what is wrong with it.
fn wrong(expect: &Expect, delivery: ExplainedDelivery) -> Vec<String> {
    let mut phone = gets(ONE, "Relay", &["Fire"]);
    if let ExplainedFate::Sent { delivery: of_phone, .. } = &mut phone.fate {
        **of_phone = delivery;
    }
    let explanation = explained(vec![phone]);
    compare(expect, &explanation).into_iter().map(|difference| difference.text).collect()
}

#[test]
fn delivery_is_compared_key_by_key() {
    use crate::intake::ExplainedEscalation;
    use crate::model::{Channel, HoldReason, Lane, Legacy, Template, Way, Ways};
    use crate::routing::ChannelStep;
    use std::time::Duration;

    let time = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let template = Template { channel: Channel::Rcs, id: "a".to_owned(), variables: Default::default() };
    let ways = vec![Way::Template(template), Way::Legacy(Legacy::default())];
    let delivery = || ExplainedDelivery {
        lane: Lane::Bulk,
        gateways: vec!["main".to_owned()],
        ways: Ways::new(ways.clone(), None).unwrap(),
        scheduled_at: Some(time),
        held_because: Some(HoldReason::Quiet),
        escalation: Some(ExplainedEscalation {
            after: Duration::from_secs(60),
            at: time,
            to: "second".to_owned(),
            phones: vec![number(TWO)],
            asleep: Default::default(),
            sms: sms("Fire"),
        }),
        ..ExplainedDelivery::default()
    };
    let step = |id: &str| ChannelStep::Template { channel: Channel::Rcs, id: id.to_owned() };
    let expect = |lane, gateway: &str, id: &str, at_time: Option<jiff::Timestamp>, to: &[&str]| Expect {
        lane: Some(at(1, lane)),
        gateways: Some(at(2, vec![gateway.to_owned()])),
        channels: Some(at(3, vec![step(id), ChannelStep::Sms])),
        deliver_at: Some(at(4, at_time)),
        held: Some(at(6, at_time.map(|_| HoldReason::Quiet))),
        escalates_to: Some(at(5, to.iter().map(|to| number(to)).collect())),
        ..Expect::default()
    };
    assert_eq!(wrong(&expect(Lane::Bulk, "main", "a", Some(time), &[TWO]), delivery()), [""; 0]);
    let shown = time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z");
    assert_eq!(
        wrong(&expect(Lane::Critical, "backup", "b", None, &[]), delivery()),
        [
            format!("the lane for {ONE} is bulk, not critical"),
            format!("the gateways for {ONE} are main, not backup"),
            format!("the channels for {ONE} are rcs:a, sms, not rcs:b, sms"),
            format!("{ONE} gets it at {shown}, not at once"),
            format!("the SMS to {ONE} is quiet, and should be not held"),
            format!("the SMS to {ONE} escalates to {TWO}, not nobody"),
        ]
    );
    let held = ExplainedDelivery { held_until: Some(time), ..ExplainedDelivery::default() };
    let later = Expect { deliver_at: Some(at(1, Some(time))), ..Expect::default() };
    assert_eq!(wrong(&later, held), [""; 0]);
    assert_eq!(
        wrong(&later, ExplainedDelivery::default()),
        [format!("{ONE} gets it at once, not at {shown}")]
    );
}

/// What a delivery passes, and how long it lives.
fn passing() -> ExplainedDelivery {
    use std::time::Duration;

    use crate::intake::{ExplainedEscalation, ExplainedStorm};
    use crate::model::{Channel, Charge, Digest, Limit, LimitStep, Pairing, Passage, Period, Similar};
    use crate::model::{Template, Unit, Way, Ways};

    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let variables = [("host".to_owned(), "ups-3".to_owned())].into();
    let template = Template { channel: Channel::Rcs, id: "a".to_owned(), variables };
    let limit = |scope, most| Limit {
        key: "x".to_owned(),
        scope,
        steps: vec![LimitStep { most, within: minutes(1) }],
    };
    let charge = Charge {
        key: crate::budget::key("all", Period::Day, Unit::Parts),
        period: Period::Day,
        unit: Unit::Parts,
        amount: 1,
        warn: None,
        hold: Some(5),
        ceiling: None,
        zone: None,
    };
    ExplainedDelivery {
        ways: Ways::new(vec![Way::Template(template), Way::Sms], Some(minutes(10))).unwrap(),
        lifetime: minutes(60),
        is_simulated: true,
        escalation: Some(ExplainedEscalation {
            after: minutes(10),
            at: jiff::Timestamp::UNIX_EPOCH,
            to: "second".to_owned(),
            phones: vec![number(TWO)],
            asleep: Default::default(),
            sms: sms("Still: fire"),
        }),
        storm: ExplainedStorm {
            pair_key: Some("disk c".to_owned()),
            passage: Passage {
                similar: Some(Similar { key: "k".to_owned(), window: minutes(10) }),
                digest: Some(Digest { key: "k".to_owned(), every: minutes(15) }),
                pairing: Pairing { own: None, ends: vec!["k".to_owned()] },
                limits: vec![limit(LimitScope::Destination, 3), limit(LimitScope::Source, 60)],
                ..Passage::default()
            },
            ..ExplainedStorm::default()
        },
        budgets: vec![charge],
        ..ExplainedDelivery::default()
    }
}

#[test]
fn what_a_delivery_passes_is_compared_key_by_key() {
    use std::time::Duration;

    use crate::model::LimitStep;

    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let steps = |most| vec![LimitStep { most, within: minutes(1) }];
    let expect = |n: u64, host: &str, words: &str, budgets: &[&str]| Expect {
        variables: Some(at(1, [("host".to_owned(), host.to_owned())].into())),
        silent_after: Some(at(2, minutes(10 + n))),
        lifetime: Some(at(3, minutes(60 + n))),
        simulation: Some(at(4, n == 0)),
        escalates_after: Some(at(5, minutes(10 + n))),
        escalates_text: Some(at(6, words.to_owned())),
        folds_for: Some(at(7, (n == 0).then(|| minutes(10)))),
        digest: Some(at(8, (n == 0).then(|| minutes(15)))),
        limit: Some(at(9, steps(3 + u32::try_from(n).unwrap()))),
        source_limit: Some(at(10, if n == 0 { steps(60) } else { Vec::new() })),
        pair_key: Some(at(11, (n == 0).then(|| "disk c".to_owned()))),
        recovery: Some(at(12, n == 0)),
        budgets: Some(at(13, budgets.iter().map(|&name| name.to_owned()).collect())),
        ..Expect::default()
    };
    assert_eq!(wrong(&expect(0, "ups-3", "Still: fire\n", &["all"]), passing()), [""; 0]);
    assert_eq!(
        wrong(&expect(1, "ups-4", "Fire", &[]), passing()),
        [
            format!("the variables for {ONE} are host = `ups-3`, not host = `ups-4`"),
            format!("the next channel for {ONE} is tried after 10m"),
            format!("the lifetime of the SMS to {ONE} is 1h, not 1h 1m"),
            format!("the SMS to {ONE} is only simulated"),
            format!("the SMS to {ONE} escalates after 10m, not 11m"),
            format!("the SMS to {ONE} escalates with other words: `Still: fire`"),
            format!("the SMS to {ONE} folds with similar ones for 10m"),
            format!("the SMS to {ONE} is told with others every 15m"),
            format!("the limit for {ONE} is 3 in 1m, not 4 in 1m"),
            format!("the limit of the sender for {ONE} is 60 in 1m, not none"),
            format!("the SMS to {ONE} is paired by `disk c`"),
            format!("the SMS to {ONE} ends what is held of its problem"),
            format!("the SMS to {ONE} is charged to all, not no budget"),
        ]
    );
    assert_eq!(
        wrong(&expect(0, "ups-3", "Still: fire", &["all"]), ExplainedDelivery::default()),
        [
            format!("the variables for {ONE} are none, not host = `ups-3`"),
            format!("there is no next channel for {ONE}"),
            format!("the lifetime of the SMS to {ONE} is 0s, not 1h"),
            format!("the SMS to {ONE} is really sent"),
            format!("the SMS to {ONE} escalates to nobody"),
            format!("the SMS to {ONE} escalates to nobody"),
            format!("the SMS to {ONE} folds with no similar ones"),
            format!("the SMS to {ONE} is told alone"),
            format!("the limit for {ONE} is none, not 3 in 1m"),
            format!("the limit of the sender for {ONE} is none, not 60 in 1m"),
            format!("the SMS to {ONE} is paired by no key"),
            format!("the SMS to {ONE} ends no problem"),
            format!("the SMS to {ONE} is charged to no budget, not all"),
        ]
    );
}
