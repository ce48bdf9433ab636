//! What is read from requests of other gateways' APIs, and who may ask for what.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sms_relay::config;
use sms_relay::http::{Account, Limits, Program};
use sms_relay::intake::{Form, Refusal, RefusalKind};
use sms_relay::model::{Door as Kind, KannelMask, Secret, State, TellStyle, TellUrl};
use sms_relay::profile::Profile;
use sms_relay::telling::AllowedHost;

use super::status::{know, message};
use super::support::{Door, ID, account, form, limits, log_lines};

/// Everything that an API may be asked, in as few words as can be.
const OWN: &str = r#"
    [[http.profile]]
    name = "own"
    [http.profile.answers]
    refused = { status = 400, body = "REFUSED {{ reason }}" }
    unauthorized = { status = 403, body = "WHO" }
    forbidden = { status = 403, body = "WHERE" }
    no_session = { status = 403, body = "NO SESSION" }
    too_large = { status = 200, body = "LARGE" }
    too_fast = { status = 429, body = "SLOW" }
    unavailable = { status = 503, body = "LATER" }
    [[http.profile.endpoint]]
    paths = ["/send", "/sénd"]
    charset = "iso-8859-1"
    decode_twice = true
    times = "minutes"
    names = { username = "u", api_key = "h", session = "s", to = "to", text = "t", from = "f", lane = "lane", callback_url = "cb", deliver_at = "at" }
    [[http.profile.endpoint.answers.accepted]]
    when = { each = "yes" }
    body = "{% for one in recipients %}{{ one.to }} {{ one.ok }}\n{% endfor %}"
    [[http.profile.endpoint.answers.accepted]]
    when = { endless = "yes" }
    status = 202
    body = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
    [[http.profile.endpoint.answers.accepted]]
    body = "TAKEN {{ asked.ref|default('-') }}"
    [[http.profile.endpoint]]
    does = "login"
    methods = "POST"
    paths = "/login"
    names = { username = "u", api_key = "h" }
    answers.logged_in = { body = "{{ session }}" }
    [[http.profile.endpoint]]
    does = "status"
    methods = "GET"
    paths = "/state"
    names = { username = "u", api_key = "h", id = "id" }
    answers.known = { body = "{{ state }} {{ recipients|length }} {{ number }}" }
    answers.unknown_id = { status = 404, body = "UNKNOWN" }
"#;

/// Profiles as the configuration has them, and those of `own`.
pub(crate) fn profiles(names: &[&str], own: &str) -> Vec<Arc<Profile>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    let written = format!(
        "[[http.listener]]\nbind = \"127.0.0.1:0\"\nprofiles = {names:?}\n[[http.account]]\nname = \"a\"\n\
         without_password = true\n[routing]\nallowed = [\"+39\"]\n[defaults]\nsender = \"Relay\"\n[spool]\n\
         directory = \"spool\"\n[gateway]\nurl = \"http://127.0.0.1:9\"\ncredentials = \"emulator\"\n[reporting]\n\
         to = \"off\"\n{own}"
    );
    std::fs::write(&path, written).unwrap();
    let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.config.http.listeners[0].profiles.clone()
}

async fn door(names: &[&str], accounts: Vec<Account>) -> Door {
    Door::speaking(profiles(names, OWN), accounts).await
}

fn two() -> Vec<Account> {
    vec![account("box", Some(("box", "secret"))), account("nas", Some(("nas", "hidden")))]
}

/// The status and the body that a GET is answered with.
async fn get(door: &Door, target: &str) -> (u16, String) {
    answered(&door.exchange(format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).await)
}

async fn post(door: &Door, target: &str, content_type: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{content_type}Content-Length: {length}\r\n\r\n{body}"
    );
    answered(&door.exchange(request).await)
}

fn answered(response: &str) -> (u16, String) {
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {response:?}"));
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

#[tokio::test]
async fn fields_are_read_by_the_profile() {
    let door = door(&["own"], two()).await;
    let sent = "/send?u=box&h=secret";
    assert_eq!(get(&door, &format!("{sent}&to=%2B391&t=caff%E8&ref=7")).await, ok("TAKEN 7"));
    // Sent by something that encodes what is encoded.
    assert_eq!(get(&door, &format!("{sent}&to=%252B392&t=a%2520b%2525")).await, ok("TAKEN -"));
    assert_eq!(get(&door, "/s%C3%A9nd?u=box&h=secret&to=%2B393,%2B394&t=c").await, ok("TAKEN -"));
    let typed = "Content-Type: application/json; charset=utf-8\r\n";
    assert_eq!(post(&door, sent, typed, r#"{"to":["+395","+396"],"t":"è","at":"0"}"#).await, ok("TAKEN -"));
    let forms = door.forms();
    assert!(forms[3].deliver_at.is_some());
    let plain: Vec<Form> = forms.into_iter().map(|form| Form { deliver_at: None, ..form }).collect();
    assert_eq!(
        plain,
        [
            form(&["+391"], "caffè"),
            form(&["+392"], "a b%"),
            form(&["+393", "+394"], "c"),
            form(&["+395", "+396"], "è")
        ]
    );
}

#[tokio::test]
async fn kannel_and_playsms_read_their_own() {
    let door = door(&["kannel", "playsms", "nowsms", "smseagle"], two()).await;
    let kannel = "/cgi-bin/sendsms?username=box&password=secret&to=+391+392&charset=ISO-8859-15&text=%A4";
    assert_eq!(get(&door, kannel).await.0, 202);
    assert!(
        get(&door, "/?app=ws&op=pv&u=box&h=secret&to=%2B39347123453&msg=p")
            .await
            .1
            .starts_with("{\"data\":[{")
    );
    assert!(
        get(&door, "/?User=box&Password=secret&PhoneNumber=%2B39347123454&Text=n")
            .await
            .1
            .contains("MessageID=")
    );
    let body = r#"{"method":"sms.send_sms","params":{"login":"box","pass":"secret","to":"+39347123455","message":"j"}}"#;
    assert_eq!(post(&door, "/jsonrpc/sms", "", body).await, ok("{\"result\":\"OK; ID=[297]\"}"));
    let partial = |to: &[&str], text| Form { partial: true, ..form(to, text) };
    assert_eq!(
        door.forms(),
        [
            form(&["+391", "+392"], "€"),
            partial(&["+39347123453"], "p"),
            partial(&["+39347123454"], "n"),
            form(&["+39347123455"], "j")
        ]
    );
}

#[tokio::test]
async fn destinations_are_taken_in_part_where_the_answer_tells_of_each() {
    let door = door(&["own"], two()).await;
    let sent = "/send?u=box&h=secret&to=%2B39347123456,x,%2B39347123457&t=a";
    assert_eq!(
        get(&door, &format!("{sent}&each=yes")).await,
        ok("39347123456 True\nx False\n39347123457 True\n")
    );
    assert_eq!(get(&door, sent).await, ok("TAKEN -"));
    let partial: Vec<bool> = door.forms().iter().map(|form| form.partial).collect();
    assert_eq!(partial, [true, false]);
}

#[tokio::test]
async fn a_sender_is_heeded_only_where_the_account_may_choose_one() {
    let mut accounts = two();
    accounts[1].may_choose_sender = true;
    let door = door(&["own"], accounts).await;
    log_lines();
    assert_eq!(get(&door, "/send?u=box&h=secret&to=%2B391&t=a&f=NAS").await, ok("TAKEN -"));
    let said = |lines: &[String]| lines.iter().any(|line| line.contains("its sender is not heeded"));
    assert!(said(&log_lines()));
    assert_eq!(get(&door, "/send?u=nas&h=hidden&to=%2B391&t=a&f=NAS").await, ok("TAKEN -"));
    assert!(!said(&log_lines()));
    let senders: Vec<Option<String>> = door.forms().into_iter().map(|form| form.sender).collect();
    assert_eq!(senders, [None, Some("NAS".to_owned())]);
    let (status, why) = get(&door, "/send?u=nas&h=hidden&to=%2B391&t=a&lane=critical").await;
    assert_eq!(status, 400);
    assert!(why.starts_with("REFUSED account `nas` may not choose the lane"), "{why}");
}

#[tokio::test]
async fn credentials_come_in_headers_or_in_the_profiles_fields() {
    let door = door(&["own"], two()).await;
    let sent = async |parameters: &str, header: &str| {
        let request = format!(
            "GET /send?to=%2B391&t=a{parameters} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{header}\r\n"
        );
        answered(&door.exchange(request).await)
    };
    let who = (403, "WHO".to_owned());
    // box:secret
    assert_eq!(sent("", "Authorization: Basic Ym94OnNlY3JldA==\r\n").await, ok("TAKEN -"));
    assert_eq!(sent("&u=nobody&h=x", "X-Api-Key: hidden\r\n").await, ok("TAKEN -"), "the header counts");
    assert_eq!(sent("&h=hidden", "").await, ok("TAKEN -"), "a key alone");
    assert_eq!(sent("&u=box&h=hidden", "").await, who, "beside a user name it is the password");
    assert_eq!(sent("", "").await, who);
    assert_eq!(sent("&username=box&password=secret", "").await, who, "the names of /sms are not this API's");
    let accounts = [&door.recorder.forms.lock().unwrap()[..]].concat();
    let accounts: Vec<_> = accounts.iter().map(|(client, _)| client.account.clone().unwrap()).collect();
    assert_eq!(accounts, ["box", "nas", "nas"]);
}

#[tokio::test]
async fn wrong_credentials_and_sessions_wait() {
    let door = door(&["own"], two()).await;
    for (wrong, said) in [("u=box&h=wrong", "WHO"), ("s=00000000000000000000000000000000", "NO SESSION")] {
        let began = Instant::now();
        assert_eq!(get(&door, &format!("/send?{wrong}&to=%2B391&t=a")).await, (403, said.to_owned()));
        assert!(began.elapsed().as_secs() >= 1, "{wrong}");
    }
    assert!(door.forms().is_empty());
}

#[tokio::test]
async fn a_session_is_its_accounts_until_that_is_gone() {
    let door = door(&["own"], two()).await;
    assert_eq!(
        get(&door, "/login?u=nas&h=hidden").await.0,
        400,
        "a password in a URL is not this API's wish"
    );
    let (status, session) = post(&door, "/login", "", "u=nas&h=hidden").await;
    assert_eq!((status, session.len()), (200, 32), "{session}");
    let (_, other) = post(&door, "/login", "", "u=nas&h=hidden").await;
    assert_ne!(session, other);
    let sent = format!("/send?s={session}&to=%2B391&t=a");
    assert_eq!(get(&door, &sent).await, ok("TAKEN -"));
    assert_eq!(door.recorder.forms.lock().unwrap()[0].0.account.as_deref(), Some("nas"));
    door.accounts.store(Arc::new(two()[..1].to_vec()));
    assert_eq!(get(&door, &sent).await, (403, "NO SESSION".to_owned()));
    door.accounts.store(Arc::new(two()));
    assert_eq!(get(&door, &sent).await, (403, "NO SESSION".to_owned()), "it does not come back");
    assert!(!log_lines().iter().any(|line| line.contains(&session)), "a session is a secret");
}

#[tokio::test]
async fn wrong_sessions_are_limited_and_right_ones_pass() {
    let few = Limits { auth_failures: 2, auth_window: Duration::from_secs(300), ..limits() };
    let door = Door::speaking_within(few, profiles(&["own"], OWN), two()).await;
    let (_, session) = post(&door, "/login", "", "u=nas&h=hidden").await;
    let sent = async |session: &str| get(&door, &format!("/send?s={session}&to=%2B391&t=a")).await;
    for _ in 0..2 {
        assert_eq!(sent(&"0".repeat(32)).await, (403, "NO SESSION".to_owned()));
    }
    let wrong = format!(
        "GET /send?s={}&to=%2B391&t=a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "0".repeat(32)
    );
    let answer = door.exchange(wrong).await;
    assert_eq!(answered(&answer), (429, "SLOW".to_owned()));
    let seconds = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((290..=300).contains(&seconds.parse::<u64>().unwrap()), "{seconds}");
    assert_eq!(sent(&session).await, ok("TAKEN -"), "the right one");
    // Whoever has lost its session logs in again.
    assert_eq!(post(&door, "/login", "", "u=nas&h=hidden").await.0, 200);
    assert_eq!(get(&door, "/send?u=box&h=secret&to=%2B391&t=a").await, ok("TAKEN -"));
}

#[tokio::test]
async fn only_its_own_account_learns_of_an_sms() {
    let door = door(&["own"], two()).await;
    know(&door, Some("box"), Kind::Http, vec![message(1, State::Sent), message(2, State::Due)]);
    let state = async |who: &str, id: &str| get(&door, &format!("/state?{who}&id={id}")).await;
    let (own, foreign, unknown) = ("u=box&h=secret", "u=nas&h=hidden", (404, "UNKNOWN".to_owned()));
    let hex = "01563e3ab5d3d6764c61efb99302bd5b";
    for (id, said) in [
        (ID.to_owned(), "sent 2"),
        (format!("{ID}-2"), "due 1"),
        (hex.to_owned(), "sent 2"),
        ("01563E3A-B5D3-D676-4C61-EFB99302BD5B".to_owned(), "sent 2"),
    ] {
        let (status, body) = state(own, &id).await;
        assert_eq!(status, 200, "{id}");
        assert!(body.starts_with(said), "{id}: {body}");
        assert_eq!(state(foreign, &id).await, unknown, "{id}");
    }
    for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAW", "9999", "x", &format!("{ID}-3"), &hex.replace('0', "1")] {
        assert_eq!(state(own, id).await, unknown, "{id}");
    }
    assert_eq!(state(own, "").await.0, 400);
    know(&door, Some("box"), Kind::Smtp, vec![message(1, State::Sent)]);
    assert_eq!(state(own, ID).await, unknown, "a mail of an account with this name");
    door.recorder.is_down.store(true, Ordering::SeqCst);
    assert_eq!(state(own, ID).await, (503, "LATER".to_owned()));
}

#[tokio::test]
async fn what_was_taken_never_looks_refused() {
    let door = door(&["own"], two()).await;
    log_lines();
    assert_eq!(get(&door, "/send?u=box&h=secret&to=%2B391&t=a&endless=yes").await, ok(""));
    assert_eq!(door.forms().len(), 1);
    let lines = log_lines();
    assert!(
        lines.iter().any(|line| line.starts_with("ERROR") && line.contains("an answer cannot be written")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn refusals_have_the_profiles_words_and_the_waiting_time() {
    let door = door(&["own"], two()).await;
    let retry_after = std::time::Duration::from_millis(6001);
    for (kind, said, after) in [
        (RefusalKind::NotAllowed, "400 REFUSED why", None),
        (RefusalKind::StorageUnavailable, "503 LATER", Some("10")),
        (RefusalKind::TooFast { retry_after }, "429 SLOW", Some("7")),
    ] {
        *door.recorder.refusal.lock().unwrap() = Some(Refusal { kind, text: "why".to_owned() });
        let response = door
            .exchange(
                "GET /send?u=box&h=secret&to=%2B391&t=a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            )
            .await;
        let (status, body) = answered(&response);
        assert_eq!(format!("{status} {body}"), said);
        let told = response.lines().find_map(|line| line.strip_prefix("retry-after: "));
        assert_eq!(told, after, "{said}");
    }
}

#[tokio::test]
async fn a_form_whose_fate_is_not_known_is_not_answered() {
    let short = sms_relay::http::Limits {
        request_time: std::time::Duration::from_millis(200),
        ..super::support::limits()
    };
    let door = Door::speaking_within(short, profiles(&["own"], OWN), two()).await;
    door.recorder.waits.store(true, Ordering::SeqCst);
    let request = "GET /send?u=box&h=secret&to=%2B391&t=a HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(door.exchange(request).await, "");
}

#[tokio::test]
async fn strangers_and_large_bodies_get_the_profiles_refusal() {
    let door = door(&["own"], two()).await;
    // The limit of the test's door is 1000 octets.
    let body = |length: usize| format!("u=box&h=secret&to=%2B391&t={}", "a".repeat(length - 27));
    assert_eq!(post(&door, "/send", "", &body(1000)).await, ok("TAKEN -"));
    assert_eq!(post(&door, "/send", "", &body(1001)).await, ok("LARGE"));
    // What follows can't be told from the body: the door ends the connection itself.
    let large = format!("POST /send HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n{}", body(1001));
    let response = door.exchange(large).await;
    assert!(response.contains("\r\nconnection: close\r\n") && response.ends_with("LARGE"), "{response}");
    let mut accounts = two();
    for account in &mut accounts {
        account.networks = vec!["192.0.2.0/24".parse().unwrap()];
    }
    door.accounts.store(Arc::new(accounts));
    assert_eq!(get(&door, "/send?u=box&h=secret&to=%2B391&t=a").await, (403, "WHERE".to_owned()));
    assert_eq!(door.forms().len(), 1);
}

#[tokio::test]
async fn a_listener_speaks_only_what_it_is_told_to() {
    let door = door(&["kannel"], two()).await;
    let sent = "/cgi-bin/sendsms?user=box&pass=secret&to=%2B391&text=a";
    assert_eq!(get(&door, sent).await.0, 202);
    assert_eq!(get(&door, "/http_api/send_sms?login=box&pass=secret&to=%2B391&message=a").await.0, 404);
    let mut gets = door.connect_to_gets().await;
    gets.send(format!("GET {sent} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).await;
    assert_eq!(answered(&gets.rest().await).0, 404);
    assert_eq!(door.forms().len(), 1);
    // Passwords and numbers of a request stay out of the log at any level that the relay itself writes.
    for line in log_lines().iter().filter(|line| line.contains("sms_relay")) {
        assert!(!line.contains("secret") && !line.contains("39347"), "{line}");
    }
}

#[tokio::test]
async fn a_client_of_kannel_says_where_and_of_what_it_is_told() {
    let program = Program {
        url: Some("https://shop.example.com/usual".to_owned()),
        hosts: vec![AllowedHost::parse("pbx.example.com:8080").unwrap()],
        secret: Secret::from("k3y"),
    };
    let shop = Account { program: Some(program), ..account("box", Some(("box", "secret"))) };
    let door = door(&["kannel"], vec![shop]).await;
    let taken = async |parameters: &str| {
        let sent = "/cgi-bin/sendsms?user=box&pass=secret&to=%2B391&text=a";
        let (status, answer) = get(&door, &format!("{sent}&{parameters}")).await;
        assert_eq!((status, answer.as_str()), (202, "0: Accepted for delivery"), "{parameters}");
        door.recorder.forms.lock().unwrap().pop().unwrap().1.tell_url
    };
    let by_kannel = |url: &str, bits| {
        let style = TellStyle::Kannel(KannelMask::from_bits(bits).unwrap());
        Some(TellUrl { url: url.to_owned(), account: "box".to_owned(), style })
    };
    let url = "http%3A%2F%2Fpbx.example.com%3A8080%2Fdlr%3Fid%3D7%26s%3D%25d%26t%3D%25%25C3";
    let written = "http://pbx.example.com:8080/dlr?id=7&s=%d&t=%%C3";
    for (parameters, told) in [
        (format!("dlr-url={url}&dlr-mask=31"), by_kannel(written, 31)),
        (format!("dlrurl={url}&dlrmask=1"), by_kannel(written, 1)),
        // As devices write it that do not encode.
        (
            "dlr-mask=19&dlr-url=http://PBX.example.com:8080/dlr/%d?to=%p".to_owned(),
            by_kannel("http://PBX.example.com:8080/dlr/%d?to=%p", 19),
        ),
    ] {
        assert_eq!(taken(&parameters).await, told, "{parameters}");
    }
    let style = TellStyle::Signed;
    let usual =
        TellUrl { url: "https://shop.example.com/usual".to_owned(), account: "box".to_owned(), style };
    for unheeded in [
        String::new(),
        format!("dlr-url={url}"),
        "dlr-mask=31".to_owned(),
        format!("dlr-url={url}&dlr-mask=0"),
        // Bits of what never comes.
        format!("dlr-url={url}&dlr-mask=12"),
        format!("dlr-url={url}&dlr-mask=64"),
        format!("dlr-url={url}&dlr-mask=all"),
        format!("dlr-url={url}&dlrurl={url}&dlr-mask=31"),
        "dlr-mask=31&dlr-url=http://pbx.example.com/dlr".to_owned(),
        "dlr-mask=31&dlr-url=http://127.0.0.1:8080/dlr".to_owned(),
        "dlr-mask=31&dlr-url=http://a:b@pbx.example.com:8080/dlr".to_owned(),
        "dlr-mask=31&dlr-url=http://%25p.example.com:8080/dlr".to_owned(),
        "dlr-mask=31&dlr-url=ftp://pbx.example.com:8080/".to_owned(),
        "dlr-mask=31&dlr-url=%FF".to_owned(),
    ] {
        assert_eq!(taken(&unheeded).await, Some(usual.clone()), "{unheeded}");
    }
    door.accounts.store(two().into());
    assert_eq!(taken(&format!("dlr-url={url}&dlr-mask=31")).await, None, "no host is allowed");
    door.close().await;
}
