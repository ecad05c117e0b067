//! Proofs of the guards around child processes.

use crate::parts::process::Process;
use crate::parts::scratch::Scratch;
use crate::parts::{READY, binary, eventually};
use std::path::Path;
use std::process::Command;

fn alive(id: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // A process that has ended, but that its parent has not asked about, is still listed.
    !status.is_empty() && !status.contains(") Z ")
}

/// Starts a shell that starts a child of its own, and returns that child's id.
fn family(folder: &Path) -> (Process, String) {
    let script = r#"sleep 1000 & echo $! > child.new; mv child.new child; wait"#;
    let mut shell = Command::new("sh");
    let shell = Process::start("family", shell.args(["-c", script]).current_dir(folder), folder);
    let child = eventually("a child", READY, || std::fs::read_to_string(folder.join("child")).ok());
    (shell, child.trim().to_owned())
}

#[test]
fn a_dropped_process_takes_its_children_and_its_folder_with_it() {
    let folder = Scratch::new("family");
    let (shell, child) = family(folder.path());
    assert!(alive(&child));
    drop(shell);
    eventually("the child's end", READY, || (!alive(&child)).then_some(()));
    let path = folder.path().to_owned();
    drop(folder);
    assert!(!path.exists());
}

/// Not a proof: a test process that is killed below. It does nothing without its folder.
#[test]
#[ignore = "started by another test"]
fn leaves_a_family_behind_when_asked() {
    if Path::new("leave-a-family").exists() {
        let folder = Scratch::new("orphans");
        let (_shell, child) = family(folder.path());
        std::fs::write("found.new", format!("{child}\n{}", folder.path().display())).unwrap();
        std::fs::rename("found.new", "found").unwrap();
        std::thread::sleep(READY);
    }
}

#[test]
fn nothing_outlives_a_test_process_that_is_killed() {
    let folder = Scratch::new("killed");
    folder.write("leave-a-family", "");
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--ignored", "--exact", "parts::proofs::processes::leaves_a_family_behind_when_asked"]);
    let test = Process::start("test", test.current_dir(folder.path()), folder.path());
    let found = eventually("a family", READY, || std::fs::read_to_string(folder.join("found")).ok());
    let (child, orphans) = found.split_once('\n').unwrap();
    assert!(alive(child) && Path::new(orphans).exists());
    test.signal("KILL");
    eventually("the family's end", READY, || (!alive(child)).then_some(()));
    eventually("the folder's end", READY, || (!Path::new(orphans).exists()).then_some(()));
}

#[test]
fn the_server_under_test_is_there() {
    assert!(binary::vestibule().is_file());
}
