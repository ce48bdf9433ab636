//! Two recipients of one mail often lead to one person, who needs the same words once.

use super::escalating::Escalating;
use crate::model::{Channel, Fate, HoldReason, Message, MessageId, Reason};

/// How the SMS of one recipient to one phone stand to earlier ones of the submission. Places are those
/// among the messages, one for each SMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// They say something else, or go for reasons of their own.
    Apart,
    /// These say it already.
    Behind(Vec<usize>),
    /// These say it too, and need not go any more.
    Before(Vec<usize>),
}

/// Compares `new`, all the SMS of one text, with those that were decided before. All of a text in several
/// SMS go or none: the pieces of two texts would not be told apart.
///
/// Of two the more urgent goes, and the earlier one where they are alike. One is left out only for
/// one that also reaches everybody whom it would have escalated to.
pub(super) fn beside(
    messages: &[Message],
    escalating: &[Escalating],
    new: &[Message],
    own: Option<&Escalating>,
) -> Beside {
    let said = |new: &Message| messages.iter().position(|earlier| says_the_same(earlier, new));
    let Some(firsts) = new.iter().map(said).collect::<Option<Vec<usize>>>() else { return Beside::Apart };
    let pairs = || firsts.iter().map(|&first| &messages[first]).zip(new);
    let theirs = |first: usize| escalating.iter().find(|one| one.is_for(first));
    let may_go_behind = pairs().all(|(earlier, new)| counts_for(earlier, new))
        && firsts.iter().all(|&first| reaches(theirs(first), own));
    let may_go_before = pairs()
        .all(|(earlier, new)| earlier.sms.options.simulation == new.sms.options.simulation)
        && firsts.iter().all(|&first| reaches(own, theirs(first)));
    let is_more_urgent = pairs().all(|(earlier, new)| new.delivery.lane < earlier.delivery.lane);
    let is_less_urgent = pairs().any(|(earlier, new)| new.delivery.lane > earlier.delivery.lane);
    if may_go_before && (is_more_urgent || !may_go_behind && !is_less_urgent) {
        Beside::Before(firsts)
    } else if may_go_behind && !is_more_urgent {
        Beside::Behind(firsts)
    } else {
        Beside::Apart
    }
}

/// Why the one is not sent whose words go as `other`.
pub(super) fn dropped(other: MessageId) -> Fate {
    let text = format!("{} {other}", Reason::SameAsAnother.words());
    Fate::Dropped(Reason::SameAsAnother.told(text))
}

/// Whether both bring the same words to the same phone at the same time.
fn says_the_same(earlier: &Message, new: &Message) -> bool {
    let (one, other) = (&earlier.sms, &new.sms);
    let is_sent = match earlier.fate {
        Fate::Due | Fate::Held { reason: HoldReason::Scheduled, .. } => true,
        Fate::Held { reason: HoldReason::Escalation, .. } | Fate::Refused(_) | Fate::Dropped(_) => false,
    };
    let has_sms =
        |message: &Message| message.delivery.ways.as_slice().iter().any(|way| way.channel() == Channel::Sms);
    is_sent
        && earlier.fate == new.fate
        && one.options.scheduled_at == other.options.scheduled_at
        && one.destination == other.destination
        && one.sender == other.sender
        && one.text == other.text
        && one.options.placeholders == other.options.placeholders
        // A template alone may say anything.
        && (earlier.delivery.ways == new.delivery.ways || has_sms(earlier) && has_sms(new))
}

/// Whether the phone gets by `sent` what `left_out` would have brought: one that is only simulated brings
/// nothing.
fn counts_for(sent: &Message, left_out: &Message) -> bool {
    !sent.sms.options.simulation || left_out.sms.options.simulation
}

fn reaches(sent: Option<&Escalating>, left_out: Option<&Escalating>) -> bool {
    left_out.is_none_or(|left_out| sent.is_some_and(|sent| sent.says_the_same(left_out)))
}
