//! One connection to the host: its streams, the credit of their channels, and what waits to be sent.
//!
//! Shared by the loop, which never waits here, and the threads of calls, which do. A new connection has a new epoch; handles of an older one
//! find their stream gone.

use crate::frame::{self, CHANNELS, Frame, MAX_DATA, MAX_REASON, MAX_STREAMS, START, Violation, WINDOW};
use crate::poll::{Interest, Watch};
use crate::proto::{Reply, reply};
use prost::Message;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::{self, Errno, IoSlice};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes waiting to be sent above which nobody adds data.
const FULL: usize = 256 * 1024;
/// Bytes waiting to be sent above which nothing more is read from the host, so that its questions cannot fill our memory with answers.
pub const CHOKED: usize = 1024 * 1024;
/// A frame of so many bytes waits for others to go with.
const SHORT: usize = 256;
/// Bytes that are worth sending together with a frame of data.
const LITTLE: usize = 4096;
/// Consumed bytes after which the host is given credit.
const CREDIT_STEP: u32 = WINDOW as u32 / 4;
/// Frames of a stream whose memory is kept for the next.
const MAX_SPARE: usize = WINDOW as usize / MAX_DATA;

/// Who answers on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Nobody yet: it has just been opened.
    Nobody,
    /// A command by its id.
    Command(u64),
    /// A connection to a port.
    Dial,
    /// A thread.
    Call,
}

/// What a frame of the host means to the loop.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing to do.
    Nothing,
    /// The first message on stream 0.
    Welcome(&'a [u8]),
    /// A new stream and its request.
    Opened(u32, &'a [u8]),
    /// Raw bytes, to be consumed.
    Bytes(u32, Owner, u8, &'a [u8]),
    /// No more bytes on this channel.
    Ended(u32, Owner, u8),
    /// More may be sent.
    Credited(u32, Owner),
    /// The host has closed its side; ours is open.
    HalfClosed(u32, Owner),
    /// Both sides have closed, the host last: it has seen all that we said.
    Acknowledged(u32, Owner),
    /// The host gave the stream up.
    Reset(u32, Owner),
}

/// What became of bytes offered to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// They will arrive, as far as it is up to us.
    Taken,
    /// The host has not given credit for this channel.
    NoCredit,
    /// Too much waits to be sent on this connection.
    Full,
    /// The stream is over.
    Gone,
}

/// The stream is over; who was answering can stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

struct Entry {
    owner: Owner,
    /// Bytes that we may send, by channel; at most one frame below zero.
    credit: [i64; CHANNELS],
    /// Bytes that the host may send.
    window: [i64; CHANNELS],
    /// Bytes consumed for which no credit has been given.
    consumed: [u32; CHANNELS],
    ended: [bool; CHANNELS],
    closed_by_host: bool,
    closed_by_us: bool,
    /// Data on channel 1 for a thread; bounded by the window.
    inbox: VecDeque<Vec<u8>>,
    /// Memory of what was taken of it, for what comes next; as much as a window of whole frames.
    spare: Vec<Vec<u8>>,
    /// Written to when the host ends the stream, for a thread that waits elsewhere.
    wake: Option<Arc<OwnedFd>>,
}

impl Entry {
    fn new() -> Self {
        Self {
            owner: Owner::Nobody,
            credit: [WINDOW, START, START, START],
            window: [WINDOW; CHANNELS],
            consumed: [0; CHANNELS],
            ended: [false; CHANNELS],
            closed_by_host: false,
            closed_by_us: false,
            inbox: VecDeque::new(),
            spare: Vec::new(),
            wake: None,
        }
    }

    fn wake(&self) {
        if let Some(fd) = &self.wake {
            // It can only fail when it has been written to already.
            let _ = io::write(fd, &1u64.to_ne_bytes());
        }
    }
}

/// How the loop is told that the socket has room again.
struct Room {
    watch: Watch,
    /// It is to be told.
    wanted: bool,
}

#[derive(Default)]
struct State {
    socket: Option<Arc<OwnedFd>>,
    room: Option<Room>,
    epoch: u64,
    welcomed: bool,
    pending: VecDeque<u8>,
    streams: HashMap<u32, Entry>,
    /// Highest stream opened so far.
    last: u32,
    /// Short frames wait until the loop has worked on all that it knows: they go out together.
    corked: bool,
}

/// The connection; see the module.
#[derive(Default)]
pub struct Link {
    state: Mutex<State>,
    changed: Condvar,
    /// Threads that wait for a change. Changed under the lock only; to wake nobody costs a system call too.
    waiting: AtomicUsize,
}

impl Link {
    fn notify(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.changed.notify_all();
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic aborts the agent, so nobody can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new socket into use; the first message is sent on it at once.
    ///
    /// `watch` is of its registration, for reading.
    pub fn connect(&self, socket: Arc<OwnedFd>, watch: Watch, hello: &[u8]) {
        let mut state = self.lock();
        state.drop_connection();
        state.socket = Some(socket);
        state.room = Some(Room { watch, wanted: false });
        state.send(&[], frame::PREFACE);
        state.message(0, hello);
    }

    /// Ends the connection and all its streams.
    pub fn disconnect(&self) {
        self.lock().drop_connection();
        self.notify();
    }

    /// Sends what waits, now that there is room. True when there is room for data.
    pub fn flush(&self) -> bool {
        let mut state = self.lock();
        state.flush();
        if state.pending.is_empty() {
            state.want_room(false);
        }
        let room = state.pending.len() < FULL;
        if room {
            self.notify();
        }
        room
    }

    /// From now on short frames wait for `uncork`, or for data to go with.
    pub fn cork(&self) {
        self.lock().corked = true;
    }

    /// Sends what waits; from now on nothing does. True when there is room for data.
    pub fn uncork(&self) -> bool {
        let mut state = self.lock();
        state.corked = false;
        let full = state.pending.len() >= FULL;
        state.flush();
        let room = state.pending.len() < FULL;
        if full && room {
            self.notify();
        }
        room
    }

    /// Sends what waits.
    pub fn send_waiting(&self) {
        self.lock().flush();
    }

    /// Bytes that wait to be sent.
    pub fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// True when no stream is open.
    pub fn is_quiet(&self) -> bool {
        self.lock().streams.is_empty()
    }

    /// Answers a PING.
    pub fn pong(&self, bytes: [u8; 8]) {
        self.lock().frame(&Frame::Pong(bytes));
    }

    /// A handle on a stream of this connection, from now on owned by `owner`.
    pub fn own(self: &Arc<Self>, stream: u32, owner: Owner) -> Stream {
        let mut state = self.lock();
        if let Some(entry) = state.streams.get_mut(&stream) {
            entry.owner = owner;
        }
        Stream { link: Arc::clone(self), epoch: state.epoch, id: stream }
    }

    /// Keeps the books of one frame and says what it means; refuses what breaks a rule.
    pub fn receive<'a>(&self, frame: Frame<'a>) -> Result<Event<'a>, Violation> {
        let mut state = self.lock();
        match frame {
            Frame::Ping(bytes) => {
                state.frame(&Frame::Pong(bytes));
                Ok(Event::Nothing)
            }
            Frame::Pong(_) => Ok(Event::Nothing),
            Frame::Data { stream: 0, bytes, .. } if !state.welcomed => {
                state.welcomed = true;
                Ok(Event::Welcome(bytes))
            }
            Frame::Data { stream: 0, .. } => Err(Violation("a second message on stream 0")),
            _ if !state.welcomed => Err(Violation("a request before the welcome")),
            Frame::Open { stream, message } => state.open(stream).map(|()| Event::Opened(stream, message)),
            Frame::Data { stream, .. }
            | Frame::Credit { stream, .. }
            | Frame::End { stream, .. }
            | Frame::Reset { stream, .. }
            | Frame::Close { stream } => {
                if stream % 2 != 0 || stream > state.last {
                    return Err(Violation("a stream never opened"));
                }
                let waits = state.is_call(stream);
                let event = state.on_stream(stream, frame);
                if waits {
                    self.notify();
                }
                event
            }
        }
    }
}

impl State {
    fn drop_connection(&mut self) {
        if let Some(socket) = self.socket.take() {
            // The loop holds it too; a thread in the middle of a write must not keep it alive.
            let _ = rustix::net::shutdown(&socket, rustix::net::Shutdown::Both);
        }
        self.streams.values().for_each(Entry::wake);
        *self = State { epoch: self.epoch + 1, ..State::default() };
    }

    fn open(&mut self, stream: u32) -> Result<(), Violation> {
        if stream % 2 != 0 {
            return Err(Violation("an OPEN with an id of the other side"));
        }
        if stream <= self.last {
            return Err(Violation("an OPEN with an id that did not grow"));
        }
        if self.streams.len() >= MAX_STREAMS {
            return Err(Violation("too many streams"));
        }
        self.last = stream;
        self.streams.insert(stream, Entry::new());
        Ok(())
    }

    fn is_call(&self, stream: u32) -> bool {
        self.streams.get(&stream).is_some_and(|entry| entry.owner == Owner::Call)
    }

    fn on_stream<'a>(&mut self, stream: u32, frame: Frame<'a>) -> Result<Event<'a>, Violation> {
        let Some(entry) = self.streams.get_mut(&stream) else {
            return Ok(Event::Nothing);
        };
        let owner = entry.owner;
        if entry.closed_by_host && matches!(frame, Frame::Data { .. } | Frame::End { .. } | Frame::Close { .. }) {
            return Err(Violation("more on a stream after its CLOSE"));
        }
        match frame {
            Frame::Data { channel, bytes, .. } => {
                let at = usize::from(channel);
                if entry.ended[at] {
                    return Err(Violation("data after END"));
                }
                if entry.window[at] <= 0 {
                    return Err(Violation("data without credit"));
                }
                entry.window[at] -= bytes.len() as i64;
                match owner {
                    Owner::Call if channel == 1 && !entry.closed_by_us => {
                        let mut own = entry.spare.pop().unwrap_or_default();
                        own.clear();
                        own.extend_from_slice(bytes);
                        entry.inbox.push_back(own);
                    }
                    Owner::Command(_) | Owner::Dial if channel == 1 && !entry.closed_by_us => {
                        return Ok(Event::Bytes(stream, owner, channel, bytes));
                    }
                    // Nobody wants them; the host must not wait for us all the same.
                    _ => self.consumed(stream, channel, bytes.len()),
                }
                Ok(Event::Nothing)
            }
            Frame::Credit { channel, bytes, .. } => {
                let credit = &mut entry.credit[usize::from(channel)];
                *credit = credit.saturating_add(i64::from(bytes));
                Ok(Event::Credited(stream, owner))
            }
            Frame::End { channel, .. } => {
                if std::mem::replace(&mut entry.ended[usize::from(channel)], true) {
                    return Err(Violation("END twice"));
                }
                Ok(Event::Ended(stream, owner, channel))
            }
            Frame::Close { .. } => {
                entry.closed_by_host = true;
                entry.wake();
                if entry.closed_by_us {
                    self.streams.remove(&stream);
                    return Ok(Event::Acknowledged(stream, owner));
                }
                Ok(Event::HalfClosed(stream, owner))
            }
            Frame::Reset { .. } => {
                entry.wake();
                self.streams.remove(&stream);
                Ok(Event::Reset(stream, owner))
            }
            Frame::Open { .. } | Frame::Ping(_) | Frame::Pong(_) => Ok(Event::Nothing),
        }
    }

    /// Counts bytes as consumed and gives credit when it is worth a frame.
    fn consumed(&mut self, stream: u32, channel: u8, count: usize) {
        let Some(entry) = self.streams.get_mut(&stream) else { return };
        let at = usize::from(channel);
        // Lossless: never more than a window and a message.
        entry.consumed[at] += count as u32;
        if entry.consumed[at] >= CREDIT_STEP && !entry.closed_by_us && !entry.ended[at] {
            let bytes = std::mem::take(&mut entry.consumed[at]);
            entry.window[at] += i64::from(bytes);
            self.frame(&Frame::Credit { stream, channel, bytes });
        }
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        let mut bytes = Vec::with_capacity(32);
        frame.encode(&mut bytes);
        self.send(&[], &bytes);
    }

    fn message(&mut self, stream: u32, bytes: &[u8]) {
        self.send(&frame::data_header(stream, 0, bytes.len()), bytes);
    }

    /// Writes what waits and then this, and keeps what the socket does not take.
    fn send(&mut self, head: &[u8], body: &[u8]) {
        let Some(socket) = &self.socket else { return };
        if self.corked && head.len() + body.len() <= SHORT && self.pending.len() < FULL {
            self.pending.extend(head);
            self.pending.extend(body);
            return;
        }
        let mut written = 0;
        // More than a little means that the socket was full: there is no use in trying before it says otherwise.
        if self.pending.len() <= LITTLE {
            let (first, second) = self.pending.as_slices();
            let parts = [first, second, head, body].map(IoSlice::new);
            written = match rustix::io::retry_on_intr(|| io::writev(socket, &parts)) {
                Ok(count) => count,
                Err(Errno::AGAIN) => 0,
                Err(_) => return self.break_off(),
            };
        }
        let old = written.min(self.pending.len());
        self.pending.drain(..old);
        written -= old;
        for part in [head, body] {
            let skip = written.min(part.len());
            written -= skip;
            self.pending.extend(&part[skip..]);
        }
        if !self.pending.is_empty() && !self.corked {
            // Until the socket says that it is full; only then does it say when there is room again.
            self.flush();
        }
    }

    fn flush(&mut self) {
        while !self.pending.is_empty() {
            let Some(socket) = &self.socket else { return };
            let (first, second) = self.pending.as_slices();
            match io::writev(socket, &[IoSlice::new(first), IoSlice::new(second)]) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return self.want_room(true),
                Err(_) => return self.break_off(),
            }
        }
        if self.pending.capacity() > 2 * MAX_DATA {
            self.pending = VecDeque::new();
        }
    }

    fn want_room(&mut self, wanted: bool) {
        if let (Some(socket), Some(room)) = (&self.socket, &mut self.room)
            && room.wanted != wanted
        {
            room.wanted = wanted;
            room.watch.change(socket, if wanted { Interest::Both } else { Interest::Read });
        }
    }

    /// The host is gone: the loop finds out by reading.
    fn break_off(&mut self) {
        self.pending = VecDeque::new();
        if let Some(socket) = &self.socket {
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }
}

/// A handle on one stream of one connection.
#[derive(Clone)]
pub struct Stream {
    link: Arc<Link>,
    epoch: u64,
    id: u32,
}

impl Stream {
    /// Its number on the link.
    pub fn id(&self) -> u32 {
        self.id
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = self.link.lock();
        let open = state.epoch == self.epoch && state.streams.get(&self.id).is_some_and(|entry| !entry.closed_by_us);
        open.then(|| act(&mut state))
    }

    /// Sends a message at once. For the few short answers of the loop, which fit into the first credit of any stream.
    pub fn reply(&self, of: reply::Of) {
        let message = Reply { of: Some(of) }.encode_to_vec();
        self.with(|state| {
            state.charge(self.id, 0, message.len());
            state.message(self.id, &message);
        });
    }

    /// Can bytes be sent on this channel now?
    pub fn room(&self, channel: u8) -> Offer {
        self.with(|state| state.room(self.id, channel)).unwrap_or(Offer::Gone)
    }

    /// Sends at most 65,536 bytes when there is room.
    pub fn offer(&self, channel: u8, bytes: &[u8]) -> Offer {
        self.with(|state| {
            let room = state.room(self.id, channel);
            if room == Offer::Taken {
                state.charge(self.id, channel, bytes.len());
                state.send(&frame::data_header(self.id, channel, bytes.len()), bytes);
            }
            room
        })
        .unwrap_or(Offer::Gone)
    }

    /// Says that bytes of the host have been used up.
    pub fn consumed(&self, channel: u8, count: usize) {
        if count > 0 {
            self.with(|state| state.consumed(self.id, channel, count));
        }
    }

    /// Nothing more on this channel.
    pub fn end(&self, channel: u8) {
        self.with(|state| state.frame(&Frame::End { stream: self.id, channel }));
    }

    /// Nothing more on this stream.
    pub fn close(&self) {
        self.with(|state| {
            state.frame(&Frame::Close { stream: self.id });
            if let Some(entry) = state.streams.get_mut(&self.id) {
                entry.closed_by_us = true;
                entry.inbox = VecDeque::new();
                if entry.closed_by_host {
                    state.streams.remove(&self.id);
                }
            }
        });
    }

    /// The stream is over at once.
    pub fn reset(&self, why: &str) {
        debug_assert!(why.len() <= MAX_REASON);
        self.with(|state| {
            state.frame(&Frame::Reset { stream: self.id, why });
            state.streams.remove(&self.id);
        });
    }

    // What follows waits, and is for threads.

    /// Sends a message as soon as the host takes it.
    pub fn say(&self, of: reply::Of) -> Result<(), Gone> {
        self.give(0, &Reply { of: Some(of) }.encode_to_vec())
    }

    /// Sends a message or at most 65,536 bytes as soon as the host takes them.
    pub fn give(&self, channel: u8, bytes: &[u8]) -> Result<(), Gone> {
        let mut state = self.link.lock();
        loop {
            if state.epoch != self.epoch {
                return Err(Gone);
            }
            match state.room(self.id, channel) {
                Offer::Gone => return Err(Gone),
                Offer::Taken => {
                    state.charge(self.id, channel, bytes.len());
                    state.send(&frame::data_header(self.id, channel, bytes.len()), bytes);
                    return Ok(());
                }
                Offer::NoCredit | Offer::Full => state = self.link.wait(state),
            }
        }
    }

    /// What has come on channel 1, in place of what `pieces` holds; waits for it. False at its END. A CLOSE without END counts as giving up.
    ///
    /// The memory of what was taken before is used again: fresh memory costs a fault a page, which gVisor makes dear.
    pub fn take(&self, pieces: &mut Vec<Vec<u8>>) -> Result<bool, Gone> {
        let mut state = self.link.lock();
        loop {
            if state.epoch != self.epoch {
                return Err(Gone);
            }
            let Some(entry) = state.streams.get_mut(&self.id) else { return Err(Gone) };
            entry.spare.append(pieces);
            entry.spare.truncate(MAX_SPARE);
            if !entry.inbox.is_empty() {
                pieces.extend(entry.inbox.drain(..));
                state.consumed(self.id, 1, pieces.iter().map(Vec::len).sum());
                return Ok(true);
            }
            if entry.ended[1] {
                return Ok(false);
            }
            if entry.closed_by_host {
                return Err(Gone);
            }
            state = self.link.wait(state);
        }
    }

    /// A descriptor that becomes readable when the host closes or resets the stream or is gone.
    pub fn farewell(&self) -> io::Result<Arc<OwnedFd>> {
        let fd = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let still_there = self.with(|state| match state.streams.get_mut(&self.id) {
            Some(entry) if !entry.closed_by_host => {
                entry.wake = Some(Arc::clone(&fd));
                true
            }
            _ => false,
        });
        if still_there != Some(true) {
            io::write(&fd, &1u64.to_ne_bytes())?;
        }
        Ok(fd)
    }
}

impl State {
    fn room(&self, stream: u32, channel: u8) -> Offer {
        match self.streams.get(&stream) {
            None => Offer::Gone,
            Some(entry) if entry.credit[usize::from(channel)] <= 0 => Offer::NoCredit,
            Some(_) if self.pending.len() >= FULL => Offer::Full,
            Some(_) => Offer::Taken,
        }
    }

    fn charge(&mut self, stream: u32, channel: u8, count: usize) {
        if let Some(entry) = self.streams.get_mut(&stream) {
            entry.credit[usize::from(channel)] -= count as i64;
        }
    }
}
