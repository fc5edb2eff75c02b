//! The link: what the agent does when the host breaks its rules, or goes away.
#![allow(clippy::unwrap_used)]

mod host;

use caisson_agent::frame::{Frame, PREFACE, START};
use caisson_agent::proto::failed::Code;
use caisson_agent::proto::{Request, Start, Stat, reply, request};
use host::{Got, Host, PATIENCE, eventually, shell, start};
use prost::Message;
use std::time::Instant;

fn raw(length: u32, stream: u32, kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [length.to_be_bytes(), stream.to_be_bytes()].concat();
    bytes.extend([kind, channel, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// An OPEN that starts a command which reads nothing.
fn open_sleep(stream: u32) -> Vec<u8> {
    let start = Start { stdin: true, ..shell("exec sleep 100") };
    let message = Request { of: Some(request::Of::Start(start)) }.encode_to_vec();
    let mut bytes = Vec::new();
    Frame::Open { stream, message: &message }.encode(&mut bytes);
    bytes
}

#[test]
fn pings_are_answered() {
    let mut host = Host::start();
    host.send(&Frame::Ping(*b"12345678"));
    eventually("a pong", || {
        host.look();
        host.pongs == [*b"12345678"]
    });
}

#[test]
fn whoever_breaks_a_rule_is_cut_off_and_dialed_again() {
    let mut host = Host::start();
    let id = {
        let start = shell("exec sleep 100");
        let id = start.id;
        let stream = host.open(request::Of::Start(start));
        assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
        id
    };
    let stat = [0x42, 0x03, 0x0a, 0x01, b'/'];
    let window = raw(65_536, 1000, 2, 1, &vec![0; 65_536]);
    let broken: Vec<(&str, Vec<u8>)> = vec![
        ("unknown kind", raw(0, 0, 9, 0, &[])),
        ("reserved bytes", vec![0, 0, 0, 0, 0, 0, 0, 2, 6, 0, 0, 1]),
        ("an endless frame", raw(u32::MAX, 2, 2, 1, &[])),
        ("an OPEN of ours", raw(5, 1001, 1, 0, &stat)),
        ("an id twice", [raw(5, 1000, 1, 0, &stat), raw(5, 1000, 1, 0, &stat)].concat()),
        ("an id that shrinks", [raw(5, 1002, 1, 0, &stat), raw(5, 1000, 1, 0, &stat)].concat()),
        ("a stream never opened", raw(0, 1000, 6, 0, &[])),
        ("a stream that only we could have opened", raw(0, 1, 6, 0, &[])),
        ("a second welcome", raw(0, 0, 2, 0, &[])),
        ("data after END", [raw(5, 1000, 1, 0, &stat), raw(0, 1000, 4, 1, &[]), raw(1, 1000, 2, 1, b"x")].concat()),
        ("END twice", [raw(5, 1000, 1, 0, &stat), raw(0, 1000, 4, 1, &[]), raw(0, 1000, 4, 1, &[])].concat()),
        ("data without credit", [open_sleep(1000), window.repeat(20)].concat()),
        ("data after CLOSE", [open_sleep(1000), raw(0, 1000, 6, 0, &[]), raw(1, 1000, 2, 1, b"x")].concat()),
        ("CLOSE twice", [open_sleep(1000), raw(0, 1000, 6, 0, &[]), raw(0, 1000, 6, 0, &[])].concat()),
    ];
    for (what, bytes) in broken {
        host.raw(&bytes);
        assert!(host.is_cut_off(), "{what} was taken");
        host.accept_again(30);
        assert!(host.hello.commands.iter().any(|command| command.id == id && command.exited.is_none()), "{what}: the command went on");
        assert_eq!(host.run(start(&["echo", what])).stdout, format!("{what}\n").into_bytes());
    }
}

#[test]
fn a_request_before_the_welcome_and_another_preface_are_refused() {
    let mut host = Host::start();
    for bytes in [[&PREFACE[..], &raw(0, 2, 1, 0, &[])].concat(), b"HTTP/1.1 200 OK\r\n".to_vec()] {
        // As `reconnect`, but without the greeting.
        host.raw(&raw(0, 0, 9, 0, &[]));
        assert!(host.is_cut_off());
        host.accept_raw();
        host.raw(&bytes);
        assert!(host.is_cut_off());
        host.accept_again(30);
    }
    assert_eq!(host.run(start(&["echo", "fine"])).stdout, b"fine\n");
}

#[test]
fn too_many_streams_are_refused() {
    let mut host = Host::start();
    host.generous = false;
    // Not closed by us, so they stay open.
    for _ in 0..1024 {
        host.open(request::Of::Resize(Default::default()));
    }
    host.look();
    host.open(request::Of::Resize(Default::default()));
    assert!(host.is_cut_off());
    host.accept_again(30);
}

#[test]
fn a_request_that_nobody_knows_is_answered() {
    let mut host = Host::start();
    for message in [&b""[..], &[0xfa, 0x7f, 0][..], &[0xff; 9][..]] {
        let stream = host.open_raw(message);
        assert!(matches!(host.next(stream), Got::Reply(reply::Of::Failed(failed)) if failed.code() == Code::Invalid));
        assert_eq!(host.next(stream), Got::Close);
    }
}

#[test]
fn frames_for_streams_that_are_over_are_ignored() {
    let mut host = Host::start();
    let stream = host.open(request::Of::Stat(Stat { path: b"/".to_vec(), ..Default::default() }));
    assert!(matches!(host.reply(stream), reply::Of::File(_)));
    assert_eq!(host.next(stream), Got::Close);
    host.close(stream);
    host.data(stream, b"late");
    host.credit(stream, 2, 5);
    host.end(stream);
    host.close(stream);
    assert_eq!(host.run(start(&["echo", "fine"])).stdout, b"fine\n");
}

#[test]
fn a_flood_of_questions_does_not_grow_the_agent() {
    let mut host = Host::start();
    let before = memory(host.agent().id());
    let mut pings = Vec::new();
    for _ in 0..1000 {
        Frame::Ping([7; 8]).encode(&mut pings);
    }
    // The host asks and asks and reads no answer. At some point the agent stops reading.
    host.flood(&pings, 400);
    let grown = memory(host.agent().id()) - before;
    assert!(grown < 8 << 20, "{grown} bytes");
    host.reconnect();
    assert_eq!(host.run(start(&["echo", "fine"])).stdout, b"fine\n");
}

#[test]
fn output_that_nobody_takes_does_not_grow_the_agent() {
    let mut host = Host::start();
    host.generous = false;
    let before = memory(host.agent().id());
    let stream = host.open(request::Of::Start(start(&["yes"])));
    let mut count = 0;
    // Nothing was taken, so that is all that the host lets come.
    while count < START as usize {
        if let Got::Data(1, bytes) = host.next(stream) {
            count += bytes.len();
        }
    }
    assert!(count < START as usize + 65_536);
    host.settle();
    let grown = memory(host.agent().id()) - before;
    assert!(grown < 2 << 20, "{grown} bytes");
}

#[test]
fn the_agent_ends_when_the_host_stays_away() {
    let mut host = Host::start_with(1);
    let stream = host.open(request::Of::Start(shell("echo $$; exec sleep 100")));
    let pid = loop {
        if let Got::Data(1, pid) = host.next(stream) {
            break String::from_utf8(pid).unwrap().trim().parse::<u32>().unwrap();
        }
    };
    let before = Instant::now();
    host.go_away();
    eventually("the agent ends", || host.agent().try_wait().unwrap().is_some());
    assert!(before.elapsed().as_millis() >= 900 && before.elapsed() < PATIENCE);
    eventually("its command is gone", || host::state_of(pid).is_none_or(|state| state == 'Z'));
}

/// Resident bytes of a process that are its own.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
