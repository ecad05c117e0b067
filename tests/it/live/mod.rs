//! Steps that move on by themselves, through the running server: a code is scanned elsewhere and the session goes on, whoever
//! looks or does not; and whoever dies meanwhile, the person gets a fresh code.

mod devices;
mod ends;
pub mod nodes;
mod owners;
mod secrets;
pub mod telegram;
mod walk;

use serde_json::{Value, json};

use crate::app::{App, Link};
use crate::parts::whatsapp::Whatsapp;
use crate::parts::{READY, eventually_async};
use crate::steps::Screen;

/// The phone that scans.
pub const PHONE: &str = "4915112345678";
/// What its account is called.
pub const LABEL: &str = "+4915112345678";

/// A server that links accounts at a stand-in of the test's own.
pub struct House {
    pub double: Whatsapp,
    pub app: App,
}

impl House {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(more: &[(&str, &str)]) -> Self {
        let double = Whatsapp::start();
        let own = double.variables();
        let mut all: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(more);
        let app = App::with(&all);
        Self { double, app }
    }

    /// A link for such an account.
    pub async fn link(&self, more: Value) -> Link {
        let mut wanted = json!({ "providers": ["WHATSAPP"] });
        for (name, value) in more.as_object().expect("fields") {
            wanted[name] = value.clone();
        }
        self.app.link(wanted).await
    }

    /// Links an account and gives its id.
    pub async fn account(&self) -> String {
        self.linked().await.0
    }

    /// The same with what its device is called at the service.
    pub async fn linked(&self) -> (String, String) {
        let link = self.link(json!({ "name": "user_1" })).await;
        let mut screen = Screen::start(&self.app, &link).await;
        let code = code(&mut screen).await;
        let device = self.double.scan(PHONE, &code).await.expect("a scan");
        until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
        let account = screen.seen["account"]["id"].as_str().expect("an account").to_owned();
        (account, device["jid"].as_str().expect("a device").to_owned())
    }
}

/// Looks again until what is seen will do.
pub async fn until(screen: &mut Screen, what: &str, good: impl Fn(&Value) -> bool) {
    eventually_async(what, READY, async || {
        let reply = screen.call("GET", "", None).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        screen.seen = reply.json();
        good(&screen.seen).then_some(())
    })
    .await;
}

/// The code that is on show, once there is one.
pub async fn code(screen: &mut Screen) -> String {
    until(screen, "a code", |seen| seen["step"]["code"]["value"].is_string()).await;
    screen.seen["step"]["code"]["value"].as_str().expect("a code").to_owned()
}
