use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::ExposeSecret;

use super::super::{Loaded, Problems, load};
use crate::smtp::auth::Mechanism;
use crate::smtp::{Allotment, Auth, Profile, Settings, Tls};

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$k9ohroejZy1PN5E1SbHNPug6vB8eQAahb5SOAp6iGF4";
const REST: &str = r#"
    [routing]
    allowed = ["+39"]
    [defaults]
    sender = "Relay"
    [spool]
    directory = "spool"
    [gateway]
    url = "http://127.0.0.1:8026"
    credentials = "emulator"
    [reporting]
    to = "off"
"#;
const RSA: &[u8] = include_bytes!("../../../tests/certificates/rsa.pem");
const RSA_KEY: &[u8] = include_bytes!("../../../tests/certificates/rsa.pkcs8.key");
const EC: &[u8] = include_bytes!("../../../tests/certificates/ec.pem");
const EC_KEY: &[u8] = include_bytes!("../../../tests/certificates/ec.sec1.key");

fn loaded(content: &str) -> Result<Loaded, Problems> {
    let directory = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 6] = [
        ("relay.pem", RSA),
        ("relay.key", RSA_KEY),
        ("lan.pem", EC),
        ("lan.key", EC_KEY),
        ("ups.hash", HASH.as_bytes()),
        ("ups.secret", b"hunter2\n"),
    ];
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    }
    let path = directory.path().join("relay.toml");
    std::fs::write(&path, format!("{content}{REST}")).unwrap();
    load(&path)
}

fn settings(content: &str) -> Settings {
    loaded(content).unwrap_or_else(|problems| panic!("{problems}")).config.smtp
}

fn listener_with(lines: &str) -> String {
    format!("[[smtp.listener]]\nbind = \"127.0.0.1:25\"\n{lines}\n")
}

#[test]
fn every_limit_reaches_its_setting() {
    let limits = settings(&format!(
        r#"[smtp]
        message_size = "1 MiB"
        memory = "2 MiB"
        recipients = 101
        connections = 1
        connections_per_client = 2
        messages_per_connection = 3
        recipients_per_connection = 4
        size_per_connection = "5 MiB"
        messages_per_minute = 6
        recipients_per_minute = 7
        size_per_minute = "8 MiB"
        errors_undelayed = 9
        error_delay = "10s"
        errors = 11
        auth_delay = "12s"
        auth_failures = 13
        auth_window = "14s"
        command_time = "15s"
        message_time = "16s"
        session_time = "17s"
        {}"#,
        listener_with("")
    ))
    .limits;
    assert_eq!((limits.message_octets, limits.memory_octets, limits.recipients), (1 << 20, 2 << 20, 101));
    assert_eq!((limits.connections, limits.connections_per_client), (1, 2));
    let octets = |mib: u64| Some(mib << 20);
    assert_eq!(
        limits.per_connection,
        Allotment { messages: Some(3), recipients: Some(4), octets: octets(5) }
    );
    assert_eq!(limits.per_minute, Allotment { messages: Some(6), recipients: Some(7), octets: octets(8) });
    assert_eq!((limits.errors_undelayed, limits.errors, limits.auth_failures), (9, 11, 13));
    let times = [
        limits.error_delay,
        limits.auth_delay,
        limits.auth_window,
        limits.command_time,
        limits.message_time,
        limits.session_time,
    ];
    assert_eq!(times, [10, 12, 14, 15, 16, 17].map(Duration::from_secs));
}

#[test]
fn few_errors_leave_none_of_them_delayed_without_a_word() {
    let limits = settings(&format!("[smtp]\nerrors = 3\n{}", listener_with(""))).limits;
    assert_eq!((limits.errors, limits.errors_undelayed), (3, 3));
    let delays =
        settings(&format!("[smtp]\nerror_delay = \"1m\"\nauth_delay = \"0s\"\n{}", listener_with("")));
    assert_eq!(
        (delays.limits.error_delay, delays.limits.auth_delay),
        (Duration::from_secs(60), Duration::ZERO)
    );
}

#[test]
fn a_listener_takes_the_general_certificate_or_its_own() {
    let settings = settings(
        r#"
        [smtp]
        certificate = "relay.pem"
        key = "relay.key"
        [[smtp.listener]]
        name = "usual"
        bind = "127.0.0.1:1"
        [[smtp.listener]]
        name = "off"
        bind = "127.0.0.1:2"
        tls = "off"
        [[smtp.listener]]
        name = "implicit"
        bind = "127.0.0.1:3"
        tls = "implicit"
        [[smtp.listener]]
        name = "own"
        bind = "127.0.0.1:4"
        certificate = "lan.pem"
        key = { file = "lan.key" }
        "#,
    );
    let [usual, off, implicit, own] = settings.listeners.as_slice() else { panic!("four") };
    assert!(matches!(usual.tls, Tls::StartTls(_)));
    assert!(matches!(off.tls, Tls::Off));
    assert!(matches!(implicit.tls, Tls::Implicit(_)));
    assert!(matches!(own.tls, Tls::StartTls(_)));
    let identities: Vec<_> = settings.identities().collect();
    let names: Vec<&str> = identities.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["usual", "implicit", "own"]);
    assert_eq!(identities[0].1, identities[1].1);
    assert_ne!(identities[0].1, identities[2].1);
}

#[test]
fn without_a_certificate_nothing_is_encrypted_and_without_accounts_nobody_is_asked() {
    let settings = settings(&listener_with(""));
    let listener = &settings.listeners[0];
    assert!(matches!(listener.tls, Tls::Off));
    assert_eq!((listener.auth, listener.auth_without_tls), (Auth::Off, false));
    assert_eq!(listener.profile, Profile::default());
    assert!(listener.proxies.is_empty() && listener.capture.is_none());
}

#[test]
fn a_profile_is_a_word_or_a_mix() {
    let of = |written: &str| settings(&listener_with(&format!("profile = {written}"))).listeners[0].profile;
    let hidden = Profile { hide_starttls: true, ..Profile::default() };
    assert_eq!(of("\"strict\""), Profile::default());
    assert_eq!(of("[]"), Profile::default());
    assert_eq!(of("\"appliance\""), Profile::APPLIANCE);
    assert_eq!(of("\"hide_starttls\""), hidden);
    assert_eq!(of("[\"strict\", \"hide_starttls\"]"), hidden);
    let both = Profile { hide_starttls: true, ..Profile::APPLIANCE };
    assert_eq!(of("[\"hide_starttls\", \"appliance\"]"), both);
    assert!(of("[\"lf_dot_ends_data\"]").lf_dot_ends_data);
    for switch in Profile::SWITCHES {
        assert_ne!(of(&format!("[\"{switch}\"]")), Profile::default(), "{switch}");
    }
}

#[test]
fn every_key_of_a_listener_a_network_and_an_account_reaches_its_setting() {
    let loaded = loaded(
        r#"
        [[smtp.listener]]
        name = "lan"
        bind = "127.0.0.1:25"
        auth = "required"
        auth_without_tls = true
        auth_mechanisms = ["login", "CRAM-MD5"]
        proxies = ["10.0.0.5"]
        capture = { directory = "captures", file_size = "2 KiB", files = 2, mask_numbers = false }

        [[smtp.network]]
        name = "old"
        networks = ["10.1.2.3/16"]
        listeners = ["lan"]
        profile = "appliance"
        auth = "off"
        auth_mechanisms = ["PLAIN"]
        capture = { directory = "captures", file_size = "2 KiB", files = 2, mask_numbers = false }
        connections = 7

        [[smtp.network]]
        name = "rest"
        networks = ["0.0.0.0/0"]

        [[smtp.account]]
        name = "ups"
        username = "UPS 1"
        password = { file = "ups.hash" }
        cram_md5 = { file = "ups.secret" }

        [[smtp.account]]
        name = "nas"
        cram_md5 = { file = "ups.secret" }
        "#,
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.to_string(), "");
    let settings = loaded.config.smtp;
    let listener = &settings.listeners[0];
    assert_eq!((listener.auth, listener.auth_without_tls), (Auth::Required, true));
    assert_eq!(listener.proxies, ["10.0.0.5/32".parse::<IpNet>().unwrap()]);
    let capture = listener.capture.as_ref().unwrap();
    assert!(capture.directory.is_absolute() && capture.directory.ends_with("captures"));
    assert_eq!((capture.file_octets, capture.files, capture.mask_numbers), (2048, 2, false));

    let network = &settings.networks[0];
    assert_eq!(network.name, "old");
    assert_eq!(network.networks, ["10.1.0.0/16".parse::<IpNet>().unwrap()]);
    assert_eq!(network.listeners, ["lan"]);
    assert_eq!((network.profile, network.auth), (Some(Profile::APPLIANCE), Some(Auth::Off)));
    assert_eq!(network.connections, Some(7));
    assert_eq!(listener.auth_mechanisms, Some(vec![Mechanism::Login, Mechanism::CramMd5]));
    assert_eq!(network.auth_mechanisms, Some(vec![Mechanism::Plain]));
    let of = |client: &str| settings.policy(listener, client.parse().unwrap()).auth_mechanisms;
    assert_eq!(of("10.1.9.9"), network.auth_mechanisms);
    assert_eq!(of("10.2.9.9"), listener.auth_mechanisms);
    // One directory is one capture, whoever names it.
    assert!(std::sync::Arc::ptr_eq(network.capture.as_ref().unwrap(), capture));
    let rest = &settings.networks[1];
    assert!(rest.listeners.is_empty() && rest.profile.is_none() && rest.auth.is_none());
    assert!(rest.capture.is_none() && rest.connections.is_none());

    let [ups, nas] = settings.accounts.as_slice() else { panic!("two") };
    assert_eq!((ups.name.as_str(), ups.username.as_str()), ("ups", "UPS 1"));
    assert!(ups.password.is_some());
    assert_eq!(ups.cram_md5.as_ref().unwrap().expose_secret(), "hunter2");
    assert_eq!((nas.username.as_str(), nas.password.is_none()), ("nas", true));

    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("k9ohroejZy"), "{shown}");
}

#[test]
fn accounts_are_offered_where_listeners_say_nothing() {
    let account = "[[smtp.account]]\nname = \"ups\"\npassword = { file = \"ups.hash\" }\n";
    let settings = settings(&format!("{}{account}", listener_with("auth_without_tls = true")));
    assert_eq!(settings.listeners[0].auth, Auth::Offered);
}

#[test]
fn a_capture_has_defaults() {
    let settings = settings(&listener_with("capture = { directory = \"c\" }"));
    let capture = settings.listeners[0].capture.as_ref().unwrap();
    assert_eq!((capture.file_octets, capture.files, capture.mask_numbers), (256 << 10, 100, true));
}
