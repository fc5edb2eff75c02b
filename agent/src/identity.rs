//! What makes a machine another than the one it is a copy of: machine id, boot id, SSH host keys.

use crate::failure::{Failure, fail, shown};
use crate::proto::SeedFile;
use crate::proto::failed::Code;
use crate::proto::seed_file::Kind;
use crate::{seeds, spawn};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The kernel cannot be told another boot id, and a file of the root's own is slow to replace; so files of ours in memory lie over all of them, and to change an
/// id is to write one.
const MACHINE_ID: Place = Place { at: "/etc/machine-id", own: "/run/caisson-machine-id" };
/// Often a link to the first.
const MACHINE_ID_OF_DBUS: Place = Place { at: "/var/lib/dbus/machine-id", own: "/run/caisson-dbus-machine-id" };
const BOOT_ID: Place = Place { at: "/proc/sys/kernel/random/boot_id", own: "/run/caisson-boot-id" };
/// Most mounts over one place.
const MAX_LAYERS: usize = 64;
const SSH: &str = "/etc/ssh";
/// How long new keys may take.
const PATIENCE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(2);
/// Bytes of an id.
const ID: usize = 16;
const MODE: u32 = 0o444;
/// Longer ones are none.
const MAX_ID_FILE: u64 = 4096;

/// Both ids, as the kernel and systemd write them.
pub struct Ids {
    machine: String,
    boot: String,
}

impl Ids {
    /// Refuses what is no id.
    pub fn of(machine: &[u8], boot: &[u8]) -> Result<Self, Failure> {
        if machine.len() != ID || boot.len() != ID {
            return Err(fail(Code::Invalid, format!("a machine id of {} and a boot id of {} bytes; {ID} each", machine.len(), boot.len())));
        }
        let boot = hex(boot);
        let groups = [&boot[..8], &boot[8..12], &boot[12..16], &boot[16..20], &boot[20..]];
        Ok(Self { machine: hex(machine) + "\n", boot: groups.join("-") + "\n" })
    }

    /// Takes them over; false where it is so already, and nothing happens.
    pub fn take(&self) -> Result<bool, Failure> {
        if !MACHINE_ID.says(&self.machine) {
            // Before the id, so that whoever failed half-way does it all again.
            renew_keys()?;
            MACHINE_ID.put(&self.machine)?;
        }
        self.take_the_rest()
    }

    fn take_the_rest(&self) -> Result<bool, Failure> {
        let dbus = MACHINE_ID_OF_DBUS;
        let is_file = fs::symlink_metadata(dbus.at).is_ok_and(|found| found.is_file());
        if is_file && !dbus.says(&self.machine) {
            dbus.put(&self.machine)?;
        }
        if BOOT_ID.says(&self.boot) {
            return Ok(false);
        }
        BOOT_ID.put(&self.boot).map(|()| true)
    }
}

/// Takes ids of its own over, while there is time: files of ours lie over all places then, and the kernel knows the way to all that it will be asked for again.
pub fn prepare() -> Result<(), Failure> {
    let mut ids = [0; 2 * ID];
    rustix::rand::getrandom(&mut ids[..], rustix::rand::GetRandomFlags::empty()).map_err(|error| Failure::system("get random bytes", error))?;
    let ids = Ids::of(&ids[..ID], &ids[ID..])?;
    MACHINE_ID.put(&ids.machine)?;
    // Each copy replaces them; nobody needs any before.
    host_keys(Path::new(SSH));
    ids.take_the_rest().map(drop)
}

/// Where an id is read, and the file that lies over it.
struct Place {
    at: &'static str,
    own: &'static str,
}

impl Place {
    fn says(&self, id: &str) -> bool {
        read(Path::new(self.at)).as_deref() == Some(id.as_bytes())
    }

    fn put(&self, id: &str) -> Result<(), Failure> {
        let written = rustix::fs::open(self.own, OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
            .is_ok_and(|file| fs::File::from(file).write_all(id.as_bytes()).is_ok());
        if written && self.says(id) {
            return Ok(());
        }
        self.lay(id)
    }

    fn lay(&self, id: &str) -> Result<(), Failure> {
        let wrong = |what: &'static str| move |error: Errno| Failure::system(format!("{}: {what}", self.at), error);
        for _ in 0..MAX_LAYERS {
            if rustix::mount::unmount(self.at, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_err() {
                break;
            }
        }
        match fs::remove_file(self.own) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong("replace what lies over it")(errno(&error))),
            _ => {}
        }
        if !fs::symlink_metadata(self.at).is_ok_and(|found| found.is_file()) {
            let place = SeedFile { path: self.at.into(), content: Vec::new(), mode: MODE, kind: Kind::Replace.into() };
            seeds::plant(&[place])?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(self.own, flags, Mode::from_raw_mode(MODE)).map_err(wrong("make what lies over it"))?;
        fs::File::from(file).write_all(id.as_bytes()).map_err(|error| wrong("write what lies over it")(errno(&error)))?;
        rustix::mount::mount_bind(self.own, self.at).map_err(wrong("mount over it"))?;
        if self.says(id) { Ok(()) } else { Err(fail(Code::Other, format!("{} still says another", self.at))) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A short regular file, or a file of the kernel's. Never waits.
fn read(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    fs::File::from(file).take(MAX_ID_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Host keys of before are those of every other copy.
fn renew_keys() -> Result<(), Failure> {
    let old = host_keys(Path::new(SSH));
    if old.is_empty() {
        return Ok(());
    }
    for key in &old {
        let name = shown(key.as_os_str().as_encoded_bytes());
        fs::remove_file(key).map_err(|error| Failure::system(format!("SSH host keys: remove {name}"), errno(&error)))?;
    }
    let Some(program) = ["/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen"].iter().find(|path| Path::new(path).exists()) else {
        // Nobody can make new ones here; there are no old ones any more.
        return Ok(());
    };
    make_keys(program)
}

fn make_keys(program: &str) -> Result<(), Failure> {
    let failed = |why: String| fail(Code::Other, format!("SSH host keys: {program} -A {why}"));
    let mut command = Command::new(program);
    command.arg("-A").env_clear().env("PATH", spawn::DEFAULT_PATH).env("LANG", "C.UTF-8").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
    spawn::volunteer(child.id());
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(format!("failed: {status}"))),
            Ok(None) if Instant::now() < until => std::thread::sleep(MOMENT),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("had not ended after {} s", PATIENCE.as_secs())));
            }
        }
    }
}

fn host_keys(folder: &Path) -> Vec<PathBuf> {
    let is_key = |name: &str| name.starts_with("ssh_host_") && (name.ends_with("_key") || name.ends_with("_key.pub"));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(is_key)).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_the_kernel_and_systemd_do() {
        let ids = Ids::of(&[0xab; 16], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]).expect("two ids");
        assert_eq!(ids.machine, "abababababababababababababababab\n");
        assert_eq!(ids.boot, "01020304-0506-0708-090a-0b0c0d0e0f10\n");
        assert!(Ids::of(&[1; 15], &[1; 16]).is_err() && Ids::of(&[1; 16], &[]).is_err());
    }

    #[test]
    fn knows_a_host_key_by_its_name() {
        let folder = std::env::temp_dir().join(format!("caisson-agent-keys-{}", std::process::id()));
        fs::create_dir(&folder).expect("a folder");
        for name in ["ssh_host_rsa_key", "ssh_host_rsa_key.pub", "sshd_config", "ssh_host_note", "moduli"] {
            fs::write(folder.join(name), "").expect("a file");
        }
        let mut found = host_keys(&folder);
        found.sort();
        assert_eq!(found, [folder.join("ssh_host_rsa_key"), folder.join("ssh_host_rsa_key.pub")]);
        fs::remove_dir_all(folder).expect("removed");
    }
}
