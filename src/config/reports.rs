//! `[reporting]`, `[smarthost]` and `[intake]`: who is told about failures, and how.

use std::net::IpAddr;
use std::time::Duration;

use super::reader::{Reader, Section};
use super::sending::seconds;
use super::{secrets, values};
use crate::intake::{self, Reports};
use crate::model::MailAddress;
use crate::{mailer, reporting};

/// All that is about reports.
pub(super) struct Reporting {
    pub(super) reporting: reporting::Settings,
    pub(super) mailer: Option<mailer::Settings>,
    pub(super) intake: intake::Settings,
}

/// Reads the three sections. `has_forms`: whether form posts can come in, whose failures have no
/// sender to go to.
pub(super) fn read(reader: &Reader, top: &Section, hostname: &str, has_forms: bool) -> Option<Reporting> {
    let section = top.section("reporting");
    let wanted = section.optional(
        "to",
        values::word(&[("sender", Reports::Sender), ("operator", Reports::Operator), ("off", Reports::Off)]),
    );
    let operator = section.optional("operator", values::address);
    let from = section.optional("from", values::address);
    let window = section.or("window", Duration::from_secs(5 * 60), values::time(values::SECOND));
    let reports_per_hour = section.or("reports_per_hour", 20, values::count(1..=10_000));
    let backoff = values::backoff(&section, "backoff", seconds(60, 3600));
    let lifetime =
        section.or("lifetime", Duration::from_secs(5 * 24 * 3600), values::time(Duration::from_secs(60)));

    let smarthost = top.section("smarthost");
    let mailer = mailer(reader, &smarthost, hostname);
    // A wrong word is told already.
    let usual = if section.has("to") { Reports::Off } else { Reports::Sender };
    let reports = match wanted.unwrap_or(usual) {
        Reports::Off => Reports::Off,
        wanted @ (Reports::Sender | Reports::Operator) => {
            if !smarthost.is_written() {
                let text = "there is no [smarthost], so nobody is told about failures; write one, or set \
                            `to = \"off\"` in [reporting]";
                reader.warning(section.place("to"), text.to_owned());
            }
            let no_operator = operator.is_none() && !section.has("operator");
            if wanted == Reports::Operator && no_operator {
                let text = "reports are for the operator, but there is no `operator` in [reporting]";
                reader.error(section.place("to"), text.to_owned());
            } else if has_forms && no_operator && smarthost.is_written() {
                let text =
                    "nobody is told about failures of form posts: there is no `operator` in [reporting]";
                reader.warning(section.span(), text.to_owned());
            }
            if smarthost.is_written() { wanted } else { Reports::Off }
        }
    };

    let section = top.section("intake");
    let max_received = section.or("max_received", 100, values::count(10..=1000));
    let full_original_octets = section.or("full_original", 256 << 10, values::size(0..=64 << 20));
    let postmaster = || {
        // The host name was checked to be a domain.
        MailAddress::new("postmaster", hostname).ok()
    };
    let from = from.or_else(|| operator.clone()).or_else(postmaster)?;
    Some(Reporting {
        reporting: reporting::Settings {
            hostname: hostname.to_owned(),
            from,
            operator: operator.clone(),
            platform: None,
            window,
            reports_per_hour,
            backoff,
            lifetime,
        },
        mailer,
        intake: intake::Settings {
            hostname: hostname.to_owned(),
            reports,
            operator,
            max_received,
            full_original_octets,
        },
    })
}

fn mailer(reader: &Reader, section: &Section, hostname: &str) -> Option<mailer::Settings> {
    use mailer::Tls;
    // Everything is asked for even where nothing is written: that is how every key is known.
    let host = section.optional("host", values::text);
    let tls = section.or(
        "tls",
        Tls::StartTls,
        values::word(&[("starttls", Tls::StartTls), ("implicit", Tls::Implicit), ("off", Tls::Off)]),
    );
    let usual_port = match tls {
        Tls::Off => 25,
        Tls::StartTls => 587,
        Tls::Implicit => 465,
    };
    let port = section.or("port", usual_port, values::count(1..=65535));
    let username = section.optional("username", values::text);
    let password = section.optional("password", secrets::secret);
    let ca_pem = section.optional("ca_file", values::certificates);
    let hello_name = section.or("hello_name", hostname.to_owned(), super::host_name);
    let total_time = section.or("total_time", Duration::from_secs(120), values::time(values::SECOND));
    if !section.is_written() {
        return None;
    }
    if !section.has("host") {
        section
            .error("`host` is missing in [smarthost]; write it like host = \"mail.example.com\"".to_owned());
    }
    if section.has("username") != section.has("password") {
        section.error("`username` and `password` belong together; write both or neither".to_owned());
    }
    let login = username.zip(password);
    let near = host.as_deref().is_some_and(|host| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    if login.is_some() && tls == Tls::Off && !near {
        let text =
            "the password goes to the smarthost unencrypted; set `tls` to \"starttls\" or \"implicit\"";
        reader.warning(section.place("tls"), text.to_owned());
    }
    Some(mailer::Settings {
        host: host?,
        port: u16::try_from(port).ok()?,
        tls,
        login,
        ca_pem,
        hello_name,
        total_time,
    })
}
