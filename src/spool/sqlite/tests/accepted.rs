//! What is written of a submission for those who read it later.

use rusqlite::Connection;

use super::super::super::behaviour::{at, failure, look, message, phone, submission};
use super::super::super::{KEY_LIFETIME, RequestKey, Spool};
use super::{open, outsider};
use crate::model::{
    Delivery, Fate, HoldReason, Lane, Legacy, Message, Notify, OnUnknown, Recipient, ReportTo, Submission,
    TellStyle, TellUrl, Way, Ways,
};

/// The columns of each SMS, joined by blanks.
fn columns(connection: &Connection, columns: &str) -> Vec<String> {
    let parts: Vec<String> = columns.split(' ').map(|column| format!("coalesce({column}, '-')")).collect();
    let sql = format!("SELECT {} FROM sms ORDER BY seq", parts.join(" || ' ' || "));
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn number(connection: &Connection, sql: &str) -> Option<i64> {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

const SUCCESS: Notify = Notify::On { success: true, failure: false, delay: false };
const ALL: Notify = Notify::On { success: true, failure: true, delay: true };

/// One SMS for each address, number of a phone, and what is to be reported.
fn to(recipients: &[(&str, u32, Notify)]) -> Submission {
    let mut given = submission(0, &[]);
    for ((address, n, notify), ordinal) in recipients.iter().zip(1..) {
        let sms = message(given.id.message(ordinal), phone(*n));
        let recipient = Recipient { address: (*address).to_owned(), notify: *notify, orcpt: None };
        given.messages.push(Message { recipient, ..sms });
    }
    given
}

#[tokio::test]
async fn a_recipient_of_several_phones_that_wants_to_know_of_success_is_expanded() {
    let (spool, directory) = open();
    let mut given = to(&[
        ("team", 1, ALL),
        ("team", 2, ALL),
        ("team", 2, SUCCESS),
        ("team", 9, SUCCESS),
        // One phone, in two pieces.
        ("one", 3, ALL),
        ("one", 3, ALL),
        // Nobody wants to know.
        ("quiet", 4, Notify::Unspecified),
        ("quiet", 5, Notify::Never),
        // Only one of them is to go.
        ("rest", 6, SUCCESS),
        ("rest", 7, SUCCESS),
        ("rest", 8, SUCCESS),
        // Held until somebody wants it, it counts.
        ("later", 1, SUCCESS),
        ("later", 2, SUCCESS),
    ]);
    let until = |reason| Fate::Held { until: at(50), reason };
    given.messages[3].fate = until(HoldReason::Escalation);
    given.messages[8].fate = Fate::Refused(failure());
    given.messages[10].fate = until(HoldReason::Escalation);
    given.messages[11].fate = until(HoldReason::Scheduled);
    let id = given.id;
    spool.accept(given).await.unwrap();
    let outsider = outsider(directory.path());
    assert_eq!(
        columns(&outsider, "recipient expand_report notify"),
        [
            "team owed FAILURE,DELAY",
            "team owed FAILURE,DELAY",
            "team owed NEVER",
            "team none NEVER",
            "one none SUCCESS,FAILURE,DELAY",
            "one none SUCCESS,FAILURE,DELAY",
            "quiet none ",
            "quiet none NEVER",
            "rest none SUCCESS",
            "rest none SUCCESS",
            "rest none SUCCESS",
            "later owed NEVER",
            "later owed NEVER",
        ]
    );
    assert_eq!(number(&outsider, "SELECT case_at FROM submission"), Some(at(0).as_millisecond()));
    assert_eq!(look(&spool, id.message(3)).await.recipient.notify, Notify::Never);
}

#[tokio::test]
async fn nobody_is_told_of_an_expansion_that_nobody_is_there_for() {
    let (spool, directory) = open();
    let mut given = to(&[("team", 1, ALL), ("team", 2, ALL)]);
    given.report_to = ReportTo::Nobody("null reverse path".to_owned());
    spool.accept(given).await.unwrap();
    let outsider = outsider(directory.path());
    let found = columns(&outsider, "expand_report notify");
    assert_eq!(found, ["none SUCCESS,FAILURE,DELAY", "none SUCCESS,FAILURE,DELAY"]);
    assert_eq!(number(&outsider, "SELECT case_at FROM submission"), None);
}

#[tokio::test]
async fn only_what_somebody_wants_to_know_of_can_be_late() {
    let failures = Notify::On { success: true, failure: true, delay: false };
    let delays = Notify::On { success: false, failure: false, delay: true };
    let mut given = to(&[
        ("a", 1, Notify::Unspecified),
        ("b", 2, Notify::Never),
        ("c", 3, failures),
        ("d", 4, delays),
        ("e", 5, Notify::Unspecified),
        ("f", 6, Notify::Unspecified),
        ("g", 7, Notify::Unspecified),
    ]);
    for message in &mut given.messages {
        message.delivery.delayed_at = Some(at(60));
    }
    given.messages[4].fate = Fate::Dropped(failure());
    given.messages[5].delivery.delayed_at = None;
    given.messages[6].fate = Fate::Held { until: at(50), reason: HoldReason::Scheduled };
    let mut to_nobody = to(&[("h", 8, delays)]);
    to_nobody.messages[0].delivery.delayed_at = Some(at(60));
    to_nobody.report_to = ReportTo::Nobody("null reverse path".to_owned());
    let (spool, directory) = open();
    spool.accept(given).await.unwrap();
    spool.accept(to_nobody).await.unwrap();
    let late = at(60).as_millisecond();
    assert_eq!(
        columns(&outsider(directory.path()), "recipient delayed_at"),
        [
            format!("a {late}"),
            "b -".to_owned(),
            "c -".to_owned(),
            format!("d {late}"),
            "e -".to_owned(),
            "f -".to_owned(),
            format!("g {late}"),
            "h -".to_owned()
        ]
    );
}

#[tokio::test]
async fn the_way_out_stands_in_words_and_numbers() {
    let legacy = || Way::Legacy(Legacy { unicode: false, concatenated: true });
    let mut given = submission(0, &[1, 2, 3, 4]);
    given.messages[1].delivery = Delivery {
        lane: Lane::Bulk,
        gateways: vec!["second".to_owned(), "first".to_owned()],
        ways: Ways::new(vec![legacy()], Some(std::time::Duration::from_secs(90))).unwrap(),
        on_unknown: OnUnknown::Fail,
        expires_at: at(99),
        delayed_at: None,
    };
    given.messages[2].delivery = given.messages[1].delivery.clone();
    given.messages[3].fate = Fate::Held { until: at(50), reason: HoldReason::Escalation };
    given
        .messages
        .push(Message { fate: Fate::SameAs(given.id.message(4)), ..message(given.id.message(5), phone(5)) });
    let (spool, directory) = open();
    spool.accept(given).await.unwrap();
    let outsider = outsider(directory.path());
    let bulk = "2 2 [{\"by\":\"legacy\",\"unicode\":false,\"concatenated\":true}] 90000 1 fail - 0 -";
    assert_eq!(
        columns(
            &outsider,
            "lane gateway_order ways silence_ms batch on_unknown hold_reason escalation same_as"
        ),
        ["1 1 - - - resend - 0 -", bulk, bulk, "1 1 - - - resend escalation 1 -", "1 1 - - - resend - 0 4"]
    );
    let order: String =
        outsider.query_row("SELECT names FROM gateway_order WHERE id = 2", [], |row| row.get(0)).unwrap();
    assert_eq!(order, "[\"second\",\"first\"]");
    assert_eq!(number(&outsider, "SELECT count(*) FROM gateway_order"), Some(2), "each order once");
}

#[tokio::test]
async fn what_is_not_final_is_pending_and_what_is_a_program_is_told_of() {
    let mut given = submission(0, &[1, 2, 3, 4]);
    given.tell_url = Some(TellUrl {
        url: "https://shop.example/sms".to_owned(),
        account: "shop".to_owned(),
        style: TellStyle::Signed,
    });
    given.messages[1].fate = Fate::Held { until: at(50), reason: HoldReason::Scheduled };
    given.messages[2].fate = Fate::Refused(failure());
    given.messages[3].fate = Fate::Dropped(failure());
    let mut untold = submission(0, &[5]);
    untold.messages[0].fate = Fate::Refused(failure());
    let (spool, directory) = open();
    let signals = spool.signals();
    let is_raised = || std::pin::pin!(signals.tellings.notified()).enable();
    spool.accept(untold).await.unwrap();
    spool.probe().await.unwrap();
    assert!(!is_raised());
    spool.accept(given).await.unwrap();
    spool.probe().await.unwrap();
    assert!(is_raised());
    let outsider = outsider(directory.path());
    assert_eq!(number(&outsider, "SELECT pending FROM submission WHERE rowid = 2"), Some(2));
    let line = |sql: &str| -> String { outsider.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        line("SELECT tell_account || ' ' || tell_url FROM submission WHERE rowid = 2"),
        "shop https://shop.example/sms"
    );
    let now = at(0).as_millisecond();
    assert_eq!(
        line(
            "SELECT group_concat(ordinal || ' ' || telling.state || ' ' || telling.next_at, ', ') \
              FROM telling JOIN sms ON sms.seq = telling.sms"
        ),
        format!("3 due {now}, 4 due {now}")
    );
}

#[tokio::test]
async fn one_submission_clears_a_bounded_number_of_old_keys_away() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let day = i64::try_from(KEY_LIFETIME.as_secs()).unwrap();
    for n in 0..65 {
        let sql = "INSERT INTO request_key VALUES ('erp', ?1, 0, x'00', '', ?2)";
        outsider.execute(sql, (n.to_string(), at(0).as_millisecond())).unwrap();
    }
    let left = || -> Vec<String> {
        let mut statement = outsider.prepare("SELECT key FROM request_key ORDER BY at, key").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let take = async |second: i64, name: &str| {
        let key = RequestKey { account: "erp".to_owned(), key: name.to_owned(), item: 0, digest: [1; 32] };
        spool.accept_once(submission(second, &[1]), key, String::new()).await.unwrap();
    };
    take(day - 1, "before").await;
    assert_eq!(left().len(), 66, "none is over");
    take(day, "first").await;
    assert_eq!(left().len(), 66 - 64 + 1);
    take(day, "second").await;
    assert_eq!(left(), ["before", "first", "second"]);
}
