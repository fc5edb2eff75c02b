//! Watching a directory with inotify. When the host takes no events the kernel's bounded queue fills up and says so, so nothing grows here.

use crate::calls::Stop;
use crate::failure::{Failure, fail, shown};
use crate::files::{Caller, done, failed};
use crate::proto::failed::Code;
use crate::proto::file_event::Kind;
use crate::proto::{self, FileEvent, reply};
use crate::write::{NEW, REPLACED};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Most directories watched for one caller.
const MAX_FOLDERS: usize = 4096;
/// Bytes of events taken at a time.
const BUFFER: usize = 16 * 1024;

/// Tells the host what changes until it has heard enough.
pub fn watch(caller: &Caller<'_>, asked: &proto::Watch) -> Result<(), Stop> {
    let root = caller.path(&asked.path)?;
    let wrong = |error: Errno| failed("watch", &root, error);
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(wrong)?;
    let farewell = caller.stream.farewell().map_err(wrong)?;
    let mut watching = Watching { inotify: &inotify, root: &root, recursive: asked.recursive, folders: HashMap::new(), ours: None };
    watching.add(Path::new("")).map_err(|error| match error {
        Errno::NOSPC => fail(Code::TooMany, format!("watch {}: no more watches, of {MAX_FOLDERS} for each call", shown(&asked.path))),
        error => wrong(error),
    })?;
    caller.stream.say(done(true))?;
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
    loop {
        let mut waiting = [PollFd::new(&inotify, PollFlags::IN), PollFd::new(&*farewell, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(wrong(error).into()),
        }
        if !waiting[1].revents().is_empty() {
            return Ok(());
        }
        let mut events = Reader::new(&inotify, &mut buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(wrong(error).into()),
            };
            let seen = Seen {
                wd: event.wd(),
                flags: event.events(),
                cookie: event.cookie(),
                name: event.file_name().map(|name| name.to_bytes().to_vec()),
            };
            let (found, over) = watching.translate(&seen)?;
            for (kind, path) in found {
                caller.stream.say(reply::Of::Event(FileEvent { kind: kind.into(), path: path.into_os_string().as_bytes().to_vec() }))?;
            }
            if over {
                return Ok(());
            }
        }
    }
}

/// One event of the kernel.
struct Seen {
    wd: i32,
    flags: ReadFlags,
    cookie: u32,
    name: Option<Vec<u8>>,
}

struct Watching<'a> {
    inotify: &'a OwnedFd,
    root: &'a Path,
    recursive: bool,
    /// Watched directories, relative to the root.
    folders: HashMap<i32, PathBuf>,
    /// A temporary file of a write of ours that is just being renamed: its cookie, and whether the target is new.
    ours: Option<(u32, bool)>,
}

type Found = Vec<(Kind, PathBuf)>;

impl Watching<'_> {
    /// Watches a directory and, if asked to, those below it; returns what must have happened in them before.
    fn add(&mut self, start: &Path) -> Result<Found, Errno> {
        let mask = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        let mut found = Vec::new();
        let mut next = vec![start.to_owned()];
        while let Some(folder) = next.pop() {
            let is_root = folder.as_os_str().is_empty();
            let path = if is_root { self.root.to_owned() } else { self.root.join(&folder) };
            if self.folders.len() >= MAX_FOLDERS {
                return Err(Errno::NOSPC);
            }
            let flags = if is_root { mask } else { mask | WatchFlags::DONT_FOLLOW | WatchFlags::ONLYDIR };
            match inotify::add_watch(self.inotify, &path, flags) {
                Ok(wd) => drop(self.folders.insert(wd, folder.clone())),
                Err(Errno::NOSPC) => return Err(Errno::NOSPC),
                Err(error) if is_root => return Err(error),
                // Gone again, or not this user's to see.
                Err(_) => continue,
            }
            if !self.recursive {
                continue;
            }
            let Ok(entries) = std::fs::read_dir(&path) else { continue };
            for entry in entries.flatten() {
                let inside = folder.join(entry.file_name());
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    next.push(inside.clone());
                }
                if is_root || found.len() >= MAX_FOLDERS || draft(entry.file_name().as_bytes()).is_some() {
                    continue;
                }
                found.push((Kind::Created, inside.clone()));
                if entry.metadata().is_ok_and(|stat| stat.is_file() && stat.len() > 0) {
                    found.push((Kind::Written, inside));
                }
            }
        }
        Ok(found)
    }

    /// What an event means to the host, and whether it is the last.
    fn translate(&mut self, seen: &Seen) -> Result<(Found, bool), Failure> {
        let flags = seen.flags;
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            return Ok((vec![(Kind::Overflow, PathBuf::new())], false));
        }
        let Some(folder) = self.folders.get(&seen.wd).cloned() else { return Ok((Vec::new(), false)) };
        let is_root = folder.as_os_str().is_empty();
        if flags.contains(ReadFlags::IGNORED) {
            self.folders.remove(&seen.wd);
            return Ok((Vec::new(), is_root));
        }
        let Some(name) = seen.name.as_deref().filter(|name| !name.is_empty()) else {
            // About the watched thing itself. Of a directory below, its parent tells.
            return Ok((if is_root { itself(flags) } else { Vec::new() }, false));
        };
        if let Some(new) = draft(name) {
            if flags.contains(ReadFlags::MOVED_FROM) {
                self.ours = Some((seen.cookie, new));
            }
            return Ok((Vec::new(), false));
        }
        Ok((self.inside(seen, folder.join(std::ffi::OsStr::from_bytes(name))), false))
    }

    fn inside(&mut self, seen: &Seen, path: PathBuf) -> Found {
        let flags = seen.flags;
        let is_folder = flags.contains(ReadFlags::ISDIR);
        let mut found = Vec::new();
        if flags.contains(ReadFlags::MOVED_TO)
            && let Some((cookie, new)) = self.ours.take()
            && cookie == seen.cookie
        {
            if new {
                // Whoever makes a file in its place gives it its owner and mode there; these two came with it.
                found.push((Kind::Created, path.clone()));
                found.push((Kind::Attributes, path.clone()));
            }
            found.push((Kind::Written, path));
        } else if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            found.push((Kind::Created, path.clone()));
            if is_folder && self.recursive {
                match self.add(&path) {
                    Ok(inside) => found.extend(inside),
                    Err(_) => found.push((Kind::Overflow, path)),
                }
            }
        } else if flags.contains(ReadFlags::MODIFY) {
            found.push((Kind::Written, path));
        } else if flags.contains(ReadFlags::DELETE) {
            found.push((Kind::Removed, path));
        } else if flags.contains(ReadFlags::MOVED_FROM) {
            if is_folder {
                self.leave(&path);
            }
            found.push((Kind::Renamed, path));
        } else if flags.contains(ReadFlags::ATTRIB) {
            found.push((Kind::Attributes, path));
        }
        found
    }

    /// A directory has moved away with all in it.
    fn leave(&mut self, path: &Path) {
        let inotify = self.inotify;
        self.folders.retain(|wd, folder| {
            let gone = folder.starts_with(path);
            if gone {
                // It can only fail when the directory has been removed since.
                let _ = inotify::remove_watch(inotify, *wd);
            }
            !gone
        });
    }
}

fn itself(flags: ReadFlags) -> Found {
    let kind = if flags.contains(ReadFlags::DELETE_SELF) {
        Kind::Removed
    } else if flags.contains(ReadFlags::MOVE_SELF) {
        Kind::Renamed
    } else if flags.contains(ReadFlags::MODIFY) {
        Kind::Written
    } else {
        Kind::Attributes
    };
    vec![(kind, PathBuf::new())]
}

/// Is this the name of a temporary file of ours, and is its target new?
fn draft(name: &[u8]) -> Option<bool> {
    if name.starts_with(NEW.as_bytes()) {
        return Some(true);
    }
    name.starts_with(REPLACED.as_bytes()).then_some(false)
}
