//! What the client of a form is told of each of its destinations.

use super::*;
use crate::model::Lane;
use crate::routing::LaneBy;
use crate::spool::SqliteSpool;

/// Beside the rules of all tests: `quiet` refuses a text about the night, but only when it is known, `gone`
/// drops, and `ops` is more urgent than others.
fn parts_of_these() -> Parts {
    let to = |name: &str, recipient: &str, text: &str, action: Action| Rule {
        name: name.to_owned(),
        when: Conditions {
            recipient: Some(Pattern::new(recipient).unwrap().into()),
            text: Some(Pattern::new(text).unwrap().into()),
            ..Conditions::default()
        },
        action,
    };
    let urgent = Delivering { lane: Some(LaneBy::Fixed(Lane::Critical)), ..Delivering::default() };
    let quiet = || Action::Refuse { reason: "nobody wakes up for it".to_owned() };
    let mut parts = parts();
    parts.aliases.push(("half".to_owned(), vec!["+393280000008".to_owned(), "+393280000007".to_owned()]));
    parts.aliases.push(("both".to_owned(), vec!["+393280000007".to_owned()]));
    parts.rules.extend([
        to("quiet", "7$|^both$", "night", quiet()),
        to("gone", "5$", ".", Action::Drop { reason: "it is gone".to_owned() }),
        to(
            "urgent",
            "^ops$",
            "urgent",
            Action::Send(SendAction { delivering: urgent, ..SendAction::default() }),
        ),
    ]);
    parts
}

fn routing_of_these() -> Routing {
    parts_of_these().build().unwrap()
}

fn form_to(to: &[&str], text: &str, partial: bool) -> Form {
    let to = to.iter().map(|to| (*to).to_owned()).collect();
    Form { to, text: text.to_owned(), partial, ..Form::default() }
}

/// The ordinals and numbers of SMS, or a refusal.
type Told<'a> = Result<Vec<(u32, i64)>, &'a str>;

/// For each destination the ordinals and numbers of its SMS, or the refusal.
fn outcomes(receipt: &Receipt) -> Vec<(&str, Told<'_>)> {
    let shown = |one: &AcceptedSms| (one.id.ordinal, one.number);
    let recipients = receipt.recipients.iter().map(|one| {
        let outcome = one.outcome.as_ref().map(|sms| sms.iter().map(shown).collect());
        (one.to.as_str(), outcome.map_err(|refusal| refusal.text.as_str()))
    });
    recipients.collect()
}

const QUIET: &str = "nobody wakes up for it";

#[test]
fn a_partial_form_leaves_out_what_is_refused_and_takes_the_others() {
    let routing = routing_of_these();
    let to = ["boss", "nobody", "+447911123456", "+393470000001", "+393280000007", "+39 328 0000009", "both"];
    let form = form_to(&to, "night", true);
    let told = receipt(&routing, &form).unwrap();
    let abroad = told.recipients[2].outcome.clone().unwrap_err();
    assert_eq!(abroad.kind, RefusalKind::NotAllowed);
    assert_eq!(
        outcomes(&told),
        [
            ("boss", Ok(vec![(1, 11)])),
            ("nobody", Err("`nobody` is not a phone number, and there is no alias of that name")),
            ("+447911123456", Err(abroad.text.as_str())),
            ("+393470000001", Err("the director sleeps")),
            ("+393280000007", Err(QUIET)),
            ("+39 328 0000009", Ok(vec![(2, 12)])),
            ("both", Err(QUIET)),
        ]
    );
    let submission = submitted(&routing, &form).unwrap();
    assert_eq!(
        fates(&submission),
        [triple("+393280000001", "night", "due"), triple("+393280000009", "night", "due")],
        "nothing is kept of what was left out"
    );
    let sent: Vec<&AcceptedSms> =
        told.recipients.iter().filter_map(|one| one.outcome.as_ref().ok()).flatten().collect();
    assert_eq!(sent, told.messages.iter().collect::<Vec<_>>());
    assert_eq!((sent[1].destination.as_str(), sent[1].parts), ("+393280000009", 1));
}

#[test]
fn a_partial_form_of_which_nothing_is_left_is_refused_as_the_first_was() {
    let refused = |to: &[&str]| {
        let refusal = submitted(&routing_of_these(), &form_to(to, "night", true)).unwrap_err();
        (refusal.kind, refusal.text)
    };
    let quiet = (RefusalKind::NotAllowed, QUIET.to_owned());
    assert_eq!(refused(&["+393280000007", "nobody"]), quiet);
    assert_eq!(refused(&["nobody", "+393280000007"]).0, RefusalKind::UnknownRecipient);
    assert_eq!(refused(&["both"]), quiet);
    assert_eq!(refused(&[]).1, "no destination is given");
}

#[test]
fn a_form_that_is_not_partial_says_which_of_its_destinations_a_rule_refused() {
    let form = form_to(&["+393280000007", "boss"], "night", false);
    let told = receipt(&routing_of_these(), &form).unwrap();
    assert_eq!(outcomes(&told), [("+393280000007", Err(QUIET)), ("boss", Ok(vec![(2, 12)]))]);
    let kept = submitted(&routing_of_these(), &form).unwrap();
    assert_eq!(kept.messages.len(), 2, "the refusal is reported as a failure");
    let refusal = submitted(&routing_of_these(), &form_to(&["boss", "nobody"], "night", false)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::UnknownRecipient);
}

#[test]
fn a_destination_is_taken_where_one_of_its_phones_is() {
    let form = form_to(&["half"], "night", true);
    assert_eq!(outcomes(&receipt(&routing_of_these(), &form).unwrap()), [("half", Ok(vec![(1, 11)]))]);
    let refused = format!("refused 5.7.1 refused by rule quiet: {QUIET}");
    assert_eq!(
        fates(&submitted(&routing_of_these(), &form).unwrap()),
        [triple("+393280000008", "night", "due"), triple("+393280000007", "night", &refused)]
    );
}

#[test]
fn what_goes_as_another_sms_names_that_one_and_what_is_dropped_none() {
    let told = |to: &[&str], text: &str| {
        let receipt = receipt(&routing_of_these(), &form_to(to, text, true)).unwrap();
        let owned = outcomes(&receipt).into_iter().map(|(to, outcome)| (to.to_owned(), outcome.unwrap()));
        (owned.collect::<Vec<_>>(), receipt.messages.len())
    };
    let of = |to: &str, sms: &[(u32, i64)]| (to.to_owned(), sms.to_vec());
    let (same, sent) = told(&["boss", "ops", "boss", "+393280000005"], "hot");
    let first = (1, 11);
    let expected =
        [of("boss", &[first]), of("ops", &[first, (3, 13)]), of("boss", &[first]), of("+393280000005", &[])];
    assert_eq!((same.as_slice(), sent), (expected.as_slice(), 2));
    // The later one is more urgent and goes in the place of both earlier ones.
    let (before, sent) = told(&["boss", "+393280000001", "ops"], "urgent");
    let urgent = (3, 13);
    let expected = [of("boss", &[urgent]), of("+393280000001", &[urgent]), of("ops", &[urgent, (4, 14)])];
    assert_eq!((before.as_slice(), sent), (expected.as_slice(), 2));
}

#[tokio::test]
async fn numbers_are_those_of_the_spool_and_only_what_is_taken_uses_parts() {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        crate::spool::sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    let spool = Arc::new(SqliteSpool::open(settings).unwrap());
    let allowance = Allowance { parts_per_day: std::num::NonZeroU32::new(2), ..Allowance::default() };
    let routing = routing_of_these().with_allowances(BTreeMap::from([("shop".to_owned(), allowance)]));
    let intake = intake_with(spool.clone(), routing);
    let shop = Client { account: Some("shop".to_owned()), ..client() };
    let form = |to: &[&str]| form_to(to, "night", true);
    let one = intake.submit_form(&shop, form(&["+393280000007", "boss", "nobody"])).await.unwrap();
    let two = intake.submit_form(&shop, form(&["boss"])).await.unwrap();
    for receipt in [&one, &two] {
        let [sms] = receipt.messages.as_slice() else { panic!("{receipt:?}") };
        assert_eq!(spool.message_by_number(sms.number).await.unwrap(), Some(sms.id));
        let view = spool.submission(receipt.id).await.unwrap().unwrap();
        assert_eq!((view.messages.len(), view.messages[0].number), (1, sms.number));
    }
    assert!(two.messages[0].number > one.messages[0].number);
    let spent = intake.submit_form(&shop, form(&["boss"])).await.unwrap_err();
    assert!(matches!(spent.kind, RefusalKind::QuotaSpent { .. }), "{spent:?}");
}

/// A form with a text for each of these.
fn form_of(texts: &[(&[&str], &str)], partial: bool) -> Form {
    let owned = |to: &[&str]| to.iter().map(|to| (*to).to_owned()).collect::<Vec<_>>();
    let other = |(to, text): &(&[&str], &str)| FormText {
        to: owned(to),
        text: (*text).to_owned(),
        ..FormText::default()
    };
    Form { others: texts[1..].iter().map(other).collect(), ..form_to(texts[0].0, texts[0].1, partial) }
}

#[test]
fn the_texts_of_a_form_are_one_submission() {
    let form = form_of(&[(&["boss"], "disk"), (&["ops", "nobody"], "fan"), (&["boss"], "disk")], true);
    let told = receipt(&routing_of_these(), &form).unwrap();
    let unknown = "`nobody` is not a phone number, and there is no alias of that name";
    assert_eq!(
        outcomes(&told),
        [
            ("boss", Ok(vec![(1, 11)])),
            ("ops", Ok(vec![(2, 12), (3, 13)])),
            ("nobody", Err(unknown)),
            ("boss", Ok(vec![(1, 11)])),
        ],
        "the same words for the same phone are one SMS"
    );
    let submission = submitted(&routing_of_these(), &form).unwrap();
    let texts: Vec<&str> = submission.messages.iter().map(|message| message.sms.text.body.as_str()).collect();
    assert_eq!(texts, ["disk", "fan", "fan", "disk"]);
    assert!(matches!(submission.messages[3].fate, Fate::SameAs(id) if id.ordinal == 1));
    assert_eq!(told.messages.len(), 3);
}

#[test]
fn rules_see_each_text_of_a_form_as_if_it_were_alone() {
    let mut parts = parts_of_these();
    let when = Conditions { text: Some(Pattern::new("fan").unwrap().into()), ..Conditions::default() };
    let action = Action::Drop { reason: "fans do not matter".to_owned() };
    parts.rules.insert(0, Rule { name: "fans".to_owned(), when, action });
    let form = form_of(&[(&["boss"], "disk"), (&["boss"], "fan"), (&["boss"], "cpu")], false);
    let submission = submitted(&parts.build().unwrap(), &form).unwrap();
    let live: Vec<(&str, bool)> =
        submission.messages.iter().map(|one| (one.sms.text.body.as_str(), is_live(one))).collect();
    assert_eq!(live, [("disk", true), ("fan", false), ("cpu", true)]);
}

#[test]
fn each_text_of_a_form_has_its_own_wishes() {
    let mut form = form_of(&[(&["boss"], "disk"), (&["boss"], "fan")], false);
    form.lane = Some(Lane::Bulk);
    form.others[0].lane = Some(Lane::Critical);
    form.others[0].sender = Some("Fans".to_owned());
    let submission = submitted(&routing_of_these(), &form).unwrap();
    let wishes: Vec<(Lane, &str)> =
        submission.messages.iter().map(|one| (one.delivery.lane, one.sms.sender.as_str())).collect();
    assert_eq!(wishes, [(Lane::Bulk, "Relay"), (Lane::Critical, "Fans")]);
    form.others[0].sender = Some("TwelveLetter".to_owned());
    assert_eq!(submitted(&routing_of_these(), &form).unwrap_err().kind, RefusalKind::NotAllowed);
}

#[test]
fn a_form_is_refused_whole_for_any_of_its_texts() {
    let why =
        |texts: &[(&[&str], &str)]| submitted(&routing_of_these(), &form_of(texts, false)).unwrap_err().text;
    assert_eq!(why(&[(&["boss"], "a"), (&[], "b")]), "no destination is given");
    assert_eq!(why(&[(&["boss"], "a"), (&["boss"], " \n")]), "the text is empty");
    assert!(why(&[(&["boss"], "a"), (&["nobody"], "b")]).contains("`nobody`"));
}

#[test]
fn a_sender_that_is_a_wish_is_left_out_where_its_account_may_not_choose_it() {
    let sender_ids = Some(vec![SenderId::new("Doors").unwrap()]);
    let routing = limited("shop", Allowance { sender_ids, ..Allowance::default() });
    let mut form = form_of(&[(&["boss"], "disk"), (&["boss"], "fan")], true);
    (form.sender, form.others[0].sender) = (Some("Doors".to_owned()), Some("Fans".to_owned()));
    let prepare = |form: &Form| {
        let client = Client { account: Some("shop".to_owned()), ..client() };
        form::prepare(&routing, &settings(Reports::Sender), &client, form, now(), None)
    };
    assert_eq!(prepare(&form).unwrap_err().kind, RefusalKind::NotAllowed);
    let taken = prepare(&Form { sender_is_wish: true, ..form }).unwrap().submission;
    let senders: Vec<&str> = taken.messages.iter().map(|one| one.sms.sender.as_str()).collect();
    assert_eq!(senders, ["Doors", "Relay"]);
}

#[test]
fn more_destinations_than_there_may_be_sms_are_refused_before_any_is_looked_at() {
    let many = |count: usize| {
        let to = (1..count).map(|_| "nobody".to_owned()).chain(["boss".to_owned()]).collect();
        Form { to, text: "x".to_owned(), partial: true, ..Form::default() }
    };
    assert_eq!(receipt(&routing(), &many(MAX_MESSAGES)).unwrap().recipients.len(), MAX_MESSAGES);
    assert_eq!(
        receipt(&routing(), &many(MAX_MESSAGES + 1)).map(drop).unwrap_err().kind,
        RefusalKind::TooMany
    );
}

#[test]
fn all_texts_of_a_form_count_for_the_most_sms_of_one() {
    let many: Vec<String> = (0..MAX_MESSAGES).map(|n| format!("+39328{n:07}")).collect();
    let form = |last: usize| {
        let first = FormText { to: many[..last].to_vec(), text: "b".to_owned(), ..FormText::default() };
        Form { to: many[last..].to_vec(), text: "a".to_owned(), others: vec![first], ..Form::default() }
    };
    assert_eq!(submitted(&routing(), &form(1)).unwrap().messages.len(), MAX_MESSAGES);
    let mut more = form(1);
    more.others[0].to.push("+393290000000".to_owned());
    assert_eq!(submitted(&routing(), &more).unwrap_err().kind, RefusalKind::TooMany);
}
