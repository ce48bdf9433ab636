use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::intake::RefusalKind;
use crate::model::{Door, Protocol};

/// Strict, without TLS and authentication.
fn terms() -> Terms {
    Terms {
        profile: Profile::default(),
        auth: Auth::Off,
        auth_without_tls: false,
        mechanisms: Arc::default(),
        tls: Encryption::Off,
        nonce: 7,
    }
}

fn session() -> Session {
    session_under(terms())
}

fn session_under(terms: Terms) -> Session {
    let limits = Limits { message_octets: 20, recipients: 2, errors: 5, ..Limits::default() };
    let settings = Settings { hostname: "relay.test".to_owned(), room: Room::new(0), limits };
    let client = Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        helo: None,
        account: None,
    };
    Session::new(Arc::new(settings), terms, client)
}

/// Feeds the pieces and writes down everything that happens; recipients whose local part is
/// `no` are refused, everything else is taken.
fn talk(session: &mut Session, pieces: &[&[u8]]) -> String {
    let mut transcript = Vec::new();
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let (used, step) = session.feed(piece);
            piece = &piece[used..];
            let mut next = step;
            while let Some(step) = next.take() {
                match step {
                    Step::Reply(reply) => reply.write_to(&mut transcript),
                    Step::Ask(question) => {
                        let refusal =
                            Refusal { kind: RefusalKind::UnknownRecipient, text: "unknown".to_owned() };
                        let answer = if question.recipient.local() == "no" { Err(refusal) } else { Ok(()) };
                        next = Some(session.recipient_answer(*question, answer));
                    }
                    Step::Deliver(delivery) => {
                        let envelope = &delivery.envelope;
                        let to: Vec<String> =
                            envelope.recipients.iter().map(|one| one.address.to_string()).collect();
                        let text = delivery.bytes.escape_ascii();
                        transcript.extend(
                            format!("[{} to {}: {text}]\r\n", envelope.reverse_path, to.join(" ")).bytes(),
                        );
                        next = Some(session.mail_answer(Ok("ID".to_owned())));
                    }
                    Step::AskSender(mail) => next = Some(session.sender_answer(*mail, Ok(()))),
                    Step::Authenticate(_) | Step::FailLogin(_) => {
                        next = Some(session.login_answer(Login::Failed))
                    }
                    Step::StartTls(reply) => reply.write_to(&mut transcript),
                    Step::Close(replies, _) => {
                        replies.iter().for_each(|reply| reply.write_to(&mut transcript));
                        transcript.extend(b"closed\r\n");
                        return String::from_utf8(transcript).unwrap();
                    }
                }
            }
        }
    }
    String::from_utf8(transcript).unwrap()
}

const MAIL: &[u8] = b"HELO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n";

#[test]
fn a_mail_becomes_one_delivery() {
    let mut session = session();
    let talked = talk(&mut session, &[MAIL, b"RCPT TO:<no@y>\r\nDATA\r\nhi\r\n..\r\n.\r\n"]);
    let expected = "250 relay.test\r\n250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n\
                    550 5.1.1 unknown\r\n354 go ahead; end with CR LF . CR LF\r\n\
                    [<a@x> to b@y: hi\\r\\n.\\r\\n]\r\n250 2.0.0 queued as ID\r\n";
    assert_eq!(talked, expected);
    assert_eq!(session.client().helo.as_deref(), Some("c"));
    assert_eq!(session.awaited(), Awaited::Command);
}

#[test]
fn what_is_awaited_changes_with_354_and_with_the_final_dot() {
    let mut session = session();
    assert_eq!(session.awaited(), Awaited::Command);
    talk(&mut session, &[MAIL, b"DATA\r\n"]);
    assert_eq!(session.awaited(), Awaited::Message);
    talk(&mut session, &[b"a\r\n.\r"]);
    assert_eq!(session.awaited(), Awaited::Message);
    talk(&mut session, &[b"\n"]);
    assert_eq!(session.awaited(), Awaited::Command);
}

#[test]
fn the_error_that_reaches_the_limit_is_answered_and_closes() {
    let four = b"X\r\nX\r\nX\r\nX\r\n".as_slice();
    let unknown = "500 5.5.1 unknown command; try HELP\r\n";
    assert_eq!(talk(&mut session(), &[four]), unknown.repeat(4));
    let expected = format!("{}421 4.7.0 relay.test closes: too many errors\r\nclosed\r\n", unknown.repeat(5));
    assert_eq!(talk(&mut session(), &[four, b"X\r\nNOOP\r\n"]), expected);
}

#[test]
fn too_many_recipients_are_no_errors() {
    let mut session = session();
    talk(&mut session, &[MAIL]);
    let many = b"RCPT TO:<b@y>\r\n".repeat(10_000);
    let talked = talk(&mut session, &[&many]);
    let refused = "452 4.5.3 a mail takes 2 recipients at most; send it again for the others\r\n";
    assert_eq!(talked, format!("250 2.1.5 recipient ok\r\n{}", refused.repeat(9_999)));
    assert!(talk(&mut session, &[b"DATA\r\n.\r\n"]).contains("[<a@x> to b@y b@y: ]"));
}

#[test]
fn the_host_name_may_be_no_domain_and_postmaster_is_then_a_temporary_failure() {
    let mut session = session();
    session.settings =
        Arc::new(Settings { hostname: "relay test".to_owned(), ..Settings::clone(&session.settings) });
    let talked = talk(&mut session, &[b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n"]);
    assert!(talked.ends_with("\r\n451 4.3.5 this relay's host name is not a valid domain\r\n"), "{talked}");
}

#[test]
fn endings_say_why() {
    let written = |ending| {
        let mut out = Vec::new();
        session().end(ending).write_to(&mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        written(Ending::TimedOut(Awaited::Command)),
        "421 4.4.2 relay.test closes: no complete command came in time\r\n"
    );
    assert_eq!(
        written(Ending::TimedOut(Awaited::Message)),
        "421 4.4.2 relay.test closes: the message did not end in time; nothing was kept\r\n"
    );
    assert_eq!(
        written(Ending::ShuttingDown),
        "421 4.3.2 relay.test closes: the service is stopping; try again later\r\n"
    );
}

/// A session where AUTH is offered, or not.
fn with_auth(auth: Auth, profile: Profile) -> Session {
    let mut session = session();
    let mechanisms = Arc::new([Mechanism::Plain, Mechanism::Login]);
    session.terms = Terms { auth, profile, mechanisms, auth_without_tls: true, ..terms() };
    session
}

#[test]
fn any_credentials_do_only_where_auth_is_not_offered() {
    let plain = b"EHLO c\r\nAUTH PLAIN AHVwcwBwdw==\r\nAUTH PLAIN AHVwcwA=\r\n";
    let nobody = "235 2.7.0 go on; the credentials do not matter here\r\n";
    let wrong = "535 5.7.8 user name or password are wrong\r\n";
    let said = |auth, profile| talk(&mut with_auth(auth, profile), &[plain]);
    for auth in [Auth::Offered, Auth::Required] {
        let said = said(auth, Profile::APPLIANCE);
        assert!(said.ends_with(&format!("\r\n{wrong}{wrong}")), "{said}");
    }
    assert!(said(Auth::Off, Profile::APPLIANCE).ends_with(&format!("HELP\r\n{nobody}{nobody}")));
    assert!(said(Auth::Off, Profile::default()).ends_with("502 5.5.1 AUTH is not offered here\r\n"));
    // Taken for nobody is nobody.
    let mut session = with_auth(Auth::Required, Profile::APPLIANCE);
    session.terms.auth_without_tls = false;
    session.terms.tls = Encryption::Possible;
    let said = talk(&mut session, &[plain, b"MAIL FROM:<a@x>\r\n"]);
    assert!(said.contains(nobody) && session.client().account.is_none(), "{said}");
    assert!(said.ends_with("530 5.7.0 say STARTTLS, then authenticate with AUTH\r\n"), "{said}");
    // Where some are offered, the others are not.
    let said = talk(&mut with_auth(Auth::Offered, Profile::APPLIANCE), &[b"HELO c\r\nAUTH CRAM-MD5\r\n"]);
    assert!(said.ends_with("504 5.5.4 this mechanism is not offered; EHLO tells which are\r\n"), "{said}");
}

#[test]
fn nobody_is_sent_to_starttls_where_there_is_none() {
    let mut session = with_auth(Auth::Required, Profile::default());
    session.terms.auth_without_tls = false;
    let said = talk(&mut session, &[b"HELO c\r\nAUTH PLAIN\r\nMAIL FROM:<a@x>\r\n"]);
    assert_eq!(
        said,
        "250 relay.test\r\n502 5.5.1 AUTH is not offered here\r\n530 5.7.0 only authenticated clients may send here, \
         and nobody can authenticate; tell the operator\r\n"
    );
}

#[test]
fn what_was_said_before_tls_is_forgotten() {
    let mut session = with_auth(Auth::Offered, Profile::default());
    session.terms.tls = Encryption::Possible;
    session.client.account = Some("ups".to_owned());
    talk(&mut session, &[b"EHLO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nBDAT 1\r\nxSTARTTLS\r\n"]);
    session.secured();
    assert_eq!((&session.client.account, &session.client.helo), (&None, &None));
    assert!(!session.is_in_message());
    let said = talk(&mut session, &[b"MAIL FROM:<a@x>\r\nEHLO c\r\nBDAT 0 LAST\r\nSTARTTLS\r\n"]);
    assert!(said.starts_with("503 5.5.1 say EHLO or HELO first\r\n250-"), "{said}");
    let end = "503 5.5.1 say MAIL and RCPT first\r\n503 5.5.1 TLS is active already\r\n";
    assert!(said.ends_with(end) && !said.contains("STARTTLS\r\n"), "{said}");
}

#[test]
fn the_envelope_says_how_the_mail_came() {
    let protocol = |hello: &str, tls| {
        let mut session = with_auth(Auth::Off, Profile::APPLIANCE);
        session.terms.tls = tls;
        talk(&mut session, &[hello.as_bytes(), b"MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n"]);
        match session.feed(b"BDAT 0 LAST\r\n").1 {
            Some(Step::Deliver(delivery)) => delivery.envelope.protocol,
            step => panic!("{step:?}"),
        }
    };
    for tls in [Encryption::Off, Encryption::Possible, Encryption::Active] {
        assert_eq!(protocol("HELO c\r\n", tls), Protocol::Smtp);
        assert_eq!(protocol("NOOP\r\n", tls), Protocol::Smtp);
    }
    assert_eq!(protocol("HELO c\r\nEHLO c\r\n", Encryption::Possible), Protocol::Esmtp);
    assert_eq!(protocol("EHLO c\r\nHELO c\r\n", Encryption::Active), Protocol::Smtp);
    assert_eq!(protocol("EHLO c\r\n", Encryption::Active), Protocol::Esmtps);
}

#[test]
fn a_chunk_of_any_size_is_no_command() {
    // The whole number fits, so all of them are waited for.
    for begun in [&MAIL[..8], MAIL] {
        let mut session = session();
        let said = talk(&mut session, &[begun, b"BDAT 18446744073709551615\r\nQUIT\r\n", &[b'x'; 5000]]);
        assert!(!said.contains("221") && session.awaited() == Awaited::Message, "{said}");
        assert_eq!(session.octets(), 5006);
    }
    // One more does not, and what follows could be anything.
    let said = talk(&mut session(), &[MAIL, b"BDAT 18446744073709551616\r\nRSET\r\n"]);
    let farewell = "421 4.7.0 relay.test closes: what follows cannot be told from commands\r\nclosed\r\n";
    assert!(said.ends_with(&format!("501 5.5.4 syntax: BDAT octets [LAST]\r\n{farewell}")), "{said}");
}

#[test]
fn chunks_behind_one_that_failed_are_read_and_refused_with_their_own_reply() {
    let sent = b"BDAT 21\r\n.....................BDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\nNOOP\r\n";
    let refused = "503 5.5.1 say MAIL and RCPT first\r\n";
    let said = talk(&mut session(), &[MAIL, sent]);
    let expected = format!("552 5.3.4 a message has 20 octets at most\r\n{refused}{refused}250 2.0.0 ok\r\n");
    assert!(said.ends_with(&expected), "{said}");
}

fn hostile_stream() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        &b"EHLO c\r\n"[..],
        b"EHLO a_b\r\n",
        b"HELO\r\n",
        b"MAIL FROM: a@x\r\n",
        b"BDAT 5\r\n",
        b"BDAT 0 LAST\r\n",
        b"BDAT 99999999999999999999\r\n",
        b"STARTTLS\r\n",
        b"AUTH LOGIN\r\n",
        b"AUTH PLAIN AGEAYg==\r\n",
        b"AGEAYg==\r\n",
        b"*\r\n",
        b"MAIL FROM:<a@x>\r\n",
        b"RCPT TO:<b@y>\r\n",
        b"RCPT TO:<no@y>\r\n",
        b"DATA\r\n",
        b".\r\n",
        b".\n",
        b"\r.\r",
        b"\n.\r\n",
        b"RSET\r\n",
        b"BDAT 7\r\n",
        b"BDAT 0\r\n",
        b"BDAT 5 LAST\r\n",
        b"text\r\n",
        b"\r",
        b"\n",
        b"\0",
        b"\xff",
        b"..",
    ]);
    proptest::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

/// Sessions with everything on and with nothing on, and in between.
fn any_terms() -> impl Strategy<Value = Terms> {
    let all = Profile { lf_dot_ends_data: true, hide_starttls: true, ..Profile::APPLIANCE };
    let profiles = [Profile::default(), Profile::APPLIANCE, all];
    let auth = prop::sample::select(vec![Auth::Off, Auth::Offered, Auth::Required]);
    let tls = prop::sample::select(vec![Encryption::Off, Encryption::Possible, Encryption::Active]);
    (prop::sample::select(profiles.to_vec()), auth, any::<bool>(), tls).prop_map(
        |(profile, auth, clear, tls)| {
            let mechanisms = vec![Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5].into();
            Terms { profile, auth, auth_without_tls: clear, mechanisms, tls, nonce: 7 }
        },
    )
}

proptest! {
    #[test]
    fn packets_make_no_difference(stream in hostile_stream(), size in 1usize..9, terms in any_terms()) {
        let whole = talk(&mut session_under(terms.clone()), &[&stream]);
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        prop_assert_eq!(talk(&mut session_under(terms), &pieces), whole);
    }

    #[test]
    fn any_octets_are_survived(
        stream in proptest::collection::vec(any::<u8>(), 0..3000),
        terms in any_terms(),
    ) {
        let talked = talk(&mut session_under(terms), &[&stream]);
        prop_assert!(talked.split_inclusive("\r\n").all(|line| line.len() <= 512));
    }
}

#[test]
fn the_operator_is_advised_once_a_session_and_only_where_a_switch_helps() {
    let advised = |lines: &[&str]| -> Vec<Option<&str>> {
        let mut session = session();
        lines
            .iter()
            .map(|line| {
                talk(&mut session, &[line.as_bytes(), b"\r\n"]);
                session.take_advice()
            })
            .collect()
    };
    assert_eq!(advised(&["HALLO", "EHLO a_b", "EHLO a_b"]), [None, Some("any_hello_name"), None]);
    assert_eq!(advised(&["MAIL FROM:<a@x>"]), [Some("mail_before_hello")]);
    assert_eq!(advised(&["AUTH LOGIN"]), [Some("mail_before_hello")]);
    assert_eq!(advised(&["EHLO c", "AUTH LOGIN", "MAIL FROM:a@x"]), [None, Some("any_credentials"), None]);
}
