//! The HTTP door over real sockets: raw TCP where the octets matter, and clients that nobody here
//! wrote (reqwest, curl) where they do not.

#![cfg(test)]

mod accounts;
mod api;
mod api_document;
mod api_questions;
mod appliances;
mod callbacks;
mod cancel;
mod contract;
mod curl;
mod forms;
mod health;
mod http2;
mod limits;
mod logins;
mod logs;
mod manual;
mod metrics;
mod now;
mod other_gateways;
mod probes;
mod profiles;
mod proxies;
mod raw_lines;
mod shapes;
mod shutdown;
mod smuggling;
mod status;
mod support;
mod tls;
mod tolerance;
mod webhooks;
mod webhooks_manual;
mod wishes;
