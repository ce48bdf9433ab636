//! `[reporting]`, `[smarthost]` and `[intake]`: who is told about failures, and how.

use std::time::Duration;

use super::reader::{Reader, Section, Value};
use super::sending::seconds;
use super::{allowance, gateways, secrets, values};
use crate::intake::{self, Reports};
use crate::model::MailAddress;
use crate::routing::Routing;
use crate::{mailer, reporting};

/// The least after which an SMS may count as late: much passes by itself in less.
const MINUTE: Duration = Duration::from_secs(60);

/// All that is about reports.
pub(super) struct Reporting {
    pub(super) reporting: reporting::Settings,
    pub(super) mailer: Option<mailer::Settings>,
    pub(super) intake: intake::Settings,
}

/// Reads the three sections. `has_forms`: whether form posts can come in whose failures have nobody to go to but the
/// operator.
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
    let include_text = section.or("include_text", true, values::flag);
    let template = section.optional("template", values::report_template);
    let delayed_after = section.or("delayed_after", Some(Duration::from_secs(30 * 60)), delay);
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
            include_text,
            template,
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
            // What no report returns is not kept for one.
            full_original_octets: if include_text { full_original_octets } else { 0 },
            delayed_after,
            // Only the command line says so.
            simulate_all: false,
        },
    })
}

/// Tells where the `reports_to` of an account leads nowhere, or back to the relay.
pub(super) fn named<'a>(
    reader: &Reader,
    top: &Section,
    accounts: impl Iterator<Item = &'a allowance::Written>,
    reports: Option<&Reporting>,
    routing: Option<&Routing>,
) {
    let is_off = reports.is_some_and(|read| read.intake.reports == Reports::Off);
    for account in accounts {
        let Some(place) = account.reports_to.clone().filter(|place| !reader.is_wrong(place)) else {
            continue;
        };
        let ours = |address: &&MailAddress| routing.is_some_and(|routing| routing.serves(address.domain()));
        if !top.has("smarthost") {
            let text = "`reports_to` needs a [smarthost] that takes the reports; write one, or leave it out";
            reader.error(Some(place), text.to_owned());
        } else if is_off {
            let text =
                "nothing is reported: [reporting] has `to = \"off\"`; change that, or leave `reports_to` out";
            reader.error(Some(place), text.to_owned());
        } else if let Some(address) = account.allowance.reports_to.as_ref().filter(ours) {
            let text = format!(
                "`{address}` is an address of this relay: a report would become an SMS; write one that people read"
            );
            reader.error(Some(place), text);
        }
    }
}

/// A time, or `"off"`.
fn delay(value: &Value) -> Option<Option<Duration>> {
    let written = value.item.get_ref().as_str().unwrap_or_default();
    if written == "off" {
        return Some(None);
    }
    if written.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let shown = written.escape_debug();
        return value.fail(format!("`{shown}` is not a time; write it like \"30m\", or \"off\" for never"));
    }
    values::time(MINUTE)(value).map(Some)
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
    let near = host.as_deref().is_some_and(gateways::is_loopback);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What `[reporting]` and `[intake]` make of these lines, and every problem.
    fn given(written: &str) -> (Option<Reporting>, String) {
        let reader = Reader::new(Path::new("FILE"), written);
        let document = reader.parse().unwrap();
        let top = Section::top(&reader, document.get_ref());
        let read = read(&reader, &top, "relay.example.com", false);
        drop(top);
        (read, reader.problems().to_string())
    }

    fn read_well(written: &str) -> Reporting {
        let (read, problems) = given(&format!("smarthost.host = \"mail.example.com\"\n{written}"));
        assert_eq!(problems, "", "{written}");
        read.unwrap()
    }

    #[test]
    fn a_delay_is_told_after_half_an_hour_or_as_written_or_never() {
        for (written, expected) in [
            ("", Some(1800)),
            ("reporting.delayed_after = \"1m\"", Some(60)),
            ("reporting.delayed_after = \"2h\"", Some(7200)),
            ("reporting.delayed_after = \"off\"", None),
        ] {
            let told = read_well(written).intake.delayed_after;
            assert_eq!(told, expected.map(Duration::from_secs), "{written}");
        }
        for wrong in ["\"59s\"", "\"Off\"", "\"\"", "false", "30"] {
            let (_, problems) = given(&format!("reporting.delayed_after = {wrong}"));
            assert!(problems.contains("FILE:1:27: error: `"), "{wrong}: {problems}");
        }
    }

    #[test]
    fn without_the_text_no_mail_is_kept_whole_for_a_report() {
        let usual = read_well("intake.full_original = \"1 KiB\"");
        assert!(usual.reporting.include_text && usual.reporting.template.is_none());
        assert_eq!(usual.intake.full_original_octets, 1024);
        let none = read_well("intake.full_original = \"1 KiB\"\nreporting.include_text = false");
        assert!(!none.reporting.include_text);
        assert_eq!(none.intake.full_original_octets, 0);
    }

    #[test]
    fn a_template_is_taken_as_it_stands() {
        let source = "{% for one in recipients %}{{ one.address }}{% endfor %}";
        let read = read_well(&format!("reporting.template = '{source}'"));
        assert_eq!(
            format!("{:?}", read.reporting.template.unwrap()),
            format!("ReportTemplate(Custom({source:?}))")
        );
    }
}
