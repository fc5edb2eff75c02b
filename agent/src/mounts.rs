//! The file systems of a machine of its own.

use crate::guest::Broken;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

const IMAGE: &str = "/dev/vda";
const DISK: &str = "/dev/vdb";
/// Where each is in the initramfs; the root is mounted over it in the end, and hides them.
const LOWER: &str = "/lower";
const UPPER: &str = "/disk";
const ROOT: &str = "/root";
/// How long a block device may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(2);
/// As in the other tiers; less where that were more than half of the memory.
const SHARED_MEMORY: u64 = 64 << 20;

const HARMLESS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// The kernel's own file systems, for us in the initramfs.
pub fn kernel() -> Result<(), Broken> {
    mount("proc", "/proc", "proc", HARMLESS, "")?;
    mount("sysfs", "/sys", "sysfs", HARMLESS, "")?;
    mount("devtmpfs", "/dev", "devtmpfs", MountFlags::NOSUID, "mode=0755")
}

/// The root of the sandbox and all that is mounted in it.
pub fn root() -> Result<(), Broken> {
    wait_for(IMAGE)?;
    wait_for(DISK)?;
    mount(IMAGE, LOWER, "erofs", MountFlags::RDONLY | MountFlags::NODEV, "")?;
    // A damaged disk stops, the machine does not.
    mount(DISK, UPPER, "ext4", MountFlags::NODEV | MountFlags::NOATIME, "errors=remount-ro")?;
    let [upper, work] = ["upper", "work"].map(|name| Path::new(UPPER).join(name));
    for folder in [&upper, &work] {
        make(folder, 0o755)?;
    }
    let layers = format!("lowerdir={LOWER},upperdir={},workdir={},xino=off,metacopy=off", upper.display(), work.display());
    mount("overlay", ROOT, "overlay", MountFlags::NODEV | MountFlags::NOATIME, &layers)?;
    let at = |path: &str| format!("{ROOT}{path}");
    mount("proc", &at("/proc"), "proc", HARMLESS, "")?;
    mount("sysfs", &at("/sys"), "sysfs", HARMLESS | MountFlags::RDONLY, "")?;
    mount("devtmpfs", &at("/dev"), "devtmpfs", MountFlags::NOSUID, "mode=0755")?;
    mount("devpts", &at("/dev/pts"), "devpts", MountFlags::NOSUID | MountFlags::NOEXEC, "ptmxmode=0666,mode=0620,gid=5")?;
    let shared = format!("mode=1777,size={}", SHARED_MEMORY.min(memory() / 2));
    mount("tmpfs", &at("/dev/shm"), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, &shared)?;
    mount("tmpfs", &at("/run"), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, "mode=0755")?;
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        let link = at("/dev/") + name;
        let _ = std::os::unix::fs::symlink(target, link);
    }
    Ok(())
}

/// Makes the sandbox's root ours, and lets the memory of the initramfs go.
pub fn enter() -> Result<(), Broken> {
    for path in ["/dev", "/sys", "/proc"] {
        rustix::mount::unmount(path, UnmountFlags::DETACH).map_err(|error| Broken::at(format_args!("unmount {path}"), error))?;
    }
    empty(Path::new("/"));
    let failed = |error| Broken::at("enter the root", error);
    rustix::process::chdir(ROOT).map_err(failed)?;
    rustix::mount::mount_move(".", "/").map_err(failed)?;
    rustix::process::chroot(".").map_err(failed)?;
    rustix::process::chdir("/").map_err(failed)
}

/// Removes what is on the file system of this folder, itself excepted: never what is mounted in it.
fn empty(folder: &Path) {
    let Ok(own) = fs::metadata(folder) else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(found) if found.dev() != own.dev() => {}
            Ok(found) if found.is_dir() => {
                empty(&path);
                let _ = fs::remove_dir(&path);
            }
            _ => drop(fs::remove_file(&path)),
        }
    }
}

fn mount(what: &str, at: &str, kind: &str, flags: MountFlags, data: &str) -> Result<(), Broken> {
    make(Path::new(at), 0o755)?;
    let data = CString::new(data).unwrap_or_default();
    let failed = |error| Broken::at(format_args!("mount {what} ({kind}) at {at}"), error);
    rustix::mount::mount(what, at, kind, flags, &*data).map_err(failed)
}

/// Makes a directory where there is none.
fn make(path: &Path, mode: u32) -> Result<(), Broken> {
    if path.is_dir() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|error| Broken::at(format_args!("make {}", path.display()), error))
}

fn wait_for(device: &str) -> Result<(), Broken> {
    let until = Instant::now() + PATIENCE;
    while !Path::new(device).exists() {
        if Instant::now() > until {
            return Err(Broken::at(device, format_args!("is not there after {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(MOMENT);
    }
    Ok(())
}

/// Bytes that this machine has.
fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram * u64::from(info.mem_unit.max(1))
}
