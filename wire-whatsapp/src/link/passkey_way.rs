//! Linking through the passkey gate. Once the service asks for a passkey, codes are of no more use on the connection.

use super::Event;
use super::answers::Asked;
use super::run::{Passkey, Reply, Run, question};
use crate::error::Error;
use crate::login::wanted;
use crate::node::part;
use crate::passkey::{Assertion, Gate};
use tokio::time::Instant;
use wacore_binary::Node;

/// The longest request that is handed on.
const REQUEST: usize = 16 << 10;

impl Run {
    pub(super) async fn passkey_notice(&mut self, notice: &Node) -> Result<(), Error> {
        match part(notice, "passkey_request_options") {
            Some(options) => self.passkey_asked(options).await,
            None => self.ask(Asked::Options, |id, _| Ok(question(id, "passkey_request_options"))).await,
        }
    }

    pub(super) async fn passkey_options(&mut self, answer: &Node) -> Result<(), Error> {
        let options = wanted(answer, "passkey_request_options")?;
        self.passkey_asked(options).await
    }

    async fn passkey_asked(&mut self, options: Vec<u8>) -> Result<(), Error> {
        let request = String::from_utf8(options)
            .ok()
            .filter(|request| {
                request.len() <= REQUEST && serde_json::from_str::<serde_json::Value>(request).is_ok()
            })
            .ok_or(Error::Protocol("a passkey's request that is no JSON"))?;
        self.stop_showing();
        self.code = None;
        let ends_in = self.settings.deadlines.passkey;
        self.passkey = Some(Passkey { gate: None, until: Instant::now() + ends_in, shown: false });
        self.tell(Event::Passkey { request, ends_in }).await
    }

    pub(super) async fn answer_passkey(&mut self, assertion: Assertion, reply: Reply) -> Result<(), Error> {
        let refusal = match &self.passkey {
            None => Some("no passkey was asked for"),
            Some(Passkey { gate: Some(_), .. }) => Some("an assertion is on its way already"),
            Some(_) => None,
        };
        let _ = reply.send(refusal.map_or(Ok(()), |refusal| Err(Error::Input(refusal))));
        if refusal.is_some() {
            return Ok(());
        }
        if let Some(passkey) = &mut self.passkey {
            passkey.gate = Some(Gate::new(assertion));
        }
        self.ask(Asked::Reference, |id, _| Ok(question(id, "ref"))).await
    }

    pub(super) async fn passkey_reference(&mut self, answer: &Node) -> Result<(), Error> {
        let reference = String::from_utf8(wanted(answer, "ref")?).ok();
        let reference = reference.filter(|reference| (1..=512).contains(&reference.len()));
        let reference = reference.ok_or(Error::Protocol("a reference that cannot be read"))?;
        let settings = self.settings.clone();
        self.ask(Asked::Prologue, |id, run| Ok(run.gate()?.prologue(id, reference, &settings))).await
    }

    pub(super) async fn passkey_goes_on(&mut self, notice: &Node) -> Result<(), Error> {
        let Some(primary) = part(notice, "primary_ephemeral_identity") else {
            return self.passkey_refused(400).await;
        };
        if self.gate().is_err() {
            return Ok(());
        }
        let settings = self.settings.clone();
        let id = self.new_id();
        // Out of turn, or not readable: the gate stays as it is, and the person's time goes on.
        let Ok((nonce, code)) = self.gate()?.meet(&id, &primary, &settings) else { return Ok(()) };
        self.sent(id, Asked::Nonce(code));
        self.channel.send(&nonce).await
    }

    pub(super) async fn passkey_code(&mut self, text: String) -> Result<(), Error> {
        let Some(passkey) = &mut self.passkey else { return Ok(()) };
        passkey.shown = true;
        self.tell(Event::PasskeyCode { text }).await
    }

    pub(super) async fn confirm_passkey(&mut self, reply: Reply) -> Result<(), Error> {
        let id = self.new_id();
        let made = match &mut self.passkey {
            Some(Passkey { gate: Some(gate), shown, .. }) if *shown => {
                *shown = false;
                gate.confirm(&id, &self.device)
            }
            _ => Err(Error::Input("there are no characters to be confirmed")),
        };
        match made {
            Err(error) => {
                let _ = reply.send(Err(error));
                Ok(())
            }
            Ok((node, secret)) => {
                // The phone's word may come before the server's.
                self.device.adv_secret = secret;
                let _ = reply.send(Ok(()));
                self.sent(id, Asked::Sealed);
                self.channel.send(&node).await
            }
        }
    }

    pub(super) async fn passkey_refused(&mut self, code: u16) -> Result<(), Error> {
        if let Some(passkey) = &mut self.passkey {
            (passkey.gate, passkey.shown) = (None, false);
            self.tell(Event::PasskeyRefused { code }).await?;
        }
        Ok(())
    }

    fn gate(&mut self) -> Result<&mut Gate, Error> {
        let gate = self.passkey.as_mut().and_then(|passkey| passkey.gate.as_mut());
        gate.ok_or(Error::Protocol("an answer for a passkey that was not given"))
    }
}
