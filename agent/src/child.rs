//! What a command's process does before it becomes the program.
//!
//! It shares the agent's memory until then (CLONE_VM): a copy would cost more than all the rest, most of all in gVisor. So it only makes bare system
//! calls, on memory that the agent lends it: no allocation, no lock, no libc, whose errno it would share with the agent's own thread.
//! Nobody can get at the agent through it: a change of user makes the memory undumpable, and so closed to ptrace and /proc.

use rustix::io::{self, Errno};
use std::arch::asm;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};

/// Bytes of a child's stack: a few frames.
const STACK: usize = 16 * 1024;
/// Bytes of a report: stage, then errno.
pub const REPORT: usize = 5;

/// Commands go first when memory runs out, the agent last.
pub const OOM_SCORE: &[u8] = b"500";
const OOM_FILE: &CStr = c"/proc/self/oom_score_adj";

/// Where a child failed.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// setsid, or the controlling terminal.
    Session = 1,
    /// stdin, stdout, stderr.
    Descriptors,
    /// setrlimit.
    Limit,
    /// Groups and ids.
    User,
    /// chdir.
    Directory,
    /// exec.
    Program,
}

/// All that the child needs.
pub struct Plan {
    /// Its arguments.
    pub argv: Strings,
    /// Its variables.
    pub env: Strings,
    /// Where the program may be, in the order of PATH.
    pub candidates: Vec<CString>,
    /// Its working directory.
    pub cwd: CString,
    /// When that cannot be entered, / will do.
    pub fall_back: bool,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// All its groups.
    pub groups: Vec<u32>,
    /// Resources and their limits.
    pub limits: Vec<(u32, libc::rlimit)>,
    /// Descriptors, all above 2, that become 0 to 2.
    pub stdio: [c_int; 3],
    /// They are a terminal.
    pub terminal: bool,
    /// The agent is spared when memory runs out; its children are not.
    pub spared: bool,
    /// Where a failure is reported; closes on exec.
    pub status: c_int,
}

/// Strings and the array of pointers to them that exec wants. For a script without a first line, two places are left free before them.
pub struct Strings {
    pointers: Vec<*const c_char>,
    /// What the pointers point to.
    _owned: Vec<CString>,
}

/// Places before the strings.
const FREE: usize = 2;

impl From<Vec<CString>> for Strings {
    fn from(owned: Vec<CString>) -> Self {
        let free = [std::ptr::null(); FREE].into_iter();
        let pointers = free.chain(owned.iter().map(|string| string.as_ptr())).chain([std::ptr::null()]).collect();
        Self { pointers, _owned: owned }
    }
}

impl Strings {
    fn as_ptr(&self) -> usize {
        self.pointers.as_ptr().wrapping_add(FREE) as usize
    }

    /// `sh`, the script, and the strings but the first.
    fn as_script(&mut self, shell: *const c_char, script: *const c_char) -> usize {
        // There is room: a null always ends the strings, even when there are none.
        self.pointers[FREE - 1] = shell;
        self.pointers[FREE] = script;
        self.pointers.as_ptr().wrapping_add(FREE - 1) as usize
    }
}

/// Memory that a child uses. It must live until the child has become the program or has ended.
pub struct Lent {
    plan: *mut Plan,
    _stack: Vec<u128>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: it came from a Box, and whoever drops this knows that the child no longer uses it.
        drop(unsafe { Box::from_raw(self.plan) });
    }
}

/// Makes the process.
pub fn launch(plan: Plan) -> io::Result<(u32, Lent)> {
    let mut lent = Lent { plan: Box::into_raw(Box::new(plan)), _stack: vec![0; STACK / size_of::<u128>()] };
    // SAFETY: the stack is live, 16 bytes aligned, and grows down from its end; `begin` and what it is given stay valid while `lent` lives. libc's
    // clone calls `begin` with nothing of the agent's thread but its memory, which `begin` treats as its contract below demands.
    let pid = unsafe {
        let top = lent._stack.as_mut_ptr_range().end;
        libc::clone(begin, top.cast(), libc::CLONE_VM | libc::SIGCHLD, lent.plan.cast())
    };
    match u32::try_from(pid) {
        Ok(pid) => Ok((pid, lent)),
        Err(_) => Err(crate::reap::last_error()),
    }
}

extern "C" fn begin(plan: *mut c_void) -> c_int {
    // SAFETY: `launch` passes a plan that outlives the child's use of it, and the agent does not touch it meanwhile.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    let (stage, errno) = match plan.prepare() {
        Ok(()) => (Stage::Program, plan.execute()),
        Err(failed) => failed,
    };
    let number = errno.to_ne_bytes();
    let report = [stage as u8, number[0], number[1], number[2], number[3]];
    let _ = call(libc::SYS_write, [plan.status as usize, report.as_ptr() as usize, REPORT, 0]);
    let _ = call(libc::SYS_exit_group, [127, 0, 0, 0]);
    127
}

impl Plan {
    fn prepare(&self) -> Result<(), (Stage, c_int)> {
        let at = |stage: Stage| move |errno: c_int| (stage, errno);
        call(libc::SYS_setsid, [0; 4]).map_err(at(Stage::Session))?;
        if self.spared {
            volunteer();
        }
        for (target, fd) in self.stdio.iter().enumerate() {
            call(libc::SYS_dup3, [*fd as usize, target, 0, 0]).map_err(at(Stage::Descriptors))?;
        }
        if self.terminal {
            call(libc::SYS_ioctl, [0, libc::TIOCSCTTY as usize, 0, 0]).map_err(at(Stage::Session))?;
        }
        // From 3 up everything closes on exec, the status pipe included.
        let all = u32::MAX as usize;
        call(libc::SYS_close_range, [3, all, libc::CLOSE_RANGE_CLOEXEC as usize, 0]).map_err(at(Stage::Descriptors))?;
        for (resource, limit) in &self.limits {
            call(libc::SYS_prlimit64, [0, *resource as usize, std::ptr::from_ref(limit) as usize, 0]).map_err(at(Stage::Limit))?;
        }
        self.become_user().map_err(at(Stage::User))?;
        if let Err(errno) = chdir(self.cwd.as_ptr())
            && (!self.fall_back || chdir(c"/".as_ptr()).is_err())
        {
            return Err((Stage::Directory, errno));
        }
        let (nothing, set_mask) = (0u64, libc::SIG_SETMASK as usize);
        call(libc::SYS_rt_sigprocmask, [set_mask, std::ptr::from_ref(&nothing) as usize, 0, size_of::<u64>()])
            .map_err(at(Stage::Session))?;
        Ok(())
    }

    fn become_user(&self) -> Result<(), c_int> {
        let (uid, gid) = (self.uid as usize, self.gid as usize);
        if let Err(errno) = call(libc::SYS_setgroups, [self.groups.len(), self.groups.as_ptr() as usize, 0, 0]) {
            // Without the right to change groups and ids, only one's own can be had: then nothing needs to be done.
            let own = (call(libc::SYS_geteuid, [0; 4])?, call(libc::SYS_getegid, [0; 4])?);
            if own != (uid, gid) {
                return Err(errno);
            }
        }
        call(libc::SYS_setresgid, [gid, gid, gid, 0])?;
        call(libc::SYS_setresuid, [uid, uid, uid, 0])?;
        Ok(())
    }

    /// Tries each candidate as a shell would; returns errno when none became the program.
    fn execute(&mut self) -> c_int {
        let mut result = libc::ENOENT;
        for candidate in &self.candidates {
            match execve(candidate.as_ptr(), self.argv.as_ptr(), self.env.as_ptr()) {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => result = libc::EACCES,
                libc::ENOEXEC => {
                    let shell = c"/bin/sh".as_ptr();
                    let script = self.argv.as_script(shell, candidate.as_ptr());
                    execve(shell, script, self.env.as_ptr());
                    return libc::ENOEXEC;
                }
                other => return other,
            }
        }
        result
    }
}

/// Before the program can have children of its own, which would be spared too. What shares our memory is set alike, but for the first process of a
/// machine; so this is for that one's children alone.
fn volunteer() {
    if let Ok(file) = call(libc::SYS_openat, [libc::AT_FDCWD as usize, OOM_FILE.as_ptr() as usize, libc::O_WRONLY as usize, 0]) {
        let _ = call(libc::SYS_write, [file, OOM_SCORE.as_ptr() as usize, OOM_SCORE.len(), 0]);
        let _ = call(libc::SYS_close, [file, 0, 0, 0]);
    }
}

fn chdir(path: *const c_char) -> Result<usize, c_int> {
    call(libc::SYS_chdir, [path as usize, 0, 0, 0])
}

fn execve(path: *const c_char, argv: usize, env: usize) -> c_int {
    match call(libc::SYS_execve, [path as usize, argv, env, 0]) {
        Err(errno) => errno,
        // It does not return when it worked.
        Ok(_) => Errno::INVAL.raw_os_error(),
    }
}

/// A bare system call: its result or errno.
fn call(number: c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, c_int> {
    let result: isize;
    // SAFETY: the calls of this module are given numbers, and pointers into the plan or to constants, which live for as long as the child does;
    // the kernel writes to none of them. Registers are those of the system call convention of each machine.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            lateout("rcx") _, lateout("r11") _, options(nostack));
        #[cfg(target_arch = "aarch64")]
        asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c, in("x3") d, options(nostack));
    }
    // The kernel's errors are -4095 to -1.
    if (-4095..0).contains(&result) { Err(-result as c_int) } else { Ok(result as usize) }
}
