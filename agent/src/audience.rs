//! Who is on one command's streams: listeners, which take its output and may give input, and feeders, which only give input.

use crate::failure::{Failure, fail};
use crate::link::Stream;
use crate::output::Reader;
use crate::proto::failed::Code;
use crate::proto::{Done, Exited, Started, reply};
use std::collections::VecDeque;

/// Most streams of one command.
const MOST: usize = 32;

/// A stream that takes the output.
pub struct Listener {
    /// Where it goes.
    pub stream: Stream,
    /// How far it has got with each output.
    pub readers: [Reader; 2],
    /// Where it began.
    from: [u64; 2],
    /// Started has been said.
    greeted: bool,
    /// Exited has been said.
    told: bool,
}

impl Listener {
    /// From these offsets on.
    pub fn new(stream: Stream, from: [u64; 2]) -> Self {
        Self { stream, readers: from.map(Reader::from), from, greeted: false, told: false }
    }
}

/// A stream that only gives input.
struct Feeder {
    stream: Stream,
    /// Nothing may come after it.
    last: bool,
    /// Its END has come.
    ended: bool,
    /// Some bytes have come.
    gave: bool,
    /// Bytes that the command's pipe has not taken.
    waiting: usize,
}

/// All streams of one command.
#[derive(Default)]
pub struct Audience {
    listeners: Vec<Listener>,
    feeders: Vec<Feeder>,
    /// Whose bytes wait for the command's pipe, in their order there.
    owed: VecDeque<(u32, usize)>,
}

impl Audience {
    /// Room for one more?
    pub fn admit(&self) -> Result<(), Failure> {
        if self.listeners.len() + self.feeders.len() >= MOST {
            return Err(fail(Code::TooMany, format!("{MOST} streams of the command are open already")));
        }
        Ok(())
    }

    /// One more that listens.
    pub fn listen(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    /// One more that only gives input; `last` when the input ends after it.
    pub fn feed(&mut self, stream: Stream, last: bool) {
        self.feeders.push(Feeder { stream, last, ended: false, gave: false, waiting: 0 });
    }

    /// Nobody takes the output.
    pub fn is_deaf(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Those who take the output.
    pub fn listeners(&mut self) -> &mut [Listener] {
        &mut self.listeners
    }

    /// The stream may give input.
    pub fn has(&self, stream: u32) -> bool {
        self.listeners.iter().any(|listener| listener.stream.id() == stream) || self.feeds(stream)
    }

    /// The stream only gives input.
    pub fn feeds(&self, stream: u32) -> bool {
        self.feeders.iter().any(|feeder| feeder.stream.id() == stream)
    }

    /// Tells those who have not heard it that the program runs.
    pub fn greet(&mut self, id: u64, pid: u32) {
        for listener in self.listeners.iter_mut().filter(|listener| !listener.greeted) {
            listener.greeted = true;
            let [stdout_offset, stderr_offset] = listener.from;
            listener.stream.reply(reply::Of::Started(Started { id, pid, stdout_offset, stderr_offset }));
        }
    }

    /// Tells the end to those who have had all output of `outputs` channels.
    pub fn tell(&mut self, exited: Exited, outputs: usize) {
        for listener in self.listeners.iter_mut().filter(|listener| !listener.told) {
            if listener.readers[..outputs].iter().all(Reader::is_ended) {
                listener.told = true;
                listener.stream.reply(reply::Of::Exited(exited));
                listener.stream.close();
            }
        }
    }

    /// The host has closed a stream on which the end was told. False when it is none of ours.
    pub fn heard(&mut self, stream: u32) -> bool {
        let before = self.listeners.len();
        self.listeners.retain(|listener| listener.stream.id() != stream || !listener.told);
        self.listeners.len() < before
    }

    /// The stream is gone. What it gave is still the command's.
    pub fn leave(&mut self, stream: u32) {
        self.listeners.retain(|listener| listener.stream.id() != stream);
        self.feeders.retain(|feeder| feeder.stream.id() != stream);
    }

    /// All are gone.
    pub fn disperse(&mut self) {
        self.listeners.clear();
        self.feeders.clear();
    }

    /// The command never ran: everybody is told why.
    pub fn fail(&mut self, failure: &Failure) {
        let streams = self.listeners.drain(..).map(|listener| listener.stream);
        for stream in streams.chain(self.feeders.drain(..).map(|feeder| feeder.stream)) {
            refuse(&stream, failure.clone());
        }
    }

    /// Everybody is cut off.
    pub fn reset(&mut self, why: &str) {
        let streams = self.listeners.drain(..).map(|listener| listener.stream);
        for stream in streams.chain(self.feeders.drain(..).map(|feeder| feeder.stream)) {
            stream.reset(why);
        }
    }

    /// Those who only give input have nobody to give it to any more. Whose bytes have all been taken need not hear of it: what they say next is that it was all.
    pub fn refuse_feeders(&mut self, failure: &Failure) {
        self.feeders.retain(|feeder| {
            let done = feeder.gave && feeder.waiting == 0;
            if !done {
                refuse(&feeder.stream, failure.clone());
            }
            done
        });
    }

    /// One stream gave too much, or at a wrong time.
    pub fn refuse(&mut self, stream: u32, failure: Failure) {
        if let Some(at) = self.feeders.iter().position(|feeder| feeder.stream.id() == stream) {
            refuse(&self.feeders.swap_remove(at).stream, failure);
        } else if let Some(at) = self.listeners.iter().position(|listener| listener.stream.id() == stream) {
            self.listeners.swap_remove(at).stream.reset("too much input waits for the command");
        }
    }

    /// A stream has given `count` bytes, which wait behind those of others.
    pub fn gave(&mut self, stream: u32, count: usize) {
        if count == 0 {
            return;
        }
        if let Some(feeder) = self.feeder(stream) {
            feeder.waiting += count;
            feeder.gave = true;
        }
        match self.owed.back_mut() {
            Some((last, sum)) if *last == stream => *sum += count,
            _ => self.owed.push_back((stream, count)),
        }
    }

    /// The command has taken `count` bytes of those that waited: whoever gave them gets credit.
    pub fn took(&mut self, mut count: usize) {
        while count > 0
            && let Some((stream, owed)) = self.owed.front_mut()
        {
            let (stream, paid) = (*stream, count.min(*owed));
            *owed -= paid;
            if *owed == 0 {
                self.owed.pop_front();
            }
            count -= paid;
            if let Some(listener) = self.listeners.iter().find(|listener| listener.stream.id() == stream) {
                listener.stream.consumed(1, paid);
            } else if let Some(feeder) = self.feeder(stream) {
                feeder.waiting -= paid;
                feeder.stream.consumed(1, paid);
            }
        }
        self.thank();
    }

    /// A stream gives nothing more. True when the command's input ends with it.
    pub fn gave_all(&mut self, stream: u32) -> bool {
        match self.feeder(stream) {
            Some(feeder) => {
                feeder.ended = true;
                feeder.last
            }
            None => self.has(stream),
        }
    }

    /// Answers those whose input the command has taken whole.
    pub fn thank(&mut self) {
        self.feeders.retain(|feeder| {
            let over = feeder.ended && feeder.waiting == 0;
            if over {
                feeder.stream.reply(reply::Of::Done(Done { changed: true }));
                feeder.stream.close();
            }
            !over
        });
    }

    fn feeder(&mut self, stream: u32) -> Option<&mut Feeder> {
        self.feeders.iter_mut().find(|feeder| feeder.stream.id() == stream)
    }
}

fn refuse(stream: &Stream, failure: Failure) {
    stream.reply(failure.reply());
    stream.close();
}
