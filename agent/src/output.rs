//! From a pipe, terminal or socket to a channel of each who listens: read only what the slowest of them takes, kept a while for those who come back.

use crate::frame::MAX_DATA;
use crate::link::{Offer, Stream};
use crate::poll::{Poll, Token};
use crate::ring::Ring;
use rustix::fd::OwnedFd;
use rustix::io::{self, Errno};
use rustix::pipe::fcntl_setpipe_size;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Most frames sent before others get their turn.
const TURN: usize = 8;
/// Silence after which a pipe that others still hold is given up, once its command has ended.
pub const SILENCE: Duration = Duration::from_millis(100);
/// What a pipe is made to hold once it has shown that it is used; fewer wake-ups than with 64 KiB.
const WIDE_PIPE: usize = 256 * 1024;
/// A read of so many bytes belongs to a stream of data, not to a conversation.
const BULK: std::ops::Range<usize> = 2 * 1024..32 * 1024;
/// So many of them in a row, each soon after the other, and it is worth waiting for more.
const ROW: u32 = 8;
const SOON: Duration = Duration::from_millis(1);
/// No pipe of ours holds more: what was written before the command ended lies within so many bytes.
const LARGEST_PIPE: u64 = 1 << 20;

/// A descriptor and its registration.
pub struct Watched {
    /// Non-blocking; shared by both directions of a terminal or socket.
    pub fd: Rc<OwnedFd>,
    /// Where the poll knows it.
    pub token: Token,
}

impl Watched {
    /// Lets go; the last one to do so ends the registration.
    pub fn release(self, poll: &mut Poll) {
        if Rc::strong_count(&self.fd) == 1 {
            poll.remove(self.token);
        }
    }
}

/// Why a turn is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing to send, or the host gives no credit: an event will say when that changes.
    Idle,
    /// Too much waits on the connection: try again when there is room.
    Stalled,
    /// There is more, but others want a turn.
    Again,
    /// Reading failed: the other side of a connection broke it off.
    Broken,
}

/// How far one stream has got with an output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reader {
    /// Offset of the next byte for it.
    sent: u64,
    /// END has been sent on it.
    ended: bool,
}

impl Reader {
    /// END has been sent.
    pub fn is_ended(&self) -> bool {
        self.ended
    }
}

impl From<u64> for Reader {
    /// Begins at an offset.
    fn from(offset: u64) -> Self {
        Self { sent: offset, ended: false }
    }
}

/// One output.
pub struct Output {
    channel: u8,
    source: Option<Watched>,
    ring: Ring,
    /// A read may give something.
    readable: bool,
    /// Bytes that are still read of a pipe whose command has ended.
    left: Option<u64>,
    /// Since when nothing came of it then.
    quiet_since: Option<Instant>,
    kind: Kind,
    /// The other side has closed: a short read does not mean that an event will tell of the rest.
    over: bool,
    /// The pipe has been made larger, or was tried to.
    widened: bool,
    /// Reads of the middle size that came in a row, and when the last one did.
    row: (u32, Option<Instant>),
}

/// What is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A read gives all that is there.
    Pipe,
    /// A read gives a line or so. EIO is its end.
    Terminal,
    /// An error is not an end but a break.
    Connection,
}

impl Output {
    /// From `source` to channel 1 or 2.
    pub fn new(channel: u8, source: Watched, kind: Kind) -> Self {
        Self {
            channel,
            source: Some(source),
            ring: Ring::default(),
            readable: true,
            left: None,
            quiet_since: None,
            kind,
            over: false,
            widened: false,
            row: (0, None),
        }
    }

    /// A read may give something again; `over` when the other side has closed.
    pub fn set_readable(&mut self, over: bool) {
        self.readable = true;
        self.over |= over;
    }

    /// Bytes wait to be read.
    pub fn has_waiting(&self) -> bool {
        self.source.as_ref().is_some_and(|source| io::ioctl_fionread(&source.fd).is_ok_and(|count| count > 0))
    }

    /// Data streams out of it in small pieces: with a moment's patience there will be fewer and larger ones. On a busy machine the kernel
    /// otherwise switches to us and back for every piece.
    pub fn is_streaming(&self) -> bool {
        self.row.0 >= ROW
    }

    /// Somebody talks with it: patience would be felt.
    pub fn is_talked_to(&mut self) {
        self.row.0 = 0;
    }

    /// Memory of what is kept.
    pub fn memory(&self) -> usize {
        self.ring.memory()
    }

    /// Forgets what is kept; a host that asks for it is told that it is lost.
    pub fn forget(&mut self) {
        self.ring.clear();
    }

    /// The offset meant by one that was asked for.
    pub fn offset(&self, asked: i64) -> Result<u64, NotKept> {
        match asked {
            FROM_NOW => Ok(self.ring.head()),
            FROM_KEPT => Ok(self.ring.tail()),
            _ => match u64::try_from(asked) {
                Ok(offset) if offset > self.ring.head() => Err(NotKept::NotYet),
                Ok(offset) if offset >= self.ring.tail() => Ok(offset),
                Ok(_) => Err(NotKept::NoMore),
                Err(_) => Err(NotKept::Unknown),
            },
        }
    }

    /// Nobody takes the bytes any more, or somebody does again: silence is counted anew.
    pub fn audience_changed(&mut self) {
        self.quiet_since = None;
    }

    /// The command has ended. What it wrote before is still read; afterwards a descriptor held open by others does not keep us.
    pub fn command_ended(&mut self) {
        self.left = Some(LARGEST_PIPE);
        self.readable = true;
    }

    /// When to look again whether an ended command's pipe is still silent.
    pub fn deadline(&self) -> Option<Instant> {
        self.source.as_ref().and(self.quiet_since).map(|since| since + SILENCE)
    }

    /// Gives up a silent pipe whose time is over. What it returns is still held by others and should be drained.
    pub fn give_up(&mut self, now: Instant) -> Option<Watched> {
        match self.deadline() {
            Some(deadline) if deadline <= now => self.source.take(),
            _ => None,
        }
    }

    /// The descriptor, while it is open.
    pub fn source(&self) -> Option<&Watched> {
        self.source.as_ref()
    }

    /// Takes the descriptor away, if there is one.
    pub fn take_source(&mut self) -> Option<Watched> {
        self.source.take()
    }

    /// Sends to each what it takes, keeping at least the last `keep` bytes. With nobody there, reads only if `unheard`.
    pub fn pump(&mut self, to: &mut [(&Stream, &mut Reader)], unheard: bool, keep: usize, poll: &mut Poll, surplus: &mut Vec<Watched>) -> Turn {
        for _ in 0..TURN {
            match self.send(to) {
                Sent::Some => continue,
                Sent::Stalled => return Turn::Stalled,
                Sent::Held => return Turn::Idle,
                Sent::Nobody if !unheard => return Turn::Idle,
                Sent::Nobody | Sent::All => {}
            }
            let Some(source) = &self.source else { return Turn::Idle };
            if self.left == Some(0) {
                surplus.extend(self.source.take());
                continue;
            }
            if !self.readable {
                if self.left.is_some() && self.quiet_since.is_none() {
                    self.quiet_since = Some(Instant::now());
                }
                return Turn::Idle;
            }
            let mut room = self.ring.room(keep);
            if let Some(left) = self.left
                && left < room.len() as u64
            {
                room = &mut room[..left as usize];
            }
            let asked = room.len();
            match io::read(&source.fd, room) {
                Ok(0) => self.close(poll),
                Ok(count) => {
                    // What comes later makes a new event, so there is no need to hear that there is nothing now.
                    if count < asked && self.kind == Kind::Pipe && !self.over && self.left.is_none() {
                        self.readable = false;
                    }
                    if !self.widened && self.kind == Kind::Pipe && count >= BULK.end {
                        self.widened = true;
                        // Only for speed; a user's allowance of pipe memory may be used up.
                        let _ = fcntl_setpipe_size(&source.fd, WIDE_PIPE);
                    }
                    self.ring.append(count);
                    self.count_bulk(count);
                    self.left = self.left.map(|left| left - count as u64);
                    self.quiet_since = None;
                }
                Err(Errno::AGAIN) => self.readable = false,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.close(poll);
                    if self.kind == Kind::Connection {
                        return Turn::Broken;
                    }
                }
            }
        }
        Turn::Again
    }

    /// A frame to each that has not had all, and END to those for whom nothing more comes.
    fn send(&self, to: &mut [(&Stream, &mut Reader)]) -> Sent {
        let mut result = Sent::Nobody;
        for (stream, reader) in to.iter_mut().filter(|(_, reader)| !reader.ended) {
            let waiting = self.ring.from(reader.sent);
            let one = match stream.room(self.channel) {
                Offer::Gone => continue,
                Offer::Full => Sent::Stalled,
                Offer::NoCredit => Sent::Held,
                Offer::Taken if !waiting.is_empty() => {
                    let part = &waiting[..waiting.len().min(MAX_DATA)];
                    if stream.offer(self.channel, part) == Offer::Taken {
                        reader.sent += part.len() as u64;
                    }
                    Sent::Some
                }
                Offer::Taken if self.source.is_none() => {
                    stream.end(self.channel);
                    reader.ended = true;
                    continue;
                }
                Offer::Taken => Sent::All,
            };
            result = result.max(one);
        }
        result
    }

    fn count_bulk(&mut self, count: usize) {
        let now = Instant::now();
        let soon = self.row.1.is_some_and(|last| now - last < SOON);
        // A larger read shows that patience is rewarded; it goes on.
        self.row = match (BULK.contains(&count), soon) {
            (true, true) => (self.row.0.saturating_add(1), Some(now)),
            (false, true) if count >= BULK.end => (self.row.0, Some(now)),
            _ => (0, Some(now)),
        };
    }

    fn close(&mut self, poll: &mut Poll) {
        if let Some(source) = self.source.take() {
            source.release(poll);
        }
    }
}

/// What became of a round to all who listen, the more pressing the later.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Sent {
    /// Nobody listens.
    Nobody,
    /// Everybody has had all that was read.
    All,
    /// Somebody takes nothing now: the others wait, too.
    Held,
    /// Too much waits on the connection.
    Stalled,
    /// There may be more for some.
    Some,
}

/// Stands for the offset of the next byte to come.
const FROM_NOW: i64 = -1;
/// Stands for the offset of the oldest byte kept.
const FROM_KEPT: i64 = -2;

/// Why nothing can be sent from an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKept {
    /// It is older than what is kept.
    NoMore,
    /// The command has not said so much.
    NotYet,
    /// No offset at all.
    Unknown,
}
