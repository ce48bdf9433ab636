//! The smarthost's place: a small SMTP server that keeps what it gets and can be told to misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use super::PATIENCE;

/// What it does with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Accept,
    /// 550 at RCPT.
    RefuseRecipient,
    /// 550 at RCPT for everybody but this address.
    AcceptOnly(&'static str),
    /// 550 at RCPT for this address.
    RefuseOnly(&'static str),
    /// 451 at the final dot.
    Later,
    /// Keeps the mail and breaks the connection instead of answering.
    AcceptAndBreak,
}

impl Behaviour {
    fn refuses(self, rcpt: &str) -> bool {
        match self {
            Self::RefuseRecipient => true,
            Self::AcceptOnly(address) => !rcpt.contains(&format!("<{address}>")),
            Self::RefuseOnly(address) => rcpt.contains(&format!("<{address}>")),
            Self::Accept | Self::Later | Self::AcceptAndBreak => false,
        }
    }
}

/// One mail as it came.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub mail_from: String,
    pub rcpt_to: Vec<String>,
    pub text: String,
}

pub struct Mailbox {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<(Behaviour, Vec<Arrived>)>,
    changed: Condvar,
}

impl Mailbox {
    pub fn open() -> Self {
        let (mailbox, door) = Self::closed();
        mailbox.listen(door);
        mailbox
    }

    /// A mailbox that is away: its port is taken, and every connection is refused until it listens.
    pub fn closed() -> (Self, Socket) {
        let door = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        door.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = door.local_addr().unwrap().as_socket().unwrap();
        let shared =
            Arc::new(Shared { state: Mutex::new((Behaviour::Accept, Vec::new())), changed: Condvar::new() });
        (Self { address, shared }, door)
    }

    /// Opens the door of one that was closed.
    pub fn listen(&self, door: Socket) {
        door.listen(64).unwrap();
        let listener = TcpListener::from(door);
        let server = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let session = Arc::clone(&server);
                std::thread::spawn(move || session.serve(stream));
            }
        });
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.state.lock().unwrap().0 = behaviour;
    }

    pub fn mails(&self) -> Vec<Arrived> {
        self.shared.state.lock().unwrap().1.clone()
    }

    /// Waits until `count` mails have come and returns them all.
    pub fn wait_for(&self, count: usize) -> Vec<Arrived> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state.lock().unwrap();
        while state.1.len() < count {
            let left = deadline.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("{} of {count} mails have come", state.1.len()));
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        state.1.clone()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut write = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let mut say = move |reply: &str| write.write_all(format!("{reply}\r\n").as_bytes()).is_ok();
        let (mut mail_from, mut rcpt_to) = (String::new(), Vec::new());
        say("220 mailbox.test");
        while let Some(line) = lines.next() {
            let behaviour = self.state.lock().unwrap().0;
            let verb = line.to_ascii_uppercase();
            let said = if verb.starts_with("EHLO") {
                say("250-mailbox.test\r\n250-8BITMIME\r\n250 SMTPUTF8")
            } else if verb.starts_with("MAIL") {
                (mail_from, rcpt_to) = (line, Vec::new());
                say("250 ok")
            } else if verb.starts_with("RCPT") && behaviour.refuses(&line) {
                say("550 5.1.1 nobody of that name")
            } else if verb.starts_with("RCPT") {
                rcpt_to.push(line);
                say("250 ok")
            } else if verb == "DATA" {
                say("354 go on");
                let mut text = String::new();
                for line in lines.by_ref().take_while(|line| line != ".") {
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push('\n');
                }
                if behaviour == Behaviour::Later {
                    say("451 4.3.0 not now")
                } else {
                    let (mail_from, rcpt_to) = (mail_from.clone(), rcpt_to.clone());
                    self.state.lock().unwrap().1.push(Arrived { mail_from, rcpt_to, text });
                    self.changed.notify_all();
                    behaviour != Behaviour::AcceptAndBreak && say("250 kept")
                }
            } else if verb == "QUIT" {
                say("221 bye");
                return;
            } else {
                say("250 ok")
            };
            if !said {
                return;
            }
        }
    }
}
