//! What a machine's own kernel has killed for memory.

use crate::guest;
use crate::reap::Ended;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io;

/// Most bytes of the kernel's counters that are read; it has about 5,000.
const MAX_COUNTERS: usize = 16 * 1024;
/// How a shell tells that its child was killed.
const CHILD_KILLED: u32 = 128 + libc::SIGKILL as u32;

/// The kernel's counter. Open from the beginning, so that nobody inside decides what is read.
pub struct Starvation(Option<OwnedFd>);

impl Starvation {
    /// Of the machine that we are the first process of. Anywhere else it would be the host's counter, of everybody on it: there is none then.
    pub fn of_machine() -> Self {
        let open = || rustix::fs::open("/proc/vmstat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok();
        Self(guest::is_init().then(open).flatten())
    }

    /// Processes killed for memory since the machine began; 0 where there is no counter.
    pub fn kills(&self) -> u64 {
        let Some(counters) = &self.0 else { return 0 };
        let mut text = [0; MAX_COUNTERS];
        let mut length = 0;
        while let Ok(count @ 1..) = io::retry_on_intr(|| io::pread(counters, &mut text[length..], length as u64)) {
            length += count;
        }
        kills(&text[..length])
    }

    /// True when a child has ended as one does that is killed for memory, and somebody was since the kernel had counted `before`.
    pub fn took(&self, ended: &Ended, before: u64) -> bool {
        (ended.signal == libc::SIGKILL as u32 || ended.status == CHILD_KILLED) && self.kills() > before
    }
}

fn kills(counters: &[u8]) -> u64 {
    let mut lines = counters.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_counter_among_the_others() {
        assert_eq!(kills(b"nr_free_pages 7\noom_kill 3\ncompact_stall 0\n"), 3);
        assert_eq!(kills(b"nr_free_pages 7\nnuma_oom_kill 3\noom_killer 4\n"), 0);
    }

    #[test]
    fn reads_what_this_kernel_has_counted() {
        let counters = rustix::fs::open("/proc/vmstat", OFlags::RDONLY, Mode::empty()).ok();
        let found = std::fs::read("/proc/vmstat").map_or(0, |text| kills(&text));
        let starvation = Starvation(counters);
        assert!(starvation.kills() >= found && starvation.kills() >= found, "it is read from its beginning each time");
        let killed = Ended { pid: 7, status: 0, signal: 9, cpu_micros: 0 };
        assert!(!starvation.took(&killed, u64::MAX) && !Starvation(None).took(&killed, 0));
        assert!(!starvation.took(&Ended { status: 1, signal: 0, ..killed }, 0), "it returned by itself");
    }
}
