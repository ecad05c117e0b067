//! Kills an unmodified program at one of its commits to a file, always the same one.
//!
//! A small library loaded in front of the program counts its syncs (`kill.c` tells how). With SQLite
//! a commit syncs only at `synchronous=FULL` (or `EXTRA`): in WAL mode with `NORMAL`, only
//! checkpoints do, and there is nothing to count.

use super::scratch::Scratch;
use super::tool;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// On which side of the commit to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The program meant to commit, and nothing of it has happened.
    Before,
    /// The commit is durable, and the program does not know yet.
    After,
}

/// Where to die.
#[derive(Clone, Copy, Debug)]
pub struct KillPlan {
    /// The number of the commit, from 1.
    pub at: u32,
    /// Which side of it.
    pub when: When,
}

/// The number of syncs that a program has begun; it can be read after its death too.
pub struct Syncs(PathBuf);

impl KillPlan {
    /// Makes `command` die where this plan says.
    pub fn apply(self, command: &mut Command) -> Syncs {
        let when = match self.when {
            When::Before => "before",
            When::After => "after",
        };
        watch(command, self.at, when)
    }
}

/// Makes `command` count its syncs without dying, to learn how many a whole path takes.
pub fn count_syncs(command: &mut Command) -> Syncs {
    watch(command, 0, "after")
}

/// Both sides of every sync.
pub fn points(syncs: u32) -> Vec<KillPlan> {
    let both = |at| [When::Before, When::After].map(|when| KillPlan { at, when });
    (1..=syncs).flat_map(both).collect()
}

impl Syncs {
    /// How many syncs have begun.
    pub fn count(&self) -> u32 {
        let bytes = std::fs::read(&self.0).expect("the counter");
        u32::from_ne_bytes(bytes.try_into().expect("four bytes"))
    }
}

/// Whether a program ended by SIGKILL.
pub fn was_killed(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}

fn watch(command: &mut Command, at: u32, when: &str) -> Syncs {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = shim().with_file_name(format!("count{number}"));
    std::fs::write(&file, [0; 4]).expect("a counter");
    command
        .env("LD_PRELOAD", shim())
        .env("KILL_AT", at.to_string())
        .env("KILL_WHEN", when)
        .env("KILL_COUNT_FILE", &file);
    Syncs(file)
}

/// The compiled library, made at first use.
fn shim() -> &'static Path {
    static SHIM: OnceLock<(Scratch, PathBuf)> = OnceLock::new();
    let (_, library) = SHIM.get_or_init(|| {
        let folder = Scratch::new("kill");
        let source = folder.write("kill.c", include_str!("kill.c"));
        let library = folder.join("kill.so");
        let made = Command::new(tool("cc"))
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .args([&library, &source])
            .output()
            .expect("a C compiler; run `cargo xtask setup`");
        assert!(made.status.success(), "cc: {}", String::from_utf8_lossy(&made.stderr));
        (folder, library)
    });
    library
}
