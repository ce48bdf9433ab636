//! One HTTP request, by hand: a relay that ends in the middle of it shows as no answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;

/// A request of the account `pbx`, with JSON where it has a body. The status code and the JSON of the answer, or
/// `None` where there is no whole one.
pub fn request(relay: SocketAddr, line: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\nX-Api-Key: swordfish\r\n\
         Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(relay).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    // An answer that was cut is none.
    Some((code, serde_json::from_str(body).ok()?))
}
