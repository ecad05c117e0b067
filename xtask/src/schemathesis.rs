//! What comes from Python's index, below `target`, each in an environment of its own: Schemathesis, which one test runs
//! against the server, the library that a receiver of signed calls checks them with, and the client that the stand-in for
//! Telegram is checked with.

use crate::setup::{self, Package, package};
use crate::shell::{self, Failure, program, run, succeeds};

/// Each environment's folder, with exact versions of what is in it.
const ENVIRONMENTS: [(&str, &str); 3] = [
    ("schemathesis", include_str!("../../tests/it/api/schemathesis.txt")),
    ("receiver", include_str!("../../doubles/receiver/requirements.txt")),
    ("telethon", include_str!("../../doubles/telegram/requirements.txt")),
];

const PYTHON: &str = "/usr/bin/python3";

/// Debian keeps what makes environments apart from Python.
const VENV: Package =
    package("python3-venv", PYTHON, "makes environments for what comes from Python's index");

/// Installs them where another version, or none, is there.
pub fn install(debian: bool) -> Result<(), Failure> {
    ENVIRONMENTS.iter().try_for_each(|(name, versions)| environment(name, versions, debian))
}

fn environment(name: &str, versions: &str, debian: bool) -> Result<(), Failure> {
    let folder = shell::target().join(name);
    // Written last, so that a folder that was filled by half, or from another list, is filled again.
    let whole = folder.join("versions");
    if std::fs::read_to_string(&whole).is_ok_and(|there| there == versions) {
        println!("target/{name} is there.");
        return Ok(());
    }
    if !succeeds(&mut program(PYTHON, &["-c", "import ensurepip, venv"])) {
        if !debian {
            return Err(Failure::new(
                "Python's ensurepip or venv is missing; what comes from its index is installed by them",
            ));
        }
        setup::install(&[&VENV])?;
    }
    let wrong = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(wrong)?;
    let place = folder.display().to_string();
    run(&mut program(PYTHON, &["-m", "venv", "--clear", &place]))?;
    let list = folder.join("requirements.txt");
    std::fs::write(&list, versions).map_err(wrong)?;
    let mut pip = program(&folder.join("bin/python").display().to_string(), &["-m", "pip", "install"]);
    // Built packages only, so that nothing of theirs runs before it is used.
    pip.args(["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary", ":all:"]);
    run(pip.arg("--requirement").arg(&list))?;
    std::fs::write(&whole, versions).map_err(wrong)?;
    println!("Installed target/{name}.");
    Ok(())
}
