//! Measures an agent by playing its host: `cargo run --release --example measure -- SOCKET [round-trip [PAUSE_MS]]`, then start an agent (in a sandbox or not) that dials
//! SOCKET. Prints one line for each figure. What the platform adds is measured against these.
#![allow(clippy::unwrap_used)]

#[path = "../tests/host/mod.rs"]
mod host;

use caisson_agent::proto::{Read, Start, Write, reply, request};
use host::{Got, Host, start};
use std::time::{Duration, Instant};

const ROUNDS: usize = 300;
const STREAMED: usize = 2 << 30;
const COPIED: usize = 256 << 20;

fn main() {
    let socket = std::env::args().nth(1).expect("usage: measure SOCKET");
    let mut host = Host::listen(std::path::Path::new(&socket), Duration::from_secs(60));
    if std::env::args().nth(2).as_deref() == Some("round-trip") {
        let pause = std::env::args().nth(3).map_or(0, |millis| millis.parse().expect("a number of milliseconds"));
        return bare_round_trip(&mut host, Duration::from_millis(pause));
    }
    round_trips(&mut host, "start of /bin/true, to its end", || start(&["/bin/true"]));
    round_trips(&mut host, "the same as uid 1000", || Start { user: "1000".to_owned(), ..start(&["/bin/true"]) });
    round_trips(&mut host, "the same with a terminal", || Start {
        terminal: Some(caisson_agent::proto::Terminal { columns: 80, rows: 24 }),
        ..start(&["/bin/true"])
    });
    report("stat of a file", (0..ROUNDS).map(|_| timed(|| drop(host.ask(request::Of::Stat(stat()))))).collect());
    report("ping", (0..ROUNDS).map(|_| timed(|| host.settle())).collect());
    let stream = host.open(request::Of::Start(start(&["head", "-c", &STREAMED.to_string(), "/dev/zero"])));
    throughput(&mut host, stream, "stdout", STREAMED);
    let stream =
        host.open(request::Of::Start(start(&["dd", "if=/dev/zero", "bs=64k", &format!("count={}", STREAMED >> 16), "status=none"])));
    throughput(&mut host, stream, "stdout in pieces of 64 KiB", STREAMED);
    let inside = host.run(start(&["bash", "-c", "TIMEFORMAT=%R; time head -c 268435456 /dev/zero | dd bs=256k of=/dev/null status=none"]));
    let seconds: f64 = String::from_utf8_lossy(&inside.stderr).trim().parse().unwrap();
    println!("head into a pipe of its own, without the agent: {:.0} MB/s", 268.435_456 / seconds);
    let path = b"/tmp/caisson-measure".to_vec();
    let content = vec![7; COPIED];
    let before = Instant::now();
    let stream = host.open(request::Of::Write(Write { path: path.clone(), ..Default::default() }));
    host.feed(stream, &content);
    assert!(matches!(host.reply(stream), reply::Of::File(_)));
    speed("write of a file", COPIED, before.elapsed());
    assert_eq!(host.next(stream), Got::Close);
    host.close(stream);
    let stream = host.open(request::Of::Read(Read { path: path.clone(), ..Default::default() }));
    throughput(&mut host, stream, "read of a file", COPIED);
    drop(host.ask(request::Of::Remove(caisson_agent::proto::Remove { path, ..Default::default() })));
}

/// For `caisson bench`: milliseconds p50 of starting `true` as the templates' user, and hearing of its end, each after a pause.
fn bare_round_trip(host: &mut Host, pause: Duration) {
    let mut round_trip = || {
        std::thread::sleep(pause);
        timed(|| assert_eq!(host.run(Start { user: "user".to_owned(), ..start(&["true"]) }).exited.status, 0))
    };
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round_trip()).collect();
    times.sort();
    println!("{:.3}", times[times.len() / 2].as_secs_f64() * 1000.0);
}

fn stat() -> caisson_agent::proto::Stat {
    caisson_agent::proto::Stat { path: b"/etc/passwd".to_vec(), ..Default::default() }
}

fn timed(act: impl FnOnce()) -> Duration {
    let before = Instant::now();
    act();
    before.elapsed()
}

fn round_trips(host: &mut Host, what: &str, start: impl Fn() -> Start) {
    report(what, (0..ROUNDS).map(|_| timed(|| assert_eq!(host.run(start()).exited.status, 0))).collect());
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[times.len() * percent / 100].as_micros();
    println!("{what}: p50 {} us, p95 {} us", at(50), at(95));
}

fn throughput(host: &mut Host, stream: u32, what: &str, bytes: usize) {
    let (before, mut count) = (Instant::now(), 0);
    loop {
        match host.next(stream) {
            Got::Data(_, bytes) => count += bytes.len(),
            Got::Close => break,
            Got::Reset(why) => panic!("{why}"),
            _ => {}
        }
    }
    assert_eq!(count, bytes);
    speed(what, bytes, before.elapsed());
    host.close(stream);
}

fn speed(what: &str, bytes: usize, time: Duration) {
    println!("{what}: {:.0} MB/s", bytes as f64 / time.as_secs_f64() / 1e6);
}
