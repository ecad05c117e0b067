//! The provider's words: each key that is used is written, and each that is written is used.

use std::collections::BTreeSet;
use std::path::Path;

use super::refusal::{Code, Refusal};
use super::table::Rule;
use super::*;

#[test]
fn every_word_that_is_used_exists_and_every_word_that_exists_is_used() {
    let built = build(&mut Section::new("imap", toml::Table::new())).unwrap().unwrap();
    let written: BTreeSet<String> = built.about().strings["en"].keys().cloned().collect();
    // What the wizard's frame says of every provider.
    let of_the_frame =
        ["name", "welcome.title", "welcome.access", "busy.title", "success.title", "success.repaired"];
    let mut used = BTreeSet::from(of_the_frame.map(str::to_owned));
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers/imap"), &mut used);
    for rule in Rule::ASKING {
        for stem in ["password.intro", "password.label", "help.password"] {
            used.insert(format!("{stem}.{}", rule.as_str()));
        }
    }
    for source in super::discover::Source::ALL {
        used.insert(format!("tried.{}", source.as_str()));
    }
    for code in Code::ALL {
        used.insert(format!("trouble.{}", code.as_str()));
        used.insert(format!("advice.{}", code.as_str()));
        if Refusal::from(*code).is_about_the_password() {
            used.insert(format!("error.{}", code.as_str()));
        }
    }
    assert_eq!(used.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "used, not written");
    assert_eq!(written.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "written, not used");
}

/// Every key that stands in a `say("…")` of the sources.
fn gather(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, used);
        } else if path.extension().is_some_and(|end| end == "rs")
            && !path.parent().is_some_and(|at| at.ends_with("probe"))
        {
            let source = std::fs::read_to_string(&path).unwrap();
            let calls = source.split("say(\"").skip(1).filter_map(|call| call.split('"').next());
            used.extend(calls.filter(|key| !key.is_empty() && !key.contains('…')).map(str::to_owned));
        }
    }
}
