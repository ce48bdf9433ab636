//! The spool's directory: who may read it, that only one process uses it, and that what is made in
//! it is still there after a power cut.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::super::SpoolError;

/// Owner writes, group looks, others nothing.
const DIRECTORY_MODE: u32 = 0o750;
/// The files hold texts and phone numbers.
const FILE_MODE: u32 = 0o600;
/// What no file of the spool allows, whoever made it: the group's writing, and others.
const FORBIDDEN: u32 = 0o027;
/// The longest process id that is read back from a lock file, in octets.
const MAX_PID: u64 = 20;

/// Makes the directory, with those above it, where it is missing.
///
/// # Errors
/// [`SpoolError::Unusable`] when it cannot be made, is no directory, or others may write to it.
pub(super) fn prepare(directory: &Path) -> Result<(), SpoolError> {
    let unusable = |error: io::Error| {
        SpoolError::Unusable(format!("its directory `{}` cannot be used: {error}", directory.display()))
    };
    make(directory).map_err(unusable)?;
    let found = std::fs::metadata(directory).map_err(unusable)?;
    if !found.is_dir() {
        return Err(SpoolError::Unusable(format!("`{}` is not a directory", directory.display())));
    }
    if found.permissions().mode() & 0o002 != 0 {
        return Err(SpoolError::Unusable(format!(
            "everybody may write to its directory `{0}`; run `chmod o-rwx {0}`",
            directory.display()
        )));
    }
    Ok(())
}

fn make(directory: &Path) -> io::Result<()> {
    if directory.exists() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    if parent != Path::new(".") {
        make(parent)?;
    }
    DirBuilder::new().mode(DIRECTORY_MODE).create(directory)?;
    // Whatever the umask took away.
    std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?;
    File::open(parent)?.sync_all()
}

/// Writes the directory's entries to the disk: a file that was made is found again only after this.
///
/// # Errors
/// [`SpoolError::Unusable`] when the file system cannot do it.
pub(super) fn sync(directory: &Path) -> Result<(), SpoolError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(|error| {
        SpoolError::Unusable(format!("its directory `{}` cannot be synced: {error}", directory.display()))
    })
}

/// Makes the file where it is missing, and takes from it what a spool file must not allow. To be
/// called before SQLite opens it: closing a second descriptor later would drop SQLite's locks.
///
/// # Errors
/// [`SpoolError::Unusable`] when it cannot be made or belongs to somebody else.
pub(super) fn private_file(path: &Path) -> Result<(), SpoolError> {
    let make = || {
        OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?;
        tighten(path)
    };
    make().map_err(|error: io::Error| {
        SpoolError::Unusable(format!("its file `{}` cannot be used: {error}", path.display()))
    })
}

fn tighten(path: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & FORBIDDEN != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(mode & !FORBIDDEN))?;
    }
    Ok(())
}

/// The right to use the directory; given up when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing the file would do only once no child of this process has it any more: one that was forked shares it
    /// until it runs its own program.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock of the spool's directory is given up by closing its file only");
        }
    }
}

impl Lock {
    /// Takes the lock, without waiting.
    ///
    /// # Errors
    /// [`SpoolError::Unavailable`] when another process has it, [`SpoolError::Unusable`] when there
    /// can be no lock file.
    pub(super) fn take(directory: &Path) -> Result<Self, SpoolError> {
        let path: PathBuf = directory.join("spool.lock");
        private_file(&path)?;
        let unusable = |error: io::Error| {
            SpoolError::Unusable(format!("its lock file `{}` cannot be used: {error}", path.display()))
        };
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(unusable)?;
                write!(file, "{}", std::process::id()).map_err(unusable)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only decoration: the file may be empty for a moment.
                let _ = file.take(MAX_PID).read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another process" } else { &holder };
                Err(SpoolError::Unavailable(format!(
                    "another sms-relay (process {holder}) uses `{}`; stop it, or give this one a directory of its own",
                    directory.display()
                )))
            }
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

/// Whether the file system has `least` octets left for us.
///
/// # Errors
/// [`SpoolError::Unavailable`] when it has less, or does not tell.
pub(super) fn require_free(directory: &Path, least: u64) -> Result<(), SpoolError> {
    let stat = rustix::fs::statvfs(directory).map_err(|error| {
        SpoolError::Unavailable(format!("the free space of `{}` is not known: {error}", directory.display()))
    })?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < least {
        return Err(SpoolError::Unavailable(format!(
            "`{}` has {free} octets free and {least} must stay free; make room on its disk",
            directory.display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_dropped_is_free_though_a_child_still_has_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::take(directory.path()).unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(SpoolError::Unavailable(_))));
        // As a child has it from its fork on: another descriptor of the same open file.
        let _inherited = lock.0.try_clone().unwrap();
        drop(lock);
        Lock::take(directory.path()).unwrap();
    }
}
