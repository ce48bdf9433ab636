//! Who follows readers, as far as this relay knows. Short on purpose: a link to a ticket must stay, so what is
//! here is either nothing but a tracker, or looks like a host of one and has a long opaque token besides.

/// Hosts, and all below them, whose links only count who opened what.
const HOSTS: &[&str] = &[
    // Mailchimp: clicks, and the pages of its lists.
    "list-manage.com",
    // Mailchimp's transactional mails.
    "mandrillapp.com",
    // HubSpot.
    "hubspotlinks.com",
    "hubspotemail.net",
    "sidekickopen.com",
    // Campaign Monitor.
    "createsend1.com",
    "cmail19.com",
    "cmail20.com",
    // Constant Contact.
    "rs6.net",
    // Mailjet.
    "mjt.lu",
    // MailerLite.
    "mlsend.com",
    // Brevo.
    "sendibt2.com",
    "sendibt3.com",
    // Amazon's mails, where the target is not in clear.
    "awstrack.me",
    // Pixels.
    "emltrk.com",
    "doubleclick.net",
    "google-analytics.com",
];

/// Paths of SendGrid and those who copied it; the customer chooses the host.
const PATHS: &[&str] = &["/ls/click", "/ls/open", "/wf/click", "/wf/open", "/wf/unsubscribe"];

/// First labels of hosts that customers of such services give them to count clicks. Products have such
/// names too, so a long token is wanted besides.
const CLICK_LABELS: &[&str] = &["click", "clicks", "clicktrack", "trk"];

/// Labels that may lead to a parcel, a login or a meeting as well: a path as such services make them is
/// wanted besides, which begins with a segment of one letter.
const OTHER_LABELS: &[&str] = &["link", "links", "track", "tracking", "email", "go2", "open"];

/// Words of a path that ends a subscription. Nobody does that at night.
const UNSUBSCRIBE: &[&str] = &["unsubscribe", "optout", "opt-out", "list-unsubscribe"];

/// Fewest octets of a token that no person wrote: a digest in hexadecimal has 32.
const MIN_TOKEN: usize = 32;

/// Parameters that say where the reader came from; all names beginning with `utm_` besides.
const PARAMETERS: &[&str] = &[
    // Mailchimp.
    "mc_cid",
    "mc_eid",
    // Facebook, Google, Microsoft, Yandex.
    "fbclid",
    "gclid",
    "dclid",
    "msclkid",
    "yclid",
    // HubSpot.
    "_hsenc",
    "_hsmi",
    "__hstc",
    "__hssc",
    "__hsfp",
    // Marketo.
    "mkt_tok",
    // LinkedIn.
    "trk",
    "trkemail",
    // Vero, Omeda, Drip.
    "vero_id",
    "vero_conv",
    "oly_enc_id",
    "oly_anon_id",
    "__s",
];

/// Whether a link leads to a tracker and to nothing else that can be told.
pub(super) fn is_tracker(&Link { host, path, query }: &Link<'_>) -> bool {
    // Its target stands in clear in its path; unwrapping finds it.
    let wraps = path.starts_with("/L0/http") || path.starts_with("/CL0/http");
    if wraps {
        return false;
    }
    HOSTS.iter().any(|tracker| is_below(host, tracker))
        || PATHS.iter().any(|start| {
            path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        || ends_subscription(path)
        || (has_label(host, CLICK_LABELS) || has_label(host, OTHER_LABELS) && has_short_segment(path))
            && (has_token(path) || has_token(query))
}

/// Whether a parameter of this name says only where the reader came from.
pub(super) fn is_tracking_parameter(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("utm_"))
        || PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether `host` is `domain` or below it, whatever the case.
pub(super) fn is_below(host: &str, domain: &str) -> bool {
    let Some(start) = host.len().checked_sub(domain.len()) else { return false };
    let (front, end) = host.as_bytes().split_at(start);
    // In this order most hosts cost one look.
    front.last().is_none_or(|byte| *byte == b'.') && end.eq_ignore_ascii_case(domain.as_bytes())
}

fn has_label(host: &str, labels: &[&str]) -> bool {
    // A label and a name of its own behind it: `link.com` is nobody's tracker.
    host.split_once('.').is_some_and(|(first, rest)| {
        rest.contains('.') && labels.iter().any(|label| label.eq_ignore_ascii_case(first))
    })
}

/// Whether the first segment of several has one letter.
fn has_short_segment(path: &str) -> bool {
    path.get(2..3) == Some("/") && path.as_bytes()[1].is_ascii_alphabetic()
}

/// The last segment, or one with nothing but tokens behind it, names it.
fn ends_subscription(path: &str) -> bool {
    for segment in path.rsplit('/').filter(|segment| !segment.is_empty()) {
        let name = segment.split('.').next().unwrap_or_default();
        if UNSUBSCRIBE.iter().any(|word| word.eq_ignore_ascii_case(name)) {
            return true;
        }
        if longest_token(segment) < MIN_TOKEN {
            return false;
        }
    }
    false
}

fn has_token(part: &str) -> bool {
    longest_token(part) >= MIN_TOKEN
}

/// The length of the longest, where it is long enough: of letters and digits with at least one digit; a title in a link has hyphens between its words.
fn longest_token(part: &str) -> usize {
    if part.len() < MIN_TOKEN {
        return 0;
    }
    part.as_bytes()
        .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
        .filter(|token| token.iter().any(u8::is_ascii_digit))
        .map(<[u8]>::len)
        .max()
        .unwrap_or_default()
}

/// The parts of a link that tell a tracker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    /// Without user and port.
    pub(super) host: &'a str,
    /// From its `/`; empty where there is none.
    pub(super) path: &'a str,
    /// Without its `?`.
    pub(super) query: &'a str,
}

impl<'a> Link<'a> {
    /// Takes `scheme://` and what follows apart.
    pub(super) fn read(link: &'a str) -> Option<Self> {
        let rest = link.split_once("://")?.1;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Some(Self { host, path, query })
    }
}
