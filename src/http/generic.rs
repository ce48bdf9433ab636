//! How `/sms` reads its fields: under every name that devices in the field use.

use std::sync::LazyLock;

use crate::profile::{Meaning, Names, Reading};

const NAMES: [(Meaning, &[&str]); 10] = [
    (Meaning::To, &["to", "number", "phone", "phone_number", "phones", "num", "dst", "recipient"]),
    (Meaning::Text, &["text", "message", "msg", "body", "content"]),
    (Meaning::From, &["from", "sender"]),
    (Meaning::DeliverAt, &["deliver_at", "scheduledDate", "schedule", "send_at"]),
    (Meaning::Lane, &["lane"]),
    (Meaning::CallbackUrl, &["callback_url"]),
    (Meaning::Username, &["username", "user", "login"]),
    (Meaning::Password, &["password", "pass"]),
    (Meaning::ApiKey, &["api_key"]),
    (Meaning::Charset, &["_charset_"]),
];

/// The reading of `/sms`.
pub(super) static GENERIC: LazyLock<Reading> = LazyLock::new(|| {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let names = NAMES.into_iter().map(|(meaning, names)| (meaning, owned(names)));
    Reading { names: Names::new(names), ..Reading::default() }
});
