//! Who looks for a gateway that sends for anybody: well-known paths, asked with nothing, with what is wrong, and with what
//! is right for numbers that nobody allowed. One relay speaks all profiles that are built in.

use rusqlite::Connection;
use tokio::task::JoinSet;

use super::profiles::{ALL, Last, Relay, placed, requests};
use super::support::{Raw, keep_log, log_lines};

/// Ends of the names of recorded exchanges in which somebody is not let in.
const NOT_LET_IN: [&str; 5] =
    ["_wrong_password", "_no_password", "_wrong_token", "_wrong_user", "_wrong_session"];
/// Most lines a minute about whoever is nobody.
const LINES: usize = 20;

/// A request, and the answer that it must get.
struct Probe {
    name: String,
    request: String,
    expected: String,
    /// Whether it shows a right credential.
    is_known: bool,
}

/// What is recorded of `profile`, and each request to a number that is not allowed once more without its credentials.
fn probes(profile: &str) -> Vec<Probe> {
    let mut found = Vec::new();
    for path in requests(profile) {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let read = |path| std::fs::read_to_string(path).unwrap();
        let (request, expected) = (read(path.clone()), read(path.with_extension("response")));
        let is_known = stem.ends_with("_not_allowed");
        if is_known || NOT_LET_IN.iter().any(|end| stem.ends_with(end)) {
            found.push(Probe { name: format!("{profile}/{stem}"), request, expected, is_known });
        }
    }
    let is_form = |probe: &&Probe| probe.is_known && probe.request.starts_with("GET ");
    let naked = found.iter().find(is_form).map(|probe| without_credentials(&probe.request)).unwrap();
    // Some tell no credential from a wrong one.
    let with_nothing = found.iter().find(|probe| probe.name.ends_with("_no_password"));
    let denied = found.iter().find(|probe| !probe.is_known && !probe.name.contains("session"));
    let denied = with_nothing.or(denied).unwrap();
    let (name, expected) = (format!("{profile} without a credential"), denied.expected.clone());
    found.push(Probe { name, request: naked, expected, is_known: false });
    found
}

/// The same request, without the parameters of `box` and `secret`.
fn without_credentials(request: &str) -> String {
    let (line, rest) = request.split_once("\r\n").unwrap();
    let (target, version) = line.rsplit_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap();
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !pair.ends_with("=box") && !pair.ends_with("=secret")).collect();
    assert!(kept.len() < query.split('&').count(), "{line} has no credential");
    format!("{path}?{} {version}\r\n{rest}", kept.join("&"))
}

#[tokio::test]
async fn whoever_probes_a_well_known_path_gets_its_refusal_and_leaves_a_line_at_most() {
    keep_log();
    let relay = Relay::start(&ALL, "").await;
    let address = relay.app.addresses()[0].1;
    let probes: Vec<Probe> = ALL.into_iter().flat_map(probes).collect();
    for profile in ALL {
        let of = |is_known| {
            probes.iter().any(|probe| probe.name.starts_with(profile) && probe.is_known == is_known)
        };
        assert!(of(true) && of(false), "{profile} has no such exchange");
    }
    let (known, strangers): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| probe.is_known);
    let (known, strangers) = (known.len(), strangers.len());
    log_lines();
    // All at once: a wrong credential waits a second for its answer.
    let mut running = JoinSet::new();
    for probe in probes {
        running.spawn(async move {
            let mut raw = Raw(tokio::net::TcpStream::connect(address).await.unwrap());
            raw.send(probe.request.as_bytes()).await;
            let answered = placed(&raw.rest().await, &mut Last::default());
            (answered != probe.expected).then(|| format!("{}: {answered}", probe.name))
        });
    }
    let wrong: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let lines = log_lines();
    let ours: Vec<&String> = lines.iter().filter(|line| line.contains("sms_relay")).collect();
    let refused = |line: &&&String| {
        line.contains("form refused") || line.contains("request of another gateway's API refused")
    };
    let about_box = ours.iter().filter(refused).filter(|line| line.contains("account=\"box\"")).count();
    assert_eq!(about_box, known, "one line each");
    assert!(strangers > LINES, "the bound is not reached");
    assert_eq!(ours.iter().filter(refused).count() - about_box, LINES, "no more about strangers");
    for line in ours {
        assert!(!line.contains("447911") && !line.contains("secret"), "{line}");
    }

    relay.app.stop().await;
    let spool = Connection::open(relay.directory.path().join("spool/spool.sqlite")).unwrap();
    for table in ["submission", "sms", "event", "original", "outgoing_mail", "telling", "request_key", "note"]
    {
        let rows: i64 =
            spool.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[tokio::test]
async fn what_is_allowed_is_taken_by_the_same_relay() {
    let relay = Relay::start(&ALL, "").await;
    for profile in ALL {
        let path = &requests(profile)[0];
        let answered = relay.exchange(&std::fs::read(path).unwrap()).await;
        let expected = std::fs::read_to_string(path.with_extension("response")).unwrap();
        assert_eq!(answered.lines().next(), expected.lines().next(), "{profile}");
    }
    relay.app.stop().await;
    let spool = Connection::open(relay.directory.path().join("spool/spool.sqlite")).unwrap();
    let rows: i64 = spool.query_row("SELECT count(*) FROM submission", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, ALL.len() as i64, "this is how a row is counted");
}
