//! What the sandbox says of its own use. The host measures for itself; this is for people who look from inside.

use crate::proto::MetricsReport;
use std::fs;

/// Most processes looked at.
const MAX_PROCESSES: usize = 65_536;

/// Reads /proc and the root file system; what cannot be read is 0.
pub fn measure() -> MetricsReport {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = kibibytes(&memory, "MemTotal:");
    let available = kibibytes(&memory, "MemAvailable:");
    let mut report =
        MetricsReport { memory_total_bytes: total, memory_used_bytes: total.saturating_sub(available), ..MetricsReport::default() };
    if let Ok(disk) = rustix::fs::statvfs("/") {
        report.disk_total_bytes = disk.f_blocks * disk.f_frsize;
        report.disk_used_bytes = disk.f_blocks.saturating_sub(disk.f_bfree) * disk.f_frsize;
    }
    let tick = rustix::param::clock_ticks_per_second().max(1);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten().take(MAX_PROCESSES) {
        if entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            report.processes += 1;
            let stat = fs::read(entry.path().join("stat")).unwrap_or_default();
            report.cpu_micros += ticks(&stat).saturating_mul(1_000_000 / tick);
        }
    }
    report
}

fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// CPU time of a process and of its reaped children: fields 14 to 17 of its stat line. Its name, which may have any bytes, ends with the last ')'.
fn ticks(stat: &[u8]) -> u64 {
    let after = stat.iter().rposition(|byte| *byte == b')').map_or(&[][..], |at| &stat[at + 1..]);
    let text = String::from_utf8_lossy(after);
    text.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cpu_time_behind_any_name() {
        assert_eq!(ticks(b"7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1"), 26);
        assert_eq!(ticks(b"nonsense"), 0);
    }

    #[test]
    fn measures_this_machine() {
        let report = measure();
        assert!(report.memory_total_bytes > report.memory_used_bytes && report.processes > 0 && report.disk_total_bytes > 0);
    }
}
