//! What the loop waits for: edge-triggered readiness of descriptors, each with a name of ours.
//!
//! Edge-triggered means that an event comes once; who gets it remembers it until a call would have blocked. So descriptors are registered once, which
//! matters where system calls are dear. Only the link's socket changes: a unix socket says that there is room each time the other side has read, and to
//! be woken for that, after each frame, is dearer still.

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Most events taken at a time.
const BATCH: usize = 64;

/// A part of a command that can be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The pipe on which a child says that it could not become the program.
    Status,
    /// stdin.
    Input,
    /// Output by its index.
    Output(usize),
    /// A pseudo-terminal: input and output 0 at once.
    Terminal,
}

/// Whose descriptor became ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The connection to the host.
    Link,
    /// What may become it.
    Home,
    /// The descriptor that signals arrive on.
    Signals,
    /// A command by its id.
    Command(u64, Part),
    /// A connection to a port, by its stream.
    Dial(u32),
    /// An output that outlived its command.
    Drain,
}

/// What a descriptor is watched for, beside the end of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
}

impl Interest {
    fn flags(self) -> EventFlags {
        let wanted = match self {
            Self::Read => EventFlags::IN,
            Self::Write => EventFlags::OUT,
            Self::Both => EventFlags::IN | EventFlags::OUT,
        };
        wanted | EventFlags::RDHUP | EventFlags::ET
    }
}

/// A registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(u64);

/// Changes what one registered descriptor is watched for, from any thread.
pub struct Watch {
    epoll: Arc<OwnedFd>,
    token: Token,
}

impl Watch {
    /// What is the case already is told again.
    pub fn change(&self, fd: impl AsFd, interest: Interest) {
        // It can only fail when the descriptor is no longer registered; then nobody waits for it.
        let _ = epoll::modify(&*self.epoll, fd, EventData::new_u64(self.token.0), interest.flags());
    }
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// Which registration.
    pub token: Token,
    /// Whose it is.
    pub target: Target,
    /// A read would not block (or there is nothing more to read).
    pub readable: bool,
    /// A write would not block (or would fail).
    pub writable: bool,
    /// The other side will write nothing more.
    pub over: bool,
}

/// An epoll descriptor and the names of what it watches.
pub struct Poll {
    epoll: Arc<OwnedFd>,
    targets: HashMap<u64, Target>,
    next: u64,
    events: Vec<Event>,
}

impl Poll {
    /// Fails when the kernel gives no epoll descriptor.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll: Arc::new(epoll), targets: HashMap::new(), next: 0, events: Vec::with_capacity(BATCH) })
    }

    /// Watches a non-blocking descriptor until `remove`.
    pub fn add(&mut self, fd: impl AsFd, target: Target, interest: Interest) -> io::Result<Token> {
        self.next += 1;
        epoll::add(&*self.epoll, fd, EventData::new_u64(self.next), interest.flags())?;
        self.targets.insert(self.next, target);
        Ok(Token(self.next))
    }

    /// To change what that registration waits for.
    pub fn watch(&self, token: Token) -> Watch {
        Watch { epoll: Arc::clone(&self.epoll), token }
    }

    /// Forgets a descriptor that is about to be closed, which ends the registration. (A child between fork and exec may hold it a little longer;
    /// events that still come then belong to nobody.)
    pub fn remove(&mut self, token: Token) {
        self.targets.remove(&token.0);
    }

    /// Gives a registration another name.
    pub fn rename(&mut self, token: Token, target: Target) {
        self.targets.insert(token.0, target);
    }

    /// Waits at most `timeout` (forever without one) and hands over what is ready.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) {
        // Rounded up to whole milliseconds: never early, and older kernels have no finer wait.
        let timeout = timeout.map(|time| {
            let millis = time.as_nanos().div_ceil(1_000_000).min(1_000_000) as i64;
            epoll_time(millis)
        });
        self.events.clear();
        if epoll::wait(&*self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()).is_err() {
            return;
        }
        for event in &self.events {
            let (flags, token) = (event.flags, event.data.u64());
            let over = flags.intersects(EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP);
            if let Some(target) = self.targets.get(&token) {
                ready.push(Ready {
                    token: Token(token),
                    target: *target,
                    readable: over || flags.contains(EventFlags::IN),
                    over,
                    writable: flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR),
                });
            }
        }
    }
}

fn epoll_time(millis: i64) -> rustix::event::Timespec {
    rustix::event::Timespec { tv_sec: millis / 1000, tv_nsec: (millis % 1000) * 1_000_000 }
}
