//! Proofs of the identity doubles by themselves: what is Google's and Microsoft's own, the faults, and that clients which
//! are not ours understand them.

mod chromium;
mod client;
mod faults;
mod google;
mod mail;
mod microsoft;

use client::App;

use crate::parts::identity::{House, Identity, double, node};
use std::process::Command;

#[test]
fn an_independent_client_signs_in_at_both() {
    for (house, kind) in [(House::Google, "google"), (House::Microsoft, "microsoft")] {
        let identity = Identity::shared(house);
        let ran = Command::new(node())
            .arg(double("check.mjs"))
            .args(["--kind", kind, "--origin", identity.origin(), "--control", identity.control()])
            .env("NODE_EXTRA_CA_CERTS", identity.ca_file())
            .output()
            .expect("node runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn a_double_ends_with_its_input() {
    let ca = crate::parts::certs::Ca::new();
    let files = ca.leaf(crate::parts::certs::Leaf::Good, &["localhost"]);
    let mut child = Command::new(node())
        .arg(double("server.mjs"))
        .args(["--kind", "google", "--cert"])
        .arg(files.cert)
        .arg("--key")
        .arg(files.key)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("node runs");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("a line");
    assert!(line.starts_with("{\"origin\":\"https://localhost:"), "{line}");
    drop(child.stdin.take());
    crate::parts::eventually("its end", crate::parts::READY, || child.try_wait().expect("its state"));
}
