//! Rules that can never match.

use super::*;

#[test]
fn rules_that_can_never_match_are_named() {
    let names = |list: &[&str]| Some(list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let networks = |list: &[&str]| Some(list.iter().map(|net| net.parse().unwrap()).collect::<Vec<_>>());
    let none = Conditions::default;
    let alone = |when: Conditions| faults(Parts { rules: vec![rule("it", when, send())], ..parts() });
    let never = |why: &str| vec![format!("rule `it` can never match: {why}")];
    assert_eq!(
        alone(Conditions { networks: networks(&[]), ..none() }),
        never("`client` is empty; name at least one, or leave the key out")
    );
    assert_eq!(
        alone(Conditions { listeners: names(&["wan"]), ..none() }),
        never("there is no listener `wan`")
    );
    assert_eq!(
        alone(Conditions { accounts: names(&["shop", "pos"]), ..none() }),
        never("there is no account `pos`")
    );
    assert_eq!(
        alone(Conditions { accounts: names(&["shop"]), listeners: names(&["lan"]), ..none() }),
        never("`account` names accounts of HTTP only, and `listener` no listener of that kind")
    );
    assert_eq!(
        alone(Conditions { accounts: names(&["shop"]), header_sender: pattern("x"), ..none() }),
        never("`header_sender` is about mail, and only form posts are left to it")
    );
    assert_eq!(
        alone(Conditions { listeners: names(&["web"]), envelope_sender: pattern("x"), ..none() }),
        never("`envelope_sender` is about mail, and only form posts are left to it")
    );
    assert_eq!(
        alone(Conditions { networks: networks(&["192.168.0.0/16"]), ..none() }),
        never("no listener or account that it names lets these networks in")
    );
    assert_eq!(
        alone(Conditions { networks: networks(&["10.2.0.0/16"]), accounts: names(&["shop"]), ..none() }),
        never("no listener or account that it names lets these networks in")
    );
    assert!(
        alone(Conditions { networks: networks(&["0.0.0.0/0"]), accounts: names(&["shop"]), ..none() })
            .is_empty()
    );
}

#[test]
fn what_the_relay_itself_hands_in_comes_from_this_machine() {
    let networks = |net: &str| Some(vec![net.parse().unwrap()]);
    let told = |when: Conditions| {
        let mut parts = parts();
        let networks = vec!["127.0.0.1/32".parse().unwrap()];
        parts.listeners.push(KnownListener { name: "expect".to_owned(), door: Door::Relay, networks });
        faults(Parts { rules: vec![rule("it", when, send())], ..parts })
    };
    let local = || Conditions { networks: networks("127.0.0.0/8"), ..Conditions::default() };
    assert_eq!(told(local()), Vec::<String>::new());
    let not_let_in =
        ["rule `it` can never match: no listener or account that it names lets these networks in"];
    assert_eq!(
        told(Conditions { networks: networks("192.168.0.0/16"), ..Conditions::default() }),
        not_let_in
    );
    assert_eq!(
        told(Conditions { door: Some(Door::Http), ..local() }),
        not_let_in,
        "a form is another door's"
    );
    let shop = Some(vec!["shop".to_owned()]);
    assert_eq!(told(Conditions { accounts: shop, ..local() }), not_let_in, "it has no account");
}

#[test]
fn accounts_come_through_listeners_of_their_own_door() {
    let names = |list: &[&str]| Some(list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let networks = |net: &str| Some(vec![net.parse().unwrap()]);
    let none = Conditions::default;
    let told = |when: Conditions| {
        let mut both = parts();
        both.accounts.push(KnownAccount { name: "ups".to_owned(), door: Door::Smtp, networks: Vec::new() });
        faults(Parts { rules: vec![rule("it", when, send())], ..both })
    };
    let never = |why: &str| vec![format!("rule `it` can never match: {why}")];
    let ups = || Conditions { accounts: names(&["ups"]), ..none() };
    let either = || Conditions { accounts: names(&["ups", "shop"]), ..none() };
    let fine = [
        ups(),
        Conditions { header_sender: pattern("x"), ..ups() },
        Conditions { listeners: names(&["lan", "web"]), envelope_sender: pattern("x"), ..ups() },
        // The listener's networks are the account's; `shop` has others.
        Conditions { networks: networks("10.2.0.0/16"), ..ups() },
        Conditions { networks: networks("10.2.0.0/16"), ..either() },
        Conditions { listeners: names(&["web"]), ..either() },
        Conditions { listeners: names(&["lan"]), header_sender: pattern("x"), ..either() },
    ];
    for when in fine {
        assert_eq!(told(when.clone()), Vec::<String>::new(), "{when:?}");
    }
    assert_eq!(
        told(Conditions { listeners: names(&["web"]), ..ups() }),
        never("`account` names accounts of SMTP only, and `listener` no listener of that kind")
    );
    assert_eq!(
        told(Conditions { listeners: names(&["web"]), header_sender: pattern("x"), ..either() }),
        never("`header_sender` is about mail, and only form posts are left to it")
    );
    let not_let_in = never("no listener or account that it names lets these networks in");
    assert_eq!(told(Conditions { networks: networks("192.168.0.0/16"), ..ups() }), not_let_in);
    assert_eq!(
        told(Conditions { networks: networks("10.2.0.0/16"), listeners: names(&["web"]), ..either() }),
        not_let_in
    );
}

#[test]
fn rules_behind_one_that_asks_for_the_same_or_less_are_named() {
    let networks = |net: &str| Some(vec![net.parse().unwrap()]);
    let none = Conditions::default;
    let pair = |first: Conditions, second: Conditions| {
        faults(Parts { rules: vec![rule("one", first, send()), rule("two", second, send())], ..parts() })
    };
    let shadowed = ["rule `two` can never match: rule `one` before it takes everything that it asks for"];
    let subject = |source: &str| Conditions { subject: pattern(source), ..none() };
    assert_eq!(pair(none(), subject("x")), shadowed);
    assert_eq!(pair(subject("x"), subject("x")), shadowed);
    assert_eq!(pair(subject("x"), Conditions { text: pattern("y"), ..subject("x") }), shadowed);
    assert_eq!(
        pair(
            Conditions { networks: networks("10.0.0.0/8"), ..none() },
            Conditions { networks: networks("10.3.0.0/16"), ..none() }
        ),
        shadowed
    );
    assert!(pair(subject("x"), subject("y")).is_empty());
    assert!(pair(subject("x"), none()).is_empty());
    assert!(
        pair(
            Conditions { networks: networks("10.3.0.0/16"), ..none() },
            Conditions { networks: networks("10.0.0.0/8"), ..none() }
        )
        .is_empty()
    );
}
