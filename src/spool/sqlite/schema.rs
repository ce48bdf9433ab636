//! The database file: opening it so that a commit is on stable storage, and bringing its schema up
//! to date. A file that is damaged, foreign or of a newer version is refused and left as it is.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::super::SpoolError;
use super::directory;

/// Each entry brings the schema from its index to its index plus one, in one transaction. Entries
/// are only ever added: files of every older version are out there.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];

/// `SMSR`, in the file's header: tells a spool from any other SQLite file.
const APPLICATION_ID: i32 = 0x534d_5352;
/// How long a statement waits for another program that holds the file locked.
const BUSY_TIME: Duration = Duration::from_secs(1);
/// Files up to this size (256 MiB) are checked in full at the start: one second or two.
const CHECKED_OCTETS: u64 = 256 << 20;
/// Statements kept prepared; the spool has fewer.
const PREPARED: usize = 192;

/// Opens the file and brings it up to date.
///
/// # Errors
/// [`SpoolError::Unusable`] for a file that is damaged, foreign or newer; `Unavailable` when it is
/// locked or the disk is full.
pub(super) fn open_writer(path: &Path) -> Result<Connection, SpoolError> {
    directory::private_file(path)?;
    open_current(path).map_err(|error| named(path, error))
}

fn named(path: &Path, error: SpoolError) -> SpoolError {
    match error {
        SpoolError::Unusable(text) => SpoolError::Unusable(format!("`{}`: {text}", path.display())),
        SpoolError::Unavailable(text) => SpoolError::Unavailable(format!("`{}`: {text}", path.display())),
        SpoolError::Stale(_) | SpoolError::StaleMail(_) | SpoolError::Told(_) => error,
    }
}

fn open_current(path: &Path) -> Result<Connection, SpoolError> {
    let mut connection = connect(path)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(SpoolError::Unusable(format!(
            "its file system cannot keep a write-ahead log (journal mode `{mode}`); use a local disk"
        )));
    }
    check(&connection, path)?;
    migrate(&mut connection, MIGRATIONS)?;
    Ok(connection)
}

/// Opens a second connection, for reading only, to a file that [`open_writer`] has opened.
///
/// # Errors
/// As [`open_writer`].
pub(super) fn open_reader(path: &Path) -> Result<Connection, SpoolError> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Opens a file that another process may have open, for reading only.
///
/// # Errors
/// As [`open_writer`]; also [`SpoolError::Unusable`] for an older version, which is left as it is.
pub(super) fn open_glance(path: &Path) -> Result<Connection, SpoolError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIME)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let (found, known) = (version(&connection)?, MIGRATIONS.len());
        if application != APPLICATION_ID {
            return Err(SpoolError::Unusable("it is no spool of sms-relay".to_owned()));
        }
        if found != known {
            return Err(SpoolError::Unusable(format!(
                "it has schema version {found} and this sms-relay reads version {known}; use the one that runs with it"
            )));
        }
        Ok(connection)
    };
    open().map_err(|error| named(path, error))
}

fn connect(path: &Path) -> Result<Connection, SpoolError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIME)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    // Every commit is synced before it returns; NORMAL would sync at a checkpoint only.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Otherwise SQLite compiles a statement anew whenever other values are bound to it, to see whether
    // they make for a better plan; our plans are meant to stay as they are.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Savepoints keep what they may have to put back in memory, not in a file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    // 16 MiB of log before it is folded into the file: a burst writes the same pages again and again.
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    // After a burst the log gives its space back.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

/// Whether the pages hang together, and the file is ours.
fn check(connection: &Connection, path: &Path) -> Result<(), SpoolError> {
    let version = version(connection)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (version != 0 || tables != 0) {
        return Err(SpoolError::Unusable(
            "it is a database of another program; give the spool a directory of its own".to_owned(),
        ));
    }
    let octets = std::fs::metadata(path).map_or(0, |found| found.len());
    if octets > CHECKED_OCTETS {
        tracing::info!(octets, "the spool's file is too large to be checked at every start");
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(SpoolError::Unusable(format!(
            "its file is damaged ({found}); nothing was deleted: keep a copy and repair it with `sqlite3 spool.sqlite \
             .recover`"
        )));
    }
    Ok(())
}

fn version(connection: &Connection) -> Result<usize, SpoolError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    usize::try_from(version)
        .map_err(|_| SpoolError::Unusable(format!("its schema version {version} is none of sms-relay")))
}

/// Applies what the file has not had yet.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), SpoolError> {
    let found = version(connection)?;
    if found > migrations.len() {
        return Err(SpoolError::Unusable(format!(
            "it has schema version {found} and this sms-relay knows versions up to {}; use the newer sms-relay that \
             wrote it",
            migrations.len()
        )));
    }
    for (index, migration) in migrations.iter().enumerate().skip(found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}
