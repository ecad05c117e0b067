//! What stands beside the sources: migrations, packages and documents.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::{ROOT, clean};

/// Packages that would bring a second TLS or a C tool chain.
const BANNED: &[&str] = &["openssl", "native-tls", "aws-lc"];

const PACKAGES: usize = 450;

/// Every file is listed once, under its own number, in order.
pub fn migrations(files: &[String], list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut listed: Vec<(String, String)> = Vec::new();
    for (entry, name) in list.split("include_str!(\"../../migrations/").skip(1).enumerate() {
        let name = name.split('"').next().unwrap_or_default();
        let before = list.split("include_str!(\"../../migrations/").nth(entry).unwrap_or_default();
        let number = before.rsplit('(').next().unwrap_or_default();
        let number: String = number.chars().filter(char::is_ascii_digit).collect();
        if !name.starts_with(&format!("{number}_")) || number.len() != 12 {
            found.push(format!("src/store/migrate.rs:1: {name} is listed as number {number}"));
        }
        if listed.last().is_some_and(|(last, _)| *last >= number) {
            found.push(format!("src/store/migrate.rs:1: {name} is out of order"));
        }
        listed.push((number, name.to_owned()));
    }
    let mut numbers = BTreeSet::new();
    for file in files {
        let well_named = file.ends_with(".sql") && file.chars().position(|c| c == '_') == Some(12);
        if !well_named || !file.chars().take(12).all(|c| c.is_ascii_digit()) {
            found.push(format!("migrations/{file}:1: not named by twelve digits, a word and .sql"));
        }
        if !numbers.insert(file.split('_').next().unwrap_or_default().to_owned()) {
            found.push(format!("migrations/{file}:1: its number is taken"));
        }
        if !listed.iter().any(|(_, name)| name == file) {
            found.push(format!("migrations/{file}:1: not listed in src/store/migrate.rs"));
        }
    }
    let gone = listed.iter().filter(|(_, name)| !files.contains(name));
    found.extend(gone.map(|(_, name)| format!("src/store/migrate.rs:1: {name} does not exist")));
    found
}

/// Banned packages in a lock file.
pub fn banned(lock: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(lock.lines()) {
        let name = text.strip_prefix("name = \"").and_then(|name| name.strip_suffix('"'));
        let Some(name) = name else { continue };
        let of = |banned: &&&str| name == **banned || name.starts_with(&format!("{banned}-"));
        if let Some(banned) = BANNED.iter().find(of) {
            found.push(format!("Cargo.lock:{line}: {name} is banned ({banned})"));
        }
    }
    found
}

/// The packages that `cargo tree` lists, each version once; our own members count too.
pub fn packages(tree: &str) -> BTreeSet<&str> {
    let names = tree.lines().map(|line| line.split(" (").next().unwrap_or_default());
    names.filter(|name| !name.is_empty()).collect()
}

/// Links of a document to files that `exists` does not know.
pub fn links(name: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            let file = target.split('#').next().unwrap_or_default();
            let elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
            if !elsewhere && !exists(file) {
                found.push(format!("{name}:{line}: {file} does not exist"));
            }
        }
    }
    found
}

/// Tests that a document names, as `file.rs::name` below `tests/it` or `src`, where `read` finds no such function.
pub fn tests(name: &str, text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for named in text.split('`').skip(1).step_by(2) {
            let Some((file, test)) = named.split_once(".rs::") else { continue };
            let path =
                if file.starts_with("src/") { format!("{file}.rs") } else { format!("tests/it/{file}.rs") };
            let there = read(&path).is_some_and(|source| source.contains(&format!("fn {test}(")));
            if !there {
                found.push(format!("{name}:{line}: {path} has no {test}"));
            }
        }
    }
    found
}

/// Names and contents of the files in a folder that end so, in order of their names; none without the folder.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(Path::new(ROOT).join(folder)) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path))
        .filter(|(name, _)| name.ends_with(ending))
        .map(|(name, path)| (name, std::fs::read_to_string(path).expect("a text file")))
        .collect();
    files.sort();
    files
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).expect("a file of the repository")
}

#[test]
fn migrations_are_numbered_ordered_and_listed() {
    let names: Vec<_> = files("migrations", "").into_iter().map(|(name, _)| name).collect();
    assert!(!names.is_empty());
    clean(&migrations(&names, &read("src/store/migrate.rs")));
}

#[test]
fn no_banned_package_is_locked() {
    clean(&banned(&read("Cargo.lock")));
}

#[test]
fn what_is_shipped_stays_within_its_budget_of_packages() {
    let ran = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--target", "x86_64-unknown-linux-gnu", "--prefix", "none"])
        .args(["--locked", "--package", "vestibule"])
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let tree = String::from_utf8_lossy(&ran.stdout);
    let count = packages(&tree).len();
    assert!((50..=PACKAGES).contains(&count), "{count} packages");
}

#[path = "../../../xtask/src/options.rs"]
mod options;

#[test]
fn the_table_of_options_is_as_the_defaults_say() {
    let written = read("docs/configuration.md");
    assert!(written.matches("\n| `").count() > 15);
    let fresh = options::document(&read("config.default.toml")) == written;
    assert!(fresh, "docs/configuration.md is stale; run `cargo xtask options`");
}

#[test]
fn every_test_that_the_check_list_names_exists() {
    let list = read("docs/oauth-checklist.md");
    assert!(list.matches(".rs::").count() > 60);
    clean(&tests("oauth-checklist.md", &list, |path| {
        std::fs::read_to_string(Path::new(ROOT).join(path)).ok()
    }));
    // Each clause about redirects, and each attack, has a row.
    for number in 1..=17 {
        assert!(list.contains(&format!("\n| 4.{number} ")), "4.{number}");
    }
}

#[test]
fn the_table_of_fuzz_targets_and_of_their_runs_names_those_that_there_are() {
    let document = read("fuzz/README.md");
    let folder = std::fs::read_dir(Path::new(ROOT).join("fuzz/fuzz_targets")).expect("the targets");
    let mut targets: Vec<String> = folder
        .map(|entry| {
            entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".rs").to_owned()
        })
        .collect();
    targets.sort();
    for table in document.split("\n## What was run") {
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let mut named: Vec<_> = rows.map(|(name, _)| name.to_owned()).collect();
        named.sort();
        assert_eq!(named, targets);
    }
}

#[test]
fn every_file_a_document_links_to_exists() {
    for folder in ["", "docs", "docs/adr"] {
        for (name, text) in files(folder, ".md") {
            clean(&links(&name, &text, |file| Path::new(ROOT).join(folder).join(file).exists()));
        }
    }
}
