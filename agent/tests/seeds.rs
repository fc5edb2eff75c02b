//! Files that a sandbox has from its first moment, written by a real agent at adoption.
#![allow(clippy::unwrap_used)]

mod host;

use caisson_agent::proto::failed::Code;
use caisson_agent::proto::seed_file::Kind;
use caisson_agent::proto::{Adopt, Done, SeedFile, reply, request};
use host::{Got, Host, shell};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

fn seed(path: &Path, kind: Kind, content: &str) -> SeedFile {
    SeedFile { path: path.as_os_str().as_bytes().to_vec(), content: content.as_bytes().to_vec(), mode: 0, kind: kind.into() }
}

fn replace(path: &Path, content: &str) -> SeedFile {
    seed(path, Kind::Replace, content)
}

fn append(path: &Path, content: &str) -> SeedFile {
    seed(path, Kind::AppendIfExists, content)
}

fn adopt(files: Vec<SeedFile>) -> request::Of {
    request::Of::Adopt(Adopt { files, ..Default::default() })
}

fn adopted(host: &mut Host, files: Vec<SeedFile>) {
    assert_eq!(host.ask(adopt(files)), reply::Of::Done(Done { changed: true }));
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Nothing but these is in the directory: no draft was left behind.
fn assert_holds(folder: &Path, names: &[&str]) {
    let mut there: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    assert_eq!(there, names);
}

fn folder(host: &Host) -> PathBuf {
    let folder = host.folder.join("etc");
    std::fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn a_replaced_file_is_a_plain_one_of_roots_whatever_was_there() {
    let mut host = Host::start();
    let etc = folder(&host);
    let (target, elsewhere, fresh, full) = (etc.join("resolv.conf"), etc.join("elsewhere"), etc.join("a/b/fresh"), etc.join("full"));
    std::fs::write(&elsewhere, "untouched").unwrap();
    symlink(&elsewhere, &target).unwrap();
    std::fs::create_dir(etc.join("mounted")).unwrap();
    std::fs::hard_link(&elsewhere, &full).unwrap();
    let secret = SeedFile { mode: 0o600, ..replace(&full, "new") };
    adopted(&mut host, vec![replace(&target, "one\n"), replace(&fresh, ""), replace(&etc.join("mounted"), "file"), secret]);
    assert!(!target.is_symlink());
    assert_eq!((text(&target).as_str(), text(&elsewhere).as_str(), text(&fresh).as_str()), ("one\n", "untouched", ""));
    assert_eq!((text(&etc.join("mounted")).as_str(), text(&full).as_str()), ("file", "new"));
    let stat = target.metadata().unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o644, 0, 0));
    assert_eq!(full.metadata().unwrap().mode() & 0o7777, 0o600);
    assert_holds(&etc, &["a", "elsewhere", "full", "mounted", "resolv.conf"]);
    assert_holds(&etc.join("a/b"), &["fresh"]);
    // Once more, as after a restart: the same, even if somebody has led it elsewhere meanwhile.
    std::fs::remove_file(&target).unwrap();
    symlink("/nowhere/at/all", &target).unwrap();
    adopted(&mut host, vec![replace(&target, "two\n")]);
    assert_eq!(text(&target), "two\n");
}

#[test]
fn it_is_there_for_a_command_that_was_asked_for_in_the_same_breath() {
    let mut host = Host::start();
    let path = folder(&host).join("seed");
    let adopting = host.open(adopt(vec![replace(&path, "early")]));
    let command = host.open(request::Of::Start(shell(&format!("cat {}", path.display()))));
    assert_eq!(host.next(adopting), Got::Reply(reply::Of::Done(Done { changed: true })));
    assert_eq!(host.outcome(command).stdout, b"early");
}

#[test]
fn something_is_added_on_a_line_of_its_own_and_once() {
    let mut host = Host::start();
    let etc = folder(&host);
    let (real, link, open_ended, empty) = (etc.join("real.pem"), etc.join("bundle.pem"), etc.join("open-ended"), etc.join("empty"));
    std::fs::write(&real, "first\n").unwrap();
    symlink("real.pem", &link).unwrap();
    std::fs::write(&open_ended, "no newline, not even of second").unwrap();
    std::fs::write(&empty, "").unwrap();
    symlink("gone", etc.join("dangling")).unwrap();
    let nothing = [etc.join("absent"), etc.join("no/such/folder"), etc.join("dangling"), real.join("below a file")];
    let mut files = vec![append(&link, "second\nthird\n"), append(&open_ended, "second\n"), append(&empty, "second\n")];
    files.extend(nothing.iter().map(|path| append(path, "x")));
    for _ in 0..3 {
        adopted(&mut host, files.clone());
        assert!(link.is_symlink());
        assert_eq!(text(&real), "first\nsecond\nthird\n");
        assert_eq!(text(&open_ended), "no newline, not even of second\nsecond\n");
        assert_eq!(text(&empty), "second\n");
        assert_holds(&etc, &["bundle.pem", "dangling", "empty", "open-ended", "real.pem"]);
    }
    // The end of a longer line is not a line of its own.
    std::fs::write(&real, "not the second\n").unwrap();
    adopted(&mut host, vec![append(&real, "second\n")]);
    assert_eq!(text(&real), "not the second\nsecond\n");
}

#[test]
fn what_cannot_be_written_is_named_and_nobody_is_adopted() {
    let mut host = Host::start();
    let etc = folder(&host);
    std::fs::create_dir_all(etc.join("full/of things")).unwrap();
    std::fs::write(etc.join("file"), "").unwrap();
    assert!(Command::new("mkfifo").arg(etc.join("fifo")).status().unwrap().success());
    let wrong = [
        (replace(&etc.join("full"), "x"), Code::Exists),
        (replace(&etc.join("file/below"), "x"), Code::NotADirectory),
        (append(&etc.join("full"), "x"), Code::IsADirectory),
        (append(&etc.join("fifo"), "x"), Code::Invalid),
    ];
    for (file, code) in wrong {
        let path = String::from_utf8(file.path.clone()).unwrap();
        let (said, message) = host.ask_for_failure(adopt(vec![file]));
        assert_eq!(said, code, "{message}");
        assert!(message.contains(&path) || message.contains(etc.join("file").to_str().unwrap()), "{message}");
    }
    assert_holds(&etc, &["fifo", "file", "full"]);
    host.reconnect();
    assert!(!host.hello.adopted);
}

#[test]
fn what_must_not_be_asked_for_is_refused_before_anything_is_written() {
    let mut host = Host::start();
    let etc = folder(&host);
    let good = replace(&etc.join("good"), "x");
    let half = "x".repeat(384 << 10);
    let long = PathBuf::from(format!("/{}", "long/".repeat(819)));
    let wrong = [
        vec![good.clone(); 17],
        vec![good.clone(), replace(&etc.join("1"), &half), replace(&etc.join("2"), &half)],
        vec![good.clone(), replace(Path::new("relative"), "x")],
        vec![good.clone(), replace(Path::new("/"), "x")],
        vec![good.clone(), replace(Path::new("/etc/.."), "x")],
        vec![good.clone(), replace(Path::new(""), "x")],
        vec![good.clone(), replace(Path::new("/nul\0"), "x")],
        vec![good.clone(), replace(&long, "x")],
        vec![good.clone(), SeedFile { kind: 2, ..good.clone() }],
        vec![good.clone(), SeedFile { mode: 0o4755, ..good.clone() }],
    ];
    for files in wrong {
        assert_eq!(host.ask_for_failure(adopt(files)).0, Code::Invalid);
        assert_holds(&etc, &[]);
    }
    let most = vec![SeedFile { content: vec![b'x'; (768 << 10) / 16], ..good }; 16];
    adopted(&mut host, most);
    assert_eq!(text(&etc.join("good")).len(), (768 << 10) / 16);
}

/// A file that something is mounted at, and a directory that is read-only with a file that is not.
#[test]
fn what_is_mounted_is_written_over() {
    let script = r#"
        set -e; cd "$1"; mkdir lower; echo old > lower/plain; mkdir ro; echo long old text > on-top; echo other > over
        mount --bind lower ro; mount --bind on-top ro/plain; mount -o remount,bind,ro "$1/ro"
        echo under > single; mount --bind over single
        exec "$2" --socket "$1/socket""#;
    let mut host = Host::start_in(&["unshare", "--mount", "sh", "-c", script, "sh"]);
    let at = host.folder.clone();
    adopted(&mut host, vec![replace(&at.join("ro/plain"), "new\n"), replace(&at.join("single"), "new\n")]);
    assert_eq!((text(&at.join("on-top")).as_str(), text(&at.join("lower/plain")).as_str()), ("new\n", "old\n"));
    assert_eq!((text(&at.join("over")).as_str(), text(&at.join("single")).as_str()), ("new\n", "under\n"));
    let (code, message) = host.ask_for_failure(adopt(vec![replace(&at.join("ro/fresh"), "new")]));
    assert_eq!(code, Code::Denied);
    assert!(message.contains("ro/fresh"), "{message}");
}
