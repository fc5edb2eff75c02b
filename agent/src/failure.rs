//! What could not be done, as the host is told.

use crate::proto::failed::Code;
use crate::proto::{Failed, reply};
use std::io;

/// A code and one line for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub code: Code,
    /// One line, naming the thing.
    pub message: String,
}

/// Longest message, bytes; names in it can be long.
const MAX_LINE: usize = 1024;

/// A failure with a code of our choosing.
pub fn fail(code: Code, message: impl Into<String>) -> Failure {
    Failure { code, message: message.into() }
}

impl Failure {
    /// A failed system call; `what` names the thing, e.g. `read "/etc/shadow"`.
    pub fn system(what: impl std::fmt::Display, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let errno = error.raw_os_error().unwrap_or(0);
        Self { code: code_of(errno), message: format!("{what}: {}", text(errno, &error)) }
    }

    /// As the host is told.
    pub fn reply(self) -> reply::Of {
        let mut message = self.message;
        if message.len() > MAX_LINE {
            let cut = (0..=MAX_LINE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(cut);
        }
        reply::Of::Failed(Failed { code: self.code.into(), message })
    }
}

fn code_of(errno: i32) -> Code {
    match errno {
        libc::ENOENT => Code::NotFound,
        libc::EACCES | libc::EPERM | libc::EROFS => Code::Denied,
        libc::EEXIST | libc::ENOTEMPTY => Code::Exists,
        libc::ENOTDIR => Code::NotADirectory,
        libc::EISDIR => Code::IsADirectory,
        libc::ENOSPC | libc::EDQUOT => Code::DiskFull,
        libc::ENAMETOOLONG | libc::ELOOP | libc::EINVAL | libc::EXDEV => Code::Invalid,
        libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM => Code::TooMany,
        libc::ECONNREFUSED => Code::ConnectionRefused,
        _ => Code::Other,
    }
}

fn text(errno: i32, error: &io::Error) -> String {
    let text = error.to_string();
    // std adds " (os error 2)"; the host has the code already.
    match text.find(" (os error ") {
        Some(at) if errno != 0 => text[..at].to_owned(),
        _ => text,
    }
}

/// Bytes of a path, for a person.
pub fn shown(path: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(path))
}
