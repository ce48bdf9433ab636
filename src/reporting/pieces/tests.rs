use super::super::tests::{at, case, outcome, sender};
use super::*;
use crate::spool::Siblings;

/// A piece of one text, by a word: how it ended, `late`, or `several` for an expansion.
fn piece(case: &Case, ordinal: u32, notify: &str, word: &str) -> Outcome {
    let (state, class) = match word {
        "failed" | "late" => (FinalState::Failed, 5),
        "gave up" => (FinalState::Expired, 4),
        "relayed" => (FinalState::Expired, 2),
        "arrived" | "several" => (FinalState::Delivered, 2),
        other => panic!("{other}"),
    };
    let mut piece = outcome(case.submission, ordinal, notify, state, class);
    piece.recipient.address = "oncall@sms.local".to_owned();
    piece.sms.text.body = format!("Disk {ordinal}");
    match word {
        "late" => (piece.news, piece.state) = (News::Delayed, State::Due),
        "several" => piece.news = News::Expanded,
        _ => {}
    }
    piece
}

/// The verdict as words: `failed 1 2` is told, `(1 2)` is closed in silence.
fn words(verdict: &Verdict<'_>) -> String {
    let ordinals = |ids: &mut dyn Iterator<Item = MessageId>| -> String {
        ids.map(|id| id.ordinal.to_string()).collect::<Vec<_>>().join(" ")
    };
    let mut words: Vec<String> = verdict
        .told
        .iter()
        .map(|told| format!("{} {}", told.action.as_str(), ordinals(&mut told.ids.iter().copied())))
        .collect();
    if !verdict.silent.is_empty() {
        let mut silent: Vec<MessageId> = verdict.silent.iter().map(|(id, ..)| *id).collect();
        silent.sort();
        words.push(format!("({})", ordinals(&mut silent.into_iter())));
    }
    words.join(", ")
}

/// What is known of pieces that are not in the case.
fn beside(unfinished: u32, failed: u32, failure_told: u32, delay_told: bool) -> Siblings {
    Siblings { unfinished, failed, failure_told, delay_told }
}

#[test]
fn what_is_told_of_a_text_follows_from_its_pieces_what_is_wanted_and_what_was_told() {
    let none = beside(0, 0, 0, false);
    let under_way = beside(1, 0, 0, false);
    let failure_told = beside(0, 1, 1, false);
    let failed_untold = beside(0, 1, 0, false);
    let delay_told = beside(0, 0, 0, true);
    for (pieces, notify, others, expected) in [
        // One piece.
        (&["failed"][..], "", none, "failed 1"),
        (&["gave up"], "", none, "failed 1"),
        (&["failed"], "FAILURE", none, "failed 1"),
        (&["failed"], "NEVER", none, "(1)"),
        (&["failed"], "SUCCESS", none, "(1)"),
        (&["arrived"], "", none, "(1)"),
        (&["arrived"], "SUCCESS", none, "delivered 1"),
        (&["relayed"], "SUCCESS", none, "relayed 1"),
        (&["relayed"], "FAILURE", none, "(1)"),
        (&["late"], "", none, "delayed 1"),
        (&["late"], "DELAY", none, "delayed 1"),
        (&["late"], "FAILURE", none, "(1)"),
        (&["late"], "NEVER", none, "(1)"),
        // Several pieces: the worst one counts.
        (&["failed", "failed"], "", none, "failed 1 2"),
        (&["failed", "arrived"], "SUCCESS,FAILURE", none, "failed 1, (2)"),
        (&["arrived", "relayed"], "SUCCESS", none, "relayed 1 2"),
        (&["arrived", "arrived"], "SUCCESS", none, "delivered 1 2"),
        (&["failed", "late"], "", under_way, "failed 1, (2)"),
        (&["late", "late"], "", under_way, "delayed 1 2"),
        (&["failed", "arrived"], "SUCCESS", none, "(1 2)"),
        (&["failed", "late"], "DELAY", under_way, "delayed 2, (1)"),
        // Others are still under way.
        (&["failed"], "", under_way, "failed 1"),
        (&["arrived"], "SUCCESS", under_way, ""),
        (&["relayed", "arrived"], "SUCCESS", under_way, ""),
        (&["arrived", "late"], "SUCCESS,DELAY", under_way, "delayed 2"),
        (&["late"], "", under_way, "delayed 1"),
        // Others have failed.
        (&["failed"], "", failure_told, "(1)"),
        (&["failed", "failed"], "", failure_told, "(1 2)"),
        (&["failed"], "", failed_untold, "failed 1"),
        (&["arrived"], "SUCCESS,FAILURE", failure_told, "(1)"),
        (&["arrived"], "SUCCESS", failed_untold, "(1)"),
        (&["late"], "", failure_told, "(1)"),
        (&["arrived"], "SUCCESS,FAILURE", beside(1, 1, 1, false), "(1)"),
        // A delay was told.
        (&["late"], "", delay_told, "(1)"),
        (&["failed"], "", delay_told, "failed 1"),
        (&["arrived"], "SUCCESS,DELAY", delay_told, "delivered 1"),
        // Expansions are told whatever became of the phones.
        (&["several"], "SUCCESS", none, "expanded 1"),
        (&["several"], "SUCCESS", failure_told, "expanded 1"),
        (&["several"], "NEVER", none, "expanded 1"),
        (&["several", "failed"], "FAILURE", none, "expanded 1, failed 2"),
    ] {
        let mut case = case(0, sender("a"));
        case.outcomes = Vec::new();
        for (word, ordinal) in pieces.iter().zip(1..) {
            let mut piece = piece(&case, ordinal, notify, word);
            piece.siblings = others;
            case.outcomes.push(piece);
        }
        // The others of the case are siblings, too.
        let (failed, unfinished) = (
            pieces.iter().filter(|word| **word == "failed").count() as u32,
            pieces.iter().filter(|word| **word == "late").count() as u32,
        );
        for (piece, word) in case.outcomes.iter_mut().zip(pieces) {
            piece.siblings.failed += failed - u32::from(*word == "failed");
            piece.siblings.unfinished += unfinished - u32::from(*word == "late");
        }
        assert_eq!(words(&judge(&case)), expected, "{pieces:?} NOTIFY={notify} {others:?}");
    }
}

#[test]
fn recipients_and_their_phones_are_told_of_apart() {
    let mut case = case(0, sender("a"));
    case.outcomes = (1..=4).map(|ordinal| piece(&case, ordinal, "", "failed")).collect();
    case.outcomes[1].sms.destination = PhoneNumber::from_e164("+393470000002").unwrap();
    case.outcomes[2].recipient.address = "boss@sms.local".to_owned();
    assert_eq!(words(&judge(&case)), "failed 1 4, failed 2, failed 3");
    // An expansion is of the recipient, whatever the phone.
    let mut case = case_of_expansions();
    assert_eq!(words(&judge(&case)), "expanded 1 2");
    case.outcomes[1].recipient.address = "boss@sms.local".to_owned();
    assert_eq!(words(&judge(&case)), "expanded 1, expanded 2");
}

#[test]
fn an_escalation_to_the_same_phone_is_a_text_of_its_own() {
    let mut case = case(0, sender("a"));
    case.outcomes = (1..=2).map(|ordinal| piece(&case, ordinal, "", "failed")).collect();
    case.outcomes[0].siblings = beside(0, 1, 1, false);
    case.outcomes[1].is_escalation = true;
    assert_eq!(words(&judge(&case)), "failed 2, (1)");
}

fn case_of_expansions() -> Case {
    let mut case = case(0, sender("a"));
    case.outcomes = (1..=2).map(|ordinal| piece(&case, ordinal, "SUCCESS", "several")).collect();
    case.outcomes[1].sms.destination = PhoneNumber::from_e164("+393470000002").unwrap();
    case.outcomes[1].sms.text.body = "Disk 1".to_owned();
    case
}

#[test]
fn the_entry_of_a_text_is_made_of_its_pieces() {
    let mut case = case(0, sender("a"));
    case.outcomes = ["failed", "late", "gave up", "arrived"]
        .iter()
        .zip(1..)
        .map(|(word, ordinal)| piece(&case, ordinal, "SUCCESS,FAILURE,DELAY", word))
        .collect();
    case.outcomes[0].last_attempt_at = Some(at(-5));
    case.outcomes[2].last_attempt_at = Some(at(-7));
    case.outcomes[0].gateway = Some("main".to_owned());
    let platforms = Platforms::from([("main".to_owned(), "api.example.net".to_owned())]);
    let verdict = judge(&case);
    let [told] = &verdict.told[..] else { panic!("{verdict:?}") };
    let entry = told.reported(&platforms);
    assert_eq!(entry.ids, [case.submission.message(1), case.submission.message(3)]);
    assert_eq!(entry.texts, ["Disk 1", "Disk 3"], "what was not delivered");
    assert_eq!((entry.address, entry.phone.as_str()), ("oncall@sms.local", "+393471234567"));
    assert_eq!(entry.cause.status.class, 5, "of the first one");
    assert_eq!((entry.at, entry.last_attempt_at), (at(1), Some(at(-5))));
    assert_eq!((entry.retry_until, entry.platform), (None, Some("api.example.net")));
    assert_eq!(
        verdict.silent_news(),
        [(case.submission.message(2), News::Delayed), (case.submission.message(4), News::Ended)]
    );

    case.outcomes.truncate(2);
    case.outcomes[0] = piece(&case, 1, "", "late");
    case.outcomes[0].expires_at = at(2000);
    let verdict = judge(&case);
    assert_eq!(verdict.told[0].reported(&platforms).retry_until, Some(at(2000)));
    assert_eq!(verdict.told_news(), [1, 2].map(|n| (case.submission.message(n), News::Delayed)));

    case.outcomes = vec![piece(&case, 1, "SUCCESS", "arrived"), piece(&case, 2, "SUCCESS", "relayed")];
    let verdict = judge(&case);
    let entry = verdict.told[0].reported(&platforms);
    assert_eq!((entry.at, entry.cause), (at(2), &case.outcomes[1].cause), "all of it has arrived then");
    let expansions = case_of_expansions();
    assert_eq!(judge(&expansions).told[0].texts, ["Disk 1"], "each text once");
}
