//! Signals and ended children. The only place that waits for children, so nobody can miss one: a child's id is known to `commands` before
//! the loop comes here again.

use rustix::fd::{FromRawFd, OwnedFd};
use rustix::io;
use std::mem::{MaybeUninit, size_of};

/// Signals that we do not want to die of. Blocked like the others and never taken, so a command only has to clear its mask.
const UNWANTED: [i32; 5] = [libc::SIGHUP, libc::SIGPIPE, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
const WATCHED: [i32; 3] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT];
const HIGHEST: i32 = 64;

/// What arrived.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Signals {
    /// Children have ended.
    pub children: bool,
    /// We are asked to end.
    pub terminate: bool,
}

/// A child that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its process id, free again from now on.
    pub pid: u32,
    /// Exit status when it returned.
    pub status: u32,
    /// Signal that ended it, else 0.
    pub signal: u32,
    /// CPU time of it and its reaped children.
    pub cpu_micros: u64,
}

/// Makes signals arrive on a descriptor. Before any other thread exists: all inherit the mask.
pub fn take_signals() -> io::Result<OwnedFd> {
    // SAFETY: the sets are initialised by sigemptyset before use, all pointers live through the calls, no handler of ours is installed, and
    // the kernel's sigaction (handler, flags, restorer, mask: 32 bytes on 64-bit Linux) is valid as zeros, which mean the default.
    unsafe {
        for signal in 1..=HIGHEST {
            // Whoever started us may have ignored some; SIGKILL and the like just fail. SIGSEGV and SIGBUS keep the runtime's handlers.
            // The bare system call, because libc refuses the two signals that it keeps for itself, which a command would inherit.
            if signal != libc::SIGSEGV && signal != libc::SIGBUS {
                let default = [0u64; 4];
                libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null_mut::<u64>(), size_of::<u64>());
            }
        }
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        for signal in UNWANTED {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
        libc::sigemptyset(set.as_mut_ptr());
        for signal in WATCHED {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        if fd < 0 {
            return Err(last_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Takes all signals that wait.
pub fn read_signals(fd: &OwnedFd) -> Signals {
    const SIZE: usize = size_of::<libc::signalfd_siginfo>();
    let mut found = Signals::default();
    let mut buffer = [0u8; 4 * SIZE];
    while let Ok(count) = io::read(fd, &mut buffer) {
        for info in buffer[..count].chunks_exact(SIZE) {
            // ssi_signo is the first field, 32 bits.
            match i32::from_ne_bytes([info[0], info[1], info[2], info[3]]) {
                libc::SIGCHLD => found.children = true,
                _ => found.terminate = true,
            }
        }
        if count < buffer.len() {
            break;
        }
    }
    found
}

/// The next child that has ended, whoever's child it once was.
pub fn next_ended() -> Option<Ended> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live, writable memory of the right types.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
    if pid <= 0 {
        return None;
    }
    // SAFETY: zeroed is a valid rusage, and the kernel wrote the rest.
    let usage = unsafe { usage.assume_init() };
    let signal = if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 };
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 0 };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    Some(Ended { pid: pid as u32, status: code as u32, signal: signal as u32, cpu_micros: micros(usage.ru_utime) + micros(usage.ru_stime) })
}

/// Adopts orphans even when we are not PID 1.
pub fn adopt_orphans() {
    // Older kernels and strict sandboxes may refuse; PID 1 has them anyway.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Sends a signal to a process, or to its group. Fails with ESRCH when there is none.
pub fn send_signal(pid: u32, group: bool, signal: u32) -> io::Result<()> {
    let pid = pid as i32;
    if pid <= 1 {
        // 0 would be our own group, -1 everybody.
        return Err(io::Errno::SRCH);
    }
    // SAFETY: kill has no memory effects.
    let result = unsafe { libc::kill(if group { -pid } else { pid }, signal as i32) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

/// errno of a libc call that has just failed.
pub fn last_error() -> io::Errno {
    io::Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(io::Errno::INVAL)
}
