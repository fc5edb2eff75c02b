//! File calls that need no module of their own. All run with the rights of the caller's user, so a path is only what that user may use anyway.

use crate::calls::Stop;
use crate::failure::{Failure, fail, shown};
use crate::frame::MAX_DATA;
use crate::link::Stream;
use crate::proto::failed::Code;
use crate::proto::file_info::{Kind, Target};
use crate::proto::{self, Done, FileInfo, Files, reply};
use crate::{metadata, tree};
use crate::users::{Accounts, User};
use prost::Message;
use rustix::fd::AsFd;
use rustix::fs::{FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::{self, Errno};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::ReadDir;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Linux's own limit, with its zero byte.
const MAX_PATH: usize = 4096;
/// Most entries of one listing.
const MAX_ENTRIES: usize = 100_000;
/// Deepest level that a listing goes down to.
const MAX_DEPTH: u32 = 64;
/// Bytes of one Files message, about.
const BATCH: usize = 256 * 1024;

/// Who asks, and where the answer goes.
pub struct Caller<'a> {
    /// Where the answer goes.
    pub stream: &'a Stream,
    /// For the names of owners.
    pub accounts: &'a Accounts,
    /// At whose home relative paths begin, and whose rights this thread has, unless it has root's.
    pub user: &'a User,
    /// This thread has root's rights, and what it makes it gives to the user.
    pub gives_away: bool,
}

impl Caller<'_> {
    /// The path meant: a relative one starts at the user's home.
    pub fn path(&self, asked: &[u8]) -> Result<PathBuf, Failure> {
        if asked.contains(&0) || asked.len() >= MAX_PATH {
            return Err(fail(
                Code::Invalid,
                format!("path {}: zero bytes and more than {} bytes are not possible", shown(asked), MAX_PATH - 1),
            ));
        }
        Ok(Path::new(OsStr::from_bytes(&self.user.home)).join(OsStr::from_bytes(asked)))
    }

    /// Makes a directory and those above it; returns what was made, outermost first.
    pub fn make_directories(&self, path: &Path) -> Result<Vec<PathBuf>, Failure> {
        let made = tree::make_directories(path).map_err(|error| failed("make directory", path, error))?;
        for folder in &made {
            self.give_folder(folder).map_err(|error| failed("make directory", folder, error))?;
        }
        Ok(made)
    }

    fn give_folder(&self, folder: &Path) -> Result<(), Errno> {
        if !self.gives_away {
            return Ok(());
        }
        // Whoever put another thing in its place meanwhile does not get that.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.give(rustix::fs::open(folder, flags, Mode::empty())?)
    }

    /// Makes what was made with root's rights the user's.
    pub fn give(&self, made: impl AsFd) -> Result<(), Errno> {
        if !self.gives_away {
            return Ok(());
        }
        rustix::fs::fchown(made, Some(Uid::from_raw(self.user.uid)), Some(Gid::from_raw(self.user.gid)))
    }

    /// What the host is told of a path itself, not of what it links to.
    pub fn info(&self, path: &Path) -> Result<FileInfo, Failure> {
        let stat = rustix::fs::lstat(path).map_err(|error| failed("look at", path, error))?;
        Ok(self.describe(path, &stat))
    }

    fn describe(&self, path: &Path, stat: &Stat) -> FileInfo {
        let kind = kind_of(stat);
        let target = (kind == Kind::Symlink).then(|| std::fs::read_link(path).ok()).flatten();
        FileInfo {
            name: path.file_name().map_or_else(|| b"/".to_vec(), |name| name.as_bytes().to_vec()),
            path: path.as_os_str().as_bytes().to_vec(),
            kind: kind.into(),
            size: stat.st_size as u64,
            mode: stat.st_mode & 0o7777,
            owner: self.accounts.user_name(stat.st_uid),
            group: self.accounts.group_name(stat.st_gid),
            modified_nanos: stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(stat.st_mtime_nsec as i64),
            link_target: target.map(|target| target.into_os_string().as_bytes().to_vec()).unwrap_or_default(),
            target: (kind == Kind::Symlink).then(|| resolved(path)).flatten(),
            metadata: if kind == Kind::File { metadata::read(path) } else { BTreeMap::new() },
        }
    }
}

fn kind_of(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    }
}

/// Where a symbolic link leads in the end, as far as this user may see it.
fn resolved(path: &Path) -> Option<Target> {
    let stat = rustix::fs::stat(path).ok()?;
    let path = std::fs::canonicalize(path).ok()?;
    Some(Target {
        path: path.into_os_string().as_bytes().to_vec(),
        kind: kind_of(&stat).into(),
        size: stat.st_size as u64,
        mode: stat.st_mode & 0o7777,
    })
}

/// A failed call on a path.
pub fn failed(what: &str, path: &Path, error: impl Into<std::io::Error>) -> Failure {
    Failure::system(format_args!("{what} {}", shown(path.as_os_str().as_bytes())), error)
}

/// Sends a file. Never waits for a FIFO or a device: only regular files are read.
pub fn read(caller: &Caller<'_>, asked: &proto::Read) -> Result<(), Stop> {
    let path = caller.path(&asked.path)?;
    let wrong = |error: Errno| failed("read", &path, error);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::empty()).map_err(wrong)?;
    let stat = rustix::fs::fstat(&file).map_err(wrong)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(wrong(Errno::ISDIR).into()),
        _ => return Err(fail(Code::Invalid, format!("read {}: not a regular file", shown(&asked.path))).into()),
    }
    if asked.offset > i64::MAX as u64 {
        return Err(fail(Code::Invalid, format!("read {}: the offset is too large", shown(&asked.path))).into());
    }
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(asked.offset)).map_err(wrong)?;
    caller.stream.say(reply::Of::File(caller.describe(&path, &stat)))?;
    let mut left = if asked.length == 0 { u64::MAX } else { asked.length };
    let mut buffer = vec![0; MAX_DATA];
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = io::retry_on_intr(|| io::read(&file, &mut buffer[..most])).map_err(wrong)?;
        if count == 0 {
            break;
        }
        caller.stream.give(1, &buffer[..count])?;
        left -= count as u64;
    }
    caller.stream.end(1);
    Ok(())
}

/// Describes one path.
pub fn stat(caller: &Caller<'_>, asked: &proto::Stat) -> Result<(), Stop> {
    let info = caller.info(&caller.path(&asked.path)?)?;
    Ok(caller.stream.say(reply::Of::File(info))?)
}

/// Describes what is in a directory. What may not be entered is listed but not entered; links are not followed.
pub fn list(caller: &Caller<'_>, asked: &proto::List) -> Result<(), Stop> {
    let path = caller.path(&asked.path)?;
    let depth = asked.depth.clamp(1, MAX_DEPTH) as usize;
    let mut open: Vec<ReadDir> = vec![std::fs::read_dir(&path).map_err(|error| failed("list", &path, error))?];
    let (mut batch, mut size, mut count) = (Vec::new(), 0, 0);
    while let Some(folder) = open.last_mut() {
        let Some(entry) = folder.next() else {
            open.pop();
            continue;
        };
        let entry = entry.map_err(|error| failed("list", &path, error))?;
        let inside = entry.path();
        // It may be gone since, or be in a place whose entries only have names for this user.
        let Ok(info) = caller.info(&inside) else { continue };
        count += 1;
        if count > MAX_ENTRIES {
            return Err(
                fail(Code::TooMany, format!("list {}: more than {MAX_ENTRIES} entries; list a part of it", shown(&asked.path))).into()
            );
        }
        if info.kind() == Kind::Directory
            && open.len() < depth
            && let Ok(deeper) = std::fs::read_dir(&inside)
        {
            open.push(deeper);
        }
        size += info.encoded_len();
        batch.push(info);
        if size >= BATCH {
            size = 0;
            caller.stream.say(reply::Of::Files(Files { files: std::mem::take(&mut batch) }))?;
        }
    }
    Ok(caller.stream.say(reply::Of::Files(Files { files: batch }))?)
}

/// Makes a directory and those above it.
pub fn make_directory(caller: &Caller<'_>, asked: &proto::MakeDirectory) -> Result<(), Stop> {
    let path = caller.path(&asked.path)?;
    let made = caller.make_directories(&path)?;
    Ok(caller.stream.say(done(!made.is_empty()))?)
}

/// Gives a path another name; replaces what is there as rename(2) does.
pub fn rename(caller: &Caller<'_>, asked: &proto::Rename) -> Result<(), Stop> {
    let (from, to) = (caller.path(&asked.from)?, caller.path(&asked.to)?);
    rustix::fs::rename(&from, &to)
        .map_err(|error| Failure::system(format_args!("rename {} to {}", shown(&asked.from), shown(&asked.to)), error))?;
    Ok(caller.stream.say(reply::Of::File(caller.info(&to)?))?)
}

/// Removes a path and all below it.
pub fn remove(caller: &Caller<'_>, asked: &proto::Remove) -> Result<(), Stop> {
    let path = caller.path(&asked.path)?;
    tree::remove(&path).map_err(|error| failed("remove", &path, error))?;
    Ok(caller.stream.say(done(true))?)
}

/// The answer that says nothing more.
pub fn done(changed: bool) -> reply::Of {
    reply::Of::Done(Done { changed })
}
