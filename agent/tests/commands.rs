//! Commands: what they say, get, and how they end.
#![allow(clippy::unwrap_used)]

mod host;

use caisson_agent::frame::{START, WINDOW as WINDOW_BYTES};
use caisson_agent::proto::failed::Code;
use caisson_agent::proto::{Attach, Commands, Forget, Input, Resize, ResourceLimit, Signal, Start, Terminal, reply, request};
use host::{Got, Host, eventually, shell, start, state_of};

fn user(name: &str, start: Start) -> Start {
    Start { user: name.to_owned(), ..start }
}

/// Running, or ended and not heard of.
fn unheard(host: &mut Host) -> Vec<caisson_agent::proto::Command> {
    held(host).into_iter().filter(|command| command.exited.is_none()).collect()
}

fn held(host: &mut Host) -> Vec<caisson_agent::proto::Command> {
    match host.ask(request::Of::Commands(Commands { brief: false })) {
        reply::Of::Commands(list) => list.commands,
        other => panic!("{other:?}"),
    }
}

#[test]
fn echo_is_told_and_then_forgotten() {
    let mut host = Host::start();
    let outcome = host.run(start(&["echo", "hello"]));
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (&b"hello\n"[..], &b""[..]));
    assert_eq!((outcome.exited.status, outcome.exited.signal), (0, 0));
    assert_eq!(unheard(&mut host), []);
}

#[test]
fn streams_are_separate_and_the_status_is_the_commands_own() {
    let mut host = Host::start();
    let outcome = host.run(shell("echo out; echo err >&2; exit 42"));
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(outcome.exited.status, 42);
}

/// What comes on a stream, one word each, until the command has been told of and its first output or end with it.
fn order(host: &mut Host, stream: u32) -> Vec<&'static str> {
    let mut words = Vec::new();
    while !matches!(words.last(), Some(&"data" | &"exited")) {
        match host.next(stream) {
            Got::Reply(reply::Of::Started(_)) => words.push("started"),
            Got::Reply(reply::Of::Exited(_)) => words.push("exited"),
            Got::Data(..) => words.push("data"),
            Got::End(_) => {}
            other => panic!("{other:?}"),
        }
    }
    words
}

#[test]
fn the_start_of_a_batched_command_is_always_told_first() {
    let mut host = Host::start();
    for script in ["true", "echo at once", "sleep 0.01; echo later", "sleep 0.1; echo much later", "exec >&- 2>&-; sleep 0.1"] {
        for terminal in [None, Some(Terminal { columns: 80, rows: 24 })] {
            let stream = host.open(request::Of::Start(Start { batched: true, terminal, ..shell(script) }));
            let words = order(&mut host, stream);
            assert!(words == ["started", "data"] || words == ["started", "exited"], "{script}: {words:?}");
        }
    }
}

#[test]
fn the_start_of_a_silent_batched_command_is_told_while_it_runs() {
    let mut host = Host::start();
    let stream = host.open(request::Of::Start(Start { batched: true, stdin: true, ..start(&["cat"]) }));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    host.feed(stream, b"heard");
    assert_eq!(host.outcome(stream).stdout, b"heard");
}

#[test]
fn stdin_comes_back_byte_exact_whatever_its_size() {
    let mut host = Host::start();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let stream = host.open(request::Of::Start(Start { stdin: true, ..start(&["cat"]) }));
    host.feed(stream, &bytes);
    let outcome = host.outcome(stream);
    assert!(outcome.stdout == bytes, "{} bytes came back", outcome.stdout.len());
}

#[test]
fn stdin_that_nobody_reads_holds_the_host_back() {
    let mut host = Host::start();
    let stream = host.open(request::Of::Start(Start { stdin: true, ..shell("read line; echo $line; exec sleep 100") }));
    host.data(stream, b"first\n");
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    assert_eq!(host.next(stream), Got::Data(1, b"first\n".to_vec()));
    let mut sent = 6;
    while sent < WINDOW_BYTES as u64 + host.credit_for(stream) {
        host.data(stream, &[b'x'; 10_000]);
        sent += 10_000;
        host.settle();
    }
    assert!(sent < WINDOW_BYTES as u64 + 65_536 + 65_536 + 10_000, "{sent}: the window and what a pipe holds");
    // The agent gives no credit for what it could not pass on: one frame more breaks the rule.
    host.data(stream, b"y");
    assert!(host.is_cut_off());
}

#[test]
fn stdin_after_its_reader_is_gone_is_swallowed() {
    let mut host = Host::start();
    let stream = host.open(request::Of::Start(Start { stdin: true, ..shell("exec <&-; sleep 0.3; echo done") }));
    host.feed(stream, &vec![1; 2_000_000]);
    assert_eq!(host.outcome(stream).stdout, b"done\n");
}

#[test]
fn ten_megabytes_survive_a_small_window() {
    let mut host = Host::start();
    host.generous = false;
    let script = "i=0; while [ $i -lt 10 ]; do head -c 1000000 /dev/zero | tr '\\0' \"$i\"; i=$((i+1)); done";
    let stream = host.open(request::Of::Start(shell(script)));
    host.credit(stream, 1, (WINDOW_BYTES - START) as u32);
    let (mut all, mut unpaid) = (Vec::new(), 0usize);
    loop {
        match host.next(stream) {
            Got::Data(1, bytes) => {
                unpaid += bytes.len();
                assert!(unpaid < WINDOW_BYTES as usize + 65_536, "more than the window and a frame");
                all.extend(bytes);
                if unpaid >= WINDOW_BYTES as usize {
                    host.credit(stream, 1, unpaid as u32);
                    unpaid = 0;
                }
            }
            Got::Reply(reply::Of::Exited(exited)) => assert_eq!(exited.status, 0),
            Got::Close => break,
            _ => {}
        }
    }
    assert_eq!(all.len(), 10_000_000);
    assert!(all.chunks(1_000_000).enumerate().all(|(at, part)| part.iter().all(|byte| *byte == b'0' + at as u8)));
}

#[test]
fn environment_has_defaults_then_the_sandboxs_then_the_commands() {
    let mut host = Host::start();
    let env = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let adopt =
        caisson_agent::proto::Adopt { env: env(&[("A", "sandbox"), ("B", "sandbox")]), user: "nobody".to_owned(), ..Default::default() };
    assert_eq!(host.ask(request::Of::Adopt(adopt)), reply::Of::Done(caisson_agent::proto::Done { changed: true }));
    let outcome = host
        .run(Start { env: env(&[("B", "command"), ("LANG", "de")]), ..shell("id -un; echo $A $B $LANG $USER $LOGNAME $HOME; echo $PATH") });
    assert_eq!(
        String::from_utf8(outcome.stdout).unwrap(),
        "nobody\nsandbox command de nobody nobody /nonexistent\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    );
    assert_eq!(host.run(user("root", shell("id -un; pwd"))).stdout, b"root\n/root\n");
    host.reconnect();
    assert!(host.hello.adopted);
    let bad = Start { env: env(&[("A=B", "x")]), ..start(&["true"]) };
    assert_eq!(host.ask_for_failure(request::Of::Start(bad)).0, Code::Invalid);
}

#[test]
fn a_user_has_its_groups_and_no_others() {
    let mut host = Host::start();
    let outcome = host.run(user("nobody", start(&["id"])));
    let id = std::process::Command::new("id").arg("nobody").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&id.stdout));
    let number = host.run(user("4242", shell("id -u; id -g; id -G; pwd")));
    assert_eq!(number.stdout, b"4242\n4242\n4242\n/\n");
}

#[test]
fn a_command_begins_clean() {
    let mut host = Host::start();
    let outcome = host
        .run(shell("ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status; cat /proc/self/oom_score_adj; ulimit -n; umask"));
    let text = String::from_utf8(outcome.stdout).unwrap();
    let mut nofile = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a live struct.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut nofile) };
    // 0, 1, 2 and the one that ls reads with.
    let expected = format!("4\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n500\n{}\n0022\n", nofile.rlim_cur);
    assert_eq!(text, expected);
}

#[test]
fn failures_to_start_say_why() {
    let mut host = Host::start();
    let mut failure = |start: Start| {
        let (code, message) = host.ask_for_failure(request::Of::Start(start));
        (code, message)
    };
    let (code, message) = failure(start(&["no-such-program"]));
    assert_eq!(code, Code::ProgramNotFound);
    assert!(message.contains("no-such-program"), "{message}");
    assert_eq!(failure(start(&["/etc/passwd/x"])).0, Code::ProgramNotFound);
    assert_eq!(failure(start(&["/etc/passwd"])).0, Code::Denied);
    assert_eq!(failure(start(&["/root"])).0, Code::Denied);
    assert_eq!(failure(start(&[])).0, Code::Invalid);
    assert_eq!(failure(start(&["true", "a\0b"])).0, Code::Invalid);
    assert_eq!(failure(user("nobody-here", start(&["true"]))).0, Code::UserNotFound);
    let (code, message) = failure(Start { cwd: b"/etc/passwd".to_vec(), ..start(&["true"]) });
    assert_eq!(code, Code::Invalid);
    assert!(message.contains("/etc/passwd") && message.contains("true") && message.contains("is not a directory"), "{message}");
    let (code, message) = failure(Start { cwd: b"/nowhere".to_vec(), ..start(&["true"]) });
    assert_eq!((code, message.as_str()), (Code::Invalid, "start \"true\": its working directory \"/nowhere\" does not exist"));
    assert_eq!(failure(user("nobody", Start { cwd: b"/root".to_vec(), ..start(&["true"]) })).0, Code::Invalid);
    assert_eq!(failure(Start { id: 0, ..start(&["true"]) }).0, Code::Exists);
    let limit = ResourceLimit { resource: 99, value: 1 };
    assert_eq!(failure(Start { limits: vec![limit], ..start(&["true"]) }).0, Code::Invalid);
    assert_eq!(unheard(&mut host), []);
}

#[test]
fn an_empty_path_finds_nothing_and_scripts_need_no_first_line() {
    let mut host = Host::start();
    let env = [("PATH".to_owned(), "/nowhere".to_owned())].into();
    assert_eq!(host.ask_for_failure(request::Of::Start(Start { env, ..start(&["true"]) })).0, Code::ProgramNotFound);
    let script = host.folder.join("script");
    std::fs::write(&script, "echo it is $1").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(host.run(start(&[script.to_str().unwrap(), "fine"])).stdout, b"it is fine\n");
}

#[test]
fn limits_hold() {
    let mut host = Host::start();
    let limits = vec![ResourceLimit { resource: 7, value: 33 }, ResourceLimit { resource: 1, value: 4096 }];
    let outcome = host.run(Start { limits, ..shell("ulimit -n; ulimit -Hn; trap '' XFSZ; head -c 9999 /dev/zero > /tmp/caisson-limit-test; wc -c < /tmp/caisson-limit-test; rm /tmp/caisson-limit-test") });
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "33\n33\n4096\n");
    let one = vec![ResourceLimit { resource: 6, value: 1 }];
    let outcome = host.run(user("4243", Start { limits: one, ..shell("(true); sleep 0 & echo never") }));
    assert_ne!(outcome.exited.status, 0, "{outcome:?}");
}

#[test]
fn a_terminal_is_one() {
    let mut host = Host::start();
    let terminal = Some(Terminal { columns: 77, rows: 33 });
    let id = {
        let start = Start { terminal, stdin: true, ..shell("tty; stty size; echo $TERM; read a; stty size; echo got $a; cat; exit 3") };
        let id = start.id;
        let stream = host.open(request::Of::Start(start));
        assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
        let mut seen = String::new();
        while !seen.contains("xterm-256color\r\n") {
            if let Got::Data(1, bytes) = host.next(stream) {
                seen += &String::from_utf8(bytes).unwrap();
            }
        }
        assert!(seen.starts_with("/dev/pts/") && seen.contains("33 77"), "{seen}");
        let resize = Resize { id, terminal: Some(Terminal { columns: 100, rows: 50 }) };
        assert!(matches!(host.ask(request::Of::Resize(resize)), reply::Of::Done(_)));
        host.data(stream, b"line\nno newline at the end");
        host.end(stream);
        let outcome = host.outcome(stream);
        let text = String::from_utf8(outcome.stdout).unwrap();
        assert!(text.contains("50 100\r\ngot line\r\n") && text.contains("no newline at the end"), "{text}");
        assert_eq!(outcome.exited.status, 3);
        id
    };
    let resize = Resize { id, terminal };
    assert_eq!(host.ask_for_failure(request::Of::Resize(resize)).0, Code::NoSuchCommand);
}

#[test]
fn control_c_in_a_terminal_is_a_signal() {
    let mut host = Host::start();
    let terminal = Some(Terminal { columns: 80, rows: 24 });
    let stream = host.open(request::Of::Start(Start { terminal, stdin: true, ..shell("echo ready; exec sleep 100") }));
    while !matches!(host.next(stream), Got::Data(..)) {}
    host.data(stream, &[3]);
    assert_eq!(host.outcome(stream).exited.signal, 2);
}

#[test]
fn signals_reach_the_whole_group_or_one() {
    let mut host = Host::start();
    let start = shell("sleep 100 & echo $!; wait");
    let id = start.id;
    let stream = host.open(request::Of::Start(start));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    let Got::Data(1, child) = host.next(stream) else { panic!("no pid") };
    let child: u32 = String::from_utf8(child).unwrap().trim().parse().unwrap();
    let signal = |signal, group| request::Of::Signal(Signal { id, signal, group });
    assert_eq!(host.ask_for_failure(signal(99, true)).0, Code::Invalid);
    assert!(matches!(host.ask(signal(9, true)), reply::Of::Done(_)));
    let outcome = host.outcome(stream);
    assert_eq!((outcome.exited.signal, outcome.exited.status), (9, 0));
    eventually("the group's other process is gone", || state_of(child).is_none());
    assert_eq!(host.ask_for_failure(signal(15, true)).0, Code::NoSuchCommand);

    let start = shell("trap 'echo alone' TERM; echo ready; sleep 0.2 & wait; wait; exit 5");
    let id = start.id;
    let stream = host.open(request::Of::Start(start));
    while !matches!(host.next(stream), Got::Data(..)) {}
    assert!(matches!(host.ask(request::Of::Signal(Signal { id, signal: 15, group: false })), reply::Of::Done(_)));
    let outcome = host.outcome(stream);
    assert_eq!((outcome.stdout.as_slice(), outcome.exited.status), (&b"alone\n"[..], 5));
}

#[test]
fn a_command_goes_on_without_the_host_and_nothing_of_it_is_lost() {
    let mut host = Host::start();
    let first = shell("seq 1 200000; echo end >&2; exit 6");
    let id = first.id;
    host.generous = false;
    let stream = host.open(request::Of::Start(first));
    let mut text = Vec::new();
    while text.len() < 300_000 {
        match host.next(stream) {
            Got::Data(1, bytes) => {
                host.credit(stream, 1, bytes.len() as u32);
                text.extend(bytes);
            }
            Got::Data(..) | Got::Reply(_) => {}
            other => panic!("{other:?}"),
        }
    }
    host.generous = true;
    host.reconnect();
    assert_eq!(host.hello.commands.iter().map(|command| command.id).collect::<Vec<_>>(), [id]);
    assert_eq!(host.hello.commands[0].exited, None, "a full pipe stops it");
    let attach = |out: usize, err| request::Of::Attach(Attach { id, stdout_offset: out as i64, stderr_offset: err });
    assert_eq!(host.ask_for_failure(attach(0, 1)).0, Code::Invalid);
    let stream = host.open(attach(text.len(), 0));
    let outcome = host.outcome(stream);
    text.extend(outcome.stdout);
    let expected: String = (1..=200_000).map(|n| format!("{n}\n")).collect();
    assert!(text == expected.as_bytes(), "{} of {} bytes", text.len(), expected.len());
    assert_eq!((outcome.stderr.as_slice(), outcome.exited.status), (&b"end\n"[..], 6));
    assert_eq!(host.ask_for_failure(attach(0, 0)).0, Code::OutputLost, "once heard, only a little is kept");
    let outcome = host.attach(id, -1, -1);
    assert_eq!((outcome.stdout.len(), outcome.exited.status), (0, 6));
}

#[test]
fn an_end_that_was_not_heard_is_told_again() {
    let mut host = Host::start();
    let start = shell("head -c 12000000 /dev/zero; exit 7");
    let id = start.id;
    let stream = host.open(request::Of::Start(start));
    let mut count = 0;
    loop {
        match host.next(stream) {
            Got::Data(1, bytes) => count += bytes.len(),
            Got::Close => break,
            _ => {}
        }
    }
    assert_eq!(count, 12_000_000);
    // The host breaks down before it closes its side.
    host.reconnect();
    assert_eq!(host.hello.commands[0].exited.map(|exited| exited.status), Some(7));
    let attach = |out| request::Of::Attach(Attach { id, stdout_offset: out, stderr_offset: 0 });
    assert_eq!(host.ask_for_failure(attach(1_000_000)).0, Code::OutputLost);
    let stream = host.open(attach(12_000_000 - (4 << 20)));
    let outcome = host.outcome(stream);
    assert_eq!((outcome.stdout.len(), outcome.exited.status), (4 << 20, 7));
    assert_eq!(unheard(&mut host), []);
}

#[test]
fn all_who_listen_get_the_same_and_any_may_speak() {
    let mut host = Host::start();
    let start = Start { stdin: true, ..start(&["cat"]) };
    let id = start.id;
    let first = host.open(request::Of::Start(start));
    assert!(matches!(host.next(first), Got::Reply(reply::Of::Started(_))));
    host.data(first, b"one");
    assert_eq!(host.next(first), Got::Data(1, b"one".to_vec()));
    let second = host.open(request::Of::Attach(Attach { id, stdout_offset: 1, stderr_offset: 0 }));
    let Got::Reply(reply::Of::Started(started)) = host.next(second) else { panic!("not started") };
    assert_eq!((started.stdout_offset, started.stderr_offset), (1, 0));
    let third = host.open(request::Of::Attach(Attach { id, stdout_offset: -1, stderr_offset: -1 }));
    let Got::Reply(reply::Of::Started(started)) = host.next(third) else { panic!("not started") };
    assert_eq!(started.stdout_offset, 3, "from now on");
    assert_eq!(host.next(second), Got::Data(1, b"ne".to_vec()));
    host.data(second, b"two");
    for stream in [first, second, third] {
        assert_eq!(host.next(stream), Got::Data(1, b"two".to_vec()));
    }
    host.feed(third, b"three");
    for stream in [first, second, third] {
        assert_eq!(host.outcome(stream).stdout, b"three");
    }
    // Held for those who come late.
    let late = host.attach(id, 0, 0);
    assert_eq!((late.stdout.as_slice(), late.exited.status), (&b"onetwothree"[..], 0));
    assert_eq!(host.ask_for_failure(request::Of::Attach(Attach { id, stdout_offset: -3, stderr_offset: 0 })).0, Code::Invalid);
    assert_eq!(host.ask_for_failure(request::Of::Attach(Attach { id, stdout_offset: 12, stderr_offset: 0 })).0, Code::Invalid);
}

#[test]
fn the_slowest_listener_holds_the_command_back_and_the_others_lose_nothing() {
    let mut host = Host::start();
    host.generous = false;
    let first = shell("head -c 3000000 /dev/zero; exit 4");
    let id = first.id;
    let quick = host.open(request::Of::Start(first));
    assert!(matches!(host.next(quick), Got::Reply(reply::Of::Started(_))));
    let slow = host.open(request::Of::Attach(Attach { id, stdout_offset: 0, stderr_offset: 0 }));
    assert!(matches!(host.next(slow), Got::Reply(reply::Of::Started(_))));
    host.credit(quick, 1, 10_000_000);
    host.credit(slow, 1, (WINDOW_BYTES - START) as u32);
    let mut taken = 0;
    // Only what the slow one's window takes comes through, and a frame or two.
    while taken < WINDOW_BYTES as usize {
        if let Got::Data(1, bytes) = host.next(quick) {
            taken += bytes.len();
        }
    }
    host.settle();
    assert!(taken < 2 * WINDOW_BYTES as usize, "{taken}");
    // The slow one goes away: nobody waits for it.
    host.send(&caisson_agent::frame::Frame::Reset { stream: slow, why: "enough" });
    let outcome = host.outcome(quick);
    assert_eq!((taken + outcome.stdout.len(), outcome.exited.status), (3_000_000, 4));
}

#[test]
fn there_is_a_bound_of_streams() {
    let mut host = Host::start();
    let first = Start { stdin: true, ..start(&["cat"]) };
    let id = first.id;
    let stream = host.open(request::Of::Start(first));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    let attach = request::Of::Attach(Attach { id, stdout_offset: -1, stderr_offset: -1 });
    let others: Vec<u32> = (1..32).map(|_| host.open(attach.clone())).collect();
    for other in &others {
        assert!(matches!(host.next(*other), Got::Reply(reply::Of::Started(_))));
    }
    assert_eq!(host.ask_for_failure(attach.clone()).0, Code::TooMany);
    assert_eq!(host.ask_for_failure(request::Of::Input(Input { id, end: false })).0, Code::TooMany);
    host.end(stream);
    for stream in others.into_iter().chain([stream]) {
        assert_eq!(host.outcome(stream).exited.status, 0);
    }
}

#[test]
fn output_to_be_dropped_never_stops_the_command() {
    let mut host = Host::start();
    let start = Start { drop_unread: true, tag: "flood".to_owned(), ..shell("head -c 100000000 /dev/zero; echo end; exit 3") };
    let id = start.id;
    let stream = host.open(request::Of::Start(start));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    host.send(&caisson_agent::frame::Frame::Reset { stream, why: "not interested" });
    eventually("it ends", || held(&mut host).iter().any(|command| command.exited.is_some_and(|exited| exited.status == 3)));
    assert!(held(&mut host).iter().any(|command| command.tag == "flood" && command.drop_unread));
    let lost = host.ask_for_failure(request::Of::Attach(Attach { id, stdout_offset: 0, stderr_offset: 0 }));
    assert_eq!(lost.0, Code::OutputLost);
    let outcome = host.attach(id, -2, -2);
    assert!(outcome.stdout.len() >= 4 << 20 && outcome.stdout.len() < 5 << 20 && outcome.stdout.ends_with(b"end\n"), "{}", outcome.stdout.len());
    assert_eq!(outcome.exited.status, 3);
}

#[test]
fn output_that_is_kept_stops_the_command_until_somebody_listens() {
    let mut host = Host::start();
    let start = shell("head -c 10000000 /dev/zero; exit 3");
    let id = start.id;
    host.generous = false;
    let stream = host.open(request::Of::Start(start));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    host.send(&caisson_agent::frame::Frame::Reset { stream, why: "not now" });
    host.generous = true;
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(held(&mut host)[0].exited.is_none());
    let outcome = host.attach(id, 0, 0);
    assert_eq!((outcome.stdout.len(), outcome.exited.status), (10_000_000, 3));
}

#[test]
fn input_by_a_call_is_answered_when_the_command_has_it() {
    let mut host = Host::start();
    let first = Start { stdin: true, ..shell("read a; echo $a; sleep 0.3; cat") };
    let id = first.id;
    let stream = host.open(request::Of::Start(first));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    let done = reply::Of::Done(caisson_agent::proto::Done { changed: true });
    let call = host.open(request::Of::Input(Input { id, end: false }));
    host.feed(call, b"line\n");
    assert_eq!(host.reply(call), done);
    assert_eq!(host.next(stream), Got::Data(1, b"line\n".to_vec()));
    // More than a pipe holds: it waits until the command reads.
    let large = vec![b'x'; 200_000];
    let call = host.open(request::Of::Input(Input { id, end: false }));
    host.feed(call, &large);
    assert_eq!(host.reply(call), done);
    let call = host.open(request::Of::Input(Input { id, end: true }));
    host.feed(call, b"y");
    assert_eq!(host.reply(call), done);
    let outcome = host.outcome(stream);
    assert_eq!((outcome.stdout.len(), outcome.stdout.last()), (200_001, Some(&b'y')));
    assert_eq!(host.ask_for_failure(request::Of::Input(Input { id, end: false })).0, Code::WrongState);
    assert_eq!(host.ask_for_failure(request::Of::Input(Input { id: 999_999, end: false })).0, Code::NoSuchCommand);

    let without = shell("sleep 100");
    let id = without.id;
    let stream = host.open(request::Of::Start(without));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    assert_eq!(host.ask_for_failure(request::Of::Input(Input { id, end: false })).0, Code::WrongState);

    let never = Start { stdin: true, ..shell("sleep 0.3") };
    let id = never.id;
    let stream = host.open(request::Of::Start(never));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    let call = host.open(request::Of::Input(Input { id, end: false }));
    host.feed(call, &large);
    assert!(matches!(host.reply(call), reply::Of::Failed(failed) if failed.code() == Code::WrongState), "it ended without reading");
    assert_eq!(host.outcome(stream).exited.status, 0);
}

#[test]
fn input_that_ends_its_command_is_answered_like_any() {
    let mut host = Host::start();
    let first = Start { stdin: true, ..shell("read a") };
    let id = first.id;
    let stream = host.open(request::Of::Start(first));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    let call = host.open(request::Of::Input(Input { id, end: false }));
    host.data(call, b"line\n");
    // The command has read it and is gone before the host could say that this was all.
    assert_eq!(host.outcome(stream).exited.status, 0);
    host.end(call);
    assert_eq!(host.reply(call), reply::Of::Done(caisson_agent::proto::Done { changed: true }));
}

#[test]
fn ended_commands_are_forgotten_when_told_to() {
    let mut host = Host::start();
    let start = shell("sleep 0.1; exit 1");
    let id = start.id;
    let stream = host.open(request::Of::Start(start));
    assert!(matches!(host.next(stream), Got::Reply(reply::Of::Started(_))));
    assert_eq!(host.ask_for_failure(request::Of::Forget(Forget { id })).0, Code::Invalid);
    host.send(&caisson_agent::frame::Frame::Reset { stream, why: "enough" });
    eventually("it ends", || held(&mut host).iter().any(|command| command.exited.is_some()));
    assert!(matches!(host.ask(request::Of::Forget(Forget { id })), reply::Of::Done(done) if done.changed));
    assert!(matches!(host.ask(request::Of::Forget(Forget { id })), reply::Of::Done(done) if !done.changed));
    assert_eq!(unheard(&mut host), []);
}

#[test]
fn orphans_are_reaped() {
    let mut host = Host::start();
    let outcome = host.run(shell("(sh -c 'echo $$; exec sleep 0.2' > /proc/self/fd/1 2>&1 &) ; sleep 0.05"));
    let orphan: u32 = String::from_utf8(outcome.stdout).unwrap().trim().parse().unwrap();
    eventually("the orphan is reaped", || state_of(orphan).is_none());
    for _ in 0..50 {
        host.run(shell("(true &); true"));
    }
    let agent = host.agent().id();
    eventually("no zombie is left", || {
        let children = std::fs::read_to_string(format!("/proc/{agent}/task/{agent}/children")).unwrap();
        children.trim().is_empty()
    });
}

#[test]
fn a_daemon_neither_holds_the_end_back_nor_dies_of_it() {
    let mut host = Host::start();
    let script = "sh -c 'echo $$; sleep 2; i=0; while [ $i -lt 20000 ]; do echo noise; i=$((i+1)); done; echo survived > \"$0\"' \"$0\" & sleep 0.1; echo bye";
    let flag = host.folder.join("survived");
    let before = std::time::Instant::now();
    let outcome = host.run(start(&["sh", "-c", script, flag.to_str().unwrap()]));
    assert!(before.elapsed() < std::time::Duration::from_millis(1_800), "{:?}", before.elapsed());
    assert!(outcome.stdout.ends_with(b"bye\n") && !outcome.stdout.windows(5).any(|part| part == b"noise"));
    eventually("the daemon wrote on", || std::fs::read(&flag).is_ok_and(|text| text == b"survived\n"));
}

#[test]
fn a_daemon_that_never_stops_talking_does_not_hold_the_end_back() {
    let mut host = Host::start();
    let outcome = host.run(shell("yes & echo $! >&2"));
    assert!(outcome.stdout.len() <= 4 << 20, "{}", outcome.stdout.len());
    let pid: i32 = String::from_utf8(outcome.stderr).unwrap().trim().parse().unwrap();
    assert!(state_of(pid as u32).is_some());
    // SAFETY: the process was started by this test.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

#[test]
fn the_output_of_a_command_that_ends_at_once_is_whole() {
    let mut host = Host::start();
    for _ in 0..100 {
        let outcome = host.run(shell("head -c 70000 /dev/zero; head -c 30000 /dev/zero >&2"));
        assert_eq!((outcome.stdout.len(), outcome.stderr.len()), (70_000, 30_000));
    }
}

#[test]
fn a_hundred_at_once() {
    let mut host = Host::start();
    let streams: Vec<u32> = (0..100).map(|n| host.open(request::Of::Start(shell(&format!("sleep 0.1; echo {n}; exit {n}"))))).collect();
    for (n, stream) in streams.into_iter().enumerate() {
        let outcome = host.outcome(stream);
        assert_eq!((outcome.stdout, outcome.exited.status), (format!("{n}\n").into_bytes(), n as u32));
    }
    assert_eq!(unheard(&mut host), []);
}

#[test]
fn sigterm_is_passed_on_and_what_ignores_it_is_killed() {
    let mut host = Host::start();
    let polite = host.open(request::Of::Start(shell("trap 'echo asked; exit 9' TERM; echo ready; while :; do sleep 0.05; done")));
    let deaf = host.open(request::Of::Start(shell("trap '' TERM; echo $$; while :; do sleep 0.05; done")));
    while !matches!(host.next(polite), Got::Data(..)) {}
    let deaf_pid = loop {
        if let Got::Data(1, pid) = host.next(deaf) {
            break String::from_utf8(pid).unwrap().trim().parse::<u32>().unwrap();
        }
    };
    // SAFETY: our own child.
    unsafe { libc::kill(host.agent().id() as i32, libc::SIGTERM) };
    let before = std::time::Instant::now();
    let outcome = host.outcome(polite);
    assert_eq!((outcome.stdout.as_slice(), outcome.exited.status), (&b"asked\n"[..], 9));
    assert!(host.agent().wait().unwrap().success());
    assert!((1..5).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
    eventually("the deaf one is gone", || state_of(deaf_pid).is_none_or(|state| state == 'Z'));
}
