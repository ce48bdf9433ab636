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
            recipient: Some(Pattern::new(recipient).unwrap()),
            text: Some(Pattern::new(text).unwrap()),
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
