//! The HTTP door over real sockets: raw TCP where the octets matter, and clients that nobody here
//! wrote (reqwest, curl) where they do not.

#![cfg(test)]

mod accounts;
mod callbacks;
mod cancel;
mod curl;
mod forms;
mod health;
mod limits;
mod logs;
mod metrics;
mod shapes;
mod shutdown;
mod status;
mod support;
mod wishes;
