//! File calls, watching, and ports.
#![allow(clippy::unwrap_used)]

mod host;

use caisson_agent::frame::Frame;
use caisson_agent::proto::failed::Code;
use caisson_agent::proto::file_event::Kind as EventKind;
use caisson_agent::proto::file_info::Kind;
use caisson_agent::proto::{self, Dial, FileInfo, List, MakeDirectory, Metrics, Read, Remove, Rename, Stat, Watch, Write, reply, request};
use host::{Got, Host, PATIENCE, eventually};
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

fn write(host: &mut Host, path: &Path, user: &str, mode: u32, content: &[u8]) -> reply::Of {
    let stream = host.open(request::Of::Write(Write { path: bytes(path), user: user.to_owned(), mode, ..Default::default() }));
    host.feed(stream, content);
    let reply = host.reply(stream);
    assert_eq!(host.next(stream), Got::Close);
    host.close(stream);
    reply
}

fn file(reply: reply::Of) -> FileInfo {
    match reply {
        reply::Of::File(info) => info,
        other => panic!("{other:?} instead of a file"),
    }
}

fn code(reply: reply::Of) -> Code {
    match reply {
        reply::Of::Failed(failed) => failed.code(),
        other => panic!("{other:?} instead of a failure"),
    }
}

fn read(host: &mut Host, path: &Path, user: &str, offset: u64, length: u64) -> Result<(FileInfo, Vec<u8>), Code> {
    let stream = host.open(request::Of::Read(Read { path: bytes(path), user: user.to_owned(), offset, length, ..Default::default() }));
    let info = match host.next(stream) {
        Got::Reply(reply::Of::File(info)) => info,
        Got::Reply(other) => return Err(code(other)),
        other => panic!("{other:?}"),
    };
    let mut content = Vec::new();
    loop {
        match host.next(stream) {
            Got::Data(1, bytes) => content.extend(bytes),
            Got::End(1) => {}
            Got::Close => return Ok((info, content)),
            other => panic!("{other:?}"),
        }
    }
}

fn list(host: &mut Host, path: &Path, user: &str, depth: u32) -> Result<Vec<FileInfo>, Code> {
    let stream = host.open(request::Of::List(List { path: bytes(path), user: user.to_owned(), depth, ..Default::default() }));
    let mut all = Vec::new();
    loop {
        match host.next(stream) {
            Got::Reply(reply::Of::Files(files)) => all.extend(files.files),
            Got::Reply(other) => return Err(code(other)),
            Got::Close => return Ok(all),
            other => panic!("{other:?}"),
        }
    }
}

fn open_to_all(folder: &Path) -> PathBuf {
    let inside = folder.join("open");
    std::fs::create_dir(&inside).unwrap();
    std::fs::set_permissions(&inside, PermissionsExt::from_mode(0o777)).unwrap();
    inside
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_is_written_is_read_with_any_name_and_any_bytes() {
    let mut host = Host::start();
    let path = host.folder.join("new/deeper").join(OsStr::from_bytes(b"not \xff utf-8 \n"));
    let content: Vec<u8> = (0..1_500_000u32).map(|n| ((n * 7) >> 5) as u8).collect();
    let info = file(write(&mut host, &path, "", 0, &content));
    assert_eq!((info.size, info.mode, info.kind(), info.owner.as_str()), (1_500_000, 0o644, Kind::File, "root"));
    assert_eq!((info.path, info.name), (bytes(&path), b"not \xff utf-8 \n".to_vec()));
    let (info, back) = read(&mut host, &path, "", 0, 0).unwrap();
    assert!(back == content && info.size == 1_500_000 && info.modified_nanos > 0);
    assert_eq!(read(&mut host, &path, "", 1_000_000, 7).unwrap().1, content[1_000_000..1_000_007]);
    assert_eq!(read(&mut host, &path, "", 9_000_000, 0).unwrap().1, b"");
    assert_eq!(names(path.parent().unwrap()).len(), 1, "no temporary file is left");
}

#[test]
fn calls_have_the_rights_of_their_user_and_no_more() {
    let mut host = Host::start();
    let open = open_to_all(&host.folder);
    let info = file(write(&mut host, &open.join("a/b/c.txt"), "nobody", 0o600, b"mine"));
    assert_eq!((info.owner.as_str(), info.group.as_str(), info.mode), ("nobody", "nogroup", 0o600));
    assert_eq!(std::fs::metadata(open.join("a")).unwrap().uid(), 65_534, "missing parents are the user's too");
    let (secret, elsewhere) = (host.folder.join("secret"), host.folder.join("other"));
    std::fs::write(&secret, "root's").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(read(&mut host, &secret, "nobody", 0, 0).unwrap_err(), Code::Denied);
    assert_eq!(code(write(&mut host, &secret, "nobody", 0, b"x")), Code::Denied);
    assert_eq!(code(write(&mut host, &elsewhere, "nobody", 0, b"x")), Code::Denied);
    let remove = |path: &Path, user: &str| request::Of::Remove(Remove { path: bytes(path), user: user.to_owned(), ..Default::default() });
    assert_eq!(host.ask_for_failure(remove(&secret, "nobody")).0, Code::Denied);
    assert_eq!(std::fs::read(&secret).unwrap(), b"root's");
    assert_eq!(read(&mut host, &secret, "root", 0, 0).unwrap().1, b"root's", "the agent itself has lost nothing");
    assert_eq!(read(&mut host, &secret, "who", 0, 0).unwrap_err(), Code::UserNotFound);
}

#[test]
fn a_rewritten_file_keeps_its_mode_and_owner_and_links_stay_links() {
    let mut host = Host::start();
    let path = host.folder.join("script");
    std::fs::write(&path, "old").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&path, Some(1234), Some(1235)).unwrap();
    let link = host.folder.join("link");
    symlink("script", &link).unwrap();
    let info = file(write(&mut host, &link, "", 0o600, b"new"));
    assert_eq!((info.mode, info.owner.as_str(), info.group.as_str(), info.kind()), (0o755, "1234", "1235", Kind::File));
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let info = host.ask(request::Of::Stat(Stat { path: bytes(&link), user: String::new(), ..Default::default() }));
    let info = file(info);
    assert_eq!((info.kind(), info.link_target), (Kind::Symlink, b"script".to_vec()));
}

fn write_with(host: &mut Host, write: Write, content: &[u8]) -> reply::Of {
    let stream = host.open(request::Of::Write(write));
    host.feed(stream, content);
    let reply = host.reply(stream);
    assert_eq!(host.next(stream), Got::Close);
    host.close(stream);
    reply
}

#[test]
fn metadata_is_kept_with_the_file_and_replaced_as_a_whole() {
    let mut host = Host::start();
    let path = host.folder.join("noted");
    let set = |pairs: &[(&str, &str)]| -> std::collections::BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let with = |metadata| Write { path: bytes(&path), metadata, ..Default::default() };
    let (long, two) = ("k".repeat(246), set(&[("a", "1"), ("empty", "")]));
    assert_eq!(file(write_with(&mut host, with(set(&[(&long, "v")])), b"x")).metadata, set(&[(&long, "v")]));
    assert_eq!(file(write_with(&mut host, with(two.clone()), b"x")).metadata, two);
    std::fs::hard_link(&path, host.folder.join("other")).unwrap();
    let written = file(write_with(&mut host, with(set(&[("b", "2")])), b"shared"));
    assert_eq!((written.metadata, written.size), (set(&[("b", "2")]), 6));
    assert_eq!(std::fs::read(host.folder.join("other")).unwrap(), b"shared", "a hard link stays one");
    for wrong in [set(&[("", "x")]), set(&[(&"k".repeat(247), "x")]), set(&[("k", &"v".repeat(4096))]), set(&[("a\0b", "x")])] {
        assert_eq!(code(host.ask(request::Of::Write(with(wrong)))), Code::Invalid);
    }
    assert_eq!(names(&host.folder).iter().filter(|name| name.starts_with(".caisson")).count(), 0);
}

#[test]
fn attributes_of_e2b_are_metadata_too() {
    let mut host = Host::start();
    let path = host.folder.join("noted");
    let set = |pairs: &[(&str, &str)]| -> std::collections::BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    file(write_with(&mut host, Write { path: bytes(&path), metadata: set(&[("both", "ours")]), ..Default::default() }, b"x"));
    for (name, value) in [("user.e2b.author", "mish"), ("user.e2b.both", "theirs"), ("user.e2b.", "nameless"), ("user.other.a", "b")] {
        rustix::fs::setxattr(&path, name, value.as_bytes(), rustix::fs::XattrFlags::empty()).unwrap();
    }
    let stat = |host: &mut Host| file(host.ask(request::Of::Stat(Stat { path: bytes(&path), user: String::new(), ..Default::default() }))).metadata;
    assert_eq!(stat(&mut host), set(&[("author", "mish"), ("both", "ours")]));
    // Another set takes the place of all of them. Through a second name the file stays the one it is.
    std::fs::hard_link(&path, host.folder.join("other")).unwrap();
    assert_eq!(file(write_with(&mut host, Write { path: bytes(&path), metadata: set(&[("c", "1")]), ..Default::default() }, b"y")).metadata, set(&[("c", "1")]));
}

#[test]
fn links_tell_where_they_lead() {
    let mut host = Host::start();
    let folder = std::fs::canonicalize(&host.folder).unwrap();
    std::fs::create_dir(folder.join("real")).unwrap();
    std::fs::write(folder.join("real/file"), "text").unwrap();
    symlink("real", folder.join("folder")).unwrap();
    symlink("folder/file", folder.join("link")).unwrap();
    symlink("nowhere", folder.join("broken")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    let mut target = |name: &str| file(host.ask(request::Of::Stat(Stat { path: bytes(&folder.join(name)), ..Default::default() }))).target;
    let end = target("link").unwrap();
    assert_eq!((end.path.as_slice(), end.kind(), end.size), (bytes(&folder.join("real/file")).as_slice(), Kind::File, 4));
    assert_eq!(target("folder").unwrap().kind(), Kind::Directory);
    assert_eq!((target("broken"), target("loop"), target("real")), (None, None, None));
}

#[test]
fn with_roots_rights_what_is_made_belongs_to_the_user() {
    let mut host = Host::start();
    let closed = host.folder.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = closed.join("new/file");
    let asked = |as_root| Write { path: bytes(&path), user: "4242".to_owned(), as_root, ..Default::default() };
    assert_eq!(code(host.ask(request::Of::Write(asked(false)))), Code::Denied);
    assert_eq!(file(write_with(&mut host, asked(true), b"x")).owner, "4242");
    assert_eq!(std::fs::metadata(closed.join("new")).unwrap().uid(), 4242);
    assert_eq!(std::fs::metadata(&closed).unwrap().uid(), 0, "was there before");
    let make = MakeDirectory { path: bytes(&closed.join("made")), user: "4242".to_owned(), as_root: true };
    assert!(matches!(host.ask(request::Of::MakeDirectory(make)), reply::Of::Done(_)));
    assert_eq!(std::fs::metadata(closed.join("made")).unwrap().gid(), 4242);
    let unknown = Stat { path: bytes(&closed), user: "nobody-here".to_owned(), as_root: true };
    assert_eq!(code(host.ask(request::Of::Stat(unknown))), Code::UserNotFound);
    // The thread that had root's rights does not lend them to the next call.
    assert_eq!(code(host.ask(request::Of::Stat(Stat { path: bytes(&path), user: "4242".to_owned(), as_root: false }))), Code::Denied);
}

#[test]
fn a_write_that_is_given_up_leaves_nothing() {
    let mut host = Host::start();
    let folder = host.folder.clone();
    for end in [Frame::Reset { stream: 2, why: "" }, Frame::Close { stream: 4 }] {
        let stream = host.open(request::Of::Write(Write { path: bytes(&folder.join("x/y/file")), ..Default::default() }));
        host.data(stream, b"half");
        eventually("a temporary file is there", || std::fs::read_dir(folder.join("x/y")).is_ok_and(|dir| dir.count() == 1));
        host.send(&end);
        eventually("it is gone, with the directories made for it", || !folder.join("x").exists());
    }
    let stream = host.open(request::Of::Write(Write { path: bytes(&folder.join("file")), ..Default::default() }));
    host.data(stream, b"half");
    eventually("a temporary file is there", || names(&folder).len() == 2);
    host.reconnect();
    eventually("it is gone", || names(&folder).len() == 1);
}

/// Unmounts even when a check fails.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let mut host = Host::start();
    let small = host.folder.join("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&small).status().unwrap();
    assert!(mounted.success(), "these tests run as root");
    let _mount = Mount(small.clone());
    let reply = write(&mut host, &small.join("big"), "", 0, &vec![1; 2_000_000]);
    let left = names(&small);
    assert_eq!(code(reply), Code::DiskFull);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_not_there_or_not_a_file_is_named() {
    let mut host = Host::start();
    let folder = host.folder.clone();
    let missing = folder.join("missing");
    assert_eq!(read(&mut host, &missing, "", 0, 0).unwrap_err(), Code::NotFound);
    assert_eq!(read(&mut host, &folder, "", 0, 0).unwrap_err(), Code::IsADirectory);
    assert_eq!(read(&mut host, Path::new("/dev/zero"), "", 0, 0).unwrap_err(), Code::Invalid);
    assert_eq!(code(write(&mut host, &folder, "", 0, b"x")), Code::IsADirectory);
    assert_eq!(code(write(&mut host, Path::new("/dev/null"), "", 0, b"x")), Code::Invalid);
    assert_eq!(code(write(&mut host, Path::new("/etc/passwd/x"), "", 0, b"x")), Code::NotADirectory);
    assert_eq!(list(&mut host, &missing, "", 1).unwrap_err(), Code::NotFound);
    assert_eq!(list(&mut host, Path::new("/etc/passwd"), "", 1).unwrap_err(), Code::NotADirectory);
    let stat = |path: &[u8]| request::Of::Stat(Stat { path: path.to_vec(), user: String::new(), ..Default::default() });
    assert_eq!(host.ask_for_failure(stat(&bytes(&missing))).0, Code::NotFound);
    assert_eq!(host.ask_for_failure(stat(b"/a\0b")).0, Code::Invalid);
    assert_eq!(host.ask_for_failure(stat(&[b'x'; 5000])).0, Code::Invalid);
    let fifo = folder.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert_eq!(read(&mut host, &fifo, "", 0, 0).unwrap_err(), Code::Invalid, "and without waiting for a writer");
}

#[test]
fn directories_are_made_listed_renamed_and_removed() {
    let mut host = Host::start();
    let top = host.folder.join("top");
    let make = |path: &Path| request::Of::MakeDirectory(MakeDirectory { path: bytes(path), user: String::new(), ..Default::default() });
    assert_eq!(host.ask(make(&top.join("a/b"))), reply::Of::Done(proto::Done { changed: true }));
    assert_eq!(host.ask(make(&top.join("a/b"))), reply::Of::Done(proto::Done { changed: false }));
    std::fs::write(top.join("a/file"), "12345").unwrap();
    assert_eq!(host.ask_for_failure(make(&top.join("a/file"))).0, Code::Exists);
    symlink("/etc", top.join("a/b/etc")).unwrap();
    let shown = |files: Vec<FileInfo>| {
        let mut all: Vec<String> = files
            .iter()
            .map(|info| format!("{} {:?} {}", String::from_utf8_lossy(&info.path[top.as_os_str().len() + 1..]), info.kind(), info.size))
            .collect();
        all.sort();
        all
    };
    assert_eq!(shown(list(&mut host, &top, "", 1).unwrap()), [format!("a Directory {}", std::fs::metadata(top.join("a")).unwrap().size())]);
    let all = shown(list(&mut host, &top, "", 9).unwrap());
    assert_eq!(all.len(), 4, "a link is not entered: {all:?}");
    assert!(all.contains(&"a/file File 5".to_owned()) && all.contains(&"a/b/etc Symlink 4".to_owned()), "{all:?}");
    let rename =
        |from: &str, to: &str| request::Of::Rename(Rename { from: bytes(&top.join(from)), to: bytes(&top.join(to)), user: String::new(), ..Default::default() });
    assert_eq!(file(host.ask(rename("a/file", "moved"))).name, b"moved");
    assert_eq!(host.ask_for_failure(rename("a/file", "x")).0, Code::NotFound);
    let remove = |path: &Path| request::Of::Remove(Remove { path: bytes(path), user: String::new(), ..Default::default() });
    assert!(matches!(host.ask(remove(&top)), reply::Of::Done(_)));
    assert!(!top.exists() && Path::new("/etc/passwd").exists());
    assert_eq!(host.ask_for_failure(remove(&top)).0, Code::NotFound);
}

#[test]
fn a_large_directory_comes_in_several_messages() {
    let mut host = Host::start();
    let top = host.folder.join("many");
    std::fs::create_dir(&top).unwrap();
    for n in 0..5000 {
        std::fs::write(top.join(format!("{n:0200}")), "").unwrap();
    }
    let files = list(&mut host, &top, "", 1).unwrap();
    assert_eq!(files.len(), 5000);
}

#[test]
fn a_relative_path_starts_at_home() {
    let mut host = Host::start();
    let info = file(host.ask(request::Of::Stat(Stat { path: b"etc".to_vec(), user: "4242".to_owned(), ..Default::default() })));
    assert_eq!(info.path, b"/etc");
}

#[test]
fn changes_are_seen_until_the_host_has_heard_enough() {
    let mut host = Host::start();
    let top = host.folder.join("watched");
    std::fs::create_dir_all(top.join("deep")).unwrap();
    let stream = host.open(request::Of::Watch(Watch { path: bytes(&top), user: String::new(), recursive: true, ..Default::default() }));
    assert!(matches!(host.reply(stream), reply::Of::Done(_)));
    let wait_for = |host: &mut Host, kind: EventKind, path: &[u8]| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no {kind:?} of {}", String::from_utf8_lossy(path));
            let reply::Of::Event(event) = host.reply(stream) else { panic!("not an event") };
            if event.kind() == kind && event.path == path {
                return;
            }
        }
    };
    std::fs::write(top.join(OsStr::from_bytes(b"deep/\xfe")), "x").unwrap();
    wait_for(&mut host, EventKind::Created, b"deep/\xfe");
    wait_for(&mut host, EventKind::Written, b"deep/\xfe");
    std::fs::rename(top.join(OsStr::from_bytes(b"deep/\xfe")), top.join("b")).unwrap();
    wait_for(&mut host, EventKind::Renamed, b"deep/\xfe");
    wait_for(&mut host, EventKind::Created, b"b");
    std::fs::set_permissions(top.join("b"), PermissionsExt::from_mode(0o600)).unwrap();
    wait_for(&mut host, EventKind::Attributes, b"b");
    std::fs::create_dir_all(top.join("new/er")).unwrap();
    wait_for(&mut host, EventKind::Created, b"new");
    wait_for(&mut host, EventKind::Created, b"new/er");
    std::fs::write(top.join("new/er/file"), "x").unwrap();
    wait_for(&mut host, EventKind::Created, b"new/er/file");
    std::fs::remove_file(top.join("new/er/file")).unwrap();
    wait_for(&mut host, EventKind::Removed, b"new/er/file");
    std::fs::rename(top.join("new"), top.join("old")).unwrap();
    wait_for(&mut host, EventKind::Created, b"old/er");
    std::fs::write(top.join("old/er/again"), "x").unwrap();
    wait_for(&mut host, EventKind::Created, b"old/er/again");
    host.close(stream);
    assert_eq!(
        loop {
            if let got @ (Got::Close | Got::Reset(_)) = host.next(stream) {
                break got;
            }
        },
        Got::Close
    );
    let threads = format!("/proc/{}/task", host.agent().id());
    eventually("its thread has ended", || std::fs::read_dir(&threads).unwrap().count() == 1);
}

#[test]
fn writes_of_ours_look_like_writes() {
    let mut host = Host::start();
    let top = host.folder.join("watched");
    std::fs::create_dir(&top).unwrap();
    let stream = host.open(request::Of::Watch(Watch { path: bytes(&top), user: String::new(), recursive: false, ..Default::default() }));
    assert!(matches!(host.reply(stream), reply::Of::Done(_)));
    file(write(&mut host, &top.join("f"), "", 0, b"one"));
    file(write(&mut host, &top.join("f"), "", 0, b"two"));
    std::fs::remove_dir_all(&top).unwrap();
    let mut seen = Vec::new();
    loop {
        match host.next(stream) {
            Got::Reply(reply::Of::Event(event)) => seen.push((event.kind(), String::from_utf8(event.path).unwrap())),
            Got::Close => break,
            other => panic!("{other:?}"),
        }
    }
    use EventKind::{Attributes, Created, Removed, Written};
    let expected = [(Created, "f"), (Attributes, "f"), (Written, "f"), (Written, "f"), (Removed, "f"), (Removed, "")];
    assert_eq!(seen, expected.map(|(kind, path)| (kind, path.to_owned())));
}

#[test]
fn watching_what_is_not_there_fails() {
    let mut host = Host::start();
    let path = bytes(&host.folder.join("missing"));
    assert_eq!(host.ask_for_failure(request::Of::Watch(Watch { path, ..Default::default() })).0, Code::NotFound);
}

#[test]
fn ports_are_reached_over_both_families() {
    let mut host = Host::start();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = std::net::TcpListener::bind(address) else {
            assert!(address.starts_with('['), "no IPv4 loopback");
            eprintln!("skipped: this machine has no IPv6 loopback");
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            socket.read_to_end(&mut all).unwrap();
            socket.write_all(&all).unwrap();
            all.len()
        });
        let stream = host.open(request::Of::Dial(Dial { port: port.into() }));
        // Sent before the connection can be there.
        let content: Vec<u8> = (0..2_000_000u32).map(|n| (n >> 4) as u8).collect();
        host.feed(stream, &content);
        assert!(matches!(host.reply(stream), reply::Of::Done(_)));
        let mut back = Vec::new();
        loop {
            match host.next(stream) {
                Got::Data(1, bytes) => back.extend(bytes),
                Got::End(1) => {}
                Got::Close => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(server.join().unwrap(), content.len());
        assert!(back == content);
    }
}

#[test]
fn nobody_at_a_port_is_named() {
    let mut host = Host::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(host.ask_for_failure(request::Of::Dial(Dial { port: port.into() })).0, Code::ConnectionRefused);
    assert_eq!(host.ask_for_failure(request::Of::Dial(Dial { port: 0 })).0, Code::Invalid);
    assert_eq!(host.ask_for_failure(request::Of::Dial(Dial { port: 65_536 })).0, Code::Invalid);
}

#[test]
fn metrics_have_sense() {
    let mut host = Host::start();
    let reply::Of::Metrics(report) = host.ask(request::Of::Metrics(Metrics {})) else { panic!("no metrics") };
    assert!(report.memory_used_bytes > 0 && report.memory_used_bytes < report.memory_total_bytes);
    assert!(report.disk_used_bytes > 0 && report.processes > 1 && report.cpu_micros > 0);
}
