//! Runs other programs from the root of the repository and turns their ends into failures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a verb did not succeed.
pub struct Failure {
    /// One sentence for the person at the terminal.
    pub message: String,
    /// The exit code to pass on.
    pub code: u8,
    /// Whether the person asked wrongly and needs the help text.
    pub usage: bool,
}

impl Failure {
    /// Something went wrong in the chore itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1, usage: false }
    }

    /// The command line was wrong.
    pub fn usage(message: &str) -> Self {
        Self { message: message.to_owned(), code: 2, usage: true }
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo puts what it builds.
#[expect(clippy::disallowed_methods, reason = "cargo's setting, not the server's")]
pub fn target() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root().join(folder)
}

/// A program, to be run from the root.
pub fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Cargo with these arguments.
pub fn cargo(arguments: &[&str]) -> Command {
    program("cargo", arguments)
}

/// Runs a command with its output on ours; its exit code becomes the failure's.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let line = describe(command);
    println!("$ {line}");
    let status =
        command.status().map_err(|error| Failure::new(format!("`{line}` did not start: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure { code, ..Failure::new(format!("`{line}` failed ({status})")) })
}

/// Whether a command runs and succeeds; what it prints is nobody's business.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What a command prints; nothing when it fails.
pub fn output(command: &mut Command) -> String {
    let ran = command.stderr(Stdio::null()).output();
    ran.map(|ran| String::from_utf8_lossy(&ran.stdout).trim().to_owned()).unwrap_or_default()
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
