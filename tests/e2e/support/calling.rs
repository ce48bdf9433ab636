//! The platform calls the relay back.

use serde_json::{Value, json};
use sms_relay::emulator::Settings;

use super::{Relay, World};

/// The secret behind the path of callbacks.
pub const SECRET: &str = "t0p-secret";

impl World {
    /// A world whose relay takes callbacks behind [`SECRET`], shows its metrics and asks the platform
    /// about nothing for a minute.
    pub fn calling(change: impl FnOnce(&mut Settings)) -> Self {
        let mut world = Self::with_platform(change);
        world.take_callbacks("secret = { env = \"CALLBACK_SECRET\" }");
        world.otherwise.push((
            "ask = { first = \"1s\", most = \"2s\" }",
            "ask = { first = \"60s\", most = \"60s\" }".to_owned(),
        ));
        world
    }

    /// The relay takes callbacks from whoever shows one of `guards`, lines of `[callbacks]`.
    pub fn take_callbacks(&mut self, guards: &str) {
        let listener = "allow_get = true\nmetrics = true\ncallbacks = true".to_owned();
        self.otherwise.push(("allow_get = true", listener));
        self.extra.push_str(&format!("\n[callbacks]\n{guards}\n"));
    }

    /// Starts the relay and tells the platform where to call.
    pub fn start_calling(&self) -> Relay {
        let relay = self.start_with(&[("CALLBACK_SECRET", SECRET), ("CALLBACK_PASSWORD", SECRET)]);
        self.emulator.call_back_to(&format!("http://{}/callbacks/{SECRET}", relay.http)).unwrap();
        relay
    }

    /// The platform calls back once; the status of the relay's answer.
    pub fn call_back(&self, callback: &Value) -> u16 {
        self.runtime.block_on(self.emulator.call_back(callback)).unwrap()
    }
}

/// A callback about a part of an SMS, in the universal shape.
pub fn callback(id: &str, code: i64, (part, parts): (u32, u32)) -> Value {
    json!({
        "channel": "SMS",
        "eventType": "DELIVERY",
        "messageId": id,
        "statusCode": code,
        "price": 0.035,
        "numPart": part,
        "totalParts": parts,
        "destination": "+393471234567",
        "description": "as the platform says",
        "eventDate": "2026-03-01T10:00:00Z",
    })
}
