//! Signing in on a provider's own pages, in a real browser from the link to the end: what people press there and here,
//! and every page that is seen on the way. The providers are the stand-ins of `crate::oauth`.

mod approval;
mod apps;
mod choosing;
mod copying;
mod looks;
mod refusals;
mod wandering;
mod ways;
mod year;

use fantoccini::Locator;

use super::Walk;
use crate::app::Link;
use crate::oauth::Place;

impl Walk {
    /// Signs in at the provider, up to where it asks for consent.
    async fn sign_in(&self, address: &str) {
        self.until("#address").await;
        let field = self.browser.client().find(Locator::Css("#address")).await.expect("a field");
        field.clear().await.expect("an empty field");
        field.send_keys(address).await.expect("a filled field");
        self.browser.click("#next").await;
    }

    /// Presses a button of the provider's that leads back here, and waits for the page here.
    async fn leave_by(&self, css: &str) {
        self.until(css).await;
        self.browser.click(css).await;
        self.until("main.card h1").await;
    }

    /// Signs in at the provider, agrees to everything that is asked and comes back. What was allowed before is not asked
    /// again.
    async fn consent(&self, address: &str) {
        self.sign_in(address).await;
        self.until("#allow, main.card h1").await;
        if self.has("#allow").await {
            self.browser.click("#allow").await;
        }
        self.until("main.card h1").await;
    }

    /// Opens a link, presses its button and arrives at the provider.
    async fn to_provider(&self, link: &Link) {
        self.begin(link).await;
        self.until("#address").await;
    }

    /// Goes back by the browser's button until the page is one of ours.
    async fn back_home(&self) {
        for _ in 0..6 {
            self.browser.client().back().await.expect("a page before");
            if self.has("main.card h1").await {
                return;
            }
        }
        panic!("no way back: {}", self.browser.url().await);
    }

    /// A session's own page.
    async fn open_session(&self, place: &Place, link: &Link) {
        self.browser.goto(&place.app.url(&format!("/wizard/{}", link.id))).await;
    }
}
