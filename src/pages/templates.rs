//! The templates and the few functions they may call: `t` gives one of our texts as HTML, `attr` the same for
//! an attribute; `icon` and `emblem` give drawings, `asset` a path.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::assets::Assets;
use super::catalog::Catalog;
use super::icons;

/// Name and source of every template.
pub(super) const TEMPLATES: [(&str, &str); 7] = [
    ("layout.html", include_str!("../../templates/layout.html")),
    ("welcome.html", include_str!("../../templates/welcome.html")),
    ("step.html", include_str!("../../templates/step.html")),
    ("busy.html", include_str!("../../templates/busy.html")),
    ("success.html", include_str!("../../templates/success.html")),
    ("leaving.html", include_str!("../../templates/leaving.html")),
    ("problem.html", include_str!("../../templates/problem.html")),
];

/// Templates and functions, strict about what is undefined.
pub(super) fn environment(
    catalog: Arc<Catalog>,
    assets: Arc<Assets>,
    emblems: BTreeMap<String, &'static str>,
) -> Result<Environment<'static>, String> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    env.set_syntax(syntax.map_err(|error| format!("template syntax: {error:#}"))?);
    let texts = Arc::clone(&catalog);
    env.add_function("t", move |state: &State<'_, '_>, key: String, args: Kwargs| {
        Ok::<_, Error>(Value::from_safe_string(texts.html(&locale(state), &key, &values(&args)?)))
    });
    env.add_function("attr", move |state: &State<'_, '_>, key: String| {
        catalog.plain(&locale(state), &key, &BTreeMap::new())
    });
    env.add_function("icon", |name: String| {
        icons::icon(&name)
            .map(|svg| Value::from_safe_string(svg.trim().to_owned()))
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no icon {name}")))
    });
    env.add_function("emblem", move |slug: Option<String>| {
        let own = slug.and_then(|slug| emblems.get(&slug).copied()).filter(|svg| !svg.trim().is_empty());
        Value::from_safe_string(own.or_else(|| icons::icon("account")).unwrap_or_default().trim().to_owned())
    });
    env.add_function("asset", move |name: String| {
        assets
            .path(&name)
            .map(Value::from_safe_string)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no asset {name}")))
    });
    for (name, source) in TEMPLATES {
        env.add_template(name, source).map_err(|error| format!("template {name}: {error:#}"))?;
    }
    Ok(env)
}

fn locale(state: &State<'_, '_>) -> String {
    state.lookup("locale").map(|value| value.to_string()).unwrap_or_default()
}

fn values(args: &Kwargs) -> Result<BTreeMap<String, String>, Error> {
    args.args().map(|name| Ok((name.to_owned(), args.get::<Value>(name)?.to_string()))).collect()
}
