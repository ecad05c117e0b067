//! The tables, in Markdown.

use std::time::Duration;

use anyhow::Result;

use crate::load::{Load, Measured};

/// Says how much each of the pages is: both dialects' and the bare one.
pub async fn sizes([page, authorize, plain]: [&Load; 3]) -> Result<()> {
    let (page, authorize) = (page.once().await?.len(), authorize.once().await?.len());
    let plain = plain.once().await?.len();
    println!("The first page has {page} bytes, Riposte's {authorize}, the bare one {plain}.\n");
    Ok(())
}

/// Begins the comparison.
pub fn heading() {
    println!(
        "| path | connections | requests/s | bare | ratio | p50 / p99 ms | bare | CPU µs/request | bare | generator |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
}

/// One comparison: medians over the rounds, and the median of the rounds' ratios.
pub fn line(name: &str, connections: usize, rounds: &[(Measured, Measured)]) {
    let ours = |read: fn(&Measured) -> f64| median(rounds.iter().map(|(ours, _)| read(ours)));
    let bare = |read: fn(&Measured) -> f64| median(rounds.iter().map(|(_, bare)| read(bare)));
    let ratio = median(rounds.iter().map(|(ours, bare)| ours.rate / bare.rate));
    println!(
        "| {name} | {connections} | {:.0} | {:.0} | **{ratio:.2}** | {:.2} / {:.2} | {:.2} / {:.2} | {:.0} | {:.0} | {:.0} % |",
        ours(|m| m.rate),
        bare(|m| m.rate),
        ours(|m| millis(m.p50)),
        ours(|m| millis(m.p99)),
        bare(|m| millis(m.p50)),
        bare(|m| millis(m.p99)),
        ours(|m| m.cpu.as_secs_f64() * 1e6),
        bare(|m| m.cpu.as_secs_f64() * 1e6),
        ours(|m| m.generator * 100.0),
    );
}

/// Begins the other figures.
pub fn other_heading() {
    println!("\n| figure | value |\n| --- | ---: |");
}

/// Starts, sorted: median, quickest and slowest.
pub fn start(name: &str, took: &[Duration]) {
    let at = |index: usize| took.get(index).copied().map_or(0.0, millis);
    println!(
        "| {name} | {:.0} ms (median of {}; {:.0} to {:.0}) |",
        at(took.len() / 2),
        took.len(),
        at(0),
        at(took.len() - 1)
    );
}

/// Resident memory.
pub fn memory(name: &str, bytes: u64) {
    println!("| {name} | {:.1} MB |", bytes as f64 / 1e6);
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}
