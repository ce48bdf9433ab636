//! The commands as a person types them: what they print, and the exit codes of sysexits(3).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use sms_relay::credential::PasswordHash;

use crate::support::{python, run};

fn relay(arguments: &[&str]) -> (Option<i32>, String) {
    // Help is wrapped to the terminal's width, where there is one.
    run("env", &[&["-u", "COLUMNS", env!("CARGO_BIN_EXE_sms-relay")], arguments].concat())
}

#[test]
fn version_and_help_are_told() {
    assert_eq!(relay(&["--version"]), (Some(0), format!("sms-relay {}\n", env!("CARGO_PKG_VERSION"))));
    let help = "\
Mail and form posts in, SMS out, failures back by bounce mail

Usage: sms-relay <COMMAND>

Commands:
  run            Runs the daemon until SIGTERM; SIGHUP reloads rules, aliases and credentials
  check          Reads a configuration and explains every mistake in it
  explain        Shows what would become of a mail or a form, and why; nothing is sent
  oncall         Shows who is on call by each rota
  queue          Looks after messages: `queue show ID` tells what became of one
  demo           Shows the main job with everything embedded: relay, platform, mailbox and phones
  emulator       Runs the platform's API on loopback, to try a configuration and send nothing
  hash-password  Makes the hash of a password or an API key for an account
  help           Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help
  -V, --version  Print version

Examples:
  sms-relay demo                        see the whole job in a few seconds
  sms-relay emulator                    a platform on loopback to try a configuration with
  sms-relay check --config relay.toml   every mistake with file, line and column
  sms-relay explain alarm.eml           what would be sent, and why
  sms-relay run --config relay.toml     the daemon
  sms-relay queue show ID               what became of a message
  sms-relay oncall                      who is on call now
  sms-relay hash-password > ups.hash    what checks a password and does not tell it

Exit codes are those of sysexits(3): 0 fine, 64 wrong arguments, 65 wrong input, 69 a port
is in use, 73 the spool cannot be made, 77 not permitted, 78 the configuration is wrong.
";
    assert_eq!(relay(&["--help"]), (Some(0), help.to_owned()));
    for (command, example) in [
        ("run", "Example:\n  sms-relay run --config /etc/sms-relay/relay.toml\n"),
        ("check", "Example:\n  sms-relay check --config relay.toml && systemctl reload sms-relay\n"),
        ("demo", "Example:\n  sms-relay demo --once      ends by itself, exit code 0 when all went well\n"),
        ("emulator", "Example:\n  sms-relay emulator --bind 127.0.0.1:8026\n"),
        ("hash-password", "Example:\n  sms-relay hash-password > ups.hash && chmod 600 ups.hash\n"),
    ] {
        let (code, printed) = relay(&[command, "--help"]);
        assert_eq!(code, Some(0));
        assert!(printed.ends_with(example), "{printed}");
    }
}

#[test]
fn wrong_arguments_are_64() {
    let unknown = "\
error: unrecognized subcommand 'frobnicate'

Usage: sms-relay <COMMAND>

For more information, try '--help'.
";
    assert_eq!(relay(&["frobnicate"]), (Some(64), unknown.to_owned()));
    assert_eq!(relay(&["run", "--confg", "x"]).0, Some(64));
    let (code, printed) = relay(&[]);
    assert_eq!(code, Some(64));
    assert!(printed.contains("Usage: sms-relay <COMMAND>"), "{printed}");
    let elsewhere = "sms-relay: the emulator is for this machine only; bind it to 127.0.0.1 or [::1]\n";
    assert_eq!(relay(&["emulator", "--bind", "192.0.2.1:8026"]), (Some(64), elsewhere.to_owned()));
}

#[test]

fn check_says_that_the_copied_example_has_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("relay.example.toml"), &path).unwrap();
    let shown = path.to_str().unwrap();
    let written = std::fs::read_to_string(&path).unwrap();
    let tests = written.lines().filter(|line| *line == "[[test]]").count();
    assert!(tests > 40, "only {tests}");
    assert_eq!(
        relay(&["check", "--config", shown]),
        (Some(0), format!("{shown}: no error\n{tests} tests passed\n"))
    );
}

#[test]
fn check_and_run_show_the_same_mistakes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    let broken = r#"
[[smtp.listener]]
bind = "127.0.0.1:0"
network = ["10.0.0.0/8"]

[defaults]
sender = "ABCDEFGHIJKL"

[[rule]]
name = "ups"
when.subject = "power ("
"#;
    std::fs::write(&path, broken).unwrap();
    let shown = path.to_str().unwrap();
    let expected = "\
FILE:4:1: error: unknown key `network` in [smtp.listener]; did you mean `networks`?
  4 | network = [\"10.0.0.0/8\"]
    | ^^^^^^^

FILE:7:10: error: sender `ABCDEFGHIJKL` has 12 characters; an alphanumeric sender has at most 11
  7 | sender = \"ABCDEFGHIJKL\"
    |          ^^^^^^^^^^^^^^

FILE:11:23: error: this is not a valid regular expression: unclosed group
  11 | when.subject = \"power (\"
     |                       ^

FILE: warning: no destination is allowed yet, and every recipient will be refused; list prefixes in [routing] like allowed = [\"+39\"]

FILE: error: `directory` is missing in [spool]; write it like directory = \"/var/lib/sms-relay\"

FILE: error: `url` is missing in [gateway]; write it like url = \"https://lora-api.agiletelecom.com\"

FILE: error: [gateway] has no credentials; write api_key = { file = \"PATH\" }

FILE: warning: there is no [smarthost], so nobody is told about failures; write one, or set `to = \"off\"` in [reporting]

6 errors and 2 warnings in FILE
";
    let (code, printed) = relay(&["check", "--config", shown]);
    assert_eq!((code, printed.replace(shown, "FILE")), (Some(78), expected.to_owned()));
    assert_eq!(relay(&["run", "--config", shown]), (Some(78), printed));

    let nowhere = directory.path().join("nowhere.toml");
    let nowhere = nowhere.to_str().unwrap();
    let missing = format!(
        "{nowhere}: error: the configuration cannot be read: No such file or directory (os error 2)\n\n1 error in {nowhere}\n"
    );
    assert_eq!(relay(&["check", "--config", nowhere]), (Some(78), missing.clone()));
    assert_eq!(relay(&["run", "--config", nowhere]), (Some(78), missing));
}

/// What `sms-relay hash-password` does with `input`: its exit code, its output, its words of failure.
fn hash_password(input: &[u8], output: Stdio) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sms-relay"))
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A password that is too long is not read to its end.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn hash_password_prints_what_checks_the_password_and_nothing_else() {
    let (code, hash, said) = hash_password("correct hörse\n".as_bytes(), Stdio::piped());
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(hash.ends_with('\n') && hash.lines().count() == 1, "{hash}");
    let read = PasswordHash::parse(hash.trim_end()).unwrap();
    assert!(read.verify("correct hörse") && !read.verify("correct horse"));
    let (_, other, _) = hash_password("correct hörse\n".as_bytes(), Stdio::piped());
    assert_ne!(hash, other, "each has a salt of its own");
}

#[test]
fn hash_password_refuses_what_is_no_password() {
    for (input, said) in [
        (&b""[..], "sms-relay: the password is empty\n"),
        (b"\r\n", "sms-relay: the password is empty\n"),
        (b"\nhunter2\n", "sms-relay: the password is empty\n"),
        (b"hunter2\x1b[A\n", "sms-relay: the password has control characters in it\n"),
        (b"hunter\xff\n", "sms-relay: the password is not UTF-8 text\n"),
        (&[b'a'; 1025], "sms-relay: the password is over 1024 octets\n"),
    ] {
        assert_eq!(hash_password(input, Stdio::piped()), (Some(65), String::new(), said.to_owned()));
    }
    // A password is no argument.
    assert_eq!(relay(&["hash-password", "hunter2"]).0, Some(64));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = "sms-relay: the hash cannot be written: No space left on device (os error 28)\n";
    assert_eq!(hash_password(b"hunter2\n", full.into()), (Some(69), String::new(), said.to_owned()));
}

#[test]
fn hash_password_prints_what_checks_an_api_key() {
    let with = |input: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sms-relay"))
            .args(["hash-password", "--api-key"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, hash, said) = with(b"correct-horse-battery-staple\n");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    // By coreutils' sha256sum.
    assert_eq!(hash, "sha256:87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590\n");
    let (code, hash, said) = with(b"hunter2\n");
    assert_eq!((code, hash.as_str()), (Some(65), ""));
    assert!(
        said.starts_with("sms-relay: the API key has 7 octets, which can be guessed from its hash"),
        "{said}"
    );
}

/// A person at a terminal: what is shown while the password is typed is the questions alone.
#[test]
fn hash_password_asks_a_person_twice_and_shows_nothing() {
    let typed = r#"
import json, os, pty, sys, termios, time
order = json.load(sys.stdin)
child, terminal = pty.fork()
if child == 0:
    os.execv("/bin/sh", ["sh", "-c", 'exec "$0" hash-password > "$1"', order["program"], order["hash"]])
shown = b""
for question, answer in zip([b"Password: ", b"Once more: "], order["answers"]):
    while not shown.endswith(question):
        shown += os.read(terminal, 1000)
    # The question stands there a moment before the terminal is told to show nothing.
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        time.sleep(0.001)
    os.write(terminal, answer.encode() + b"\n")
while True:
    try:
        octets = os.read(terminal, 1000)
    except OSError:
        break
    if not octets:
        break
    shown += octets
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps([code, shown.decode().replace("\r\n", "\n")]))
"#;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ups.hash");
    let type_in = |answers: [&str; 2]| {
        let order = json!({"program": env!("CARGO_BIN_EXE_sms-relay"), "hash": path, "answers": answers});
        let told: (i32, String) = serde_json::from_str(&python(typed, &order.to_string())).unwrap();
        (told, std::fs::read_to_string(&path).unwrap())
    };
    let ((code, shown), hash) = type_in(["hunter2", "hunter2"]);
    assert_eq!((code, shown.as_str()), (0, "Password: \nOnce more: \n"));
    assert!(PasswordHash::parse(&hash).unwrap().verify("hunter2"));
    let ((code, shown), hash) = type_in(["hunter2", "hunter3"]);
    assert_eq!((code, hash.as_str()), (65, ""));
    assert_eq!(shown, "Password: \nOnce more: \nsms-relay: the two passwords differ; nothing was made\n");
}
