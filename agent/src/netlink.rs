//! Questions to the kernel about network devices, addresses and routes (rtnetlink).

use rustix::fd::OwnedFd;
use rustix::io::{self, Errno};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt};
use std::time::Duration;

const HEADER: usize = 16;
const ALIGN: usize = 4;
/// The kernel puts no more into one answer.
const ANSWER: usize = 64 * 1024;
/// It answers at once or never.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket to ask on.
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Fails where the kernel has no rtnetlink.
    pub fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for a change and waits until it is made.
    pub fn change(&mut self, question: Question) -> io::Result<()> {
        self.ask(question, libc::NLM_F_ACK, |_| {})
    }

    /// Asks for a list; each entry is the body of one message.
    pub fn list(&mut self, question: Question, each: impl FnMut(&[u8])) -> io::Result<()> {
        self.ask(question, libc::NLM_F_DUMP, each)
    }

    fn ask(&mut self, question: Question, flags: libc::c_int, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        self.sequence += 1;
        let bytes = question.finish(flags, self.sequence);
        send(&self.socket, &bytes, SendFlags::empty())?;
        let mut answer = vec![0; ANSWER];
        loop {
            let (count, _) = recv(&self.socket, &mut answer[..], RecvFlags::empty())?;
            let mut rest = &answer[..count];
            while let Some((kind, sequence, body, after)) = message(rest) {
                rest = after;
                if sequence != self.sequence {
                    continue;
                }
                match i32::from(kind) {
                    libc::NLMSG_ERROR => return errno(body),
                    libc::NLMSG_DONE => return Ok(()),
                    _ => each(body),
                }
            }
        }
    }
}

fn errno(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)) {
        Some(0) => Ok(()),
        Some(code) => Err(Errno::from_raw_os_error(-code)),
        None => Err(Errno::BADMSG),
    }
}

/// The first of several messages: its kind, number and body, and the others.
fn message(bytes: &[u8]) -> Option<(u16, u32, &[u8], &[u8])> {
    let header = bytes.first_chunk::<HEADER>()?;
    let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
    let body = bytes.get(HEADER..length)?;
    let after = bytes.get(length.next_multiple_of(ALIGN)..).unwrap_or(&[]);
    Some((u16::from_ne_bytes([header[4], header[5]]), sequence, body, after))
}

/// One message to the kernel.
pub struct Question(Vec<u8>);

impl Question {
    /// `head` is the struct that such messages begin with.
    pub fn new(kind: u16, flags: libc::c_int, head: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend(head);
        Self(bytes)
    }

    /// Adds an attribute.
    pub fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
        // Lossless: values are addresses and numbers.
        self.0.extend(((value.len() + ALIGN) as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self
    }

    fn finish(mut self, flags: libc::c_int, sequence: u32) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
        let both = u16::from_ne_bytes([self.0[6], self.0[7]]) | flags as u16;
        self.0[6..8].copy_from_slice(&both.to_ne_bytes());
        let length = (self.0.len() as u32).to_ne_bytes();
        self.0[..4].copy_from_slice(&length);
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// The value of one attribute of a body, whose own struct has `head` bytes.
pub fn attribute(body: &[u8], head: usize, wanted: u16) -> Option<&[u8]> {
    let mut rest = body.get(head.next_multiple_of(ALIGN)..)?;
    loop {
        let header = rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let value = rest.get(4..length)?;
        if u16::from_ne_bytes([header[2], header[3]]) == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(ALIGN)..)?;
    }
}
