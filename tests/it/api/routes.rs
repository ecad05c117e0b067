//! The document's routes are the router's.

use std::collections::BTreeSet;
use std::path::Path;

use vestibule::dialects::document;

use super::book::{fill, operations};
use crate::app::App;
use crate::app::http::send;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Routes that the document leaves out, and why.
const UNTOLD: &[(&str, &str)] = &[
    ("GET /assets/{}", "files that pages load, under names that change with their content"),
    (
        "GET /wizard/{}/events",
        "what a page of the wizard follows; whoever draws screens has a stream of their own",
    ),
    ("GET /metrics", "on a listener of its own, in a format of its own"),
];

fn documented() -> BTreeSet<String> {
    let all = operations(&document::json().expect("the document"));
    let routes =
        all.iter().flat_map(|one| one.paths.iter().map(|path| format!("{} {}", one.method, bare(path))));
    routes.collect()
}

/// A path without the names of what varies in it.
fn bare(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

/// Every route that a source adds, under whatever it nests them.
fn added(text: &str) -> Vec<String> {
    let quoted = |text: &str| text.split('"').nth(1).unwrap_or_default().to_owned();
    let nests: Vec<String> = text.split(".nest(").skip(1).map(quoted).collect();
    let nests = if nests.is_empty() { vec![String::new()] } else { nests };
    let mut found = Vec::new();
    for call in text.split(".route(").skip(1) {
        let mut depth = 1;
        let end = call.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let call = &call[..end.expect("a closed call")];
        for method in METHODS {
            let name = format!("{}(", method.to_ascii_lowercase());
            let adds = call.match_indices(&name).any(|(at, _)| {
                !call[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            });
            if adds {
                found.extend(nests.iter().map(|nest| format!("{method} {nest}{}", bare(&quoted(call)))));
            }
        }
    }
    found
}

fn walk(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.extend(added(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()));
        }
    }
}

#[test]
fn what_the_sources_route_is_documented_and_nothing_else() {
    let mut routed = BTreeSet::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut routed);
    for (route, why) in UNTOLD {
        assert!(routed.remove(*route), "{route} is left out for no reason any more: {why}");
    }
    let documented = documented();
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>().join("\n")
    };
    assert_eq!(only(&routed, &documented), "", "routed and not documented");
    assert_eq!(only(&documented, &routed), "", "documented and not routed");
}

#[tokio::test]
async fn a_running_server_knows_the_documented_routes_and_refuses_other_methods() {
    let app = App::start();
    let documented = documented();
    let paths: BTreeSet<&str> = documented.iter().filter_map(|route| route.split(' ').nth(1)).collect();
    for path in paths {
        for method in METHODS {
            let reply = send(method, &app.url(&fill(path, &[])), &[], b"").await;
            let known = documented.contains(&format!("{method} {path}"));
            assert_eq!(reply.status == 405, !known, "{method} {path}: {} {}", reply.status, reply.text());
            assert!(!reply.text().contains("there is nothing at this path"), "{method} {path}");
            if reply.status == 405 {
                let allowed: BTreeSet<&str> = reply.header("allow").split(',').map(str::trim).collect();
                for told in METHODS {
                    let documented = documented.contains(&format!("{told} {path}"));
                    assert_eq!(allowed.contains(told), documented, "{told} {path}: {allowed:?}");
                }
            }
        }
    }
    let nothing = send("GET", &app.url("/v1/none"), &[], b"").await;
    assert_eq!(nothing.status, 404);
    assert!(nothing.text().contains("there is nothing at this path"), "{}", nothing.text());
}
