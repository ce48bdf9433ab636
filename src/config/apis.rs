//! Which APIs an `[[http.account]]` may use.

use std::ops::Range;

use super::enabled::{Enabled, Profiles};
use super::reader::{Reader, Section};
use super::values;
use crate::http::{API, SMS};

/// APIs by their names.
pub(super) struct Apis {
    known: Vec<String>,
    spoken: Vec<String>,
}

impl Apis {
    /// Those that there are, and those that any listener speaks.
    pub(super) fn new<'a>(
        profiles: &Profiles,
        spoken: impl IntoIterator<Item = &'a Enabled>,
        has_api: bool,
    ) -> Self {
        let own = [SMS, API].map(str::to_owned);
        let known = own.into_iter().chain(profiles.names()).collect();
        let of_us = [SMS].into_iter().chain(has_api.then_some(API)).map(str::to_owned);
        let of_others = spoken.into_iter().map(|enabled| enabled.profile.name.clone());
        Self { known, spoken: of_us.chain(of_others).collect() }
    }

    /// `profiles` of an account; what is wrong is left out.
    pub(super) fn of_account(&self, reader: &Reader, account: &Section) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let written =
            account.optional("profiles", values::list(|value| Some((values::text(value), value.span()))))?;
        if written.is_empty() {
            let text = "`profiles` is empty: this account could use nothing; name what it may use, or remove the key";
            reader.error(account.place("profiles"), text.to_owned());
        }
        for (name, span) in written {
            let Some(name) = name else { continue };
            if names.contains(&name) {
                reader.error(Some(span), format!("`{}` is there twice; remove one", name.escape_debug()));
            } else if self.is_known(reader, &name, span) {
                names.push(name);
            }
        }
        Some(names)
    }

    fn is_known(&self, reader: &Reader, name: &String, span: Range<usize>) -> bool {
        if !self.known.contains(name) {
            let (shown, known) = (name.escape_debug(), self.known.join(", "));
            reader.error(
                Some(span),
                format!("`{shown}` is no profile; write one of {known}, or describe it in [[http.profile]]"),
            );
            return false;
        }
        if !self.spoken.contains(name) {
            let wanted =
                if name == API { "api = true".to_owned() } else { format!("profiles = [\"{name}\"]") };
            let text = format!(
                "no listener speaks `{name}`, so that nobody can use it; write {wanted} in an [[http.listener]]"
            );
            reader.warning(Some(span), text);
        }
        true
    }
}
