//! The API's reference, made from the API document: one page without a script, an entry per operation, in the look of
//! the other pages. It knows the OpenAPI format and nothing of what this API does.

use serde_json::{Map, Value};

use super::Pages;

/// The document and its own `$ref`s.
struct Book<'a>(&'a Value);

impl Pages {
    /// The whole page.
    ///
    /// # Errors
    /// What the template found wrong with the document.
    pub fn reference(&self, document: &Value) -> Result<String, String> {
        let book = Book(document);
        let groups: Vec<Value> = list(&document["tags"]).map(|tag| book.group(tag)).collect();
        let page = minijinja::value::Serde(serde_json::json!({
            "title": text(&document["info"]["title"]),
            "version": text(&document["info"]["version"]),
            "opening": prose(&document["info"]["description"]),
            "groups": groups,
        }));
        let template = self.environment.get_template("reference.html");
        template.and_then(|template| template.render(page)).map_err(|error| error.to_string())
    }
}

impl<'a> Book<'a> {
    /// What stands behind a reference, or the value itself.
    fn resolved(&self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|path| self.0.pointer(path.strip_prefix('#')?));
        target.map_or(value, |target| self.resolved(target))
    }

    /// A tag with everything that carries it: what is called here, then what calls the backend.
    fn group(&self, tag: &'a Value) -> Value {
        let name = text(&tag["name"]);
        let mut operations = Vec::new();
        for (kind, called_here) in [("paths", true), ("webhooks", false)] {
            for (path, item) in self.0[kind].as_object().into_iter().flatten() {
                let shared: Vec<&Value> = list(&item["parameters"]).collect();
                for (method, operation) in item.as_object().into_iter().flatten() {
                    if list(&operation["tags"]).any(|one| one == name) {
                        operations.push(self.operation((path, method, called_here), operation, &shared));
                    }
                }
            }
        }
        serde_json::json!({ "id": slug(name), "name": name, "about": prose(&tag["description"]), "operations": operations })
    }

    fn operation(&self, place: (&str, &str, bool), operation: &'a Value, shared: &[&'a Value]) -> Value {
        let (path, method, called_here) = place;
        let parameters = shared.iter().copied().chain(list(&operation["parameters"]));
        let parameters: Vec<Value> = parameters.map(|one| self.parameter(one)).collect();
        let body = self.resolved(&operation["requestBody"]);
        let (kind, media) = first(&body["content"]);
        let example = example(media);
        let security: Vec<&str> = list(&operation["security"])
            .filter_map(|one| one.as_object()?.keys().next().map(String::as_str))
            .collect();
        let replies = operation["responses"].as_object().into_iter().flatten();
        let replies: Vec<Value> = replies.map(|(status, reply)| self.reply(status, reply)).collect();
        let curl = called_here.then(|| curl(path, method, &security, kind, example.as_ref()));
        serde_json::json!({
            "id": text(&operation["operationId"]),
            "method": method.to_ascii_uppercase(),
            "path": if called_here { path } else { text(&operation["summary"]) },
            "summary": text(&operation["summary"]),
            "about": prose(&operation["description"]),
            "security": security,
            "parameters": parameters,
            "fields": self.fields(&media["schema"]),
            "example": example.filter(|_| !called_here).map(pretty),
            "curl": curl,
            "replies": replies,
        })
    }

    fn parameter(&self, parameter: &'a Value) -> Value {
        let parameter = self.resolved(parameter);
        serde_json::json!({
            "name": text(&parameter["name"]),
            "type": format!("{}, {}", text(&parameter["in"]), self.kind(&parameter["schema"])),
            "required": parameter["required"] == true,
            "about": prose(&parameter["description"]),
        })
    }

    fn reply(&self, status: &str, reply: &'a Value) -> Value {
        let reply = self.resolved(reply);
        let (_, media) = first(&reply["content"]);
        // Refusals are one envelope, told apart by its type.
        let rules = &media["schema"]["allOf"][1]["properties"]["type"];
        let kinds: Vec<&str> = list(&rules["enum"]).filter_map(Value::as_str).collect();
        let fields = if kinds.is_empty() { self.fields(&media["schema"]) } else { Vec::new() };
        serde_json::json!({
            "status": status,
            "about": prose(&reply["description"]),
            "kinds": kinds,
            "fields": fields,
            "example": example(media).map(pretty),
        })
    }

    /// An object's fields, those of every part of it.
    fn fields(&self, schema: &'a Value) -> Vec<Value> {
        let schema = self.resolved(schema);
        let required: Vec<&Value> = list(&schema["required"]).collect();
        let own = schema["properties"].as_object().into_iter().flatten().map(|(name, field)| {
            serde_json::json!({
                "name": name,
                "type": self.kind(field),
                "required": required.iter().any(|one| *one == name),
                "about": prose(&self.resolved(field)["description"]),
            })
        });
        let mut fields: Vec<Value> = own.collect();
        for part in ["allOf", "oneOf", "anyOf"].iter().flat_map(|word| list(&schema[*word])) {
            for field in self.fields(part) {
                if !fields.iter().any(|known| known["name"] == field["name"]) {
                    fields.push(field);
                }
            }
        }
        fields
    }

    /// A schema in a few words.
    fn kind(&self, schema: &'a Value) -> String {
        let schema = self.resolved(schema);
        if let Some(fixed) = schema.get("const") {
            return fixed.to_string();
        }
        let choices: Vec<String> = list(&schema["enum"]).map(Value::to_string).collect();
        if !choices.is_empty() {
            return choices.join(" | ");
        }
        let several: Vec<String> = ["oneOf", "anyOf"]
            .iter()
            .flat_map(|word| list(&schema[*word]))
            .map(|one| self.kind(one))
            .collect();
        if !several.is_empty() {
            return several.join(" or ");
        }
        let named = match &schema["type"] {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
            name => name.as_str().unwrap_or("any").to_owned(),
        };
        match (named.as_str(), schema["format"].as_str()) {
            ("array", _) => format!("array of {}", self.kind(&schema["items"])),
            (_, Some(format)) => format!("{named} ({format})"),
            _ => named,
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The first kind of content.
fn first(content: &Value) -> (&str, &Value) {
    let one = content.as_object().and_then(|kinds| kinds.iter().next());
    one.map_or(("", &Value::Null), |(kind, media)| (kind.as_str(), media))
}

/// The first example that is given for a body.
fn example(media: &Value) -> Option<Value> {
    let several = media["examples"].as_object().and_then(|all| all.values().next());
    media.get("example").or_else(|| several.and_then(|one| one.get("value"))).cloned()
}

fn pretty(value: Value) -> String {
    match value {
        Value::String(text) => text,
        value => serde_json::to_string_pretty(&value).unwrap_or_default(),
    }
}

/// The call as a command.
fn curl(path: &str, method: &str, security: &[&str], kind: &str, example: Option<&Value>) -> String {
    let method = method.to_ascii_uppercase();
    let mut command = format!("curl -X {method} \"$VESTIBULE{path}\"");
    match security.first() {
        Some(&"ApiKey") => command.push_str(" \\\n  -H \"X-API-KEY: $KEY\""),
        Some(&"SessionToken") => command.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\""),
        _ => {}
    }
    if let Some(body) = example.filter(|_| kind == "application/json") {
        let body = serde_json::to_string_pretty(body).unwrap_or_default().replace('\'', "'\\''");
        command.push_str(&format!(" \\\n  -d '{body}'"));
    }
    command
}

/// Prose as a list of paragraphs, each a list of pieces: plain, `code` or strong.
fn prose(value: &Value) -> Vec<Vec<Map<String, Value>>> {
    let paragraphs = text(value).split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    paragraphs.map(|paragraph| pieces(&paragraph.replace('\n', " "))).collect()
}

fn pieces(paragraph: &str) -> Vec<Map<String, Value>> {
    let piece = |word: &str, text: &str| Map::from_iter([(word.to_owned(), Value::from(text))]);
    let mut pieces = Vec::new();
    for (at, part) in paragraph.split('`').enumerate() {
        if at % 2 == 1 {
            pieces.push(piece("code", part));
            continue;
        }
        for (at, part) in part.split("**").enumerate().filter(|(_, part)| !part.is_empty()) {
            pieces.push(piece(if at % 2 == 1 { "strong" } else { "plain" }, part));
        }
    }
    pieces
}

/// A name as an anchor.
fn slug(name: &str) -> String {
    name.to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}
