//! A server's clock in the hands of a test: the real binary, whose calls for the time of day are answered by libfaketime.
//! Its clock of passing time stays as it is, as it does on a machine whose clock is set.

use std::path::Path;
use std::process::Command;

use crate::parts::scratch::Scratch;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A clock that can be set while the server runs.
pub struct Clock(Scratch);

impl Clock {
    /// One that is ahead or behind, or runs faster: `+5h`, `-365d`, `+0 x60`.
    pub fn at(offset: &str) -> Self {
        assert!(Path::new(LIBRARY).exists(), "libfaketime is missing; run `cargo xtask setup`");
        let clock = Self(Scratch::new("clock"));
        clock.set(offset);
        clock
    }

    /// Sets it.
    pub fn set(&self, offset: &str) {
        self.0.write("draft", format!("{offset}\n"));
        // Renamed into place, so that nobody reads half of it.
        std::fs::rename(self.0.join("draft"), self.0.join("offset")).expect("the clock is set");
    }

    /// Gives it to a server that is about to start.
    pub fn give(&self, command: &mut Command) {
        command.env("LD_PRELOAD", LIBRARY).env("FAKETIME_TIMESTAMP_FILE", self.0.join("offset"));
        command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.env("DONT_FAKE_MONOTONIC", "1");
    }
}
