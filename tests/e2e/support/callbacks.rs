//! The platform's callbacks: a relay that takes them, and a platform that is told where.

use serde_json::{Value, json};
use sms_relay::emulator::Channel;
use socket2::{Domain, Socket, Type};

use super::{Relay, World};

/// Behind the path of the callbacks.
const SECRET: &str = "callback-secret";

/// What the platform says of its own accord about a part of an SMS.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// Of which SMS of its submission.
    pub ordinal: u32,
    /// By which channel it was accepted.
    pub channel: Channel,
    pub part: u32,
    pub parts: u32,
    /// 3 is delivered, 6 undeliverable, 8 expired.
    pub code: i64,
}

impl World {
    /// Has the relay take callbacks.
    pub fn expect_callbacks(&mut self) {
        self.otherwise.push(("allow_get = true", "allow_get = true\ncallbacks = true".to_owned()));
        super::certificates::write(self.directory.path(), "callback.secret", SECRET);
        self.extra.push_str("[callbacks]\nsecret = { file = \"callback.secret\" }\n\n");
    }

    /// Has the relay's door for forms and callbacks at one port in all its lives, so that the platform repeats
    /// itself to the next one. The port is kept for it as long as the socket is there.
    #[must_use]
    pub fn keep_http_port(&mut self) -> Socket {
        let door = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        door.set_reuse_address(true).unwrap();
        door.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = door.local_addr().unwrap().as_socket().unwrap();
        let kept = format!("name = \"forms\"\nbind = \"{address}\"");
        self.otherwise.push(("name = \"forms\"\nbind = \"127.0.0.1:0\"", kept));
        door
    }

    /// Tells the platform where the relay is.
    pub fn call_back_to(&self, relay: &Relay) {
        self.emulator.call_back_to(&format!("http://{}/callbacks/{SECRET}", relay.http)).unwrap();
    }

    /// The platform says this of the last SMS that it accepted with this ordinal, once: the answer's status code,
    /// or `None` where there is no answer.
    pub fn say(&self, said: Said) -> Option<u16> {
        let Said { ordinal, channel, part, parts, code } = said;
        let accepted = self.emulator.accepted();
        let end = format!("-{ordinal}");
        let sms = accepted.iter().rev().find(|sms| sms.channel == channel && sms.message_id.ends_with(&end));
        let sms = sms.unwrap_or_else(|| panic!("nothing of {said:?} was accepted: {accepted:#?}"));
        let body: Value = json!({
            "channel": channel.as_str(),
            "eventType": "DELIVERY",
            "messageId": sms.told_id(),
            "destination": sms.destination,
            "statusCode": code,
            "description": "as ordered",
            "price": 0.035,
            "numPart": part,
            "totalParts": parts,
            "eventDate": "2026-01-31T08:00:00Z",
        });
        self.runtime.block_on(self.emulator.call_back(&body)).ok()
    }
}
