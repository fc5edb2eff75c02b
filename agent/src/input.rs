//! From a channel to a pipe, terminal or socket: what it does not take waits here, and the host gets no credit for it.

use crate::frame::WINDOW;
use crate::output::Watched;
use crate::poll::Poll;
use rustix::io::{self, Errno};
use rustix::net::Shutdown;
use std::collections::VecDeque;

/// Most bytes that wait. One stream's window is a quarter of it; a host that comes back again and again starts with a new window each time.
const MAX_QUEUE: usize = 4 * WINDOW as usize;
/// What a terminal takes for the end of its input.
const END_OF_TRANSMISSION: u8 = 4;

/// How the other side learns that nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnd {
    /// The pipe is closed.
    Close,
    /// The terminal's line discipline is told.
    Terminal,
    /// The socket's sending half is shut.
    Shutdown,
}

/// One input.
pub struct Input {
    sink: Option<Watched>,
    queue: VecDeque<u8>,
    on_end: OnEnd,
    ending: bool,
    last: u8,
}

/// Bytes used up, for which the host may be given credit.
pub type Consumed = usize;

impl Input {
    /// An input that ends as told.
    pub fn new(sink: Watched, on_end: OnEnd) -> Self {
        Self { sink: Some(sink), queue: VecDeque::new(), on_end, ending: false, last: b'\n' }
    }

    /// An input that nobody reads.
    pub fn none() -> Self {
        Self { sink: None, queue: VecDeque::new(), on_end: OnEnd::Close, ending: true, last: b'\n' }
    }

    /// True when it takes nothing more and nothing waits.
    pub fn is_over(&self) -> bool {
        self.sink.is_none() || (self.ending && self.queue.is_empty())
    }

    /// What is given now will be offered to the other side.
    pub fn is_open(&self) -> bool {
        self.sink.is_some() && !self.ending
    }

    /// Takes bytes. `None` when too many wait already.
    pub fn push(&mut self, bytes: &[u8], poll: &mut Poll) -> Option<Consumed> {
        let Some(last) = bytes.last() else { return Some(0) };
        if self.sink.is_none() || self.ending {
            return Some(bytes.len());
        }
        self.last = *last;
        let mut written = 0;
        if self.queue.is_empty() {
            written = self.write(bytes, poll);
        }
        if self.sink.is_none() {
            return Some(bytes.len());
        }
        if self.queue.len() + bytes.len() - written > MAX_QUEUE {
            return None;
        }
        self.queue.extend(&bytes[written..]);
        Some(written)
    }

    /// Writes what waits.
    pub fn flush(&mut self, poll: &mut Poll) -> Consumed {
        let mut consumed = 0;
        while !self.queue.is_empty() && self.sink.is_some() {
            let waiting = std::mem::take(&mut self.queue);
            let count = self.write(waiting.as_slices().0, poll);
            self.queue = waiting;
            if self.sink.is_none() {
                consumed += self.queue.len();
                self.queue = VecDeque::new();
                break;
            }
            if count == 0 {
                break;
            }
            consumed += count;
            self.queue.drain(..count);
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
            self.finish(poll);
        }
        consumed
    }

    /// Nothing more comes: the other side is told when it has taken what waits.
    pub fn end(&mut self, poll: &mut Poll) -> Consumed {
        if self.ending {
            return 0;
        }
        self.ending = true;
        if self.on_end == OnEnd::Terminal {
            // The first one only ends a line that has begun.
            let count = if self.last == b'\n' { 1 } else { 2 };
            self.queue.extend(std::iter::repeat_n(END_OF_TRANSMISSION, count));
        }
        self.flush(poll)
    }

    /// Closes at once and forgets what waits.
    pub fn close(&mut self, poll: &mut Poll) {
        self.queue = VecDeque::new();
        self.ending = true;
        if let Some(sink) = self.sink.take() {
            sink.release(poll);
        }
    }

    fn finish(&mut self, poll: &mut Poll) {
        if !self.ending {
            return;
        }
        match self.on_end {
            OnEnd::Close => self.close(poll),
            OnEnd::Terminal => {}
            OnEnd::Shutdown => {
                if let Some(sink) = self.sink.take() {
                    // The other side may be gone already.
                    let _ = rustix::net::shutdown(&sink.fd, Shutdown::Write);
                    sink.release(poll);
                }
            }
        }
    }

    /// How many bytes were taken now; closes when the other side is gone.
    fn write(&mut self, bytes: &[u8], poll: &mut Poll) -> usize {
        let mut written = 0;
        while let Some(sink) = &self.sink
            && written < bytes.len()
        {
            match io::write(&sink.fd, &bytes[written..]) {
                Ok(count) => written += count,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => {
                    let queue = std::mem::take(&mut self.queue);
                    self.close(poll);
                    self.queue = queue;
                }
            }
        }
        written
    }
}
