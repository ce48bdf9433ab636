//! What is to become of a mail, as its sender would reckon it who knows the configuration by heart.

use super::appliances::{Arrival, Kind};
use super::people;
use super::setting::Setting;

/// The rule that takes a mail, by how its subject begins.
const RULES: [(&str, &str); 8] = [
    ("Fire alarm", "fire"),
    ("Nightly report", "nightly"),
    ("Self-test passed", "alive"),
    ("Newsletter", "newsletters"),
    ("Unwanted", "unwanted"),
    ("Access control", "doors"),
    ("Printer", "printers"),
    ("Certificate", "certificates"),
];

/// An SMS, or a row that says why there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) rule: &'static str,
    pub(super) phone: String,
    /// When it takes the place of the others; nothing for those.
    pub(super) escalates_at: Option<i64>,
}

/// The rule that takes a mail with this subject, and does not go on.
pub(super) fn rule(subject: &str) -> &'static str {
    RULES.iter().find(|(begins, _)| subject.starts_with(begins)).map_or("everything", |(_, rule)| rule)
}

/// Whether SMS of this kind by this rule neither fold nor wait for limits: what is critical, and one-time passwords. A
/// copy of something critical is none itself.
pub(super) fn is_exempt(kind: Kind, rule: &str) -> bool {
    kind == Kind::Password || rule == "fire"
}

/// Every row, none twice, in their order.
pub(super) fn wanted(arrival: &Arrival, setting: &Setting) -> Vec<Wanted> {
    let rule = rule(&arrival.subject);
    let direct = |rule, phone| Wanted { rule, phone, escalates_at: None };
    let called = people::phones(&arrival.to, arrival.at, setting);
    let mut all: Vec<Wanted> = called.iter().map(|phone| direct(rule, phone.clone())).collect();
    let others = |name| people::phones(name, arrival.at, setting);
    match rule {
        "fire" if setting.fans_out => {
            all.extend(others("boss").into_iter().map(|phone| direct("boss", phone)))
        }
        "certificates" if setting.fans_out => {
            all.extend(others("facility").into_iter().map(|phone| direct(rule, phone)));
        }
        _ => {}
    }
    if let (Some(after), "fire" | "certificates") = (setting.escalates, rule) {
        // Fires wait for nobody who sleeps, and neither does what takes their place.
        let awake =
            |phone: &str, at| if rule == "fire" { at } else { people::awake_from(phone, at, setting) };
        let begins = awake(&called[0], arrival.at);
        all.extend(others("chief").into_iter().map(|phone| {
            let at = awake(&phone, begins + after);
            Wanted { rule, phone, escalates_at: Some(at) }
        }));
    }
    all.sort();
    all.dedup();
    all
}
