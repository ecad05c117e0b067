//! Runs stages in order, stops at the first that fails, and says at the end how long each took.

use crate::shell::{self, Failure};
use std::process::Command;
use std::time::{Duration, Instant};

/// One step of a verb.
pub struct Stage {
    name: &'static str,
    work: Work,
}

enum Work {
    Task(fn() -> Result<(), Failure>),
    Command(Command),
}

impl Stage {
    /// A step that is a function of ours.
    pub fn task(name: &'static str, task: fn() -> Result<(), Failure>) -> Self {
        Self { name, work: Work::Task(task) }
    }

    /// A step that is another program.
    pub fn command(name: &'static str, command: Command) -> Self {
        Self { name, work: Work::Command(command) }
    }

    fn run(self) -> Result<(), Failure> {
        match self.work {
            Work::Task(task) => task(),
            Work::Command(mut command) => shell::run(&mut command),
        }
    }
}

/// Runs all stages, or those up to the first failure.
pub fn run(stages: Vec<Stage>) -> Result<(), Failure> {
    let mut times: Vec<(&str, Duration, &str)> = Vec::new();
    let mut result = Ok(());
    for stage in stages {
        let name = stage.name;
        println!("\n== {name}");
        let start = Instant::now();
        result = stage.run();
        times.push((name, start.elapsed(), if result.is_ok() { "ok" } else { "FAILED" }));
        if result.is_err() {
            break;
        }
    }
    println!("\n{:<16} {:>9}", "stage", "time");
    for (name, time, verdict) in times {
        println!("{name:<16} {:>7.1} s  {verdict}", time.as_secs_f64());
    }
    result
}
