//! Who has work to do: everybody gets a turn, nobody stands in the queue twice.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// A queue of those with work to do, and a list of those that wait for room on the connection.
pub struct Turns<K> {
    queue: VecDeque<K>,
    queued: HashSet<K>,
    stalled: Vec<K>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), queued: HashSet::new(), stalled: Vec::new() }
    }
}

impl<K: Copy + Eq + Hash> Turns<K> {
    /// Queues `who` unless it is queued already.
    pub fn push(&mut self, who: K) {
        if self.queued.insert(who) {
            self.queue.push_back(who);
        }
    }

    /// Puts `who` aside until there is room.
    pub fn stall(&mut self, who: K) {
        self.stalled.push(who);
    }

    /// There is room: those put aside are queued again.
    pub fn resume(&mut self) {
        for who in std::mem::take(&mut self.stalled) {
            self.push(who);
        }
    }

    /// The next one, who is no longer queued then.
    pub fn pop(&mut self) -> Option<K> {
        let who = self.queue.pop_front()?;
        self.queued.remove(&who);
        Some(who)
    }

    /// How many are queued.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Nobody is queued.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
