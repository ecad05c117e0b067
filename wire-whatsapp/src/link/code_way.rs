//! Linking by a pairing code, beside the QR codes of the same connection.

use super::answers::Asked;
use super::run::{Reply, Run};
use super::{CodeEnd, Event};
use crate::code::{Code, stage};
use crate::error::Error;
use crate::login::wanted;
use crate::node::child;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use wacore_binary::Node;

impl Run {
    pub(super) async fn request_code(&mut self, phone: &str, reply: Reply) -> Result<(), Error> {
        let code = match Code::new(phone) {
            _ if self.code.is_some() => Err(Error::Input("a code is still waiting to be typed")),
            _ if self.passkey.is_some() => Err(Error::Input("the account is being linked by a passkey")),
            code => code,
        };
        let code = match code {
            Ok(code) => code,
            Err(error) => {
                let _ = reply.send(Err(error));
                return Ok(());
            }
        };
        let _ = reply.send(Ok(()));
        let id = self.new_id();
        let (noise, settings) = (*self.device.noise.public(), self.settings.clone());
        let (hello, code) = {
            let id = id.clone();
            let make = move || (code.hello(&id, &noise, &settings), code);
            spawn_blocking(make).await.map_err(|_| Error::Closed)?
        };
        let deadlines = &self.settings.deadlines;
        self.code = Some((code, Instant::now() + deadlines.code + deadlines.answer));
        self.sent(id, Asked::Hello);
        self.channel.send(&hello).await
    }

    pub(super) async fn code_granted(&mut self, answer: &Node) -> Result<(), Error> {
        let ends_in = self.settings.deadlines.code;
        let Some((code, until)) = &mut self.code else { return Ok(()) };
        let body = child(answer, "link_code_companion_reg")
            .ok_or(Error::Protocol("an answer with a part missing"))?;
        code.reference = Some(wanted(body, "link_code_pairing_ref")?);
        *until = Instant::now() + ends_in;
        let text = code.text.clone();
        self.tell(Event::Code { text, ends_in }).await
    }

    pub(super) async fn code_notice(&mut self, notice: &Node) -> Result<(), Error> {
        match stage(notice).as_str() {
            "refresh_code" => return self.end_code(CodeEnd::Withdrawn).await,
            // Older services name no stage.
            "primary_hello" | "" => {}
            _ => return Ok(()),
        }
        let Some(body) = child(notice, "link_code_companion_reg") else { return Ok(()) };
        let Some((code, until)) = &mut self.code else { return Ok(()) };
        // What is for another code, or one time too many, changes nothing.
        let Ok(answer) = code.answer(body) else { return Ok(()) };
        *until = Instant::now() + self.settings.deadlines.typed;
        let identity = self.device.identity.clone();
        let id = self.new_id();
        let made = {
            let id = id.clone();
            spawn_blocking(move || answer.finish(&id, &identity)).await.map_err(|_| Error::Closed)?
        };
        // A key that nothing can be agreed with comes of a mistyped code, once in a very long time.
        let Ok((finish, secret)) = made else { return Ok(()) };
        self.device.adv_secret = secret;
        self.sent(id, Asked::Finish);
        self.channel.send(&finish).await?;
        self.tell(Event::CodeTyped).await
    }

    /// The code's time is over.
    pub(super) async fn code_over(&mut self) -> Result<(), Error> {
        let typed = self.code.as_ref().is_some_and(|(code, _)| code.answers > 0);
        self.end_code(if typed { CodeEnd::Mistyped } else { CodeEnd::Expired }).await
    }

    pub(super) async fn end_code(&mut self, end: CodeEnd) -> Result<(), Error> {
        if self.code.take().is_none() {
            return Ok(());
        }
        self.tell(Event::CodeEnded(end)).await?;
        // The secret may have become the code's; the QR code on show has to follow.
        self.show_reference().await
    }
}
