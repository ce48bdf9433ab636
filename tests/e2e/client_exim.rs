//! Exim beside the relay: the mail server of a plain Debian. It sends by BDAT wherever it may, and begins
//! with that before it knows what becomes of its recipients.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::support::{DOORS, IMPLICIT, PASSWORD, STARTTLS, USERNAME, World, given, run, run_fed};

const MAIL: &str = "From: ups@example.com\nTo: oncall@sms.local\nSubject: Power\n\n";

/// How its log ends the line of a mail that went by BDAT and that we took.
const SENT: &str = " K C=\"250 2.0.0 queued as ";

/// The user that it changes to, which is built into it.
const USER: &str = "Debian-exim";

/// Where it was unpacked: its package and that of Postfix shut each other out.
fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/exim/usr/sbin/exim4")
}

/// Whether it is there and may be started here. Where it can't, the test says so and skips itself; in CI
/// it fails.
fn available() -> bool {
    let user = || run("id", &[USER]).0 == Some(0);
    given(program().exists() && user(), "Exim is not there; `.ci/run` unpacks it below target/clients")
        && given(geteuid().is_root(), "Exim starts for root only")
}

/// A directory for it with its configuration, program and spool.
struct Exim(TempDir);

impl Exim {
    /// One that relays to the door `relay` of localhost, with further lines of its transport and its
    /// authenticator.
    fn new(relay: SocketAddr, transport: &str, authenticator: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        std::fs::set_permissions(here, Permissions::from_mode(0o755)).unwrap();
        // It starts itself again as its user, who may not be able to come where this checkout is.
        std::fs::copy(program(), here.join("exim4")).unwrap();
        std::fs::set_permissions(here.join("exim4"), Permissions::from_mode(0o755)).unwrap();
        let spool = here.join("spool");
        let (code, printed) = run("install", &["-d", "-o", USER, "-g", USER, spool.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{printed}");
        let configuration = format!(
            "primary_hostname = exim.test
exim_path = {here}/exim4
spool_directory = {here}/spool
log_file_path = {here}/spool/%slog
log_selector = +smtp_confirmation +tls_certificate_verified
keep_environment =

begin routers
relay:
  driver = manualroute
  domains = sms.local
  route_list = * localhost
  self = send
  transport = relay
reports:
  driver = redirect
  data = :blackhole:

begin transports
relay:
  driver = smtp
  allow_localhost
  port = {port}
{transport}

begin retry
* * F,1h,10m

begin authenticators
{authenticator}
",
            here = here.display(),
            port = relay.port()
        );
        std::fs::write(here.join("exim.conf"), configuration).unwrap();
        Self(directory)
    }

    /// Sends a mail and returns its log, with what it printed in front.
    fn send(&self, to: &[&str], mail: &str) -> String {
        let (program, configuration) = (self.0.path().join("exim4"), self.0.path().join("exim.conf"));
        let usual = ["-C", configuration.to_str().unwrap(), "-v", "-odf", "-i", "-f", "ups@example.com"];
        let (code, printed) = run_fed(program.to_str().unwrap(), &[&usual, to].concat(), mail);
        assert_eq!(code, Some(0), "{printed}");
        let log = std::fs::read_to_string(self.0.path().join("spool/mainlog")).unwrap();
        printed + &log
    }
}

/// A mail that it sends in two chunks.
fn large(text: &str) -> String {
    let log = format!("{}\n", "x".repeat(70)).repeat(700);
    format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=cut\n{MAIL}--cut\n\n{text}\n\n\
         --cut\nContent-Disposition: attachment\n\n{log}\n--cut--\n"
    )
}

#[test]
fn it_relays_in_chunks() {
    if !available() {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let send = |to: &[&str], mail: &str| Exim::new(relay.smtp, "", "").send(to, mail);

    let told = send(&["oncall@sms.local"], &format!("{MAIL}one chunk\n"));
    assert!(told.contains(SENT) && !told.contains(">> DATA"), "{told}");
    assert_eq!(told.matches("> BDAT ").count(), 1, "{told}");

    let mail = large(".\ntwo chunks");
    let told = send(&["oncall@sms.local"], &mail);
    assert!(told.contains(SENT), "{told}");
    assert_eq!(told.matches("> BDAT ").count(), 2, "{told}");

    world.expect_texts(&["one chunk", ".\ntwo chunks"]);
    assert!(relay.terminate().success());
}

#[test]
fn its_chunks_behind_a_refused_recipient_are_passed_over() {
    if !available() {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let send = |to: &[&str], mail: &str| Exim::new(relay.smtp, "", "").send(to, mail);
    let why = "550 5.1.1 `nobody` is not a phone number, and there is no alias of that name";

    for mail in [format!("{MAIL}to nobody\n"), large("to nobody")] {
        let told = send(&["nobody@sms.local"], &mail);
        assert!(told.contains(why) && told.contains("> BDAT "), "{told}");
        assert!(told.contains("** nobody@sms.local"), "{told}");
    }

    let told = send(&["nobody@sms.local", "oncall@sms.local"], &format!("{MAIL}one of two\n"));
    assert!(told.contains(why) && told.contains("** nobody@sms.local"), "{told}");
    assert!(told.contains("=> oncall@sms.local") && told.contains(SENT), "{told}");

    world.expect_texts(&["one of two"]);
    assert!(relay.terminate().success());
}

/// What makes Exim speak as a door does. It looks for the name `localhost` in the certificate.
fn speaking(door: &str, authority: &str) -> String {
    let trust = format!(
        "  hosts_require_tls = *\n  tls_verify_certificates = {authority}\n  tls_verify_hosts = *\n  \
         tls_verify_cert_hostnames = *\n"
    );
    match door {
        STARTTLS => trust,
        IMPLICIT => format!("{trust}  protocol = smtps\n"),
        _ => "  hosts_avoid_tls = *\n".to_owned(),
    }
}

#[test]
fn tls_with_and_without_trust() {
    if !available() {
        return;
    }
    let world = World::with_doors("offered");
    // Exim reads the file of the authority as its user.
    std::fs::set_permissions(world.directory.path(), Permissions::from_mode(0o755)).unwrap();
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let trust = |authority: &str| {
            std::fs::set_permissions(authority, Permissions::from_mode(0o644)).unwrap();
            let exim = Exim::new(relay.door(door), &speaking(door, authority), "");
            exim.send(&["oncall@sms.local"], &format!("{MAIL}{door}\n"))
        };
        let told = trust(&world.authority());
        assert!(told.contains(" X=TLS1.3:") && told.contains(&format!(" CV=yes{SENT}")), "{told}");
        let told = trust(&world.stranger());
        assert!(told.contains("(certificate verification failed)"), "{told}");
        assert!(told.contains("== oncall@sms.local"), "it tries again later: {told}");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    if !available() {
        return;
    }
    let world = World::with_doors("required");
    std::fs::set_permissions(world.directory.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(world.authority(), Permissions::from_mode(0o644)).unwrap();
    let relay = world.start();
    let send = |door: &str, mechanism: &str, password: &str, text: &str| {
        let (driver, credentials) = match mechanism {
            "PLAIN" => ("plaintext", format!("client_send = ^{USERNAME}^{password}")),
            "LOGIN" => ("plaintext", format!("client_send = : {USERNAME} : {password}")),
            _ => ("cram_md5", format!("client_name = {USERNAME}\n  client_secret = {password}")),
        };
        let authenticator =
            format!("relay:\n  driver = {driver}\n  public_name = {mechanism}\n  {credentials}\n");
        let transport = format!("{}  hosts_require_auth = *\n", speaking(door, &world.authority()));
        let exim = Exim::new(relay.door(door), &transport, &authenticator);
        exim.send(&["oncall@sms.local"], &format!("{MAIL}{text}\n"))
    };
    let mut texts = Vec::new();
    for door in DOORS {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let text = format!("{door} {mechanism}");
            let told = send(door, mechanism, PASSWORD, &text);
            assert!(told.contains(&format!("> AUTH {mechanism}")), "{text}: {told}");
            assert!(told.contains(&format!(" A=relay{SENT}")), "{text}: {told}");
            texts.push(text);
        }
    }
    world.expect_texts(&texts);
    for mechanism in ["PLAIN", "CRAM-MD5"] {
        let told = send(STARTTLS, mechanism, "guessed", "x");
        assert!(
            told.contains("authenticator failed: 535 5.7.8 ") || told.contains("<< 535 5.7.8 "),
            "{told}"
        );
        assert!(told.contains("== oncall@sms.local"), "{told}");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
