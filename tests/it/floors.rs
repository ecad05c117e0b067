//! The floor plan, held against the sources: which room may use which, and what must stay out of a room. Each
//! rule gives its findings as `file:line: what`; `planted` proves that each finds what it is there to find.

mod papers;
mod planted;
mod source;
mod words;

use std::path::Path;

use source::Source;

/// Room, floor, and the rooms it may use. Rooms on one floor do not see each other.
const FLOORS: &[(&str, u8, &[&str])] = &[
    ("kernel", 0, &[]),
    ("config", 1, &["kernel"]),
    ("contract", 1, &["kernel"]),
    ("dialects", 2, &["kernel", "contract"]),
    ("store", 2, &["kernel"]),
    ("providers", 2, &["kernel", "contract"]),
    ("pages", 2, &["kernel", "contract"]),
    ("connect", 3, &["kernel", "contract", "store"]),
    ("workers", 4, &["kernel", "contract", "dialects", "store", "connect"]),
    ("web", 4, &["kernel", "config", "contract", "dialects", "pages", "connect"]),
    ("main", 5, EVERYTHING),
    ("lib", 5, EVERYTHING),
    ("commands", 5, EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "kernel",
    "config",
    "contract",
    "dialects",
    "store",
    "providers",
    "pages",
    "connect",
    "workers",
    "web",
    "commands",
];

/// Rooms that must work for every provider there will ever be.
const NAMELESS: &[&str] = &["kernel", "pages", "connect", "store", "web", "workers"];

/// Where browsers are told by the apps that they are part of; some are called as a provider is.
const APPS: &str = "src/web/wizard/handover.rs";

/// Ways out to the network, and where they may stand.
const CONNECTOR: &str = "src/kernel/egress";
const WAYS_OUT: &[&str] = &[
    "TcpStream::connect",
    "UnixStream::connect",
    "TcpSocket",
    "UdpSocket",
    "UnixDatagram",
    "connect_timeout",
    "lookup_host",
    "to_socket_addrs",
    "ToSocketAddrs",
    "HttpConnector",
    "hickory_resolver",
    "reqwest",
];

const SQL: &[&str] = &["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE"];

/// What a client says to a provider by these names, and all that it may say: nobody's password, no token by way of a page.
const FLOWS: &[(&str, &[&str])] = &[
    ("grant_type", &["authorization_code", "refresh_token", "client_credentials"]),
    ("response_type", &["code"]),
    ("response_mode", &["query"]),
];
/// How pages talk to other pages, which no sign-in needs.
const BETWEEN_PAGES: &[&str] = &["postMessage", "window.opener", "BroadcastChannel", "web_message"];

const LINES: usize = 400;

fn floor(room: &str) -> Option<&'static (&'static str, u8, &'static [&'static str])> {
    FLOORS.iter().find(|(name, _, _)| *name == room)
}

/// No room uses a room that its row does not name.
fn rooms(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let room = source.room();
        let Some((_, own, may_use)) = floor(room) else {
            found.push(format!("{}:1: the room {room} is on no floor", source.path));
            continue;
        };
        for (line, path) in source.paths() {
            let used = path[0].as_str();
            let Some((_, other, _)) = floor(used) else { continue };
            if used != room && !may_use.contains(&used) {
                found.push(format!(
                    "{}:{line}: {room} (floor {own}) may not use {used} (floor {other})",
                    source.path
                ));
            }
        }
    }
    found
}

/// No provider uses another one.
fn strangers(sources: &[Source], slugs: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let Some(own) = slugs.iter().find(|slug| source.path.starts_with(&format!("src/providers/{slug}/")))
        else {
            continue;
        };
        for (line, path) in source.paths() {
            let other = path.get(1).filter(|other| path[0] == "providers" && slugs.contains(other));
            if let Some(other) = other.filter(|other| *other != own) {
                found.push(format!("{}:{line}: the provider {own} uses the provider {other}", source.path));
            }
        }
    }
    found
}

/// Every file says first what it owns.
fn openings(sources: &[Source]) -> Vec<String> {
    let bare = sources.iter().filter(|source| !source.text.starts_with("//! "));
    bare.map(|source| format!("{}:1: the file does not open with `//! `", source.path)).collect()
}

/// A file that needs a table of contents is two files.
fn lengths(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().filter(|source| source.lines() > LINES);
    long.map(|source| format!("{}:{LINES}: {} lines before its tests", source.path, source.lines())).collect()
}

/// Provider names occur in no room that serves all of them.
fn names(sources: &[Source], slugs: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let nameless = sources.iter().filter(|source| NAMELESS.contains(&source.room()) && source.path != APPS);
    for source in nameless {
        for (line, text) in source.spoken() {
            if let Some(slug) = slugs.iter().find(|slug| names_it(&text, slug)) {
                found.push(format!("{}:{line}: {} names the provider {slug}", source.path, source.room()));
            }
        }
    }
    found
}

/// Whether `text` holds `slug` as a word, a part of `snake_case` or a part of `CamelCase`.
fn names_it(text: &str, slug: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.match_indices(slug).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let first = text[at..].chars().next();
        let after = text[at + slug.len()..].chars().next();
        let begins = !before.is_some_and(char::is_alphanumeric) || first.is_some_and(char::is_uppercase);
        begins && !after.is_some_and(|after| after.is_lowercase() || after.is_numeric())
    })
}

/// SQL stands in the store only.
fn statements(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.room() != "store") {
        for (line, text) in source.strings() {
            if let Some(word) = SQL.iter().find(|word| text.contains(**word)) {
                found.push(format!("{}:{line}: SQL ({}) outside the store", source.path, word.trim()));
            }
        }
    }
    found
}

/// One connector opens every outgoing connection.
fn ways_out(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.path.starts_with(CONNECTOR)) {
        for (line, text) in source.code_lines() {
            if let Some(way) = WAYS_OUT.iter().find(|way| text.contains(**way)) {
                found.push(format!("{}:{line}: {way} outside {CONNECTOR}", source.path));
            }
        }
    }
    found
}

/// Providers are asked in one way, and no page gives what it brought to another one. `scripts` are all other files.
fn flows(sources: &[Source], scripts: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let strings = source.strings();
        for pair in strings.windows(2) {
            let [(line, name), (_, value)] = pair else { continue };
            let known = FLOWS.iter().find(|(known, _)| known == name);
            if known.is_some_and(|(_, values)| !values.contains(&value.as_str())) {
                found.push(format!("{}:{line}: {name} is {value}", source.path));
            }
        }
    }
    let texts = sources.iter().map(|source| (&source.path, &source.text));
    for (path, text) in texts.chain(scripts.iter().map(|(path, text)| (path, text))) {
        for (line, text) in (1..).zip(text.lines()) {
            if let Some(word) = BETWEEN_PAGES.iter().find(|word| text.contains(**word)) {
                found.push(format!("{path}:{line}: {word} goes from page to page"));
            }
        }
    }
    found
}

/// The sources of the package, without what only its tests compile.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    walk(Path::new(ROOT), "src", &["rs"], &mut files);
    assert!(files.len() > 30, "the sources are not where they are looked for");
    source::product(files)
}

/// What browsers are sent.
fn scripts() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["assets", "templates"] {
        walk(Path::new(ROOT), folder, &["js", "html"], &mut files);
    }
    assert!(
        files.iter().any(|(path, _)| path.ends_with(".js")),
        "the scripts are not where they are looked for"
    );
    files
}

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn walk(root: &Path, folder: &str, endings: &[&str], files: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = std::fs::read_dir(root.join(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("its type").is_dir() {
            walk(root, &path, endings, files);
        } else if path.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending)) {
            let text = std::fs::read_to_string(root.join(&path)).expect("a source file");
            files.push((path, text));
        }
    }
}

/// The providers: the folders in their room that describe one. What several of them share describes none.
fn slugs() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(Path::new(ROOT).join("src/providers")) else { return Vec::new() };
    let folders = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().join("about.toml").is_file());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn clean(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_room_uses_a_room_it_may_not() {
    clean(&rooms(&sources()));
}

#[test]
fn providers_do_not_see_each_other() {
    clean(&strangers(&sources(), &slugs()));
}

#[test]
fn every_source_file_says_first_what_it_owns() {
    clean(&openings(&sources()));
}

#[test]
fn no_source_file_is_longer_than_four_hundred_lines() {
    clean(&lengths(&sources()));
}

#[test]
fn no_provider_is_named_where_all_of_them_are_served() {
    clean(&names(&sources(), &slugs()));
}

#[test]
fn sql_stands_in_the_store_only() {
    clean(&statements(&sources()));
}

#[test]
fn one_connector_opens_every_outgoing_connection() {
    clean(&ways_out(&sources()));
}

#[test]
fn providers_are_asked_for_codes_only_and_no_page_talks_to_another() {
    clean(&flows(&sources(), &scripts()));
}
