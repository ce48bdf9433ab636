//! The HTTP door over real sockets: raw TCP where the octets matter, and clients that nobody here
//! wrote (reqwest, curl) where they do not.

#![cfg(test)]

mod accounts;
mod api;
mod api_questions;
mod callbacks;
mod cancel;
mod curl;
mod forms;
mod health;
mod http2;
mod limits;
mod logins;
mod logs;
mod manual;
mod metrics;
mod other_gateways;
mod profiles;
mod proxies;
mod shapes;
mod shutdown;
mod status;
mod support;
mod tls;
mod wishes;
