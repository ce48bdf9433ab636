//! Which endpoint a request is meant for.

use std::sync::Arc;

use crate::profile::{Endpoint, Profile};

/// An endpoint that a request may be meant for.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Candidate<'a> {
    /// Whose it is.
    pub(in crate::http) profile: &'a Profile,
    /// It.
    pub(in crate::http) endpoint: &'a Endpoint,
}

/// All endpoints at `path`, which is taken after percent-decoding. Those that need more parameters come first, as they
/// would never get a request otherwise; else the order of the profiles and that of their endpoints.
pub(in crate::http) fn at<'a>(
    profiles: impl IntoIterator<Item = &'a Arc<Profile>>,
    path: &str,
) -> Vec<Candidate<'a>> {
    let Ok(path) = percent_encoding::percent_decode_str(path).decode_utf8() else { return Vec::new() };
    let mut found: Vec<Candidate<'a>> = profiles
        .into_iter()
        .flat_map(|profile| {
            profile.endpoints.iter().map(move |endpoint| Candidate { profile: profile.as_ref(), endpoint })
        })
        .filter(|candidate| candidate.endpoint.is_at(&path))
        .collect();
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.endpoint.with.len()));
    found
}

/// The first whose parameters fit, else the first.
pub(in crate::http) fn likely<'a>(
    candidates: &[Candidate<'a>],
    parameter: impl Fn(&str) -> Option<String>,
) -> Option<Candidate<'a>> {
    let fits = candidates.iter().find(|candidate| candidate.endpoint.is_meant(&parameter));
    fits.or(candidates.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Action, Answers, Methods, Reading};

    fn profile(name: &str, endpoints: &[(&str, &[(&str, &str)])]) -> Arc<Profile> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let endpoint = |(path, with): &(&str, &[(&str, &str)])| Endpoint {
            action: Action::Send,
            methods: Methods { get: true, post: true },
            paths: vec![(*path).to_owned()],
            with: with.iter().map(owned).collect(),
            reading: Reading::default(),
            answers: Answers::default(),
        };
        Arc::new(Profile { name: name.to_owned(), endpoints: endpoints.iter().map(endpoint).collect() })
    }

    #[test]
    fn the_one_that_needs_more_parameters_is_asked_first() {
        let op = |op| [("app", "ws"), ("op", op)];
        let profiles = [
            profile("nowsms", &[("/", &[])]),
            profile("playsms", &[("/", &op("pv")), ("/", &op("ds")), ("/index.php", &[])]),
        ];
        let names =
            |path| at(&profiles, path).iter().map(|found| found.profile.name.clone()).collect::<Vec<_>>();
        assert_eq!(names("/"), ["playsms", "playsms", "nowsms"]);
        assert_eq!(names("/index%2Ephp"), ["playsms"]);
        assert_eq!(names("/%FF"), [""; 0]);
        assert_eq!(names("/index"), [""; 0]);

        let found = at(&profiles, "/");
        let ds = |name: &str| {
            op("ds").into_iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_owned())
        };
        assert_eq!(likely(&found, ds).unwrap().endpoint.with[1].1, "ds");
        assert_eq!(likely(&found, |_| None).unwrap().profile.name, "nowsms");
        assert_eq!(likely(&found[..2], |_| None).unwrap().endpoint.with[1].1, "pv");
        assert!(likely(&[], |_| None).is_none());
    }
}
