//! One damaged record, and queries that find their rows by an index.

use rusqlite::{Connection, StatementStatus};

use super::super::super::behaviour::{
    GATEWAY, accept_one, at, claim_ids, due_queue, failure, look, refused, report, sent, settle, submission,
    unknown,
};
use super::super::super::{Asked, News, Queue, Spool, SpoolError, Step};
use super::super::lane::Kind;
use super::super::{
    SqliteSpool, accept, again, budget, callbacks, cases, closing, early, escalation, fold, heard, held,
    limits, mail, moves, note, notice, once, orders, pairing, passage, pieces, questions, queue, recover,
    tellings, timeline, view, waits,
};
use super::{open, open_in, outsider};
use crate::model::{Fate, HoldReason, State};

/// Whether the row of `table` is set aside.
fn is_aside(connection: &Connection, table: &str, row: i64) -> bool {
    let sql = format!("SELECT damaged FROM {table} WHERE rowid = {row}");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_damaged_sms_is_set_aside_and_harms_no_other() {
    for damage in [
        "destination = 'nobody'",
        "destination = CAST(x'ff' AS TEXT)",
        "sender = 'far too long for a sender'",
        "options = '{'",
        "encoding = 'morse'",
        "notify = 'SOON'",
        "parts = -1",
        "attempts = -2",
        "expires_at = 9223372036854775807",
        "body = CAST(x'ff' AS TEXT)",
        "ways = '{'",
        "ways = '[]'",
        "way = 1",
        "silence_ms = -1",
    ] {
        let (spool, directory) = open();
        let outsider = outsider(directory.path());
        let damaged = accept_one(&spool, 0, 1).await;
        let behind = accept_one(&spool, 0, 1).await;
        let other = accept_one(&spool, 0, 2).await;
        outsider.execute(&format!("UPDATE sms SET {damage} WHERE seq = 1"), []).unwrap();
        let mut claimed = claim_ids(&spool, 1).await;
        claimed.extend(claim_ids(&spool, 1).await);
        assert_eq!(claimed, [other, behind], "{damage}");
        assert!(is_aside(&outsider, "sms", 1), "{damage}");
        assert_eq!(spool.next_due(due_queue()).await.unwrap(), None, "{damage}");
        let backlog = spool.backlog().await.unwrap();
        assert_eq!((backlog.due, backlog.claimed), (1, 2), "it is still counted: {damage}");
        spool.submission(damaged.submission).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_was_repaired_goes_on_after_the_next_start() {
    let (spool, directory) = open();
    let damaged = accept_one(&spool, 0, 1).await;
    let outsider = outsider(directory.path());
    outsider.execute("UPDATE sms SET sender = ''", []).unwrap();
    assert_eq!(claim_ids(&spool, 1).await, []);
    drop(spool);
    let spool = open_in(directory.path());
    spool.recover(at(2), at(2)).await.unwrap();
    assert_eq!(claim_ids(&spool, 2).await, [], "still damaged");
    outsider.execute("UPDATE sms SET sender = 'Alarm'", []).unwrap();
    assert_eq!(claim_ids(&spool, 3).await, [], "not before a start");
    spool.recover(at(4), at(4)).await.unwrap();
    assert_eq!(claim_ids(&spool, 4).await, [damaged]);
}

#[tokio::test]
async fn a_state_changed_by_hand_holds_its_destination_until_the_next_start_only() {
    let (spool, directory) = open();
    accept_one(&spool, 0, 1).await;
    let behind = accept_one(&spool, 0, 1).await;
    outsider(directory.path()).execute("UPDATE sms SET state = 'cancelled' WHERE seq = 1", []).unwrap();
    assert_eq!(claim_ids(&spool, 1).await, []);
    spool.recover(at(2), at(2)).await.unwrap();
    assert_eq!(claim_ids(&spool, 2).await, [behind]);
}

#[tokio::test]
async fn damaged_questions_claims_and_ends_are_set_aside() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let unknown_one = accept_one(&spool, 0, 1).await;
    let behind = accept_one(&spool, 0, 1).await;
    let other = accept_one(&spool, 0, 2).await;
    claim_ids(&spool, 1).await;
    settle(&spool, unknown_one, unknown(5), 2).await;
    settle(&spool, other, sent(5), 2).await;
    outsider.execute("UPDATE sms SET since = -9223372036854775808 WHERE seq = 1", []).unwrap();
    assert_eq!(spool.questions(Asked::Unknown, GATEWAY.to_owned(), at(9), at(10), 9).await.unwrap(), []);
    assert!(is_aside(&outsider, "sms", 1));
    assert_eq!(claim_ids(&spool, 9).await, [behind], "not held back any more");
    assert_eq!(
        spool.questions(Asked::Sent, GATEWAY.to_owned(), at(9), at(10), 9).await.unwrap()[0].id,
        other
    );

    outsider.execute("UPDATE sms SET destination = CAST(x'ff' AS TEXT) WHERE seq = 2", []).unwrap();
    assert_eq!(spool.recover(at(11), at(12)).await.unwrap().unknown, 0);
    assert!(is_aside(&outsider, "sms", 2));

    let expiring = accept_one(&spool, 0, 3).await;
    let sql = "UPDATE sms SET expires_at = 0, destination = CAST(x'fe' AS TEXT) WHERE seq = 4";
    outsider.execute(sql, []).unwrap();
    assert_eq!(claim_ids(&spool, 13).await, []);
    assert!(is_aside(&outsider, "sms", 4));
    outsider.execute("UPDATE sms SET state = 'lost' WHERE seq = 4", []).unwrap();
    assert_eq!(
        spool.settle(expiring, 0, refused(), at(14)).await.unwrap_err().to_string(),
        format!(
            "the spool cannot be used: SMS {expiring} is damaged: its `state` cannot be read back; repair it with \
             `sqlite3`"
        )
    );
}

#[tokio::test]
async fn what_is_damaged_when_it_is_settled_is_set_aside_and_holds_nobody_back() {
    let steps = || [sent(90), unknown(5), refused(), Step::AskAgain { ask_at: at(9) }];
    for (damage, step) in [
        "destination = CAST(x'ff' AS TEXT)",
        "recipient = CAST(x'ff' AS TEXT)",
        "attempts = -2",
        "state = 'lost'",
        "ways = '{'",
        "way = 1",
    ]
    .into_iter()
    .zip(steps().into_iter().cycle())
    {
        let (spool, directory) = open();
        let outsider = outsider(directory.path());
        let damaged = accept_one(&spool, 0, 1).await;
        let behind = accept_one(&spool, 0, 1).await;
        claim_ids(&spool, 1).await;
        outsider.execute(&format!("UPDATE sms SET {damage} WHERE seq = 1"), []).unwrap();
        for again in [false, true] {
            let settled = spool.settle(damaged, 1, step.clone(), at(2)).await.unwrap_err();
            let column = damage.split(' ').next().unwrap();
            let is_named =
                matches!(&settled, SpoolError::Unusable(text) if text.contains(&format!("`{column}`")));
            assert!(is_named, "{damage}: {settled} {again}");
            assert!(is_aside(&outsider, "sms", 1), "{damage}");
        }
        assert_eq!(claim_ids(&spool, 3).await, [behind], "{damage}");
    }
}

#[tokio::test]
async fn a_number_whose_id_cannot_be_read_says_so() {
    let (spool, directory) = open();
    accept_one(&spool, 0, 1).await;
    let other = accept_one(&spool, 0, 2).await;
    outsider(directory.path()).execute("UPDATE sms SET ordinal = -1 WHERE seq = 1", []).unwrap();
    assert_eq!(
        spool.message_by_number(1).await.unwrap_err().to_string(),
        "the spool cannot be used: SMS number 1 is damaged: its `ordinal` cannot be read back; repair it with `sqlite3`"
    );
    assert_eq!(spool.message_by_number(2).await.unwrap(), Some(other));
}

#[tokio::test]
async fn what_is_damaged_is_never_cancelled_however_often_somebody_asks() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let damaged = accept_one(&spool, 0, 1).await;
    let behind = accept_one(&spool, 0, 1).await;
    outsider.execute("UPDATE sms SET recipient = CAST(x'ff' AS TEXT) WHERE seq = 1", []).unwrap();
    for again in [false, true] {
        let cancelled = spool.cancel(damaged, failure(), at(1)).await.unwrap_err();
        let is_named = matches!(&cancelled, SpoolError::Unusable(text) if text.contains("`recipient`"));
        assert!(is_named, "{cancelled} {again}");
        assert!(is_aside(&outsider, "sms", 1));
    }
    assert_eq!(claim_ids(&spool, 2).await, [behind]);
}

#[tokio::test]
async fn what_is_held_and_damaged_is_set_aside_and_harms_no_other() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let mut given = submission(0, &[1, 2, 3, 4]);
    for message in &mut given.messages {
        message.fate = Fate::Held { until: at(10), reason: HoldReason::Scheduled };
    }
    let id = given.id;
    spool.accept(given).await.unwrap();
    outsider.execute("UPDATE sms SET hold_reason = 'asleep' WHERE seq = 1", []).unwrap();
    outsider.execute("UPDATE sms SET destination = CAST(x'ff' AS TEXT) WHERE seq = 2", []).unwrap();
    let unreadable = spool.cancel(id.message(2), failure(), at(5)).await.unwrap_err();
    assert!(
        matches!(&unreadable, SpoolError::Unusable(text) if text.contains("`destination`")),
        "{unreadable}"
    );
    assert!(is_aside(&outsider, "sms", 2));
    assert_eq!(claim_ids(&spool, 10).await, [id.message(3), id.message(4)]);
    assert!(is_aside(&outsider, "sms", 1) && is_aside(&outsider, "sms", 2));
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), None);
}

#[tokio::test]
async fn an_order_of_gateways_that_cannot_be_read_names_nobody() {
    let (spool, directory) = open();
    let mut given = submission(0, &[1]);
    given.messages[0].delivery.gateways = vec!["elsewhere".to_owned()];
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    outsider(directory.path())
        .execute("UPDATE gateway_order SET names = 'elsewhere' WHERE id = 2", [])
        .unwrap();
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(0)));
    assert_eq!(claim_ids(&spool, 1).await, [id]);
}

#[tokio::test]
async fn a_damaged_outcome_or_submission_harms_no_other_case() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let mut ids = Vec::new();
    for phone in 1..=3 {
        let mut given = submission(i64::from(phone), &[phone, phone + 10]);
        for message in &mut given.messages {
            message.fate = Fate::Refused(failure());
        }
        ids.push(given.id);
        spool.accept(given).await.unwrap();
    }
    outsider.execute("UPDATE sms SET cause_status = 'bad' WHERE seq = 1", []).unwrap();
    outsider.execute("UPDATE submission SET door = 'window' WHERE rowid = 2", []).unwrap();
    outsider.execute("UPDATE sms SET state = 'due' WHERE seq >= 5", []).unwrap();
    let found = spool.cases(at(0), at(0), 9).await.unwrap();
    let told: Vec<Vec<_>> =
        found.iter().map(|case| case.outcomes.iter().map(|outcome| outcome.sms.id).collect()).collect();
    assert_eq!(told, [vec![ids[0].message(2)]]);
    assert!(is_aside(&outsider, "sms", 1) && is_aside(&outsider, "submission", 2));
    assert!(is_aside(&outsider, "sms", 5) && is_aside(&outsider, "sms", 6));
    spool.close_case(vec![(ids[0].message(2), News::Ended)], None, at(9)).await.unwrap();
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), None, "nobody waits for what is set aside");
    assert!(matches!(spool.submission(ids[1]).await, Err(SpoolError::Unusable(_))));
    // Not text at all: its id cannot even be shown.
    outsider.pragma_update(None, "foreign_keys", false).unwrap();
    outsider
        .execute("UPDATE submission SET id = CAST(x'ff' AS TEXT), damaged = 0 WHERE rowid = 2", [])
        .unwrap();
    assert_eq!(spool.cases(at(99), at(99), 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_damaged_mail_is_set_aside_and_harms_no_other() {
    let (spool, directory) = open();
    let mut given = submission(0, &[]);
    given.forwards = (0..5).map(|_| report(given.id, at(0))).collect();
    let good = given.forwards[4].clone();
    spool.accept(given.clone()).await.unwrap();
    let outsider = outsider(directory.path());
    for (seq, damage) in
        ["recipient = 'x'", "reverse_path = ''", "kind = 'pigeon'", "id = 'x'"].iter().enumerate()
    {
        outsider.execute(&format!("UPDATE outgoing_mail SET {damage} WHERE seq = {}", seq + 1), []).unwrap();
    }
    let claimed = spool.claim_mail(at(1), 9).await.unwrap();
    assert_eq!(claimed.into_iter().map(|claimed| claimed.mail).collect::<Vec<_>>(), [good]);
    for seq in 1..=4 {
        assert!(is_aside(&outsider, "outgoing_mail", seq), "{seq}");
    }
    assert_eq!(spool.next_due(Queue::Mail).await.unwrap(), None);
    assert_eq!(spool.backlog().await.unwrap().mail, 5);
    assert_eq!(spool.submission(given.id).await.unwrap().unwrap().mails.len(), 1);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_left_out_of_the_timeline() {
    let (spool, directory) = open();
    let id = accept_one(&spool, 0, 1).await;
    claim_ids(&spool, 1).await;
    outsider(directory.path()).execute("UPDATE event SET state = 'lost' WHERE n = 1", []).unwrap();
    let shown = look(&spool, id).await;
    assert_eq!((shown.state, shown.events.len()), (State::Claimed, 1));
}

#[tokio::test]
async fn no_call_searches_a_whole_table() {
    let (spool, _guard) = open();
    let hot = vec![
        accept::INSERT_SMS,
        budget::SPENT,
        budget::WRITE,
        budget::CLEAR,
        budget::CHARGED,
        budget::TOLD,
        notice::AFTER,
        notice::CLOSE,
        timeline::INSERT_EVENT,
        orders::GATEWAY_ID,
        orders::ORDER_ID,
        queue::CLAIMABLE,
        queue::TOGETHER,
        queue::EXPIRING,
        queue::DESTINATION,
        queue::HEAD,
        queue::NEXT_HEAD,
        queue::SET_HEAD,
        queue::NEXT_ATTEMPT,
        queue::NEXT_EXPIRY,
        held::RELEASABLE,
        held::EXPIRING,
        held::NEXT_RELEASE,
        held::NEXT_EXPIRY,
        moves::STANDING_BY_ID,
        moves::STANDING_BY_SEQ,
        moves::STANDING_BY_THEIRS,
        moves::LEFT,
        callbacks::FIND,
        orders::NAMES,
        orders::REORDER,
        orders::COUNT_FAILURE,
        moves::ADVANCE,
        orders::GATEWAY_NAME,
        callbacks::PART,
        early::IS_ANY_CLAIMED,
        early::KEEP,
        early::KEPT,
        early::FORGET,
        callbacks::PARTS,
        callbacks::PRICES,
        callbacks::WAS_TRIED,
        callbacks::EVENT_COUNT,
        callbacks::WRITE,
        callbacks::WRITE_PRICE,
        escalation::WAITING,
        escalation::OTHERS,
        escalation::DELIVERED,
        escalation::OPEN,
        escalation::SUMMARY,
        escalation::LET_GO,
        tellings::INSERT,
        tellings::DUE,
        tellings::SETTLE,
        tellings::STATE,
        tellings::NEXT,
        waits::DUE,
        waits::UNKNOWN,
        waits::SENT,
        waits::MAIL,
        waits::TELLINGS,
        waits::CASES,
        waits::SHORTEN,
        waits::SHORTEN_MAIL,
        waits::SHORTEN_TELLING,
        questions::UNKNOWN,
        questions::SENT,
        questions::NEXT_UNKNOWN,
        questions::NEXT_SENT,
        recover::ASKED[0],
        recover::ASKED[1],
        cases::COMPLETE,
        cases::OVERDUE,
        cases::SUBMISSION,
        cases::LATE,
        cases::NOTE_WAIT,
        cases::ENDED,
        cases::DELAYED,
        cases::EXPANDED,
        cases::PIECES,
        cases::FORGET_DELAYS,
        cases::TOLD_END,
        cases::TOLD_DELAY,
        cases::TOLD_EXPANSION,
        cases::NEXT_CASE,
        mail::DUE,
        mail::SETTLE,
        mail::INSERT_EVENT,
        mail::EVENTS,
        mail::VIEW,
        mail::REPORTS_SINCE,
        note::GET,
        heard::HEAR,
        heard::FORGET,
        heard::EXPECT,
        once::IS_OTHER,
        once::ANSWER,
        once::OLD,
        once::FORGET,
        passage::CANDIDATE,
        limits::PASSED,
        limits::KEEP,
        limits::OLD,
        limits::FORGET,
        pairing::PROBLEMS[0],
        pairing::PROBLEMS[1],
        pieces::WAITING,
        pieces::OF,
        pieces::LED,
        pieces::LEFT,
        again::FIRST_DUE,
        again::BACK,
        again::NEXT,
        again::ASK,
        limits::WRITE,
        limits::MARK,
        limits::WAITING,
        limits::ONE,
        fold::BRING_FORWARD,
        pieces::WAITING,
        pieces::DUE,
        pieces::OF,
        pieces::LED,
        pieces::LEFT,
        fold::OPEN,
        fold::BEGIN,
        fold::OLD,
        fold::FORGET,
        fold::SUMMARIZE,
        fold::JOIN,
        fold::TELL_AGAIN,
        fold::TELL,
        fold::TOLD,
        fold::FORGET_TOLD,
        fold::BY_SUMMARY,
        fold::SET_STATE,
        fold::END,
        fold::WHERE_IT_IS,
        fold::TOLD_BY,
        fold::COUNT,
        fold::MEMBERS,
        fold::STANDS,
        fold::TAKE_OUT,
        closing::CLOSING,
        closing::FOLDED,
        closing::NEXT,
        waits::HELD,
        view::SUBMISSION,
        view::MESSAGES,
        view::BY_NUMBER,
        view::EVENTS,
        view::TRIES,
        view::CALLBACKS,
        view::MAILS,
        view::NEXT_CASE,
        view::NEXT_DELAY,
        view::NEXT_MAIL,
        view::PARTS_OF_ACCOUNT,
    ];
    let plans = plans(&spool, hot).await;
    for (sql, plan) in &plans {
        for step in plan {
            let is_search = !step.starts_with("SCAN ") && !step.contains("TEMP B-TREE");
            assert!(is_search || step == "SCAN CONSTANT ROW", "{step}\n{sql}");
        }
    }
    let step_of = |sql: &str| plans.iter().find(|(found, _)| found == sql).unwrap().1[0].clone();
    assert_eq!(
        step_of(queue::CLAIMABLE),
        "SEARCH sms USING INDEX sms_claimable (lane=? AND gateway_order=? AND next_at<?)"
    );
    assert_eq!(
        step_of(queue::TOGETHER),
        "SEARCH sms USING INDEX sms_batch (submission=? AND batch=? AND next_at<?)"
    );
    assert_eq!(
        step_of(queue::NEXT_ATTEMPT),
        "SEARCH sms USING INDEX sms_claimable (lane=? AND gateway_order=?)"
    );
    assert_eq!(step_of(queue::EXPIRING), "SEARCH sms USING COVERING INDEX sms_expiring (expires_at<?)");
    assert_eq!(step_of(queue::NEXT_HEAD), "SEARCH sms USING INDEX sms_queue (destination=? AND lane=?)");
    assert_eq!(step_of(held::RELEASABLE), "SEARCH sms USING INDEX sms_held (next_at<?)");
    assert_eq!(step_of(held::EXPIRING), "SEARCH sms USING COVERING INDEX sms_held_expiring (expires_at<?)");
    assert_eq!(step_of(held::NEXT_RELEASE), "SEARCH sms USING COVERING INDEX sms_held");
    assert_eq!(step_of(questions::SENT), "SEARCH sms USING INDEX sms_sent (gateway=? AND next_at<?)");
    assert_eq!(
        step_of(recover::ASKED[1]),
        "SEARCH sms USING INDEX sms_sent (gateway=? AND next_at>? AND next_at<?)"
    );
    assert_eq!(step_of(view::BY_NUMBER), "SEARCH sms USING INTEGER PRIMARY KEY (rowid=?)");
    assert_eq!(step_of(cases::COMPLETE), "SEARCH submission USING INDEX submission_complete (case_at<?)");
    assert_eq!(step_of(cases::LATE), "SEARCH sms USING INDEX sms_delayed (delayed_at<?)");
    assert_eq!(step_of(cases::ENDED), "SEARCH sms USING INDEX sms_owed (submission=?)");
    assert_eq!(step_of(cases::DELAYED), "SEARCH sms USING INDEX sms_delay_owed (submission=?)");
    assert_eq!(step_of(cases::EXPANDED), "SEARCH sms USING INDEX sms_expand_owed (submission=?)");
    assert_eq!(step_of(cases::FORGET_DELAYS), "SEARCH sms USING INDEX sms_delay_owed (submission=?)");
    assert_eq!(
        step_of(mail::REPORTS_SINCE),
        "SEARCH outgoing_mail USING INDEX sqlite_autoindex_outgoing_mail_1 (id>?)"
    );
    assert_eq!(step_of(callbacks::PARTS), "SEARCH callback USING PRIMARY KEY (sms=? AND channel=?)");
    assert_eq!(
        step_of(escalation::WAITING),
        "SEARCH sms USING INDEX sms_escalation (submission=? AND recipient=?)"
    );
    let waiting = plans.iter().find(|(found, _)| found == escalation::WAITING).unwrap();
    let by_same = "SEARCH sms USING INDEX sms_same_as (submission=? AND same_as=?)".to_owned();
    assert!(waiting.1.contains(&by_same), "{waiting:?}");
    assert_eq!(step_of(tellings::DUE), "SEARCH telling USING INDEX telling_due (next_at<?)");
    for problems in pairing::PROBLEMS {
        assert_eq!(
            step_of(problems),
            "SEARCH sms USING INDEX sms_pair (destination=? AND pair_key=? AND state=? AND rowid<?)"
        );
    }
    let by_ordinal =
        "SEARCH sms USING INDEX sqlite_autoindex_sms_1 (submission=? AND ordinal>? AND ordinal<?)";
    for sql in [pieces::WAITING, pieces::LED, pieces::LEFT] {
        assert_eq!(step_of(sql), by_ordinal, "{sql}");
    }
    assert_eq!(step_of(fold::OPEN), "SEARCH fold USING INDEX fold_open (kind=? AND key=?)");
    assert_eq!(step_of(fold::OLD), "SEARCH fold USING INDEX fold_empty (until<?)");
    assert_eq!(step_of(fold::END), "SEARCH fold USING INDEX fold_summary (summary=?)");
    assert_eq!(step_of(fold::MEMBERS), "SEARCH sms USING INDEX sms_fold (fold=?)");
    assert_eq!(step_of(limits::OLD), "SEARCH passes USING COVERING INDEX passes_until (until<?)");
    assert_eq!(step_of(limits::WAITING), "SEARCH sms USING INDEX sms_passed (destination=? AND passed_at>?)");
    assert_eq!(step_of(again::BACK), "SEARCH sms USING INDEX sms_put_off (next_at<?)");
    assert_eq!(step_of(again::NEXT), "SEARCH sms USING INDEX sms_put_off");
    assert_eq!(step_of(closing::FOLDED), "SEARCH sms USING COVERING INDEX sms_folded (fold=?)");
    assert_eq!(step_of(waits::HELD), "SEARCH sms USING INDEX sms_held (next_at>?)");
    // Rows whose time has not come are looked at, by the queue's own index.
    assert_eq!(step_of(waits::DUE), "SEARCH sms USING INDEX sms_expiring (expires_at>?)");
    assert_eq!(step_of(waits::UNKNOWN), "SEARCH sms USING INDEX sms_unknown (gateway=? AND next_at>?)");
    assert_eq!(step_of(waits::SENT), "SEARCH sms USING INDEX sms_sent (gateway=? AND next_at>?)");
    assert_eq!(step_of(waits::MAIL), "SEARCH outgoing_mail USING INDEX outgoing_mail_due (next_at>?)");
    assert_eq!(step_of(waits::TELLINGS), "SEARCH telling USING INDEX telling_due (next_at>?)");
    let cases = plans.iter().find(|(sql, _)| sql == waits::CASES).unwrap();
    let step = "SEARCH submission USING INDEX submission_case (case_at>?)";
    assert!(cases.1.iter().any(|found| found == step), "{cases:?}");
    let of_key = |rest: &str| format!("SEARCH request_key USING PRIMARY KEY (account=? AND key=?{rest})");
    assert_eq!(step_of(once::IS_OTHER), of_key(""));
    assert_eq!(step_of(once::ANSWER), of_key(" AND item=?"));
    assert_eq!(step_of(once::FORGET), of_key(" AND item=?"));
    assert_eq!(step_of(once::OLD), "SEARCH request_key USING COVERING INDEX request_key_at (at<?)");
    assert_eq!(step_of(mail::DUE), "SEARCH outgoing_mail USING INDEX outgoing_mail_due (next_at<?)");

    let day = plans.iter().find(|(sql, _)| sql == view::PARTS_OF_ACCOUNT).unwrap();
    let (of_submission, of_sms) =
        ("sqlite_autoindex_submission_1 (id>?)", "sqlite_autoindex_sms_1 (submission=?)");
    assert_eq!(
        day.1,
        [
            format!("SEARCH submission USING INDEX {of_submission}"),
            format!("SEARCH sms USING INDEX {of_sms}")
        ]
    );

    // Counting looks at all that waits, and at nothing that is over.
    let counts = view::COUNTS.iter().flat_map(|(in_order, damaged)| [*in_order, *damaged]).collect();
    for (sql, plan) in self::plans(&spool, counts).await {
        for step in plan {
            let is_partial = step.contains("USING COVERING INDEX") || step.starts_with("SCALAR SUBQUERY");
            assert!(is_partial || step == "SCAN CONSTANT ROW", "{step}\n{sql}");
        }
    }
}

/// What SQLite would do for each statement.
async fn plans(spool: &SqliteSpool, statements: Vec<&'static str>) -> Vec<(String, Vec<String>)> {
    spool
        .writer
        .run(Kind::Other, move |connection, _| {
            let mut plans = Vec::new();
            for sql in statements {
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let mut rows = statement.raw_query();
                let mut plan = Vec::new();
                while let Some(row) = rows.next()? {
                    plan.push(row.get("detail")?);
                }
                plans.push((sql.to_owned(), plan));
            }
            Ok(plans)
        })
        .await
        .unwrap()
}

/// Compiling takes longer than running. SQLite does it again, unasked, unless it is told not to.
#[tokio::test]
async fn statements_are_compiled_once() {
    let (spool, _guard) = open();
    for phone in 0..5 {
        let id = accept_one(&spool, 0, phone).await;
        claim_ids(&spool, 1).await;
        settle(&spool, id, sent(9), 2).await;
    }
    let statements = [
        accept::INSERT_SMS,
        timeline::INSERT_EVENT,
        queue::CLAIMABLE,
        queue::EXPIRING,
        moves::STANDING_BY_ID,
    ];
    let count = move |connection: &Connection| -> rusqlite::Result<Vec<(i32, i32)>> {
        let mut counts = Vec::new();
        for sql in statements {
            let statement = connection.prepare_cached(sql)?;
            let status = |which| statement.get_status(which);
            counts.push((status(StatementStatus::Run), status(StatementStatus::RePrepare)));
        }
        Ok(counts)
    };
    let counts = spool.writer.run(Kind::Other, move |connection, _| Ok(count(connection)?)).await.unwrap();
    assert_eq!(counts, [(5, 0), (15, 0), (15, 0), (5, 0), (5, 0)], "a claim looks into each lane");
}
