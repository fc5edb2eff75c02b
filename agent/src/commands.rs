//! The commands that the agent holds: running ones, and ended ones that the host has not heard the end of.
//!
//! ```text
//! start ─▶ starting ─(exec)─▶ running ─(reaped)─▶ ended ─(all sent, host closed)─▶ heard ─(30 s)─▶ dropped
//!             └─(exec failed)─▶ dropped               └────(Forget, or too many ended)─────┴──▶ dropped
//! ```
//! A command that leaves somebody behind who holds its output open (a daemon) ends all the same: what was written until then is sent, and after
//! 100 ms of silence the output's END. What is written later is read and thrown away, so that the daemon neither stops nor dies of a closed pipe.

use crate::adopt::Identity;
use crate::audience::{Audience, Listener};
use crate::child::Lent;
use crate::failure::{Failure, fail};
use crate::frame::{MAX_DATA, WINDOW};
use crate::input::{Input, OnEnd};
use crate::link::{Link, Owner};
use crate::output::{Kind, NotKept, Output, Turn, Watched};
use crate::poll::{Interest, Part, Poll, Ready, Target, Token};
use crate::proto::failed::Code;
use crate::proto::{self, Attach, Exited, Resize, Signal, Start};
use crate::reap::{self, send_signal};
use crate::spawn::{self, Basis, Child, Ends, check_variables};
use crate::starvation::Starvation;
use crate::turns::Turns;
use rustix::fd::OwnedFd;
use rustix::io::{self, Errno};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most commands running at a time.
const MAX_RUNNING: usize = 1024;
/// Most ended commands held.
const MAX_ENDED: usize = 256;
/// How long an ended command is held after the host has heard its end, for others who come late.
const HELD_AFTER: Duration = Duration::from_secs(30);
/// Bytes of output that such a command may keep; one with more forgets it.
const HELD_OUTPUT: usize = 64 << 10;
/// Bytes of output kept for ended commands, together; the oldest lose theirs first.
const MAX_ENDED_OUTPUT: usize = 16 << 20;
/// Bytes kept of each output: what the host may not have consumed (at most a window and a frame), and what it or its client may want again.
const KEEP: usize = 4 << 20;
/// What is kept of each however many there are: without it, bytes would be lost when a host comes back.
const KEEP_AT_LEAST: usize = WINDOW as usize + MAX_DATA;
/// With many commands they share this many bytes.
const KEEP_TOGETHER: usize = 64 << 20;
/// Outputs that outlived their command and are still read.
const MAX_DRAINS: usize = 256;
/// Bytes of argv that are told of a held command.
const MAX_ARGV: usize = 512;
/// Longest tag, bytes.
const MAX_TAG: usize = 1024;
/// How long the start of a batched command may wait for what comes after it.
const HOLD: Duration = Duration::from_millis(20);
/// Linux's signals.
const SIGNALS: std::ops::RangeInclusive<u32> = 1..=64;

struct Command {
    pid: u32,
    /// Cut to `MAX_ARGV`.
    argv: Vec<Vec<u8>>,
    /// Until it has become the program.
    starting: Option<(Child, Token)>,
    input: Input,
    outputs: Vec<Output>,
    terminal: bool,
    /// What the kernel had killed for memory when it was started.
    kills_before: u64,
    exited: Option<Exited>,
    audience: Audience,
    tag: String,
    drop_unread: bool,
    /// Its start is to be told together with what comes after it.
    batched: bool,
    /// It runs, and nobody has been told yet.
    untold: bool,
}

impl Command {
    fn is_ended(&self) -> bool {
        self.exited.is_some()
    }

    fn memory(&self) -> usize {
        self.outputs.iter().map(Output::memory).sum()
    }

    fn describe(&self, id: u64, brief: bool) -> proto::Command {
        let mut told = proto::Command { id, pid: self.pid, exited: self.exited, ..Default::default() };
        if !brief {
            told.argv = self.argv.clone();
            told.tag = self.tag.clone();
            told.drop_unread = self.drop_unread;
            told.terminal = self.terminal;
        }
        told
    }

    fn audience_changed(&mut self) {
        self.outputs.iter_mut().for_each(Output::audience_changed);
    }

    /// Tells everybody who has not heard it that it runs.
    fn greet(&mut self, id: u64) {
        self.untold = false;
        self.audience.greet(id, self.pid);
    }
}

/// All commands; see the module.
pub struct Commands {
    link: Arc<Link>,
    all: BTreeMap<u64, Command>,
    /// Commands by the process that has not been reaped.
    pids: HashMap<u32, u64>,
    /// What processes use that have not become their programs.
    lent: HashMap<u32, Lent>,
    /// Ended commands of which the host has not heard the end, oldest first.
    ended: VecDeque<u64>,
    /// Those of which it has, and since when, oldest first.
    heard: VecDeque<(Instant, u64)>,
    /// Batched commands whose start was held back, and until when at most, oldest first. Some have been told of since.
    untold: VecDeque<(Instant, u64)>,
    drains: HashMap<Token, Watched>,
    turns: Turns<u64>,
    drain_turns: Turns<Token>,
    /// Data streams out of somebody who had a turn.
    streaming: bool,
    /// What all commands start with.
    start: Basis,
    starvation: Starvation,
}

impl Commands {
    /// None yet.
    pub fn new(link: Arc<Link>, start: Basis, starvation: Starvation) -> Self {
        Self {
            link,
            all: BTreeMap::new(),
            pids: HashMap::new(),
            lent: HashMap::new(),
            ended: VecDeque::new(),
            heard: VecDeque::new(),
            untold: VecDeque::new(),
            drains: HashMap::new(),
            turns: Turns::default(),
            drain_turns: Turns::default(),
            streaming: false,
            start,
            starvation,
        }
    }

    /// What the host is told of them.
    pub fn list(&self, brief: bool) -> Vec<proto::Command> {
        self.all.iter().map(|(id, command)| command.describe(*id, brief)).collect()
    }

    /// True while a command's process has not ended.
    pub fn any_running(&self) -> bool {
        !self.pids.is_empty()
    }

    /// Starts a command. An error means that nothing was started; a failure to become the program is told on the stream later.
    pub fn start(&mut self, asked: &Start, identity: &mut Identity, stream: u32, poll: &mut Poll) -> Result<(), Failure> {
        if asked.id == 0 || self.all.contains_key(&asked.id) {
            return Err(fail(Code::Exists, format!("command {}: an id is above 0 and used once", asked.id)));
        }
        if self.pids.len() >= MAX_RUNNING {
            return Err(fail(Code::TooMany, format!("{MAX_RUNNING} commands are running already")));
        }
        if asked.tag.len() > MAX_TAG {
            return Err(fail(Code::Invalid, format!("a tag has at most {MAX_TAG} bytes")));
        }
        check_variables(&asked.env)?;
        let name = if asked.user.is_empty() { &identity.user } else { &asked.user };
        let user = identity.register.accounts().find(name)?;
        let kills_before = self.starvation.kills();
        let (child, ends, lent) = spawn::spawn(asked, &user, &identity.env, &self.start)?;
        let pid = child.pid;
        self.lent.insert(pid, lent);
        match assemble(asked, child, ends, kills_before, poll) {
            Ok(mut command) => {
                command.audience.listen(Listener::new(self.link.own(stream, Owner::Command(asked.id)), [0, 0]));
                self.pids.insert(pid, asked.id);
                self.all.insert(asked.id, command);
                Ok(())
            }
            Err(error) => {
                // It is reaped as somebody unknown.
                let _ = send_signal(pid, false, libc::SIGKILL as u32);
                Err(Failure::system("watch the command's pipes", error))
            }
        }
    }

    /// Sends a command's output on one more stream, from the offsets asked for.
    pub fn attach(&mut self, asked: &Attach, stream: u32) -> Result<(), Failure> {
        let command = self.all.get_mut(&asked.id).ok_or_else(|| unknown(asked.id))?;
        command.audience.admit()?;
        let mut from = [0, 0];
        for ((output, offset), from) in command.outputs.iter().zip([asked.stdout_offset, asked.stderr_offset]).zip(&mut from) {
            *from = output.offset(offset).map_err(|why| match why {
                NotKept::NoMore => fail(Code::OutputLost, format!("command {}: the output at {offset} is no longer kept", asked.id)),
                NotKept::NotYet => fail(Code::Invalid, format!("command {}: it has not written {offset} bytes", asked.id)),
                NotKept::Unknown => fail(Code::Invalid, format!("command {}: {offset} is no offset", asked.id)),
            })?;
        }
        command.audience.listen(Listener::new(self.link.own(stream, Owner::Command(asked.id)), from));
        command.audience_changed();
        if command.starting.is_none() {
            command.greet(asked.id);
        }
        self.turns.push(asked.id);
        Ok(())
    }

    /// Takes a command's input from one more stream.
    pub fn input(&mut self, asked: &proto::Input, stream: u32) -> Result<(), Failure> {
        let command = self.all.get_mut(&asked.id).ok_or_else(|| unknown(asked.id))?;
        command.audience.admit()?;
        if !command.input.is_open() {
            return Err(takes_none(asked.id));
        }
        command.audience.feed(self.link.own(stream, Owner::Command(asked.id)), asked.end);
        Ok(())
    }

    /// Sends a signal. An ended command may have left others in its group.
    pub fn signal(&self, asked: &Signal) -> Result<(), Failure> {
        let command = self.all.get(&asked.id).ok_or_else(|| unknown(asked.id))?;
        if !SIGNALS.contains(&asked.signal) {
            return Err(fail(Code::Invalid, format!("signal {}: Linux has 1 to 64", asked.signal)));
        }
        // Once reaped, its number may belong to another command.
        if command.is_ended() && (!asked.group || self.pids.contains_key(&command.pid)) {
            return Err(unknown(asked.id));
        }
        let mut result = send_signal(command.pid, asked.group, asked.signal);
        if asked.group && command.starting.is_some() && result == Err(Errno::SRCH) {
            result = send_signal(command.pid, false, asked.signal);
        }
        match result {
            Ok(()) => Ok(()),
            Err(Errno::SRCH) => Err(unknown(asked.id)),
            Err(error) => Err(Failure::system(format_args!("signal command {}", asked.id), error)),
        }
    }

    /// Sends a signal to the groups of all running commands.
    pub fn signal_all(&self, signal: i32) {
        for pid in self.pids.keys() {
            // It may have ended at this moment.
            let _ = send_signal(*pid, true, signal as u32);
        }
    }

    /// Changes a terminal's size.
    pub fn resize(&self, asked: &Resize) -> Result<(), Failure> {
        let command = self.all.get(&asked.id).ok_or_else(|| unknown(asked.id))?;
        let size = asked.terminal.ok_or_else(|| fail(Code::Invalid, "resize: no size given"))?;
        let Some(terminal) = command.outputs.first().and_then(Output::source) else {
            return Err(unknown(asked.id));
        };
        spawn::resize(&terminal.fd, &size).map_err(|_| fail(Code::Invalid, format!("command {} has no terminal", asked.id)))
    }

    /// Drops an ended command. False when there was none.
    pub fn forget(&mut self, id: u64, poll: &mut Poll) -> Result<bool, Failure> {
        match self.all.get(&id) {
            None => Ok(false),
            Some(command) if command.is_ended() => {
                self.drop_command(id, poll);
                Ok(true)
            }
            Some(_) => Err(fail(Code::Invalid, format!("command {id} is still running"))),
        }
    }

    /// A child has ended; it need not be a command.
    pub fn ended(&mut self, ended: reap::Ended, poll: &mut Poll) {
        self.lent.remove(&ended.pid);
        let Some(id) = self.pids.remove(&ended.pid) else { return };
        self.started(id, poll);
        let Some(command) = self.all.get_mut(&id) else { return };
        command.greet(id);
        let starved = self.starvation.took(&ended, command.kills_before);
        command.exited = Some(Exited { status: ended.status, signal: ended.signal, cpu_micros: ended.cpu_micros, starved });
        command.input.close(poll);
        command.audience.refuse_feeders(&takes_none(id));
        command.outputs.iter_mut().for_each(Output::command_ended);
        self.ended.push_back(id);
        self.turns.push(id);
        self.trim(poll);
    }

    /// Something of a command became ready.
    pub fn ready(&mut self, id: u64, part: Part, event: Ready, poll: &mut Poll) {
        if part == Part::Status {
            return self.started(id, poll);
        }
        let Some(command) = self.all.get_mut(&id) else { return };
        if event.writable && matches!(part, Part::Input | Part::Terminal) {
            let was_open = command.input.is_open();
            let count = command.input.flush(poll);
            if was_open && !command.input.is_open() {
                // Whoever read it has closed it.
                command.audience.refuse_feeders(&takes_none(id));
            }
            command.audience.took(count);
        }
        let output = match part {
            Part::Output(at) => command.outputs.get_mut(at),
            Part::Terminal => command.outputs.first_mut(),
            _ => None,
        };
        if let Some(output) = output
            && event.readable
        {
            output.set_readable(event.over);
            if command.untold && output.has_waiting() {
                command.greet(id);
            }
            self.turns.push(id);
        }
    }

    /// Bytes for a command's stdin.
    pub fn bytes(&mut self, id: u64, stream: u32, bytes: &[u8], poll: &mut Poll) {
        let Some(command) = self.all.get_mut(&id).filter(|command| command.audience.has(stream)) else { return };
        let was_open = command.input.is_open();
        command.outputs.iter_mut().for_each(Output::is_talked_to);
        match command.input.push(bytes, poll) {
            Some(count) => {
                command.audience.gave(stream, bytes.len());
                command.audience.took(count);
                if command.audience.feeds(stream) && !(was_open && command.input.is_open()) {
                    command.audience.refuse(stream, takes_none(id));
                }
            }
            None => command.audience.refuse(stream, fail(Code::TooMany, format!("command {id}: too much input waits for it"))),
        }
    }

    /// A stream brings no more for a command's stdin.
    pub fn end_input(&mut self, id: u64, stream: u32, poll: &mut Poll) {
        let Some(command) = self.all.get_mut(&id) else { return };
        let count = if command.audience.gave_all(stream) { command.input.end(poll) } else { 0 };
        command.audience.took(count);
    }

    /// The host gave a stream of a command up; the command goes on.
    pub fn detach(&mut self, id: u64, stream: u32) {
        if let Some(command) = self.all.get_mut(&id) {
            command.audience.leave(stream);
            command.audience_changed();
            // The others need no longer wait for it.
            self.turns.push(id);
        }
    }

    /// The connection is gone; the commands go on.
    pub fn detach_all(&mut self) {
        for (id, command) in &mut self.all {
            command.audience.disperse();
            command.audience_changed();
            if command.drop_unread {
                self.turns.push(*id);
            }
        }
    }

    /// The host has heard a command's end: it is held for a while yet.
    pub fn acknowledged(&mut self, id: u64, stream: u32) {
        let Some(command) = self.all.get_mut(&id) else { return };
        if !command.audience.heard(stream) {
            return;
        }
        if command.audience.is_deaf() && command.memory() > HELD_OUTPUT {
            command.outputs.iter_mut().for_each(Output::forget);
        }
        if self.ended.contains(&id) {
            self.ended.retain(|ended| *ended != id);
            self.heard.push_back((Instant::now(), id));
        }
    }

    /// More of a command's output may be sent.
    pub fn credited(&mut self, id: u64) {
        self.turns.push(id);
    }

    /// There is room on the connection again.
    pub fn resume(&mut self) {
        self.turns.resume();
    }

    /// Somebody has work to do.
    pub fn has_turns(&self) -> bool {
        !self.turns.is_empty() || !self.drain_turns.is_empty()
    }

    /// Data streams out of a command in small pieces.
    pub fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// Gives everybody who has work to do one turn.
    pub fn take_turns(&mut self, poll: &mut Poll) {
        self.streaming = false;
        for _ in 0..self.turns.len() {
            if let Some(id) = self.turns.pop() {
                self.pump(id, poll);
            }
        }
        for _ in 0..self.drain_turns.len() {
            if let Some(token) = self.drain_turns.pop() {
                self.drain(token, poll);
            }
        }
    }

    /// A drained output may have something.
    pub fn drain_ready(&mut self, token: Token) {
        self.drain_turns.push(token);
    }

    /// When to call `expire` next.
    pub fn deadline(&self) -> Option<Instant> {
        let ended = self.ended.iter().filter_map(|id| self.all.get(id));
        let silence = ended.flat_map(|command| command.outputs.iter().filter_map(Output::deadline)).min();
        let oldest = self.heard.front().map(|(since, _)| *since + HELD_AFTER);
        let untold = self.untold.front().map(|(until, _)| *until);
        silence.into_iter().chain(oldest).chain(untold).min()
    }

    /// Gives up outputs of ended commands that have been silent for long enough, and commands that have been held for long enough.
    pub fn expire(&mut self, now: Instant, poll: &mut Poll) {
        while let Some((until, id)) = self.untold.front().copied() {
            // One that has been told meanwhile must not wake us.
            let waiting = self.all.get_mut(&id).filter(|command| command.untold);
            if waiting.is_some() && until > now {
                break;
            }
            self.untold.pop_front();
            if let Some(command) = waiting {
                command.greet(id);
                self.turns.push(id);
            }
        }
        while let Some((since, id)) = self.heard.front().copied()
            && since + HELD_AFTER <= now
        {
            if self.all.get(&id).is_none_or(|command| command.audience.is_deaf()) {
                self.drop_command(id, poll);
            } else {
                // Somebody still listens: once more as long.
                self.heard.pop_front();
                self.heard.push_back((now, id));
            }
        }
        let mut silent = Vec::new();
        for id in &self.ended {
            let Some(command) = self.all.get_mut(id) else { continue };
            let before = silent.len();
            silent.extend(command.outputs.iter_mut().filter_map(|output| output.give_up(now)));
            if silent.len() > before {
                self.turns.push(*id);
            }
        }
        self.keep_draining(silent, poll);
    }

    fn keep(&self) -> usize {
        (KEEP_TOGETHER / (2 * (self.all.len() - self.heard.len()).max(1))).clamp(KEEP_AT_LEAST, KEEP)
    }

    /// Looks whether a command has become its program.
    fn started(&mut self, id: u64, poll: &mut Poll) {
        let Some(command) = self.all.get_mut(&id) else { return };
        let Some((child, _)) = &command.starting else { return };
        let Some(outcome) = spawn::outcome(child) else { return };
        if let Some((_, token)) = command.starting.take() {
            poll.remove(token);
        }
        match outcome {
            Ok(()) => {
                self.lent.remove(&command.pid);
                spawn::volunteer(command.pid);
                if command.batched && !command.outputs.iter().any(Output::has_waiting) {
                    command.untold = true;
                    self.untold.push_back((Instant::now() + HOLD, id));
                } else {
                    command.greet(id);
                }
                self.turns.push(id);
            }
            Err(failure) => {
                // What it was lent it uses to its last moment, which is when it is reaped.
                command.audience.fail(&failure);
                self.pids.remove(&command.pid);
                self.drop_command(id, poll);
            }
        }
    }

    fn pump(&mut self, id: u64, poll: &mut Poll) {
        let keep = self.keep();
        let Some(command) = self.all.get_mut(&id) else { return };
        if command.starting.is_some() || command.untold {
            return;
        }
        let mut surplus = Vec::new();
        let mut turn = Turn::Idle;
        for (at, output) in command.outputs.iter_mut().enumerate() {
            let listeners = command.audience.listeners().iter_mut();
            let mut to: Vec<_> = listeners.map(|listener| (&listener.stream, &mut listener.readers[at])).collect();
            let unheard = command.drop_unread && to.is_empty();
            match output.pump(&mut to, unheard, keep, poll, &mut surplus) {
                Turn::Stalled => turn = Turn::Stalled,
                Turn::Again if turn == Turn::Idle => turn = Turn::Again,
                _ => {}
            }
            self.streaming |= output.is_streaming();
        }
        if let Some(exited) = command.exited {
            command.audience.tell(exited, command.outputs.len());
        }
        match turn {
            Turn::Stalled => self.turns.stall(id),
            Turn::Again => self.turns.push(id),
            Turn::Idle | Turn::Broken => {}
        }
        self.keep_draining(surplus, poll);
    }

    fn keep_draining(&mut self, surplus: Vec<Watched>, poll: &mut Poll) {
        for source in surplus {
            if self.drains.len() >= MAX_DRAINS {
                source.release(poll);
                continue;
            }
            poll.rename(source.token, Target::Drain);
            self.drain_turns.push(source.token);
            self.drains.insert(source.token, source);
        }
    }

    fn drain(&mut self, token: Token, poll: &mut Poll) {
        let Some(source) = self.drains.get(&token) else { return };
        let mut scratch = [0u8; 16 * 1024];
        match io::read(&source.fd, &mut scratch) {
            Ok(count) if count > 0 => self.drain_turns.push(token),
            Err(Errno::INTR) => self.drain_turns.push(token),
            Err(Errno::AGAIN) => {}
            _ => {
                if let Some(source) = self.drains.remove(&token) {
                    source.release(poll);
                }
            }
        }
    }

    /// Keeps what is held of ended commands within bounds.
    fn trim(&mut self, poll: &mut Poll) {
        if self.ended.len() + self.heard.len() > MAX_ENDED {
            let heard = self.heard.iter().map(|(_, id)| *id);
            let idle = heard.chain(self.ended.iter().copied()).find(|id| self.all.get(id).is_some_and(|command| command.audience.is_deaf()));
            if let Some(id) = idle.or(self.ended.front().copied()) {
                self.drop_command(id, poll);
            }
        }
        let mut memory = 0;
        for id in self.ended.iter().rev().chain(self.heard.iter().rev().map(|(_, id)| id)) {
            let Some(command) = self.all.get_mut(id) else { continue };
            memory += command.memory();
            if memory > MAX_ENDED_OUTPUT && command.audience.is_deaf() {
                command.outputs.iter_mut().for_each(Output::forget);
            }
        }
    }

    fn drop_command(&mut self, id: u64, poll: &mut Poll) {
        let Some(mut command) = self.all.remove(&id) else { return };
        self.ended.retain(|ended| *ended != id);
        self.heard.retain(|(_, heard)| *heard != id);
        command.audience.reset("the command is no longer held");
        command.input.close(poll);
        let held = command.outputs.iter_mut().filter_map(Output::take_source).collect();
        self.keep_draining(held, poll);
    }
}

fn unknown(id: u64) -> Failure {
    fail(Code::NoSuchCommand, format!("no command {id} is running"))
}

fn takes_none(id: u64) -> Failure {
    fail(Code::WrongState, format!("command {id} takes no more input"))
}

/// Registers all descriptors of a new command.
fn assemble(asked: &Start, child: Child, ends: Ends, kills_before: u64, poll: &mut Poll) -> io::Result<Command> {
    let id = asked.id;
    let mut watch = |fd: OwnedFd, part| -> io::Result<Watched> {
        let fd = Rc::new(fd);
        let interest = match part {
            Part::Status | Part::Output(_) => Interest::Read,
            Part::Input => Interest::Write,
            Part::Terminal => Interest::Both,
        };
        let token = poll.add(&*fd, Target::Command(id, part), interest)?;
        Ok(Watched { fd, token })
    };
    let (input, outputs) = match ends {
        Ends::Pipes(input, out, err) => {
            let input = match input {
                Some(fd) => Input::new(watch(fd, Part::Input)?, OnEnd::Close),
                None => Input::none(),
            };
            let outputs =
                vec![Output::new(1, watch(out, Part::Output(0))?, Kind::Pipe), Output::new(2, watch(err, Part::Output(1))?, Kind::Pipe)];
            (input, outputs)
        }
        Ends::Terminal(master) => {
            let source = watch(master, Part::Terminal)?;
            let sink = Watched { fd: Rc::clone(&source.fd), token: source.token };
            (Input::new(sink, OnEnd::Terminal), vec![Output::new(1, source, Kind::Terminal)])
        }
    };
    let token = poll.add(&child.status, Target::Command(id, Part::Status), Interest::Read)?;
    let mut left = MAX_ARGV;
    let mut argv = Vec::new();
    for word in &asked.argv {
        if left == 0 {
            break;
        }
        let kept = &word[..word.len().min(left)];
        // An empty word costs as much as a short one, or a million of them would be free.
        left = left.saturating_sub(kept.len().max(8));
        argv.push(kept.to_vec());
    }
    Ok(Command {
        pid: child.pid,
        argv,
        starting: Some((child, token)),
        input,
        outputs,
        terminal: asked.terminal.is_some(),
        kills_before,
        exited: None,
        audience: Audience::default(),
        tag: asked.tag.clone(),
        drop_unread: asked.drop_unread,
        batched: asked.batched,
        untold: false,
    })
}
