//! A door with a submitter that remembers, and a client that writes octets as they are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use prometheus_client::registry::Registry;
use sms_relay::http::{
    Account, Behind, CallbackDoor, Callbacks, Figures, Forwarding, Handle, Limits, Listener, Login, Lookup,
    Proxies, Server, Settings, Submitter, Tls,
};
use sms_relay::intake::{
    AcceptedSms, Answer, AnswerSms, Form, Once as Told, Receipt, ReceivedRecipient, Refusal, RefusalKind,
};
use sms_relay::model::{
    About, Callback, Client, FinalState, MessageId, PhoneNumber, Secret, State, SubmissionId,
};
use sms_relay::profile::{Answers, Profile};
use sms_relay::spool::{RequestKey, SpoolError, SubmissionView, Taken};
use sms_relay::tls::Expiry;
use sms_relay::vigil::View;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Ends a test that hangs; nothing is measured with it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// Remembers forms and callbacks, and answers as it is told.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) forms: Mutex<Vec<(Client, Form)>>,
    pub(crate) refusal: Mutex<Option<Refusal>>,
    /// What was taken by a key.
    pub(crate) keyed: Mutex<Vec<(RequestKey, Answer)>>,
    pub(crate) not_ready: Mutex<Vec<String>>,
    pub(crate) watched: Mutex<View>,
    pub(crate) callbacks: Mutex<Vec<Callback>>,
    /// Callbacks that fail before one is taken again; counted down.
    pub(crate) failing: AtomicUsize,
    /// What is known, by id.
    pub(crate) known: Mutex<HashMap<SubmissionId, SubmissionView>>,
    pub(crate) cancelled: Mutex<Vec<(MessageId, Option<String>)>>,
    /// Whether the spool cannot be asked.
    pub(crate) is_down: AtomicBool,
    /// Makes `submit` wait for `go` after it has said `arrived`.
    pub(crate) waits: AtomicBool,
    pub(crate) arrived: Notify,
    pub(crate) go: Notify,
}

#[async_trait]
impl Submitter for Recorder {
    async fn submit(&self, client: &Client, form: Form) -> Result<Receipt, Refusal> {
        if self.waits.load(Ordering::SeqCst) {
            self.arrived.notify_one();
            self.go.notified().await;
        }
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let id: SubmissionId = ID.parse().unwrap();
        let mut messages = Vec::new();
        let mut recipients = Vec::new();
        for to in form.to.iter().chain(form.others.iter().flat_map(|other| &other.to)) {
            let outcome = match PhoneNumber::from_e164(to) {
                Ok(destination) => {
                    let ordinal = u32::try_from(messages.len()).unwrap() + 1;
                    let number = 296 + i64::from(ordinal);
                    messages.push(AcceptedSms { id: id.message(ordinal), number, destination, parts: 1 });
                    Ok(messages[messages.len() - 1..].to_vec())
                }
                Err(error) if form.partial => {
                    Err(Refusal { kind: RefusalKind::UnknownRecipient, text: error.to_string() })
                }
                Err(_) => Ok(Vec::new()),
            };
            recipients.push(ReceivedRecipient { to: to.clone(), outcome });
        }
        self.forms.lock().unwrap().push((client.clone(), form));
        Ok(Receipt { id, messages, recipients })
    }

    /// Refuses the texts `refused` and `too fast`.
    async fn submit_once(
        &self,
        client: &Client,
        form: Form,
        key: Option<RequestKey>,
    ) -> Result<Told, Refusal> {
        let of_name = |(known, _): &&(RequestKey, Answer)| {
            key.as_ref().is_some_and(|key| (&known.account, &known.key) == (&key.account, &key.key))
        };
        let known = self.keyed.lock().unwrap().clone();
        for (before, answer) in known.iter().filter(of_name) {
            if Some(&before.digest) != key.as_ref().map(|key| &key.digest) {
                return Ok(Told::Other);
            }
            if Some(before) == key.as_ref() {
                return Ok(Told::Taken(answer.clone()));
            }
        }
        let refused = |kind| Refusal { kind, text: "not this one".to_owned() };
        match form.text.as_str() {
            "refused" => return Err(refused(RefusalKind::NotAllowed)),
            "too fast" => {
                return Err(refused(RefusalKind::TooFast { retry_after: Duration::from_millis(6500) }));
            }
            _ => {}
        }
        let receipt = self.submit(client, form.clone()).await?;
        let sms = |(message, to): (AcceptedSms, &String)| AnswerSms {
            id: message.id.to_string(),
            to: to.clone(),
            phone: message.destination.to_string(),
            parts: message.parts,
            state: "due".to_owned(),
        };
        let messages = receipt.messages.into_iter().zip(&form.to).map(sms).collect();
        let answer = Answer { id: receipt.id.to_string(), messages };
        if let Some(key) = key {
            self.keyed.lock().unwrap().push((key, answer.clone()));
        }
        Ok(Told::Taken(answer))
    }

    async fn ready(&self) -> Vec<String> {
        self.not_ready.lock().unwrap().clone()
    }

    fn watched(&self) -> Arc<View> {
        Arc::new(self.watched.lock().unwrap().clone())
    }
}

#[async_trait]
impl Callbacks for Recorder {
    async fn take(&self, callback: Callback) -> Result<Taken, SpoolError> {
        if self.waits.load(Ordering::SeqCst) {
            self.arrived.notify_one();
            self.go.notified().await;
        }
        if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(SpoolError::Unavailable("disk full".to_owned()));
        }
        let taken = match &callback.about {
            About::Ours(id) => Taken::New { id: *id, state: State::Sent, gateway: None },
            About::Theirs(_) => Taken::UnknownId,
        };
        self.callbacks.lock().unwrap().push(callback);
        Ok(taken)
    }
}

#[async_trait]
impl Lookup for Recorder {
    async fn look(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SpoolError::Unavailable("disk full".to_owned()));
        }
        Ok(self.known.lock().unwrap().get(&id).cloned())
    }

    async fn message_by_number(&self, number: i64) -> Result<Option<MessageId>, SpoolError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SpoolError::Unavailable("disk full".to_owned()));
        }
        let known = self.known.lock().unwrap();
        let mut messages = known.values().flat_map(|view| &view.messages);
        Ok(messages.find(|message| message.number == number).map(|message| message.sms.id))
    }

    async fn cancel(&self, id: MessageId, by: &Client) -> Result<bool, SpoolError> {
        let mut known = self.known.lock().unwrap();
        let view = known.get_mut(&id.submission).unwrap();
        let message = view.messages.iter_mut().find(|message| message.sms.id == id).unwrap();
        // Claimed between the look and now.
        if message.rule == "slips away" {
            message.state = State::Claimed;
            return Ok(false);
        }
        message.state = State::Final(FinalState::Cancelled);
        self.cancelled.lock().unwrap().push((id, by.account.clone()));
        Ok(true)
    }
}

thread_local! {
    /// The log of this thread: a test and its server run on one.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ToThread;

impl io::Write for ToThread {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(octets));
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything logged on this thread since the last call, at any level, without times.
pub(crate) fn log_lines() -> Vec<String> {
    let octets = LOG.take();
    String::from_utf8(octets).unwrap().lines().map(|line| line.trim_start().to_owned()).collect()
}

/// Keeps the log of each thread from now on.
pub(crate) fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        subscriber.without_time().with_ansi(false).with_writer(|| ToThread).init();
    });
}

/// `/sms` as the configuration makes it.
pub(crate) fn sms(allow_get: bool) -> Arc<Profile> {
    Arc::new(sms_relay::config::sms(allow_get).unwrap_or_else(|problems| panic!("{problems}")))
}

/// A running door.
pub(crate) struct Door {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) accounts: Arc<ArcSwap<Vec<Account>>>,
    pub(crate) callback_door: Arc<ArcSwap<Option<CallbackDoor>>>,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) handle: Handle,
    pub(crate) running: JoinHandle<()>,
}

pub(crate) fn limits() -> Limits {
    Limits {
        body_octets: 1000,
        connections: 50,
        connections_per_client: 50,
        header_time: Duration::from_secs(10),
        request_time: Duration::from_secs(10),
        auth_failures: 10,
        auth_window: Duration::from_secs(600),
    }
}

/// An account of the loopback networks.
pub(crate) fn account(name: &str, credential: Option<(&str, &str)>) -> Account {
    Account {
        name: name.to_owned(),
        networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        login: credential
            .map(|(username, password)| Login::with_password(username.to_owned(), Secret::from(password))),
        profiles: None,
        may_choose_sender: false,
        may_choose_lane: false,
        may_see_all: false,
        accepted: Answers::default(),
        program: None,
    }
}

impl Door {
    /// A door that takes forms from anybody here: `posts`, `gets` with GET and metrics, and `calls` with callbacks.
    /// Who connects to `gets` is a proxy that writes X-Forwarded-For, and to `calls` one that writes Forwarded.
    pub(crate) async fn open() -> Self {
        Self::with(limits(), vec![account("lab", None)]).await
    }

    pub(crate) async fn with(limits: Limits, accounts: Vec<Account>) -> Self {
        Self::counting(limits, accounts, Registry::default()).await
    }

    pub(crate) async fn counting(limits: Limits, accounts: Vec<Account>, registry: Registry) -> Self {
        Self::opened(limits, accounts, registry, Vec::new(), None).await
    }

    /// A door whose `posts` speaks these APIs of other gateways, too.
    pub(crate) async fn speaking(profiles: Vec<Arc<Profile>>, accounts: Vec<Account>) -> Self {
        Self::speaking_within(limits(), profiles, accounts).await
    }

    pub(crate) async fn speaking_within(
        limits: Limits,
        profiles: Vec<Arc<Profile>>,
        accounts: Vec<Account>,
    ) -> Self {
        Self::opened(limits, accounts, Registry::default(), profiles, None).await
    }

    /// With a fourth listener, `secured`, if there is something to secure it.
    pub(crate) async fn serving(
        limits: Limits,
        accounts: Vec<Account>,
        registry: Registry,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        Self::opened(limits, accounts, registry, Vec::new(), tls).await
    }

    async fn opened(
        limits: Limits,
        accounts: Vec<Account>,
        mut registry: Registry,
        profiles: Vec<Arc<Profile>>,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        keep_log();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusting = |header| Some(Proxies { networks: vec!["127.0.0.1/32".parse().unwrap()], header });
        let listener = |name: &str, allow_get| Listener {
            name: name.to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            allow_get,
            metrics: allow_get,
            callbacks: name == "calls",
            sms: sms(allow_get),
            profiles: if name == "posts" { profiles.clone() } else { Vec::new() },
            api: name == "posts",
            proxies: match name {
                "gets" => trusting(Forwarding::XForwardedFor),
                "calls" => trusting(Forwarding::Forwarded),
                _ => None,
            },
            tls: None,
        };
        let mut listeners = vec![listener("posts", false), listener("gets", true), listener("calls", false)];
        if tls.is_some() {
            listeners.push(Listener { tls, ..listener("secured", false) });
        }
        let settings = Settings { listeners, limits };
        let expiry = Expiry::new();
        expiry.register(registry.sub_registry_with_prefix("sms_relay_http"));
        let recorder = Arc::new(Recorder::default());
        let accounts = Arc::new(ArcSwap::from_pointee(accounts));
        let callback_door = Arc::new(ArcSwap::from_pointee(None));
        let figures = Figures::new();
        figures.register(&mut registry);
        let behind =
            Behind { submitter: recorder.clone(), lookup: recorder.clone(), callbacks: recorder.clone() };
        let (known, door) = (accounts.clone(), callback_door.clone());
        let server = Server::bind(settings, known, door, behind, figures, Arc::new(registry)).await.unwrap();
        let server = server.showing(expiry);
        let handle = server.handle();
        let addresses = server.local_addresses().into_iter().map(|(_, address)| address).collect();
        let (shutdown, asked) = watch::channel(false);
        let running = tokio::spawn(server.run(asked));
        Self { addresses, recorder, accounts, callback_door, shutdown, handle, running }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses[0])
    }

    pub(crate) fn get_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses[1])
    }

    /// What was submitted, without the client.
    pub(crate) fn forms(&self) -> Vec<Form> {
        self.recorder.forms.lock().unwrap().iter().map(|(_, form)| form.clone()).collect()
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.addresses[0]).await.unwrap())
    }

    /// Opens a connection to the listener that allows GET.
    pub(crate) async fn connect_to_gets(&self) -> Raw {
        Raw(TcpStream::connect(self.addresses[1]).await.unwrap())
    }

    /// Sends octets to the listener that takes callbacks and reads until the server closes the connection.
    pub(crate) async fn call(&self, octets: impl AsRef<[u8]>) -> String {
        let mut raw = Raw(TcpStream::connect(self.addresses[2]).await.unwrap());
        raw.send(octets).await;
        raw.rest().await
    }

    /// Sends octets on a new connection and reads until the server closes it.
    pub(crate) async fn exchange(&self, octets: impl AsRef<[u8]>) -> String {
        let mut raw = self.connect().await;
        raw.send(octets).await;
        raw.rest().await
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn close(self) {
        self.shutdown.send(true).unwrap();
        timeout(PATIENCE, self.running).await.expect("the server ends").unwrap();
    }
}

/// A connection whose octets the test writes itself.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        timeout(PATIENCE, self.0.write_all(octets.as_ref())).await.expect("room to write").unwrap();
    }

    /// Everything until the server closes; a reset counts as its end.
    pub(crate) async fn rest(&mut self) -> String {
        let mut octets = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut octets)).await.expect("the server closes");
        String::from_utf8(octets).unwrap()
    }

    /// Everything up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut octets = Vec::new();
        while !octets.ends_with(end.as_bytes()) {
            let octet = timeout(PATIENCE, self.0.read_u8()).await.expect("an answer");
            octets.push(
                octet.unwrap_or_else(|_| panic!("closed after {:?}", String::from_utf8_lossy(&octets))),
            );
        }
        String::from_utf8(octets).unwrap()
    }
}

/// A response without its `date`.
pub(crate) fn undated(response: &str) -> String {
    response.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn form(to: &[&str], text: &str) -> Form {
    Form { to: to.iter().map(ToString::to_string).collect(), text: text.to_owned(), ..Form::default() }
}

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
