//! wget, which many a shell script of an appliance has instead of curl.

use crate::support::{World, run, tool};

fn wget(arguments: &[&str], url: &str) -> (Option<i32>, String) {
    run("wget", &[&["--quiet", "--tries=1", "--output-document=-"], arguments, &[url]].concat())
}

#[test]
fn urls_forms_and_files() {
    if !tool("wget") {
        return;
    }
    let world = World::speaking(&["kannel"]);
    let relay = world.start();
    let form = relay.url("/sms");
    let login = |password| ["--auth-no-challenge".to_owned(), "--user=pbx".to_owned(), password];
    let right = login("--password=swordfish".to_owned());
    let right: Vec<&str> = right.iter().map(String::as_str).collect();

    // A template of URLs, filled in by hand: the plus sign is not escaped, the umlaut is raw UTF-8.
    let kannel = |password: &str| {
        let query = format!("username=pbx&password={password}&from=Box&to=+393470000001+%2B393470000002");
        relay.url(&format!("/cgi-bin/sendsms?{query}&text=Kühlung+è+aus"))
    };
    assert_eq!(wget(&[], &kannel("guessed")), (Some(8), String::new()), "8: the server answered an error");
    let (code, _) = wget(&["--auth-no-challenge", "--user=pbx", "--password=x", "--post-data=to=1"], &form);
    assert_eq!(code, Some(6), "6: the credentials were not taken");

    let (code, printed) = wget(&[], &kannel("swordfish"));
    assert_eq!((code, printed.as_str()), (Some(0), "0: Accepted for delivery"));

    let data = "--post-data=to=0039347 0000003;two&text=T%C3%BCr %2B Tor";
    let (code, printed) = wget(&[&right[..], &[data]].concat(), &form);
    assert_eq!(code, Some(0), "{printed}");

    let file = world.directory.path().join("body.json");
    std::fs::write(&file, r#"{"phone": "+393470000004", "msg": "Tür aus Datei"}"#).unwrap();
    let file = format!("--post-file={}", file.display());
    let kind = "--header=Content-Type: application/json";
    let (code, printed) = wget(&[&right[..], &[kind, &file]].concat(), &form);
    assert_eq!(code, Some(0), "{printed}");

    // Without a login before it is asked for, wget waits for 401 with a challenge and comes again.
    let late = ["--user=pbx", "--password=swordfish", "--post-data=to=393470000005&text=challenged"];
    let (code, printed) = wget(&late, &form);
    assert_eq!(code, Some(0), "{printed}");

    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Box"),
        ("+393470000002", "Kühlung è aus", "Box"),
        ("+393470000003", "Tür + Tor", "Relay"),
        ("+393470000001", "Tür + Tor", "Relay"),
        ("+393470000002", "Tür + Tor", "Relay"),
        ("+393470000004", "Tür aus Datei", "Relay"),
        ("+393470000005", "challenged", "Relay"),
    ]);
    assert!(relay.terminate().success());
}
