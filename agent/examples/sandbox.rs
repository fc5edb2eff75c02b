//! Checks an agent that runs inside a sandbox, where the integration tests cannot look: `cargo run --release --example sandbox -- SOCKET`, then
//! start the sandbox. Prints what it saw; panics at what is wrong.
#![allow(clippy::unwrap_used)]

#[path = "../tests/host/mod.rs"]
mod host;

use caisson_agent::proto::failed::Code;
use caisson_agent::proto::file_event::Kind;
use caisson_agent::proto::{
    Adopt, Dial, List, Metrics, Read, Remove, ResourceLimit, Signal, Start, Stat, Terminal, Watch, Write, reply, request,
};
use host::{Got, Host, shell, start};
use std::time::{Duration, Instant};

const USER: &str = "1000";
/// RLIMIT_NPROC.
const PROCESSES: u32 = 6;

fn main() {
    let socket = std::env::args().nth(1).expect("usage: sandbox SOCKET");
    let mut host = Host::listen(std::path::Path::new(&socket), Duration::from_secs(60));
    adopted(&mut host);
    commands(&mut host);
    files(&mut host);
    watching(&mut host);
    ports(&mut host);
    processes(&mut host);
    coming_back(&mut host);
    println!("{:?}", host.ask(request::Of::Metrics(Metrics {})));
    println!("idle: {}", say(&mut host, "grep -E 'VmRSS|Threads' /proc/1/status | tr '\\n' ' '", "root"));
}

fn say(host: &mut Host, script: &str, user: &str) -> String {
    let outcome = host.run(Start { user: user.to_owned(), ..shell(script) });
    String::from_utf8_lossy(&[outcome.stdout, outcome.stderr].concat()).trim().to_owned()
}

fn adopted(host: &mut Host) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let adopt = Adopt {
        hostname: "adopted".to_owned(),
        env: [("WHO".to_owned(), "me".to_owned())].into(),
        user: USER.to_owned(),
        time_nanos: now,
        entropy: vec![1; 64],
        ..Default::default()
    };
    assert!(matches!(host.ask(request::Of::Adopt(adopt)), reply::Of::Done(_)));
    println!("adopted: {}", say(host, "echo $WHO $(id -u) $(hostname)", ""));
}

fn commands(host: &mut Host) {
    assert_eq!(say(host, "id -u; id -g; pwd", USER).lines().next(), Some("1000"));
    let (code, message) = host.ask_for_failure(request::Of::Start(start(&["no-such-program"])));
    assert_eq!(code, Code::ProgramNotFound, "{message}");
    let terminal = Some(Terminal { columns: 77, rows: 33 });
    let outcome = host.run(Start { terminal, ..shell("tty; stty size; test -w $(tty) && echo writable") });
    println!("terminal: {:?}", String::from_utf8_lossy(&outcome.stdout));
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("33 77"));
    let sleeper = shell("sleep 100 & sleep 100");
    let id = sleeper.id;
    let stream = host.open(request::Of::Start(sleeper));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    assert!(matches!(host.ask(request::Of::Signal(Signal { id, signal: 9, group: true })), reply::Of::Done(_)));
    assert_eq!(host.outcome(stream).exited.signal, 9);
    let before = Instant::now();
    assert_eq!(say(host, "(sleep 3; echo late) & echo bye", ""), "bye");
    println!("a daemon's command ended after {:?}", before.elapsed());
    assert!(before.elapsed() < Duration::from_secs(2));
    for _ in 0..20 {
        say(host, "(true &); true", "");
    }
    println!("zombies: {}", say(host, "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '", "root"));
    println!("descriptors: {}", say(host, "ls /proc/self/fd | tr '\\n' ' '", ""));
}

fn files(host: &mut Host) {
    let path = b"/tmp/a/\xff".to_vec();
    let stream = host.open(request::Of::Write(Write { path: path.clone(), user: USER.to_owned(), mode: 0o640, ..Default::default() }));
    host.feed(stream, b"content");
    match host.reply(stream) {
        reply::Of::File(info) => println!("written as {}:{} {:o}", info.owner, info.group, info.mode),
        other => panic!("{other:?}"),
    }
    let read = |path: &[u8], user: &str| request::Of::Read(Read { path: path.to_vec(), user: user.to_owned(), ..Default::default() });
    say(host, "echo secret > /tmp/secret; chmod 600 /tmp/secret", "root");
    assert_eq!(host.ask_for_failure(read(b"/tmp/secret", USER)).0, Code::Denied, "the thread has lost root");
    let stream = host.open(read(b"/tmp/secret", "root"));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::File(_))), "the agent has not");
    assert_eq!(host.next(stream), Got::Data(1, b"secret\n".to_vec()));
    assert_eq!(say(host, "id -u", "root"), "0");
    let list = List { path: b"/tmp".to_vec(), user: USER.to_owned(), depth: 3, ..Default::default() };
    match host.ask(request::Of::List(list)) {
        reply::Of::Files(files) => assert!(files.files.iter().any(|info| info.path == path)),
        other => panic!("{other:?}"),
    }
    let remove = |path: &[u8]| request::Of::Remove(Remove { path: path.to_vec(), user: USER.to_owned(), ..Default::default() });
    assert!(matches!(host.ask(remove(b"/tmp/a")), reply::Of::Done(_)));
    let stat = Stat { path, ..Default::default() };
    assert_eq!(host.ask_for_failure(request::Of::Stat(stat)).0, Code::NotFound);
    println!("files: fine");
}

fn watching(host: &mut Host) {
    say(host, "mkdir /tmp/w", "");
    let stream = host.open(request::Of::Watch(Watch { path: b"/tmp/w".to_vec(), user: USER.to_owned(), recursive: true, ..Default::default() }));
    assert!(matches!(host.reply(stream), reply::Of::Done(_)));
    say(host, "mkdir /tmp/w/d; sleep 0.2; echo x > /tmp/w/d/f; mv /tmp/w/d/f /tmp/w/g; chmod 600 /tmp/w/g; rm /tmp/w/g", "");
    let mut seen = Vec::new();
    while seen.last() != Some(&(Kind::Removed, "g".to_owned())) {
        let reply::Of::Event(event) = host.reply(stream) else { panic!("not an event") };
        seen.push((event.kind(), String::from_utf8_lossy(&event.path).into_owned()));
    }
    host.close(stream);
    println!("watch: {seen:?}");
    // A write of the agent itself.
    let stream = host.open(request::Of::Watch(Watch { path: b"/tmp/w".to_vec(), user: USER.to_owned(), recursive: false, ..Default::default() }));
    assert!(matches!(host.reply(stream), reply::Of::Done(_)));
    let write = host.open(request::Of::Write(Write { path: b"/tmp/w/h".to_vec(), user: USER.to_owned(), mode: 0, ..Default::default() }));
    host.feed(write, b"x");
    assert!(matches!(host.reply(write), reply::Of::File(_)));
    for kind in [Kind::Created, Kind::Attributes, Kind::Written] {
        let reply::Of::Event(event) = host.reply(stream) else { panic!("not an event") };
        assert_eq!((event.kind(), event.path.as_slice()), (kind, &b"h"[..]));
    }
    host.close(stream);
}

fn ports(host: &mut Host) {
    let server = "import socket; s=socket.create_server(('127.0.0.1',8080)); print('up',flush=True); c,_=s.accept(); c.sendall(c.recv(100).upper()); c.close()";
    let stream = host.open(request::Of::Start(start(&["python3", "-c", server])));
    while !matches!(host.next(stream), Got::Data(..)) {}
    let dial = host.open(request::Of::Dial(Dial { port: 8080 }));
    host.data(dial, b"hello");
    assert!(matches!(host.next(dial), Got::Reply(reply::Of::Done(_))));
    assert_eq!(host.next(dial), Got::Data(1, b"HELLO".to_vec()));
    assert_eq!(host.next(dial), Got::End(1));
    host.end(dial);
    assert_eq!(host.next(dial), Got::Close);
    host.outcome(stream);
    assert_eq!(host.ask_for_failure(request::Of::Dial(Dial { port: 1 })).0, Code::ConnectionRefused);
    println!("ports: fine");
}

fn processes(host: &mut Host) {
    let bomb = "import os,errno\nn=0\ntry:\n  while n<400:\n    p=os.fork()\n    if p==0:\n      import time; time.sleep(30); os._exit(0)\n    n+=1\n  print('no limit after',n)\nexcept OSError as e: print(n, errno.errorcode[e.errno])\nos.killpg(0,9) if False else None\nimport signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.killpg(0,15)";
    for user in [USER, "root"] {
        let limits = vec![ResourceLimit { resource: PROCESSES, value: 20 }];
        let outcome = host.run(Start { user: user.to_owned(), limits, ..start(&["python3", "-c", bomb]) });
        let text = [outcome.stdout, outcome.stderr].concat();
        println!("limit of 20 processes for {user}: {}", String::from_utf8_lossy(&text).trim());
    }
}

fn coming_back(host: &mut Host) {
    let stream = host.open(request::Of::Start(shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done")));
    while !matches!(host.next(stream), Got::Data(..)) {}
    host.reconnect();
    // Beside it there are those that have ended lately.
    let id = host.hello.commands.iter().map(|command| command.id).max().unwrap();
    let attach = caisson_agent::proto::Attach { id, stdout_offset: 2, stderr_offset: 0 };
    let stream = host.open(request::Of::Attach(attach));
    assert_eq!(host.outcome(stream).stdout, b"2\n3\n4\n5\n6\n");
    println!("coming back: fine");
}
