//! Memory for the large mails under way, shared by every session of the door.
//!
//! The first [`FREE`] octets of a message cost nothing here: connections bound those already, and an
//! alert always gets in. What is beyond is taken from one room, so that clients who stop in the
//! middle of large mails cannot fill the machine's memory; who finds no room is told to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets of each message that are not counted.
pub const FREE: usize = 64 * 1024;
/// Octets taken at a time, so that a line does not cost an atomic operation.
const STEP: usize = 64 * 1024;

/// The room of a door.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicUsize>);

/// What one message has taken of it; given back when dropped.
#[derive(Debug)]
pub struct Place {
    room: Room,
    taken: usize,
}

/// There is no room for the message now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Room {
    /// A room of `octets`.
    pub fn new(octets: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(octets)))
    }

    /// A place for a message, empty yet.
    pub fn place(&self) -> Place {
        Place { room: self.clone(), taken: 0 }
    }

    fn take(&self, octets: usize) -> Result<(), NoRoom> {
        let rest = |left: usize| left.checked_sub(octets);
        // Only the sum matters, not in which order sessions see it.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).map(|_| ()).map_err(|_| NoRoom)
    }
}

impl Place {
    /// Makes sure that a message of `octets` has its place.
    ///
    /// # Errors
    /// [`NoRoom`], and nothing more was taken.
    pub fn grow_to(&mut self, octets: usize) -> Result<(), NoRoom> {
        let missing = octets.saturating_sub(FREE + self.taken);
        if missing > 0 {
            let step = missing.next_multiple_of(STEP);
            self.room.take(step)?;
            self.taken += step;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_always_have_a_place() {
        let room = Room::new(0);
        let mut place = room.place();
        assert_eq!(place.grow_to(FREE), Ok(()));
        assert_eq!(place.grow_to(FREE + 1), Err(NoRoom));
    }

    #[test]
    fn what_is_taken_is_given_back() {
        let room = Room::new(2 * STEP);
        let (mut first, mut second) = (room.place(), room.place());
        assert_eq!(first.grow_to(FREE + STEP + 1), Ok(()));
        assert_eq!(first.grow_to(FREE + 2 * STEP), Ok(()));
        assert_eq!(second.grow_to(FREE + 1), Err(NoRoom));
        drop(first);
        assert_eq!(second.grow_to(FREE + 1), Ok(()));
        assert_eq!(second.grow_to(FREE + 2 * STEP), Ok(()));
        assert_eq!(second.grow_to(FREE + 2 * STEP + 1), Err(NoRoom));
    }
}
