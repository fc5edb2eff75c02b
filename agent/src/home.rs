//! The way home: when to dial the host again, and when to give up.

use rustix::fd::OwnedFd;
use rustix::io;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a host may take to answer an agent that it has never welcomed.
const FIRST_GRACE: Duration = Duration::from_secs(60);
/// How long a host may take from accepting a connection to its Welcome.
const WELCOME: Duration = Duration::from_secs(10);
/// Away from home we look again every [`LONGEST`]: after a gap like this we were frozen.
const FROZEN: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(250);
/// Asked of the kernel, which gives what it likes; the larger, the fewer wake-ups.
const SEND_BUFFER: usize = 512 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Dial at this time.
    Away(Instant),
    /// Connected; the Welcome must come until then.
    Waiting(Instant),
    Welcomed,
}

/// Where home is and how we stand with it.
pub struct Home {
    path: PathBuf,
    state: State,
    wait: Duration,
    /// Nothing: we wait forever.
    grace: Option<Duration>,
    /// When the last Welcome's connection ended, or when we began.
    alone_since: Instant,
    looked: Instant,
}

impl Home {
    /// Home is a unix socket.
    pub fn at(path: PathBuf, now: Instant) -> Self {
        Self { path, state: State::Away(now), wait: SHORTEST, grace: Some(FIRST_GRACE), alone_since: now, looked: now }
    }

    /// Says that we run. Time in which we were frozen does not count as time alone: nobody could have answered us.
    pub fn look(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.looked);
        if gap > FROZEN {
            self.alone_since = (self.alone_since + gap).min(now);
        }
        self.looked = now;
    }

    /// Dials if it is time to.
    pub fn dial(&mut self, now: Instant) -> Option<OwnedFd> {
        match self.state {
            State::Away(at) if at <= now => {}
            _ => return None,
        }
        match self.connect() {
            Ok(socket) => {
                self.state = State::Waiting(now + WELCOME);
                Some(socket)
            }
            Err(_) => {
                self.go_away(now);
                None
            }
        }
    }

    fn connect(&self) -> io::Result<OwnedFd> {
        let address = SocketAddrUnix::new(&self.path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
        connect(&socket, &address)?;
        Ok(socket)
    }

    fn go_away(&mut self, now: Instant) {
        self.state = State::Away(now + self.wait);
        self.wait = (self.wait * 3 / 2).min(LONGEST);
    }

    /// The host has answered.
    pub fn welcomed(&mut self, grace_seconds: u32) {
        self.state = State::Welcomed;
        self.wait = SHORTEST;
        self.grace = (grace_seconds > 0).then(|| Duration::from_secs(grace_seconds.into()));
    }

    /// The connection is over.
    pub fn lost(&mut self, now: Instant) {
        if self.state == State::Welcomed {
            self.alone_since = now;
        }
        self.go_away(now);
    }

    /// The host took the connection but says nothing.
    pub fn is_ignored(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting(until) if until <= now)
    }

    /// Nobody has answered for the grace period.
    pub fn is_hopeless(&self, now: Instant) -> bool {
        self.state != State::Welcomed && self.end().is_some_and(|end| end <= now)
    }

    fn end(&self) -> Option<Instant> {
        self.grace.map(|grace| self.alone_since + grace)
    }

    /// When to look again.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Welcomed => None,
            State::Away(at) | State::Waiting(at) => Some(self.end().map_or(at, |end| end.min(at))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redials_ever_slower_until_the_grace_is_over() {
        let start = Instant::now();
        let mut home = Home::at(PathBuf::from("/nowhere/at.all"), start);
        let (mut now, mut tries, mut last) = (start, 0, start);
        while !home.is_hopeless(now) {
            assert!(home.dial(now).is_none());
            tries += 1;
            last = now;
            now = home.deadline().expect("another try or the end");
            assert!(now - last <= LONGEST);
        }
        assert!(now - start >= FIRST_GRACE && last - start < FIRST_GRACE);
        assert!((240..300).contains(&tries), "{tries} tries");
    }

    #[test]
    fn grace_of_zero_is_forever() {
        let now = Instant::now();
        let mut home = Home::at(PathBuf::from("/nowhere/at.all"), now);
        home.welcomed(0);
        assert_eq!(home.deadline(), None);
        home.lost(now);
        assert!(!home.is_hopeless(now + Duration::from_secs(1 << 30)));
    }

    #[test]
    fn time_frozen_is_not_time_alone() {
        let start = Instant::now();
        let mut home = Home::at(PathBuf::from("/nowhere/at.all"), start);
        home.welcomed(60);
        home.lost(start);
        let frozen = start + Duration::from_secs(20);
        home.look(frozen);
        let thawed = frozen + Duration::from_secs(86_400);
        home.look(thawed);
        assert!(!home.is_hopeless(thawed + Duration::from_secs(39)));
        assert!(home.is_hopeless(thawed + Duration::from_secs(40)));
    }

    #[test]
    fn a_link_that_broke_while_frozen_starts_the_grace_anew() {
        let start = Instant::now();
        let mut home = Home::at(PathBuf::from("/nowhere/at.all"), start);
        home.look(start);
        home.welcomed(60);
        let thawed = start + Duration::from_secs(86_400);
        home.lost(thawed);
        home.look(thawed + Duration::from_millis(1));
        assert!(!home.is_hopeless(thawed + Duration::from_secs(59)));
        assert!(home.is_hopeless(thawed + Duration::from_secs(61)));
    }

    #[test]
    fn the_grace_starts_when_a_welcomed_connection_ends() {
        let start = Instant::now();
        let mut home = Home::at(PathBuf::from("/nowhere/at.all"), start);
        home.welcomed(5);
        let lost = start + Duration::from_secs(100);
        home.lost(lost);
        assert!(!home.is_hopeless(lost + Duration::from_millis(4_999)));
        assert!(home.is_hopeless(lost + Duration::from_secs(5)));
    }
}
