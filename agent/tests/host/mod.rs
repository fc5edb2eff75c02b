//! Plays the host of one real agent over a unix socket.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use caisson_agent::frame::{Frame, PREFACE, WINDOW as WINDOW_BYTES};
use caisson_agent::intake::{Intake, Read};
use caisson_agent::proto::{self, Hello, Reply, Request, Welcome, reply, request};
use prost::Message;
use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nothing in these tests takes longer unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq)]
pub enum Got {
    Reply(reply::Of),
    Data(u8, Vec<u8>),
    End(u8),
    Close,
    Reset(String),
}

pub struct Host {
    agent: Option<Child>,
    pub folder: PathBuf,
    listener: UnixListener,
    socket: UnixStream,
    reader: OwnedFd,
    intake: Intake,
    inbox: HashMap<u32, VecDeque<Got>>,
    credit_given: HashMap<(u32, u8), u64>,
    next: u32,
    /// Credit is given for all data as it is looked at.
    pub generous: bool,
    pub pongs: Vec<[u8; 8]>,
    pub hello: Hello,
}

/// What a command did.
#[derive(Debug, Default)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exited: proto::Exited,
    pub pid: u32,
}

/// Not there for examples, which start no agent.
const PROGRAM: &str = match option_env!("CARGO_BIN_EXE_caisson-agent") {
    Some(path) => path,
    None => "caisson-agent",
};

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Host {
    pub fn start() -> Self {
        Self::start_with(30)
    }

    pub fn start_with(grace_seconds: u32) -> Self {
        Self::start_by(grace_seconds, |folder| {
            let mut command = Command::new(PROGRAM);
            command.arg("--socket").arg(folder.join("socket"));
            command
        })
    }

    /// By a command that is given the folder and the agent's program, and becomes `PROGRAM --socket FOLDER/socket`.
    pub fn start_in(words: &[&str]) -> Self {
        Self::start_by(30, |folder| {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).arg(folder).arg(PROGRAM);
            command
        })
    }

    fn start_by(grace_seconds: u32, command: impl FnOnce(&Path) -> Command) -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("caisson-agent-test-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let listener = UnixListener::bind(folder.join("socket")).unwrap();
        let agent = command(&folder).stdin(Stdio::null()).spawn().unwrap();
        Self::serve(listener, folder, Some(agent), grace_seconds, PATIENCE)
    }

    /// Waits for an agent that somebody else starts. The socket's file stays.
    pub fn listen(path: &Path, patience: Duration) -> Self {
        Self::on(UnixListener::bind(path).unwrap(), 30, patience)
    }

    /// The same on a socket that listens already.
    pub fn on(listener: UnixListener, grace_seconds: u32, patience: Duration) -> Self {
        Self::serve(listener, PathBuf::new(), None, grace_seconds, patience)
    }

    /// Closes the connection, and takes no other.
    pub fn hang_up(self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    fn serve(listener: UnixListener, folder: PathBuf, agent: Option<Child>, grace_seconds: u32, patience: Duration) -> Self {
        let (socket, reader) = accept(&listener, patience);
        let mut host = Self {
            agent,
            folder,
            listener,
            socket,
            reader,
            intake: Intake::default(),
            inbox: HashMap::new(),
            credit_given: HashMap::new(),
            next: 0,
            generous: true,
            pongs: Vec::new(),
            hello: Hello::default(),
        };
        host.greet(grace_seconds);
        host
    }

    /// The agent that we started.
    pub fn agent(&mut self) -> &mut Child {
        self.agent.as_mut().unwrap()
    }

    fn greet(&mut self, grace_seconds: u32) {
        self.raw(PREFACE);
        let welcome = Welcome { grace_seconds }.encode_to_vec();
        self.send(&Frame::Data { stream: 0, channel: 0, bytes: &welcome });
        let hello = self.wait(0, |inbox| inbox.iter().position(|got| matches!(got, Got::Data(0, _))));
        let Got::Data(_, hello) = hello else { unreachable!() };
        self.hello = Hello::decode(hello.as_slice()).unwrap();
        assert_eq!(self.hello.protocol, 1);
    }

    /// Breaks the connection and waits for the agent to dial again.
    pub fn reconnect(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        self.accept_again(30);
    }

    /// Waits for the agent to dial again and says nothing.
    pub fn accept_raw(&mut self) {
        (self.socket, self.reader) = accept(&self.listener, PATIENCE);
        self.intake = Intake::default();
    }

    /// Breaks the connection and takes no other.
    pub fn go_away(&mut self) {
        std::fs::remove_file(self.folder.join("socket")).unwrap();
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// Writes the same bytes again and again until the agent takes no more.
    pub fn flood(&mut self, bytes: &[u8], times: usize) {
        self.socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        for _ in 0..times {
            if self.socket.write_all(bytes).is_err() {
                return;
            }
        }
        panic!("the agent took everything");
    }

    /// Waits for the agent to dial again.
    pub fn accept_again(&mut self, grace_seconds: u32) {
        (self.socket, self.reader) = accept(&self.listener, PATIENCE);
        self.intake = Intake::default();
        self.inbox.clear();
        self.next = 0;
        self.greet(grace_seconds);
    }

    /// True when the agent cuts the connection within the deadline.
    pub fn is_cut_off(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.intake.read(&self.reader) {
                Read::Over => return true,
                Read::More => while self.intake.next_frame().unwrap().is_some() {},
                Read::Later => {}
            }
        }
        false
    }

    /// Sends bytes; the agent may cut us off in the middle of them.
    pub fn raw(&mut self, bytes: &[u8]) {
        match self.socket.write_all(bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => panic!("{error}"),
            _ => {}
        }
    }

    pub fn send(&mut self, frame: &Frame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.raw(&bytes);
    }

    pub fn open(&mut self, of: request::Of) -> u32 {
        self.next += 2;
        let message = Request { of: Some(of) }.encode_to_vec();
        let stream = self.next;
        self.send(&Frame::Open { stream, message: &message });
        stream
    }

    pub fn open_raw(&mut self, message: &[u8]) -> u32 {
        self.next += 2;
        let stream = self.next;
        self.send(&Frame::Open { stream, message });
        stream
    }

    pub fn data(&mut self, stream: u32, bytes: &[u8]) {
        for part in bytes.chunks(65_536) {
            self.send(&Frame::Data { stream, channel: 1, bytes: part });
        }
    }

    /// Sends any number of bytes, as the agent gives credit, then END. Looks at what comes meanwhile.
    pub fn feed(&mut self, stream: u32, bytes: &[u8]) {
        let mut sent = 0u64;
        for part in bytes.chunks(60_000) {
            let deadline = Instant::now() + PATIENCE;
            while sent >= WINDOW_BYTES as u64 + self.credit_for(stream) {
                if self.inbox.get(&stream).is_some_and(|inbox| inbox.contains(&Got::Close)) {
                    return;
                }
                assert!(Instant::now() < deadline, "no credit");
                self.look();
            }
            self.send(&Frame::Data { stream, channel: 1, bytes: part });
            sent += part.len() as u64;
        }
        self.end(stream);
    }

    /// Waits until the agent has worked on all that it was sent.
    pub fn settle(&mut self) {
        let before = self.pongs.len();
        self.send(&Frame::Ping([0; 8]));
        eventually("a pong", || {
            self.look();
            self.pongs.len() > before
        });
    }

    /// Bytes of credit given for a stream's stdin beyond the first window.
    pub fn credit_for(&self, stream: u32) -> u64 {
        self.credit_given.get(&(stream, 1)).copied().unwrap_or(0)
    }

    pub fn end(&mut self, stream: u32) {
        self.send(&Frame::End { stream, channel: 1 });
    }

    pub fn close(&mut self, stream: u32) {
        self.send(&Frame::Close { stream });
    }

    pub fn credit(&mut self, stream: u32, channel: u8, bytes: u32) {
        self.send(&Frame::Credit { stream, channel, bytes });
    }

    /// Takes what has arrived; waits a little for it.
    pub fn look(&mut self) {
        match self.intake.read(&self.reader) {
            Read::More => {}
            Read::Later => return,
            Read::Over => panic!("the agent hung up"),
        }
        let mut credit = Vec::new();
        while let Some(frame) = self.intake.next_frame().unwrap() {
            let (stream, got) = match frame {
                Frame::Data { stream: 0, bytes, .. } => (0, Got::Data(0, bytes.to_vec())),
                Frame::Data { stream, channel: 0, bytes } => {
                    credit.push((stream, 0, bytes.len()));
                    (stream, Got::Reply(Reply::decode(bytes).unwrap().of.unwrap()))
                }
                Frame::Data { stream, channel, bytes } => {
                    credit.push((stream, channel, bytes.len()));
                    (stream, Got::Data(channel, bytes.to_vec()))
                }
                Frame::End { stream, channel } => (stream, Got::End(channel)),
                Frame::Close { stream } => (stream, Got::Close),
                Frame::Reset { stream, why } => (stream, Got::Reset(why.to_owned())),
                Frame::Credit { stream, channel, bytes } => {
                    *self.credit_given.entry((stream, channel)).or_default() += u64::from(bytes);
                    continue;
                }
                Frame::Pong(bytes) => {
                    self.pongs.push(bytes);
                    continue;
                }
                Frame::Open { .. } | Frame::Ping(_) => panic!("the agent never sends {frame:?}"),
            };
            self.inbox.entry(stream).or_default().push_back(got);
        }
        if self.generous {
            for (stream, channel, bytes) in credit {
                self.credit(stream, channel, bytes as u32);
            }
        }
    }

    fn wait(&mut self, stream: u32, find: impl Fn(&VecDeque<Got>) -> Option<usize>) -> Got {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let inbox = self.inbox.entry(stream).or_default();
            if let Some(at) = find(inbox) {
                return inbox.remove(at).unwrap();
            }
            assert!(Instant::now() < deadline, "nothing came on stream {stream}");
            self.look();
        }
    }

    /// The next thing on a stream.
    pub fn next(&mut self, stream: u32) -> Got {
        self.wait(stream, |inbox| (!inbox.is_empty()).then_some(0))
    }

    /// The next message on a stream, past data.
    pub fn reply(&mut self, stream: u32) -> reply::Of {
        loop {
            match self.next(stream) {
                Got::Reply(of) => return of,
                Got::Data(..) | Got::End(_) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// Asks for one answer.
    pub fn ask(&mut self, of: request::Of) -> reply::Of {
        let stream = self.open(of);
        let reply = self.reply(stream);
        assert_eq!(self.next(stream), Got::Close);
        self.close(stream);
        reply
    }

    pub fn ask_for_failure(&mut self, of: request::Of) -> (proto::failed::Code, String) {
        match self.ask(of) {
            reply::Of::Failed(failed) => (failed.code(), failed.message),
            other => panic!("{other:?} instead of a failure"),
        }
    }

    pub fn run(&mut self, start: proto::Start) -> Outcome {
        let stream = self.open(request::Of::Start(start));
        self.outcome(stream)
    }

    /// The rest of a command, from these offsets on.
    pub fn attach(&mut self, id: u64, stdout_offset: i64, stderr_offset: i64) -> Outcome {
        let stream = self.open(request::Of::Attach(proto::Attach { id, stdout_offset, stderr_offset }));
        self.outcome(stream)
    }

    /// The rest of a command's stream.
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        let mut outcome = Outcome::default();
        let mut ended = Vec::new();
        loop {
            match self.next(stream) {
                Got::Reply(reply::Of::Started(started)) => outcome.pid = started.pid,
                Got::Reply(reply::Of::Exited(exited)) => outcome.exited = exited,
                Got::Data(1, bytes) => outcome.stdout.extend(bytes),
                Got::Data(2, bytes) => outcome.stderr.extend(bytes),
                Got::End(channel) => ended.push(channel),
                Got::Close => break,
                other => panic!("{other:?} on a command's stream"),
            }
        }
        assert!(ended.contains(&1));
        self.close(stream);
        outcome
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let Some(agent) = &mut self.agent else { return };
        if agent.try_wait().unwrap().is_none() {
            // PID 1 would take its commands along; here the agent does it when asked.
            // SAFETY: our own child, which has not been waited for.
            unsafe { libc::kill(agent.id() as i32, libc::SIGTERM) };
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && agent.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let _ = agent.kill();
        let _ = agent.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn accept(listener: &UnixListener, patience: Duration) -> (UnixStream, OwnedFd) {
    listener.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + patience;
    let socket = loop {
        match listener.accept() {
            Ok((socket, _)) => break socket,
            Err(error) => assert!(Instant::now() < deadline, "nobody dialed: {error}"),
        }
        std::thread::yield_now();
    };
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let reader = OwnedFd::from(socket.try_clone().unwrap());
    (socket, reader)
}

static COMMAND: AtomicU32 = AtomicU32::new(1);

/// A command with a fresh id.
pub fn start(argv: &[&str]) -> proto::Start {
    let argv = argv.iter().map(|word| word.as_bytes().to_vec()).collect();
    proto::Start { id: COMMAND.fetch_add(1, Ordering::Relaxed).into(), argv, ..Default::default() }
}

/// A shell's command with a fresh id.
pub fn shell(script: &str) -> proto::Start {
    start(&["sh", "-c", script])
}

/// Waits for something to become true.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// State letter of a process, nothing when it is gone.
pub fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}
