//! The loop: one thread that waits for everything and never blocks on anything else.

use crate::adopt::{Identity, adopt};
use crate::calls::Calls;
use crate::commands::Commands;
use crate::dial::Dial;
use crate::failure::{Failure, fail};
use crate::files::done;
use crate::frame::{Frame, Violation};
use crate::guest;
use crate::home::Home;
use crate::intake::{Intake, Read};
use crate::link::{CHOKED, Event, Link, Owner, Stream};
use crate::network::Plan;
use crate::output::Turn;
use crate::poll::{Interest, Poll, Ready, Target, Token};
use crate::proto::failed::Code;
use crate::proto::{CommandList, Hello, Request, Welcome, reply, request};
use crate::reap;
use crate::spawn::Basis;
use crate::starvation::Starvation;
use crate::turns::Turns;
use crate::way::Way;
use prost::Message;
use rustix::fd::OwnedFd;
use rustix::io;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Version of `agent.proto`.
const PROTOCOL: u32 = 1;
/// What commands get between being asked to end and our own end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long small pieces of a stream of data are left to become larger ones.
const MOMENT: Duration = Duration::from_micros(100);
/// Most reads of the link before others get their turn.
const READS: usize = 4;

struct Connection {
    socket: Arc<OwnedFd>,
    token: Token,
    readable: bool,
}

/// The whole agent.
pub struct Agent {
    poll: Poll,
    signals: OwnedFd,
    home: Home,
    link: Arc<Link>,
    connection: Option<Connection>,
    intake: Intake,
    identity: Identity,
    commands: Commands,
    calls: Calls,
    dials: HashMap<u32, Dial>,
    dial_turns: Turns<u32>,
    /// When we end whatever the commands do.
    ending: Option<Instant>,
}

impl Agent {
    /// Home is reached by `way`; commands start with the limit `files` of open files. Call it before any thread exists.
    pub fn new(way: Way, files: libc::rlimit) -> io::Result<Self> {
        let signals = reap::take_signals()?;
        reap::adopt_orphans();
        let mut poll = Poll::new()?;
        poll.add(&signals, Target::Signals, Interest::Read)?;
        let link = Arc::new(Link::default());
        Ok(Self {
            poll,
            signals,
            home: Home::at(way, Instant::now()),
            commands: Commands::new(Arc::clone(&link), Basis::new(files)?, Starvation::of_machine()),
            link,
            connection: None,
            intake: Intake::default(),
            // A machine that we have made has a device with nothing yet.
            identity: Identity::new(guest::is_init().then(Plan::default)),
            calls: Calls::default(),
            dials: HashMap::new(),
            dial_turns: Turns::default(),
            ending: None,
        })
    }

    /// Works until the host has been away for too long, or somebody asked us to end.
    pub fn run(mut self) {
        let mut ready = Vec::new();
        // Children may have ended before signals arrived here.
        self.reap();
        loop {
            let now = Instant::now();
            self.home.look(now);
            if self.home.is_hopeless(now) || self.ending.is_some_and(|at| at <= now || !self.commands.any_running()) {
                break;
            }
            if self.home.is_ignored(now) {
                self.hang_up();
            }
            self.dial_home(now);
            self.commands.expire(now, &mut self.poll);
            if self.link.uncork() {
                self.resume();
            }
            let timeout = self.timeout();
            if timeout != Some(Duration::ZERO) && self.commands.is_streaming() {
                std::thread::sleep(MOMENT);
            }
            self.poll.wait(timeout, &mut ready);
            self.link.cork();
            for event in ready.drain(..) {
                self.dispatch(event);
            }
            self.read_link();
            self.commands.take_turns(&mut self.poll);
            self.pump_dials();
        }
        // PID 1 takes all others with it; elsewhere nobody else would.
        self.commands.signal_all(libc::SIGKILL);
    }

    fn timeout(&self) -> Option<Duration> {
        let reading = self.connection.as_ref().is_some_and(|connection| connection.readable) && self.link.pending() < CHOKED;
        if reading || self.commands.has_turns() || !self.dial_turns.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = [self.home.deadline(), self.commands.deadline(), self.ending].into_iter().flatten().min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn dispatch(&mut self, event: Ready) {
        let Ready { token, target, readable, writable, .. } = event;
        match target {
            Target::Link => {
                if writable && self.link.flush() {
                    self.resume();
                }
                if let Some(connection) = &mut self.connection {
                    connection.readable |= readable;
                }
            }
            Target::Home => self.home.stir(Instant::now()),
            Target::Signals => self.take_signals(),
            Target::Command(id, part) => self.commands.ready(id, part, event, &mut self.poll),
            Target::Dial(stream) => {
                if let Some(dial) = self.dials.get_mut(&stream) {
                    dial.ready(event, &mut self.poll);
                    self.dial_turns.push(stream);
                }
            }
            Target::Drain => self.commands.drain_ready(token),
        }
    }

    /// There is room on the connection.
    fn resume(&mut self) {
        self.commands.resume();
        self.dial_turns.resume();
    }

    fn take_signals(&mut self) {
        let signals = reap::read_signals(&self.signals);
        if signals.terminate && self.ending.is_none() {
            self.commands.signal_all(libc::SIGTERM);
            // What is stopped could not hear it.
            self.commands.signal_all(libc::SIGCONT);
            self.ending = Some(Instant::now() + PATIENCE);
        }
        if signals.children {
            self.reap();
        }
    }

    fn reap(&mut self) {
        while let Some(ended) = reap::next_ended() {
            self.commands.ended(ended, &mut self.poll);
        }
    }

    fn dial_home(&mut self, now: Instant) {
        let Some((socket, token)) = self.home.dial(now, &mut self.poll) else { return };
        self.connection = Some(Connection { socket: Arc::new(socket), token, readable: true });
        self.intake = Intake::default();
        self.greet();
    }

    fn greet(&mut self) {
        let Some(connection) = &self.connection else { return };
        let hello = Hello {
            protocol: PROTOCOL,
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            commands: self.commands.list(false),
            adopted: self.identity.adopted,
        };
        self.link.connect(Arc::clone(&connection.socket), self.poll.watch(connection.token), &hello.encode_to_vec());
    }

    /// Ends the connection; everything that does not need the host goes on.
    fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.poll.remove(connection.token);
        }
        self.forget_host();
        self.intake = Intake::default();
        self.home.lost(Instant::now(), &mut self.poll);
    }

    fn forget_host(&mut self) {
        self.link.disconnect();
        self.commands.detach_all();
        for (_, mut dial) in self.dials.drain() {
            dial.abandon("the connection to the host is gone", &mut self.poll);
        }
    }

    /// We stood still while one host went and another came; no event told of it.
    fn meet_another_host(&mut self) {
        self.forget_host();
        self.home.exchanged(Instant::now());
        self.greet();
    }

    fn read_link(&mut self) {
        // Taken out, because frames borrow from it while the rest of the agent works on them.
        let mut intake = std::mem::take(&mut self.intake);
        let result = self.read_frames(&mut intake);
        if self.link.is_quiet() {
            intake.relax();
        }
        self.intake = intake;
        match result {
            Ok(true) => {}
            Ok(false) => self.hang_up(),
            Err(Violation(rule)) => {
                eprintln!("caisson-agent: the host broke a rule of the link: {rule}; dialing again");
                self.hang_up();
            }
        }
    }

    /// False when the connection is over.
    fn read_frames(&mut self, intake: &mut Intake) -> Result<bool, Violation> {
        for _ in 0..READS {
            let Some(connection) = self.connection.as_mut().filter(|connection| connection.readable) else { return Ok(true) };
            if self.link.pending() >= CHOKED {
                return Ok(true);
            }
            match intake.read(&connection.socket) {
                Read::More => {}
                Read::Later => {
                    connection.readable = false;
                    return Ok(true);
                }
                Read::Over => return Ok(false),
            }
            loop {
                if self.home.is_line() && intake.begins_anew() {
                    self.meet_another_host();
                }
                let Some(frame) = intake.next_frame()? else { break };
                self.take_frame(frame)?;
            }
            // Answers leave before we look for more questions.
            self.link.send_waiting();
        }
        Ok(true)
    }

    fn take_frame(&mut self, frame: Frame<'_>) -> Result<(), Violation> {
        let poll = &mut self.poll;
        match self.link.receive(frame)? {
            Event::Nothing => {}
            Event::Welcome(message) => {
                let welcome = Welcome::decode(message).map_err(|_| Violation("a welcome that cannot be read"))?;
                self.home.welcomed(welcome.grace_seconds);
            }
            Event::Opened(stream, message) => self.answer(stream, message),
            Event::Bytes(stream, Owner::Command(id), _, bytes) => self.commands.bytes(id, stream, bytes, poll),
            Event::Bytes(stream, _, _, bytes) => self.with_dial(stream, |dial, poll| dial.bytes(bytes, poll)),
            Event::Ended(stream, Owner::Command(id), 1) => self.commands.end_input(id, stream, poll),
            Event::Ended(stream, Owner::Dial, 1) | Event::HalfClosed(stream, Owner::Dial) => {
                self.with_dial(stream, |dial, poll| dial.end(poll))
            }
            Event::Credited(_, Owner::Command(id)) => self.commands.credited(id),
            Event::Credited(stream, Owner::Dial) => self.dial_turns.push(stream),
            Event::Acknowledged(stream, Owner::Command(id)) => self.commands.acknowledged(id, stream),
            Event::Reset(stream, Owner::Command(id)) => self.commands.detach(id, stream),
            Event::Reset(stream, Owner::Dial) => self.with_dial(stream, |dial, poll| dial.abandon("given up", poll)),
            Event::Ended(..) | Event::Credited(..) | Event::HalfClosed(..) | Event::Acknowledged(..) | Event::Reset(..) => {}
        }
        Ok(())
    }

    fn with_dial(&mut self, stream: u32, act: impl FnOnce(&mut Dial, &mut Poll)) {
        if let Some(dial) = self.dials.get_mut(&stream) {
            act(dial, &mut self.poll);
            self.dial_turns.push(stream);
        }
    }

    fn pump_dials(&mut self) {
        for _ in 0..self.dial_turns.len() {
            let Some(stream) = self.dial_turns.pop() else { return };
            let Some(dial) = self.dials.get_mut(&stream) else { continue };
            match dial.pump(&mut self.poll) {
                Turn::Stalled => self.dial_turns.stall(stream),
                Turn::Again => self.dial_turns.push(stream),
                Turn::Idle | Turn::Broken => {}
            }
            if dial.is_over() {
                self.dials.remove(&stream);
            }
        }
    }

    /// Answers a request, or gives it to who will.
    fn answer(&mut self, id: u32, message: &[u8]) {
        let stream = self.link.own(id, Owner::Nobody);
        let said = match Request::decode(message) {
            Ok(Request { of: Some(request) }) => self.act(request, &stream),
            _ => Err(fail(Code::Invalid, "a request that this agent does not know")),
        };
        match said {
            Ok(None) => {}
            Ok(Some(reply)) => {
                stream.reply(reply);
                stream.close();
            }
            Err(failure) => {
                stream.reply(failure.reply());
                stream.close();
            }
        }
    }

    /// Nothing when somebody else will answer.
    fn act(&mut self, request: request::Of, stream: &Stream) -> Result<Option<reply::Of>, Failure> {
        use request::Of;
        match request {
            Of::Adopt(asked) => adopt(&mut self.identity, asked).map(|()| Some(done(true))),
            Of::Start(_) if self.ending.is_some() => Err(fail(Code::Other, "the sandbox is ending")),
            Of::Start(asked) => self.commands.start(&asked, &mut self.identity, stream.id(), &mut self.poll).map(|()| None),
            Of::Attach(asked) => self.commands.attach(&asked, stream.id()).map(|()| None),
            Of::Input(asked) => self.commands.input(&asked, stream.id()).map(|()| None),
            Of::Signal(asked) => self.commands.signal(&asked).map(|()| Some(done(true))),
            Of::Resize(asked) => self.commands.resize(&asked).map(|()| Some(done(true))),
            Of::Forget(asked) => self.commands.forget(asked.id, &mut self.poll).map(|there| Some(done(there))),
            Of::Commands(asked) => Ok(Some(reply::Of::Commands(CommandList { commands: self.commands.list(asked.brief) }))),
            Of::Dial(asked) => {
                let dial = Dial::begin(self.link.own(stream.id(), Owner::Dial), asked.port, &mut self.poll)?;
                self.dials.insert(stream.id(), dial);
                self.dial_turns.push(stream.id());
                Ok(None)
            }
            blocking => {
                let own = self.link.own(stream.id(), Owner::Call);
                self.calls.start(&own, blocking, &mut self.identity).map(|()| None)
            }
        }
    }
}
