//! The directory, the lock, the file and its versions.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;

use super::super::super::behaviour::{
    accept_one, at, claim_ids, look, room, sent, settle, submission, timeline,
};
use super::super::super::{Recovered, Spool, SpoolError};
use super::super::{FILE, SqliteSpool, schema};
use super::{open, open_in, outsider, settings};
use crate::model::State;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The sentence with which opening fails.
fn refusal(directory: &Path) -> SpoolError {
    SqliteSpool::open(settings(directory)).err().unwrap()
}

#[tokio::test]
async fn directory_and_files_are_made_for_their_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/spool");
    let spool = open_in(&directory);
    accept_one(&spool, 0, 1).await;
    assert_eq!(mode(&directory), 0o750);
    let mut names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["spool.lock", "spool.sqlite", "spool.sqlite-shm", "spool.sqlite-wal"]);
    for name in names {
        assert_eq!(mode(&directory.join(&name)) & 0o137, 0, "{name}");
    }
}

#[test]
fn a_file_that_others_could_read_is_closed_to_them() {
    let (spool, directory) = open();
    drop(spool);
    let file = directory.path().join(FILE);
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    drop(open_in(directory.path()));
    assert_eq!(mode(&file), 0o640);
}

#[test]
fn a_directory_that_everybody_may_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let name = directory.path().display();
    assert_eq!(
        refusal(directory.path()).to_string(),
        format!(
            "the spool cannot be used: everybody may write to its directory `{name}`; run `chmod o-rwx {name}`"
        )
    );
    fs::set_permissions(directory.path(), Permissions::from_mode(0o775)).unwrap();
    drop(open_in(directory.path()));
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    assert_eq!(
        refusal(&file).to_string(),
        format!("the spool cannot be used: `{}` is not a directory", file.display())
    );
}

#[test]
fn two_never_share_a_directory() {
    let (spool, directory) = open();
    assert_eq!(
        refusal(directory.path()).to_string(),
        format!(
            "the spool cannot take anything now: another sms-relay (process {}) uses `{}`; stop it, or give this one \
             a directory of its own",
            std::process::id(),
            directory.path().display()
        )
    );
    drop(spool);
    drop(open_in(directory.path()));
}

#[tokio::test]
async fn everything_is_there_after_the_next_start() {
    let (spool, directory) = open();
    let given = submission(0, &[1, 2, 3]);
    let [sent_one, claimed, due] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given.clone()).await.unwrap();
    spool.claim_due(at(1), room(2)).await.unwrap();
    settle(&spool, sent_one, sent(90), 2).await;
    let before = spool.submission(given.id).await.unwrap();
    drop(spool);
    let spool = open_in(directory.path());
    assert_eq!(spool.submission(given.id).await.unwrap(), before);
    assert_eq!(spool.recover(at(5), at(6)).await.unwrap(), Recovered { unknown: 1, mail: 0 });
    assert_eq!(look(&spool, claimed).await.state, State::Unknown);
    assert_eq!(claim_ids(&spool, 7).await, [due]);
    assert_eq!(
        timeline(&spool, sent_one).await,
        ["0 due: accepted", "1 claimed: attempt 1 began", "2 sent: the platform has it"]
    );
}

#[tokio::test]
async fn the_sqlite3_shell_shows_words() {
    let (spool, directory) = open();
    let id = accept_one(&spool, 0, 1).await;
    claim_ids(&spool, 1).await;
    settle(&spool, id, sent(90), 2).await;
    let outsider = outsider(directory.path());
    let line = |sql: &str| -> String { outsider.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        line(
            "SELECT submission || '-' || ordinal || ' ' || state || ' ' || destination || ' ' || body FROM sms"
        ),
        format!("{id} sent +393470000001 Battery low")
    );
    assert_eq!(
        line("SELECT group_concat(message || ' ' || at || ' ' || state || ' ' || note, '; ') FROM timeline"),
        format!(
            "{id} 2023-11-14 22:13:20.000 due accepted; {id} 2023-11-14 22:13:21.000 claimed attempt 1 began; {id} \
             2023-11-14 22:13:22.000 sent the platform has it"
        )
    );
    assert_eq!(
        line("SELECT group_concat(n || ' ' || (ended_at - began_at) || ' ' || outcome) FROM attempt"),
        "1 1000 sent: the platform has it"
    );
}

#[test]
fn each_migration_is_applied_once_and_in_one_transaction() {
    let mut connection = Connection::open_in_memory().unwrap();
    let version = |connection: &Connection| -> i64 {
        connection.pragma_query_value(None, "user_version", |r| r.get(0)).unwrap()
    };
    let first = "CREATE TABLE a (x); INSERT INTO a VALUES (1);";
    schema::migrate(&mut connection, &[first]).unwrap();
    assert_eq!(version(&connection), 1);
    let broken = "INSERT INTO a VALUES (2); CREATE TABLE a (x);";
    assert!(schema::migrate(&mut connection, &[first, broken]).is_err());
    let rows = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap()
    };
    assert_eq!((version(&connection), rows(&connection)), (1, 1), "nothing of the broken one");
    schema::migrate(&mut connection, &[first, "INSERT INTO a VALUES (2)", "INSERT INTO a VALUES (3)"])
        .unwrap();
    assert_eq!((version(&connection), rows(&connection)), (3, 3));
}

#[tokio::test]
async fn an_empty_file_of_version_zero_becomes_a_spool() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(FILE), "").unwrap();
    let spool = open_in(directory.path());
    spool.probe().await.unwrap();
    drop(spool);
    let version: i64 =
        outsider(directory.path()).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(usize::try_from(version), Ok(schema::MIGRATIONS.len()));
}

#[test]
fn a_newer_spool_is_refused_and_left_as_it_is() {
    let (spool, directory) = open();
    drop(spool);
    let newer = schema::MIGRATIONS.len() + 1;
    outsider(directory.path()).pragma_update(None, "user_version", i64::try_from(newer).unwrap()).unwrap();
    let file = directory.path().join(FILE);
    let before = fs::read(&file).unwrap();
    assert_eq!(
        refusal(directory.path()).to_string(),
        format!(
            "the spool cannot be used: `{}`: it has schema version {newer} and this sms-relay knows versions up to {}; \
             use the newer sms-relay that wrote it",
            file.display(),
            newer - 1
        )
    );
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    outsider(directory.path()).execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert_eq!(
        refusal(directory.path()).to_string(),
        format!(
            "the spool cannot be used: `{}`: it is a database of another program; give the spool a directory of its own",
            directory.path().join(FILE).display()
        )
    );
    let tables: i64 = outsider(directory.path())
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1, "untouched");
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let (spool, directory) = open();
    for phone in 0..200 {
        accept_one(&spool, 0, phone).await;
    }
    drop(spool);
    let file = directory.path().join(FILE);
    let good = fs::read(&file).unwrap();
    let no_database = b"this was a database once, and then came the lightning".repeat(100);
    let cut = good[..good.len() / 2].to_vec();
    let mut scribbled = good.clone();
    let middle = good.len() / 2;
    scribbled[middle..middle + 20_000].fill(0x55);
    for (what, bytes) in [("no database", no_database), ("cut", cut), ("scribbled", scribbled)] {
        fs::write(&file, &bytes).unwrap();
        let refused = refusal(directory.path());
        let text = refused.to_string();
        assert!(matches!(refused, SpoolError::Unusable(_)), "{what}: {text}");
        let start = format!("the spool cannot be used: `{}`: its file is damaged (", file.display());
        assert!(text.starts_with(&start) && text.contains("nothing was deleted"), "{what}: {text}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "{what}");
    }
    fs::write(&file, good).unwrap();
    assert_eq!(open_in(directory.path()).backlog().await.unwrap().due, 200);
}
