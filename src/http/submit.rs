//! What the log says of a form, by whichever API it came. The API is named where it is not the relay's own `/sms`.

use tracing::{info, warn};

use super::profiled::Failure;
use crate::model::{Client, Masked};

/// Of one that is on disk.
pub(super) fn accepted(client: &Client, profile: Option<&str>, id: &str, messages: usize) {
    info!(
        %id,
        account = client.account.as_deref(),
        client = %client.address,
        listener = client.listener,
        messages,
        profile,
        "form accepted"
    );
}

/// Of one, or of another request to its API, that was answered with this status; so many lines were left out before
/// this one.
pub(super) fn refused(
    client: &Client,
    profile: Option<&str>,
    is_form: bool,
    failure: &Failure,
    status: u16,
    left_out: Option<u64>,
) {
    info!(
        status,
        reason = %Masked(&failure.reason),
        note = failure.note,
        account = client.account.as_deref(),
        client = %client.address,
        listener = client.listener,
        left_out,
        profile,
        // For the API of another gateway the status may be no more than a frame.
        outcome = profile.map(|_| failure.outcome.as_str()),
        "{} refused",
        if is_form { "form" } else { "request of another gateway's API" }
    );
}

/// Of one whose fate is not known.
pub(super) fn unanswered(client: &Client, profile: Option<&str>) {
    warn!(
        account = client.account.as_deref(),
        client = %client.address,
        listener = client.listener,
        profile,
        "form not stored in time; the connection is closed without an answer, and the client may send it again"
    );
}
