//! Proofs of the stand-in for Telegram (`doubles/telegram`) by itself: a client which is not ours understands it, it ends
//! with its input, and it hands out keys.

use crate::parts::identity::node;
use crate::parts::scratch::Scratch;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many scenarios the check has; one that was lost would not fail by itself.
const SCENARIOS: usize = 29;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("doubles/telegram")
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("telethon").join("bin/python")
}

/// A stand-in, as it introduces itself.
fn start(options: &[&str]) -> (Child, Value) {
    let mut child = Command::new(node())
        .arg(folder().join("server.mjs"))
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("node runs");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    (child, serde_json::from_str(&line).expect("its line"))
}

fn ends_with_its_input(mut child: Child) {
    drop(child.stdin.take());
    crate::parts::eventually("its end", crate::parts::READY, || child.try_wait().expect("its state"));
}

#[test]
fn telethon_goes_through_every_login_end_and_fault() {
    let ran = Command::new(node()).arg(folder().join("check.mjs")).arg(python()).output().expect("node runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(said.matches("ok: ").count(), SCENARIOS, "{said}");
}

#[test]
fn keys_are_written_for_every_data_centre() {
    let scratch = Scratch::new("telegram");
    let file = scratch.join("keys");
    let options = ["--ports", "0,0", "--keys", "5000", "--keys-file", file.to_str().expect("a path")];
    let (child, said) = start(&options);
    ends_with_its_input(child);
    assert_eq!(said["dcs"].as_object().expect("data centres").len(), 2);
    let text = std::fs::read_to_string(&file).expect("the keys");
    let keys: HashSet<_> = text.lines().collect();
    assert_eq!(keys.len(), 10_000);
    for line in keys {
        let (dc, key) = line.split_once(' ').expect("two words");
        assert!(["1", "2"].contains(&dc) && key.len() == 512, "{line}");
    }
}
