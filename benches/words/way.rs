//! The way of a mail as intake goes it, without the spool, the trace field and what is kept for a report.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sms_relay::mail::{self, Headers, Mail};
use sms_relay::model::{
    Client, DialPlan, Door, MailAddress, PhoneNumber, ReversePath, SenderId, Sms, SubmissionId,
};
use sms_relay::pattern::Pattern;
use sms_relay::routing::{
    Action, Conditions, Decision, Defaults, Delivering, Facts, KnownListener, NoMatch, Origin, Parts, Plan,
    Prefix, Routing, Rule, SendAction,
};
use sms_relay::text::Fitting;
use sms_relay::wording::{Distilling, Source, Template, Wording};

/// The local part of the recipient.
pub(crate) const TO: &str = "oncall";

/// A relay's rules and one client.
pub(crate) struct Way {
    routing: Routing,
    client: Client,
    reverse_path: ReversePath,
    recipient: MailAddress,
    time_zone: TimeZone,
}

/// What is known of one mail.
pub(crate) struct Known<'a> {
    routing: &'a Routing,
    facts: Facts<'a>,
    pub source: Source<'a>,
    destination: PhoneNumber,
}

fn wording(template: &str, max_parts: u32) -> Option<Arc<Wording>> {
    let template = Template::new(template).unwrap();
    Some(Arc::new(Wording {
        distilling: Distilling {
            disclaimers: vec![
                Pattern::new(r"(?s)\bthis (e-?mail|message) (is|may be) confidential\b.*").unwrap(),
            ],
            ..Distilling::default()
        },
        template,
        fitting: Fitting::in_parts(max_parts),
    }))
}

fn rule(name: &str, when: Conditions, send: SendAction) -> Rule {
    Rule { name: name.to_owned(), when, action: Action::Send(send) }
}

/// Ten rules of an ordinary installation; the eighth is for mails of the UPS.
fn rules() -> Vec<Rule> {
    let pattern = |source: &str| Some(Pattern::new(source).unwrap().into());
    let networks = |network: &str| Some(vec![network.parse().unwrap()]);
    let sender = |name: &str| Some(SenderId::new(name).unwrap());
    let any = Conditions::default;
    let named = |name: &str| SendAction { sender: sender(name), ..SendAction::default() };
    vec![
        Rule {
            name: "holidays".to_owned(),
            when: Conditions { subject: pattern("^(out of office|automatic reply)"), ..any() },
            action: Action::Drop { reason: "an automatic reply is no alarm".to_owned() },
        },
        Rule {
            name: "adverts".to_owned(),
            when: Conditions { text: pattern("unsubscribe here|lottery"), ..any() },
            action: Action::Refuse { reason: "adverts are not for phones".to_owned() },
        },
        rule(
            "cameras",
            Conditions { networks: networks("10.9.0.0/16"), subject: pattern("motion|tamper"), ..any() },
            named("Camera"),
        ),
        rule(
            "fire",
            Conditions { subject: pattern(r"\b(fire|smoke)\b"), ..any() },
            SendAction { wording: wording("{{ subject | upper }}: {{ text }}", 2), ..named("Fire") },
        ),
        rule("door", Conditions { header_sender: pattern(r"@doors\.example\.com$"), ..any() }, named("Door")),
        rule(
            "monitoring",
            Conditions { subject: pattern(r"(?P<host>[\w.-]+) is (?P<state>down|up)"), ..any() },
            SendAction { wording: wording("subject", 1), ..named("Monitor") },
        ),
        rule("passwords", Conditions { text: pattern(r"one-time password|\bOTP\b"), ..any() }, named("OTP")),
        rule(
            "ups",
            Conditions {
                networks: networks("10.0.0.0/24"),
                envelope_sender: pattern(r"^ups\d+@"),
                text: pattern(r"battery (?P<charge>\d+) %"),
                ..any()
            },
            SendAction { wording: wording("{{ subject }}\n{{ text }}", 2), ..named("UPS") },
        ),
        rule("printers", Conditions { header_sender: pattern("^(printer|scan)"), ..any() }, named("Printer")),
        rule("others", Conditions { recipient: pattern("^oncall$"), ..any() }, named("Other")),
    ]
}

impl Way {
    pub(crate) fn new() -> Self {
        let parts = Parts {
            domains: vec!["sms.local".to_owned()],
            dial_plan: DialPlan::default(),
            allowed: vec![Prefix::new("+39").unwrap()],
            text_recipients: Vec::new(),
            rotas: Vec::new(),
            quiet: Vec::new(),
            aliases: vec![(TO.to_owned(), vec!["+393471234567".to_owned()])],
            rules: rules(),
            no_match: NoMatch::Send,
            defaults: Defaults {
                sender: Some(SenderId::new("Relay").unwrap()),
                wording: wording("body", 3).unwrap(),
                lifetime: Duration::from_secs(3600),
                delivering: Delivering::default(),
            },
            listeners: vec![KnownListener {
                name: "lan".to_owned(),
                door: Door::Smtp,
                networks: vec!["10.0.0.0/8".parse().unwrap()],
            }],
            accounts: Vec::new(),
        };
        Self {
            routing: parts.build().unwrap(),
            client: Client {
                door: Door::Smtp,
                listener: "lan".to_owned(),
                address: "10.0.0.7".parse().unwrap(),
                helo: Some("ups1".to_owned()),
                account: None,
            },
            reverse_path: ReversePath::Path(MailAddress::parse("ups1@example.com").unwrap()),
            recipient: MailAddress::parse("oncall@sms.local").unwrap(),
            time_zone: TimeZone::system(),
        }
    }

    /// From a mail that was read to what is known of it.
    pub(crate) fn with<T>(&self, mail: &Mail, octets: &[u8], go_on: impl FnOnce(&Known) -> T) -> T {
        let origin = Origin { client: &self.client, envelope_sender: Some(&self.reverse_path) };
        self.routing.check_sender(&origin).unwrap();
        let header_sender = mail.from.as_ref().map(|from| from.address.to_string());
        let reverse_path = origin.sender_text().unwrap_or_default();
        let facts = Facts {
            header_sender: header_sender.as_deref(),
            subject: mail.subject.as_deref().unwrap_or_default(),
            text: &mail.text,
            ..Facts::of(origin, jiff::Timestamp::UNIX_EPOCH)
        };
        let source = Source {
            subject: facts.subject,
            text: facts.text,
            text_with_links: mail.text_with_links.as_deref(),
            is_mail: true,
            from: header_sender.as_deref().unwrap_or(&reverse_path),
            from_name: mail.from.as_ref().and_then(|from| from.name.as_deref()).unwrap_or_default(),
            client: &self.client,
            headers: Headers::new(&octets[mail.header_section.clone()]),
            attachments: &mail.attachments,
            received_at: &Timestamp::now().to_zoned(self.time_zone.clone()),
        };
        let mut destinations = self.routing.resolve(&self.recipient, jiff::Timestamp::UNIX_EPOCH).unwrap();
        self.routing.check_reach(&origin, self.recipient.local(), &destinations).unwrap();
        go_on(&Known { routing: &self.routing, facts, source, destination: destinations.remove(0) })
    }

    /// The whole way.
    pub(crate) fn sms(&self, octets: &[u8]) -> Vec<Sms> {
        let mail = mail::read(octets);
        let id = SubmissionId::new(Timestamp::now());
        self.with(&mail, octets, |known| {
            let plan = known.decide();
            let distilled = plan.wording.distill(&known.source).text;
            let composed = plan.wording.compose(&known.source, &distilled, TO, &plan.groups);
            let texts = composed.texts.into_iter().zip(1..);
            let sms = |(text, number)| Sms {
                id: id.message(number),
                destination: known.destination.clone(),
                sender: plan.sender.clone(),
                text,
                options: plan.options.clone(),
            };
            texts.map(sms).collect()
        })
    }
}

impl Known<'_> {
    pub(crate) fn decide(&self) -> Plan {
        match self.routing.decide(&self.facts, TO, &self.destination).remove(0) {
            Decision::Send(plan) => plan,
            other @ (Decision::Drop { .. } | Decision::Refuse { .. }) => panic!("it is not sent: {other:?}"),
        }
    }

    /// The words before they are fitted.
    pub(crate) fn render(&self, plan: &Plan, distilled: &str) -> String {
        plan.wording.compose(&self.source, distilled, TO, &plan.groups).words
    }
}
