//! The templates and the few functions they may call: `t` gives one of our texts as HTML, `attr` the same for
//! an attribute; `icon` and `emblem` give drawings, `asset` a path.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::assets::Assets;
use super::catalog::{Catalog, Message};
use super::icons;

/// Name and source of every template.
pub(super) const TEMPLATES: [(&str, &str); 9] = [
    ("layout.html", include_str!("../../templates/layout.html")),
    ("welcome.html", include_str!("../../templates/welcome.html")),
    ("step.html", include_str!("../../templates/step.html")),
    ("busy.html", include_str!("../../templates/busy.html")),
    ("success.html", include_str!("../../templates/success.html")),
    ("leaving.html", include_str!("../../templates/leaving.html")),
    ("handover.html", include_str!("../../templates/handover.html")),
    ("problem.html", include_str!("../../templates/problem.html")),
    ("reference.html", include_str!("../../templates/reference.html")),
];

/// Templates and functions, strict about what is undefined.
pub(super) fn environment(
    catalog: Arc<Catalog>,
    assets: &Assets,
    emblems: BTreeMap<String, &'static str>,
) -> Result<Environment<'static>, String> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    env.set_syntax(syntax.map_err(|error| format!("template syntax: {error:#}"))?);
    let texts = Arc::clone(&catalog);
    let fixed = fixed(&catalog);
    env.add_function("t", move |state: &State<'_, '_>, key: String, args: Kwargs| {
        let locale = state.lookup("locale").unwrap_or_default();
        let tag = locale.as_str().unwrap_or_default();
        match fixed.get(tag).and_then(|texts| texts.get(&key)) {
            Some(text) => Ok::<_, Error>(text.clone()),
            None => Ok(Value::from_safe_string(texts.html(tag, &key, &values(&args)?))),
        }
    });
    env.add_function("attr", move |state: &State<'_, '_>, key: String| {
        let locale = state.lookup("locale").unwrap_or_default();
        catalog.plain(locale.as_str().unwrap_or_default(), &key, &BTreeMap::new())
    });
    let icons: HashMap<&str, Value> =
        icons::ICONS.into_iter().map(|(name, svg)| (name, drawn(svg))).collect();
    let general = icons.get("account").cloned().unwrap_or_default();
    env.add_function("icon", move |name: String| {
        let unknown = || Error::new(ErrorKind::InvalidOperation, format!("no icon {name}"));
        icons.get(name.as_str()).cloned().ok_or_else(unknown)
    });
    let emblems = emblems.into_iter().filter(|(_, svg)| !svg.trim().is_empty());
    let emblems: HashMap<String, Value> = emblems.map(|(slug, svg)| (slug, drawn(svg))).collect();
    env.add_function("emblem", move |slug: Option<String>| {
        slug.and_then(|slug| emblems.get(&slug)).unwrap_or(&general).clone()
    });
    let paths = assets.paths().map(|(plain, path)| (plain.to_owned(), Value::from_safe_string(path)));
    let paths: HashMap<String, Value> = paths.collect();
    env.add_function("asset", move |name: String| {
        let unknown = || Error::new(ErrorKind::InvalidOperation, format!("no asset {name}"));
        paths.get(&name).cloned().ok_or_else(unknown)
    });
    for (name, source) in TEMPLATES {
        env.add_template(name, source).map_err(|error| format!("template {name}: {error:#}"))?;
    }
    Ok(env)
}

/// An SVG of ours, which needs no escaping.
fn drawn(svg: &str) -> Value {
    Value::from_safe_string(svg.trim().to_owned())
}

/// The texts without placeholders, by locale and key, escaped once for all pages: most texts are of this kind.
fn fixed(catalog: &Catalog) -> HashMap<String, HashMap<String, Value>> {
    let texts = |tag: &str| {
        let messages = catalog.locale(tag).into_iter().flat_map(|locale| &locale.messages);
        let plain =
            messages.filter(|(_, message)| matches!(message, Message::Plain(text) if !text.contains('{')));
        let html = |key: &str| Value::from_safe_string(catalog.html(tag, key, &BTreeMap::new()));
        plain.map(|(key, _)| (key.clone(), html(key))).collect()
    };
    catalog.tags().map(|tag| (tag.to_owned(), texts(tag))).collect()
}

fn values(args: &Kwargs) -> Result<BTreeMap<String, String>, Error> {
    args.args().map(|name| Ok((name.to_owned(), args.get::<Value>(name)?.to_string()))).collect()
}
