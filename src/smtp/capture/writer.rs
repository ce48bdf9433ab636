//! The thread that writes captures, the queue before it and the directory behind it.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{info, warn};

use super::Capture;

/// What a text in the queue costs beside its own octets.
const OVERHEAD: usize = 256;
/// `20261121T120301.123Z-`.
const STAMP: &[u8] = b"00000000T000000.000Z-";
const ULID_LENGTH: usize = 26;
const SUFFIX: &str = ".txt";

/// One file of a capture.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) settings: Arc<Capture>,
    pub(super) name: String,
    made: AtomicBool,
    given_up: AtomicBool,
}

impl Target {
    /// The name must be one that [`is_capture`] knows.
    pub(super) fn new(settings: Arc<Capture>, name: String) -> Self {
        Self { settings, name, made: AtomicBool::new(false), given_up: AtomicBool::new(false) }
    }

    /// Whether nothing more can be written to it.
    pub(super) fn given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

/// Octets in the queue that somebody has taken; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    free: Arc<AtomicUsize>,
    taken: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.free.fetch_add(self.taken, Ordering::Relaxed);
    }
}

enum Job {
    Write { target: Arc<Target>, text: String, _place: Place },
    Flush(Sender<()>),
}

/// The way to the thread. The thread ends behind the last one, when all is written.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    sender: Sender<Job>,
    /// The channel itself has no bound; nothing enters it without a [`Place`], which has a fixed cost
    /// beside the octets. A bound on the number of texts alone would let a few large ones fill the memory.
    free: Arc<AtomicUsize>,
    /// It was told that texts are lost.
    told: Arc<AtomicBool>,
}

impl Queue {
    /// Starts the thread; the queue before it holds `octets`.
    pub(super) fn start(octets: usize) -> io::Result<(Self, JoinHandle<()>)> {
        let (queue, jobs) = Self::new(octets);
        let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || jobs.work())?;
        Ok((queue, thread))
    }

    fn new(octets: usize) -> (Self, Jobs) {
        let (sender, receiver) = channel();
        let free = Arc::new(AtomicUsize::new(octets));
        (Self { sender, free, told: Arc::default() }, Jobs { jobs: receiver, files: Files::default() })
    }

    /// A place for a text of `octets`, if there is one.
    pub(super) fn place(&self, octets: usize) -> Option<Place> {
        let taken = octets + OVERHEAD;
        let rest = |free: usize| free.checked_sub(taken);
        // Only the sum matters, not in which order dialogues see it.
        if self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).is_ok() {
            return Some(Place { free: Arc::clone(&self.free), taken });
        }
        if !self.told.swap(true, Ordering::Relaxed) {
            warn!("dialogues come faster than their captures can be written; these have holes from now on");
        }
        None
    }

    /// Gives a text to the thread. `false`: the thread is gone.
    pub(super) fn write(&self, target: &Arc<Target>, text: String, place: Place) -> bool {
        self.sender.send(Job::Write { target: Arc::clone(target), text, _place: place }).is_ok()
    }

    /// Waits until everything queued so far is written, at most for `patience`.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let (done, wait) = channel();
        self.sender.send(Job::Flush(done)).is_ok() && wait.recv_timeout(patience).is_ok()
    }
}

/// The thread's end of the queue.
struct Jobs {
    jobs: Receiver<Job>,
    files: Files,
}

impl Jobs {
    fn work(mut self) {
        while let Ok(job) = self.jobs.recv() {
            self.files.perform(job);
        }
    }
}

/// Stands in for the thread and works only when told to.
#[cfg(test)]
pub(super) struct ByHand(std::cell::RefCell<Jobs>);

#[cfg(test)]
impl Queue {
    pub(super) fn by_hand(octets: usize) -> (Self, ByHand) {
        let (queue, jobs) = Self::new(octets);
        (queue, ByHand(std::cell::RefCell::new(jobs)))
    }
}

#[cfg(test)]
impl ByHand {
    /// Performs what is queued.
    pub(super) fn work_off(&self) {
        let Jobs { jobs, files } = &mut *self.0.borrow_mut();
        jobs.try_iter().for_each(|job| files.perform(job));
    }
}

/// The files being written.
#[derive(Default)]
struct Files {
    /// Only one is open, as there may be as many as connections.
    open: Option<(Arc<Target>, File)>,
    /// Directories where writing failed the last time.
    failing: HashSet<PathBuf>,
}

impl Files {
    fn perform(&mut self, job: Job) {
        match job {
            Job::Write { target, text, _place } => self.write(&target, &text),
            // Who asked may have lost patience.
            Job::Flush(done) => drop(done.send(())),
        }
    }

    fn write(&mut self, target: &Arc<Target>, text: &str) {
        if target.given_up() {
            return;
        }
        let directory = &target.settings.directory;
        match self.try_write(target, text) {
            Ok(()) => {
                if self.failing.remove(directory) {
                    info!(directory = %directory.display(), "dialogues are captured again");
                }
            }
            Err(error) => {
                self.open = None;
                target.given_up.store(true, Ordering::Relaxed);
                // Somebody has removed the file, or newer ones have taken its place.
                let removed = error.kind() == io::ErrorKind::NotFound && target.made.load(Ordering::Relaxed);
                if !removed && self.failing.insert(directory.clone()) {
                    warn!(
                        directory = %directory.display(),
                        %error,
                        "dialogues cannot be captured in this directory; mail is not affected"
                    );
                }
            }
        }
    }

    fn try_write(&mut self, target: &Arc<Target>, text: &str) -> io::Result<()> {
        let file = match &mut self.open {
            Some((open, file)) if Arc::ptr_eq(open, target) => file,
            other => {
                let file = open(target)?;
                &mut other.insert((Arc::clone(target), file)).1
            }
        };
        file.write_all(text.as_bytes())
    }
}

/// Opens a file again, or makes it.
fn open(target: &Target) -> io::Result<File> {
    let directory = &target.settings.directory;
    let path = directory.join(&target.name);
    if target.made.load(Ordering::Relaxed) {
        return OpenOptions::new().append(true).open(path);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Where nobody else may write, no name leads elsewhere.
    if fs::metadata(directory)?.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::other("others than its owner may write to it; run `chmod go-w` on it"));
    }
    make_room(directory, target.settings.files.max(1) - 1)?;
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
    target.made.store(true, Ordering::Relaxed);
    Ok(file)
}

/// Removes the oldest captures until `files` are left.
fn make_room(directory: &Path, files: usize) -> io::Result<()> {
    let mut captures = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && is_capture(&name)
            && entry.file_type()?.is_file()
        {
            captures.push(name);
        }
    }
    // The names begin with their times.
    captures.sort_unstable();
    captures.truncate(captures.len().saturating_sub(files));
    for name in captures {
        match fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Whether a file's name is one of ours: time, listener, client, ULID.
pub(super) fn is_capture(name: &str) -> bool {
    let Some(name) = name.strip_suffix(SUFFIX) else { return false };
    let fits = |octet: &u8, form: &u8| if *form == b'0' { octet.is_ascii_digit() } else { octet == form };
    let stamp = name.len() > STAMP.len() && name.bytes().zip(STAMP).all(|(octet, form)| fits(&octet, form));
    let ulid = name.rsplit('-').next().unwrap_or_default();
    let letter = |octet: u8| octet.is_ascii_digit() || octet.is_ascii_uppercase();
    stamp && ulid.len() == ULID_LENGTH && ulid.bytes().all(letter)
}
