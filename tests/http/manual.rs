//! `docs/http.md` is true: its snippets load and do what it says, and its tables have what there is. Those of the pages beside
//! it load, too, and what the pages link to is there.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use sms_relay::app::App;
use sms_relay::config;
use sms_relay::profile::Outcome;
use tokio::net::TcpStream;

use super::support::Raw;

const MANUAL: &str = include_str!("../../docs/http.md");

const REST: &str = r#"
    [routing]
    allowed = ["+39"]
    [defaults]
    sender = "Relay"
    [spool]
    directory = "spool"
    [gateway]
    url = "http://127.0.0.1:9"
    credentials = "emulator"
    [reporting]
    to = "off"
"#;

fn snippets(kind: &str) -> Vec<&'static str> {
    MANUAL.split("\n```").filter_map(|text| text.strip_prefix(kind)?.strip_prefix('\n')).collect()
}

fn loaded(snippet: &str, directory: &std::path::Path) -> config::Config {
    let path = directory.join("relay.toml");
    // No test listens on a port that may be taken, or reads the environment.
    let snippet = snippet.replace("127.0.0.1:8080", "127.0.0.1:0");
    let snippet = snippet.replace("password = { env = \"NAS_PASSWORD\" }", "without_password = true");
    std::fs::write(&path, format!("{snippet}\n{REST}")).unwrap();
    let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.to_string(), "");
    loaded.config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_profile_answers_as_it_says() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let snippets = snippets("toml");
    assert_eq!(snippets.len(), 2);
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(loaded(snippets[0], directory.path()).http.listeners[0].profiles.len(), 3);
    let app = App::start(loaded(snippets[1], directory.path())).await.unwrap();
    let (_, exchange) = MANUAL.split_once("```\nGET ").unwrap();
    let (target, exchange) = exchange.split_once("\n```").unwrap();
    let (_, answer) = exchange.split_once("```\n").unwrap();
    let (answer, _) = answer.split_once("```").unwrap();
    let mut raw = Raw(TcpStream::connect(app.addresses()[0].1).await.unwrap());
    raw.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).await;
    let response = raw.rest().await;
    assert_eq!(response.split_once("\r\n\r\n").unwrap().1, answer);
    app.stop().await;
}

/// The rows of the table whose first column has this title, cell by cell.
fn table(title: &str) -> Vec<Vec<&'static str>> {
    let (_, table) = MANUAL.split_once(&format!("| {title} |")).unwrap();
    let rows = table.split("\n\n").next().unwrap().lines().skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect()
}

#[test]
fn its_table_has_every_outcome() {
    let rows = table("outcome");
    assert_eq!(rows.len(), Outcome::ALL.len());
    for (row, outcome) in rows.iter().zip(Outcome::ALL) {
        let instead = outcome.instead().map_or("", Outcome::as_str);
        let status = outcome.status().to_string();
        assert_eq!([row[0], row[2], row[3]], [outcome.as_str(), instead, &status]);
    }
}

#[test]
fn its_table_has_every_profile_with_its_paths() {
    let rows = table("profile");
    assert_eq!(rows.len(), 14);
    let directory = tempfile::tempdir().unwrap();
    for row in rows {
        let snippet = format!(
            "[[http.listener]]\nbind = \"127.0.0.1:8080\"\nprofiles = [\"{}\"]\n[[http.account]]\nname = \"a\"\n\
             without_password = true\n",
            row[0]
        );
        let config = loaded(&snippet, directory.path());
        let endpoints = &config.http.listeners[0].profiles[0].endpoints;
        let paths: BTreeSet<&str> = endpoints
            .iter()
            .flat_map(|endpoint| &endpoint.paths)
            .map(|path| path.strip_prefix("/index.php").filter(|rest| !rest.is_empty()).unwrap_or(path))
            .collect();
        for path in paths {
            assert!(row[1].contains(path), "{path} of {row:?}");
        }
        assert_eq!(
            row[2].contains("POST"),
            endpoints.iter().any(|endpoint| endpoint.methods.post),
            "{row:?}"
        );
    }
}

#[test]
fn the_snippets_of_the_pages_beside_it_are_taken_without_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["relay.example.com".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
    let hash =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$k9ohroejZy1PN5E1SbHNPug6vB8eQAahb5SOAp6iGF4";
    for (name, content) in [
        ("relay.pem", certificate.as_str()),
        ("relay.key", &key.serialize_pem()),
        ("clients-ca.pem", &certificate),
        ("nas.hash", hash),
        ("prometheus.password", "secret"),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let pages = [
        (include_str!("../../docs/https.md"), 2),
        (include_str!("../../docs/http-clients.md"), 2),
        (include_str!("../../docs/http-api.md"), 1),
        (include_str!("../../docs/webhooks.md"), 4),
    ];
    for (page, number) in pages {
        let snippets: Vec<&str> =
            page.split("\n```").filter_map(|text| text.strip_prefix("toml\n")).collect();
        assert_eq!(snippets.len(), number);
        for snippet in snippets {
            let mut whole = snippet.to_owned();
            for (table, content) in [
                ("[[http.listener]]", "bind = \"127.0.0.1:0\""),
                ("[[http.account]]", "name = \"a\"\nnetworks = [\"127.0.0.1\"]\nwithout_password = true"),
                ("[smarthost]", "host = \"127.0.0.1\"\ntls = \"off\""),
            ] {
                if !snippet.contains(table) {
                    whole.push_str(&format!("\n{table}\n{content}\n"));
                }
            }
            let rest = REST.replace("to = \"off\"", "operator = \"ops@example.com\"");
            let path = directory.path().join("relay.toml");
            std::fs::write(&path, format!("{whole}\n{rest}")).unwrap();
            let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{snippet}\n{problems}"));
            assert_eq!(loaded.warnings.to_string(), "", "{snippet}");
        }
    }
}

/// The anchor of a heading, as forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|one| one.is_alphanumeric() || ['-', '_'].contains(one)).collect()
}

#[test]
fn what_the_pages_link_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let pages = pages.chain([root.join("README.md"), root.join("CHANGELOG.md")]);
    let mut seen = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0) {
            if link.starts_with("http") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{link} of {}", page.display());
            if !place.is_empty() {
                let there = std::fs::read_to_string(&target).unwrap();
                let mut headings = there.lines().filter_map(|line| line.strip_prefix('#'));
                let is_there = |line: &str| anchor(line.trim_start_matches('#').trim()) == place;
                assert!(headings.any(is_there), "{link} of {}", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}
