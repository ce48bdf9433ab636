use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::super::tests::{at, case, outcome, sender, settings};
use super::*;
use crate::model::{
    Cause, Delivery, EnhancedStatus, Fate, FinalState, MailAddress, Message, MessageId, Notify, PhoneNumber,
    Submission, SubmissionId,
};
use crate::spool::{Room, Spool, SqliteSpool, Step, sqlite};

const GATEWAY: &str = "main";

fn open() -> (Arc<SqliteSpool>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let settings = sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    (Arc::new(SqliteSpool::open(settings).unwrap()), directory)
}

fn reporting(spool: &Arc<SqliteSpool>, reports_per_hour: usize) -> Reporting {
    let settings = super::super::Settings { reports_per_hour, ..settings() };
    Reporting::new(spool.clone(), None, Arc::default(), settings)
}

/// A mail with as many SMS for each recipient as there are `(notify, pieces)`; each recipient has a phone.
fn submission(recipients: &[(&str, u32)]) -> Submission {
    let id = SubmissionId::new(at(0));
    let of = case(0, sender("nas"));
    let mut messages = Vec::new();
    for ((notify, pieces), phone) in recipients.iter().zip(1_u32..) {
        for _ in 0..*pieces {
            let ordinal = messages.len() as u32 + 1;
            let like = outcome(id, ordinal, notify, FinalState::Failed, 5);
            let mut sms = like.sms;
            sms.destination = PhoneNumber::from_e164(&format!("+39347000000{phone}")).unwrap();
            messages.push(Message {
                sms,
                recipient: crate::model::Recipient {
                    address: format!("r{phone}@sms.local"),
                    ..like.recipient
                },
                rule: "default".to_owned(),
                delivery: Delivery { delayed_at: Some(at(500)), ..Delivery::until(at(100_000)) },
                fate: Fate::Due,
                passage: Default::default(),
            });
        }
    }
    Submission {
        id,
        received_at: at(0),
        client: of.client,
        report_to: of.report_to,
        tell_url: None,
        original: of.original,
        messages,
        forwards: Vec::new(),
        remembered: crate::model::Remembered::default(),
    }
}

/// Hands everything to the platform.
async fn send_all(spool: &dyn Spool, now: Timestamp) {
    loop {
        let rooms =
            vec![Room { gateway: GATEWAY.to_owned(), calls: [100; 3], is_open: true, may_hang: false }];
        let calls = spool.claim_due(now, rooms).await.unwrap();
        if calls.is_empty() {
            return;
        }
        for claimed in calls.into_iter().flat_map(|call| call.messages) {
            let step = Step::Sent {
                parts: None,
                unicode: None,
                platform_id: None,
                ask_at: at(50_000),
                note: "the platform has it".to_owned(),
            };
            spool.settle(claimed.sms.id, claimed.attempt, step, now).await.unwrap();
        }
    }
}

async fn end(spool: &dyn Spool, id: MessageId, state: FinalState, class: u8, now: Timestamp) {
    let cause = Cause::new(EnhancedStatus::new(class, 4, 0), "the platform said so");
    spool.settle(id, 1, Step::Final { state, cause }, now).await.unwrap();
}

/// Looks until there is nothing more to do at `now`.
async fn look_at(reporting: &Reporting, ledger: &mut Ledger, now: Timestamp) {
    let mut held = 0;
    while look(reporting, ledger, &mut held, now).await.unwrap().is_none() {}
}

/// Recipients and actions of every report about `id`, in the order of filing.
async fn told(spool: &dyn Spool, id: SubmissionId) -> Vec<(String, String)> {
    let mails = spool.submission(id).await.unwrap().unwrap().mails;
    let mut told = Vec::new();
    for view in mails {
        let text = String::from_utf8(view.mail.bytes).unwrap();
        let mut recipient = String::new();
        for line in text.split("\r\n") {
            if let Some(address) = line.strip_prefix("Final-Recipient: rfc822; ") {
                recipient = address.to_owned();
            } else if let Some(action) = line.strip_prefix("Action: ") {
                told.push((recipient.clone(), action.to_owned()));
            }
        }
    }
    told
}

/// How a piece ends: 0 the handset has it, 1 the platform never said, 2 and 3 it failed.
const ENDS: [(FinalState, u8); 4] = [
    (FinalState::Delivered, 2),
    (FinalState::Expired, 2),
    (FinalState::Undelivered, 5),
    (FinalState::Expired, 4),
];

const NOTIFY: [&str; 6] = ["", "NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE,DELAY"];

/// Recipients, and the order, the ends and the times between the ends.
type Life = (Vec<(usize, u32)>, Vec<(usize, usize, i64)>, bool);

fn lives() -> impl Strategy<Value = Life> {
    (
        proptest::collection::vec((0..NOTIFY.len(), 1_u32..4), 1..4),
        proptest::collection::vec((0_usize..100, 0..ENDS.len(), 0_i64..400), 9),
        any::<bool>(),
    )
}

/// Whatever the order in which pieces end and reports are looked for: what failed is told once to who wants it, that
/// it arrived once, a delay at most once and never after the failure, and nothing else. Nothing stays untold.
#[test]
fn each_recipient_and_phone_is_told_once_of_what_it_wants_to_know() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    runner
        .run(&lives(), |life| {
            runtime.block_on(live(life));
            Ok(())
        })
        .unwrap();
}

async fn live((recipients, ends, restarts): Life) {
    let (spool, _guard) = open();
    let reporting = reporting(&spool, 1000);
    let mut ledger = Ledger::new(1000);
    let recipients: Vec<_> =
        recipients.into_iter().map(|(notify, pieces)| (NOTIFY[notify], pieces)).collect();
    let given = submission(&recipients);
    let mut left: Vec<(MessageId, String)> =
        given.messages.iter().map(|message| (message.sms.id, message.recipient.address.clone())).collect();
    let id = given.id;
    spool.accept(given).await.unwrap();
    send_all(&*spool, at(1)).await;
    let mut now = 1;
    let mut classes: BTreeMap<String, Vec<(u8, FinalState)>> = BTreeMap::new();
    for (which, how, later) in ends {
        if left.is_empty() {
            break;
        }
        let (sms, address) = left.remove(which % left.len());
        let (state, class) = ENDS[how];
        end(&*spool, sms, state, class, at(now)).await;
        classes.entry(address).or_default().push((class, state));
        now += later;
        look_at(&reporting, &mut ledger, at(now)).await;
        if restarts {
            ledger = Ledger::new(1000);
        }
    }
    look_at(&reporting, &mut ledger, at(now + 10_000)).await;
    let told = told(&*spool, id).await;
    for ((notify, _), number) in recipients.iter().zip(1..) {
        let address = format!("r{number}@sms.local");
        let notify = Notify::from_parameter(notify).unwrap();
        let ends = &classes[&address];
        let failed = ends.iter().any(|(class, _)| *class != 2);
        let success = if ends.iter().all(|(_, state)| *state == FinalState::Delivered) {
            "delivered"
        } else {
            "relayed"
        };
        let actions: Vec<&str> =
            told.iter().filter(|(to, _)| *to == address).map(|(_, action)| action.as_str()).collect();
        let mut expected = Vec::new();
        if failed && notify.wants_failure() {
            expected.push("failed");
        } else if !failed && notify.wants_success() {
            expected.push(success);
        }
        let late = actions.iter().filter(|action| **action == "delayed").count();
        assert!(late <= usize::from(notify.wants_delay()), "{address} {notify:?} {actions:?}");
        if late == 1 {
            expected.insert(0, "delayed");
        }
        assert_eq!(actions, expected, "{address} {notify:?} {ends:?}");
    }
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), None, "{told:?}");
    assert_eq!(spool.next_due(Queue::Delays).await.unwrap(), None);
}

#[tokio::test]
async fn a_report_waits_for_its_window_and_tells_of_all_that_happened_in_it() {
    let (spool, _guard) = open();
    let reporting = reporting(&spool, 20);
    let mut ledger = Ledger::new(20);
    let given = submission(&[("", 2), ("SUCCESS,FAILURE", 1), ("", 1)]);
    let id = given.id;
    spool.accept(given).await.unwrap();
    send_all(&*spool, at(1)).await;
    end(&*spool, id.message(1), FinalState::Undelivered, 5, at(10)).await;
    end(&*spool, id.message(3), FinalState::Delivered, 2, at(20)).await;
    look_at(&reporting, &mut ledger, at(39)).await;
    assert!(told(&*spool, id).await.is_empty(), "the window is 30 s");
    let mut held = 0;
    let wait = look(&reporting, &mut ledger, &mut held, at(39)).await.unwrap().unwrap();
    assert_eq!(wait, Duration::from_secs(1));
    look_at(&reporting, &mut ledger, at(40)).await;
    let both = [("r1@sms.local", "failed"), ("r2@sms.local", "delivered")];
    let owned = |told: &[(&str, &str)]| -> Vec<(String, String)> {
        told.iter().map(|(to, action)| ((*to).to_owned(), (*action).to_owned())).collect()
    };
    assert_eq!(told(&*spool, id).await, owned(&both));
    assert_eq!(ledger.room(&MailAddress::parse("nas@example.com").unwrap()), 19);

    // The other piece fails too: that was told. One is late, and told a window later.
    end(&*spool, id.message(2), FinalState::Undelivered, 5, at(50)).await;
    look_at(&reporting, &mut ledger, at(80)).await;
    assert_eq!(told(&*spool, id).await, owned(&both));
    let wait = look(&reporting, &mut ledger, &mut held, at(500)).await.unwrap().unwrap();
    assert_eq!((wait, told(&*spool, id).await), (Duration::from_secs(30), owned(&both)));
    look_at(&reporting, &mut ledger, at(530)).await;
    end(&*spool, id.message(4), FinalState::Undelivered, 5, at(600)).await;
    look_at(&reporting, &mut ledger, at(601)).await;
    let late = [both[0], both[1], ("r3@sms.local", "delayed"), ("r3@sms.local", "failed")];
    assert_eq!(told(&*spool, id).await, owned(&late), "the last one ends the case, which waits no more");
}

#[tokio::test]
async fn a_relay_that_starts_anew_knows_how_many_reports_it_has_written() {
    let (spool, _guard) = open();
    let reporting = reporting(&spool, 2);
    let (_stop, mut shutdown) = watch::channel(false);
    let address = MailAddress::parse("nas@example.com").unwrap();
    let now = Timestamp::now();
    for _ in 0..2 {
        let mut given = submission(&[("", 1)]);
        given.id = SubmissionId::new(now);
        given.messages[0].sms.id = given.id.message(1);
        given.messages[0].fate = Fate::Refused(Cause::new(EnhancedStatus::POLICY, "not allowed"));
        spool.accept(given).await.unwrap();
        let mut ledger = recall(&reporting, &mut shutdown).await.unwrap();
        look_at(&reporting, &mut ledger, now).await;
    }
    let ledger = recall(&reporting, &mut shutdown).await.unwrap();
    assert_eq!(ledger.room(&address), 0);
}
