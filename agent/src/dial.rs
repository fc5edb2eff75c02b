//! A connection to a port inside the sandbox: the only way in.

use crate::failure::{Failure, fail};
use crate::files::done;
use crate::input::{Input, OnEnd};
use crate::link::Stream;
use crate::output::{Kind, Output, Reader, Turn, Watched};
use crate::poll::{Interest, Poll, Ready, Target};
use crate::proto::failed::Code;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

enum State {
    /// So many addresses have been tried; what the host has sent meanwhile, bounded by its window.
    Connecting {
        socket: Watched,
        tries: usize,
        early: Early,
    },
    Open {
        output: Output,
        reader: Reader,
        input: Input,
    },
    Over,
}

#[derive(Default)]
struct Early {
    bytes: Vec<u8>,
    ended: bool,
}

/// One connection.
pub struct Dial {
    stream: Stream,
    port: u16,
    state: State,
}

impl Dial {
    /// Begins to connect. Whether it worked is said on the stream.
    pub fn begin(stream: Stream, port: u32, poll: &mut Poll) -> Result<Self, Failure> {
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| fail(Code::Invalid, "a port is 1 to 65535"))?;
        let mut dial = Self { stream, port, state: State::Over };
        dial.attempt(0, Early::default(), poll)?;
        Ok(dial)
    }

    /// True when nothing more will happen; it has said so on its stream.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [(Ipv4Addr::LOCALHOST, self.port).into(), (Ipv6Addr::LOCALHOST, self.port).into()]
    }

    fn attempt(&mut self, first: usize, early: Early, poll: &mut Poll) -> Result<(), Failure> {
        let mut refused = Errno::CONNREFUSED;
        for (at, address) in self.addresses().iter().enumerate().skip(first) {
            let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = match socket_with(family, SocketType::STREAM, flags, None) {
                Ok(socket) => socket,
                // No IPv6 here.
                Err(Errno::AFNOSUPPORT) => continue,
                Err(error) => return Err(self.failed(error)),
            };
            match connect(&socket, address) {
                Ok(()) => {
                    let watched = self.register(socket, poll)?;
                    self.open(watched, early, poll);
                    return Ok(());
                }
                Err(Errno::INPROGRESS) => {
                    let socket = self.register(socket, poll)?;
                    self.state = State::Connecting { socket, tries: at + 1, early };
                    return Ok(());
                }
                // No IPv6 loopback: what IPv4 said counts.
                Err(Errno::ADDRNOTAVAIL | Errno::NETUNREACH) => {}
                Err(error) => refused = error,
            }
        }
        Err(self.failed(refused))
    }

    fn register(&self, socket: OwnedFd, poll: &mut Poll) -> Result<Watched, Failure> {
        // Requests are small and people wait for them.
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        let fd = Rc::new(socket);
        let token = poll.add(&*fd, Target::Dial(self.stream.id()), Interest::Both).map_err(|error| self.failed(error))?;
        Ok(Watched { fd, token })
    }

    fn failed(&self, error: Errno) -> Failure {
        Failure::system(format_args!("connect to port {}", self.port), error)
    }

    fn open(&mut self, socket: Watched, early: Early, poll: &mut Poll) {
        let other = Watched { fd: Rc::clone(&socket.fd), token: socket.token };
        self.state = State::Open {
            output: Output::new(1, socket, Kind::Connection),
            reader: Reader::default(),
            input: Input::new(other, OnEnd::Shutdown),
        };
        self.stream.reply(done(true));
        self.bytes(&early.bytes, poll);
        if early.ended {
            self.end(poll);
        }
    }

    /// Something happened to the socket.
    pub fn ready(&mut self, event: Ready, poll: &mut Poll) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Connecting { socket, tries, early } if event.writable => match sockopt::socket_error(&socket.fd) {
                Ok(Ok(())) => self.open(socket, early, poll),
                Ok(Err(error)) | Err(error) => {
                    socket.release(poll);
                    if tries >= self.addresses().len() || self.attempt(tries, early, poll).is_err() {
                        let failure = self.failed(error);
                        self.stream.reply(failure.reply());
                        self.stream.close();
                    }
                }
            },
            State::Open { mut output, reader, mut input } => {
                if event.writable {
                    let count = input.flush(poll);
                    self.stream.consumed(1, count);
                }
                if event.readable {
                    output.set_readable(event.over);
                }
                self.state = State::Open { output, reader, input };
            }
            other => self.state = other,
        }
    }

    /// Bytes of the host.
    pub fn bytes(&mut self, bytes: &[u8], poll: &mut Poll) {
        match &mut self.state {
            State::Open { input, .. } => match input.push(bytes, poll) {
                Some(count) => self.stream.consumed(1, count),
                None => self.abandon("too many bytes wait", poll),
            },
            State::Connecting { early, .. } => early.bytes.extend_from_slice(bytes),
            State::Over => {}
        }
    }

    /// The host sends nothing more.
    pub fn end(&mut self, poll: &mut Poll) {
        match &mut self.state {
            State::Open { input, .. } => {
                let count = input.end(poll);
                self.stream.consumed(1, count);
            }
            State::Connecting { early, .. } => early.ended = true,
            State::Over => {}
        }
    }

    /// Sends what the host takes.
    pub fn pump(&mut self, poll: &mut Poll) -> Turn {
        let State::Open { output, reader, input } = &mut self.state else { return Turn::Idle };
        let mut none = Vec::new();
        let turn = output.pump(&mut [(&self.stream, reader)], false, 0, poll, &mut none);
        if turn == Turn::Broken {
            self.abandon("the connection was broken off", poll);
        } else if reader.is_ended() && input.is_over() {
            self.drop_socket(poll);
            self.stream.close();
        }
        turn
    }

    /// Ends it in the middle.
    pub fn abandon(&mut self, why: &str, poll: &mut Poll) {
        self.drop_socket(poll);
        self.stream.reset(why);
    }

    fn drop_socket(&mut self, poll: &mut Poll) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Connecting { socket, .. } => socket.release(poll),
            State::Open { mut output, mut input, .. } => {
                input.close(poll);
                if let Some(socket) = output.take_source() {
                    socket.release(poll);
                }
            }
            State::Over => {}
        }
    }
}
