//! What a test hands in and asks over the relay's own doors, without a program in between.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::{PATIENCE, Relay, Smtp};

/// Between two looks at what only the relay's answer shows.
const LOOK: Duration = Duration::from_millis(30);

impl Relay {
    /// Hands in a mail of `text` from `ups@example.com`. Its id.
    pub fn mail(&self, to: &str, text: &str) -> String {
        self.mail_with("", to, text)
    }

    /// The same with header fields, each ended by CRLF.
    pub fn mail_with(&self, fields: &str, to: &str, text: &str) -> String {
        let mail = format!("From: ups@example.com\r\n{fields}\r\n{text}");
        let reply = Smtp::connect(self.smtp).unwrap().mail("ups@example.com", to, &mail);
        Smtp::queued(&reply.unwrap())
    }

    /// Posts a form as the account `pbx`. Its id.
    pub fn post(&self, fields: &[(&str, &str)]) -> String {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let (status, body) = self.ask(Method::POST, "/sms", |request| {
            request.header("Content-Type", "application/x-www-form-urlencoded").body(form)
        });
        assert_eq!(status, 200, "{body}");
        json(&body)["id"].as_str().unwrap().to_owned()
    }

    /// Status and body of an answer to the account `pbx`, as JSON where there is a choice.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.ask(Method::GET, path, |request| request)
    }

    /// The same for DELETE.
    pub fn delete(&self, path: &str) -> (u16, String) {
        self.ask(Method::DELETE, path, |request| request)
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        add: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> (u16, String) {
        // Needed before a client is made, and done once for the process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}{path}", self.http);
        block_on(async {
            let request = Client::new().request(method, url).basic_auth("pbx", Some("swordfish"));
            let answer = add(request.header("Accept", "application/json")).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    /// What `GET /sms/ID` tells of a form.
    pub fn fate(&self, id: &str) -> Value {
        let (status, body) = self.get(&format!("/sms/{id}"));
        assert_eq!(status, 200, "{body}");
        json(&body)
    }

    /// The same once its only SMS is in this state.
    pub fn fate_when(&self, id: &str, state: &str) -> Value {
        self.look_until(|| {
            let fate = self.fate(id);
            (fate["messages"][0]["state"] == state).then(|| fate.clone()).ok_or(fate)
        })
    }

    /// The value of a series of `/metrics`, written with its labels; none where it is not there.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    /// Waits until a series has this value.
    pub fn wait_for_metric(&self, series: &str, value: f64) {
        self.look_until(|| match self.metric(series) {
            Some(found) if found == value => Ok(()),
            found => Err(format!("{series} is {found:?} and not {value}")),
        });
    }

    /// Looks again and again until there is something to see, at most for [`PATIENCE`].
    pub fn look_until<T, E: std::fmt::Display>(&self, mut look: impl FnMut() -> Result<T, E>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match look() {
                Ok(seen) => return seen,
                Err(instead) if Instant::now() >= deadline => {
                    let lines: Vec<String> = self.log().iter().map(ToString::to_string).collect();
                    panic!("{instead:#}\n{}", lines.join("\n"));
                }
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }

    /// Lets it read its configuration again, and waits until it has.
    pub fn reload(&self) {
        let seen = self.log().len();
        self.signal(rustix::process::Signal::HUP);
        self.wait_for_next(seen, "reloaded: rules, aliases and credentials");
    }
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
