//! Asking few rules comes to the same as asking all of them.

use proptest::prelude::*;

use super::*;

fn some<T: Clone + std::fmt::Debug + 'static>(of: &'static [T]) -> impl Strategy<Value = Option<Vec<T>>> {
    proptest::option::weighted(0.3, proptest::collection::vec(proptest::sample::select(of), 0..3))
}

fn maybe(sources: &'static [&'static str]) -> impl Strategy<Value = Option<Patterns>> {
    // Compiled once: that takes longer than all else.
    let compiled: Vec<Pattern> = sources.iter().map(|one| Pattern::new(one).unwrap()).collect();
    let patterns = proptest::collection::vec(proptest::sample::select(compiled), 1..3);
    proptest::option::weighted(0.3, patterns.prop_map(Patterns::new)).prop_map(Option::flatten)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let nets = some(&["10.0.0.7/32", "10.0.0.9/8", "10.1.0.0/16", "0.0.0.0/0", "::/0", "2001:db8::7/64"]);
    let nets = nets.prop_map(|nets| nets.map(|nets| nets.iter().map(|net| net.parse().unwrap()).collect()));
    let names = |names: Option<Vec<&str>>| names.map(|names| names.into_iter().map(str::to_owned).collect());
    let (listeners, accounts) = (some(&["lan", "web"]), some(&["shop", "till"]));
    let of_client = (nets, listeners.prop_map(names), accounts.prop_map(names), maybe(&["ups", "^x"]));
    let patterns = (
        maybe(&["^printer@", "example", "^<>$", r"\d"]),
        maybe(&["printer", r"p\d+@", "."]),
        maybe(&["^oncall$", "0002$", "team", r"\+39"]),
        maybe(&["toner", "fire|smoke", r"\w+ is (down|low)", r"\d{2}", "(?-i)Toner"]),
        maybe(&["low", "core switch", r"\bsw-\d\b", "Störung", "^$"]),
        maybe(&["high|1", "bulk"]),
    );
    let leaf = (of_client, patterns).prop_map(|((networks, listeners, accounts, helo), patterns)| {
        let (envelope_sender, header_sender, recipient, subject, text, priority) = patterns;
        let headers = priority.map(|priority| vec![("x-priority".to_owned(), priority)]);
        Conditions {
            networks,
            listeners,
            accounts,
            helo,
            envelope_sender,
            header_sender,
            headers: headers.unwrap_or_default(),
            recipient,
            subject,
            text,
            ..Conditions::default()
        }
    });
    leaf.prop_recursive(2, 8, 3, |inner| {
        let list = || proptest::option::weighted(0.3, proptest::collection::vec(inner.clone(), 1..3));
        (inner.clone(), list(), list(), list()).prop_map(|(leaf, any, all, not)| Conditions {
            any,
            all,
            not,
            ..leaf
        })
    })
}

/// Not built, since rules that can never match are part of the question.
fn routing(all: Vec<(Conditions, usize)>, no_match: NoMatch) -> Routing {
    let on = Action::Send(SendAction { continues: true, ..SendAction::default() });
    let actions = [send(), on, Action::Drop { reason: "d".to_owned() }, refuse("r")];
    let one = |(n, (when, action)): (usize, (Conditions, usize))| {
        rule(&n.to_string(), when, actions[action].clone())
    };
    let (rules, index, candidates) = build::planted(all.into_iter().enumerate().map(one).collect());
    Routing { rules, index, candidates, no_match, ..parts().build().unwrap() }
}

/// The rule by which `could_route` refuses, by asking all of them.
fn refused_by_all(
    routing: &Routing,
    origin: &Origin<'_>,
    recipient: &str,
    phone: &PhoneNumber,
) -> Option<String> {
    let mut seen = Content::default();
    seen.prepare(&routing.index, &routing.candidates);
    let index = &routing.index;
    let case =
        tree::Case { index, origin, now: NOW, recipient, destination: phone, facts: None, seen: &seen };
    for rule in &routing.rules {
        match (rule.when.truth(&case), &rule.action) {
            (tree::Truth::No, _) | (tree::Truth::NotYetKnown, Action::Refuse { .. }) => {}
            (tree::Truth::Yes, Action::Refuse { .. }) => return Some(rule.name.clone()),
            (_, Action::Send(_) | Action::Drop { .. }) => return None,
        }
    }
    (routing.no_match == NoMatch::Refuse).then(|| DEFAULT_RULE.to_owned())
}

proptest! {
    // Each has some dozens of rules, whose index takes its time to be built.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_index_says_what_all_rules_say(
        rules in proptest::collection::vec((conditions(), 0_usize..4), 0..80),
        sends in any::<bool>(),
        address in proptest::sample::select(&["10.0.0.7", "10.1.2.3", "192.0.2.1", "2001:db8::8"][..]),
        listener in proptest::sample::select(&["lan", "web", "wan"][..]),
        helo in proptest::option::of(proptest::sample::select(&["ups1", "other"][..])),
        priority in proptest::option::of(proptest::sample::select(&["X-Priority: 1\r\n", "X-Priority: low\r\n", ""][..])),
        account in proptest::option::of(proptest::sample::select(&["shop", "till", "x"][..])),
        sender in proptest::option::of(proptest::sample::select(&["printer@example.com", "p7@x.it", "<>"][..])),
        header_sender in proptest::option::of(proptest::sample::select(&["Printer <p3@x.it>", ""][..])),
        recipients in proptest::collection::vec(proptest::sample::select(&["oncall", "TEAM-1", "0002"][..]), 1..4),
        subject in proptest::sample::select(&["TONER is low", "Fire", "smoke 12", ""][..]),
        text in proptest::sample::select(&["Core Switch sw-1 is low", "STÖRUNG", "nothing", ""][..]),
    ) {
        let routing = routing(rules, if sends { NoMatch::Send } else { NoMatch::Refuse });
        let client = Client {
            listener: listener.to_owned(),
            address: address.parse().unwrap(),
            helo: helo.map(str::to_owned),
            account: account.map(str::to_owned),
            ..client()
        };
        let sender = sender.map(|sender| match MailAddress::parse(sender) {
            Ok(address) => ReversePath::Path(address),
            Err(_) => ReversePath::Null,
        });
        let origin = Origin { client: &client, envelope_sender: sender.as_ref() };
        let headers = priority.map(|fields| Headers::new(fields.as_bytes()));
        let facts = Facts { header_sender, headers, subject, text, ..Facts::of(origin, NOW) };
        let mut content = Content::default();
        for recipient in recipients {
            for phone in [number(ALARM), number(NIGHT)] {
                let decided = routing.decide_next(&mut content, &facts, recipient, &phone);
                let decided: Vec<String> = decided.into_iter().map(said).collect();
                let by_all = routing.try_rules(&facts, recipient, &phone);
                prop_assert_eq!(decided, by_all.into_iter().map(|(_, one)| said(one)).collect::<Vec<_>>());
                let refused = routing.could_route(&origin, NOW, recipient, std::slice::from_ref(&phone));
                let refused = refused.err().map(|refused| refused.rule);
                prop_assert_eq!(refused, refused_by_all(&routing, &origin, recipient, &phone));
            }
        }
    }
}
