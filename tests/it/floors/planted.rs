//! Each rule against a violation planted for it: a rule that cannot fail proves nothing.

use super::source::{Source, product};
use super::{flows, lengths, names, openings, papers, rooms, statements, strangers, ways_out};

fn one(path: &str, text: &str) -> Vec<Source> {
    product(vec![(path.to_owned(), text.to_owned())])
}

fn at(found: &[String]) -> Vec<&str> {
    found.iter().map(|finding| finding.split(": ").next().unwrap_or_default()).collect()
}

#[test]
fn a_room_that_looks_up_is_found_however_it_is_written() {
    for (path, text, line) in [
        ("src/kernel/a.rs", "use crate::store::Store;", 1),
        (
            "src/store/a.rs",
            "use crate::kernel::ids;\nuse crate::{\n    kernel,\n    connect::Sessions,\n};",
            4,
        ),
        ("src/pages/a.rs", "fn f() {\n    crate::connect::run();\n}", 2),
        ("src/pages/a.rs", "use crate::{kernel::{ids, clock}, store};", 1),
        ("src/pages/a.rs", "use crate::{kernel::*, store};", 1),
        ("src/connect/mod.rs", "use super::web::x;", 1),
        ("src/connect/deep/a.rs", "use super::super::super::workers;", 1),
        ("src/workers/a.rs", "type X = Vec<crate :: web :: Y>;", 1),
        ("src/web/a.rs", "pub use vestibule::store::Store;", 1),
        ("src/config/mod.rs", "use crate::contract as c;", 1),
        ("src/dialects/a.rs", "use crate::providers;", 1),
        ("src/web/mod.rs", "#[cfg(test)]\nmod tests;\nuse crate::workers;", 3),
    ] {
        let found = rooms(&one(path, text));
        assert_eq!(at(&found), [format!("{path}:{line}")], "{text}: {found:?}");
    }
    assert_eq!(at(&rooms(&one("src/attic/mod.rs", ""))), ["src/attic/mod.rs:1"]);
}

#[test]
fn what_a_room_may_do_is_not_found() {
    for (path, text) in [
        ("src/connect/a.rs", "use crate::{contract::Step, kernel, store::{self, Store}};"),
        ("src/main.rs", "use vestibule::{providers, web};"),
        (
            "src/kernel/a.rs",
            "// crate::store\n/* crate::web /* x */ crate::web */\nconst A: &str = \"crate::web\";",
        ),
        ("src/kernel/a.rs", "const A: &str = r#\"\" crate::web \"#; const B: char = '\"'; // crate::web \""),
        ("src/kernel/a.rs", "fn f<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests {\n    use crate::web;\n}"),
        ("src/kernel/seal/mod.rs", "use super::random::Random;\npub(crate) mod store;\nuse store::x;"),
        ("src/store/tests.rs", "use crate::web;"),
    ] {
        assert_eq!(rooms(&one(path, text)), Vec::<String>::new(), "{text}");
    }
    let split = vec![
        ("src/store/mod.rs".to_owned(), "#[cfg(test)]\nmod double;\nmod real;".to_owned()),
        ("src/store/double.rs".to_owned(), "use crate::web;".to_owned()),
        ("src/store/real.rs".to_owned(), "use crate::web;".to_owned()),
    ];
    assert_eq!(at(&rooms(&product(split))), ["src/store/real.rs:1"]);
}

#[test]
fn a_provider_that_uses_another_is_found() {
    let slugs = ["alpha".to_owned(), "beta".to_owned()];
    for text in
        ["use crate::providers::beta::X;", "use super::beta;", "use crate::{providers::{section, beta}};"]
    {
        let found = strangers(&one("src/providers/alpha/mod.rs", text), &slugs);
        assert_eq!(at(&found), ["src/providers/alpha/mod.rs:1"], "{text}");
    }
    let own = "use super::alpha::x;\nuse super::section;\nuse crate::providers::alpha;";
    assert!(strangers(&one("src/providers/alpha/mod.rs", own), &slugs).is_empty());
    let catalogue = "use self::beta;\nuse super::providers::beta;";
    assert!(strangers(&one("src/providers/mod.rs", catalogue), &slugs).is_empty());
}

#[test]
fn a_bare_file_and_a_long_one_are_found() {
    assert_eq!(at(&openings(&one("src/web/a.rs", "// no\nfn f() {}"))), ["src/web/a.rs:1"]);
    assert!(openings(&one("src/web/a.rs", "//! Yes.\n")).is_empty());
    let long = "fn f() {}\n".repeat(401);
    assert_eq!(at(&lengths(&one("src/web/a.rs", &long))), ["src/web/a.rs:400"]);
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(400), long);
    assert!(lengths(&one("src/web/a.rs", &tested)).is_empty());
}

#[test]
fn a_named_provider_is_found_in_code_and_strings() {
    let slugs = ["acme".to_owned()];
    for text in [
        "fn acme() {}",
        "struct AcmeLogin;",
        "const A: &str =\n\"like acme\";",
        "fn to_acme_too() {}",
        "const ACME: u8 = 1;",
    ] {
        assert_eq!(names(&one("src/connect/a.rs", text), &slugs).len(), 1, "{text}");
    }
    for text in [
        "// acme\nfn f() {}",
        "fn acmeology() {}",
        "#[cfg(test)]\nmod tests {\n    const A: &str = \"acme\";\n}",
    ] {
        assert!(names(&one("src/connect/a.rs", text), &slugs).is_empty(), "{text}");
    }
    assert!(names(&one("src/dialects/a.rs", "const A: &str = \"acme\";"), &slugs).is_empty());
}

#[test]
fn sql_outside_the_store_is_found() {
    let sql = "const A: &str = \"x\n  SELECT id FROM t\";\nconst B: &str = concat!(\"a\", \"UPDATE t SET\");";
    assert_eq!(at(&statements(&one("src/web/a.rs", sql))), ["src/web/a.rs:1", "src/web/a.rs:3"]);
    assert!(statements(&one("src/store/a.rs", sql)).is_empty());
    assert!(statements(&one("src/web/a.rs", "// SELECT x\n")).is_empty());
}

#[test]
fn a_connection_past_the_connector_is_found() {
    for way in super::WAYS_OUT {
        let text = format!("//! X.\nfn f() {{ {way}(); }}");
        assert_eq!(at(&ways_out(&one("src/workers/a.rs", &text))), ["src/workers/a.rs:2"], "{way}");
        assert!(ways_out(&one("src/kernel/egress/mod.rs", &text)).is_empty());
    }
}

#[test]
fn another_way_to_ask_a_provider_is_found() {
    for asked in [r#"("grant_type", "password")"#, r#"("response_type", "code id_token")"#] {
        let text = format!("//! X.\nconst A: [(&str, &str); 1] = [{asked}];");
        assert_eq!(
            at(&flows(&one("src/providers/a/b.rs", &text), &[])),
            ["src/providers/a/b.rs:2"],
            "{asked}"
        );
    }
    let fine = "//! X.\nconst A: (&str, &str) = (\"grant_type\", \"refresh_token\");";
    assert!(flows(&one("src/providers/a/b.rs", fine), &[]).is_empty());
    let script = [("assets/a.js".to_owned(), "'use strict';\nwindow.opener.postMessage(1);".to_owned())];
    assert_eq!(at(&flows(&[], &script)), ["assets/a.js:2"]);
}

#[test]
fn a_stray_migration_is_found() {
    let files = ["202601010001_init.sql".to_owned(), "202601020001_more.sql".to_owned()];
    let entry =
        |number: &str, file: &str| format!("({number},\n include_str!(\"../../migrations/{file}\")),\n");
    let (first, second) = (entry("202_601_010_001", &files[0]), entry("202_601_020_001", &files[1]));
    assert!(papers::migrations(&files, &format!("{first}{second}")).is_empty());
    assert_eq!(papers::migrations(&files, &first).len(), 1, "not listed");
    assert_eq!(papers::migrations(&files, &format!("{second}{first}")).len(), 1, "out of order");
    assert_eq!(papers::migrations(&files[..1], &format!("{first}{second}")).len(), 1, "gone");
    let wrong = entry("202_601_020_002", &files[1]);
    assert_eq!(papers::migrations(&files, &format!("{first}{wrong}")).len(), 1, "another number");
    let twice = [files[0].clone(), "202601010001_again.sql".to_owned()];
    assert!(papers::migrations(&twice, &first).iter().any(|found| found.contains("taken")));
    assert!(papers::migrations(&["init.sql".to_owned()], "").iter().any(|found| found.contains("not named")));
}

#[test]
fn a_banned_package_is_found_and_packages_are_counted_once() {
    for name in ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"] {
        let lock = format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
        assert_eq!(at(&papers::banned(&lock)), ["Cargo.lock:2"], "{name}");
    }
    assert!(papers::banned("name = \"opensslike\"\n").is_empty());
    let tree = "a v1.0.0 (/a)\nb v1.0.0 (proc-macro) (*)\nb v1.0.0 (proc-macro)\nb v2.0.0\n\na v1.0.0 (*)\n";
    assert_eq!(papers::packages(tree).len(), 3);
}

#[test]
fn a_dead_link_is_found() {
    let text = "See [a](a.md#part), [web](https://example.com/x) and\n[b](docs/b.md).\n";
    assert_eq!(at(&papers::links("README.md", text, |file| file == "a.md")), ["README.md:2"]);
    assert!(papers::links("README.md", text, |_| true).is_empty());
    let text = "`a/b.rs::one` and `src/c.rs::two`,\n`a/b.rs::three`; `d.rs` is no test";
    let read = |path: &str| match path {
        "tests/it/a/b.rs" => Some("async fn one() {}".to_owned()),
        "src/c.rs" => Some("fn two() {}".to_owned()),
        _ => None,
    };
    assert_eq!(at(&papers::tests("list.md", text, read)), ["list.md:2"]);
}
