//! Directories made and removed as a whole. Trees are of the guest's making and may be deeper than any stack, so nothing here recurses.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdir, openat, renameat, rmdir, unlink, unlinkat};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Deepest level held open; what lies deeper is moved up first.
const MAX_OPEN: usize = 32;
/// Subdirectories remembered of one directory at a time.
const MAX_NAMES: usize = 1024;
/// Rounds over one directory before it is taken for one that somebody keeps filling.
const MAX_ROUNDS: u32 = 100_000;
const DIRECTORY_MODE: u32 = 0o755;

/// Makes a directory and those above it; returns what was made, outermost first.
pub fn make_directories(path: &Path) -> Result<Vec<PathBuf>, Errno> {
    match mkdir(path, Mode::from_raw_mode(DIRECTORY_MODE)) {
        Ok(()) => return Ok(vec![path.to_owned()]),
        Err(Errno::NOENT) => {}
        Err(error) => return existing(path, error).map(|()| Vec::new()),
    }
    let mut made = Vec::new();
    let mut so_far = PathBuf::new();
    for part in path.components() {
        so_far.push(part);
        let result = match mkdir(&so_far, Mode::from_raw_mode(DIRECTORY_MODE)) {
            Ok(()) => {
                made.push(so_far.clone());
                Ok(())
            }
            Err(error) => existing(&so_far, error),
        };
        if let Err(error) = result {
            undo(&made);
            return Err(error);
        }
    }
    Ok(made)
}

/// Removes directories that were made for nothing, as far as they are empty.
pub fn undo(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        if rmdir(folder).is_err() {
            break;
        }
    }
}

fn existing(path: &Path, error: Errno) -> Result<(), Errno> {
    match rustix::fs::stat(path) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(()),
        _ => Err(error),
    }
}

/// Removes a file, or a directory with all in it. Links are removed, not followed.
pub fn remove(path: &Path) -> Result<(), Errno> {
    let stat = rustix::fs::lstat(path)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return unlink(path);
    }
    let top = openat(rustix::fs::CWD, path, DIRECTORY, Mode::empty())?;
    empty(top)?;
    rmdir(path)
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Level {
    folder: OwnedFd,
    /// Its name in the level above.
    name: CString,
    /// Directories found in it that are still to be removed.
    inside: Vec<CString>,
    rounds: u32,
}

impl Level {
    fn new(folder: OwnedFd, name: CString) -> Self {
        Self { folder, name, inside: Vec::new(), rounds: 0 }
    }
}

fn empty(top: OwnedFd) -> Result<(), Errno> {
    let mut levels = vec![Level::new(top, CString::default())];
    let mut moved = 0u64;
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else { return Ok(()) };
        if let Some(name) = level.inside.pop() {
            if depth < MAX_OPEN {
                let folder = openat(&level.folder, &name, DIRECTORY, Mode::empty())?;
                levels.push(Level::new(folder, name));
            } else {
                moved += 1;
                let place = format!(".caisson-remove-{}-{moved}", std::process::id());
                renameat(&levels[depth - 1].folder, &name, &levels[0].folder, OsStr::from_bytes(place.as_bytes()))?;
            }
            continue;
        }
        level.rounds += 1;
        if level.rounds > MAX_ROUNDS {
            return Err(Errno::NOTEMPTY);
        }
        level.inside = remove_files(&level.folder)?;
        if level.inside.is_empty() {
            let Some(emptied) = levels.pop() else { return Ok(()) };
            match levels.last() {
                Some(above) => unlinkat(&above.folder, &emptied.name, AtFlags::REMOVEDIR)?,
                None => return Ok(()),
            }
        }
    }
}

/// Removes all but directories, and returns some of those.
fn remove_files(folder: impl AsFd) -> Result<Vec<CString>, Errno> {
    let folder = folder.as_fd();
    let mut inside = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is_folder = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => {
                FileType::from_raw_mode(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) == FileType::Directory
            }
            _ => false,
        };
        if !is_folder {
            match unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error),
            }
        } else if inside.len() < MAX_NAMES {
            inside.push(name.to_owned());
        }
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_trees_deeper_than_any_path() {
        let top = std::env::temp_dir().join(format!("caisson-tree-{}", std::process::id()));
        let outside = top.with_extension("outside");
        make_directories(&top).expect("a directory in /tmp");
        std::fs::write(&outside, "stays").expect("a file in /tmp");
        let mut folder = openat(rustix::fs::CWD, &top, DIRECTORY, Mode::empty()).expect("the directory just made");
        for level in 0..3000 {
            rustix::fs::mkdirat(&folder, "deep", Mode::from_raw_mode(0o755)).expect("mkdirat");
            if level % 100 == 0 {
                rustix::fs::symlinkat(&outside, &folder, "link").expect("symlinkat");
            }
            folder = openat(&folder, "deep", DIRECTORY, Mode::empty()).expect("openat");
        }
        remove(&top).expect("removed");
        assert!(!top.exists());
        assert_eq!(std::fs::read(&outside).expect("what a link pointed to"), b"stays");
        remove(&outside).expect("removed");
    }

    #[test]
    fn makes_what_is_missing_and_nothing_else() {
        let top = std::env::temp_dir().join(format!("caisson-make-{}", std::process::id()));
        let path = top.join("a/b/c");
        assert_eq!(make_directories(&path).expect("made").len(), 4);
        assert_eq!(make_directories(&path).expect("there").len(), 0);
        std::fs::write(top.join("file"), "").expect("a file");
        assert_eq!(make_directories(&top.join("file/x")), Err(Errno::NOTDIR));
        assert_eq!(make_directories(&top.join("new/x/y/z")).expect("made").len(), 4);
        remove(&top).expect("removed");
    }
}
