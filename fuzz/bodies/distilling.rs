//! Texts without what nobody needs.
//!
//! The first line turns the steps on by their letters; what stands behind a blank in it is one more
//! disclaimer. The rest is the text.

use std::sync::LazyLock;

use sms_relay::pattern::Pattern;
use sms_relay::wording::{Distilled, Distilling, Removed, Step};

use super::options;

/// Most characters of one piece that are told.
const PIECE: usize = 200;
/// Most octets of a disclaimer in the first line: the text counts, not the patterns.
const PATTERN: usize = 100;
/// The mark that ends a text.
const END_MARK: &str = "$$";

/// An ordinary one, and one that also finds nothing everywhere.
static DISCLAIMERS: LazyLock<[Pattern; 2]> = LazyLock::new(|| {
    ["(?s)this e-?mail is confidential.*", "x*"].map(|source| Pattern::new(source).expect("a pattern"))
});

/// Each step's letter.
const LETTERS: [(char, Step); 7] = [
    ('a', Step::AddressedLines),
    ('e', Step::EndMark),
    ('q', Step::Quotes),
    ('s', Step::Signature),
    ('d', Step::Disclaimers),
    ('t', Step::TrackingLinks),
    ('b', Step::BlankSpace),
];

/// A text stays one: not blank, not longer, nothing made up. What is told as removed was there and is there
/// no more; nothing told means nothing done; only steps that are on are told, in their order. Without any step
/// nothing happens, and blank space is gone after once.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let (line, text) = options::split(input);
    let on: Vec<Step> =
        LETTERS.iter().filter(|(letter, _)| line.contains(*letter)).map(|(_, step)| *step).collect();
    let own = line.split_once(' ').map(|(_, pattern)| pattern).filter(|pattern| pattern.len() <= PATTERN);
    let all = distilling(&on, own);
    let distilled = all.distill(&text);
    check_result(&text, &distilled, &on);
    assert_eq!(distilled, all.distill(&text), "the same again");
    for step in &on {
        // What one step by itself removes stood in the text as it is told.
        let alone = distilling(&[*step], own).distill(&text);
        check_result(&text, &alone, &[*step]);
        // One disclaimer may go from among the words of another.
        let at_once = alone.removed.iter().filter(|removed| removed.step != Step::Disclaimers);
        for line in at_once.flat_map(pieces) {
            assert!(text.contains(line.trim()), "{step:?} removed {line:?}, which was not there");
        }
    }
    let none = distilling(&[], None).distill(&text);
    assert_eq!(none, Distilled::whole(&text), "with every step off");
    check_blank_space(&distilled.text, &on);
}

/// What was removed as it stood in the text: lines, and destinations, which are told with commas between them.
fn pieces(removed: &Removed) -> impl Iterator<Item = &str> {
    let destinations = removed.step == Step::AddressedLines;
    removed.words.split(move |c| c == '\n' || destinations && c == ',')
}

fn distilling(on: &[Step], own: Option<&str>) -> Distilling {
    let has = |step| on.contains(&step);
    let mut disclaimers = Vec::new();
    if has(Step::Disclaimers) {
        disclaimers.extend_from_slice(&*DISCLAIMERS);
        disclaimers.extend(own.and_then(|source| Pattern::new(source).ok()));
    }
    Distilling {
        link_targets: false,
        addressed_lines: has(Step::AddressedLines),
        end_mark: has(Step::EndMark).then(|| END_MARK.to_owned()),
        quotes: has(Step::Quotes),
        signature: has(Step::Signature),
        disclaimers,
        tracking_links: has(Step::TrackingLinks),
        blank_space: has(Step::BlankSpace),
    }
}

fn check_result(text: &str, distilled: &Distilled<'_>, on: &[Step]) {
    let Distilled { text: left, removed } = distilled;
    assert!(left.len() <= text.len(), "{} octets became {}", text.len(), left.len());
    assert_eq!(left.trim().is_empty(), text.trim().is_empty(), "blank: {left:?}");
    assert!(is_within(left, text), "{left:?} has what was not there");
    if removed.is_empty() {
        assert_eq!(left, text, "nothing is told as removed");
    } else {
        assert_ne!(left, text, "something is told as removed: {removed:?}");
    }
    let mut order = on.iter();
    let mut current = None;
    for piece in removed {
        if current != Some(piece.step) {
            assert!(order.any(|step| *step == piece.step), "{:?} is off or out of order", piece.step);
            current = Some(piece.step);
        }
        match piece.step {
            Step::BlankSpace => assert_eq!(piece.words, "", "blank space has no words"),
            Step::AddressedLines
            | Step::EndMark
            | Step::Quotes
            | Step::Signature
            | Step::Disclaimers
            | Step::TrackingLinks => {
                let whole: String = pieces(piece).collect();
                assert!(is_within(&whole, text), "{:?} was not there", piece.words);
                assert!(piece.words.chars().count() <= PIECE, "{} is too long", piece.words);
            }
        }
    }
}

/// Whether all characters of `some` but white space are in `all`, in the same order.
fn is_within(some: &str, all: &str) -> bool {
    let mut left = all.chars();
    some.chars().filter(|c| !c.is_whitespace()).all(|wanted| left.any(|c| c == wanted))
}

/// With blank space as the last step no run of blanks and no blank line is left, and a second time changes nothing.
fn check_blank_space(left: &str, on: &[Step]) {
    // Rules alone are nothing, and a step that would leave nothing is passed over.
    if !on.contains(&Step::BlankSpace) || !left.contains(char::is_alphanumeric) {
        return;
    }
    for line in left.split('\n') {
        assert!(!line.trim().is_empty(), "a blank line in {left:?}");
        assert!(!line.contains("  ") && !line.contains("\t\t"), "a run of blanks in {line:?}");
    }
    let again = distilling(&[Step::BlankSpace], None).distill(left);
    assert_eq!(again, Distilled::whole(left), "blank space, once more");
}
