//! Bytes from the host, cut into frames.

use crate::frame::{Decoded, Frame, HEADER, PREFACE, Violation, decode};
use rustix::fd::OwnedFd;
use rustix::io::{self, Errno};

/// Bytes of the buffer of an idle agent.
const SMALL: usize = 4 * 1024;
/// Bytes that it grows to when data streams in. Long messages make it longer.
const LARGE: usize = 256 * 1024;

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// New bytes.
    More,
    /// Nothing now.
    Later,
    /// The connection is over.
    Over,
}

/// The buffer of one connection.
#[derive(Default)]
pub struct Intake {
    memory: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes needed from `start` on before there is a frame.
    needs: usize,
    greeted: bool,
}

impl Intake {
    /// Reads what the socket has, as far as there is room.
    pub fn read(&mut self, socket: &OwnedFd) -> Read {
        if self.start > 0 {
            self.memory.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let needs = self.needs.max(SMALL);
        if self.memory.len() < needs {
            self.memory.resize(needs, 0);
        }
        loop {
            match io::read(socket, &mut self.memory[self.end..]) {
                Ok(0) => return Read::Over,
                Ok(count) => {
                    self.end += count;
                    if self.end == self.memory.len() && self.end < LARGE {
                        self.memory.resize((self.end * 4).min(LARGE), 0);
                    }
                    return Read::More;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Read::Later,
                Err(_) => return Read::Over,
            }
        }
    }

    /// True when a preface comes where a frame should. It can be no frame, so it is another host's; what comes next is its first frame.
    pub fn begins_anew(&mut self) -> bool {
        let anew = self.greeted && self.memory[self.start..self.end].starts_with(PREFACE);
        self.greeted &= !anew;
        anew
    }

    /// The next whole frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Violation> {
        if !self.greeted {
            let given = &self.memory[self.start..self.end.min(self.start + PREFACE.len())];
            if !PREFACE.starts_with(given) {
                return Err(Violation("not the preface of this protocol"));
            }
            if given.len() < PREFACE.len() {
                return Ok(None);
            }
            self.greeted = true;
            self.start += PREFACE.len();
        }
        match decode(&self.memory[self.start..self.end])? {
            Decoded::Whole(frame, length) => {
                self.start += length;
                self.needs = HEADER;
                Ok(Some(frame))
            }
            Decoded::Needs(bytes) => {
                self.needs = bytes;
                Ok(None)
            }
        }
    }

    /// Gives memory back when nothing is going on.
    pub fn relax(&mut self) {
        if self.start == self.end && self.memory.len() > SMALL {
            (self.start, self.end) = (0, 0);
            self.memory = vec![0; SMALL];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn cuts_frames_of_any_size_out_of_pieces_of_any_size() {
        let message = vec![5u8; 700_000];
        let mut wire = PREFACE.to_vec();
        let frames = [
            Frame::Open { stream: 2, message: &message },
            Frame::Ping([1; 8]),
            Frame::Data { stream: 2, channel: 1, bytes: &message[..65_536] },
        ];
        for frame in &frames {
            frame.encode(&mut wire);
        }
        let (mut host, agent) = UnixStream::pair().expect("a pair");
        let agent = OwnedFd::from(agent);
        let (mut intake, mut sent, mut seen, mut step) = (Intake::default(), 0, 0, 1);
        while seen < frames.len() {
            let end = (sent + step).min(wire.len());
            host.write_all(&wire[sent..end]).expect("the pair takes a step");
            (sent, step) = (end, step % 20_000 + 777);
            assert_eq!(intake.read(&agent), Read::More);
            while let Some(frame) = intake.next_frame().expect("no violation") {
                assert_eq!(frame, frames[seen]);
                seen += 1;
            }
        }
        intake.relax();
        assert_eq!(intake.memory.len(), SMALL);
        drop(host);
        assert_eq!(intake.read(&agent), Read::Over);
    }

    #[test]
    fn a_preface_between_frames_is_another_hosts() {
        let (mut host, agent) = UnixStream::pair().expect("a pair");
        let (agent, mut intake) = (OwnedFd::from(agent), Intake::default());
        let mut wire = PREFACE.to_vec();
        let (first, second) = (Frame::Ping([1; 8]), Frame::Ping([2; 8]));
        first.encode(&mut wire);
        wire.extend(PREFACE);
        host.write_all(&wire).expect("written");
        intake.read(&agent);
        assert!(!intake.begins_anew(), "the first preface is nobody else's");
        assert_eq!(intake.next_frame().expect("no violation"), Some(first));
        assert!(intake.begins_anew());
        assert_eq!(intake.next_frame().expect("no violation"), None);
        wire.clear();
        second.encode(&mut wire);
        host.write_all(&wire).expect("written");
        intake.read(&agent);
        assert!(!intake.begins_anew());
        assert_eq!(intake.next_frame().expect("no violation"), Some(second));
        host.write_all(&PREFACE[..7]).expect("written");
        intake.read(&agent);
        assert!(!intake.begins_anew(), "not yet");
    }

    #[test]
    fn refuses_another_preface_at_its_first_wrong_byte() {
        let (mut host, agent) = UnixStream::pair().expect("a pair");
        let mut intake = Intake::default();
        host.write_all(b"CAISSON2").expect("written");
        intake.read(&OwnedFd::from(agent));
        assert!(intake.next_frame().is_err());
    }
}
