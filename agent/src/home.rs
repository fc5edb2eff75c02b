//! The way home: when to dial the host again, and when to give up.

use crate::poll::{Interest, Poll, Target, Token};
use crate::way::{Progress, Way};
use rustix::fd::OwnedFd;
use rustix::io::{self, Errno};
use std::time::{Duration, Instant};

/// How long a host may take to answer an agent that it has never welcomed.
const FIRST_GRACE: Duration = Duration::from_secs(60);
/// How long a host may take from accepting a connection to its Welcome.
const WELCOME: Duration = Duration::from_secs(10);
/// Away from home we look again every [`LONGEST`]: after a gap like this we were frozen.
const FROZEN: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(250);
/// So long after a loss we dial a vsock host every [`QUICK`]: nothing tells a copy of a frozen machine that its host is there, and none is frozen later.
const HOPEFUL: Duration = Duration::from_secs(5);
const QUICK: Duration = Duration::from_millis(10);

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
    way: Way,
    /// What may become a connection when an event says so.
    door: Option<(OwnedFd, Token)>,
    state: State,
    wait: Duration,
    /// Nothing: we wait forever.
    grace: Option<Duration>,
    /// When the last Welcome's connection ended, or when we began.
    alone_since: Instant,
    /// The same, but time frozen counts.
    lost: Instant,
    looked: Instant,
}

impl Home {
    /// We begin alone.
    pub fn at(way: Way, now: Instant) -> Self {
        Self {
            way,
            door: None,
            state: State::Away(now),
            wait: SHORTEST,
            grace: Some(FIRST_GRACE),
            alone_since: now,
            lost: now,
            looked: now,
        }
    }

    /// Says that we run. Time in which we were frozen does not count as time alone: nobody could have answered us.
    pub fn look(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.looked);
        if gap > FROZEN {
            self.alone_since = (self.alone_since + gap).min(now);
        }
        self.looked = now;
    }

    /// Dials if it is time to. A connection is registered for reading, as the link's.
    pub fn dial(&mut self, now: Instant, poll: &mut Poll) -> Option<(OwnedFd, Token)> {
        match self.state {
            State::Away(at) if at <= now => {}
            _ => return None,
        }
        match self.approach(poll) {
            Ok(Some(connection)) => {
                self.state = State::Waiting(now + WELCOME);
                Some(connection)
            }
            Ok(None) | Err(_) => {
                self.go_away(now);
                None
            }
        }
    }

    fn approach(&mut self, poll: &mut Poll) -> io::Result<Option<(OwnedFd, Token)>> {
        self.open_door(poll)?;
        let Some((fd, token)) = self.door.take() else { return Ok(None) };
        match self.way.look(&fd) {
            Progress::Connected => {
                poll.rename(token, Target::Link);
                poll.watch(token).change(&fd, Interest::Read);
                Ok(Some((fd, token)))
            }
            Progress::Pending => {
                self.door = Some((fd, token));
                Ok(None)
            }
            Progress::Failed => {
                poll.remove(token);
                Err(Errno::CONNREFUSED)
            }
        }
    }

    fn open_door(&mut self, poll: &mut Poll) -> io::Result<()> {
        if self.door.is_none() {
            let fd = self.way.open()?;
            // For writing too: that somebody has come to a port's other end is told as room to write.
            let token = poll.add(&fd, Target::Home, Interest::Both)?;
            self.door = Some((fd, token));
        }
        Ok(())
    }

    /// Something has happened to what we have opened.
    pub fn stir(&mut self, now: Instant) {
        if let State::Away(at) = &mut self.state {
            *at = now.min(*at);
        }
    }

    fn go_away(&mut self, now: Instant) {
        let quick = matches!(self.way, Way::Vsock(_)) && now.saturating_duration_since(self.lost) < HOPEFUL;
        self.state = State::Away(now + if quick { QUICK } else { self.wait });
        self.wait = (self.wait * 3 / 2).min(LONGEST);
    }

    /// The host has answered.
    pub fn welcomed(&mut self, grace_seconds: u32) {
        self.state = State::Welcomed;
        self.wait = SHORTEST;
        self.grace = (grace_seconds > 0).then(|| Duration::from_secs(grace_seconds.into()));
    }

    /// The connection is over, and its descriptor closed.
    pub fn lost(&mut self, now: Instant, poll: &mut Poll) {
        if self.state == State::Welcomed {
            self.alone_since = now;
            self.lost = now;
        }
        self.go_away(now);
        if self.way.is_line() {
            // Bytes of the old connection went with its descriptor. From now on an event tells of the next host; if it cannot be opened, the next dial tries.
            let _ = self.open_door(poll);
        }
    }

    /// Another host is at the end of our line.
    pub fn exchanged(&mut self, now: Instant) {
        if self.state == State::Welcomed {
            self.alone_since = now;
        }
        self.state = State::Waiting(now + WELCOME);
    }

    /// True when one host may follow another without our seeing it.
    pub fn is_line(&self) -> bool {
        self.way.is_line()
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
    use std::path::PathBuf;

    fn nowhere(now: Instant) -> Home {
        Home::at(Way::Socket(PathBuf::from("/nowhere/at.all")), now)
    }

    fn poll() -> Poll {
        Poll::new().expect("epoll")
    }

    #[test]
    fn redials_ever_slower_until_the_grace_is_over() {
        let start = Instant::now();
        let mut home = nowhere(start);
        let (mut now, mut tries, mut last) = (start, 0, start);
        while !home.is_hopeless(now) {
            assert!(home.dial(now, &mut poll()).is_none());
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
        let mut home = nowhere(now);
        home.welcomed(0);
        assert_eq!(home.deadline(), None);
        home.lost(now, &mut poll());
        assert!(!home.is_hopeless(now + Duration::from_secs(1 << 30)));
    }

    #[test]
    fn time_frozen_is_not_time_alone() {
        let start = Instant::now();
        let mut home = nowhere(start);
        home.welcomed(60);
        home.lost(start, &mut poll());
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
        let mut home = nowhere(start);
        home.look(start);
        home.welcomed(60);
        let thawed = start + Duration::from_secs(86_400);
        home.lost(thawed, &mut poll());
        home.look(thawed + Duration::from_millis(1));
        assert!(!home.is_hopeless(thawed + Duration::from_secs(59)));
        assert!(home.is_hopeless(thawed + Duration::from_secs(61)));
    }

    #[test]
    fn the_grace_starts_when_a_welcomed_connection_ends() {
        let start = Instant::now();
        let mut home = nowhere(start);
        home.welcomed(5);
        let lost = start + Duration::from_secs(100);
        home.lost(lost, &mut poll());
        assert!(!home.is_hopeless(lost + Duration::from_millis(4_999)));
        assert!(home.is_hopeless(lost + Duration::from_secs(5)));
    }
}
