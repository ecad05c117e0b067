//! What the machine says about itself and about processes, from `/proc`.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The kernel counts processor time in hundredths of a second wherever Linux runs today.
const TICK: Duration = Duration::from_millis(10);

/// One line about the machine that is measured on, with what a synced write costs in this folder.
pub fn describe(folder: &Path) -> Result<String> {
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let memory: u64 = field(&memory, "MemTotal:")?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{} x {}, {} GiB, Linux {}; appending 4 KiB and syncing it takes {} µs here.",
        std::thread::available_parallelism()?,
        model.map_or("unknown processor", |(_, name)| name),
        memory / 1024 / 1024,
        kernel.trim(),
        sync_cost(folder)?.as_micros()
    ))
}

/// The median of a few synced appends.
fn sync_cost(folder: &Path) -> Result<Duration> {
    let mut file = File::create(folder.join("sync"))?;
    let mut took = Vec::new();
    for _ in 0..101 {
        let began = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort();
    Ok(took[50])
}

/// Resident memory of a process, in bytes.
pub fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    Ok(field(&status, "VmRSS:")? * 1024)
}

/// How long a process has been on a processor so far.
pub fn busy(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold spaces, so fields are counted from behind it: user is the 12th, system the 13th.
    let rest = stat.rsplit_once(") ").context("an odd stat file")?.1;
    let ticks: u32 = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

fn field(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("a field is missing")?;
    Ok(line.split_whitespace().next().context("an empty field")?.parse()?)
}
