//! What callbacks about the parts of a message come to; the same for every engine.

use crate::model::{Callback, Cause, FinalState, PartStatus, Reason};

/// Most parts that a message has. The header that joins them counts in one octet (3GPP TS 23.040
/// section 9.2.3.24.1).
pub(super) const MOST_PARTS: u32 = 255;

/// Most characters that are kept of a callback's words.
pub(super) const MOST_WORDS: usize = 200;

/// What is known of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Of how many.
    pub(super) parts: u32,
    /// What became of it.
    pub(super) status: PartStatus,
    /// The platform's words.
    pub(super) description: String,
}

/// Whether the part that a callback tells of can be: nothing is kept of one that cannot.
pub(super) fn is_possible(callback: &Callback) -> bool {
    (1..=MOST_PARTS).contains(&callback.part) && callback.parts <= MOST_PARTS
}

/// The words of a callback as they are kept: one line of at most [`MOST_WORDS`] characters.
pub(super) fn words(description: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = description.chars().take(MOST_WORDS).map(visible).collect();
    line.trim().to_owned()
}

/// How a message ends by what is known of its parts; `None` while that is open. One part that fails is
/// enough; a part that cannot be delivered says more than one that was given up.
pub(super) fn verdict(parts: &[Part]) -> Option<(FinalState, Cause)> {
    let of = |status| parts.iter().find(move |part| part.status == status);
    if let Some(part) = of(PartStatus::Undeliverable) {
        return Some((FinalState::Undelivered, Reason::Undeliverable.said(diagnostic(part))));
    }
    if let Some(part) = of(PartStatus::Expired) {
        return Some((FinalState::Expired, Reason::ExpiredAtPlatform.said(diagnostic(part))));
    }
    let delivered = parts.iter().filter(|part| part.status == PartStatus::Delivered).count();
    let all = parts.iter().map(|part| part.parts).max()?;
    (u32::try_from(delivered).is_ok_and(|delivered| delivered >= all))
        .then(|| (FinalState::Delivered, Reason::Delivered.cause()))
}

fn diagnostic(part: &Part) -> String {
    match part.description.as_str() {
        "" => format!("status {}", part.status.code()),
        words => format!("status {}: {words}", part.status.code()),
    }
}

/// A callback as a line of a timeline.
pub(super) fn note(callback: &Callback) -> String {
    let Callback { part, parts, status, .. } = callback;
    let what = match status {
        PartStatus::Delivered => "delivered (3)".to_owned(),
        PartStatus::Undeliverable => "undeliverable (6)".to_owned(),
        PartStatus::Expired => "expired (8)".to_owned(),
        PartStatus::Other(code) => format!("has status {code}"),
    };
    format!("callback: part {part} of {parts} {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{About, Channel};

    fn part(parts: u32, code: i64) -> Part {
        Part { parts, status: PartStatus::of_code(code), description: String::new() }
    }

    fn judge(parts: &[(u32, i64)]) -> Option<FinalState> {
        let parts: Vec<_> = parts.iter().map(|(of, code)| part(*of, *code)).collect();
        verdict(&parts).map(|(state, _)| state)
    }

    #[test]
    fn every_part_must_be_delivered_and_one_that_fails_is_enough() {
        use FinalState::{Delivered, Expired, Undelivered};
        for (parts, end) in [
            (vec![], None),
            (vec![(1, 3)], Some(Delivered)),
            (vec![(1, 2)], None),
            (vec![(2, 3)], None),
            (vec![(2, 3), (2, 1)], None),
            (vec![(2, 3), (2, 3)], Some(Delivered)),
            (vec![(1, 3), (2, 1)], None),
            (vec![(1, 3), (3, 3)], None),
            (vec![(2, 6)], Some(Undelivered)),
            (vec![(2, 8)], Some(Expired)),
            (vec![(2, 8), (2, 6)], Some(Undelivered)),
            (vec![(2, 3), (2, 8)], Some(Expired)),
        ] {
            assert_eq!(judge(&parts), end, "{parts:?}");
        }
    }

    #[test]
    fn a_failure_carries_the_words_of_the_part_that_failed() {
        let failed = Part { description: "Undeliverable".to_owned(), ..part(2, 6) };
        let (_, cause) = verdict(&[part(2, 3), failed]).unwrap();
        assert_eq!(cause, Reason::Undeliverable.said("status 6: Undeliverable"));
        assert_eq!(verdict(&[part(2, 8)]).unwrap().1, Reason::ExpiredAtPlatform.said("status 8"));
    }

    #[test]
    fn words_are_one_line_and_parts_fit_an_octet() {
        assert_eq!(words("a\r\nb\0"), "a  b");
        assert_eq!(words(&"ü".repeat(200)).chars().count(), 200);
        assert_eq!(words(&"ü".repeat(201)).chars().count(), 200);
        let callback = |part, parts| Callback {
            about: About::Theirs("x".to_owned()),
            channel: Channel::Sms,
            part,
            parts,
            status: PartStatus::Delivered,
            description: String::new(),
            price: None,
            at: None,
        };
        for (part, parts, is) in
            [(0, 1, false), (1, 1, true), (255, 255, true), (256, 255, false), (1, 256, false)]
        {
            assert_eq!(is_possible(&callback(part, parts)), is, "{part} of {parts}");
        }
        assert_eq!(note(&callback(1, 2)), "callback: part 1 of 2 delivered (3)");
        let other = Callback { status: PartStatus::Other(17), ..callback(2, 2) };
        assert_eq!(note(&other), "callback: part 2 of 2 has status 17");
    }
}
