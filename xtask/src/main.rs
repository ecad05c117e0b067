//! The project's chores: sets a machine up, runs everything a change must pass, measures.
//!
//! Standard library only, so that the first command on a fresh machine starts within a second or two.

mod npm;
mod options;
mod schemathesis;
mod setup;
mod shell;
mod stages;
mod unpack;

use shell::{Failure, cargo};
use stages::Stage;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask <verb>

  setup   install what the tests start: browser, mail servers, database, checkers (Debian)
  test    setup, then formatting, lints, documentation, licences, release build and all tests
  bench   measure the HTTP paths, sign-ins, calls to backends, the watch over accounts and waiting people
  options write docs/configuration.md from config.default.toml
  help    print this
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["setup"] => setup::setup(),
        ["test"] => stages::run(test()),
        ["options"] => write_options(),
        ["bench"] => shell::run(&mut cargo(&[
            "bench", "--bench", "http", "--bench", "connect", "--bench", "deliver", "--bench", "watch",
            "--bench", "codes", "--locked",
        ])),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        [] => Err(Failure::usage("say what to do")),
        [verb, ..] => Err(Failure::usage(&format!("I do not know `{verb}`"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {}", failure.message);
            if failure.usage {
                eprint!("\n{HELP}");
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Writes the table of options anew; a test of the papers fails while it is stale.
fn write_options() -> Result<(), Failure> {
    let root = shell::root();
    let wrong = |error: std::io::Error| Failure::new(format!("the table of options: {error}"));
    let defaults = std::fs::read_to_string(root.join("config.default.toml")).map_err(wrong)?;
    std::fs::write(root.join("docs/configuration.md"), options::document(&defaults)).map_err(wrong)
}

/// What a change must pass, the quick checks first.
fn test() -> Vec<Stage> {
    let mut doc = cargo(&["doc", "--no-deps", "--workspace", "--locked"]);
    doc.env("RUSTDOCFLAGS", "-Dwarnings");
    let mut tests = cargo(&["test", "--workspace", "--locked"]);
    // The tests drive what is shipped, not a debug build of it.
    tests.env("VESTIBULE_TEST_BINARY", shell::target().join("release/vestibule"));
    // They wait for other programs about half of the time.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    tests.env("RUST_TEST_THREADS", (cores * 3).div_ceil(2).to_string());
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    vec![
        Stage::task("setup", setup::setup),
        Stage::command("format", cargo(&["fmt", "--all", "--check"])),
        Stage::command("lints", cargo(&clippy)),
        Stage::command("documentation", doc),
        Stage::command("licences", cargo(&["deny", "check", "licenses", "bans", "sources"])),
        Stage::command("release build", cargo(&["build", "--release", "--locked"])),
        Stage::command("tests", tests),
    ]
}
