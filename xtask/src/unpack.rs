//! Servers that Debian lets nobody install beside another of their kind: their packages, and the libraries that only
//! they need, are unpacked into a folder of the tree, where no service starts and nothing of the system is touched.

use crate::setup::privileged;
use crate::shell::{Failure, program, run};
use std::path::{Path, PathBuf};

/// Cyrus and Courier conflict with Dovecot (`Provides: imap-server`, `Conflicts: imap-server`).
const PACKAGES: [&str; 15] = [
    "cyrus-common",
    "cyrus-imapd",
    "sasl2-bin",
    "libical3",
    "libpcre3",
    "libxapian30",
    "courier-imap",
    "courier-base",
    "courier-authdaemon",
    "courier-authlib",
    "courier-authlib-userdb",
    "libcourier-unicode4",
    "libgamin0",
    "libidn12",
    "libltdl7",
];

/// The folder, below the workspace.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers")
}

/// Downloads and unpacks what is missing.
pub fn unpack() -> Result<(), Failure> {
    let folder = folder();
    // Written last, so that a folder that was filled by half, or from another list, is filled again.
    let (whole, list) = (folder.join("unpacked"), PACKAGES.join("\n"));
    if std::fs::read_to_string(&whole).is_ok_and(|unpacked| unpacked == list) {
        println!("Cyrus and Courier are unpacked.");
        return Ok(());
    }
    let archive = folder.join("packages");
    std::fs::create_dir_all(&archive)
        .map_err(|error| Failure::new(format!("{}: {error}", archive.display())))?;
    run(&mut privileged(&["apt-get", "update", "-qq"]))?;
    let mut words = vec!["download", "-qq"];
    words.extend(PACKAGES);
    run(program("apt-get", &words).current_dir(&archive))?;
    let found = std::fs::read_dir(&archive)
        .map_err(|error| Failure::new(format!("{}: {error}", archive.display())))?;
    for package in found.filter_map(Result::ok).map(|entry| entry.path()) {
        run(program("dpkg", &["-x"]).arg(&package).arg(&folder))?;
    }
    drop(std::fs::remove_dir_all(&archive));
    std::fs::write(&whole, list).map_err(|error| Failure::new(format!("{}: {error}", whole.display())))?;
    println!("Unpacked Cyrus and Courier into target/servers.");
    Ok(())
}
