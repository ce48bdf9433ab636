//! The platform on loopback, for demo, tests and operators who try a configuration.
