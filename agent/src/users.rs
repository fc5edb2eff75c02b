//! Users and groups as `/etc/passwd` and `/etc/group` of the sandbox have them. Parsed here: a static program must not load NSS modules.

use crate::failure::{Failure, fail};
use crate::proto::failed::Code;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use std::io::Read;
use std::sync::Arc;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// Longest file looked at; what lies behind it is not seen. Root inside the sandbox may write anything there.
const MAX_FILE: u64 = 1 << 20;
/// Most supplementary groups given to a process.
const MAX_GROUPS: usize = 256;

/// One line of passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name; the number again when passwd has no line for it.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory, never empty.
    pub home: Vec<u8>,
    /// Login shell, never empty.
    pub shell: Vec<u8>,
    /// Supplementary groups, the primary one among them.
    pub groups: Vec<u32>,
}

/// Both files as they were when read.
pub struct Accounts {
    passwd: Vec<u8>,
    group: Vec<u8>,
}

impl Accounts {
    /// Reads both files; one that is missing, unreadable or no regular file counts as empty.
    pub fn load() -> Self {
        Self { passwd: read(PASSWD), group: read(GROUP) }
    }

    /// Looks up a login name, or a number. A number without a line is a user of that id with the group of the same id.
    pub fn find(&self, name: &str) -> Result<User, Failure> {
        let number = name.parse::<u32>().ok();
        for line in lines(&self.passwd) {
            if let Some(user) = self.parse(&line)
                && (user.name == name || number == Some(user.uid))
            {
                return Ok(user);
            }
        }
        match number {
            Some(0) => Ok(plain("root", 0, b"/root")),
            Some(id) if id != u32::MAX => Ok(plain(name, id, b"/")),
            _ if name == "root" => Ok(plain("root", 0, b"/root")),
            _ => Err(fail(Code::UserNotFound, format!("no user {name:?} in {PASSWD}"))),
        }
    }

    /// Name of a user id, else the number.
    pub fn user_name(&self, uid: u32) -> String {
        name_of(&self.passwd, uid)
    }

    /// Name of a group id, else the number.
    pub fn group_name(&self, gid: u32) -> String {
        name_of(&self.group, gid)
    }

    fn parse(&self, line: &[&[u8]]) -> Option<User> {
        let [name, _, uid, gid, _, home, shell] = line else { return None };
        let name = std::str::from_utf8(name).ok()?.to_owned();
        let gid = number(gid)?;
        let or = |given: &[u8], other: &[u8]| if given.is_empty() { other.to_vec() } else { given.to_vec() };
        Some(User { uid: number(uid)?, gid, home: or(home, b"/"), shell: or(shell, b"/bin/sh"), groups: self.groups_of(&name, gid), name })
    }

    fn groups_of(&self, user: &str, primary: u32) -> Vec<u32> {
        let mut groups = vec![primary];
        for line in lines(&self.group) {
            if let [_, _, gid, members] = line.as_slice()
                && members.split(|byte| *byte == b',').any(|member| member == user.as_bytes())
                && let Some(gid) = number(gid)
                && !groups.contains(&gid)
                && groups.len() < MAX_GROUPS
            {
                groups.push(gid);
            }
        }
        groups
    }
}

fn plain(name: &str, id: u32, home: &[u8]) -> User {
    User { name: name.to_owned(), uid: id, gid: id, home: home.to_vec(), shell: b"/bin/sh".to_vec(), groups: vec![id] }
}

fn name_of(file: &[u8], id: u32) -> String {
    lines(file)
        .find(|line| line.get(2).copied().and_then(number) == Some(id))
        .and_then(|line| line.first().map(|name| String::from_utf8_lossy(name).into_owned()))
        .unwrap_or_else(|| id.to_string())
}

fn lines(file: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| line.split(|byte| *byte == b':').collect())
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The first bytes of a regular file. Never waits: root inside may have put a FIFO there.
fn read(path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
        && let Ok(stat) = fstat(&file)
        && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
    {
        // One byte more, so that its end is seen by the first read.
        bytes.reserve_exact((stat.st_size as u64).min(MAX_FILE) as usize + 1);
        if std::fs::File::from(file).take(MAX_FILE).read_to_end(&mut bytes).is_err() {
            bytes.clear();
        }
    }
    bytes
}

/// Which version of a file it is; nothing when there is none.
type Version = Option<(u64, u64, i64, i64, i64)>;

fn version(path: &str) -> Version {
    let stat = rustix::fs::stat(path).ok()?;
    Some((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec as i64))
}

/// The accounts, read again only when one of the files has changed: to look costs less than to read.
#[derive(Default)]
pub struct Register {
    known: Option<(Version, Version, Arc<Accounts>)>,
}

impl Register {
    /// The accounts as they are now.
    pub fn accounts(&mut self) -> Arc<Accounts> {
        let (passwd, group) = (version(PASSWD), version(GROUP));
        match &self.known {
            Some((old_passwd, old_group, accounts)) if (*old_passwd, *old_group) == (passwd, group) => Arc::clone(accounts),
            _ => {
                let accounts = Arc::new(Accounts::load());
                self.known = Some((passwd, group, Arc::clone(&accounts)));
                accounts
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: b"root:x:0:0:root:/root:/bin/bash\nbroken line\nuser:x:1000:1000:,,,:/home/user:\nbad:x:no:1::/:/bin/sh\n\nlast:x:7:8::/l:/s".to_vec(),
            group: b"root:x:0:\nsudo:x:27:user,other\nuser:x:1000:\ndocker:x:99:other,user\nlike:x:98:users".to_vec(),
        }
    }

    #[test]
    fn finds_by_name_and_number() {
        let found = accounts().find("user").expect("a user of the file");
        assert_eq!(
            (found.uid, found.gid, found.home.as_slice(), found.shell.as_slice()),
            (1000, 1000, &b"/home/user"[..], &b"/bin/sh"[..])
        );
        assert_eq!(found.groups, [1000, 27, 99]);
        assert_eq!(accounts().find("1000").expect("the same by number"), found);
        assert_eq!(accounts().find("last").expect("a last line without newline").uid, 7);
    }

    #[test]
    fn knows_who_is_nobody() {
        assert!(accounts().find("bad").is_err());
        assert!(accounts().find("nobody").is_err());
        assert!(accounts().find("").is_err());
        assert!(accounts().find("4294967295").is_err(), "-1 means unchanged to the kernel");
        let number = accounts().find("4242").expect("a bare number");
        assert_eq!((number.uid, number.gid, number.groups), (4242, 4242, vec![4242]));
    }

    #[test]
    fn root_needs_no_file() {
        let none = Accounts { passwd: Vec::new(), group: Vec::new() };
        assert_eq!(none.find("root").expect("root").uid, 0);
        assert_eq!(none.find("0").expect("root").home, b"/root");
    }

    #[test]
    fn names_ids_or_leaves_them_numbers() {
        assert_eq!(accounts().user_name(1000), "user");
        assert_eq!(accounts().group_name(27), "sudo");
        assert_eq!(accounts().user_name(5), "5");
    }
}
