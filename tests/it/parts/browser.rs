//! A real headless Chromium, driven through its own driver, one driver for each browser.

use super::process::Process;
use super::scratch::Scratch;
use super::{dial, free_port, local, tool};
use axum::http::Method;
use base64::Engine;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The size of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 1280 by 900.
    Desktop,
    /// 390 by 844, with touch and the page's own viewport setting.
    Phone,
    /// 320 by 640, the narrowest that accessibility rules ask for.
    Narrow,
}

/// How a person has set up their browser.
#[derive(Clone, Debug)]
pub struct Look {
    /// The window.
    pub size: Size,
    /// Whether the person prefers dark colours.
    pub dark: bool,
    /// Whether scripts run.
    pub javascript: bool,
    /// The languages the browser asks for, like `de,en`.
    pub languages: String,
    /// Whether text is twice as large as usual, by the browser's own setting.
    pub large: bool,
    /// Whether the system's few colours replace the page's.
    pub forced: bool,
    /// Whether the person asks for less motion.
    pub still: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            size: Size::Desktop,
            dark: false,
            javascript: true,
            languages: "en".to_owned(),
            large: false,
            forced: false,
            still: false,
        }
    }
}

/// An open window; most calls fail the test when the browser cannot do what they say.
pub struct Browser {
    client: Client,
    _driver: Process,
    _folder: Scratch,
}

impl Browser {
    /// Opens a window with nothing in it, in a fresh profile.
    pub async fn open(look: Look) -> Self {
        let folder = Scratch::new("browser");
        let port = free_port();
        let mut driver = Process::start(
            "chromedriver",
            Command::new(tool("chromedriver"))
                .arg(format!("--port={port}"))
                .current_dir(folder.path())
                // Settings and caches of the browser belong to the folder too.
                .env("HOME", folder.path())
                .env("XDG_CONFIG_HOME", folder.path())
                .env("XDG_CACHE_HOME", folder.path())
                .env("TMPDIR", folder.path()),
            folder.path(),
        );
        driver.until_ready(|| dial(local(port)).is_ok());
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(&look, &folder.join("profile")))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser session");
        let browser = Self { client, _driver: driver, _folder: folder };
        browser.resize(look.size).await;
        browser.prefer(&look).await;
        browser
    }

    /// The driver's own client, for what has no method here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Gives the page another size. The window itself cannot get as narrow as a phone.
    pub async fn resize(&self, size: Size) {
        let (width, height, mobile) = match size {
            Size::Desktop => (1280, 900, false),
            Size::Phone => (390, 844, true),
            Size::Narrow => (320, 640, true),
        };
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// Sets what the person prefers to see.
    async fn prefer(&self, look: &Look) {
        let feature = |name: &str, value: &str| json!({ "name": name, "value": value });
        let features = json!({ "features": [
            feature("prefers-color-scheme", if look.dark { "dark" } else { "light" }),
            feature("forced-colors", if look.forced { "active" } else { "none" }),
            feature("prefers-reduced-motion", if look.still { "reduce" } else { "no-preference" }),
        ] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Opens an address.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
    }

    /// The address now shown.
    pub async fn url(&self) -> String {
        self.client.current_url().await.expect("an address").to_string()
    }

    /// The text a person sees.
    pub async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await.expect("a page");
        body.text().await.expect("its text")
    }

    /// Puts text into the field with this name, in place of what was there.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.client.find(Locator::Css(&format!("[name=\"{name}\"]"))).await;
        let field = field.unwrap_or_else(|error| panic!("no field {name}: {error}"));
        field.clear().await.expect("an empty field");
        field.send_keys(text).await.expect("a filled field");
    }

    /// Clicks what a selector finds.
    pub async fn click(&self, css: &str) {
        let target = self.client.find(Locator::Css(css)).await;
        let target = target.unwrap_or_else(|error| panic!("nothing at {css}: {error}"));
        target.click().await.unwrap_or_else(|error| panic!("cannot click {css}: {error}"));
    }

    /// Waits until the page's text contains `text`, across page loads.
    pub async fn wait_for_text(&self, text: &str) {
        let what = format!("{text:?} on the page");
        super::eventually_async(&what, super::READY, async || {
            let body = self.client.find(Locator::Css("body")).await.ok()?;
            // The page may be replaced between the two calls; then the next round looks again.
            body.text().await.ok()?.contains(text).then_some(())
        })
        .await;
    }

    /// What the page complained about since the last call: script errors, failed loads, violations of
    /// its content security policy.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .filter_map(|entry| entry["message"].as_str().map(ToOwned::to_owned))
            .collect()
    }

    /// Saves the whole page, beyond the window's end, as `target/screenshots/<name>.png`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let wanted = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.devtools("Page.captureScreenshot", wanted).await;
        let png = base64::engine::general_purpose::STANDARD
            .decode(taken["data"].as_str().expect("a picture"))
            .expect("base64");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        std::fs::create_dir_all(&folder).expect("the folder of screenshots");
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, png).expect("a screenshot");
        path
    }

    /// Calls a method of the DevTools protocol.
    pub async fn devtools(&self, method: &str, params: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": method, "params": params })).await
    }

    async fn command(&self, path: &'static str, body: Value) -> Value {
        let sent = self.client.issue_cmd(Extension { path, body }).await;
        sent.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// A command of the driver beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

fn capabilities(look: &Look, profile: &Path) -> Capabilities {
    let arguments = [
        "--headless".to_owned(),
        // The sandbox refuses to start as root, which tests in a container are.
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        // Nothing but the tests' own pages: no updates, no look-ups, no protocol but TCP.
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        // Over a pipe, so that the browser ends when its driver does.
        "--remote-debugging-pipe".to_owned(),
        format!("--accept-lang={}", look.languages),
        format!("--user-data-dir={}", profile.display()),
    ];
    let scripts = if look.javascript { 1 } else { 2 };
    let options = json!({
        "binary": tool("chromium"),
        "args": arguments,
        "prefs": {
            "profile.managed_default_content_settings.javascript": scripts,
            "intl.accept_languages": look.languages,
            "webkit.webprefs.default_font_size": if look.large { 32 } else { 16 },
        },
    });
    let wanted = json!({
        "browserName": "chrome",
        // The doubles' certificates are of the tests' own authority, which no browser knows.
        "acceptInsecureCerts": true,
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    wanted.as_object().expect("an object").clone()
}
