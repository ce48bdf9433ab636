//! `trusted_proxies` and `forwarded` of an `[[http.listener]]`.

use ipnet::IpNet;

use super::reader::{Reader, Section, Value};
use super::values;
use crate::http::{Forwarding, Proxies};

/// The proxies in front of a listener, if there are any.
pub(super) fn proxies(reader: &Reader, listener: &Section) -> Option<Proxies> {
    let networks = listener.optional("trusted_proxies", networks);
    let header = listener.or("forwarded", Forwarding::XForwardedFor, header);
    if listener.has("forwarded") && !listener.has("trusted_proxies") {
        let text =
            "nobody may say whose a request is: there are no `trusted_proxies`; name them, or remove this";
        reader.error(listener.place("forwarded"), text.to_owned());
    }
    networks.map(|networks| Proxies { networks, header })
}

/// At least one, and never every address: then any client could say that it is another.
fn networks(value: &Value) -> Option<Vec<IpNet>> {
    let networks = values::list(values::network)(value)?;
    if networks.is_empty() {
        return value.fail(format!("`{}` is empty; leave it out where there are none", value.name));
    }
    match networks.iter().find(|network| network.prefix_len() == 0) {
        Some(network) => value.fail(format!(
            "`{network}` is every address, so that any client could say it is another; name the proxies"
        )),
        None => Some(networks),
    }
}

fn header(value: &Value) -> Option<Forwarding> {
    let written = values::text(value)?;
    match written.as_str() {
        "x-forwarded-for" => Some(Forwarding::XForwardedFor),
        "forwarded" => Some(Forwarding::Forwarded),
        _ => value.fail(format!(
            "`{}` is not a header that is known here; write \"x-forwarded-for\" or \"forwarded\"",
            written.escape_debug()
        )),
    }
}
