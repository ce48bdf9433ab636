//! One file as it fills: its bounds, and what is left out of it.

use std::sync::Arc;

use super::transcript::{Lines, counted};
use super::writer::{Place, Queue, Target};

/// Octets of a file that are kept free for its last lines.
const TAIL: usize = 768;
/// Smallest `file_octets` of a capture; a smaller value counts as this one.
pub const MIN_FILE_OCTETS: usize = 2048;
/// Octets of the line that tells of a hole, at most.
const HOLE: usize = 160;
/// Octets that are collected before they are given to the thread while one call goes on.
const BATCH: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Page {
    queue: Queue,
    target: Arc<Target>,
    /// The first lines until they are given to the thread.
    header: String,
    /// The place of the last lines, from the first text on that had one.
    reserved: Option<Place>,
    /// Lines not given to the thread yet.
    text: String,
    waiting: Count,
    /// What found no place in the queue since the last text that did.
    hole: Count,
    /// Octets of the file that are given to the thread.
    written: usize,
    /// What comes behind the end of the file, once it is full.
    behind: Option<Count>,
    /// The last event there, which is written all the same.
    last_event: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    lines: usize,
    /// Octets of the dialogue.
    octets: usize,
}

impl Count {
    fn add(&mut self, lines: usize, octets: usize) {
        self.lines += lines;
        self.octets += octets;
    }
}

impl Page {
    /// Begins the file.
    pub(super) fn new(queue: Queue, target: Arc<Target>, header: String) -> Self {
        let mut page = Self {
            queue,
            target,
            header,
            reserved: None,
            text: String::new(),
            waiting: Count::default(),
            hole: Count::default(),
            written: 0,
            behind: None,
            last_event: String::new(),
        };
        page.send();
        page
    }

    /// Whether nothing more can be written to the file.
    pub(super) fn given_up(&self) -> bool {
        self.target.given_up()
    }

    /// Whether the file is full; then these octets of the dialogue need no work and are counted.
    pub(super) fn skips(&mut self, octets: usize) -> bool {
        if let Some(behind) = &mut self.behind {
            behind.add(0, octets);
        }
        self.behind.is_some()
    }

    /// The line of an event. The last one finds a place also when the file is full.
    pub(super) fn event(&mut self, event: String) {
        if self.has_room(event.len()) {
            self.text.push_str(&event);
            self.waiting.add(1, 0);
        } else {
            let replaced = usize::from(!self.last_event.is_empty());
            self.behind.get_or_insert_default().add(replaced, 0);
            self.last_event = event;
        }
    }

    /// Gives the lines to the thread, or counts them as left out.
    pub(super) fn send(&mut self) {
        if self.text.is_empty() && self.header.is_empty() {
            return;
        }
        if self.reserved.is_none() {
            self.reserved = self.queue.place(TAIL);
        }
        let text = format!("{}{}{}", self.header, self.hole_line(), self.text);
        let place = self.reserved.as_ref().and_then(|_| self.queue.place(text.len()));
        let waiting = std::mem::take(&mut self.waiting);
        self.text.clear();
        if let Some(place) = place {
            self.written += text.len();
            self.queue.write(&self.target, text, place);
            self.header.clear();
            self.hole = Count::default();
        } else {
            self.hole.add(waiting.lines, waiting.octets);
        }
    }

    /// The last lines. They have their place, unless nothing at all was written.
    pub(super) fn finish(mut self) {
        let rest = match self.behind {
            Some(behind) if behind.lines > 0 || behind.octets > 0 => format!(
                "# the rest is left out, {} of the dialogue: a file has at most {}\n",
                counted(behind.octets),
                counted(self.limit()),
            ),
            Some(_) | None => String::new(),
        };
        let text = format!("{}{rest}{}", self.hole_line(), self.last_event);
        if let Some(place) = self.reserved.take()
            && !text.is_empty()
        {
            self.queue.write(&self.target, text, place);
        }
    }

    fn limit(&self) -> usize {
        self.target.settings.file_octets.max(MIN_FILE_OCTETS)
    }

    fn has_room(&self, octets: usize) -> bool {
        let hole = if self.hole.lines > 0 { HOLE } else { 0 };
        let used = self.written + self.header.len() + hole + self.text.len();
        self.behind.is_none() && used + octets <= self.limit() - TAIL
    }

    fn hole_line(&self) -> String {
        match self.hole {
            Count { lines: 0, .. } => String::new(),
            Count { lines: 1, octets } => {
                format!("# a line is left out, {} of the dialogue: the disk was too slow\n", counted(octets))
            }
            Count { lines, octets } => {
                format!(
                    "# {lines} lines are left out, {} of the dialogue: the disk was too slow\n",
                    counted(octets)
                )
            }
        }
    }
}

impl Lines for Page {
    fn line(&mut self, text: &str, octets: usize) {
        if !self.has_room(text.len()) {
            self.behind.get_or_insert_default().add(1, octets);
            return;
        }
        self.text.push_str(text);
        self.waiting.add(1, octets);
        if self.text.len() >= BATCH {
            self.send();
        }
    }
}
