//! An HTTP API of another gateway, or the webhook of a monitoring system, as data: its paths, its parameters, its
//! answers to the octet.
//!
//! Appliances have one gateway's API burnt in. A [`Profile`] describes such an API, and one engine in the
//! HTTP door speaks all of them: it finds the [`Endpoint`] of a request, reads its fields by
//! [`Reading`], and answers what came of it, an [`Outcome`], by [`Answers`]. Built-in profiles and those of
//! the operator are the same kind of data.
//!
//! Nothing here knows HTTP's types, the configuration's or the clock's.

mod answers;
mod outcome;
mod reading;
mod template;
mod webhook;

use std::sync::Arc;

pub use answers::{Answer, Answers, Reply};
pub use outcome::Outcome;
pub use reading::{BodyKind, CallbackStyle, Meaning, Names, Reading, Separators, TimeForm, UnaskedSender};
pub use template::{Body, BodyError, MessageWords, RecipientWords, Words};
pub use webhook::{DEFAULT_MOST, Rendered, RenderedText, Unusable, Webhook, WebhookError, WebhookParts};

/// An API.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in the configuration and in logs.
    pub name: String,
    /// Of those at one path, the one with the most parameters that fit serves a request; else the first.
    pub endpoints: Vec<Endpoint>,
}

/// One thing that an API does.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What it does.
    pub action: Action,
    /// How it is called.
    pub methods: Methods,
    /// Where: whole paths, compared octet by octet after percent-decoding.
    pub paths: Vec<String>,
    /// Parameters that tell it from others at the same path: they must be there with this value.
    pub with: Vec<(String, String)>,
    /// What its fields are called and how they are read.
    pub reading: Reading,
    /// How it answers.
    pub answers: Answers,
}

/// What an endpoint does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Takes a text for one or more phones.
    Send,
    /// Gives a session for a user name and a password.
    Login,
    /// Tells what became of an SMS.
    Status,
    /// Takes texts for phones out of any JSON.
    Webhook(Arc<Webhook>),
}

/// Which methods an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods {
    /// GET; credentials and text are in the URL then, and may end up in other people's logs.
    pub get: bool,
    /// POST.
    pub post: bool,
}

impl Methods {
    /// As `Allow` says it (RFC 9110 section 10.2.1).
    pub fn allow(self) -> &'static str {
        match (self.get, self.post) {
            (true, true) => "GET, POST",
            (true, false) => "GET",
            (false, true) => "POST",
            (false, false) => "",
        }
    }
}

impl Methods {
    /// Whether there is a method that both take.
    pub fn overlap(self, other: Self) -> bool {
        self.get && other.get || self.post && other.post
    }
}

impl Profile {
    /// Whether anything of it is at `path`.
    pub fn is_at(&self, path: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.is_at(path))
    }
}

impl Endpoint {
    /// Whether it is at `path`.
    pub fn is_at(&self, path: &str) -> bool {
        self.paths.iter().any(|own| own == path)
    }

    /// Whether a request to its path is meant for it; `parameter` tells the first one of each name.
    pub fn is_meant(&self, parameter: impl Fn(&str) -> Option<String>) -> bool {
        self.agreement(parameter) == self.with.len()
    }

    /// How many of its parameters a request has.
    pub fn agreement(&self, parameter: impl Fn(&str) -> Option<String>) -> usize {
        self.with.iter().filter(|(name, value)| parameter(name).as_ref() == Some(value)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(action: Action, path: &str, with: &[(&str, &str)]) -> Endpoint {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Endpoint {
            action,
            methods: Methods { get: true, post: true },
            paths: vec![path.to_owned()],
            with: with.iter().map(owned).collect(),
            reading: Reading::default(),
            answers: Answers::default(),
        }
    }

    #[test]
    fn an_endpoint_is_told_by_its_path_and_its_parameters() {
        let send = endpoint(Action::Send, "/index.php", &[("app", "ws"), ("op", "pv")]);
        let is_meant = |parameters: &[(&str, &str)]| {
            send.is_meant(|wanted| {
                let found = parameters.iter().find(|(name, _)| *name == wanted);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(is_meant(&[("op", "pv"), ("app", "ws"), ("u", "a")]));
        assert!(!is_meant(&[("app", "ws"), ("op", "ds")]));
        assert!(!is_meant(&[("app", "ws")]));
        assert!(!is_meant(&[("app", "ws"), ("op", "")]));
        assert!(endpoint(Action::Send, "/", &[]).is_meant(|_| None));
        assert!(send.is_at("/index.php") && !send.is_at("/index.php/") && !send.is_at("/"));
        let profile = Profile { name: "playsms".to_owned(), endpoints: vec![send] };
        assert!(profile.is_at("/index.php") && !profile.is_at("/"));
    }

    #[test]
    fn methods_overlap_where_both_take_one() {
        let [get, post, both] = [(true, false), (false, true), (true, true)];
        for (one, other, overlap) in
            [(get, post, false), (get, get, true), (post, both, true), (both, get, true), (post, get, false)]
        {
            let methods = |(get, post)| Methods { get, post };
            assert_eq!(methods(one).overlap(methods(other)), overlap);
        }
    }

    #[test]
    fn methods_are_named_as_in_allow() {
        let table = [((true, true), "GET, POST"), ((true, false), "GET"), ((false, true), "POST")];
        for ((get, post), allow) in table {
            assert_eq!(Methods { get, post }.allow(), allow);
        }
    }
}
