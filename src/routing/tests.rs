//! Recipients, rules and texts, as intake asks for them.

mod agreement;
mod candidates;
mod conditions;
mod delivering;
mod fan_out;
mod moments;
mod on_call;
mod reach;
mod recipients;

use super::*;
use crate::model::{DialPlan, Door};
use crate::pattern::Pattern;
use crate::wording::Template;

const ALARM: &str = "+393471234567";
const NIGHT: &str = "+393470000002";

fn client() -> Client {
    Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: "10.0.0.7".parse().unwrap(),
        helo: None,
        account: None,
    }
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::from_e164(text).unwrap()
}

/// Where the time does not matter.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn parts() -> Parts {
    Parts {
        domains: vec!["sms.local".to_owned(), "sms.example.com".to_owned()],
        dial_plan: DialPlan::default(),
        allowed: vec![Prefix::new("+39").unwrap()],
        text_recipients: Vec::new(),
        aliases: Vec::new(),
        rotas: Vec::new(),
        quiet: Vec::new(),
        rules: Vec::new(),
        no_match: NoMatch::Refuse,
        defaults: Defaults {
            sender: Some(SenderId::new("Relay").unwrap()),
            wording: Arc::new(Wording::in_parts(3)),
            lifetime: Duration::from_secs(4 * 3600),
            delivering: Delivering::default(),
        },
        listeners: vec![
            KnownListener {
                name: "lan".to_owned(),
                door: Door::Smtp,
                networks: vec!["10.0.0.0/8".parse().unwrap()],
            },
            KnownListener {
                name: "web".to_owned(),
                door: Door::Http,
                networks: vec!["10.0.0.0/8".parse().unwrap()],
            },
        ],
        accounts: vec![KnownAccount {
            name: "shop".to_owned(),
            door: Door::Http,
            networks: vec!["10.1.0.0/16".parse().unwrap()],
        }],
    }
}

fn pattern(source: &str) -> Option<Patterns> {
    Some(Pattern::new(source).unwrap().into())
}

fn send() -> Action {
    Action::Send(SendAction::default())
}

fn refuse(reason: &str) -> Action {
    Action::Refuse { reason: reason.to_owned() }
}

/// A decision without what is sent.
fn said(decision: Decision) -> String {
    match decision {
        Decision::Send(plan) => format!("sent by {}", plan.rule),
        Decision::Drop { rule, reason } => format!("dropped by {rule}: {reason}"),
        Decision::Refuse { rule, reason } => format!("refused by {rule}: {reason}"),
    }
}

fn rule(name: &str, when: Conditions, action: Action) -> Rule {
    Rule { name: name.to_owned(), when, action }
}

fn with_rules(rules: Vec<Rule>) -> Routing {
    Parts { rules, ..parts() }.build().unwrap()
}

fn faults(parts: Parts) -> Vec<String> {
    match parts.build() {
        Ok(routing) => routing.warnings().iter().map(ToString::to_string).collect(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// A mail from `printer@example.com`, subject "Toner", text "Toner is low".
fn decide_with<'a>(routing: &Routing, change: impl FnOnce(&mut Facts<'a>)) -> Decision {
    only(routing.decide(&facts(change), "oncall", &number(ALARM)))
}

/// The only one of several.
fn only<T>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn try_rules(routing: &Routing) -> (Vec<Tried>, Decision) {
    only(routing.try_rules(&facts(|_| {}), "oncall", &number(ALARM)))
}

fn facts<'a>(change: impl FnOnce(&mut Facts<'a>)) -> Facts<'a> {
    let sender = ReversePath::Path(MailAddress::parse("printer@example.com").unwrap());
    // Leaked, so that `change` may put in anything that lives longer than this call.
    let (client, sender) = (Box::leak(Box::new(client())), Box::leak(Box::new(sender)));
    let mut facts = Facts {
        header_sender: Some("Printer 3 <p3@example.com>"),
        subject: "Toner",
        text: "Toner is low",
        ..Facts::of(Origin { client, envelope_sender: Some(sender) }, NOW)
    };
    change(&mut facts);
    facts
}

fn decide(routing: &Routing) -> Decision {
    decide_with(routing, |_| {})
}

fn rule_of(decision: Decision) -> String {
    match decision {
        Decision::Send(plan) => plan.rule,
        Decision::Drop { rule, .. } | Decision::Refuse { rule, .. } => rule,
    }
}

fn plan(decision: Decision) -> Plan {
    match decision {
        Decision::Send(plan) => plan,
        other @ (Decision::Drop { .. } | Decision::Refuse { .. }) => panic!("not sent: {other:?}"),
    }
}

fn resolved(routing: &Routing, address: &str) -> String {
    match routing.resolve(&MailAddress::parse(address).unwrap(), NOW) {
        Ok(numbers) => numbers.iter().map(PhoneNumber::as_str).collect::<Vec<_>>().join(" "),
        Err(refusal) => refusal.to_string(),
    }
}

fn alias(name: &str, targets: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), targets.iter().map(|target| (*target).to_owned()).collect())
}

#[test]
fn a_recipient_is_a_number_or_an_alias_at_one_of_our_domains() {
    let aliases = vec![
        alias("OnCall", &["night", ALARM]),
        alias("night", &[NIGHT, ALARM]),
        alias("112", &["0039 347 0000003"]),
    ];
    let routing = Parts { aliases, ..parts() }.build().unwrap();
    assert_eq!(resolved(&routing, "+393471234567@sms.local"), ALARM);
    assert_eq!(resolved(&routing, "p393471234567@SMS.Example.com"), ALARM);
    assert_eq!(resolved(&routing, "oncall@sms.local"), format!("{NIGHT} {ALARM}"));
    assert_eq!(resolved(&routing, "112@sms.local"), "+393470000003");
    assert_eq!(routing.resolve_written(" ONCALL ", NOW).unwrap(), [number(NIGHT), number(ALARM)]);
}

#[test]
fn a_recipient_that_is_refused_learns_why() {
    let routing = parts().build().unwrap();
    for (address, why) in [
        (
            "+393471234567@example.com",
            "`+393471234567@example.com` is not served here; write number@sms.local",
        ),
        ("oncal@sms.local", "`oncal` is not a phone number, and there is no alias of that name"),
        ("a%b.it@sms.local", "`a%b.it` is not a phone number, and there is no alias of that name"),
        (
            "0612345678@sms.local",
            "`0612345678` is a national number and no country code is configured; write it with its country \
             code, like +39..., and there is no alias of that name",
        ),
        (
            "+4915112345678@sms.local",
            "destination `+4915112345678` is not allowed here; the operator has to allow its prefix",
        ),
    ] {
        assert_eq!(resolved(&routing, address), why);
    }
    let refusal =
        routing.resolve_written(&format!("a\r\nb{}", "x".repeat(100)), NOW).unwrap_err().to_string();
    assert_eq!(
        refusal,
        format!("`a\\r\\nb{}...` is not a phone number, and there is no alias of that name", "x".repeat(60))
    );
}

#[test]
fn nothing_is_allowed_until_a_prefix_says_so() {
    let routing = Parts { allowed: Vec::new(), ..parts() }.build().unwrap();
    assert!(matches!(routing.resolve_written(ALARM, NOW), Err(RecipientRefusal::NotAllowed { .. })));
    for wrong in ["", "+", "39", "+0", "+39x", "+1234567890123456"] {
        assert!(Prefix::new(wrong).is_err(), "{wrong}");
    }
    let narrow = Parts { allowed: vec![Prefix::new("+39347").unwrap()], ..parts() }.build().unwrap();
    assert!(narrow.resolve_written(ALARM, NOW).is_ok());
    assert!(narrow.resolve_written("+393481234567", NOW).is_err());
}

#[test]
fn aliases_that_lead_nowhere_are_named() {
    let aliases = vec![
        alias("a", &["b"]),
        alias("b", &["c", ALARM]),
        alias("C", &["A"]),
        alias("self", &["self"]),
        alias("none", &[]),
        alias("typo", &["nihgt"]),
        alias("A", &[ALARM]),
        alias("+393471234567", &[NIGHT]),
        alias("abroad", &["+4915112345678"]),
        alias(" x", &[ALARM]),
    ];
    assert_eq!(
        faults(Parts { aliases, ..parts() }),
        [
            "alias `none` is empty; give at least one number",
            "alias `A` is there twice (upper and lower case are the same); remove one",
            "alias `+393471234567` is a phone number itself, and mail for that phone would go elsewhere; \
             rename it",
            "` x` cannot be the name of an alias; use up to 64 letters, digits, dots and dashes",
            "aliases go in a circle: self -> self; remove one of them",
            "`nihgt` is not a phone number, and there is no alias of that name",
            "alias `abroad` leads to a number that `allowed` does not cover; add its prefix there",
        ]
    );
    let circle = vec![alias("a", &["b"]), alias("b", &["c", ALARM]), alias("C", &["A"])];
    assert_eq!(
        faults(Parts { aliases: circle, ..parts() }),
        ["aliases go in a circle: a -> b -> C -> a; remove one of them"]
    );
}

#[test]
fn aliases_nest_thirty_two_deep_and_no_deeper() {
    let chain = |length: usize| {
        let mut aliases: Vec<_> =
            (1..length).map(|n| alias(&format!("a{n}"), &[&format!("a{}", n + 1)])).collect();
        aliases.push(alias(&format!("a{length}"), &[ALARM]));
        Parts { aliases, ..parts() }
    };
    let routing = chain(32).build().unwrap();
    assert_eq!(routing.resolve_written("a1", NOW).unwrap(), [number(ALARM)]);
    assert_eq!(faults(chain(33)), ["alias `a33` is more than 32 aliases deep; write the numbers directly"]);
}

#[test]
fn each_condition_holds_for_what_it_names_and_nothing_else() {
    let networks = |net: &str| Some(vec![net.parse().unwrap()]);
    let none = Conditions::default;
    let cases: Vec<(Conditions, bool)> = vec![
        (Conditions { networks: networks("10.0.0.0/24"), ..none() }, true),
        (Conditions { networks: networks("10.0.1.0/24"), ..none() }, false),
        (Conditions { listeners: Some(vec!["lan".to_owned()]), ..none() }, true),
        (Conditions { listeners: Some(vec!["web".to_owned()]), ..none() }, false),
        (Conditions { accounts: Some(vec!["shop".to_owned()]), ..none() }, false),
        (Conditions { envelope_sender: pattern("^PRINTER@example\\.com$"), ..none() }, true),
        (Conditions { envelope_sender: pattern("p3"), ..none() }, false),
        (Conditions { header_sender: pattern("p3@"), ..none() }, true),
        (Conditions { header_sender: pattern("printer@"), ..none() }, false),
        (Conditions { recipient: pattern("^oncall$"), ..none() }, true),
        (Conditions { recipient: pattern("^\\+39347"), ..none() }, true),
        (Conditions { recipient: pattern("^\\+39348"), ..none() }, false),
        (Conditions { subject: pattern("^toner$"), ..none() }, true),
        (Conditions { subject: pattern("(?-i)^toner$"), ..none() }, false),
        (Conditions { text: pattern("is low"), ..none() }, true),
        (Conditions { text: pattern("is high"), ..none() }, false),
        (Conditions { text: pattern("is low"), subject: pattern("paper"), ..none() }, false),
    ];
    for (when, holds) in cases {
        let shown = format!("{when:?}");
        let decision = decide(&with_rules(vec![rule("it", when, send())]));
        assert_eq!(rule_of(decision) == "it", holds, "{shown}");
    }
}

#[test]
fn conditions_about_senders_never_hold_where_there_is_none() {
    let any = || pattern("");
    let routing = with_rules(vec![
        rule("envelope", Conditions { envelope_sender: any(), ..Conditions::default() }, send()),
        rule("header", Conditions { header_sender: any(), ..Conditions::default() }, send()),
    ]);
    let form = |facts: &mut Facts| {
        facts.origin.envelope_sender = None;
        facts.header_sender = None;
    };
    assert_eq!(rule_of(decide_with(&routing, form)), "default");
    let bounce = with_rules(vec![rule(
        "bounce",
        Conditions { envelope_sender: pattern("^<>$"), ..Conditions::default() },
        send(),
    )]);
    let null = |facts: &mut Facts| facts.origin.envelope_sender = Some(&ReversePath::Null);
    assert_eq!(rule_of(decide_with(&bounce, null)), "bounce");
    assert_eq!(rule_of(decide(&bounce)), "default");
}

#[test]
fn an_account_is_matched_by_name() {
    let when = Conditions { accounts: Some(vec!["shop".to_owned()]), ..Conditions::default() };
    let routing = with_rules(vec![rule("it", when, send())]);
    let shop = Client { account: Some("shop".to_owned()), door: Door::Http, ..client() };
    let other = Client { account: Some("Shop".to_owned()), door: Door::Http, ..client() };
    assert_eq!(rule_of(decide_with(&routing, |facts| facts.origin.client = &shop)), "it");
    assert_eq!(rule_of(decide_with(&routing, |facts| facts.origin.client = &other)), "default");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let toner = || Conditions { subject: pattern("toner"), ..Conditions::default() };
    let routing = with_rules(vec![
        rule("paper", Conditions { subject: pattern("paper"), ..Conditions::default() }, send()),
        rule("toner", toner(), Action::Drop { reason: "nobody cares".to_owned() }),
        rule("low", Conditions { text: pattern("low"), ..Conditions::default() }, refuse("no")),
        rule("rest", Conditions::default(), send()),
    ]);
    assert_eq!(said(decide(&routing)), "dropped by toner: nobody cares");
    assert_eq!(said(decide_with(&routing, |facts| facts.subject = "")), "refused by low: no");
    assert_eq!(rule_of(decide_with(&routing, |facts| (facts.subject, facts.text) = ("", "x"))), "rest");
}

#[test]
fn without_a_match_it_is_sent_by_the_defaults_or_refused() {
    assert_eq!(said(decide(&parts().build().unwrap())), "refused by default: no rule takes this message");
    let routing = Parts { no_match: NoMatch::Send, ..parts() }.build().unwrap();
    let plan = plan(decide(&routing));
    assert_eq!((plan.rule.as_str(), plan.sender.as_str()), ("default", "Relay"));
    assert_eq!(plan.wording.fitting.max_parts, 3);
    assert_eq!(plan.lifetime, Duration::from_secs(14400));
    assert_eq!(plan.options, SmsOptions::default());
}

#[test]
fn a_rule_sets_everything_that_the_platform_is_told() {
    let mut wording = Wording::in_parts(1);
    wording.template = Template::Both;
    wording.fitting.placeholders.insert("site".to_owned(), "Milano".to_owned());
    let action = SendAction {
        sender: Some(SenderId::new("Printers").unwrap()),
        wording: Some(Arc::new(wording)),
        campaign_id: Some("toner".to_owned()),
        lifetime: Some(Duration::from_secs(60)),
        simulation: true,
        skip_rcs_override: true,
        enable_notification: Some(false),
        ..SendAction::default()
    };
    let routing = with_rules(vec![rule("it", Conditions::default(), Action::Send(action))]);
    let plan = plan(decide(&routing));
    assert_eq!((plan.rule.as_str(), plan.sender.as_str()), ("it", "Printers"));
    assert!(matches!(plan.wording.template, Template::Both));
    assert_eq!(plan.wording.fitting.max_parts, 1);
    assert_eq!(plan.lifetime, Duration::from_secs(60));
    assert_eq!(
        plan.options,
        SmsOptions {
            campaign_id: Some("toner".to_owned()),
            simulation: true,
            skip_rcs_override: true,
            enable_notification: Some(false),
            placeholders: Some([("site".to_owned(), "Milano".to_owned())].into()),
            ..SmsOptions::default()
        }
    );
}

#[test]
fn named_groups_of_the_rule_that_matches_are_kept() {
    let when = Conditions {
        subject: pattern("(?P<what>toner|paper)( is)? ?(?P<state>low)?"),
        recipient: pattern("^(?P<who>.*)$"),
        ..Conditions::default()
    };
    let routing = with_rules(vec![rule("it", when, send())]);
    let groups = plan(decide(&routing)).groups;
    let expected = [("what", "Toner"), ("who", "oncall")];
    assert_eq!(groups, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn every_rule_that_was_asked_tells_what_it_missed() {
    let routing = with_rules(vec![
        rule(
            "nets",
            Conditions { networks: Some(vec!["10.9.0.0/16".parse().unwrap()]), ..Conditions::default() },
            send(),
        ),
        rule("paper", Conditions { subject: pattern("paper"), ..Conditions::default() }, send()),
        rule("toner", Conditions { subject: pattern("toner"), ..Conditions::default() }, send()),
        rule("rest", Conditions::default(), send()),
    ]);
    let (tried, decision) = try_rules(&routing);
    let unmet = |key, wanted: &str, found: &str| {
        let (wanted, found) = (wanted.to_owned(), Some(found.to_owned()));
        vec![Unmet { key, header: None, branch: String::new(), holds: false, wanted, found }]
    };
    let tried: Vec<_> = tried.into_iter().map(|tried| (tried.rule, tried.unmet)).collect();
    assert_eq!(
        tried,
        [
            ("nets".to_owned(), unmet("client", "10.9.0.0/16", "10.0.0.7")),
            ("paper".to_owned(), unmet("subject", "paper", "Toner")),
            ("toner".to_owned(), Vec::new()),
        ]
    );
    assert_eq!(rule_of(decision), "toner");
}

#[test]
fn a_template_may_only_name_groups_that_its_rule_has() {
    let mut wording = Wording::in_parts(1);
    wording.template = Template::new("{{ groups.host }} {{ groups.state }}").unwrap();
    let when = Conditions { text: pattern("(?P<host>\\w+) is down"), ..Conditions::default() };
    let action = SendAction { wording: Some(Arc::new(wording)), ..SendAction::default() };
    assert_eq!(
        faults(Parts { rules: vec![rule("it", when, Action::Send(action))], ..parts() }),
        [
            "the template of rule `it` names the group `state`, but no pattern of the rule has it; write (?P<state>...) in one of them"
        ]
    );
}

#[test]
fn a_recipient_of_the_text_is_a_name_of_its_own() {
    let routing = Parts { text_recipients: vec!["UPS".to_owned()], ..parts() }.build().unwrap();
    let named = |address| routing.names_in_text(&MailAddress::parse(address).unwrap());
    assert!(named("ups@sms.local") && named("Ups@SMS.example.com"));
    assert!(!named("ups@example.com") && !named("ups2@sms.local"));
    let aliases = vec![("oncall".to_owned(), vec![ALARM.to_owned()])];
    let text_recipients = ["OnCall", "+393471234567", "Postmaster", ""].map(str::to_owned).to_vec();
    let said = faults(Parts { text_recipients, aliases, ..parts() });
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[0].starts_with("`OnCall` cannot be a recipient that names its destinations"), "{said:?}");
}

#[test]
fn a_rules_sender_wins_over_the_requested_one_and_that_over_the_default() {
    let wanted = SenderId::new("Wanted").unwrap();
    let sender = |action: SendAction| {
        let routing = with_rules(vec![rule("it", Conditions::default(), Action::Send(action))]);
        plan(decide_with(&routing, |facts| facts.requested_sender = Some(&wanted))).sender.to_string()
    };
    assert_eq!(sender(SendAction::default()), "Wanted");
    let own = SendAction { sender: Some(SenderId::new("Own").unwrap()), ..SendAction::default() };
    assert_eq!(sender(own), "Own");
}

#[test]
fn a_recipient_is_refused_early_only_when_the_content_could_not_save_it() {
    let content = || Conditions { subject: pattern("alarm"), ..Conditions::default() };
    let elsewhere = || Conditions { recipient: pattern("^other$"), ..Conditions::default() };
    let one = || Conditions { recipient: pattern("0002$"), ..Conditions::default() };
    let all = Conditions::default;

    let routing = |rules| with_rules(rules);
    assert_eq!(could(&routing(vec![])), Err("default: no rule takes this message".to_owned()));
    assert_eq!(could(&routing(vec![rule("a", content(), send())])), Ok(()));
    assert_eq!(
        could(&routing(vec![rule("a", elsewhere(), send())])),
        Err("default: no rule takes this message".to_owned())
    );
    assert_eq!(could(&routing(vec![rule("a", all(), refuse("no"))])), Err("a: no".to_owned()));
    assert_eq!(could(&routing(vec![rule("a", all(), Action::Drop { reason: "x".to_owned() })])), Ok(()));
    // It may match and refuse, and what comes behind refuses too.
    assert_eq!(
        could(&routing(vec![rule("a", content(), refuse("no")), rule("b", all(), refuse("never"))])),
        Err("b: never".to_owned())
    );
    // It may match and refuse, or leave it to one that sends.
    assert_eq!(could(&routing(vec![rule("a", content(), refuse("no")), rule("b", all(), send())])), Ok(()));
    // One of two destinations is enough.
    assert_eq!(could(&routing(vec![rule("a", one(), refuse("no")), rule("b", all(), send())])), Ok(()));
    assert_eq!(could(&routing(vec![rule("a", one(), send())])), Ok(()));
    let by_default = Parts { no_match: NoMatch::Send, ..parts() }.build().unwrap();
    assert_eq!(could(&by_default), Ok(()));
}

#[test]
fn names_senders_and_campaigns_are_checked() {
    let quiet = || Conditions { subject: pattern("x"), ..Conditions::default() };
    let campaign = |length: usize| {
        Action::Send(SendAction { campaign_id: Some("c".repeat(length)), ..SendAction::default() })
    };
    let rules = vec![rule("default", quiet(), send()), rule("a", Conditions::default(), campaign(255))];
    assert_eq!(
        faults(Parts { rules, ..parts() }),
        ["`default` stands for \"no rule\" in logs; give the rule another name"]
    );
    let rules = vec![rule("a", quiet(), send()), rule("a", Conditions::default(), campaign(256))];
    assert_eq!(
        faults(Parts { rules, ..parts() }),
        [
            "there are two rules with the name `a`; rename one",
            "campaign_id of rule `a` has 256 characters; the platform takes 255"
        ]
    );
    let defaults = Defaults { sender: None, ..parts().defaults };
    let rules = vec![rule("a", quiet(), send()), rule("b", Conditions::default(), refuse("no"))];
    assert_eq!(
        faults(Parts { rules, defaults, no_match: NoMatch::Send, domains: vec![], ..parts() }),
        [
            "no domain is given; write at least one, like \"sms.local\"",
            "rule `a` has no sender and there is no default; set `sender` here or in [defaults]",
            "what no rule takes is to be sent, but there is no sender; set `sender` in [defaults]"
        ]
    );
}

fn could(routing: &Routing) -> Result<(), String> {
    let client = client();
    let sender = ReversePath::Path(MailAddress::parse("printer@example.com").unwrap());
    let origin = Origin { client: &client, envelope_sender: Some(&sender) };
    routing
        .could_route(&origin, NOW, "oncall", &[number(ALARM), number(NIGHT)])
        .map_err(|refused| format!("{}: {refused}", refused.rule))
}

#[test]
fn an_unmet_condition_repeats_a_thousand_octets_and_not_one_more() {
    let when = Conditions { text: pattern("x"), ..Conditions::default() };
    let routing = with_rules(vec![rule("it", when, send())]);
    let found = |text: &str| {
        let client = client();
        let facts = Facts { text, ..Facts::of(Origin { client: &client, envelope_sender: None }, NOW) };
        let (tried, _) = only(routing.try_rules(&facts, "a", &number(ALARM)));
        tried[0].unmet[0].found.clone().unwrap().len()
    };
    assert_eq!([found(&"a".repeat(1000)), found(&"a".repeat(1001)), found(&"è".repeat(501))], [1000; 3]);
    assert_eq!(found(&format!("a{}", "è".repeat(500))), 999);
}
