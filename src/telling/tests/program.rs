//! A program that is told: it remembers what it got, octet by octet, and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How one call is answered.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Status(u16),
    /// 503 with this `Retry-After`.
    Busy(String),
    /// 302 to this address.
    Elsewhere(String),
    /// Never.
    Silence,
    /// 200, and a body without end.
    Endless,
    /// The connection is closed.
    Closed,
}

/// What came.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) head: String,
    pub(super) body: String,
}

impl Got {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }
}

pub(super) struct Program {
    pub(super) address: SocketAddr,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    usual: Answer,
    got: watch::Sender<Vec<Got>>,
    /// Octets of endless answers.
    written: Mutex<usize>,
}

impl Program {
    /// Listens on `host`; gives `answers` in their order, and `usual` ever after.
    pub(super) async fn listen(host: &str, answers: Vec<Answer>, usual: Answer) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Shared {
            answers: Mutex::new(answers.into()),
            usual,
            got: watch::Sender::new(Vec::new()),
            written: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/done?shop=1", self.address)
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.state.got.borrow().clone()
    }

    /// Waits until so many calls have come.
    pub(super) async fn until(&self, calls: usize) {
        self.state.got.subscribe().wait_for(|got| got.len() >= calls).await.unwrap();
    }

    pub(super) fn written(&self) -> usize {
        *self.state.written.lock().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some(got) = read(&mut stream).await {
        let answer = shared.answers.lock().unwrap().pop_front().unwrap_or_else(|| shared.usual.clone());
        shared.got.send_modify(|all| all.push(got));
        let reply = match answer {
            Answer::Status(status) => format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nhi"),
            Answer::Busy(pause) => {
                format!("HTTP/1.1 503 X\r\nRetry-After: {pause}\r\nContent-Length: 0\r\n\r\n")
            }
            Answer::Elsewhere(location) => {
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
            }
            Answer::Silence => {
                // Until the caller gives up.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Answer::Endless => {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {
                    *shared.written.lock().unwrap() += 4096;
                }
                return;
            }
            Answer::Closed => return,
        };
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Got> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Got { head, body: String::from_utf8(body).unwrap() })
}
