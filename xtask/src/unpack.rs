//! Servers that Debian lets nobody install beside another of their kind: their packages, and the libraries that only
//! they need, are unpacked into a folder of the tree, where no service starts and nothing of the system is touched.

use crate::setup::privileged;
use crate::shell::{Failure, output, program, run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Cyrus and Courier conflict with Dovecot and with each other (`Provides: imap-server`, `Conflicts: imap-server`), so
/// each is asked for by itself. The libraries are called otherwise in every version of Debian: apt knows them.
const SERVERS: [&[&str]; 2] = [
    &["cyrus-common", "cyrus-imapd", "sasl2-bin"],
    &["courier-imap", "courier-base", "courier-authdaemon", "courier-authlib", "courier-authlib-userdb"],
];

/// The folder, below the workspace.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers")
}

/// Downloads and unpacks what is missing.
pub fn unpack() -> Result<(), Failure> {
    let folder = folder();
    // Written last, so that a folder that was filled by half, or from another list, is filled again.
    // The release is part of what is there: another one has other libraries.
    let release = std::fs::read_to_string("/etc/debian_version").unwrap_or_default();
    let (whole, list) = (folder.join("unpacked"), format!("{}\n{release}", SERVERS.concat().join("\n")));
    if std::fs::read_to_string(&whole).is_ok_and(|unpacked| unpacked == list) {
        println!("Cyrus and Courier are unpacked.");
        return Ok(());
    }
    let archive = folder.join("packages");
    // What is left of another list, or another release, would be found by the loader.
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&archive)
        .map_err(|error| Failure::new(format!("{}: {error}", archive.display())))?;
    run(&mut privileged(&["apt-get", "update", "-qq"]))?;
    let mut words = vec!["download", "-qq"];
    let mut libraries = BTreeSet::new();
    for packages in SERVERS {
        words.extend(packages);
        libraries.extend(needed(packages)?);
    }
    words.extend(libraries.iter().map(String::as_str));
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

/// The libraries that apt would install with these packages, had it to: those that the system does not have.
fn needed(packages: &[&str]) -> Result<Vec<String>, Failure> {
    let mut words = vec!["install", "--simulate", "--no-install-recommends"];
    words.extend(packages);
    let told = output(&mut program("apt-get", &words));
    // `Inst libical3 (3.0.16 ...)`; of what is there in another version, that one stands before the parenthesis.
    let fresh =
        told.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_once(" (")).map(|(name, _)| name);
    let (wanted, others): (Vec<&str>, Vec<&str>) = fresh.partition(|name| packages.contains(name));
    if wanted.len() < packages.len() {
        let what = packages.join(" ");
        return Err(Failure::new(format!(
            "apt finds no way to install {what}; `apt-get install -s` says why"
        )));
    }
    let libraries = others.into_iter().filter(|name| name.starts_with("lib") && !name.contains(' '));
    Ok(libraries.map(str::to_owned).collect())
}
