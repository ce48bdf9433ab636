//! Values that only `[smtp]` has.

use std::sync::Arc;

use ipnet::IpNet;

use super::super::reader::Value;
use super::super::values;
use crate::smtp::auth::Mechanism;
use crate::smtp::capture::MIN_FILE_OCTETS;
use crate::smtp::{Auth, Capture, Profile};

/// The switch that is for listeners only.
const LF_DOT: &str = "lf_dot_ends_data";

pub(super) fn auth(value: &Value) -> Option<Auth> {
    values::word(&[("off", Auth::Off), ("offered", Auth::Offered), ("required", Auth::Required)])(value)
}

/// At least one mechanism of AUTH, by the name that EHLO has for it.
pub(super) fn mechanisms(value: &Value) -> Option<Vec<Mechanism>> {
    let mechanism = |item: &Value| {
        let name = values::text(item)?;
        Mechanism::from_name(&name).map_or_else(
            || {
                let shown = name.escape_debug();
                item.fail(format!(
                    "`{shown}` is no mechanism known here; write \"PLAIN\", \"LOGIN\" or \"CRAM-MD5\""
                ))
            },
            Some,
        )
    };
    let mechanisms = values::list(mechanism)(value)?;
    if mechanisms.is_empty() {
        return value
            .fail("`auth_mechanisms` is empty; name at least one, or write auth = \"off\"".to_owned());
    }
    Some(mechanisms)
}

/// `"strict"`, `"appliance"`, a switch, or a list of them: of a listener.
pub(super) fn profile(value: &Value) -> Option<Profile> {
    read_profile(value, |switch| {
        let text = "with `lf_dot_ends_data` LF.LF ends a message too: whoever gets a mail server to send such a \
                    line to this listener sends mail in that server's name (SMTP smuggling, CVE-2023-51764); let only \
                    the appliances that need it speak to this listener, and no mail server";
        switch.reader.warning(Some(switch.span()), text.to_owned());
        true
    })
}

/// The same of a network, where one switch cannot be.
pub(super) fn network_profile(value: &Value) -> Option<Profile> {
    read_profile(value, |switch| {
        let text = "`lf_dot_ends_data` is for a listener only: it opens the way for smuggling, and addresses are too \
                    weak a fence for it; give these clients a listener of their own";
        switch.error(text.to_owned());
        false
    })
}

fn read_profile(value: &Value, may_end_data: impl Fn(&Value) -> bool) -> Option<Profile> {
    let items = value.items().unwrap_or_else(|| vec![value.clone()]);
    // All are read before any is missed, so that every error is noted.
    let texts: Vec<Option<String>> = items.iter().map(values::text).collect();
    let texts: Vec<String> = texts.into_iter().collect::<Option<_>>()?;
    let words: Vec<(&String, &Value)> = texts.iter().zip(&items).collect();
    let has = |wanted: &str| words.iter().any(|(word, _)| *word == wanted);
    if has("strict") && has("appliance") {
        return value.fail("a profile cannot be \"strict\" and \"appliance\"; keep one of them".to_owned());
    }
    let base = if has("appliance") { Profile::APPLIANCE } else { Profile::default() };
    let mut profile = Some(base);
    for (word, item) in &words {
        if matches!(word.as_str(), "strict" | "appliance") {
            continue;
        }
        let switched = match base.with(word) {
            Some(_) if *word == LF_DOT && !may_end_data(item) => None,
            Some(_) => profile.and_then(|profile| profile.with(word)),
            None => item.fail(format!(
                "`{}` is no switch of a profile; write \"strict\", \"appliance\", or any of {}",
                word.escape_debug(),
                Profile::SWITCHES.join(", ")
            )),
        };
        profile = switched;
    }
    profile
}

/// Load balancers. Warned of where everybody is one.
pub(super) fn proxies(value: &Value) -> Option<Vec<IpNet>> {
    let proxies = values::list(values::network)(value)?;
    if proxies.iter().any(|net| net.prefix_len() == 0) {
        let text = "every client counts as a load balancer here and may name any address as its own; write the \
                    addresses of the balancers only";
        value.reader.warning(Some(value.span()), text.to_owned());
    }
    Some(proxies)
}

/// Every capture so far: those into one directory share their bounds, as the oldest files in it go.
#[derive(Default)]
pub(super) struct Captures(Vec<Arc<Capture>>);

impl Captures {
    pub(super) fn read(&mut self, value: &Value) -> Option<Arc<Capture>> {
        let section = value.section()?;
        let directory = section.required("directory", "\"captures\"", values::path);
        let file_octets = section.or("file_size", 256 << 10, values::size(MIN_FILE_OCTETS as u64..=1 << 30));
        let files = section.or("files", 100, values::count(1..=100_000));
        let mask_numbers = section.or("mask_numbers", true, values::flag);
        let capture = Capture { directory: directory?, file_octets, files, mask_numbers };
        let same = self.0.iter().find(|one| one.directory == capture.directory);
        match same {
            Some(same) if **same == capture => Some(Arc::clone(same)),
            Some(_) => value.fail(format!(
                "another `capture` writes into `{}` with other bounds; make them alike, or give this one another \
                 directory",
                capture.directory.display()
            )),
            None => {
                let capture = Arc::new(capture);
                self.0.push(Arc::clone(&capture));
                Some(capture)
            }
        }
    }
}
