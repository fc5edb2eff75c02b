//! Files that a sandbox has before anything of its user's runs.
//!
//! They are written on the agent's one thread: until they are there it has nothing else to do. When a sandbox is adopted again its own root may have made
//! them something that blocks, such as a file system that never answers; then the agent is silent, the host gives it up, and nobody else is harmed.

use crate::failure::{Failure, fail, shown};
use crate::files::failed;
use crate::proto::SeedFile;
use crate::proto::failed::Code;
use crate::proto::seed_file::Kind;
use crate::tree;
use crate::write::{DEFAULT_MODE, Draft};
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Most files of one adoption.
const MAX_FILES: usize = 16;
/// Most bytes in all of them.
const MAX_CONTENT: usize = 768 * 1024;
/// Linux's own limit, with its zero byte.
const MAX_PATH: usize = 4096;

/// Refuses what must not be asked for; nothing has been written then.
pub fn check(files: &[SeedFile]) -> Result<(), Failure> {
    if files.len() > MAX_FILES {
        return Err(fail(Code::Invalid, format!("{} files to begin with: at most {MAX_FILES}", files.len())));
    }
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    if bytes > MAX_CONTENT {
        return Err(fail(Code::Invalid, format!("files of {bytes} bytes to begin with: at most {MAX_CONTENT}")));
    }
    for file in files {
        let path = place(file);
        let is_path = path.is_absolute() && path.file_name().is_some() && !file.path.contains(&0) && file.path.len() < MAX_PATH;
        if !is_path || file.mode > 0o777 || Kind::try_from(file.kind).is_err() {
            let message = format!("file {} to begin with: no absolute path, a mode beyond 0777, or an unknown kind", shown(&file.path));
            return Err(fail(Code::Invalid, message));
        }
    }
    Ok(())
}

/// Brings about what each file asks for, one after the other.
pub fn plant(files: &[SeedFile]) -> Result<(), Failure> {
    files.iter().try_for_each(|file| match file.kind() {
        Kind::Replace => replace(place(file), file),
        Kind::AppendIfExists => append(place(file), &file.content),
    })
}

fn place(file: &SeedFile) -> &Path {
    Path::new(OsStr::from_bytes(&file.path))
}

fn replace(path: &Path, file: &SeedFile) -> Result<(), Failure> {
    if is_so(path, file) == Ok(true) {
        return Ok(());
    }
    let wrong = |error: Errno| failed("write", path, error);
    let make = |folder: &Path| tree::make_directories(folder).map_err(|error| failed("make directory", folder, error));
    let (fresh, mut draft) = match Draft::beside(path, true, make) {
        // The directory is read-only; the file may not be.
        Err(denied) if denied.code == Code::Denied => return write_over(path, file).map_err(|_| denied),
        other => other?,
    };
    fill(fresh, file).map_err(wrong)?;
    match draft.take_place(path) {
        Err(Errno::BUSY) => write_over(path, file).map_err(wrong),
        // Whoever mounts single files leaves an empty directory where there was none.
        Err(Errno::ISDIR) => rustix::fs::rmdir(path).and_then(|()| draft.take_place(path)).map_err(wrong),
        other => other.map_err(wrong),
    }
}

/// To look is much less than to write.
fn is_so(path: &Path, file: &SeedFile) -> Result<bool, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let there = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&there)?;
    let is_plain = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1;
    let is_ours = stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o7777 == mode_of(file);
    if !is_plain || !is_ours || stat.st_size as usize != file.content.len() {
        return Ok(false);
    }
    let mut content = vec![0; file.content.len()];
    File::from(there).read_exact_at(&mut content, 0).map_err(errno)?;
    Ok(content == file.content)
}

fn mode_of(file: &SeedFile) -> u32 {
    if file.mode == 0 { DEFAULT_MODE } else { file.mode }
}

/// Writes a file that must stay the one it is.
fn write_over(path: &Path, file: &SeedFile) -> Result<(), Errno> {
    let there =
        rustix::fs::open(path, OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    if size(&there)?.is_none() {
        return Err(Errno::INVAL);
    }
    rustix::fs::ftruncate(&there, 0)?;
    fill(there, file)
}

fn fill(empty: OwnedFd, file: &SeedFile) -> Result<(), Errno> {
    rustix::fs::fchmod(&empty, Mode::from_raw_mode(mode_of(file)))?;
    File::from(empty).write_all(&file.content).map_err(errno)
}

fn append(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let wrong = |error: Errno| failed("append to", path, error);
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other.map_err(wrong)?,
    };
    let Some(size) = size(&file).map_err(wrong)? else {
        return Err(fail(Code::Invalid, format!("append to {}: not a regular file", shown(path.as_os_str().as_bytes()))));
    };
    let file = File::from(file);
    // Not all of the file: in gVisor that would cost more than everything else here.
    let mut end = vec![0; size.min(content.len() as u64 + 1) as usize];
    let from = size - end.len() as u64;
    file.read_exact_at(&mut end, from).map_err(|error| wrong(errno(error)))?;
    if end == content || end.strip_prefix(b"\n") == Some(content) {
        return Ok(());
    }
    let line_is_open = end.last().is_some_and(|last| *last != b'\n');
    let more = if line_is_open { [b"\n", content].concat() } else { content.to_vec() };
    (&file).write_all(&more).map_err(|error| {
        // Half a certificate would spoil the others.
        let _ = rustix::fs::ftruncate(&file, size);
        wrong(errno(error))
    })
}

/// Bytes of a regular file; nothing of any other.
fn size(file: &OwnedFd) -> Result<Option<u64>, Errno> {
    let stat = rustix::fs::fstat(file)?;
    // Lossless: no file has a negative size.
    Ok((FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some(stat.st_size as u64))
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
