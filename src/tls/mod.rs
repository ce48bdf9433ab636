//! What the doors need to speak TLS: certificates with their keys, authorities of clients, and what is told of a
//! certificate that ends.
//!
//! Everything is made from PEM octets when the configuration is read, so that whatever is wrong with them is told then
//! and not by the first client. Reading the files is left to the configuration, the handshakes to the doors.

mod clients;
mod expiry;
mod identity;

pub use clients::{Clients, subject};
pub use expiry::{Expiry, LOOKS};
pub use identity::{Fingerprint, Identity, IdentityError, Validity};
