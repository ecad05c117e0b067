//! The provider's words: each key that is used is written, and each that is written is used.

use std::collections::BTreeSet;
use std::path::Path;

use super::end::End;
use super::*;

#[test]
fn every_word_that_is_used_exists_and_every_word_that_exists_is_used() {
    let built = build(&mut Section::new("whatsapp", toml::Table::new())).unwrap().unwrap();
    let written: BTreeSet<String> = built.about().strings["en"].keys().cloned().collect();
    // What the wizard's frame says of every provider.
    let of_the_frame = [
        "name",
        "welcome.title",
        "welcome.access",
        "welcome.encrypted",
        "welcome.repair",
        "busy.title",
        "success.title",
        "success.repaired",
    ];
    let mut used = BTreeSet::from(of_the_frame.map(str::to_owned));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers/whatsapp");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("words_tests.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let calls = source.split("say(\"").skip(1).filter_map(|call| call.split('"').next());
            used.extend(calls.map(str::to_owned));
        }
    }
    for end in End::ALL {
        used.insert(format!("trouble.{}", end.code()));
        used.insert(format!("advice.{}", end.code()));
    }
    assert_eq!(used.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "used, not written");
    assert_eq!(written.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "written, not used");
}
