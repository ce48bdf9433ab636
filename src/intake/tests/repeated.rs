//! The same words for the same phone go once; words that only look the same go.

use super::*;
use crate::text::Split;
use crate::wording::Template;

/// The fates of a mail to `boss` and `ops`, both of whom are the phone `+393280000001`; `first` is how
/// `boss` gets it, `second` how all others do.
fn fates_of(first: SendAction, second: SendAction, mail: &str) -> Vec<(String, String)> {
    let to = |name: &str, pattern: &str, action: SendAction| Rule {
        name: name.to_owned(),
        when: Conditions { recipient: Some(Pattern::new(pattern).unwrap().into()), ..Conditions::default() },
        action: Action::Send(action),
    };
    let rules = vec![to("first", "^boss$", first), to("second", "^ops$", second)];
    let routing = Parts { rules, ..parts() }.build().unwrap();
    let envelope = envelope("ups@example.com", &["boss@sms.local", "ops@sms.local"]);
    let settings = settings(Reports::Sender);
    let submission =
        mail::prepare(&routing, &settings, &client(), &envelope, mail.as_bytes(), now(), None).unwrap();
    let to_one = fates(&submission).into_iter().filter(|(phone, ..)| phone == "+393280000001");
    to_one.map(|(_, text, fate)| (text, fate.split(" the same").next().unwrap().to_owned())).collect()
}

fn worded(change: impl FnOnce(&mut Wording)) -> SendAction {
    let mut wording = Wording::in_parts(3);
    change(&mut wording);
    SendAction { wording: Some(Arc::new(wording)), ..SendAction::default() }
}

fn count_due(fates: &[(String, String)]) -> usize {
    fates.iter().filter(|(_, fate)| fate == "due").count()
}

const MAIL: &str = "Subject: x\r\n\r\nFire in {plant}\r\n";

#[test]
fn the_same_words_go_once() {
    let found = fates_of(SendAction::default(), SendAction::default(), MAIL);
    assert_eq!(count_due(&found), 1, "{found:?}");
}

#[test]
fn what_is_only_simulated_keeps_no_phone_from_its_sms() {
    let simulated = || SendAction { simulation: true, ..SendAction::default() };
    assert_eq!(count_due(&fates_of(simulated(), SendAction::default(), MAIL)), 2);
    assert_eq!(count_due(&fates_of(SendAction::default(), simulated(), MAIL)), 1);
    assert_eq!(count_due(&fates_of(simulated(), simulated(), MAIL)), 1);
}

#[test]
fn placeholders_that_are_filled_otherwise_make_other_words() {
    let plant = |name: &str| {
        worded(|wording| {
            wording.fitting.placeholders = BTreeMap::from([("plant".to_owned(), name.to_owned())]);
        })
    };
    assert_eq!(count_due(&fates_of(plant("Bologna"), plant("Modena"), MAIL)), 2);
    assert_eq!(count_due(&fates_of(plant("Bologna"), plant("Bologna"), MAIL)), 1);
}

#[test]
fn a_text_in_several_sms_goes_whole_or_not_at_all() {
    let split = |template: &str| {
        worded(|wording| {
            wording.template = Template::new(template).unwrap();
            wording.fitting.split = Split::Messages;
        })
    };
    let mail = format!("Subject: x\r\n\r\n{}\r\n", "word ".repeat(50));
    let found = fates_of(split("{{ text }}"), split("{{ text }} {{ to }}"), &mail);
    assert_eq!((found.len(), count_due(&found)), (4, 4), "the first pieces are the same: {found:?}");
    assert_eq!(found[0].0, found[2].0);
    let found = fates_of(split("{{ text }}"), split("{{ text }}"), &mail);
    assert_eq!((found.len(), count_due(&found)), (4, 2), "{found:?}");
}
