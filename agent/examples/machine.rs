//! Checks an agent that is the first process of a machine, in QEMU: `cargo run --release --example machine -- FOLDER` as root. FOLDER holds `vmlinux`,
//! `initramfs.cpio`, `root.erofs` and `disk.img`; files, sockets and a network namespace of its own are made below it. Prints what it saw; panics at what is wrong.
#![allow(clippy::unwrap_used)]

#[path = "../tests/host/mod.rs"]
mod host;

use caisson_agent::proto::{Address, Adopt, Awakening, Network, ResourceLimit, Start, reply, request};
use host::{Host, shell};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BOOT: Duration = Duration::from_secs(60);
/// Seconds that an agent lives without its host.
const GRACE: u32 = 3;
const PORT: &str = "caisson.agent";

/// A QEMU of ours; ends with this.
struct Machine {
    namespace: String,
    process: Child,
    qmp: BufReader<UnixStream>,
}

impl Machine {
    fn start(at: &Path, name: &str, from: &[String]) -> Self {
        let file = |name: &str| at.join(name).display().to_string();
        let namespace = format!("caisson-{name}");
        let network = format!(
            "ip netns del {namespace} 2>/dev/null; ip netns add {namespace} && ip -n {namespace} tuntap add tap0 mode tap && \
             ip -n {namespace} address add 10.0.0.1/30 dev tap0 && ip -n {namespace} address add fd00::1/126 dev tap0 nodad && ip -n {namespace} link set tap0 up"
        );
        assert!(Command::new("sh").args(["-c", &network]).status().unwrap().success());
        let devices = [
            format!("id=root,file={},format=raw,if=none,readonly=on", file("root.erofs")),
            format!("id=disk,file={},format=raw,if=none,cache=unsafe", file(&format!("{name}.img"))),
        ];
        let memory = from.iter().find_map(|word| word.strip_prefix("memory=")).unwrap().to_owned();
        let qmp = file(&format!("{name}.qmp"));
        let _ = std::fs::remove_file(&qmp);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &namespace, "qemu-system-x86_64", "-M"]);
        command.arg("microvm,x-option-roms=off,pit=off,pic=off,isa-serial=on,rtc=on,acpi=on,memory-backend=ram");
        command.args(["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "256", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot"]);
        command.args(["-object", &memory, "-serial"]).arg(format!("file:{}", file(&format!("{name}.log"))));
        command.args(["-drive", &devices[0], "-device", "virtio-blk-device,drive=root", "-drive", &devices[1], "-device", "virtio-blk-device,drive=disk"]);
        command.args(["-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-device,netdev=net,mac=52:54:00:12:34:56"]);
        command.args(["-device", "virtio-serial-device", "-chardev"]);
        command.arg(format!("socket,id=agent,path={},reconnect=1", file(&format!("{name}.sock"))));
        command.arg("-device").arg(format!("virtserialport,chardev=agent,name={PORT},id=agentport"));
        command.arg("-qmp").arg(format!("unix:{qmp},server=on,wait=off"));
        command.args(from.iter().filter(|word| !word.starts_with("memory=")));
        // A panic aborts us, and must not leave it behind.
        // SAFETY: one system call without memory effects.
        unsafe { command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        };
        let process = command.stdin(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + BOOT;
        let stream = loop {
            match UnixStream::connect(&qmp) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let mut machine = Self { namespace, process, qmp: BufReader::new(stream) };
        machine.line();
        machine.ask(r#"{"execute":"qmp_capabilities"}"#);
        machine
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.qmp.read_line(&mut line).unwrap();
        line
    }

    fn ready(&self) -> bool {
        let socket = self.qmp.get_ref();
        let mut polled = [rustix::event::PollFd::new(socket, rustix::event::PollFlags::IN)];
        !self.qmp.buffer().is_empty() || rustix::event::poll(&mut polled, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
    }

    fn ask(&mut self, command: &str) -> String {
        self.qmp.get_mut().write_all(command.as_bytes()).unwrap();
        loop {
            let line = self.line();
            assert!(!line.is_empty() && !line.contains("\"error\""), "{command}: {line}");
            if line.contains("\"return\"") {
                return line;
            }
        }
    }

    fn wait_for(&mut self, command: &str, what: &str) {
        while !self.ask(command).contains(what) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

const IGNORE: &str = r#"{"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":"x-ignore-shared","state":true}]}}"#;
const STATUS: &str = r#"{"execute":"query-status"}"#;

struct Lab {
    at: PathBuf,
}

impl Lab {
    fn listen(&self, name: &str) -> UnixListener {
        let socket = self.at.join(format!("{name}.sock"));
        let _ = std::fs::remove_file(&socket);
        UnixListener::bind(socket).unwrap()
    }

    fn copy_disk(&self, from: &str, name: &str) {
        let path = |name: &str| self.at.join(format!("{name}.img"));
        assert!(Command::new("cp").arg("--sparse=always").args([path(from), path(name)]).status().unwrap().success());
    }

    fn boot(&self) -> (Machine, Host) {
        let listener = self.listen("template");
        self.copy_disk("disk", "template");
        let khz = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let mhz: f64 = khz.lines().find(|line| line.starts_with("cpu MHz")).and_then(|line| line.split(": ").nth(1)).unwrap().parse().unwrap();
        let line = format!(
            "quiet panic=-1 reboot=t init_on_alloc=0 cryptomgr.notests random.trust_cpu=on rdinit=/init tsc_early_khz={0} lpj={1} no_timer_check \
             console=ttyS0 caisson.home=port:{PORT}",
            (mhz * 1000.0) as u64,
            (mhz * 4000.0) as u64
        );
        let file = |name: &str| self.at.join(name).display().to_string();
        let memory = format!("memory=memory-backend-file,id=ram,size=256M,mem-path={},share=on", file("ram"));
        let words = [memory, "-kernel".into(), file("vmlinux"), "-initrd".into(), file("initramfs.cpio"), "-append".into(), line];
        let before = Instant::now();
        let machine = Machine::start(&self.at, "template", &words);
        let host = Host::on(listener, 0, BOOT);
        println!("start of the VMM -> hello: {} ms", before.elapsed().as_millis());
        (machine, host)
    }

    fn freeze(&self, mut machine: Machine) {
        machine.ask(IGNORE);
        machine.ask(r#"{"execute":"stop"}"#);
        machine.ask(&format!(r#"{{"execute":"migrate","arguments":{{"uri":"exec:cat > {}"}}}}"#, self.at.join("state").display()));
        machine.wait_for(r#"{"execute":"query-migrate"}"#, "completed");
        machine.ask(r#"{"execute":"quit"}"#);
        machine.process.wait().unwrap();
    }

    /// A copy that says hello, and how long that took from when it was let go on.
    fn wake(&self, name: &str, late: bool) -> (Machine, Host, Duration) {
        self.copy_disk("template", name);
        let listener = if late { None } else { Some(self.listen(name)) };
        let memory = format!("memory=memory-backend-file,id=ram,size=256M,mem-path={},share=off", self.at.join("ram").display());
        let mut machine = Machine::start(&self.at, name, &[memory, "-incoming".into(), "defer".into()]);
        machine.ask(IGNORE);
        machine.ask(&format!(r#"{{"execute":"migrate-incoming","arguments":{{"uri":"exec:cat {}"}}}}"#, self.at.join("state").display()));
        while machine.ask(STATUS).contains("inmigrate") {}
        machine.ask(r#"{"execute":"cont"}"#);
        let before = Instant::now();
        let host = Host::on(listener.unwrap_or_else(|| self.listen(name)), GRACE, BOOT);
        (machine, host, before.elapsed())
    }
}

fn say(host: &mut Host, script: &str) -> String {
    let outcome = host.run(Start { user: "root".to_owned(), ..shell(script) });
    String::from_utf8_lossy(&[outcome.stdout, outcome.stderr].concat()).trim().to_owned()
}

fn adopt(host: &mut Host, id: u8) -> Duration {
    let mut entropy = vec![0; 64];
    std::fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut entropy)).unwrap();
    let v6 = |last: u8| [&[0xfd][..], &[0; 14], &[last]].concat();
    let addresses = vec![Address { address: vec![10, 0, 0, 2], prefix: 30 }, Address { address: v6(2), prefix: 126 }];
    let network = Some(Network { addresses, gateways: vec![vec![10, 0, 0, 1], v6(1)] });
    let adopt = Adopt {
        hostname: format!("copy-{id}"),
        time_nanos: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64,
        entropy,
        awakening: Some(Awakening { machine_id: vec![id; 16], boot_id: vec![id; 16], network }),
        ..Default::default()
    };
    let before = Instant::now();
    let answer = host.ask(request::Of::Adopt(adopt));
    assert!(matches!(answer, reply::Of::Done(_)), "{answer:?}");
    before.elapsed()
}

const LOOK: &str = "cat /etc/machine-id /proc/sys/kernel/random/boot_id; hostname; head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid; date +%s.%N";

fn template(lab: &Lab) {
    let (mut machine, mut host) = lab.boot();
    println!("{}", say(&mut host, "uname -r; cut -d' ' -f1-4 /proc/mounts; ls /.caisson; ls -ld /dev/shm /dev/vd*; env; ulimit -Hn; ulimit -Sn; cat /proc/1/cmdline"));
    println!("{}", say(&mut host, "for p in dmesg_restrict kptr_restrict unprivileged_bpf_disabled panic_on_oops; do echo $p $(cat /proc/sys/kernel/$p); done"));
    println!("protected: {}", say(&mut host, "cat /proc/1/oom_score_adj /proc/self/oom_score_adj; sh -c 'cat /proc/self/oom_score_adj'; grep -E 'VmRSS|VmHWM' /proc/1/status"));
    println!("memory: {}", say(&mut host, "head -n 3 /proc/meminfo"));
    for _ in 0..3 {
        let before = Instant::now();
        // QEMU dials again after a second.
        host.reconnect();
        println!("broken connection -> hello: {} ms", before.elapsed().as_millis());
    }
    say(&mut host, "python3 -c 'import json, os'");
    // What the port has told so far.
    while machine.ready() {
        machine.line();
    }
    let _ = std::fs::remove_file(lab.at.join("template.sock"));
    host.hang_up();
    // It has let the old connection go, and opened the port again for whoever comes.
    while !machine.line().contains(r#""open": true"#) {}
    lab.freeze(machine);
}

/// The machine stands still while its host goes and another comes.
fn exchange(lab: &Lab, name: &str, machine: &mut Machine, host: Host, what: &str) -> Host {
    let listener = lab.listen(name);
    machine.ask(r#"{"execute":"stop"}"#);
    host.hang_up();
    // Long enough for QEMU to dial the next one.
    std::thread::sleep(Duration::from_millis(1500));
    machine.ask(r#"{"execute":"cont"}"#);
    let before = Instant::now();
    let host = Host::on(listener, 30, BOOT);
    println!("another host while it stood still, {what} -> hello: {:.1} ms", before.elapsed().as_secs_f64() * 1e3);
    host
}

/// Nothing that a user starts can take the agent along.
fn greedy(host: &mut Host) {
    let eat = "a=[]\nwhile True: a.append(bytearray(1<<20)); a[-1][::4096]=b'x'*256";
    let outcome = host.run(Start { user: "root".to_owned(), ..host::start(&["python3", "-c", eat]) });
    assert_eq!(outcome.exited.signal, 9, "{}", String::from_utf8_lossy(&outcome.stderr));
    let fork = "import os,time\nn=0\ntry:\n  while True:\n    if os.fork()==0: time.sleep(1000)\n    n+=1\nexcept OSError as e: print(n, e, flush=True)\nos.killpg(0,9)";
    let limits = vec![ResourceLimit { resource: 6, value: 200 }];
    let outcome = host.run(Start { user: "1000".to_owned(), limits, ..host::start(&["python3", "-c", fork]) });
    println!("greedy: killed; bomb: {} signal {}", String::from_utf8_lossy(&outcome.stdout).trim(), outcome.exited.signal);
    assert_eq!(say(host, "echo fine"), "fine");
}

fn main() {
    let lab = Lab { at: PathBuf::from(std::env::args().nth(1).expect("usage: machine FOLDER")) };
    template(&lab);
    let mut seen = Vec::new();
    let mut copies = Vec::new();
    for id in 1..=2 {
        let (machine, mut host, time) = lab.wake(&format!("copy{id}"), false);
        println!("cont -> hello: {:.1} ms", time.as_secs_f64() * 1e3);
        println!("adopt: {:.1} ms", adopt(&mut host, id).as_secs_f64() * 1e3);
        let before = Instant::now();
        assert_eq!(say(&mut host, "echo hi"), "hi");
        println!("echo: {:.1} ms, again {:.1} ms", before.elapsed().as_secs_f64() * 1e3, adopt(&mut host, id).as_secs_f64() * 1e3);
        let look = say(&mut host, LOOK);
        println!("{look}");
        println!("{}", say(&mut host, "cat /proc/net/route; python3 -c 'import socket; s=socket.socket(); s.settimeout(5); print(s.connect_ex((\"10.0.0.1\", 9)))'"));
        seen.push(look);
        copies.push((machine, host));
    }
    for (one, other) in seen[0].lines().zip(seen[1].lines()) {
        assert_ne!(one, other);
    }
    let (mut machine, mut host) = copies.pop().unwrap();
    greedy(&mut host);
    host = exchange(&lab, "copy2", &mut machine, host, "idle");
    let stream = host.open(request::Of::Start(shell("while echo again; do :; done")));
    while !matches!(host.next(stream), host::Got::Data(..)) {}
    host = exchange(&lab, "copy2", &mut machine, host, "with a command that talks");
    assert_eq!(say(&mut host, "echo fine"), "fine");
    let before = Instant::now();
    host.open(request::Of::Start(Start { user: "root".to_owned(), ..shell("kill 1; sleep 100") }));
    while !machine.ended() {
        assert!(before.elapsed() < host::PATIENCE, "it goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("asked to end -> the VMM has ended: {} ms", before.elapsed().as_millis());
    for _ in 0..8 {
        let (_machine, mut host, time) = lab.wake("copy3", false);
        adopt(&mut host, 3);
        println!("cont -> hello: {:.1} ms", time.as_secs_f64() * 1e3);
    }
    let (mut machine, host, time) = lab.wake("copy3", true);
    println!("a host that comes later, after the VMM -> hello: {:.1} ms", time.as_secs_f64() * 1e3);
    std::fs::remove_file(lab.at.join("copy3.sock")).unwrap();
    host.hang_up();
    let before = Instant::now();
    host::eventually("the machine ends", || machine.ended());
    println!("a host that stays away for {GRACE} s -> the VMM has ended: {} ms", before.elapsed().as_millis());
}
