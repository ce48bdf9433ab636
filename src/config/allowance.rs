//! What one account may do: the keys that accounts of both doors have in common.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;

use super::reader::{Reader, Section, Value};
use super::values;
use crate::model::{Door, SenderId};
use crate::routing::{Allowance, Prefix, SenderPattern};

/// Most messages a minute that can be told from no limit; the time of each is kept.
const MAX_MESSAGES: u64 = 100_000;
/// Most parts a day that can be told from no limit.
const MAX_PARTS: u64 = 1_000_000_000;

/// An account's allowance, and where its prefixes and its `reports_to` stand.
pub(super) struct Written {
    pub(super) allowance: Allowance,
    /// Whether it may choose who an SMS is from; always by mail not.
    pub(super) may_choose_sender: bool,
    places: Vec<Range<usize>>,
    pub(super) reports_to: Option<Range<usize>>,
}

/// Reads the keys of an account of `door`: `allowed`, `messages_per_minute`, `parts_per_day`, for SMTP
/// `senders`, and for HTTP `may_choose_sender` and `reports_to`.
pub(super) fn allowance(section: &Section, door: Door) -> Written {
    let (senders, choice) = match door {
        Door::Smtp => (section.optional("senders", some(sender)), Choice::None),
        Door::Http | Door::Relay => (None, section.or("may_choose_sender", Choice::None, choice)),
    };
    let reports_to = match door {
        Door::Smtp => None,
        Door::Http | Door::Relay => section.optional("reports_to", values::address),
    };
    let placed = |value: &Value| values::prefix(value).map(|prefix| (prefix, value.span()));
    let destinations = section.optional("allowed", some(placed));
    let (destinations, places) = match destinations {
        Some(destinations) => {
            let (prefixes, places) = destinations.into_iter().unzip();
            (Some(prefixes), places)
        }
        None => (None, Vec::new()),
    };
    let may_choose_sender = choice != Choice::None;
    let sender_ids = match choice {
        Choice::None | Choice::Any => None,
        Choice::OneOf(senders) => Some(senders),
    };
    let allowance = Allowance {
        senders,
        sender_ids,
        destinations,
        messages_per_minute: section.optional("messages_per_minute", number(MAX_MESSAGES)),
        parts_per_day: section.optional("parts_per_day", number(MAX_PARTS)),
        reports_to,
    };
    let reports_to = section.has("reports_to").then(|| section.place("reports_to")).flatten();
    Written { allowance, may_choose_sender, places, reports_to }
}

/// Which senders of an SMS a client may choose.
#[derive(PartialEq, Eq)]
enum Choice {
    None,
    Any,
    OneOf(Vec<SenderId>),
}

fn choice(value: &Value) -> Option<Choice> {
    if value.items().is_some() {
        return match values::list(values::sender)(value)? {
            empty if empty.is_empty() => {
                value.fail("`may_choose_sender` is empty; name senders, or write false".to_owned())
            }
            senders => Some(Choice::OneOf(senders)),
        };
    }
    match value.item.get_ref().as_bool() {
        Some(true) => Some(Choice::Any),
        Some(false) => Some(Choice::None),
        None => value.wrong_type("true, false or a list of senders in brackets"),
    }
}

/// The allowances as the routing takes them. Warns of prefixes that `allowed`, what everybody may reach,
/// leaves nothing of; where that is empty, there is a warning already.
pub(super) fn narrowed(
    reader: &Reader,
    written: &BTreeMap<String, Written>,
    allowed: &[Prefix],
) -> BTreeMap<String, Allowance> {
    for (name, Written { allowance, places, .. }) in written.iter().filter(|_| !allowed.is_empty()) {
        for (prefix, place) in allowance.destinations.iter().flatten().zip(places) {
            if !allowed.iter().any(|one| one.overlaps(prefix)) {
                let text = format!(
                    "`{prefix}` can never be reached by account `{name}`: `allowed` in [routing] does not cover it; \
                     add it there or remove it here"
                );
                reader.warning(Some(place.clone()), text);
            }
        }
    }
    written.iter().map(|(name, written)| (name.clone(), written.allowance.clone())).collect()
}

/// A list with at least one item.
fn some<T>(read: impl Fn(&Value) -> Option<T>) -> impl Fn(&Value) -> Option<Vec<T>> {
    move |value| match values::list(&read)(value)? {
        empty if empty.is_empty() => value.fail(format!(
            "`{}` is empty, so the account may send nothing; leave it out where it is not limited",
            value.name
        )),
        items => Some(items),
    }
}

fn number(most: u64) -> impl Fn(&Value) -> Option<NonZeroU32> {
    move |value| {
        let number = values::count(1..=most)(value)?;
        u32::try_from(number).ok().and_then(NonZeroU32::new)
    }
}

fn sender(value: &Value) -> Option<SenderPattern> {
    let written = values::text(value)?;
    SenderPattern::new(&written).map_err(|error| value.error(error.to_string())).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What stands in a section of an account, and every problem.
    fn read(written: &str, door: Door) -> (Allowance, String) {
        let reader = Reader::new(Path::new("FILE"), written);
        let document = reader.parse().unwrap();
        let section = Section::top(&reader, document.get_ref());
        let allowance = allowance(&section, door).allowance;
        drop(section);
        (allowance, reader.problems().to_string())
    }

    #[test]
    fn each_key_reaches_the_allowance() {
        let written = "senders = [\"ups@example.com\", \"@example.com\", \"<>\"]\nallowed = [\"+39\", \"+41\"]\n\
            messages_per_minute = 100_000\nparts_per_day = 1_000_000_000\n";
        let (allowance, problems) = read(written, Door::Smtp);
        assert_eq!(problems, "");
        let senders: Vec<String> = allowance.senders.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(senders, ["ups@example.com", "@example.com", "<>"]);
        let destinations: Vec<String> =
            allowance.destinations.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(destinations, ["+39", "+41"]);
        assert_eq!(allowance.messages_per_minute.map(NonZeroU32::get), Some(100_000));
        assert_eq!(allowance.parts_per_day.map(NonZeroU32::get), Some(1_000_000_000));
        assert_eq!(read("", Door::Smtp), (Allowance::default(), String::new()));
    }

    #[test]
    fn a_form_post_has_no_sender_to_be_limited() {
        let (allowance, problems) = read("senders = [\"<>\"]", Door::Http);
        assert_eq!(allowance, Allowance::default());
        assert!(problems.contains("unknown key `senders`"), "{problems}");
        let (allowance, problems) = read("reports_to = \"it@example.com\"", Door::Http);
        assert_eq!(problems, "");
        assert_eq!(allowance.reports_to.unwrap().to_string(), "it@example.com");
        let (_, problems) = read("reports_to = \"it@example.com\"", Door::Smtp);
        assert!(problems.contains("unknown key `reports_to`"), "{problems}");
    }

    #[test]
    fn who_may_choose_a_sender_may_be_held_to_some() {
        let chosen = |written: &str| {
            let (allowance, problems) = read(written, Door::Http);
            let one = |sender: &SenderId| sender.as_str().to_owned();
            let senders: Option<Vec<String>> =
                allowance.sender_ids.map(|senders| senders.iter().map(one).collect());
            (senders, problems)
        };
        let some = Some(vec!["Shop".to_owned(), "+393471234567".to_owned()]);
        assert_eq!(chosen("may_choose_sender = [\"Shop\", \"+393471234567\"]"), (some, String::new()));
        for any in ["", "may_choose_sender = true", "may_choose_sender = false"] {
            assert_eq!(chosen(any), (None, String::new()), "{any}");
        }
        for (written, problem) in [
            ("may_choose_sender = []", "`may_choose_sender` is empty; name senders, or write false"),
            ("may_choose_sender = [\"Much-too-long\"]", "Much-too-long"),
            ("may_choose_sender = \"Shop\"", "true, false or a list of senders in brackets"),
        ] {
            let (senders, problems) = chosen(written);
            assert_eq!(senders, None, "{written}");
            assert!(problems.contains(problem), "{problems}");
        }
    }

    #[test]
    fn wrong_senders_are_told_with_their_place() {
        let (allowance, problems) = read("senders = [\"@example.com\", \"ups\"]", Door::Smtp);
        assert_eq!(allowance.senders, None);
        assert!(
            problems.starts_with("FILE:1:28: error: `ups` is not a sender; write an address"),
            "{problems}"
        );
        let (_, problems) = read("senders = []", Door::Smtp);
        assert!(problems.contains("`senders` is empty, so the account may send nothing"), "{problems}");
    }
}
