//! Who is told together: the keys of folds. One summary goes by the gateways, and is paid by the budgets, of all that it
//! tells of, so that nobody waits for what holds back somebody else.

use serde_json::json;

use super::passage::Candidate;
use crate::model::{Digest, Limit, Similar};
use crate::storm::similar;

/// What SMS have in common that one summary tells of.
#[derive(Clone, Copy)]
pub(super) enum Common<'a> {
    /// They say nearly the same.
    Similar(&'a Similar),
    /// They are gathered as often.
    Digest(&'a Digest),
    /// They found no room in the limits of their phone, or in that of this source.
    Overflow(Option<&'a Limit>),
}

/// The key of the fold that gathers what has `common` with `candidate`, and is paid and sent as that. It is the same after a
/// restart, and for a summary of such SMS as for these.
pub(super) fn key(candidate: &Candidate<'_>, common: Common<'_>) -> String {
    let Candidate { sms, passage, lane, gateways, on_unknown, .. } = candidate;
    let gathered = match common {
        Common::Similar(similar) => similar.key.clone(),
        Common::Digest(digest) => format!("{} {}", digest.key, digest.every.as_millis()),
        Common::Overflow(source) => {
            let name = source.map_or("", |limit| limit.key.as_str());
            format!("{} {} {name}", sms.destination, lane.as_str())
        }
    };
    let mut budgets: Vec<&str> = passage.budgets.iter().map(|charge| charge.key.as_str()).collect();
    budgets.sort_unstable();
    let way = json!([budgets, gateways, on_unknown.as_str(), lane.as_str()]).to_string();
    let way = similar::key("way", "", &way);
    // What may wake somebody waits for no summary that may not.
    let quiet = if passage.quiet.is_empty() { "" } else { " quiet" };
    candidate.key(&format!("{gathered} {way}{quiet}"))
}
