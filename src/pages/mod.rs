//! The wizard's pages: steps and outcomes in, HTML out. It owns the templates, the texts in every locale and the
//! files a page loads; it does no I/O and decides nothing. No provider is named here: their words and icons are
//! handed in. Every value is escaped, no page needs a script, and rendering never fails for the person.

mod assets;
mod brand;
mod catalog;
mod fields;
mod icons;
mod live;
mod negotiate;
mod page;
mod reference;
mod templates;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Environment;

pub use assets::Asset;
pub use brand::Brand;
pub use page::{
    Busy, Frame, Handover, Leaving, Page, Problem, ProblemKind, ProviderWords, StepPage, Success, Welcome,
};

use crate::contract;
use assets::Assets;
use catalog::Catalog;

/// The product's own words.
const LOCALES: [(&str, &str); 10] = [
    ("ar", include_str!("../../locales/ar.toml")),
    ("de", include_str!("../../locales/de.toml")),
    ("en", include_str!("../../locales/en.toml")),
    ("es", include_str!("../../locales/es.toml")),
    ("fr", include_str!("../../locales/fr.toml")),
    ("it", include_str!("../../locales/it.toml")),
    ("ja", include_str!("../../locales/ja.toml")),
    ("nl", include_str!("../../locales/nl.toml")),
    ("pl", include_str!("../../locales/pl.toml")),
    ("pt", include_str!("../../locales/pt.toml")),
];

/// What is shown when a page cannot be rendered.
const LAST_RESORT: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <title>Something went wrong</title>\n<h1>Something went wrong on our side</h1>\n\
    <p>Nothing you did caused this. Reload this page in a moment; if that does not help, go back to where you \
    came from and start again.</p>\n</html>\n";

/// Everything needed to draw a page; built once, shared.
pub struct Pages {
    environment: Environment<'static>,
    catalog: Arc<Catalog>,
    assets: Assets,
    brand: Brand,
}

impl Pages {
    /// Reads templates and texts. `Err` names the template, the locale or the key that is wrong.
    pub fn new(providers: Vec<ProviderWords>, brand: Brand) -> Result<Self, String> {
        let mut catalog = Catalog::new(&LOCALES)?;
        let mut icons = BTreeMap::new();
        for provider in providers {
            for (tag, strings) in &provider.strings {
                for (key, value) in strings {
                    catalog.add(&provider.slug, key, tag, value)?;
                }
            }
            icons.insert(provider.slug, provider.icon);
        }
        let catalog = Arc::new(catalog);
        let assets = Assets::new(&brand);
        let environment = templates::environment(Arc::clone(&catalog), &assets, icons)?;
        Ok(Self { environment, catalog, assets, brand })
    }

    /// The best locale for an `Accept-Language` header; English when nothing fits.
    pub fn locale(&self, accept_language: Option<&str>) -> &str {
        let tags: Vec<&str> = self.catalog.tags().collect();
        accept_language.and_then(|header| negotiate::best(header, &tags)).unwrap_or(catalog::DEFAULT)
    }

    /// The locale for a tag that somebody asked for, such as `de` or `de-AT`; `None` when it is not spoken here.
    pub fn speaks(&self, tag: &str) -> Option<&str> {
        let tags: Vec<&str> = self.catalog.tags().collect();
        negotiate::look_up(tag, &tags)
    }

    /// The whole page. Never fails: what cannot be rendered becomes a plain page that says so, and one log line.
    pub fn render(&self, frame: &Frame<'_>, page: &Page<'_>) -> String {
        self.try_render(frame, page).unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "a page could not be rendered");
            LAST_RESORT.to_owned()
        })
    }

    /// A file by its path below `/assets/`. Names carry the hash of the content, so they never change.
    pub fn asset(&self, path: &str) -> Option<&Asset> {
        self.assets.get(path)
    }

    /// A text in a locale as plain text, for logs, the command line and tests. Not escaped.
    pub fn text(&self, locale: &str, text: &contract::Text) -> String {
        self.catalog.plain(locale, &text.key, &text.args)
    }

    /// What the layout is given: what the view says, in the operator's look.
    fn layout(&self, view: &view::View<'_>, body: String) -> minijinja::Value {
        let support = self.brand.support(view.reference().unwrap_or_default());
        let support = support.filter(|_| view.reference().is_some());
        let support = support.map(|(url, shown)| minijinja::context! { url, shown });
        let look = minijinja::context! {
            logo => self.assets.path("logo"),
            logo_dark => self.assets.path("logo-dark"),
            support,
        };
        minijinja::context! { ..look, ..view.layout(body) }
    }

    fn try_render(&self, frame: &Frame<'_>, page: &Page<'_>) -> Result<String, minijinja::Error> {
        let view = view::View::new(&self.catalog, frame, page);
        let body = self.environment.get_template(view.template)?.render(&view.body)?;
        self.environment.get_template("layout.html")?.render(self.layout(&view, body))
    }
}
