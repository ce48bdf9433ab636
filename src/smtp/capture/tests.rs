//! Whole captures, read back from their files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::test_log::TestLog;

const PATIENCE: Duration = Duration::from_secs(60);

fn at(milliseconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-21T12:03:01.123Z".parse().unwrap();
    Timestamp::from_millisecond(start.as_millisecond() + milliseconds).unwrap()
}

fn capture(directory: &Path) -> Capture {
    Capture { directory: directory.join("captures"), file_octets: 1 << 20, files: 10, mask_numbers: true }
}

fn client() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn open(recorder: &Recorder, settings: &Capture) -> Dialogue {
    recorder.open(&Arc::new(settings.clone()), "lan", client(), at(0))
}

fn with(queue: Queue) -> Recorder {
    let recorder = Recorder::new();
    recorder.queue.set(Some(queue)).unwrap();
    recorder
}

/// The files of a directory by name.
fn files(directory: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// What one dialogue leaves behind its two lines of header.
fn captured(settings: impl Fn(&mut Capture), speak: impl Fn(&mut Dialogue)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut capture = capture(directory.path());
    settings(&mut capture);
    let recorder = Recorder::new();
    let mut dialogue = open(&recorder, &capture);
    speak(&mut dialogue);
    drop(dialogue);
    assert!(recorder.flush(PATIENCE));
    let files = files(&capture.directory);
    assert_eq!(files.len(), 1);
    assert!(files[0].1.len() <= capture.file_octets.max(MIN_FILE_OCTETS));
    files[0].1.splitn(3, '\n').nth(2).unwrap().to_owned()
}

/// Part of a dialogue.
enum Turn {
    Client(Said, Vec<u8>),
    Server(&'static str),
}

fn turns() -> Vec<Turn> {
    let client = |said, text: &str| Turn::Client(said, text.as_bytes().to_vec());
    vec![
        Turn::Server("220 relay.test\r\n"),
        client(Said::Command, "EHLO x\\y\r\n"),
        Turn::Server("250-relay.test\r\n250 HELP\r\n"),
        client(Said::Command, "auth  plain  c2VjcmV0 \r\n"),
        Turn::Server("535 5.7.8 no\r\n"),
        client(Said::Command, "AUTH LOGIN\r\n"),
        Turn::Server("334 VXNlcm5hbWU6\r\n"),
        client(Said::Secret, "dXNlcg==\r\n"),
        client(Said::Secret, "c2VjcmV0LW9mLW1pbmU=\r\n"),
        Turn::Server("535 5.7.8 no\r\n"),
        client(Said::Command, "c2VjcmV0\r\n"),
        client(Said::Command, "MAIL FROM:<a@b>\nX\r\nRCPT TO:<+393471234567@sms.local>\r\n"),
        Turn::Server("250 2.1.5 +393471234567 is fine\r\n"),
        client(Said::Command, "DATA\r\n"),
        client(Said::Message, "Call 0039 347 1234567\u{e9}\0\r\n"),
        client(Said::Message, &"x".repeat(4094)),
        client(Said::Message, "+393471234567 at once\r\n.\r\n"),
        Turn::Server("250 2.0.0 queued\r\n"),
        client(Said::Command, &format!("AUTH PLAIN {}\r\n", "s".repeat(10_000))),
        client(Said::Command, "NOOP\r\nQUI"),
    ]
}

fn speak(dialogue: &mut Dialogue, piece: usize) {
    for turn in turns() {
        match turn {
            Turn::Client(said, octets) => {
                octets.chunks(piece).for_each(|piece| dialogue.client(piece, said, at(0)))
            }
            Turn::Server(text) => dialogue.server(text.as_bytes(), at(0)),
        }
    }
}

#[test]
fn a_dialogue_is_written_in_the_notation_of_the_tests() {
    let text = captured(|_| {}, |dialogue| speak(dialogue, usize::MAX));
    let long = "x".repeat(4094);
    let due = format!(
        "S: 220 relay.test\n\
         C: EHLO x\\\\y\n\
         S: 250-relay.test\n\
         S: 250 HELP\n\
         C: auth  plain  (secret, 9 octets)\n\
         S: 535 5.7.8 no\n\
         C: AUTH LOGIN\n\
         S: 334 VXNlcm5hbWU6\n\
         C: (secret, 8 octets)\n\
         C: (secret, 20 octets)\n\
         S: 535 5.7.8 no\n\
         C: (secret, 8 octets)\n\
         C: MAIL FROM:<a@b>\\nX\n\
         C: RCPT TO:<+39347•••4567@sms.local>\n\
         S: 250 2.1.5 +39347•••4567 is fine\n\
         C: DATA\n\
         C: Call 0039 3••• 4567\\xc3\\xa9\\0\n\
         c: {long}\n\
         C: +39347•••4567 at once\n\
         C: .\n\
         # +0.0s 4146 octets of message have come\n\
         S: 250 2.0.0 queued\n\
         C: AUTH PLAIN (secret, 10000 octets)\n\
         C: NOOP\n\
         c: QUI\n"
    );
    assert_eq!(text, due);
}

#[test]
fn cuts_make_no_difference() {
    let whole = captured(|_| {}, |dialogue| speak(dialogue, usize::MAX));
    for piece in [1, 2, 3, 7, 4095] {
        assert_eq!(captured(|_| {}, |dialogue| speak(dialogue, piece)), whole, "{piece}");
    }
}

#[test]
fn numbers_are_shown_where_the_settings_say_so_and_secrets_never() {
    let text = captured(|capture| capture.mask_numbers = false, |dialogue| speak(dialogue, 5));
    assert!(text.contains("C: RCPT TO:<+393471234567@sms.local>\n") && text.contains("0039 347 1234567"));
    assert!(!text.contains("c2Vj") && !text.contains("dXNl") && !text.contains("ssss"), "{text}");
}

#[test]
fn events_and_silence_have_their_times() {
    let text = captured(
        |_| {},
        |dialogue| {
            dialogue.note("TLS begins\nwith 393471234567", at(99));
            dialogue.server(b"220 x\r\n", at(1098));
            dialogue.client(b"NOOP\r\n", Said::Command, at(2098));
            dialogue.client(b"a", Said::Command, at(2099));
            dialogue.client(b"b\r\n", Said::Command, at(3097));
            dialogue.server(b"250 x\r\n", at(-5000));
            dialogue.client(b"c", Said::Command, at(12_399));
        },
    );
    assert_eq!(
        text,
        "# +0.0s TLS begins\\nwith 39347•••4567\nS: 220 x\n# +2.0s\nC: NOOP\nC: ab\nS: 250 x\n# +12.3s\nc: c\n"
    );
}

#[test]
fn the_end_comes_behind_what_was_left_unfinished() {
    let directory = tempfile::tempdir().unwrap();
    let capture = capture(directory.path());
    let recorder = Recorder::new();
    let mut dialogue = open(&recorder, &capture);
    dialogue.client(b"EHL", Said::Command, at(0));
    dialogue.server(b"421 4.4.2 too slow\r\n", at(300_000));
    dialogue.end("closed: no command in time", at(300_000));
    assert!(recorder.flush(PATIENCE));
    let text = &files(&capture.directory)[0].1;
    let due = "# A dialogue with 192.0.2.7 at the listener `lan`\n\
               # From: a capture that began 2026-11-21T12:03:01.123Z; secrets and numbers are masked\n\
               # +300.0s\nS: 421 4.4.2 too slow\nc: EHL\n# +300.0s closed: no command in time\n";
    assert_eq!(text, due);
}

#[test]
fn a_file_ends_at_its_bound_and_says_what_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut capture = capture(directory.path());
    let recorder = Recorder::new();
    let record = |capture: &Capture, event: &str| {
        let mut dialogue = open(&recorder, capture);
        for _ in 0..200 {
            dialogue.client(b"NOOP\r\n", Said::Command, at(0));
        }
        dialogue.server(b"250 bye\r\n", at(0));
        dialogue.end(event, at(0));
        assert!(recorder.flush(PATIENCE));
        let text = files(&capture.directory).remove(0).1;
        fs::remove_dir_all(&capture.directory).unwrap();
        text
    };
    let whole = record(&capture, "closed");
    let end = "# +0.0s closed\n";
    assert!(whole.ends_with(&format!("S: 250 bye\n{end}")));
    // The last lines have 768 octets of their own.
    let fits = whole.len() - end.len() + 768;
    assert!(fits > MIN_FILE_OCTETS);
    capture.file_octets = fits;
    assert_eq!(record(&capture, "closed"), whole);
    capture.file_octets = fits - 1;
    let cut = record(&capture, "closed");
    let rest =
        format!("# the rest is left out, 9 octets of the dialogue: a file has at most {} octets\n", fits - 1);
    assert_eq!(cut, whole.replace("S: 250 bye\n", &rest));
    // The longest event has its place, too.
    for event in ["\u{1}".repeat(9999), "1234567 x ".repeat(999)] {
        assert!(record(&capture, &event).len() <= capture.file_octets);
    }
    capture.file_octets = 0;
    let least = record(&capture, "closed");
    assert!(least.len() <= MIN_FILE_OCTETS && least.ends_with(end), "{least}");
    let shown = 6 * least.matches("C: NOOP\n").count();
    assert!(least.contains(&format!("left out, {} octets", 200 * 6 + 9 - shown)), "{least}");
}

#[test]
fn what_finds_no_place_in_the_queue_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let capture = capture(directory.path());
    let (queue, jobs) = Queue::by_hand(8000);
    let recorder = with(queue);
    let mut dialogue = open(&recorder, &capture);
    let mut silent = None;
    for number in 0..60 {
        dialogue.client(format!("NOOP {number:02}\r\n").as_bytes(), Said::Command, at(0));
        if number == 50 {
            silent = Some(open(&recorder, &capture));
        }
    }
    drop(silent);
    // The thread comes to work again.
    jobs.work_off();
    dialogue.client(b"RSET\r\n", Said::Command, at(0));
    drop(dialogue);
    jobs.work_off();
    let files = files(&capture.directory);
    assert_eq!(files.len(), 1, "of a dialogue that found no place at all there is no file");
    let text = files[0].1.splitn(3, '\n').nth(2).unwrap();
    let kept = text.matches("C: NOOP").count();
    let lines: String = (0..kept).map(|number| format!("C: NOOP {number:02}\n")).collect();
    let (lost, octets) = (60 - kept, (60 - kept) * 9);
    let hole =
        format!("# {lost} lines are left out, {octets} octets of the dialogue: the disk was too slow\n");
    assert!(kept > 10 && kept < 50, "{kept}");
    assert_eq!(text, format!("{lines}{hole}C: RSET\n"));
}

#[test]
fn a_hole_at_the_end_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let capture = capture(directory.path());
    let (queue, jobs) = Queue::by_hand(2000);
    let recorder = with(queue);
    let mut dialogue = open(&recorder, &capture);
    dialogue.client(&[b"NOOP ".as_slice(), &[b'x'; 1000], b"\r\n"].concat(), Said::Command, at(0));
    dialogue.end("closed", at(0));
    jobs.work_off();
    let text = files(&capture.directory).remove(0).1;
    let hole = "# a line is left out, 1007 octets of the dialogue: the disk was too slow\n# +0.0s closed\n";
    assert!(text.ends_with(hole), "{text}");
    // Everything taken was given back: as much fits as at the beginning.
    drop(recorder.open(&Arc::new(capture.clone()), "lan", client(), at(1)));
    jobs.work_off();
    assert_eq!(files(&capture.directory).len(), 2);
}

#[test]
fn the_oldest_captures_go_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture { files: 3, ..capture(directory.path()) };
    fs::create_dir(&capture.directory).unwrap();
    let ulid = "01KAKB5N0Q4X7Z8M2V3C6D9F1G";
    let others = [
        "0-notes.txt".to_owned(),
        format!("20201121T120301.123Z-lan-192.0.2.7-{ulid}.log"),
        format!("20201121T120301.123-lan-192.0.2.7-{ulid}.txt"),
        "20201121T120301.123Z-lan-192.0.2.7.txt".to_owned(),
    ];
    for other in &others {
        fs::write(capture.directory.join(other), "x").unwrap();
    }
    fs::create_dir(capture.directory.join(format!("20201121T120301.124Z-d-192.0.2.7-{ulid}.txt"))).unwrap();
    let link = capture.directory.join(format!("20201121T120301.125Z-l-192.0.2.7-{ulid}.txt"));
    symlink(directory.path(), &link).unwrap();
    let recorder = Recorder::new();
    for second in 0..5 {
        let client = "2001:db8::7".parse().unwrap();
        drop(recorder.open(&Arc::new(capture.clone()), "lan/../x", client, at(1000 * second)));
        assert!(recorder.flush(PATIENCE));
    }
    let names = || {
        fs::read_dir(&capture.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
    };
    assert!(others.iter().all(|other| names().any(|name| name == *other)));
    assert!(fs::symlink_metadata(link).is_ok());
    let mut captures: Vec<String> = names().filter(|name| name.contains("2001_db8__7")).collect();
    captures.sort();
    let times: Vec<&str> =
        captures.iter().map(|name| name.split_once("-lan____x-2001_db8__7-").unwrap().0).collect();
    assert_eq!(times, ["20261121T120303.123Z", "20261121T120304.123Z", "20261121T120305.123Z"]);
}

#[test]
fn files_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut capture = capture(directory.path());
    capture.directory = capture.directory.join("deeper");
    let recorder = Recorder::new();
    drop(open(&recorder, &capture));
    assert!(recorder.flush(PATIENCE));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&capture.directory), 0o700);
    let name = files(&capture.directory).remove(0).0;
    assert_eq!(mode(&capture.directory.join(name)), 0o600);
}

#[test]
fn a_directory_that_fails_is_told_once_and_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let in_the_way =
        Capture { directory: directory.path().join("file/captures"), ..capture(directory.path()) };
    fs::write(directory.path().join("file"), "x").unwrap();
    let open_to_all = Capture { directory: directory.path().join("open"), ..capture(directory.path()) };
    fs::create_dir(&open_to_all.directory).unwrap();
    fs::set_permissions(&open_to_all.directory, fs::Permissions::from_mode(0o777)).unwrap();
    let log = TestLog::default();
    let (queue, jobs) = Queue::by_hand(QUEUE);
    let recorder = with(queue);
    let told = |due: &[&str]| {
        tracing::subscriber::with_default(log.subscriber(tracing::Level::INFO), || jobs.work_off());
        let log = log.take();
        assert_eq!(log.lines().count(), due.len(), "{log}");
        assert!(due.iter().zip(log.lines()).all(|(due, line)| line.contains(due)), "{log}");
    };
    let mut dialogue = open(&recorder, &in_the_way);
    drop(open(&recorder, &in_the_way));
    drop(open(&recorder, &open_to_all));
    drop(open(&recorder, &open_to_all));
    told(&["Not a directory", "chmod go-w"]);
    // The dialogue has learned that it is of no use and gives nothing more to the thread.
    dialogue.client(b"NOOP\r\n", Said::Command, at(0));
    assert!(dialogue.page.is_none());
    fs::remove_file(directory.path().join("file")).unwrap();
    fs::set_permissions(&open_to_all.directory, fs::Permissions::from_mode(0o700)).unwrap();
    drop(open(&recorder, &in_the_way));
    drop(open(&recorder, &open_to_all));
    told(&["captured again", "captured again"]);
    assert_eq!(files(&in_the_way.directory).len(), 1);
    assert_eq!(files(&open_to_all.directory).len(), 1);
}

#[test]
fn a_file_that_was_removed_is_not_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture { files: 1, ..capture(directory.path()) };
    let recorder = Recorder::new();
    let mut first = open(&recorder, &capture);
    let mut second = recorder.open(&Arc::new(capture.clone()), "second", client(), at(1));
    for dialogue in [&mut first, &mut second] {
        dialogue.client(b"NOOP\r\n", Said::Command, at(2));
        assert!(recorder.flush(PATIENCE));
    }
    drop((first, second));
    assert!(recorder.flush(PATIENCE));
    let files = files(&capture.directory);
    assert_eq!(files.len(), 1);
    let (name, text) = &files[0];
    assert!(name.contains("-second-"), "{name}");
    assert!(text.starts_with("# A dialogue") && text.ends_with("C: NOOP\n"), "{text}");
}

#[test]
fn the_thread_ends_behind_the_last_dialogue_and_writes_everything() {
    let directory = tempfile::tempdir().unwrap();
    let capture = capture(directory.path());
    assert!(Recorder::new().flush(Duration::ZERO), "there is no thread to wait for");
    let (queue, thread) = Queue::start(QUEUE).unwrap();
    let mut dialogue = open(&with(queue), &capture);
    for number in 0..1000 {
        dialogue.client(format!("NOOP {number:03}\r\n").as_bytes(), Said::Command, at(0));
    }
    assert!(!thread.is_finished());
    drop(dialogue);
    thread.join().unwrap();
    assert!(files(&capture.directory)[0].1.ends_with("C: NOOP 998\nC: NOOP 999\n"));
}
