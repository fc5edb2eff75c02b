//! `caisson-agent --socket PATH`, or `/init` of a machine of its own: see the library.

use caisson_agent::agent::Agent;
use caisson_agent::guest;
use caisson_agent::way::Way;
use std::path::PathBuf;
use std::process::ExitCode;

/// Open files that the agent itself may need: four for each running command, and more.
const FILES: u64 = 8192;

fn main() -> ExitCode {
    if guest::is_init() {
        run(guest::make());
        guest::end();
    }
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(option), Some(path), None) if option == "--socket" => run(Way::Socket(PathBuf::from(path))),
        (Some(option), None, None) if option == "--version" => {
            println!("caisson-agent {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: caisson-agent --socket PATH");
            ExitCode::from(2)
        }
    }
}

fn run(home: Way) -> ExitCode {
    let files = prepare();
    match Agent::new(home, files) {
        Ok(agent) => {
            agent.run();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("caisson-agent: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Settles what belongs to the whole process; returns the limit of open files that it was started with.
fn prepare() -> libc::rlimit {
    // Threads and children that have become a user share our memory for a while; that user must not be able to look into it.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let mut files = libc::rlimit { rlim_cur: 1024, rlim_max: 4096 };
    // SAFETY: plain system calls and one pointer to a live struct; no other thread exists yet.
    unsafe {
        // Whoever started us may have left descriptors open; commands must never see them.
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        libc::umask(0o022);
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files);
        let more = libc::rlimit { rlim_cur: files.rlim_max.min(FILES.max(files.rlim_cur)), rlim_max: files.rlim_max };
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more);
        // One heap for all threads, and large blocks go back at once: an idle agent should weigh little.
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 * 1024);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 * 1024);
    }
    files
}
