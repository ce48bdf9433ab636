//! What two SMTP packages do with bytes that real and hostile clients send. `observe.py` drives it.
//!
//! `server`: mailin-embedded on a free port of 127.0.0.1; prints the port, then one line for each
//! message. A recipient named `refuse` is refused after DATA, one named `panic` panics in the handler.
//!
//! `parse`: smtp-proto reads standard input, which is cut into commands by smtp-proto itself;
//! prints what it made of each.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::process::ExitCode;

use mailin_embedded::{Handler, Response, Server, response};
use smtp_proto::request::receiver::RequestReceiver;

#[derive(Clone, Default)]
struct Seen {
    to: Vec<String>,
    body: Vec<u8>,
}

impl Handler for Seen {
    fn data_start(&mut self, _domain: &str, _from: &str, _is8bit: bool, to: &[String]) -> Response {
        self.to = to.to_vec();
        self.body.clear();
        response::OK
    }

    fn data(&mut self, octets: &[u8]) -> io::Result<()> {
        self.body.extend_from_slice(octets);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let named = |name: &str| self.to.iter().any(|to| to.starts_with(name));
        println!(
            "message of {} octets: {:?}",
            self.body.len(),
            String::from_utf8_lossy(&self.body[..self.body.len().min(60)])
        );
        let _ = io::stdout().flush();
        assert!(!named("panic"), "the handler panics");
        if named("refuse") { response::NO_MAILBOX } else { response::OK }
    }
}

fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    let mut server = Server::new(Seen::default());
    server.with_name("observed.example").with_tcp_listener(listener);
    server.serve().map_err(|error| io::Error::other(error.to_string()))
}

fn parse() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let mut octets = input.iter();
    let mut receiver = RequestReceiver::default();
    while !octets.as_slice().is_empty() {
        println!("{:?}", receiver.ingest(&mut octets));
    }
    Ok(())
}

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("server") => serve(),
        Some("parse") => parse(),
        _ => Err(io::Error::other("usage: smtp-session-observed server|parse")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
