//! What a request asks of the APIs at its path: which endpoint, and by which fields.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::http::{HeaderMap, Method};

use super::find::Candidate;
use super::outcomes::Failure;
use crate::http::body::{BodyError, Format, in_headers};
use crate::http::fields::Fields;
use crate::profile::{Action, BodyKind, Endpoint, Outcome};

/// A request without its socket.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Asked<'a> {
    /// Its headers.
    pub(in crate::http) headers: &'a HeaderMap,
    /// Its query.
    pub(in crate::http) query: Option<&'a str>,
    /// Its body; `None` for a GET, whose body is not looked at.
    pub(in crate::http) octets: Option<&'a [u8]>,
}

/// Those of `at` that take this method.
pub(in crate::http) fn able<'a>(at: &[Candidate<'a>], method: &Method) -> Vec<Candidate<'a>> {
    let takes = |candidate: &&Candidate<'a>| match *method {
        Method::GET => candidate.endpoint.methods.get,
        Method::POST => candidate.endpoint.methods.post,
        _ => false,
    };
    at.iter().filter(takes).copied().collect()
}

/// That none of those at `candidate`'s path takes the method.
pub(in crate::http) fn no_method(candidate: Candidate<'_>) -> Failure {
    let allow = candidate.endpoint.methods.allow();
    Failure::new(Outcome::Method, format!("this method is not taken here; use {allow}"))
}

/// The first of `able` whose parameters the request has, and its fields as that one reads them; else the one that
/// answers it, which is `likely` where nothing else is known.
///
/// # Errors
/// Where a body cannot be read by one that might be meant, why; else [`Outcome::UnknownAction`].
pub(in crate::http) async fn meant<'a>(
    able: &[Candidate<'a>],
    likely: Candidate<'a>,
    asked: Asked<'_>,
) -> Result<(Candidate<'a>, Fields), (Candidate<'a>, Failure)> {
    let mut unreadable = None;
    let mut nearest: Option<(usize, Candidate<'a>)> = None;
    for candidate in able {
        match fields(candidate, asked).await {
            Ok(fields) => {
                let parameter = |name: &str| fields.parameter(name);
                if candidate.endpoint.is_meant(parameter) {
                    return Ok((*candidate, fields));
                }
                let near = candidate.endpoint.agreement(parameter);
                if nearest.is_none_or(|(most, _)| near > most) {
                    nearest = Some((near, *candidate));
                }
            }
            Err(error) => unreadable = unreadable.or(Some((*candidate, error))),
        }
    }
    match unreadable {
        Some((candidate, error)) => Err((candidate, error.into())),
        None => {
            let nearest = nearest.map_or(likely, |(_, candidate)| candidate);
            Err((nearest, Failure::new(Outcome::UnknownAction, wanted(able, nearest))))
        }
    }
}

/// What the parameters must be for one of `able` that are of the same API as `nearest`.
fn wanted(able: &[Candidate<'_>], nearest: Candidate<'_>) -> String {
    let own = able.iter().filter(|candidate| std::ptr::eq(candidate.profile, nearest.profile));
    let mut wishes: Vec<String> = Vec::new();
    for candidate in own {
        let pairs = candidate.endpoint.with.iter().map(|(name, value)| format!("`{name}={value}`"));
        wishes.push(pairs.collect::<Vec<_>>().join(" and "));
    }
    wishes.dedup();
    format!("nothing here does what is asked; send {}", wishes.join(", or "))
}

/// Whether any of them could read a body with these headers; one that none can is not waited for.
///
/// # Errors
/// Why the first cannot.
pub(in crate::http) fn readable(able: &[Candidate<'_>], headers: &HeaderMap) -> Result<(), BodyError> {
    let mut unreadable = Ok(());
    for candidate in able {
        let known =
            if is_webhook(candidate.endpoint) { BodyKind::Json } else { candidate.endpoint.reading.body };
        match Format::declared(headers, known) {
            Ok(_) => return Ok(()),
            Err(error) => unreadable = unreadable.and(Err(error)),
        }
    }
    unreadable
}

/// Whether it makes SMS of any JSON. Such a body has no fields.
pub(super) fn is_webhook(endpoint: &Endpoint) -> bool {
    matches!(endpoint.action, Action::Webhook(_))
}

async fn fields(candidate: &Candidate<'_>, asked: Asked<'_>) -> Result<Fields, BodyError> {
    let reading = &candidate.endpoint.reading;
    let mut fields = in_headers(asked.headers, reading)?;
    match asked.octets.filter(|_| !is_webhook(candidate.endpoint)) {
        Some(octets) => {
            let format = Format::declared(asked.headers, reading.body)?;
            format.fields(fields, asked.query, octets.to_vec(), reading).await
        }
        None => {
            fields.add_form(asked.query.unwrap_or_default().as_bytes())?;
            fields.settle(None, reading)?;
            Ok(fields)
        }
    }
}

/// The end of a future that waits for nothing outside of itself, as reading a body that is there already.
pub(in crate::http) fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(end) = future.as_mut().poll(&mut context) {
            return end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::find::at;
    use super::*;
    use crate::profile::{Action, Answers, BodyKind, Endpoint, Methods, Profile, Reading};

    fn endpoint(post_only: bool, with: &[(&str, &str)], reading: Reading) -> Endpoint {
        Endpoint {
            action: Action::Send,
            methods: Methods { get: !post_only, post: true },
            paths: vec!["/".to_owned()],
            with: with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            reading,
            answers: Answers::default(),
        }
    }

    fn profiles() -> Vec<Arc<Profile>> {
        let form = || Reading { body: BodyKind::Form, ..Reading::default() };
        let json = Reading { body: BodyKind::Json, ..Reading::default() };
        let op = |op| [("app", "ws"), ("op", op)];
        vec![
            Arc::new(Profile {
                name: "ws".to_owned(),
                endpoints: vec![endpoint(false, &op("pv"), form()), endpoint(false, &op("ds"), form())],
            }),
            Arc::new(Profile {
                name: "other".to_owned(),
                endpoints: vec![endpoint(true, &[("do", "x")], json)],
            }),
        ]
    }

    /// The profile and the value of its last parameter, or how it is refused.
    fn read(method: Method, query: &str, body: Option<&[u8]>) -> (String, String) {
        let profiles = profiles();
        let all = at(&profiles, "/");
        let able = able(&all, &method);
        let asked = Asked { headers: &HeaderMap::new(), query: Some(query), octets: body };
        match at_once(meant(&able, all[0], asked)) {
            Ok((candidate, _)) => {
                (candidate.profile.name.clone(), candidate.endpoint.with.last().unwrap().1.clone())
            }
            Err((candidate, failure)) => {
                (candidate.profile.name.clone(), format!("{:?} {}", failure.outcome, failure.reason))
            }
        }
    }

    fn told(profile: &str, said: &str) -> (String, String) {
        (profile.to_owned(), said.to_owned())
    }

    #[test]
    fn the_one_whose_parameters_are_there_is_meant_wherever_they_are() {
        assert_eq!(read(Method::GET, "app=ws&op=ds", None), told("ws", "ds"));
        assert_eq!(read(Method::GET, "APP=ws&Op=pv", None), told("ws", "pv"));
        assert_eq!(read(Method::POST, "app=ws", Some(b"op=ds")), told("ws", "ds"));
        assert_eq!(read(Method::POST, "app=ws", Some(b"op=zz")).0, "other", "no JSON: it might be that one");
        assert_eq!(read(Method::POST, "", Some(b"{\"do\":\"x\"}")), told("other", "x"));
        assert_eq!(read(Method::POST, "app=ws&op=ds", Some(b"{}")), told("ws", "ds"));
    }

    #[test]
    fn what_nobody_does_is_answered_by_the_nearest() {
        let unknown = "UnknownAction nothing here does what is asked; send `app=ws` and `op=pv`, or `app=ws` and `op=ds`";
        assert_eq!(read(Method::GET, "app=ws&op=zz", None), told("ws", unknown));
        assert_eq!(read(Method::GET, "", None), told("ws", unknown));
        assert_eq!(read(Method::GET, "op=ds", None), told("ws", unknown));
        let other = "UnknownAction nothing here does what is asked; send `do=x`";
        let body = b"{\"do\":\"y\"}";
        assert_eq!(read(Method::POST, "", Some(body)), told("ws", unknown), "the first of those as near");
        let profiles = &profiles()[1..];
        let all = at(profiles, "/");
        let asked = Asked { headers: &HeaderMap::new(), query: None, octets: Some(body) };
        let (_, failure) = at_once(meant(&all, all[0], asked)).unwrap_err();
        assert_eq!(format!("{:?} {}", failure.outcome, failure.reason), other);
    }

    #[test]
    fn nobody_takes_another_method() {
        let profiles = profiles();
        let all = at(&profiles, "/");
        assert_eq!(able(&all, &Method::GET).len(), 2);
        assert_eq!(able(&all, &Method::POST).len(), 3);
        assert_eq!(able(&all, &Method::HEAD).len(), 0);
        assert_eq!(no_method(all[2]).reason, "this method is not taken here; use POST");
    }
}
