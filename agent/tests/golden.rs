//! The golden frames, which the tests of the host read too: each file's bytes are exactly what we send, and mean what we say.
#![allow(clippy::unwrap_used)]

use caisson_agent::frame::{Decoded, Frame, PREFACE, decode};
use caisson_agent::proto::failed::Code;
use caisson_agent::proto::seed_file::Kind;
use caisson_agent::proto::{
    Address, Adopt, Attach, Awakening, Command, Exited, Failed, Hello, Input, Network, Reply, Request, ResourceLimit, SeedFile, Start,
    Started, Terminal, Welcome, reply, request,
};
use prost::Message;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.bin"))).unwrap()
}

/// The bytes that the explanation spells out.
fn explained(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
    let hex = text.lines().filter_map(|line| line.split('#').next());
    hex.flat_map(str::split_whitespace).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// A message of the frame's payload must decode to the value too.
fn check_message<M: Message + Default + PartialEq + std::fmt::Debug>(name: &str, value: &M, frame: impl Fn(&[u8]) -> Vec<u8>) {
    assert_eq!(frame(&value.encode_to_vec()), golden(name), "{name}: encoded");
    let bytes = golden(name);
    let Ok(Decoded::Whole(Frame::Open { message, .. } | Frame::Data { bytes: message, .. }, _)) = decode(&bytes) else {
        panic!("{name}: no message")
    };
    assert_eq!(M::decode(message).unwrap(), *value, "{name}: decoded");
}

fn check_frame(name: &str, frame: Frame<'_>) {
    let bytes = golden(name);
    assert_eq!(encoded(frame), bytes, "{name}: encoded");
    assert_eq!(decode(&bytes), Ok(Decoded::Whole(frame, bytes.len())), "{name}: decoded");
}

fn encoded(frame: Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

fn on(stream: u32) -> impl Fn(&[u8]) -> Vec<u8> {
    move |message| encoded(Frame::Data { stream, channel: 0, bytes: message })
}

#[test]
fn frames_are_byte_exact() {
    assert_eq!(golden("preface"), PREFACE);
    check_frame("data", Frame::Data { stream: 2, channel: 1, bytes: b"hello\n" });
    check_frame("credit", Frame::Credit { stream: 2, channel: 1, bytes: 65_536 });
    check_frame("end", Frame::End { stream: 2, channel: 1 });
    check_frame("reset", Frame::Reset { stream: 2, why: "given up – enough" });
    check_frame("close", Frame::Close { stream: 2 });
    check_frame("ping", Frame::Ping([1, 2, 3, 4, 5, 6, 7, 8]));
    check_frame("pong", Frame::Pong([1, 2, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn messages_are_byte_exact() {
    let ended = Exited { status: 1, signal: 0, cpu_micros: 1500, starved: false };
    let commands = vec![
        Command { id: 7, pid: 42, argv: words(&["sleep", "100"]), exited: None, ..Default::default() },
        Command { id: 8, pid: 43, argv: words(&["false"]), exited: Some(ended), tag: "t1".to_owned(), drop_unread: true, terminal: true },
    ];
    check_message("hello", &Hello { protocol: 1, agent: "0.1.0".to_owned(), commands, adopted: true }, on(0));
    check_message("welcome", &Welcome { grace_seconds: 30 }, on(0));
    let start = Start {
        id: 7,
        argv: words(&["sh", "-c", "cat"]),
        env: [("LANG".to_owned(), "C".to_owned())].into(),
        cwd: b"/home/user".to_vec(),
        user: "user".to_owned(),
        terminal: Some(Terminal { columns: 80, rows: 24 }),
        stdin: true,
        limits: vec![ResourceLimit { resource: 7, value: 1024 }],
        tag: "t1".to_owned(),
        drop_unread: true,
        batched: false,
    };
    let request = Request { of: Some(request::Of::Start(start)) };
    check_message("open-start", &request, |message| encoded(Frame::Open { stream: 2, message }));
    let attach = Attach { id: 7, stdout_offset: 300, stderr_offset: -1 };
    let request = Request { of: Some(request::Of::Attach(attach)) };
    check_message("open-attach", &request, |message| encoded(Frame::Open { stream: 4, message }));
    let request = Request { of: Some(request::Of::Input(Input { id: 7, end: true })) };
    check_message("open-input", &request, |message| encoded(Frame::Open { stream: 6, message }));
    let adopt = Adopt {
        hostname: "sandbox".to_owned(),
        env: [("LANG".to_owned(), "C".to_owned())].into(),
        user: "user".to_owned(),
        time_nanos: 1_000_000_000,
        entropy: vec![1, 2],
        files: vec![
            SeedFile {
                path: b"/etc/resolv.conf".to_vec(),
                content: b"nameserver 192.0.2.1\n".to_vec(),
                mode: 0o600,
                kind: Kind::Replace.into(),
            },
            SeedFile { path: b"/etc/ca.pem".to_vec(), content: b"one more\n".to_vec(), mode: 0, kind: Kind::AppendIfExists.into() },
        ],
        awakening: None,
    };
    let request = Request { of: Some(request::Of::Adopt(adopt)) };
    check_message("open-adopt", &request, |message| encoded(Frame::Open { stream: 8, message }));
    let v6 = |last: u8| [&[0xfd][..], &[0; 14], &[last]].concat();
    let addresses = vec![Address { address: vec![10, 0, 0, 2], prefix: 30 }, Address { address: v6(2), prefix: 126 }];
    let network = Some(Network { addresses, gateways: vec![vec![10, 0, 0, 1], v6(1)] });
    let awakening = Awakening { machine_id: (0..16).collect(), boot_id: (16..32).collect(), network };
    let request = Request { of: Some(request::Of::Adopt(Adopt { awakening: Some(awakening), ..Default::default() })) };
    check_message("open-awaken", &request, |message| encoded(Frame::Open { stream: 10, message }));
    let reply = |of| Reply { of: Some(of) };
    check_message("started", &reply(reply::Of::Started(Started { id: 7, pid: 42, stdout_offset: 300, stderr_offset: 0 })), on(2));
    check_message("exited", &reply(reply::Of::Exited(Exited { status: 0, signal: 9, cpu_micros: 300_000, starved: true })), on(2));
    let failed = Failed { code: Code::ProgramNotFound.into(), message: "no program \"x\" in the sandbox".to_owned() };
    check_message("failed", &reply(reply::Of::Failed(failed)), on(2));
}

#[test]
fn every_file_is_checked_and_explained() {
    let checked = [
        "preface",
        "hello",
        "welcome",
        "open-start",
        "open-attach",
        "open-input",
        "open-adopt",
        "open-awaken",
        "data",
        "credit",
        "end",
        "reset",
        "close",
        "ping",
        "pong",
        "started",
        "exited",
        "failed",
    ];
    let there = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeSet<String> = there.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(there, checked.map(str::to_owned).into());
    for name in checked {
        assert_eq!(explained(name), golden(name), "{name}: its explanation is of other bytes");
    }
}
