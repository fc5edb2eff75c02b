//! How a command starts: what it needs is prepared here; `child` does the rest in the new process.
//!
//! The child says on a pipe that closes on exec if it could not become the program, and why. The loop reads that pipe like any
//! other: a child that somebody stops half-way does not stop the agent.

use crate::child::{Lent, OOM_SCORE, Plan, REPORT, Stage, launch};
use crate::failure::{Failure, fail, shown};
use crate::guest;
use crate::proto::failed::Code;
use crate::proto::{ResourceLimit, Start, Terminal};
use crate::users::User;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{self, Errno};
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::BTreeMap;
use std::ffi::CString;

/// PATH of all that we start.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Most entries of PATH that are tried.
const MAX_CANDIDATES: usize = 64;
/// Linux knows resources 0 to 15.
const RESOURCES: u32 = 16;

/// A process that is about to become the program.
pub struct Child {
    /// Its process, group and session.
    pub pid: u32,
    /// End of file when it became the program, else a report of `REPORT` bytes.
    pub status: OwnedFd,
    /// For a failure's message.
    pub program: String,
    /// For a failure's message.
    pub cwd: String,
}

/// Where a command's bytes come and go; all non-blocking.
pub enum Ends {
    /// stdin if it has one, stdout, stderr.
    Pipes(Option<OwnedFd>, OwnedFd, OwnedFd),
    /// The terminal's master.
    Terminal(OwnedFd),
}

/// What all commands start with.
pub struct Basis {
    /// We raised our own limit of open files; commands get the one that we were given.
    files: libc::rlimit,
    null: OwnedFd,
    /// We are the first process of a machine, which nothing may take along.
    spared: bool,
}

impl Basis {
    /// Fails when there is no /dev/null.
    pub fn new(files: libc::rlimit) -> io::Result<Self> {
        let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { files, null, spared: guest::is_init() })
    }
}

/// Reads the status pipe: nothing yet, the program runs, or why it does not.
pub fn outcome(child: &Child) -> Option<Result<(), Failure>> {
    let mut report = [0u8; REPORT];
    match io::read(&child.status, &mut report) {
        Err(Errno::AGAIN | Errno::INTR) => None,
        Ok(REPORT) => {
            let errno = Errno::from_raw_os_error(i32::from_ne_bytes([report[1], report[2], report[3], report[4]]));
            Some(Err(explain(report[0], errno, child)))
        }
        // Closed by exec, or by death: then it ends like any command.
        _ => Some(Ok(())),
    }
}

fn explain(stage: u8, errno: Errno, child: &Child) -> Failure {
    let (program, cwd) = (&child.program, &child.cwd);
    if stage == Stage::Program as u8 {
        return match errno {
            Errno::NOENT | Errno::NOTDIR => {
                fail(Code::ProgramNotFound, format!("no program {program} (or its interpreter) in the sandbox"))
            }
            Errno::TOOBIG => fail(Code::Invalid, format!("start {program}: arguments and environment are too long")),
            Errno::NOEXEC => fail(Code::Invalid, format!("start {program}: not a program for this machine")),
            _ => Failure::system(format_args!("start {program}"), errno),
        };
    }
    if stage == Stage::Directory as u8 {
        let why = match errno {
            Errno::NOENT => "does not exist".to_owned(),
            Errno::NOTDIR => "is not a directory".to_owned(),
            Errno::ACCESS | Errno::PERM => "may not be entered by its user".to_owned(),
            other => Failure::system("cannot be entered", other).message,
        };
        return fail(Code::Invalid, format!("start {program}: its working directory {cwd} {why}"));
    }
    let what = match stage {
        s if s == Stage::Session as u8 => format!("start {program}: make a session with its terminal"),
        s if s == Stage::Descriptors as u8 => format!("start {program}: connect its input and output"),
        s if s == Stage::Limit as u8 => format!("start {program}: set a resource limit"),
        _ => format!("start {program}: become its user"),
    };
    Failure::system(what, errno)
}

/// Starts a command as `user`. An error means that nothing was started.
pub fn spawn(start: &Start, user: &User, adopted: &BTreeMap<String, String>, basis: &Basis) -> Result<(Child, Ends, Lent), Failure> {
    let cwd = directory(&start.cwd, user);
    let env = environment(start, user, adopted);
    let program = start.argv.first().filter(|name| !name.is_empty()).ok_or_else(|| fail(Code::Invalid, "argv is empty"))?;
    let wiring = Wiring::new(start, user, basis)?;
    let words = strings(start.argv.iter().map(Vec::as_slice), "argument")?;
    let variables = strings(env.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()), "variable")?;
    let plan = Plan {
        argv: words.into(),
        candidates: candidates(program, env.get("PATH").map_or("", String::as_str))?,
        env: variables.into(),
        cwd: string(&cwd, "working directory")?,
        // A user whose home is missing can still work; a directory that was asked for must be there.
        fall_back: start.cwd.is_empty(),
        uid: user.uid,
        gid: user.gid,
        groups: user.groups.clone(),
        limits: limits(&start.limits, basis.files)?,
        stdio: wiring.stdio,
        terminal: start.terminal.is_some(),
        spared: basis.spared,
        status: wiring.status_writer.as_raw_fd(),
    };
    let (pid, lent) = launch(plan).map_err(|error| Failure::system(format_args!("start {}: make a process", shown(program)), error))?;
    Ok((Child { pid, status: wiring.status, program: shown(program), cwd: shown(&cwd) }, wiring.ours, lent))
}

/// Lets the kernel take this process before the agent when memory runs out.
pub fn volunteer(pid: u32) {
    // Where that cannot be set, the kernel's own choice stands.
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), OOM_SCORE);
}

/// Both sides of a command's descriptors.
struct Wiring {
    ours: Ends,
    /// What becomes the child's 0 to 2.
    stdio: [i32; 3],
    /// The child's sides, which close here when this is dropped.
    _theirs: Vec<OwnedFd>,
    status: OwnedFd,
    status_writer: OwnedFd,
}

impl Wiring {
    fn new(start: &Start, user: &User, basis: &Basis) -> Result<Self, Failure> {
        let failed = |error: Errno| Failure::system("make the command's pipes", error);
        let (status, status_writer) = pipe().map_err(failed)?;
        if let Some(size) = &start.terminal {
            let (master, slave) = terminal(size, user).map_err(|error| Failure::system("make a terminal", error))?;
            let stdio = [slave.as_raw_fd(); 3];
            return Ok(Self { ours: Ends::Terminal(master), stdio, _theirs: vec![slave], status, status_writer });
        }
        let (out, their_out) = pipe().map_err(failed)?;
        let (err, their_err) = pipe().map_err(failed)?;
        let mut stdio = [basis.null.as_raw_fd(), their_out.as_raw_fd(), their_err.as_raw_fd()];
        let mut theirs = vec![their_out, their_err];
        let mut input = None;
        if start.stdin {
            let (their_input, ours) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
            unblock(&ours).map_err(failed)?;
            stdio[0] = their_input.as_raw_fd();
            theirs.push(their_input);
            input = Some(ours);
        }
        Ok(Self { ours: Ends::Pipes(input, out, err), stdio, _theirs: theirs, status, status_writer })
    }
}

/// A pipe whose reading end is ours and does not block.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    unblock(&ours)?;
    Ok((ours, theirs))
}

fn terminal(size: &Terminal, user: &User) -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    resize(&slave, size)?;
    // So that the user's programs can open their terminal by name. Without the right to give files away it stays ours and they still work.
    let _ = rustix::fs::fchown(&slave, Some(rustix::fs::Uid::from_raw(user.uid)), None);
    unblock(&master)?;
    Ok((master, slave))
}

/// Sets a terminal's size; programs in it get SIGWINCH.
pub fn resize(terminal: &OwnedFd, size: &Terminal) -> io::Result<()> {
    let cells = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    let size = rustix::termios::Winsize { ws_row: cells(size.rows), ws_col: cells(size.columns), ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(terminal, size)
}

fn unblock(fd: &OwnedFd) -> io::Result<()> {
    io::ioctl_fionbio(fd, true)
}

/// The user's own variables, then the sandbox's, then the command's.
fn environment<'a>(start: &'a Start, user: &'a User, adopted: &'a BTreeMap<String, String>) -> BTreeMap<&'a str, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut env = BTreeMap::from([
        ("PATH", DEFAULT_PATH.to_owned()),
        ("HOME", text(&user.home)),
        ("USER", user.name.clone()),
        ("LOGNAME", user.name.clone()),
        ("SHELL", text(&user.shell)),
        ("LANG", "C.UTF-8".to_owned()),
    ]);
    if start.terminal.is_some() {
        env.insert("TERM", "xterm-256color".to_owned());
    }
    for (name, value) in adopted.iter().chain(&start.env) {
        env.insert(name, value.clone());
    }
    env
}

/// Refuses names that would read as something else.
pub fn check_variables(env: &BTreeMap<String, String>) -> Result<(), Failure> {
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(fail(Code::Invalid, format!("variable {name:?}: a name is not empty and has no '=', and neither has a zero byte")));
        }
    }
    Ok(())
}

fn directory(asked: &[u8], user: &User) -> Vec<u8> {
    match asked.first() {
        None => user.home.clone(),
        Some(b'/') => asked.to_vec(),
        Some(_) => [&user.home, &b"/"[..], asked].concat(),
    }
}

/// Where the program may be, in the order of PATH.
fn candidates(program: &[u8], path: &str) -> Result<Vec<CString>, Failure> {
    if program.contains(&b'/') {
        return Ok(vec![string(program, "program")?]);
    }
    let folders = path.split(':').take(MAX_CANDIDATES);
    folders.map(|folder| string(&[if folder.is_empty() { b"." } else { folder.as_bytes() }, b"/", program].concat(), "program")).collect()
}

fn limits(asked: &[ResourceLimit], files: libc::rlimit) -> Result<Vec<(u32, libc::rlimit)>, Failure> {
    // We raised our own limit of open files; commands get the one that we were given.
    let mut limits = vec![(libc::RLIMIT_NOFILE, files)];
    for limit in asked {
        if limit.resource >= RESOURCES {
            return Err(fail(Code::Invalid, format!("resource limit {}: Linux has 0 to {}", limit.resource, RESOURCES - 1)));
        }
        limits.push((limit.resource, libc::rlimit { rlim_cur: limit.value, rlim_max: limit.value }));
    }
    Ok(limits)
}

fn string(bytes: &[u8], what: &str) -> Result<CString, Failure> {
    CString::new(bytes).map_err(|_| fail(Code::Invalid, format!("{what} {} has a zero byte", shown(bytes))))
}

fn strings<B: Into<Vec<u8>>>(all: impl Iterator<Item = B>, what: &str) -> Result<Vec<CString>, Failure> {
    all.map(|bytes| CString::new(bytes).map_err(|_| fail(Code::Invalid, format!("an {what} has a zero byte")))).collect()
}
