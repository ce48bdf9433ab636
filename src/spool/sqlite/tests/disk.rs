//! Group commit, and a disk or a file that says no.

use std::sync::Arc;

use rusqlite::Connection;

use super::super::super::behaviour::{accept_one, claim_ids, due_queue, sent, settle, submission};
use super::super::super::{Spool, SpoolError};
use super::super::lane::Kind;
use super::super::{Settings, SqliteSpool};
use super::{open, open_in, outsider};
use crate::model::Submission;

/// Keeps the writer busy until the sender is dropped, so that what is called meanwhile waits together.
async fn hold(spool: &Arc<SqliteSpool>) -> std::sync::mpsc::Sender<()> {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (started, starting) = tokio::sync::oneshot::channel();
    let spool = Arc::clone(spool);
    tokio::spawn(async move {
        spool
            .writer
            .run(Kind::Other, move |_, _| {
                let _ = started.send(());
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    starting.await.unwrap();
    release
}

/// Starts the calls, which wait behind [`hold`] in this order.
async fn wait_together<T: Send + 'static>(
    calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<tokio::task::JoinHandle<T>> {
    let mut tasks = Vec::new();
    for call in calls {
        tasks.push(tokio::spawn(call));
        // On a runtime of one thread the new task runs now, up to where it waits.
        tokio::task::yield_now().await;
    }
    tasks
}

#[tokio::test]
async fn accepts_that_wait_together_share_a_commit() {
    let (spool, _guard) = open();
    let spool = Arc::new(spool);
    let held = hold(&spool).await;
    let before = spool.commits();
    let accepts = (0..100).map(|n| {
        let spool = Arc::clone(&spool);
        async move { spool.accept(submission(0, &[n])).await }
    });
    let tasks = wait_together(accepts).await;
    drop(held);
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(spool.commits() - before, 2, "that of the holder, and one for all");
    assert_eq!(spool.backlog().await.unwrap().due, 100);
}

#[tokio::test]
async fn a_command_that_fails_takes_nothing_with_it() {
    let (spool, _guard) = open();
    let spool = Arc::new(spool);
    let twice = submission(0, &[1]);
    let other = submission(0, &[2]);
    let held = hold(&spool).await;
    let accepts = [twice.clone(), twice.clone(), other.clone()].map(|given| {
        let spool = Arc::clone(&spool);
        async move { spool.accept(given).await }
    });
    let tasks = wait_together(accepts).await;
    let before = spool.commits();
    drop(held);
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    let Err(SpoolError::Unavailable(_)) = results.remove(1) else { panic!("{results:?}") };
    // What the one that failed had begun to write has no number, either.
    assert_eq!(results, [Ok(vec![1]), Ok(vec![2])]);
    assert_eq!(spool.commits() - before, 2, "they did share it");
    assert_eq!(claim_ids(&*spool, 1).await, [twice.id.message(1), other.id.message(1)]);
}

#[tokio::test]
async fn who_went_away_before_his_turn_left_nothing() {
    let (spool, _guard) = open();
    let spool = Arc::new(spool);
    let held = hold(&spool).await;
    let given = submission(0, &[1]);
    let id = given.id;
    let caller = Arc::clone(&spool);
    let tasks = wait_together([async move { caller.accept(given).await }]).await;
    for task in tasks {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    drop(held);
    spool.probe().await.unwrap();
    assert_eq!(spool.submission(id).await.unwrap(), None);
}

/// Lets the file have `more` pages than now.
async fn limit_pages(spool: &SqliteSpool, more: Option<i64>) {
    let set = move |connection: &Connection| -> rusqlite::Result<()> {
        let now: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let most = more.map_or(1 << 30, |more| now + more);
        connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))
    };
    spool.writer.run(Kind::Other, move |connection, _| Ok(set(connection)?)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_of_what_it_refuses() {
    let (spool, _guard) = open();
    let kept = accept_one(&spool, 0, 1).await;
    limit_pages(&spool, Some(4)).await;
    let mut large = submission(0, &[2, 3]);
    large.original.content = vec![b'x'; 100_000];
    let refused = spool.accept(large.clone()).await;
    let expected = "the disk is full (database or disk is full)".to_owned();
    assert_eq!(refused, Err(SpoolError::Unavailable(expected)));
    assert_eq!(spool.submission(large.id).await.unwrap(), None);
    assert_eq!(spool.backlog().await.unwrap().due, 1);
    assert_eq!(claim_ids(&spool, 1).await, [kept], "what is there goes on");
    limit_pages(&spool, None).await;
    spool.accept(large.clone()).await.unwrap();
    assert_eq!(claim_ids(&spool, 1).await, [large.id.message(1), large.id.message(2)]);
}

/// A full disk may make SQLite end the transaction in the middle of a batch.
#[tokio::test]
async fn when_the_transaction_is_lost_all_of_the_batch_are_told() {
    let (spool, _guard) = open();
    let spool = Arc::new(spool);
    let held = hold(&spool).await;
    let before = accept_task(&spool, 1);
    let caller = Arc::clone(&spool);
    let ends = async move {
        caller
            .writer
            .run(Kind::Other, |connection, _| {
                connection.execute_batch("ROLLBACK")?;
                Err::<(), _>(SpoolError::Unavailable("the disk is full".to_owned()))
            })
            .await
    };
    let after = accept_task(&spool, 2);
    let calls: [std::pin::Pin<Box<dyn Future<Output = _> + Send>>; 3] =
        [Box::pin(before), Box::pin(ends), Box::pin(after)];
    let tasks = wait_together(calls).await;
    drop(held);
    for task in tasks {
        assert_eq!(task.await.unwrap(), Err(SpoolError::Unavailable("the disk is full".to_owned())));
    }
    assert_eq!(spool.backlog().await.unwrap().due, 0, "nothing is half-kept");
    accept_one(&*spool, 0, 3).await;
    assert_eq!(spool.backlog().await.unwrap().due, 1);
}

fn accept_task(
    spool: &Arc<SqliteSpool>,
    phone: u32,
) -> impl Future<Output = Result<(), SpoolError>> + Send + 'static {
    let spool = Arc::clone(spool);
    async move { spool.accept(submission(0, &[phone])).await.map(|_| ()) }
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_and_keeps_nothing() {
    let (spool, _guard) = open();
    let spool = Arc::new(spool);
    // A commit fails while a deferred constraint is broken; so it stands for any failing commit.
    let held = hold(&spool).await;
    let caller = Arc::clone(&spool);
    let breaks = async move {
        caller
            .writer
            .run(Kind::Other, |connection, _| {
                connection.pragma_update(None, "defer_foreign_keys", true)?;
                connection.execute("INSERT INTO event VALUES (999, 1, 0, 'due', '')", [])?;
                Ok(())
            })
            .await
    };
    let calls: [std::pin::Pin<Box<dyn Future<Output = _> + Send>>; 3] =
        [Box::pin(accept_task(&spool, 1)), Box::pin(breaks), Box::pin(accept_task(&spool, 2))];
    let tasks = wait_together(calls).await;
    drop(held);
    for task in tasks {
        let result = task.await.unwrap();
        assert!(matches!(result, Err(SpoolError::Unavailable(_))), "{result:?}");
    }
    assert_eq!(spool.backlog().await.unwrap().due, 0);
    accept_one(&*spool, 0, 3).await;
    assert_eq!(spool.backlog().await.unwrap().due, 1);
}

#[tokio::test]
async fn a_file_that_another_program_locks_is_unavailable_until_it_lets_go() {
    let (spool, directory) = open();
    let other = outsider(directory.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = spool.accept(submission(0, &[1])).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the spool cannot take anything now: another program holds its file locked (database is locked)"
    );
    assert_eq!(spool.backlog().await.unwrap().due, 0, "looking still works");
    other.execute_batch("ROLLBACK").unwrap();
    accept_one(&spool, 0, 1).await;
    assert_eq!(spool.backlog().await.unwrap().due, 1);
}

#[tokio::test]
async fn without_free_space_nothing_is_accepted_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let spool = open_in(&path);
    let id = accept_one(&spool, 0, 1).await;
    drop(spool);
    let spool = SqliteSpool::open(Settings { directory: path, min_free_octets: u64::MAX }).unwrap();
    let expected = format!("{} must stay free; make room on its disk", u64::MAX);
    for result in [spool.accept(submission(0, &[2])).await.map(|_| ()), spool.probe().await] {
        let Err(SpoolError::Unavailable(text)) = result else { panic!("{result:?}") };
        assert!(text.ends_with(&expected), "{text}");
    }
    assert_eq!(claim_ids(&spool, 1).await, [id]);
    settle(&spool, id, sent(90), 2).await;
}

#[tokio::test]
async fn a_probe_is_a_commit() {
    let (spool, directory) = open();
    let before = spool.commits();
    spool.probe().await.unwrap();
    spool.probe().await.unwrap();
    assert_eq!(spool.commits() - before, 2);
    let writes: i64 =
        outsider(directory.path()).query_row("SELECT writes FROM probe", [], |row| row.get(0)).unwrap();
    assert_eq!(writes, 2);
}

#[tokio::test]
async fn closing_finishes_what_waits_and_refuses_what_comes_later() {
    let (spool, directory) = open();
    let spool = Arc::new(spool);
    let held = hold(&spool).await;
    let waiting = wait_together((0..10).map(|n| accept_task(&spool, n))).await;
    let closer = Arc::clone(&spool);
    let closing = wait_together([async move { closer.writer.close().await }]).await;
    drop(held);
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    for task in closing {
        task.await.unwrap();
    }
    let closed = SpoolError::Unavailable("it is closed".to_owned());
    assert_eq!(spool.accept(submission(0, &[1])).await, Err(closed.clone()));
    assert_eq!(spool.backlog().await.unwrap().due, 10, "one lane only");
    spool.close().await;
    assert_eq!(spool.backlog().await, Err(closed));
    spool.close().await;
    drop(spool);
    assert_eq!(open_in(directory.path()).backlog().await.unwrap().due, 10);
}

#[tokio::test]
async fn a_panic_inside_leaves_nobody_waiting() {
    let (spool, directory) = open();
    accept_one(&spool, 0, 1).await;
    let closed = SpoolError::Unavailable("it is closed".to_owned());
    let panics = spool.writer.run(Kind::Other, |_, _| -> Result<(), SpoolError> { panic!("as ordered") });
    assert_eq!(panics.await, Err(closed.clone()));
    assert_eq!(spool.accept(submission(0, &[2])).await, Err(closed));
    drop(spool);
    assert_eq!(open_in(directory.path()).backlog().await.unwrap().due, 1);
}

/// No test can cut the power; the settings that make a commit durable are easily lost in a change.
#[tokio::test]
async fn the_connections_sync_every_commit() {
    let (spool, _guard) = open();
    let ask = |connection: &Connection| -> rusqlite::Result<(i64, String, i64)> {
        Ok((
            connection.pragma_query_value(None, "synchronous", |row| row.get(0))?,
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
            connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?,
        ))
    };
    let found = spool.writer.run(Kind::Other, move |connection, _| Ok(ask(connection)?)).await.unwrap();
    assert_eq!(found, (2, "wal".to_owned(), 1), "2 is FULL");
}

#[tokio::test]
async fn readers_do_not_stop_the_log_from_being_folded_up() {
    let (spool, directory) = open();
    let mut given = submission(0, &[1]);
    given.original.content = vec![b'x'; 400_000];
    for n in 0..100 {
        let again = submission(n, &[1]);
        spool.accept(Submission { original: given.original.clone(), ..again }).await.unwrap();
        spool.next_due(due_queue()).await.unwrap();
    }
    let log = std::fs::metadata(directory.path().join("spool.sqlite-wal")).unwrap().len();
    let file = std::fs::metadata(directory.path().join("spool.sqlite")).unwrap().len();
    assert!(file > 20 << 20, "{file} octets were folded into the file");
    assert!(log < 24 << 20, "the log has {log} octets");
}
