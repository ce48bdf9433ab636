//! What an SMS has to pass, by what the rules say of storms.

use super::*;
use crate::model::{Lane, LimitScope, LimitStep, Pairing, Passage, Pieces, SummaryForm};
use crate::routing::{DeliverAt, DigestBy, Escalation, LaneBy, PairBy, Schedule, SimilarBy, Storming};
use crate::storm::similar;
use crate::text::Split;
use crate::wording::Template;

const WINDOW: Duration = Duration::from_secs(600);

fn steps(most: u32) -> Vec<LimitStep> {
    vec![LimitStep { most, within: Duration::from_secs(60) }]
}

/// Everything but pairs.
fn storming() -> Storming {
    Storming {
        similar: Some(Some(SimilarBy { window: WINDOW, key: None })),
        digest: Some(Some(DigestBy { every: WINDOW, parts: Some(3) })),
        per_destination: Some(steps(3)),
        per_source: Some(steps(9)),
        zone: Some("Europe/Rome".to_owned()),
        ..Storming::default()
    }
}

fn template(written: &str) -> Template {
    Template::new(written).unwrap()
}

/// Parts whose only rule sends so.
fn with(action: SendAction) -> Parts {
    let rule = Rule { name: "all".to_owned(), when: Conditions::default(), action: Action::Send(action) };
    Parts { rules: vec![rule], ..parts() }
}

fn of(storming: Storming) -> SendAction {
    let delivering =
        Delivering { storming, lane: Some(LaneBy::Fixed(Lane::Normal)), ..Delivering::default() };
    SendAction { delivering, ..SendAction::default() }
}

fn sent(action: SendAction, to: &[&str], mail: &str) -> Vec<Message> {
    let (routing, settings) = (with(action).build().unwrap(), settings(Reports::Sender));
    let envelope = envelope("ups@example.com", to);
    let submission =
        mail::prepare(&routing, &settings, &client(), &envelope, mail.as_bytes(), now(), None).unwrap();
    submission.messages
}

fn passage(action: SendAction, text: &str) -> Passage {
    let mut messages = sent(action, &["boss@sms.local"], &format!("Subject: x\r\n\r\n{text}\r\n"));
    assert_eq!(messages.len(), 1);
    messages.remove(0).passage
}

#[test]
fn without_a_word_about_storms_there_is_nothing_to_pass() {
    let passage = passage(of(Storming::default()), "disk 3 full");
    assert_eq!(passage, Passage::default());
}

#[test]
fn an_alarm_has_everything_to_pass_that_is_configured() {
    let messages = sent(of(storming()), &["boss@sms.local"], "Subject: x\r\n\r\ndisk 3 full\r\n");
    let phone = messages[0].sms.destination.as_str();
    let passage = &messages[0].passage;
    assert!(!passage.is_exempt);
    let similar = passage.similar.as_ref().unwrap();
    assert_eq!((similar.key.as_str(), similar.window), (&*similar::key("all", phone, "disk # full"), WINDOW));
    assert_eq!(passage.digest.as_ref().map(|digest| digest.every), Some(WINDOW));
    let limits: Vec<_> = passage.limits.iter().map(|one| (one.scope, one.key.as_str(), &one.steps)).collect();
    let source = (LimitScope::Source, "client 192.0.2.7", &steps(9));
    assert_eq!(limits, [(LimitScope::Destination, phone, &steps(3)), source]);
    assert_eq!(passage.summary, SummaryForm { parts: 3, zone: Some("Europe/Rome".to_owned()) });
}

#[test]
fn the_key_is_the_same_for_the_same_words_but_for_numbers_and_another_one_for_others() {
    let key = |action: SendAction, text: &str| passage(action, text).similar.unwrap().key;
    let one = key(of(storming()), "disk 3 full");
    assert_eq!(one, key(of(storming()), "Disk 44 full"));
    assert_ne!(one, key(of(storming()), "disk 3 failed"));
    let by_subject = Storming {
        similar: Some(Some(SimilarBy { window: WINDOW, key: Some(template("{{ subject }}")) })),
        ..storming()
    };
    assert_eq!(key(of(by_subject.clone()), "disk 3 full"), key(of(by_subject), "link down"));
    let messages = sent(of(storming()), &["boss@sms.local", "ops@sms.local"], "Subject: x\r\n\r\nhot\r\n");
    let keys: std::collections::BTreeSet<_> =
        messages.iter().map(|message| message.passage.similar.clone().unwrap().key).collect();
    let phones: std::collections::BTreeSet<_> = messages.iter().map(|one| &one.sms.destination).collect();
    assert!(phones.len() > 1);
    assert_eq!(keys.len(), phones.len(), "every phone has a key of its own");
}

#[test]
fn a_template_that_fails_leaves_the_words() {
    let failing = Storming {
        similar: Some(Some(SimilarBy { window: WINDOW, key: Some(template("{{ json.host }}")) })),
        pair: Some(Some(PairBy::Key {
            key: template("{{ json.host }}"),
            recovery: Pattern::new("OK").unwrap(),
        })),
        ..storming()
    };
    let failed = passage(of(failing), "disk 3 full");
    assert_eq!(failed.similar, passage(of(storming()), "disk 3 full").similar);
    assert_eq!(failed.pairing, Pairing::default());
}

#[test]
fn what_is_exempt_counts_for_limits_and_folds_with_nothing() {
    let critical = |storming| {
        let mut action = of(storming);
        action.delivering.lane = Some(LaneBy::Fixed(Lane::Critical));
        action
    };
    let exempt = Storming { exempt: Some(true), ..storming() };
    let never = || Storming { exempt: Some(false), ..storming() };
    let password = "Your login code is 482913";
    for (action, text) in [
        (critical(storming()), "disk full"),
        (critical(never()), "disk full"),
        (of(storming()), password),
        (of(exempt), "disk full"),
    ] {
        let passage = passage(action, text);
        assert!(passage.is_exempt, "{text}");
        assert_eq!((passage.similar, passage.digest, passage.limits.len()), (None, None, 2), "{text}");
    }
    assert!(!passage(of(never()), password).is_exempt);
    assert!(!passage(of(storming()), "Error code 482913").is_exempt);
}

#[test]
fn only_what_is_critical_and_one_time_passwords_pass_a_budget_s_hold_level() {
    let by = |exempt| of(Storming { exempt, ..storming() });
    let critical = |exempt| {
        let mut action = by(exempt);
        action.delivering.lane = Some(LaneBy::Fixed(Lane::Critical));
        action
    };
    let (alarm, password) = ("disk full", "Your login code is 482913");
    for (action, text, is_exempt, passes_hold) in [
        (by(None), alarm, false, false),
        (by(None), password, true, true),
        (by(Some(true)), alarm, true, false),
        (by(Some(true)), password, true, true),
        (by(Some(false)), password, false, false),
        (critical(None), alarm, true, true),
        (critical(Some(true)), alarm, true, true),
        (critical(Some(false)), alarm, true, true),
    ] {
        let passage = passage(action, text);
        assert_eq!((passage.is_exempt, passage.passes_hold), (is_exempt, passes_hold), "{text}");
    }
}

#[test]
fn what_is_only_simulated_takes_no_room() {
    let action = SendAction { simulation: true, ..of(storming()) };
    let summary = SummaryForm { parts: 3, zone: Some("Europe/Rome".to_owned()) };
    assert_eq!(passage(action, "disk full"), Passage { summary, ..Passage::default() });
}

#[test]
fn what_the_platform_holds_until_its_time_folds_with_nothing_and_takes_no_room() {
    let scheduled = |at: Timestamp, schedule: Schedule| {
        let pair = Some(Some(PairBy::Replies));
        let mut action = of(Storming { pair, ..storming() });
        action.delivering.deliver_at = Some(Some(DeliverAt::Once(at)));
        action.delivering.schedule = Some(schedule);
        let mail = "Message-ID: <1@mon>\r\nSubject: x\r\n\r\ndisk full\r\n";
        let message = sent(action, &["boss@sms.local"], mail).remove(0);
        (message.sms.options.scheduled_at, message.passage)
    };
    let now = now();
    let tomorrow = now + jiff::SignedDuration::from_hours(24);
    let (at, passage) = scheduled(tomorrow, Schedule::Platform);
    assert_eq!(at, Some(tomorrow));
    let Passage { similar, digest, limits, pairing, .. } = passage;
    assert_eq!((similar, digest, limits), (None, None, Vec::new()));
    assert!(pairing.own.is_some(), "pairs stay");
    // What the relay holds passes at its time, and what is past goes now.
    for (at, schedule) in [(tomorrow, Schedule::Relay), (now, Schedule::Platform)] {
        let (at, passage) = scheduled(at, schedule);
        assert_eq!(at, None);
        assert!(passage.similar.is_some() && passage.digest.is_some() && passage.limits.len() == 2);
    }
}

#[test]
fn pieces_of_one_text_pass_by_all_of_its_words() {
    let mut wording = Wording::in_parts(5);
    wording.fitting.split = Split::Messages;
    let action = || SendAction { wording: Some(Arc::new(wording.clone())), ..of(storming()) };
    let made = |text: &str| {
        let to = ["+393280000001@sms.local", "+393280000002@sms.local"];
        let messages = sent(action(), &to, &format!("Subject: x\r\n\r\n{text}\r\n"));
        let of = |message: Message| (message.sms.destination.to_string(), message.passage);
        messages.into_iter().map(of).collect::<Vec<_>>()
    };
    let text = "full disk ".repeat(30);
    let made_of = made(&format!("{text} 1"));
    let count = u32::try_from(made_of.len() / 2).unwrap();
    assert!(count > 1);
    for (place, (phone, passage)) in made_of.iter().enumerate() {
        let first = if phone.ends_with('1') { 1 } else { count + 1 };
        assert_eq!(passage.pieces, Some(Pieces { first, count }), "{place}");
        assert_eq!(*passage, made_of[first as usize - 1].1);
    }
    let key = |text: String| made(&text).remove(0).1.similar.unwrap().key;
    assert_eq!(key(format!("{text} 1")), key(format!("{text} 44")));
    assert_ne!(key(format!("{text} 1")), key(format!("{text} down")), "the last piece differs");
    // A one-time password in one piece is one of the whole text.
    let code = made(&format!("{text} Your login code is 482913"));
    assert!(code.len() > 2 && code.iter().all(|(_, passage)| passage.is_exempt));
    assert_eq!(passage(of(storming()), "disk full").pieces, None);
}

#[test]
fn an_escalation_folds_with_its_like_and_waits_for_its_phone_s_limits() {
    let after = Duration::from_secs(60);
    let escalated = |storming: Storming, text: &str| {
        let mut action = of(storming);
        action.delivering.escalation = Some(Some(Escalation { after, to: "ops".to_owned(), text: None }));
        let mut messages = sent(action, &["boss@sms.local"], &format!("Subject: x\r\n\r\n{text}\r\n"));
        let escalation = messages.pop().unwrap();
        assert!(matches!(escalation.fate, Fate::Held { .. }));
        assert_ne!(escalation.passage.similar, messages[0].passage.similar);
        escalation
    };
    let escalation = escalated(storming(), "disk 3 full");
    let Passage { is_exempt, similar, digest, limits, pairing, escalates_after, .. } = &escalation.passage;
    assert_eq!((is_exempt, digest, pairing), (&false, &None, &Pairing::default()));
    assert_eq!(*escalates_after, Some(after));
    let limits: Vec<_> = limits.iter().map(|one| (one.scope, one.key.as_str())).collect();
    assert_eq!(limits, [(LimitScope::Destination, escalation.sms.destination.as_str())]);
    assert_eq!(similar.as_ref().map(|similar| similar.window), Some(WINDOW));
    let key = |storming: Storming, text: &str| escalated(storming, text).passage.similar.unwrap().key;
    assert_eq!(*similar, escalated(storming(), "disk 44 full").passage.similar);
    assert_ne!(key(storming(), "disk 3 full"), key(storming(), "disk 3 failed"));
    let by_subject = SimilarBy { window: WINDOW, key: Some(template("{{ subject }}")) };
    let by_subject = Storming { similar: Some(Some(by_subject)), ..storming() };
    assert_eq!(key(by_subject.clone(), "disk full"), key(by_subject, "link down"));

    // By a digest alone: within its interval, behind a first that goes at once.
    let every = WINDOW * 2;
    let digest = || Some(Some(DigestBy { every, parts: None }));
    let by_digest = Storming { similar: None, digest: digest(), ..storming() };
    let Passage { similar, digest: none, .. } = escalated(by_digest, "disk full").passage;
    assert_eq!((similar.unwrap().window, none), (every, None));
    let by_both = Storming { digest: digest(), ..storming() };
    assert_eq!(escalated(by_both, "disk full").passage.similar.unwrap().window, WINDOW);

    // Where nothing folds, and of what is exempt, they fold with nothing either.
    let neither = Storming { similar: None, digest: None, ..storming() };
    for none in [neither, Storming { exempt: Some(true), ..storming() }] {
        let mut action = of(none);
        action.delivering.escalation = Some(Some(Escalation { after, to: "ops".to_owned(), text: None }));
        let messages = sent(action, &["boss@sms.local"], "Subject: x\r\n\r\ndisk full\r\n");
        assert!(matches!(messages[1].fate, Fate::Held { .. }));
        assert_eq!(messages[1].passage.similar, None);
    }
}

#[test]
fn a_recovery_names_its_problem_by_what_it_answers_or_by_a_key() {
    let pairing = |pair: PairBy, mail: &str| {
        let storming = Storming { pair: Some(Some(pair)), ..Storming::default() };
        sent(of(storming), &["boss@sms.local"], mail).remove(0).passage.pairing
    };
    let problem = pairing(PairBy::Replies, "Message-ID: <1@mon>\r\nSubject: PROBLEM: disk\r\n\r\nx\r\n");
    let recovery = "Message-ID: <2@mon>\r\nIn-Reply-To: <1@mon>\r\nSubject: OK: disk\r\n\r\nx\r\n";
    let recovery = pairing(PairBy::Replies, recovery);
    assert_eq!((problem.ends.len(), recovery.ends), (0, vec![problem.own.unwrap()]));
    assert!(recovery.own.is_some());

    let by_key = || PairBy::Key {
        key: template("{{ subject|match('^[A-Z]+: (.*)', 1) }}"),
        recovery: Pattern::new("^OK:").unwrap(),
    };
    let problem = pairing(by_key(), "Subject: PROBLEM: disk\r\n\r\nx\r\n");
    let recovery = pairing(by_key(), "Subject: OK: disk\r\n\r\nx\r\n");
    assert_eq!(problem, Pairing { own: recovery.ends.first().cloned(), ends: Vec::new() });
    assert_eq!((recovery.own, recovery.ends.len()), (None, 1));
    assert_eq!(pairing(by_key(), "Subject: no colon\r\n\r\nx\r\n"), Pairing::default());
}

#[test]
fn who_has_no_account_ends_nothing_of_those_that_have_one() {
    let settings = settings(Reports::Sender);
    let pairing = |pair: PairBy, client: &Client, mail: &str| {
        let routing = with(of(Storming { pair: Some(Some(pair)), ..Storming::default() })).build().unwrap();
        let envelope = envelope("ups@example.com", &["boss@sms.local"]);
        let submission =
            mail::prepare(&routing, &settings, client, &envelope, mail.as_bytes(), now(), None).unwrap();
        submission.messages[0].passage.pairing.clone()
    };
    let of = |account: Option<&str>| Client { account: account.map(str::to_owned), ..client() };
    let elsewhere = Client { address: "192.0.2.8".parse().unwrap(), ..client() };
    let own = Client { door: Door::Relay, ..client() };
    let clients = [of(None), of(Some("shop")), of(Some("zabbix")), own];
    let by_key = || PairBy::Key { key: template("disk"), recovery: Pattern::new("^OK").unwrap() };
    let pairs: [fn() -> PairBy; 2] = [|| PairBy::Replies, by_key];
    for pair in pairs {
        let down = "Message-ID: <1@mon>\r\nSubject: DOWN\r\n\r\nx\r\n";
        let up = "In-Reply-To: <1@mon>\r\nSubject: OK\r\n\r\nx\r\n";
        let ends = |problem: &Client, recovery: &Client| {
            pairing(pair(), recovery, up).ends == [pairing(pair(), problem, down).own.unwrap()]
        };
        for (n, problem) in clients.iter().enumerate() {
            for (m, recovery) in clients.iter().enumerate() {
                assert_eq!(ends(problem, recovery), n == m, "{problem:?} {recovery:?}");
            }
        }
        assert!(ends(&clients[0], &elsewhere));
    }
}

#[test]
fn an_account_is_a_source_wherever_it_comes_from() {
    let routing = with(of(storming())).build().unwrap();
    let settings = settings(Reports::Sender);
    let source = |client: &Client| {
        let prepared = form::prepare(&routing, &settings, client, &form(), now(), None).unwrap();
        prepared.submission.messages[0].passage.limits[1].key.clone()
    };
    let shop = Client { account: Some("shop".to_owned()), ..client() };
    let elsewhere = Client { address: "2001:db8::1".parse().unwrap(), ..client() };
    assert_eq!(
        (source(&shop).as_str(), source(&elsewhere).as_str()),
        ("account shop", "client 2001:db8::/64")
    );
}
