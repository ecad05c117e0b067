//! Laying the layers over each other: defaults, file, environment. A value from the environment is text; it
//! becomes what the default at its place is (number, list, yes or no).

use toml::{Table, Value};

/// The defaults, which are also the documentation of every option.
const DEFAULTS: &str = include_str!("../../config.default.toml");
const PREFIX: &str = "VESTIBULE_";
/// Names the operator's file; the one setting that cannot be inside it.
const FILE: &str = "VESTIBULE_CONFIG";
const BESIDE: &str = "vestibule.toml";

/// One table of everything that could be taken, and what is wrong with the rest.
pub(super) fn merged(environment: impl IntoIterator<Item = (String, String)>) -> (Table, Vec<String>) {
    let mut problems = Vec::new();
    let defaults: Table = DEFAULTS.parse().unwrap_or_else(|error| {
        problems.push(format!("config.default.toml: {error}"));
        Table::new()
    });
    let (mut file, mut settings) = (None, Vec::new());
    for (name, value) in environment {
        match name.strip_prefix(PREFIX) {
            Some(_) if name == FILE => file = Some(value),
            Some(key) if is_orchestrators(key) => {}
            Some(key) if !key.is_empty() => settings.push((name.clone(), key.to_ascii_lowercase(), value)),
            _ => {}
        }
    }
    let mut table = defaults.clone();
    match read_file(file.as_deref()) {
        Ok(Some(operator)) => overlay(&mut table, operator, &defaults, "", &mut problems),
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    // Sorted, so that the same environment always gives the same answer.
    settings.sort();
    let given: Vec<String> = settings.iter().map(|(_, key, _)| key.clone()).collect();
    for (name, key, value) in settings {
        let plain = key.strip_suffix("_file").filter(|plain| given.iter().any(|other| other == plain));
        if let (Some(plain), None) = (plain, find(&defaults, &key.split("__").collect::<Vec<_>>())) {
            problems.push(format!("{name}: is given as well as {plain} itself; give one of the two"));
            continue;
        }
        if let Err(rule) = set(&mut table, &defaults, &key, value) {
            problems.push(format!("{name}: {rule}"));
        }
    }
    (table, problems)
}

/// Kubernetes describes a service called `vestibule` to its containers in variables that look like ours.
fn is_orchestrators(key: &str) -> bool {
    key == "PORT" || key.starts_with("PORT_") || key.starts_with("SERVICE_")
}

fn read_file(named: Option<&str>) -> Result<Option<Table>, String> {
    let path = named.unwrap_or(BESIDE);
    match std::fs::read_to_string(path) {
        Ok(text) => text.parse().map(Some).map_err(|error: toml::de::Error| format!("{path}: {error}")),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

/// Provider sections belong to their providers, which check them.
fn is_open(path: &str) -> bool {
    path.starts_with("providers.")
}

fn overlay(table: &mut Table, over: Table, defaults: &Table, path: &str, problems: &mut Vec<String>) {
    for (key, value) in over {
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let default = defaults.get(&key);
        match (value, default) {
            (Value::Table(over), Some(Value::Table(defaults))) => {
                if let Some(Value::Table(inner)) = table.get_mut(&key) {
                    overlay(inner, over, defaults, &here, problems);
                }
            }
            (value, None) if is_open(&here) => {
                table.insert(key, value);
            }
            (_, None) => problems.push(format!("{here}: there is no such option")),
            (value, Some(default)) if value.same_type(default) || is_open(&here) => {
                table.insert(key, value);
            }
            (_, Some(default)) => problems.push(format!("{here}: must be {}", kind(default))),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
        Value::String(_) | Value::Datetime(_) => "text in quotes",
    }
}

/// Puts one environment variable at its place.
fn set(table: &mut Table, defaults: &Table, key: &str, value: String) -> Result<(), String> {
    let path: Vec<&str> = key.split("__").collect();
    let known = find(defaults, &path);
    if let (None, Some(stripped)) = (known, key.strip_suffix("_file")) {
        let path: Vec<&str> = stripped.split("__").collect();
        if find(defaults, &path).is_some() || path.first() == Some(&"providers") {
            let text = std::fs::read_to_string(&value).map_err(|error| format!("{value}: {error}"))?;
            return set(table, defaults, stripped, text.trim_end_matches(['\r', '\n']).to_owned());
        }
    }
    let open = path.len() == 3 && path[0] == "providers";
    let typed = match known {
        Some(Value::Integer(_)) => {
            Value::Integer(value.trim().parse().map_err(|_| "must be a whole number")?)
        }
        Some(Value::Boolean(_)) => Value::Boolean(value.trim().parse().map_err(|_| "must be true or false")?),
        Some(Value::Array(items)) => list(&value, items)?,
        Some(Value::Table(_)) => return Err("names a section, not an option".to_owned()),
        Some(_) => Value::String(value),
        None if open => Value::String(value),
        None => return Err("there is no such option".to_owned()),
    };
    let (last, sections) = path.split_last().ok_or("there is no such option")?;
    let mut place = table;
    for section in sections {
        let inner = place.entry((*section).to_owned()).or_insert_with(|| Value::Table(Table::new()));
        place = inner.as_table_mut().ok_or("there is no such option")?;
    }
    place.insert((*last).to_owned(), typed);
    Ok(())
}

fn list(text: &str, like: &[Value]) -> Result<Value, String> {
    let numbers = matches!(like.first(), Some(Value::Integer(_)));
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let typed = entries.map(|entry| match numbers {
        true => entry.parse().map(Value::Integer).map_err(|_| format!("{entry} is not a whole number")),
        false => Ok(Value::String(entry.to_owned())),
    });
    typed.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn find<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { find(value.as_table()?, rest) }
}
