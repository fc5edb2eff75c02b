//! What a caller keeps with a file: names and values, as extended attributes of the file's own.

use crate::failure::{Failure, fail};
use crate::proto::failed::Code;
use rustix::fd::AsFd;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// How the attributes' names begin: short, because Linux allows 255 bytes in all.
const PREFIX: &str = "user.csn.";
/// How programs for E2B's sandboxes begin theirs; such attributes are read, and taken away, like ours. Of two of one name ours counts.
const E2B_PREFIX: &str = "user.e2b.";
/// Longest name of a caller, bytes.
const MAX_NAME: usize = 246;
/// Names and values together, bytes.
const MAX_BYTES: usize = 4096;
/// Linux's own limit of a list of names.
const MAX_LIST: usize = 64 << 10;

type Set = BTreeMap<String, String>;

/// Refuses what cannot be kept.
pub fn check(set: &Set) -> Result<(), Failure> {
    let mut sum = 0;
    for (name, value) in set {
        if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
            return Err(fail(Code::Invalid, format!("metadata: a name has 1 to {MAX_NAME} bytes and no zero byte")));
        }
        sum += name.len() + value.len();
    }
    if sum > MAX_BYTES {
        return Err(fail(Code::Invalid, format!("metadata: at most {MAX_BYTES} bytes in all")));
    }
    Ok(())
}

/// Gives a file this set in place of the one it has.
pub fn replace(file: impl AsFd, set: &Set) -> Result<(), Errno> {
    let file = file.as_fd();
    let mut list = vec![0; MAX_LIST];
    let length = match rustix::fs::flistxattr(file, &mut list) {
        Ok(length) => length,
        // Nothing of the kind here: an empty set is there already.
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error),
    };
    for name in names(&list[..length]) {
        rustix::fs::fremovexattr(file, name)?;
    }
    for (name, value) in set {
        rustix::fs::fsetxattr(file, format!("{PREFIX}{name}"), value.as_bytes(), XattrFlags::empty())?;
    }
    Ok(())
}

/// Those of a kernel's list that hold metadata.
fn names(list: &[u8]) -> impl Iterator<Item = &str> {
    list.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()).filter(|name| own(name).is_some_and(|own| !own.is_empty()))
}

/// The caller's part of an attribute's name.
fn own(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(E2B_PREFIX))
}

/// The set of a file, not of what it links to; empty when there is none, or none that a caller of ours could have made.
pub fn read(path: &Path) -> Set {
    let mut set = Set::new();
    let mut small = [0; 512];
    let mut large = Vec::new();
    let list = match rustix::fs::llistxattr(path, &mut small) {
        Ok(length) => &small[..length],
        Err(Errno::RANGE) => {
            large.resize(MAX_LIST, 0);
            match rustix::fs::llistxattr(path, &mut large[..]) {
                Ok(length) => &large[..length],
                Err(_) => return set,
            }
        }
        Err(_) => return set,
    };
    let mut value = vec![0; if list.is_empty() { 0 } else { MAX_BYTES }];
    let mut left = MAX_BYTES;
    for name in names(list) {
        let Ok(length) = rustix::fs::lgetxattr(path, name, &mut value[..]) else { continue };
        let Ok(text) = std::str::from_utf8(&value[..length]) else { continue };
        let Some(own) = own(name).filter(|own| name.starts_with(PREFIX) || !set.contains_key(*own)) else { continue };
        if own.len() + length > left {
            break;
        }
        left -= own.len() + length;
        set.insert(own.to_owned(), text.to_owned());
    }
    set
}
