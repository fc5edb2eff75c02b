//! The first process of a machine of its own: makes of a kernel that has just started what a sandbox is in every tier, and ends it in the end.
//!
//! The kernel starts us from an initramfs, as `/init`. Beside us there is `/modules` with kernel modules and their `order`, and `/dev/console` and
//! `/dev/null`. The first block device is the root image, the second a disk for what is written; both are seen as one root, and the initramfs goes.
//! What goes wrong here is said on the kernel's log, and the machine ends: a sandbox is as it should be, or it is not.

use crate::failure::Failure;
use crate::way::Way;
use crate::{identity, modules, mounts, network};
use rustix::fs::{Mode, OFlags};
use rustix::system::RebootCommand;
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

const PROBE: &str = "caisson.probe";
const HOME: &str = "caisson.home=";
/// What a probe wants to see.
const UP: &[u8] = b"caisson guest is up\n";
/// What a sandbox calls itself until it is somebody's; images know the name.
const HOSTNAME: &[u8] = b"sandbox";
/// Most open files that a command may ask for; the kernel's own bound.
const OPEN_FILES: u64 = 1 << 20;
/// Programs that use select(2) cannot have more, and others raise it themselves.
const USUAL_FILES: u64 = 1024;

/// What goes wrong in making the machine: one line for a person.
pub struct Broken(String);

impl Broken {
    /// What was tried, and why it did not work.
    pub fn at(what: impl Display, why: impl Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self(failure.message)
    }
}

/// True for the first process of a machine whose kernel was given our initramfs.
pub fn is_init() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    std::process::id() == 1 && name.as_bytes().ends_with(b"/init")
}

/// Makes the machine and returns the way home. Only this thread exists.
pub fn make() -> Way {
    match mounts::kernel().and_then(|()| attempt()) {
        Ok(way) => way,
        Err(Broken(why)) => {
            say(&why);
            end()
        }
    }
}

fn attempt() -> Result<Way, Broken> {
    let line = std::fs::read_to_string("/proc/cmdline").map_err(|error| Broken::at("read /proc/cmdline", error))?;
    let orders = Orders::of(&line)?;
    if orders.probe {
        announce();
        end();
    }
    let Some(home) = orders.home else { return Err(Broken::at("the kernel's command line", format_args!("has no {HOME}"))) };
    modules::load(Path::new("/modules"))?;
    mounts::root()?;
    settle();
    mounts::enter()?;
    // What copies of this machine will have to change is made ready for it: each of them wakes to somebody who waits.
    network::raise("lo").and_then(|()| network::prepare()).and_then(|()| identity::prepare())?;
    Ok(home)
}

/// What the kernel's command line says to us.
#[derive(Debug, PartialEq, Eq)]
struct Orders {
    home: Option<Way>,
    /// Only to say that a guest can run here.
    probe: bool,
}

impl Orders {
    fn of(line: &str) -> Result<Self, Broken> {
        let mut orders = Self { home: None, probe: false };
        for word in line.split_whitespace() {
            orders.probe |= word == PROBE;
            if let Some(way) = word.strip_prefix(HOME) {
                orders.home = Some(Way::parse(way).ok_or_else(|| Broken::at(word, "neither port:NAME nor vsock:PORT"))?);
            }
        }
        Ok(orders)
    }
}

/// The machine's own settings. Where a kernel lacks one it lacks what the setting is about.
fn settle() {
    let settings = [
        ("kernel/dmesg_restrict", "1"),
        ("kernel/kptr_restrict", "2"),
        ("kernel/unprivileged_bpf_disabled", "1"),
        ("kernel/panic_on_oops", "1"),
        // As in the other tiers: the ports of a sandbox are all its own.
        ("net/ipv4/ip_unprivileged_port_start", "0"),
    ];
    for (name, value) in settings {
        let _ = std::fs::write(Path::new("/proc/sys").join(name), value);
    }
    // A program that takes all memory is killed when the others cannot keep what they used within this second. By its age alone the kernel would read their
    // programs from the disk again and again, for minutes in which nobody answers, and kill nothing.
    for (name, value) in [("enabled", "y"), ("min_ttl_ms", "1000")] {
        let _ = std::fs::write(Path::new("/sys/kernel/mm/lru_gen").join(name), value);
    }
    // Without us the machine is over, so nothing that is greedy may take us along. What we start volunteers.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    let _ = rustix::system::sethostname(HOSTNAME);
    // Whoever presses ctrl-alt-del at the host's end asks us to end, rather than the kernel.
    let _ = rustix::system::reboot(RebootCommand::CadOff);
    let files = libc::rlimit { rlim_cur: USUAL_FILES, rlim_max: OPEN_FILES };
    // SAFETY: a pointer to a live struct.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files) };
}

/// Ends the machine; a VMM ends when its guest restarts.
pub fn end() -> ! {
    // SAFETY: no memory effects. Everybody but us.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    rustix::fs::sync();
    let _ = rustix::system::reboot(RebootCommand::Restart);
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// To the kernel's log, which goes to the console; there first of all when there is none.
fn say(why: &str) {
    let line = format!("<2>caisson: {why}\n");
    if std::fs::write("/dev/kmsg", &line).is_err() {
        eprintln!("caisson: {why}");
    }
}

fn announce() {
    if let Ok(console) = rustix::fs::open("/dev/console", OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(&console, UP);
        let _ = rustix::termios::tcdrain(&console);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_its_orders_from_the_command_line() {
        let orders = |line: &str| Orders::of(line).unwrap_or_else(|Broken(why)| panic!("{why}"));
        assert_eq!(
            orders("quiet panic=-1 caisson.home=port:caisson.agent console=ttyS0\n"),
            Orders { home: Some(Way::Port("caisson.agent".to_owned())), probe: false }
        );
        assert_eq!(orders("quiet caisson.probe"), Orders { home: None, probe: true });
        assert_eq!(orders("caisson.probed xcaisson.home=vsock:1"), Orders { home: None, probe: false });
        assert!(Orders::of("caisson.home=tcp:80").is_err());
    }
}
