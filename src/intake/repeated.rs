//! Two recipients of one mail often lead to one person, who needs the same words once.

use crate::model::{Channel, Fate, HoldReason, Message};

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
/// Of two the more urgent goes; where they are alike in that, the one whose failure is reported, and else the earlier
/// one. Whoever wants to know of a failure never stands behind one whose failure is told to nobody: rather both go.
/// Whom either escalates to makes no difference: what takes the place of the one that is left out goes by the fate of
/// the other.
pub(super) fn beside(messages: &[Message], new: &[Message]) -> Beside {
    let said = |new: &Message| messages.iter().position(|earlier| says_the_same(earlier, new));
    let Some(firsts) = new.iter().map(said).collect::<Option<Vec<usize>>>() else { return Beside::Apart };
    let pairs = || firsts.iter().map(|&first| &messages[first]).zip(new);
    let may_go_behind = pairs().all(|(earlier, new)| counts_for(earlier, new) && tells_for(earlier, new));
    let may_go_before = pairs().all(|(earlier, new)| {
        earlier.sms.options.simulation == new.sms.options.simulation && tells_for(new, earlier)
    });
    let is_more_urgent = pairs().all(|(earlier, new)| new.delivery.lane < earlier.delivery.lane);
    let is_as_urgent = pairs().all(|(earlier, new)| new.delivery.lane == earlier.delivery.lane);
    if may_go_before && (is_more_urgent || is_as_urgent && !may_go_behind) {
        Beside::Before(firsts)
    } else if may_go_behind && !is_more_urgent {
        Beside::Behind(firsts)
    } else {
        Beside::Apart
    }
}

/// Whether both bring the same words to the same phone at the same time.
fn says_the_same(earlier: &Message, new: &Message) -> bool {
    let (one, other) = (&earlier.sms, &new.sms);
    let is_sent = match earlier.fate {
        Fate::Due
        | Fate::Held { reason: HoldReason::Scheduled | HoldReason::Quiet | HoldReason::Budget, .. } => true,
        Fate::Held { reason: HoldReason::Escalation | HoldReason::Summary, .. }
        | Fate::Refused(_)
        | Fate::Dropped(_)
        | Fate::SameAs(_) => false,
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

/// Whether a failure of `sent` is told where one of `left_out` would be (RFC 3461 section 4.1).
fn tells_for(sent: &Message, left_out: &Message) -> bool {
    sent.recipient.notify.wants_failure() >= left_out.recipient.notify.wants_failure()
}
