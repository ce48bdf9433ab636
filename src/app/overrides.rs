//! The files of rotas' overrides, which are taken in when they change, without a signal.
//!
//! A file that is still being written is left alone until it looks the same twice, and one that is wrong changes nothing
//! until it is changed again.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch as signal;

use crate::config::{OverridesFault, Overriding};
use crate::routing::Routing;

/// How often the files are looked at. What changed is taken in with the look after the one that saw it first.
const LOOKS: Duration = Duration::from_secs(3);
/// Most faults that the log tells of at a time.
const MOST_TOLD: usize = 10;

/// What a file looks like from outside; `None` where it is not there.
type Stamp = Option<[i64; 7]>;

fn stamp(file: &Path) -> Stamp {
    let found = std::fs::metadata(file).ok()?;
    // The time of the last change of the inode cannot be set back by copying.
    let sure = |number: u64| i64::from_ne_bytes(number.to_ne_bytes());
    Some([
        sure(found.dev()),
        sure(found.ino()),
        sure(found.size()),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    ])
}

/// When files are worth reading.
#[derive(Debug, Default)]
struct Watch {
    /// What they looked like last.
    seen: Option<Vec<Stamp>>,
    /// What they looked like when they were read last.
    read: Option<Vec<Stamp>>,
}

impl Watch {
    /// Whether the files, which look like this now, are to be read: they changed, and no more since the last look.
    fn is_time(&mut self, now: Vec<Stamp>) -> bool {
        let is_settled = self.seen.as_ref() == Some(&now);
        let is_read = self.read.as_ref() == Some(&now);
        if is_settled && !is_read {
            self.read = Some(now.clone());
        }
        self.seen = Some(now);
        is_settled && !is_read
    }
}

/// What is watched, and which reload it is of.
#[derive(Debug)]
struct Watched {
    overriding: Option<Arc<Overriding>>,
    reload: u64,
    watch: Watch,
}

/// Takes overrides in. A reload of everything goes through here too, so that neither undoes the other.
pub(super) struct Overrides {
    routing: Arc<ArcSwap<Routing>>,
    watched: Mutex<Watched>,
    faulty: Gauge,
    taken: Counter,
}

impl Overrides {
    /// Those of the rules in `routing`.
    pub(super) fn new(routing: Arc<ArcSwap<Routing>>, overriding: Option<Overriding>) -> Self {
        let watched = Watched { overriding: overriding.map(Arc::new), reload: 0, watch: Watch::default() };
        let (faulty, taken) = (Gauge::default(), Counter::default());
        let new = Self { routing, watched: Mutex::new(watched), faulty, taken };
        new.show(&new.watched());
        new
    }

    /// Those that hold.
    pub(super) fn held(&self) -> Option<Arc<Overriding>> {
        self.watched().overriding.clone()
    }

    /// Why the relay is not ready for them: there is nothing that held before.
    pub(super) fn trouble(&self) -> Option<String> {
        self.held().and_then(|held| held.trouble())
    }

    /// Tells what was wrong when they were read with all the rest.
    fn show(&self, watched: &Watched) {
        let faults = watched.overriding.as_ref().map(|held| held.faults()).unwrap_or_default();
        self.faulty.set(i64::from(!faults.is_empty()));
        if !faults.is_empty() {
            tell(faults);
        }
    }

    /// Puts the metrics into `registry`; once.
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("sms_relay_overrides");
        let help = "1 while a file of overrides is wrong and what it said before holds, and 0 otherwise";
        registry.register("faulty", help, self.faulty.clone());
        registry.register(
            "taken",
            "Changes of overrides that were taken in by themselves",
            self.taken.clone(),
        );
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rules are new.
    pub(super) fn replace(&self, routing: Routing, overriding: Option<Overriding>) {
        let mut watched = self.watched();
        self.routing.store(Arc::new(routing));
        let reload = watched.reload + 1;
        *watched = Watched { overriding: overriding.map(Arc::new), reload, watch: Watch::default() };
        self.show(&watched);
    }

    /// Looks at the files, and takes in what changed.
    pub(super) fn look(&self) {
        let (overriding, reload) = {
            let watched = self.watched();
            (watched.overriding.clone(), watched.reload)
        };
        let Some(overriding) = overriding else { return };
        let stamps = overriding.files().into_iter().map(stamp).collect();
        {
            let mut watched = self.watched();
            if watched.reload != reload || !watched.watch.is_time(stamps) {
                return;
            }
        }
        let read = overriding.read_again(&self.routing.load());
        let mut watched = self.watched();
        // A reload has come between, and has read them itself.
        if watched.reload != reload {
            return;
        }
        match read {
            Ok(None) => {
                if self.faulty.set(0) != 0 {
                    tracing::info!("the overrides of the rotas are right again, and as they were");
                }
            }
            Ok(Some((overriding, routing))) => {
                self.routing.store(Arc::new(routing));
                watched.overriding = Some(Arc::new(overriding));
                self.faulty.set(0);
                self.taken.inc();
                tracing::info!("the overrides of the rotas have changed and hold from now on");
            }
            Err(faults) => {
                self.faulty.set(1);
                tell(&faults);
            }
        }
    }

    /// Looks until `shutdown` turns true.
    pub(super) async fn run(self: Arc<Self>, mut shutdown: signal::Receiver<bool>) {
        while !*shutdown.borrow_and_update() {
            tokio::select! {
                changed = shutdown.changed() => {
                    // Whoever could stop us is gone, which is a reason to stop as well.
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(LOOKS) => {
                    let looked = Arc::clone(&self);
                    if let Err(error) = tokio::task::spawn_blocking(move || looked.look()).await {
                        tracing::error!(%error, "the overrides of the rotas could not be looked at");
                    }
                }
            }
        }
    }
}

fn tell(faults: &[OverridesFault]) {
    for OverridesFault { file, line, text } in faults.iter().take(MOST_TOLD) {
        tracing::error!(file = %file.display(), line, "{text}");
    }
    tracing::error!(
        faults = faults.len(),
        "the overrides of the rotas are wrong and not taken in: what they said before holds until they are right, and nothing \
         of what was never right since the start"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(watch: &mut Watch, all: &[i64]) -> Vec<bool> {
        all.iter().map(|size| watch.is_time(vec![Some([*size; 7]), None])).collect()
    }

    #[test]
    fn files_are_read_once_for_what_changed_and_has_settled() {
        let mut watch = Watch::default();
        assert_eq!(looks(&mut watch, &[1, 1, 1, 1]), [false, true, false, false], "once after the start");
        assert_eq!(looks(&mut watch, &[2, 3, 4, 4, 4]), [false, false, false, true, false], "many are one");
        assert_eq!(looks(&mut watch, &[5, 4, 4]), [false, false, false], "as it was read");
    }

    #[test]
    fn a_file_that_goes_and_comes_is_a_change_each_time() {
        let mut watch = Watch::default();
        let file = Some([1; 7]);
        let mut look = |stamp: Stamp| watch.is_time(vec![stamp]);
        assert_eq!(
            [file, file, None, None, file, file].map(&mut look),
            [false, true, false, true, false, true]
        );
    }

    #[test]
    fn a_file_that_is_written_looks_different() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("duty.overrides");
        assert_eq!(stamp(&file), None);
        std::fs::write(&file, "a").unwrap();
        let first = stamp(&file);
        assert_eq!(stamp(&file), first);
        std::fs::write(&file, "ab").unwrap();
        assert_ne!(stamp(&file), first);
        // Another one in its place, of the same size and time.
        let before = std::fs::metadata(&file).unwrap().modified().unwrap();
        let other = directory.path().join("other");
        std::fs::write(&other, "cd").unwrap();
        std::fs::File::options().write(true).open(&other).unwrap().set_modified(before).unwrap();
        let second = stamp(&file);
        std::fs::rename(&other, &file).unwrap();
        assert_ne!(stamp(&file), second);
    }
}
