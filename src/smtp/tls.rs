//! Certificates and keys of the listeners.

/// A certificate chain with its key.
#[derive(Debug)]
pub struct Identity;
