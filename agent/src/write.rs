//! Writing a file: beside its place first, then into it, so that nobody ever sees half of it.

use crate::calls::Stop;
use crate::failure::{Failure, fail, shown};
use crate::files::{Caller, failed};
use crate::proto::failed::Code;
use crate::proto::{self, reply};
use crate::{metadata, tree};
use rustix::fd::OwnedFd;
use rustix::fs::{Access, FileType, Mode, OFlags, Stat};
use rustix::io::{self, Errno};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How names of temporary files begin when the target is new; `watch` tells writes of ours by them.
pub const NEW: &str = ".caisson-new-";
/// The same when the target is replaced.
pub const REPLACED: &str = ".caisson-old-";

/// Of a new file that nobody said more about.
pub const DEFAULT_MODE: u32 = 0o644;
const MAX_LINKS: u32 = 40;
const MAX_TRIES: u32 = 100;

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A file that takes a target's place when it is whole; until then, what undoes the write.
pub struct Draft {
    path: PathBuf,
    folders: Vec<PathBuf>,
    kept: bool,
}

impl Draft {
    /// An empty file beside the target, which nobody else may open; `make_directories` makes those above it if there are none, and returns what it made.
    pub fn beside(
        target: &Path,
        exists: bool,
        make_directories: impl FnOnce(&Path) -> Result<Vec<PathBuf>, Failure>,
    ) -> Result<(OwnedFd, Self), Failure> {
        let wrong = |error: Errno| failed("write", target, error);
        let (Some(folder), Some(_)) = (target.parent(), target.file_name()) else {
            return Err(wrong(Errno::ISDIR));
        };
        let prefix = if exists { REPLACED } else { NEW };
        let mut folders = Vec::new();
        let mut opened = open_new(folder, prefix);
        if matches!(opened, Err(Errno::NOENT)) {
            folders = make_directories(folder)?;
            opened = open_new(folder, prefix);
        }
        match opened {
            Ok((file, path)) => Ok((file, Self { path, folders, kept: false })),
            Err(error) => {
                tree::undo(&folders);
                Err(wrong(error))
            }
        }
    }

    /// Puts it in the target's place.
    pub fn take_place(&mut self, target: &Path) -> Result<(), Errno> {
        rustix::fs::rename(&self.path, target)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // Both may have been removed by the user meanwhile.
            let _ = rustix::fs::unlink(&self.path);
            tree::undo(&self.folders);
        }
    }
}

/// Takes the bytes of channel 1 and puts them in the file's place.
pub fn write(caller: &Caller<'_>, asked: &proto::Write) -> Result<(), Stop> {
    metadata::check(&asked.metadata)?;
    let target = follow(caller.path(&asked.path)?)?;
    let wrong = |error: Errno| failed("write", &target, error);
    let before = existing(&target)?;
    let (file, mut draft) = Draft::beside(&target, before.is_some(), |folder| caller.make_directories(folder))?;
    let mut pieces = Vec::new();
    while caller.stream.take(&mut pieces)? {
        append(&file, &pieces).map_err(wrong)?;
    }
    let mode = match (&before, asked.mode) {
        (Some(stat), _) => stat.st_mode & 0o7777,
        (None, 0) => DEFAULT_MODE,
        (None, mode) => mode & 0o7777,
    };
    if caller.gives_away {
        caller.give(&file).map_err(wrong)?;
    } else if let Some(stat) = &before {
        // Only root can keep another's file another's; for anybody else it becomes theirs, as with any editor.
        let _ = rustix::fs::fchown(&file, Some(rustix::fs::Uid::from_raw(stat.st_uid)), Some(rustix::fs::Gid::from_raw(stat.st_gid)));
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(wrong)?;
    metadata::replace(&file, &asked.metadata).map_err(wrong)?;
    if before.is_some_and(|stat| stat.st_nlink > 1) {
        // Its other names must mean the same file still.
        copy(&draft.path, &target, &asked.metadata).map_err(wrong)?;
    } else {
        match draft.take_place(&target) {
            // Something is mounted there, such as /etc/hosts.
            Err(Errno::BUSY) => copy(&draft.path, &target, &asked.metadata).map_err(wrong)?,
            other => other.map_err(wrong)?,
        }
    }
    Ok(caller.stream.say(reply::Of::File(caller.info(&target)?))?)
}

/// Writes pieces together: a call of the kernel costs more in gVisor than most pieces.
fn append(file: &OwnedFd, pieces: &[Vec<u8>]) -> Result<(), Errno> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let count = io::retry_on_intr(|| io::writev(file, rest))?;
        IoSlice::advance_slices(&mut rest, count);
    }
    Ok(())
}

/// Where a chain of links leads, so that the link stays one.
fn follow(mut path: PathBuf) -> Result<PathBuf, Failure> {
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("/")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(failed("write", &path, Errno::LOOP))
}

fn existing(target: &Path) -> Result<Option<Stat>, Failure> {
    let wrong = |error: Errno| failed("write", target, error);
    let stat = match rustix::fs::stat(target) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(wrong(Errno::ISDIR)),
        _ => return Err(fail(Code::Invalid, format!("write {}: not a regular file", shown(target.as_os_str().as_encoded_bytes())))),
    }
    // A rename asks only for the right to the directory; who may not write the file must not replace it either.
    rustix::fs::access(target, Access::WRITE_OK).map_err(wrong)?;
    Ok(Some(stat))
}

/// Puts the content of a draft into a file that must stay the one it is.
fn copy(draft: &Path, target: &Path, set: &BTreeMap<String, String>) -> Result<(), Errno> {
    let from = rustix::fs::open(draft, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let to = rustix::fs::open(target, OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    std::io::copy(&mut File::from(from), &mut File::from(to.try_clone().map_err(|_| Errno::MFILE)?)).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    metadata::replace(&to, set)
}

fn open_new(folder: &Path, prefix: &str) -> Result<(OwnedFd, PathBuf), Errno> {
    for _ in 0..MAX_TRIES {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{prefix}{}-{serial}", std::process::id()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => {}
            other => return other.map(|file| (file, path)),
        }
    }
    Err(Errno::EXIST)
}
