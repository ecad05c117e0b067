//! Linking by QR codes: one after another, each with its time, and anew when the service withdraws what they say.

use super::Event;
use super::run::Run;
use crate::crypto::random;
use crate::error::Error;
use crate::node::{child, content};
use std::collections::VecDeque;
use tokio::time::Instant;
use wacore_binary::Node;
use zeroize::Zeroizing;

/// References that one connection may bring; the service sends six.
const REFERENCES: usize = 16;
/// The longest reference; the service's have some sixty characters.
const REFERENCE: usize = 512;

impl Run {
    pub(super) fn take_references(&mut self, node: &Node) -> Result<(), Error> {
        let found: Option<VecDeque<String>> = node
            .get_children_by_tag("ref")
            .map(|node| {
                let text = String::from_utf8(content(node)?).ok()?;
                let usual = (1..=REFERENCE).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
                usual.then_some(text)
            })
            .take(REFERENCES + 1)
            .collect();
        let found = found.filter(|found| (1..=REFERENCES).contains(&found.len()));
        self.references = found.ok_or(Error::Protocol("codes that cannot be shown"))?;
        (self.first, self.first_by, self.shown) = (true, None, None);
        Ok(())
    }

    pub(super) async fn next_reference(&mut self) -> Result<(), Error> {
        let Some(reference) = self.references.pop_front() else { return Ok(()) };
        let deadlines = &self.settings.deadlines;
        let lives = if std::mem::take(&mut self.first) { deadlines.first_ref } else { deadlines.next_ref };
        self.shown = Some((reference, Instant::now() + lives));
        self.show_reference().await
    }

    pub(super) async fn show_reference(&mut self) -> Result<(), Error> {
        let Some((reference, until)) = &self.shown else { return Ok(()) };
        let event = Event::Qr {
            text: Zeroizing::new(self.device.qr(reference, &self.settings)),
            ends_in: until.saturating_duration_since(Instant::now()),
            left: self.references.len(),
        };
        self.tell(event).await
    }

    /// From here on another way is taken: no more codes are shown.
    pub(super) fn stop_showing(&mut self) {
        (self.shown, self.first_by) = (None, None);
        self.references.clear();
    }

    /// The server retires the secret that the codes say.
    pub(super) async fn secret_withdrawn(&mut self, notice: &Node) -> Result<(), Error> {
        let known = ["companion_reg_refresh", "pair-device-rotate-qr"];
        // The secret that a phone is about to seal its word with is not changed under its hands.
        let busy = self.code.as_ref().is_some_and(|(code, _)| code.answers > 0)
            || self.passkey.as_ref().is_some_and(|passkey| passkey.gate.is_some());
        if known.iter().any(|tag| child(notice, tag).is_some()) && !busy {
            self.device.adv_secret = Zeroizing::new(random());
            self.show_reference().await?;
        }
        Ok(())
    }
}
