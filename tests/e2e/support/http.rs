//! Questions to the relay's HTTP door, one connection each.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::{PATIENCE, Relay};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    pub body: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// One request and its answer. `headers` are whole lines.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Answered {
    answer(TcpStream::connect(address).unwrap(), (method, path), headers, body)
}

/// The same by a client with an address of its own, one of loopback.
pub fn ask_from(
    source: Ipv4Addr,
    address: SocketAddr,
    request: (&str, &str),
    headers: &[&str],
    body: &str,
) -> Answered {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source.into(), 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    answer(TcpStream::from(socket), request, headers, body)
}

fn answer(mut stream: TcpStream, (method, path): (&str, &str), headers: &[&str], body: &str) -> Answered {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n");
    headers.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
    Answered { status, body: body.to_owned() }
}

impl Relay {
    /// A request of the account that the usual configuration has.
    pub fn as_pbx(&self, method: &str, path: &str, body: &str) -> Answered {
        let headers = ["X-Api-Key: swordfish", "Content-Type: application/json"];
        ask(self.http, method, path, &headers, body)
    }

    /// Posts a form; the id of the submission.
    pub fn send_form(&self, to: &str, text: &str) -> String {
        let form = serde_json::json!({ "to": to, "text": text });
        let answered = self.as_pbx("POST", "/sms", &form.to_string());
        assert_eq!(answered.status, 200, "{}", answered.body);
        answered.json()["id"].as_str().unwrap().to_owned()
    }

    /// The value of a series of `/metrics`, where the configuration has it; 0 where it is not there.
    pub fn counted(&self, series: &str) -> u64 {
        let metrics = ask(self.http, "GET", "/metrics", &[], "").body;
        let begin = format!("{series} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&begin));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until the log says of an SMS that it came into this state: by a callback or by an answer.
    pub fn wait_for_state(&self, sms: &str, state: &str) {
        self.wait_for_log(&format!("{sms} is {state}"), |line| {
            line["id"] == sms && line["state"].as_str().is_some_and(|said| said.eq_ignore_ascii_case(state))
        });
    }
}
