//! The wizard in a real browser. Every page on every walk is photographed, must bring no complaint from the browser
//! (its console shows violations of the page's own policy), and is measured: nothing over the edge, nothing cut off,
//! nothing too faint, nothing too small for a finger. axe-core must find nothing in it.

mod access;
mod browsers;
mod codes;
mod ends;
mod finish;
mod hosts;
mod languages;
mod normal;
mod oauth;
mod passwords;
mod problems;
mod reconnect;
mod reference;
mod riposte;
mod tour;
mod words;

use std::path::Path;

use fantoccini::Locator;
use serde_json::Value;

use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::{App, Link};
use crate::parts::browser::{Browser, Look, Size};
use crate::parts::sink::{Answer, Sink};
use crate::parts::{READY, eventually_async};

/// The audit of accessibility: axe-core, which `cargo xtask setup` fetches, and what it says is wrong.
fn audit() -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("axe-core").join("axe.min.js");
    let axe = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", path.display()));
    format!(
        "const done = arguments[arguments.length - 1];\n{axe}\n
        axe.run(document, {{ resultTypes: ['violations'], preload: false }}).then(
            (found) => done(found.violations.map((one) => `${{one.id}}: ${{one.nodes[0].html}}`)),
            (error) => done([String(error)]))"
    )
}

/// A person at a browser; the name goes into the names of the pictures.
pub struct Walk {
    pub browser: Browser,
    name: String,
    scripts: bool,
}

/// The usual window.
pub fn desktop() -> Look {
    Look::default()
}

/// A phone whose owner likes it dark.
pub fn phone() -> Look {
    Look { size: Size::Phone, dark: true, ..Look::default() }
}

/// The narrowest window.
pub fn narrow() -> Look {
    Look { size: Size::Narrow, ..Look::default() }
}

impl Walk {
    /// Opens a browser.
    pub async fn start(look: Look, name: &str) -> Self {
        let scripts = look.javascript;
        Self { browser: Browser::open(look).await, name: name.to_owned(), scripts }
    }

    /// Looks at the page: a picture of it, its complaints, its measures.
    pub async fn see(&self, page: &str) {
        self.see_status(page, 200).await;
    }

    /// The same for a page with this status.
    pub async fn see_status(&self, page: &str, status: u16) {
        let picture = self.browser.screenshot(&format!("{page}-{}", self.name)).await;
        let entry = "return performance.getEntriesByType('navigation')[0].responseStatus";
        assert_eq!(self.run(entry).await, status, "{picture:?}: {}", self.browser.text().await);
        // The console also notes every page that is not a success, which is no complaint.
        let noted = format!("status of {status}");
        let mut complaints = self.browser.complaints().await;
        complaints.retain(|line| status == 200 || !line.contains(&noted));
        // The pages of the stand-ins for providers are not ours.
        complaints.retain(|line| !line.starts_with("https://localhost:"));
        assert_eq!(complaints, Vec::<String>::new(), "{picture:?}");
        let wrong = self.run(include_str!("look.js")).await;
        assert_eq!(wrong, Value::Array(Vec::new()), "{picture:?}");
        if !self.scripts {
            // The audit waits, which nothing can where no scripts run; other walks see the same pages with them.
            return;
        }
        let found = self.browser.client().execute_async(&audit(), Vec::new()).await.expect("the audit runs");
        assert_eq!(found, Value::Array(Vec::new()), "{picture:?}");
    }

    /// Waits until a selector finds something in a page that has loaded; an empty selector never does.
    pub async fn until(&self, css: &str) {
        let ready = async || {
            self.try_document().await?;
            let found = self.browser.client().find_all(Locator::Css(css)).await.ok()?;
            (!found.is_empty()).then_some(())
        };
        eventually_async(&format!("{css} in a page"), READY, ready).await;
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.browser.client().execute(script, Vec::new()).await.expect("the script runs")
    }

    /// Clicks what a selector finds and waits for the page behind it.
    pub async fn follow(&self, css: &str) {
        let before = self.document().await;
        self.browser.click(css).await;
        self.next(before).await;
    }

    /// Presses a button of a step's form.
    pub async fn press(&self, action: &str) {
        self.follow(&format!("button[name=action][value=\"{action}\"]")).await;
    }

    /// Presses Enter in a field.
    pub async fn enter(&self, field: &str) {
        let before = self.document().await;
        let css = format!("[name=\"f.{field}\"]");
        let found = self.browser.client().find(Locator::Css(&css)).await.expect("the field");
        found.send_keys("\u{e007}").await.expect("Enter");
        self.next(before).await;
    }

    /// What tells one loaded page from the next.
    pub async fn document(&self) -> f64 {
        self.try_document().await.expect("a page")
    }

    async fn try_document(&self) -> Option<f64> {
        let script = "return document.readyState === 'complete' ? performance.timeOrigin : 0";
        let told = self.browser.client().execute(script, Vec::new()).await.ok()?.as_f64();
        told.filter(|origin| *origin > 0.0)
    }

    /// Waits until another page than this one has loaded.
    #[expect(clippy::float_cmp, reason = "the same page tells the very same number")]
    pub async fn next(&self, before: f64) {
        let what = format!("the page after {before}");
        let ready = async || self.try_document().await.filter(|now| *now != before);
        eventually_async(&what, READY, ready).await;
    }

    /// Fills in a step's field.
    pub async fn fill(&self, field: &str, text: &str) {
        self.browser.fill(&format!("f.{field}"), text).await;
    }

    /// What a step's field holds.
    pub async fn value(&self, field: &str) -> String {
        let css = format!("[name=\"f.{field}\"]");
        let found = self.browser.client().find(Locator::Css(&css)).await.expect("the field");
        found.prop("value").await.expect("its value").unwrap_or_default()
    }

    /// Chooses in a step's field.
    pub async fn choose(&self, field: &str, value: &str) {
        let css = format!("[name=\"f.{field}\"]");
        let found = self.browser.client().find(Locator::Css(&css)).await.expect("the field");
        found.select_by_value(value).await.expect("the choice");
    }

    /// Whether a selector finds something.
    pub async fn has(&self, css: &str) -> bool {
        !self.browser.client().find_all(Locator::Css(css)).await.expect("a page").is_empty()
    }

    /// An attribute of what a selector finds first.
    pub async fn attribute(&self, css: &str, name: &str) -> String {
        let found = self.browser.client().find(Locator::Css(css)).await.expect("the element");
        found.attr(name).await.expect("an attribute").unwrap_or_default()
    }

    /// The page says all of this.
    pub async fn says(&self, wanted: &[&str]) {
        let text = self.browser.text().await;
        for part in wanted {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    /// The page says none of this.
    pub async fn does_not_say(&self, unwanted: &[&str]) {
        let text = self.browser.text().await;
        for part in unwanted {
            assert!(!text.contains(part), "{part:?} in {text}");
        }
    }

    /// Opens a link and presses its button.
    pub async fn begin(&self, link: &Link) {
        self.browser.goto(&link.url).await;
        self.press("submit").await;
    }

    /// From a fresh link to the form of servers.
    pub async fn until_servers(&self, link: &Link) {
        self.begin(link).await;
        self.fill("email", ADDRESS).await;
        self.press("submit").await;
    }

    /// Fills the form of servers in, for this mailbox.
    pub async fn fill_servers(&self, mailbox: &Mailbox) {
        for (name, value) in mailbox.servers() {
            if name.ends_with("encryption") {
                self.choose(name, &value).await;
            } else {
                self.fill(name, &value).await;
            }
        }
    }

    /// From a fresh link to the step that asks for the password.
    pub async fn until_password(&self, mailbox: &Mailbox, link: &Link) {
        self.until_servers(link).await;
        self.fill_servers(mailbox).await;
        self.press("submit").await;
        assert!(self.has("[name=\"f.password\"]").await, "{}", self.browser.text().await);
    }

    /// The rest of the way.
    pub async fn finish(&self) {
        self.fill("password", PASSWORD).await;
        self.press("submit").await;
    }
}

/// A page of the product, to come home to.
pub fn product() -> Sink {
    let sink = Sink::start();
    sink.answer(Answer::page(
        "<!doctype html><title>Product</title><link rel=icon href=data:,><p>Welcome back",
    ));
    sink
}

/// Nobody tried a password.
pub fn untouched(mailbox: &Mailbox) -> bool {
    mailbox.dovecot.logins(ADDRESS) == 0 && mailbox.dovecot.refusals(ADDRESS) == 0
}

/// How many accounts there are.
pub async fn accounts(app: &App) -> usize {
    app.accounts().await.len()
}
