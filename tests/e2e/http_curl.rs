//! curl at the HTTP door, by every way that it has to hand something over.

use crate::support::certificates::write;
use crate::support::{Authority, Relay, World, run_fed, tool};

const PROFILES: [&str; 4] = ["kannel", "clickatell", "playsms", "smseagle"];

/// What came of one: the answer's status, the protocol that curl took, the answer itself, and what curl said of it.
struct Done {
    code: Option<i32>,
    status: String,
    version: String,
    answer: String,
    said: String,
}

fn curl(url: &str, arguments: &[&str], input: &str) -> Done {
    let usual = ["--silent", "--show-error", "--write-out", "\n@ %{http_code} %{http_version}\n"];
    let (code, printed) = run_fed("curl", &[&usual, arguments, &[url]].concat(), input);
    let (answer, rest) = printed.split_once("\n@ ").unwrap_or_else(|| panic!("{url}: {code:?} {printed}"));
    let (last, said) = rest.split_once('\n').unwrap();
    let (status, version) = last.split_once(' ').unwrap();
    let [status, version, answer, said] = [status, version, answer, said].map(str::to_owned);
    Done { code, status, version, answer, said }
}

/// One that has to go well.
fn sent(url: &str, arguments: &[&str], input: &str) -> Done {
    let done = curl(url, &[&["--fail-with-body"], arguments].concat(), input);
    assert_eq!(done.code, Some(0), "{url}: {} {} {}", done.status, done.answer, done.said);
    done
}

#[test]
fn the_apis_of_gateways() {
    if !tool("curl") {
        return;
    }
    let world = World::speaking(&PROFILES);
    let relay = world.start();
    let kannel = relay.url("/cgi-bin/sendsms");
    let eagle = relay.url("/jsonrpc/sms");

    let wrong = ["--get", "-d", "user=pbx&pass=guessed", "-d", "to=393470000001", "-d", "text=x"];
    let done = curl(&kannel, &[&["--fail"], &wrong[..]].concat(), "");
    assert_eq!((done.code, done.status.as_str()), (Some(22), "403"), "{}", done.answer);
    let wrong =
        r#"{"method":"sms.send_sms","params":{"access_token":"guessed","to":"+393470000001","message":"x"}}"#;
    let done = curl(&eagle, &["--json", wrong], "");
    assert_eq!(done.answer, r#"{"result":"Invalid login or password"}"#);

    let fields = ["--get", "--data-urlencode", "to=+393470000001 +393470000002", "--data-urlencode"];
    let done =
        sent(&kannel, &[&fields[..], &["text=Kühlung è aus", "-d", "user=pbx&pass=swordfish"]].concat(), "");
    assert_eq!((done.status.as_str(), done.answer.as_str()), ("202", "0: Accepted for delivery"));

    let parts = ["-F", "u=pbx", "-F", "h=swordfish", "-F", "to=393470000003", "-F", "msg=Tür in Teilen"];
    let done = sent(&relay.url("/index.php?app=ws&op=pv"), &parts, "");
    assert!(done.answer.contains(r#""status":"OK""#), "{}", done.answer);

    let call = r#"{"method":"sms.send_sms","params":{"access_token":"swordfish","to":"+393470000004","message":"Tür als JSON"}}"#;
    let done = sent(&eagle, &["--json", call], "");
    assert!(done.answer.starts_with(r#"{"result":"OK; ID=["#), "{}", done.answer);

    // The API's own host name, and the relay as the proxy on the way there.
    let form = ["-d", "user=pbx&password=swordfish&api_id=1&to=393470000005&text=By+proxy"];
    let proxy = relay.url("");
    let done =
        sent("http://api.clickatell.com/http/sendmsg", &[&["--proxy", &proxy], &form[..]].concat(), "");
    assert!(done.answer.starts_with("ID: "), "{}", done.answer);

    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393470000002", "Kühlung è aus", "Relay"),
        ("+393470000003", "Tür in Teilen", "Relay"),
        ("+393470000004", "Tür als JSON", "Relay"),
        ("+393470000005", "By proxy", "Relay"),
    ]);
    assert!(relay.terminate().success());
}

#[test]
fn each_version_of_http() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    let authority = Authority::new("Authority of the tests");
    let here = world.directory.path().to_owned();
    authority.issue(1).write(&here, "relay");
    write(&here, "authority.pem", &authority.pem);
    world.extra = "[[http.listener]]\nname = \"https\"\nbind = \"127.0.0.1:0\"\n\
                   tls = { certificate = \"relay.pem\", key = \"relay.key\" }\n"
        .to_owned();
    let relay = world.start();
    let secured = format!("https://localhost:{}/sms", relay.door("https").port());
    let authority = world.authority();
    let send = |url: &str, arguments: &[&str], text: &str| {
        let form = ["--user", "pbx:swordfish", "-d", "to=+393470000001", "--data-urlencode", text];
        sent(url, &[arguments, &form].concat(), "").version
    };
    assert_eq!(send(&relay.url("/sms"), &["--http1.0"], "text=è 1.0"), "1");
    assert_eq!(send(&relay.url("/sms"), &["--http1.1"], "text=è 1.1"), "1.1");
    assert_eq!(send(&secured, &["--http1.1", "--cacert", &authority], "text=è 1.1 and TLS"), "1.1");
    assert_eq!(send(&secured, &["--http2", "--cacert", &authority], "text=è 2"), "2");
    // In the clear it asks for an upgrade, and goes on without.
    assert_eq!(send(&relay.url("/sms"), &["--http2"], "text=è no upgrade"), "1.1");

    let wrong = ["--http2", "--cacert", &authority, "--fail", "--user", "pbx:guessed", "-d", "to=1&text=x"];
    let done = curl(&secured, &wrong, "");
    assert_eq!((done.code, done.status.as_str()), (Some(22), "401"), "{}", done.answer);
    world.expect_texts(&["è 1.0", "è 1.1", "è 1.1 and TLS", "è 2", "è no upgrade"]);
    assert!(relay.terminate().success());
}

/// A form with a picture beside its text, as cameras send it, of so many octets; and one that is fed to curl.
fn picture(relay: &Relay, octets: usize, arguments: &[&str], text: &str) -> Done {
    let text = format!("text={text}");
    let form = ["-F", "to=+393470000001", "-F", &text, "-F", "picture=@-;filename=door.jpg;type=image/jpeg"];
    let usual = ["--verbose", "--user", "pbx:swordfish"];
    curl(&relay.url("/sms"), &[&usual, &form[..], arguments].concat(), &"x".repeat(octets))
}

#[test]
fn large_bodies_are_waited_for_or_refused_before_they_come() {
    if !tool("curl") {
        return;
    }
    const MIB: usize = 1 << 20;
    let mut world = World::new();
    world.extra = format!("[http]\nbody_size = {}\n", 2 * MIB);
    let relay = world.start();

    // Over the limit and announced: curl asks first, and is told no.
    let done = picture(&relay, 2 * MIB, &[], "refused");
    assert!(done.said.contains("> Expect: 100-continue"), "{}", done.said);
    assert!(!done.said.contains("< HTTP/1.1 100 "), "{}", done.said);
    assert_eq!((done.code, done.status.as_str()), (Some(0), "413"), "{}", done.said);

    let done = picture(&relay, MIB + 1, &[], "Tür mit Bild");
    assert!(done.said.contains("> Expect: 100-continue"), "{}", done.said);
    assert!(done.said.contains("< HTTP/1.1 100 Continue"), "{}", done.said);
    assert_eq!((done.code, done.status.as_str()), (Some(0), "200"), "{}", done.said);

    // `-T -` knows no length: chunks.
    let upload = ["--verbose", "--user", "pbx:swordfish", "--header", "Expect: 100-continue", "-T", "-"];
    let json = r#"{"to": "+393470000001", "text": "Tür in Stücken"}"#;
    let posted = [&["-X", "POST", "--header", "Content-Type: application/json"], &upload[..]].concat();
    let done = curl(&relay.url("/sms"), &posted, json);
    assert!(done.said.contains("> Transfer-Encoding: chunked"), "{}", done.said);
    assert_eq!((done.code, done.status.as_str()), (Some(0), "200"), "{}", done.said);
    // As PUT, which it is without `-X`, it is no form.
    let done = curl(&relay.url("/sms"), &[&["--fail"], &upload[..]].concat(), json);
    assert_eq!((done.code, done.status.as_str()), (Some(22), "405"), "{}", done.said);

    world.expect_texts(&["Tür mit Bild", "Tür in Stücken"]);
    assert!(relay.terminate().success());
}
