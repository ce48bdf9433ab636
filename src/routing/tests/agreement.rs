//! `could_route` and `decide` never contradict each other.

use proptest::prelude::*;

use super::*;

fn maybe(sources: &'static [&'static str]) -> impl Strategy<Value = Option<Pattern>> {
    proptest::option::weighted(0.4, proptest::sample::select(sources).prop_map(|s| Pattern::new(s).unwrap()))
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let when = (
        maybe(&["printer", "other"]),
        maybe(&["oncall", "0002$", "nobody"]),
        maybe(&["toner", "fire"]),
        maybe(&["low", "high"]),
    );
    let one = (when, 0..3).prop_map(|((envelope_sender, recipient, subject, text), action)| {
        let when = Conditions { envelope_sender, recipient, subject, text, ..Conditions::default() };
        let action = match action {
            0 => send(),
            1 => Action::Drop { reason: "d".to_owned() },
            _ => refuse("r"),
        };
        rule("x", when, action)
    });
    proptest::collection::vec(one, 0..5)
}

proptest! {
    #[test]
    fn what_is_refused_early_would_be_refused_whatever_it_says(
        rules in rules(),
        sends in any::<bool>(),
        subject in proptest::sample::select(&["toner", "fire", ""][..]),
        text in proptest::sample::select(&["low", "high", ""][..]),
    ) {
        let no_match = if sends { NoMatch::Send } else { NoMatch::Refuse };
        // Not built, since rules that can never match are part of the question.
        let routing = Routing { rules, no_match, ..parts().build().unwrap() };
        if could(&routing).is_err() {
            for destination in [ALARM, NIGHT] {
                let client = client();
                let sender = ReversePath::Path(MailAddress::parse("printer@example.com").unwrap());
                let origin = Origin { client: &client, envelope_sender: Some(&sender) };
                let facts = Facts { subject, text, ..Facts::of(origin, NOW) };
                let decision = routing.decide(&facts, "oncall", &number(destination));
                prop_assert!(matches!(decision, Decision::Refuse { .. }), "{decision:?}");
            }
        }
    }
}
