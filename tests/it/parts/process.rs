//! Child processes that cannot outlive their test.
//!
//! Each runs in a process group of its own, so that everything it forked dies with it. Dropping the
//! guard kills the group. Values in statics are never dropped, and a test process may be killed
//! itself: for those cases one shell, the reaper, waits for the end of its input and then kills every
//! group and removes every folder that is still listed.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A running child and the file that holds what it printed.
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    /// Sent first on drop, when the program needs a word to clean up; `KILL` follows.
    farewell: Option<&'static str>,
}

impl Process {
    /// Starts `command` in a new process group; what it prints goes to `<folder>/<name>.out`.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        Self::spawn(name, command, folder, Stdio::null())
    }

    /// The same for a program that ends with its input, which stays open as long as this value.
    pub fn start_attached(name: &str, command: &mut Command, folder: &Path) -> Self {
        Self::spawn(name, command, folder, Stdio::piped())
    }

    fn spawn(name: &str, command: &mut Command, folder: &Path, input: Stdio) -> Self {
        let output = folder.join(format!("{name}.out"));
        let file = File::options().create(true).append(true).open(&output).expect("an output file");
        let child = command
            .stdin(input)
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} did not start ({error}); run `cargo xtask setup`"));
        reaper().tell(&format!("g {}", child.id()));
        Self { name: name.to_owned(), child, output, farewell: None }
    }

    /// The same guard, which says `signal` and waits a little before it kills.
    pub fn with_farewell(mut self, signal: &'static str) -> Self {
        self.farewell = Some(signal);
        self
    }

    /// The process id, which is also the id of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        super::eventually(&what, within, || self.ended())
    }

    /// Sends a signal by name to the process alone.
    pub fn signal(&self, signal: &str) {
        send(signal, i64::from(self.id()));
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until `probe` says yes; fails at once when the process ends instead.
    pub fn until_ready(&mut self, mut probe: impl FnMut() -> bool) {
        let start = Instant::now();
        while !probe() {
            if let Some(status) = self.ended() {
                panic!("{} ended with {status} before it was ready:\n{}", self.name, self.output());
            }
            assert!(start.elapsed() < super::READY, "{} did not get ready", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = i64::from(self.id());
        if let (Some(signal), Ok(None)) = (self.farewell, self.child.try_wait()) {
            self.signal(signal);
            let start = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // The group may hold more than the process we started, so it is told even if that has ended.
        send("KILL", -id);
        drop(self.child.wait());
        reaper().tell(&format!("f {id}"));
        if std::thread::panicking() {
            eprintln!("---- {} printed:\n{}", self.name, self.output());
        }
    }
}

/// Sends a signal by name to a process id, or to a group when the id is negative.
///
/// A shell does it, because the standard library cannot and this workspace forbids unsafe code.
pub fn send(signal: &str, id: i64) {
    let sent = Command::new("/bin/sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "sh", signal, &id.to_string()])
        .stderr(Stdio::null())
        .status();
    // A process that is already gone is what most callers want.
    drop(sent);
}

/// The shell that cleans up after the test process.
pub struct Reaper(Mutex<Child>);

/// The one reaper of this process, started at first use.
pub fn reaper() -> &'static Reaper {
    static REAPER: OnceLock<Reaper> = OnceLock::new();
    REAPER.get_or_init(|| {
        let shell = Command::new("/bin/sh")
            .args(["-c", include_str!("reaper.sh")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of our group, or an interrupt at the terminal would end it together with us.
            .process_group(0)
            .spawn()
            .expect("a shell");
        Reaper(Mutex::new(shell))
    })
}

impl Reaper {
    /// Lists a folder for removal.
    pub fn folder(&self, path: &Path) {
        self.tell(&format!("d {}", path.display()));
    }

    fn tell(&self, line: &str) {
        let mut shell = self.0.lock().expect("the reaper");
        let input = shell.stdin.as_mut().expect("its input");
        writeln!(input, "{line}").expect("the reaper listens");
    }
}
