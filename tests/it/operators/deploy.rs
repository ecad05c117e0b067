//! The files to deploy with, as far as they can be tried without a container engine.

use std::path::Path;
use std::process::Command;

use crate::parts::binary::vestibule;
use crate::parts::scratch::Scratch;
use crate::parts::tool;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).expect("a file of the repository")
}

#[test]
fn systemd_accepts_the_unit_and_rates_its_exposure_low() {
    let unit = read("deploy/vestibule.service");
    let binary = vestibule().display().to_string();
    let unit = unit.replace("/usr/local/bin/vestibule", &binary);
    assert!(unit.contains(&format!("ExecStart={binary} serve")));
    let folder = Scratch::new("unit");
    let file = folder.write("vestibule.service", &unit);
    for arguments in [&["verify", "--man=no"][..], &["security", "--offline=true", "--threshold=20"]] {
        let mut command = Command::new(tool("systemd-analyze"));
        let ran = command.args(arguments).arg(&file).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&ran.stdout));
        assert!(!said.contains("vestibule.service:"), "{arguments:?}: {said}");
    }
}

#[test]
fn every_setting_that_is_named_anywhere_exists() {
    let options = read("docs/configuration.md");
    let files = [
        "Containerfile",
        "deploy/compose.yaml",
        "deploy/vestibule.service",
        "docs/operations.md",
        "README.md",
        "SECURITY.md",
    ];
    let mut named = 0;
    for file in files {
        for part in read(file).split("VESTIBULE_").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let plain = name.strip_suffix("_FILE").unwrap_or(&name);
            let known = |name: &str| options.contains(&format!("| `VESTIBULE_{name}` |"));
            // VESTIBULE_CONFIG names the file itself; an ellipsis leaves no name.
            assert!(name.is_empty() || name == "CONFIG" || known(&name) || known(plain), "{file}: {name}");
            named += usize::from(!name.is_empty());
        }
    }
    assert!(named > 10, "{named}");
}
