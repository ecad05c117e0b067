//! Installs what the tests start and check with, on Debian; elsewhere it says what is missing.

use crate::schemathesis;
use crate::shell::{self, Failure, cargo, output, program, run, succeeds};
use std::path::Path;
use std::process::Command;

/// A Debian package and a file by which its program is recognised on any system.
pub struct Package {
    name: &'static str,
    marker: &'static str,
    purpose: &'static str,
}

const PACKAGES: [Package; 16] = [
    package("chromium", "/usr/bin/chromium", "the browser that walks through the wizard"),
    package("chromium-driver", "/usr/bin/chromedriver", "drives the browser"),
    package("dovecot-imapd", "/usr/sbin/dovecot", "a real mailbox server"),
    package("postfix", "/usr/sbin/postfix", "a real submission server"),
    package("libsasl2-modules", "/usr/lib/x86_64-linux-gnu/sasl2/libplain.so", "how Cyrus is signed in to"),
    package("util-linux", "/usr/bin/unshare", "gives Courier a view of the system of its own"),
    package("dnsmasq-base", "/usr/sbin/dnsmasq", "a real name server with mail and service records"),
    package("postgresql", "/usr/lib/postgresql", "the database for several nodes"),
    package("gcc", "/usr/bin/gcc", "compiles SQLite, ring and the kill shim"),
    package("libfaketime", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "clocks that jump"),
    package("systemd", "/usr/bin/systemd-analyze", "checks the unit"),
    package("buildah", "/usr/bin/buildah", "builds the image of the container file, without an engine"),
    package("python3", "/usr/bin/python3", "the receiver of the README's guide"),
    package("curl", "/usr/bin/curl", "for trying things by hand as the documentation shows"),
    package("fonts-noto-core", "/usr/share/fonts/truetype/noto", "letters for the screenshots"),
    package("fonts-noto-cjk", "/usr/share/fonts/opentype/noto", "letters for the screenshots"),
];

pub const fn package(name: &'static str, marker: &'static str, purpose: &'static str) -> Package {
    Package { name, marker, purpose }
}

/// Fetches what is not Debian's; brings Node.js with it.
const NPM: Package =
    package("npm", "/usr/bin/npm", "fetches the audit of accessibility and what the doubles run on");

/// Asked by Debian's packages before they start a service; 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Brings the machine to where every test can run; does nothing when it is there already.
pub fn setup() -> Result<(), Failure> {
    let debian =
        Path::new("/etc/debian_version").exists() && succeeds(&mut program("apt-get", &["--version"]));
    let missing: Vec<&Package> = PACKAGES.iter().filter(|package| !package.is_there(debian)).collect();
    if missing.is_empty() {
        println!("All {} system packages are there.", PACKAGES.len());
    } else if debian {
        install(&missing)?;
    } else {
        let list: Vec<String> =
            missing.iter().map(|package| format!("  {:<16} {}", package.name, package.purpose)).collect();
        return Err(Failure::new(format!(
            "this is not Debian, so please install by hand (Debian's names):\n{}",
            list.join("\n")
        )));
    }
    if debian {
        crate::unpack::unpack()?;
    }
    schemathesis::install(debian)?;
    if !succeeds(&mut program("npm", &["--version"])) {
        if !debian {
            return Err(Failure::new(format!("npm is missing; it {}", NPM.purpose)));
        }
        install(&[&NPM])?;
    }
    crate::npm::fetch()?;
    if succeeds(&mut cargo(&["deny", "--version"])) {
        println!("cargo-deny is there.");
    } else {
        run(&mut cargo(&["install", "--locked", "cargo-deny"]))?;
        println!("Installed cargo-deny.");
    }
    Ok(())
}

impl Package {
    fn is_there(&self, debian: bool) -> bool {
        if !debian {
            return Path::new(self.marker).exists();
        }
        let status = output(&mut program("dpkg-query", &["-W", "-f=${db:Status-Status}", self.name]));
        status == "installed"
    }
}

/// Installs packages, whose services stay asleep.
pub fn install(missing: &[&Package]) -> Result<(), Failure> {
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    println!("Missing: {}.", names.join(", "));
    run(&mut privileged(&["apt-get", "update", "-qq"]))?;
    // Tests start their own servers with their own settings; the packages' should stay asleep, and
    // Postfix should not become this machine's mail server.
    let quiet = !Path::new(POLICY).exists();
    let answer = "postfix postfix/main_mailer_type select No configuration";
    run(&mut privileged(&["sh", "-c", &format!("echo '{answer}' | debconf-set-selections")]))?;
    if quiet {
        run(&mut privileged(&[
            "sh",
            "-c",
            &format!("printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}"),
        ]))?;
    }
    let mut words = vec!["env", "DEBIAN_FRONTEND=noninteractive"];
    words.extend(["apt-get", "install", "-y", "-qq", "--no-install-recommends"]);
    words.extend(&names);
    let installed = run(&mut privileged(&words));
    if quiet {
        run(&mut privileged(&["rm", "-f", POLICY]))?;
    }
    installed?;
    println!("Installed {}.", names.join(", "));
    Ok(())
}

/// A command with the rights to install, through sudo for those who are not root.
pub fn privileged(words: &[&str]) -> Command {
    if output(&mut shell::program("id", &["-u"])) == "0" {
        program(words[0], &words[1..])
    } else {
        program("sudo", words)
    }
}
