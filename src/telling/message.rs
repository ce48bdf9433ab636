//! What a program is sent, and the signature by which it knows that it is from us.

use std::fmt::Write as _;

use jiff::Timestamp;
use ring::hmac;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::model::{Secret, State};
use crate::spool::Telling;

/// The header with the signature.
pub(super) const SIGNATURE: &str = "x-smsrelay-signature";

#[derive(Serialize)]
struct Body<'a> {
    id: String,
    to: &'a str,
    state: &'static str,
    status: String,
    reason: &'a str,
    price: Option<String>,
    parts: u32,
    ended_at: String,
    attempt: u32,
}

/// The JSON of a call: `id` of the SMS, `to` as the form named it, `state`, `status` (RFC 3463), `reason`
/// in words, `price` (a decimal as a text, or null where the platform said none), `parts`, `ended_at`
/// (RFC 3339) and `attempt`, which call about it this is.
pub(super) fn body(telling: &Telling) -> String {
    let body = Body {
        id: telling.id.to_string(),
        to: &telling.recipient,
        state: State::Final(telling.state).as_str(),
        status: telling.cause.status.to_string(),
        reason: &telling.cause.text,
        price: telling.price.map(|price| price.to_string()),
        parts: telling.sms.text.parts,
        ended_at: telling.ended_at.to_string(),
        attempt: telling.attempt,
    };
    // Texts and numbers only, which can always be written.
    serde_json::to_string(&body).unwrap_or_default()
}

/// `t=SECONDS,v1=HEX`: the UNIX time of the call, and the HMAC-SHA-256 (RFC 2104) of that number, a dot
/// and the body. A program that compares the time with its clock cannot be fooled by an old call.
pub(super) fn signature(secret: &Secret, now: Timestamp, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let seconds = now.as_second();
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    tag.as_ref().iter().fold(format!("t={seconds},v1="), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_other_programs() {
        // printf '1700000000.{"id":"a"}' | openssl dgst -sha256 -hmac 'shared secret'
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(
            signature(&Secret::from("shared secret"), now, r#"{"id":"a"}"#),
            "t=1700000000,v1=a6c34b8fa35ecac1d311b63b6ce233bf8ede4d9f159ee621806738040f68f3cf"
        );
    }
}
