//! A relay with a door for each way of speaking, and an account: what clients with TLS and a password
//! need.

use std::net::SocketAddr;
use std::path::Path;

use super::certificates::{Authority, write};
use super::{Relay, World, run_fed};

/// How a door of [`World::with_doors`] speaks, which is its name in the configuration too.
pub const PLAIN: &str = "plain";
pub const STARTTLS: &str = "starttls";
pub const IMPLICIT: &str = "implicit";
pub const DOORS: [&str; 3] = [PLAIN, STARTTLS, IMPLICIT];

/// The account. Its password has what must be quoted here and there.
pub const USERNAME: &str = "ups";
pub const PASSWORD: &str = "Akku=leer+7%";

/// Another account with the same password, of which the relay has a hash only, so that CRAM-MD5 cannot
/// work for it.
pub const HASHED: &str = "printer";

impl World {
    /// A world whose relay has the doors [`DOORS`] with `auth` at each, in the clear too.
    pub fn with_doors(auth: &str) -> Self {
        let mut world = Self::new();
        let here = world.directory.path().to_owned();
        certificates(&here);
        let relay = env!("CARGO_BIN_EXE_sms-relay");
        let (code, hash) = run_fed(relay, &["hash-password"], &format!("{PASSWORD}\n"));
        assert_eq!(code, Some(0), "{hash}");
        write(&here, "ups.hash", &hash);
        write(&here, "ups.secret", PASSWORD);
        for (name, tls) in [(PLAIN, "off"), (STARTTLS, "starttls"), (IMPLICIT, "implicit")] {
            world.extra.push_str(&format!(
                r#"
[[smtp.listener]]
name = "{name}"
bind = "127.0.0.1:0"
tls = "{tls}"
auth = "{auth}"
auth_without_tls = true
"#
            ));
        }
        world.extra.push_str(&format!(
            r#"
[smtp]
certificate = "relay.pem"
key = "relay.key"

[[smtp.account]]
name = "ups"
username = "{USERNAME}"
password = {{ file = "ups.hash" }}
cram_md5 = {{ file = "ups.secret" }}

[[smtp.account]]
name = "printer"
username = "{HASHED}"
password = {{ file = "ups.hash" }}
"#
        ));
        world
    }

    /// The file of the authority that a client has to trust.
    pub fn authority(&self) -> String {
        self.directory.path().join("authority.pem").to_str().unwrap().to_owned()
    }

    /// The file of an authority that has nothing to do with the relay.
    pub fn stranger(&self) -> String {
        self.directory.path().join("stranger.pem").to_str().unwrap().to_owned()
    }
}

impl Relay {
    /// Where a listener of this name listens.
    pub fn door(&self, listener: &str) -> SocketAddr {
        let line = self.find_log(|line| line["message"] == "listening" && line["listener"] == listener);
        line.unwrap()["address"].as_str().unwrap().parse().unwrap()
    }
}

/// An authority, a certificate of it for this machine with its key, and another authority.
fn certificates(directory: &Path) {
    let authority = Authority::new("Authority of the tests");
    authority.issue(1).write(directory, "relay");
    write(directory, "authority.pem", &authority.pem);
    write(directory, "stranger.pem", &Authority::new("Stranger").pem);
}
