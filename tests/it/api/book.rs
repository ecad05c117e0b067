//! The document as tests use it: its operations, and a book of what was seen, held against what it promises.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule::dialects::document;

use crate::app::App;
use crate::app::http::{Reply, send};

/// What the document calls an operation.
pub struct Operation {
    pub id: String,
    pub tag: String,
    /// In capitals.
    pub method: String,
    /// The path under each of its servers, with the parts that vary in braces.
    pub paths: Vec<String>,
    /// Whether it takes an API key.
    pub keyed: bool,
    /// Whether it takes a session's token.
    pub held: bool,
    responses: Value,
}

impl Operation {
    /// The statuses that it promises.
    pub fn statuses(&self) -> impl Iterator<Item = u16> {
        self.responses.as_object().expect("responses").keys().map(|status| status.parse().expect("a status"))
    }

    pub fn has(&self, status: u16) -> bool {
        self.statuses().any(|known| known == status)
    }

    /// Its first path with the parts that vary filled in; `none` where nothing is left to fill in.
    pub fn path(&self, values: &[&str]) -> String {
        fill(&self.paths[0], values)
    }
}

/// A path with the parts that vary filled in.
pub fn fill(path: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let parts = path.split('/').map(|part| match part.starts_with('{') {
        true => values.next().copied().unwrap_or("none"),
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// All operations of the document.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, told) in item.as_object().expect("a path item") {
            if matches!(method.as_str(), "servers" | "parameters") {
                continue;
            }
            let servers = item["servers"].as_array().cloned().unwrap_or_else(|| vec![json!({ "url": "/" })]);
            let under = |server: &Value| {
                format!("{}{path}", server["url"].as_str().expect("a server").trim_end_matches('/'))
            };
            let secured = |scheme: &str| {
                told["security"]
                    .as_array()
                    .is_some_and(|ways| ways.iter().any(|way| way.get(scheme).is_some()))
            };
            all.push(Operation {
                id: told["operationId"].as_str().expect("an id").to_owned(),
                tag: told["tags"][0].as_str().expect("a tag").to_owned(),
                method: method.to_ascii_uppercase(),
                paths: servers.iter().map(under).collect(),
                keyed: secured("ApiKey"),
                held: secured("SessionToken"),
                responses: told["responses"].clone(),
            });
        }
    }
    all
}

/// A request in the making.
#[derive(Clone, Default)]
pub struct Ask<'a> {
    pub values: &'a [&'a str],
    pub query: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a str,
}

/// What was seen so far.
pub struct Book {
    document: Value,
    pub operations: Vec<Operation>,
    seen: BTreeSet<(String, u16)>,
    wrong: Vec<String>,
}

impl Book {
    pub fn new() -> Self {
        let document = document::json().expect("the document");
        let operations = operations(&document);
        Self { document, operations, seen: BTreeSet::new(), wrong: Vec::new() }
    }

    pub fn operation(&self, id: &str) -> &Operation {
        self.operations.iter().find(|one| one.id == id).unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// Asks for an operation and enters what came back, which has the status that the caller means to see.
    pub async fn ask(&mut self, app: &App, id: &str, status: u16, ask: Ask<'_>) -> Reply {
        let reply = sent(app, self.operation(id), &ask).await;
        self.enter(id, status, &reply);
        reply
    }

    /// Enters a reply.
    pub fn enter(&mut self, id: &str, status: u16, reply: &Reply) {
        if reply.status != status {
            self.wrong.push(format!("{id}: {} where {status} was meant: {}", reply.status, reply.text()));
        }
        self.seen.insert((id.to_owned(), reply.status));
        let told = &self.operation(id).responses[reply.status.to_string()];
        let told = self.resolved(told);
        if told.is_null() {
            self.wrong.push(format!("{id}: {} is not documented: {}", reply.status, reply.text()));
            return;
        }
        let place = format!("{id} {}", reply.status);
        let mut wrong = Vec::new();
        for (name, header) in told["headers"].as_object().into_iter().flatten() {
            let header = self.resolved(header);
            match reply.headers.get(name).and_then(|value| value.to_str().ok()) {
                None if header["required"] == true => wrong.push(format!("{place}: no header {name}")),
                None => {}
                Some(text) => {
                    let whole = header["schema"]["type"] == "integer";
                    let value = if whole { json!(text.parse::<i64>().ok()) } else { json!(text) };
                    wrong.extend(
                        self.breaks(&header["schema"], &value).map(|why| format!("{place}: {name}: {why}")),
                    );
                }
            }
        }
        let kind = reply.header("content-type").split(';').next().unwrap_or_default().trim();
        let content = &told["content"][kind];
        match kind {
            "" if reply.body.is_empty() => {}
            _ if content.is_null() => wrong.push(format!("{place}: {kind} is not documented")),
            "application/json" => {
                wrong.extend(
                    self.breaks(&content["schema"], &reply.json()).map(|why| format!("{place}: {why}")),
                );
            }
            _ => assert!(!reply.body.is_empty(), "{place}: an empty {kind}"),
        }
        self.wrong.extend(wrong);
    }

    /// Says what was promised and never seen, and what else was wrong.
    pub fn close(mut self) {
        for operation in &self.operations {
            for status in operation.statuses() {
                if !self.seen.contains(&(operation.id.clone(), status)) {
                    self.wrong
                        .push(format!("{}: {status} is documented and nothing produces it", operation.id));
                }
            }
        }
        assert!(self.wrong.is_empty(), "{} findings:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }

    fn resolved(&self, value: &Value) -> Value {
        match value["$ref"].as_str() {
            Some(pointer) => self
                .document
                .pointer(pointer.trim_start_matches('#'))
                .unwrap_or_else(|| panic!("{pointer}"))
                .clone(),
            None => value.clone(),
        }
    }

    /// Why a value is not what a schema of the document wants.
    fn breaks(&self, schema: &Value, value: &Value) -> Option<String> {
        let whole = json!({ "allOf": [schema], "components": self.document["components"] });
        let validator = jsonschema::draft202012::new(&whole).expect("the document's schema is one");
        let found: Vec<_> =
            validator.iter_errors(value).map(|why| format!("{}: {why}", why.instance_path())).collect();
        (!found.is_empty()).then(|| format!("{} in {value}", found.join("; ")))
    }
}

/// Sends a request for an operation.
pub async fn sent(app: &App, operation: &Operation, ask: &Ask<'_>) -> Reply {
    let url = app.url(&format!("{}{}", operation.path(ask.values), ask.query));
    send(&operation.method, &url, ask.headers, ask.body.as_bytes()).await
}
