//! Which APIs of other gateways each listener speaks: names to profiles, and paths that two of them want.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::profiles::{built_in, built_in_names, is_below, profile};
use super::reader::{Reader, Section, Value};
use super::values;
use crate::http::{API, CallbackDoor, SMS};
use crate::profile::{Endpoint, Profile};

/// Profiles by their names: the operator's, and the built-in ones as soon as they are asked for.
#[derive(Default)]
pub(super) struct Profiles {
    own: BTreeMap<String, Option<Arc<Profile>>>,
}

/// A profile that a listener speaks, and where that is written.
pub(super) struct Enabled {
    pub(super) profile: Arc<Profile>,
    span: Range<usize>,
}

impl Profiles {
    /// Reads every `[[http.profile]]`.
    pub(super) fn read(reader: &Reader, http: &Section) -> Self {
        let mut own = BTreeMap::new();
        for written in &http.sections("profile") {
            let name = written.required("name", "\"our-pbx\"", values::name).unwrap_or_default();
            let place = written.place("name");
            if [SMS, API].contains(&name.as_str()) || built_in_names().any(|taken| taken == name) {
                let text = format!("there is a built-in profile `{name}`; give this one another `name`");
                reader.error(place, text);
                profile(reader, written, name);
                continue;
            }
            if own.contains_key(&name) && !name.is_empty() {
                let text =
                    format!("there are two profiles with the name `{name}`; give this one another `name`");
                reader.error(place, text);
            }
            own.insert(name.clone(), profile(reader, written, name).map(Arc::new));
        }
        Self { own }
    }

    /// `profiles` of a listener; what is wrong is left out.
    pub(super) fn enabled(&self, listener: &Section) -> Vec<Enabled> {
        let one = |value: &Value| Some(self.one(value));
        let found = listener.optional("profiles", values::list(one)).unwrap_or_default();
        found.into_iter().flatten().collect()
    }

    /// The names that there are.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let own = self.own.keys().filter(|name| !name.is_empty()).cloned();
        built_in_names().map(str::to_owned).chain(own)
    }

    fn one(&self, value: &Value) -> Option<Enabled> {
        let name = values::text(value)?;
        let profile = match (self.own.get(&name), built_in(&name)) {
            (Some(own), _) => own.clone()?,
            (None, Some(Ok(built_in))) => Arc::new(built_in),
            (None, Some(Err(problems))) => return value.fail(format!("`{name}` is broken: {problems}")),
            (None, None) => {
                let (shown, known) = (name.escape_debug(), self.names().collect::<Vec<_>>().join(", "));
                return value.fail(match name.as_str() {
                    SMS => "`sms` is spoken by every listener; leave it out".to_owned(),
                    API => "`api` is no profile of a listener; write api = true beside it".to_owned(),
                    _ => format!(
                        "`{shown}` is no profile; write one of {known}, or describe it in [[http.profile]]"
                    ),
                });
            }
        };
        Some(Enabled { profile, span: value.span() })
    }
}

/// Tells of paths that more than one wants.
pub(super) fn check(reader: &Reader, enabled: &[Enabled], callbacks: Option<&CallbackDoor>) {
    for (at, this) in enabled.iter().enumerate() {
        let name = &this.profile.name;
        if enabled[..at].iter().any(|earlier| earlier.profile.name == *name) {
            reader.error(Some(this.span.clone()), format!("`{name}` is there twice; remove one"));
            continue;
        }
        // Several endpoints may share a path; it is told of once.
        let mut told = Vec::new();
        for endpoint in &this.profile.endpoints {
            let taken =
                endpoint.paths.iter().find(|path| callbacks.is_some_and(|door| is_below(path, &door.path)));
            if let Some(path) = taken.filter(|path| !told.contains(path)) {
                told.push(path);
                let text = format!(
                    "`{path}` of `{name}` is where the platform calls back; give [callbacks] another `path`"
                );
                reader.error(Some(this.span.clone()), text);
            }
            for earlier in &enabled[..at] {
                if let Some(path) = earlier.profile.endpoints.iter().find_map(|other| shared(endpoint, other))
                {
                    let other = &earlier.profile.name;
                    let text = format!(
                        "`{name}` and `{other}` both want `{path}`, and nothing tells their requests apart; put them \
                         on two listeners"
                    );
                    reader.error(Some(this.span.clone()), text);
                }
            }
        }
        for (one, endpoint) in this.profile.endpoints.iter().enumerate() {
            let mut later = this.profile.endpoints[one + 1..].iter();
            if let Some(path) = later.find_map(|other| shared(endpoint, other)) {
                let text = format!(
                    "two endpoints of `{name}` want `{path}`, and nothing tells their requests apart; write \
                     parameters in `with`"
                );
                reader.error(Some(this.span.clone()), text);
            }
        }
    }
}

/// A path at which requests for the one are requests for the other.
fn shared<'a>(one: &'a Endpoint, other: &Endpoint) -> Option<&'a String> {
    let sorted = |endpoint: &Endpoint| {
        let mut with = endpoint.with.clone();
        with.sort();
        with
    };
    if !one.methods.overlap(other.methods) || sorted(one) != sorted(other) {
        return None;
    }
    one.paths.iter().find(|path| other.is_at(path))
}
