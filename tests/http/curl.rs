//! The forms that curl sends.

use std::process::Stdio;

use super::support::{Door, account, form, limits};

/// curl's standard output; `None` where there is no curl.
pub(super) async fn curl(arguments: &[&str]) -> Option<String> {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let run = tokio::task::spawn_blocking(move || {
        std::process::Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
    });
    match run.await.unwrap() {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: no curl here");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

const STATUS: [&str; 4] = ["--output", "/dev/null", "--write-out", "%{http_code}"];

#[tokio::test]
async fn forms_parts_json_and_queries_are_the_same_message() {
    let door = Door::open().await;
    let (post, get) = (door.url("/sms"), door.get_url("/sms"));
    let text = "text=100% Caffè & più";
    let ways: [&[&str]; 5] = [
        &["--data-urlencode", "to=+393471234567", "--data-urlencode", text, &post],
        &["--form-string", "to=+393471234567", "--form-string", text, &post],
        &["--json", r#"{"to":["+393471234567"],"text":"100% Caffè & più"}"#, &post],
        &["--get", "--data-urlencode", "to=+393471234567", "--data-urlencode", text, &get],
        &[
            "--header",
            "Transfer-Encoding: chunked",
            "--data-urlencode",
            "to=+393471234567",
            "--data-urlencode",
            text,
            &post,
        ],
    ];
    for way in ways {
        let Some(status) = curl(&[&STATUS[..], way].concat()).await else { return };
        assert_eq!(status, "200", "{way:?}");
    }
    assert_eq!(door.forms(), vec![form(&["+393471234567"], "100% Caffè & più"); 5]);
    door.close().await;
}

#[tokio::test]
async fn credentials_of_curl_are_taken() {
    let door = Door::with(limits(), vec![account("printer", Some(("printer", "secret1")))]).await;
    let url = door.url("/sms");
    let data = ["--data", "to=391&text=a"];
    for (way, status) in [
        (&["--user", "printer:secret1"][..], "200"),
        // Asks first, and is told what to show.
        (&["--anyauth", "--user", "printer:secret1"], "200"),
        (&["--header", "X-Api-Key: secret1"], "200"),
        (&["--user", "printer:wrong"], "401"),
    ] {
        let Some(found) = curl(&[&STATUS[..], way, &data, &[&url]].concat()).await else { return };
        assert_eq!(found, status, "{way:?}");
    }
    assert_eq!(door.forms().len(), 3);
    door.close().await;
}

#[tokio::test]
async fn a_form_of_50_mb_is_refused_in_words() {
    let door = Door::open().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![b'x'; 50_000_000]).unwrap();
    let data = format!("@{}", file.path().display());
    // Without `Expect`, which curl would use to spare itself the body.
    let Some(answer) = curl(&["--header", "Expect:", "--data-binary", &data, &door.url("/sms")]).await else {
        return;
    };
    assert_eq!(answer, "the body is larger than 1000 octets, which is the most that is taken\n");
    assert_eq!(door.forms(), []);
    door.close().await;
}
