//! A line to Telegram: one session's connections, for one call to the provider or one conversation. Always: each call has
//! a deadline, with the connection it needs; a key that is there is never replaced in silence, since it is what the person
//! approved; and Telegram may move its data centres, but only to where this server may go.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use grammers_tl_types::{self as tl, Deserializable, RemoteCall, enums};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::contract::{Context, Trouble};
use crate::kernel::clock::Clock;
use crate::kernel::egress::Egress;

use super::centres::AuthKey;
use super::config::Application;
use super::refusal::Refusal;
use super::session::Kept;
use super::wire::{CLOCK_AHEAD, Wire};

/// By how much clocks are wrong at most, in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// By how much a clock may be wrong without Telegram minding, in milliseconds.
const MINDED: i64 = 30 * 1000;

/// A line.
pub struct Line {
    application: Arc<Application>,
    egress: Egress,
    clock: Clock,
    home: i32,
    /// Where data centres are that are elsewhere than everybody knows.
    moved: BTreeMap<i32, SocketAddrV4>,
    keys: BTreeMap<i32, Box<AuthKey>>,
    /// By how many milliseconds Telegram's clock is ahead of ours, as far as it said.
    ahead: i64,
    /// To the home data centre, from the first call on; `None` again when it came to an end.
    wire: Option<Box<Wire>>,
}

/// A task that ends with this.
pub struct Ends(pub AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Line {
    /// Opens one, for a session that was kept or for another. Nothing is connected before the first call.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn open(application: &Arc<Application>, cx: &Context, kept: Option<&Kept>) -> Result<Self, Trouble> {
        let mut line = Self {
            application: application.clone(),
            egress: cx.egress.clone(),
            clock: cx.clock.clone(),
            home: application.centres.first(),
            moved: BTreeMap::new(),
            keys: BTreeMap::new(),
            ahead: application.ahead.load(Ordering::Relaxed),
            wire: None,
        };
        match kept {
            Some(kept) => {
                line.home = kept.dc;
                line.moved.insert(kept.dc, kept.address);
                line.keys.insert(kept.dc, Box::new(kept.key()?));
            }
            None => line.move_to(cx, line.home),
        }
        Ok(line)
    }

    /// Asks the home data centre.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn call<R: RemoteCall>(&mut self, request: &R) -> Result<R::Return, Refusal> {
        let answer = self.ask(request.to_bytes()).await?;
        R::Return::from_bytes(&answer).map_err(|_| Refusal::Silent("protocol_error"))
    }

    async fn ask(&mut self, request: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let deadline = Instant::now() + self.application.call;
        // Whoever waits for a person has nothing of this; so it does not lie in their memory.
        let asked = Box::pin(async {
            // Taken: what was asked and not answered leaves a connection that nothing more can be said over.
            let mut wire = match self.wire.take() {
                Some(wire) => wire,
                None => Box::new(self.connect(deadline).await?),
            };
            let mut answer = wire.ask(&request).await;
            if answer == Err(CLOCK_AHEAD) {
                // It was set since.
                wire = Box::new(self.connect(deadline).await?);
                answer = wire.ask(&request).await;
            }
            if matches!(answer, Ok(_) | Err(Refusal::Named { .. })) {
                self.wire = Some(wire);
            }
            answer
        });
        timeout_at(deadline, asked).await.unwrap_or(Err(Refusal::Silent("timeout")))
    }

    /// Connects, as of a time that Telegram takes.
    async fn connect(&mut self, deadline: Instant) -> Result<Wire, Refusal> {
        match self.connect_at(self.ahead, deadline).await {
            // Whoever is behind is told the time.
            Err(refusal) if refusal == CLOCK_AHEAD => self.connect_at(self.ahead - DAY, deadline).await,
            connected => connected,
        }
    }

    /// Connects, introduces us and learns what the data centre says of itself and the others. Its clock is ahead of ours by so
    /// many milliseconds.
    async fn connect_at(&mut self, ahead: i64, deadline: Instant) -> Result<Wire, Refusal> {
        let address = self.address(self.home).ok_or(Refusal::Silent("data_centre_unknown"))?;
        let stream = self.egress.connect(&address.ip().to_string(), address.port(), deadline).await?;
        let mut wire = match self.keys.get(&self.home) {
            Some(key) => Wire::known(stream, **key, (ahead / 1000).try_into().unwrap_or(0)),
            None => Wire::agree(stream).await?,
        };
        let enums::Config::Config(config) = wire.call(&introduction(&self.application)).await?;
        self.keys.insert(self.home, Box::new(wire.key()));
        // It says whole seconds, so half a second has passed since then; the way back takes less.
        self.ahead = i64::from(config.date) * 1000 + 500 - self.clock.now().0;
        self.note_clock();
        self.learn(&config.dc_options);
        Ok(wire)
    }

    /// Keeps what the time is for the lines to come. The log says when it turns out wrong, and when it is right again.
    fn note_clock(&self) {
        let before = self.application.ahead.swap(self.ahead, Ordering::Relaxed);
        let wrong = |ahead: i64| ahead.abs() > MINDED;
        let seconds = self.ahead.abs() / 1000;
        match (wrong(before), wrong(self.ahead)) {
            (false, true) if self.ahead < 0 => {
                tracing::warn!(seconds, "the clock of this machine is ahead of Telegram's");
            }
            (false, true) => tracing::warn!(seconds, "the clock of this machine is behind Telegram's"),
            (true, false) => tracing::info!("the clock of this machine is right again"),
            _ => {}
        }
    }

    /// Learns where data centres are.
    fn learn(&mut self, options: &[enums::DcOption]) {
        for enums::DcOption::Option(option) in options {
            let is_for_us = option.r#static && !option.ipv6 && !option.media_only && !option.tcpo_only;
            let ip = option.ip_address.parse().ok();
            let (Some(ip), Ok(port), true) = (ip, option.port.try_into(), is_for_us) else { continue };
            let address = SocketAddrV4::new(ip, port);
            let known = self.address(option.id);
            if known != Some(address) && self.egress.may_reach(&option.ip_address) {
                self.moved.insert(option.id, address);
            }
        }
    }

    fn address(&self, dc: i32) -> Option<SocketAddrV4> {
        self.moved.get(&dc).or_else(|| self.application.centres.addresses().get(&dc)).copied()
    }

    /// Goes on at another data centre.
    pub fn move_to(&mut self, cx: &Context, dc: i32) {
        self.wire = None;
        self.home = dc;
        if !self.keys.contains_key(&dc)
            && let Some(key) = self.application.centres.key(dc, &cx.random)
        {
            self.keys.insert(dc, Box::new(key));
        }
    }

    /// What is to be kept of the session.
    ///
    /// # Errors
    /// When nothing was ever asked, so that there is no key.
    pub fn keep(&self) -> Result<Kept, Trouble> {
        match (self.address(self.home), self.keys.get(&self.home)) {
            (Some(address), Some(key)) => Ok(Kept::new(self.home, address, key)),
            _ => Err(Trouble::bug("session_without_key")),
        }
    }

    /// By how many milliseconds Telegram's clock is ahead of ours, as far as it has said so.
    pub fn ahead(&self) -> i64 {
        self.ahead
    }

    /// Waits until a code was scanned; `false` when the connection ended, which is as good a reason to look. It may be dropped
    /// at any time, and nothing is missed.
    pub async fn scanned(&mut self) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        let scanned = wire.scanned().await.is_ok();
        if !scanned {
            self.wire = None;
        }
        scanned
    }
}

/// How we introduce ourselves; what we run on is nobody's business.
fn introduction(application: &Application) -> impl RemoteCall<Return = enums::Config> + use<> {
    tl::functions::InvokeWithLayer {
        layer: tl::LAYER,
        query: tl::functions::InitConnection {
            api_id: application.id,
            device_model: application.device.clone(),
            system_version: "Server".to_owned(),
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
            system_lang_code: "en".to_owned(),
            lang_pack: String::new(),
            lang_code: "en".to_owned(),
            proxy: None,
            params: None,
            query: tl::functions::help::GetConfig {},
        },
    }
}

/// What an application says of itself where codes are asked for.
pub fn export(application: &Application) -> tl::functions::auth::ExportLoginToken {
    tl::functions::auth::ExportLoginToken {
        api_id: application.id,
        api_hash: application.hash.reveal().to_owned(),
        except_ids: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{application, context};
    use super::*;

    fn option(id: i32, ip: &str) -> tl::types::DcOption {
        tl::types::DcOption {
            ipv6: false,
            media_only: false,
            tcpo_only: false,
            cdn: false,
            r#static: true,
            this_port_only: false,
            id,
            ip_address: ip.to_owned(),
            port: 443,
            secret: None,
        }
    }

    #[test]
    fn what_is_kept_is_gone_on_with() {
        let kept = Kept::new(5, "91.108.56.104:443".parse().unwrap(), &[7; 256]);
        let mut line = Line::open(&application(), &context(), Some(&kept)).unwrap();
        assert_eq!(line.keep().unwrap(), kept);
        line.move_to(&context(), 4);
        assert!(line.keep().is_err(), "there is no key before one was agreed on");
        line.keys.insert(4, Box::new([8; 256]));
        assert_eq!(line.keep().unwrap().key().unwrap(), [8; 256]);
        line.move_to(&context(), 5);
        assert_eq!(line.keep().unwrap(), kept, "the one that was approved is not forgotten");
    }

    #[test]
    fn data_centres_move_where_this_server_may_go_and_nowhere_else() {
        let mut line = Line::open(&application(), &context(), None).unwrap();
        let before = line.address(2).unwrap();
        let elsewhere = [
            option(2, "10.0.0.1"),
            option(77, "127.0.0.1"),
            option(2, "no address"),
            tl::types::DcOption { port: 70_000, ..option(2, "149.154.167.99") },
            tl::types::DcOption { media_only: true, ..option(2, "149.154.167.99") },
            tl::types::DcOption { r#static: false, ..option(2, "149.154.167.99") },
            tl::types::DcOption { ipv6: true, ..option(2, "2001:67c:4e8:f002::a") },
        ];
        line.learn(&elsewhere.map(Into::into));
        assert_eq!((line.address(2), line.address(77)), (Some(before), None));
        line.learn(&[option(2, "149.154.167.99").into(), option(203, "91.105.192.100").into()]);
        assert_eq!(line.address(2), Some("149.154.167.99:443".parse().unwrap()));
        assert_eq!(line.address(203), Some("91.105.192.100:443".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_session_that_was_kept_leads_to_no_forbidden_place_and_an_unknown_one_to_none() {
        let ping = tl::functions::help::GetConfig {};
        let kept = Kept::new(1, "127.0.0.1:443".parse().unwrap(), &[7; 256]);
        let mut line = Line::open(&application(), &context(), Some(&kept)).unwrap();
        assert_eq!(line.call(&ping).await.unwrap_err(), Refusal::Silent("address_not_allowed"));
        line.move_to(&context(), 99);
        assert_eq!(line.call(&ping).await.unwrap_err(), Refusal::Silent("data_centre_unknown"));
    }

    #[test]
    fn a_session_that_is_none_is_not_gone_on_with() {
        let kept: Kept =
            serde_json::from_str(r#"{"dc":1,"address":"149.154.175.53:443","auth_key":"AAAA"}"#).unwrap();
        let trouble = Line::open(&application(), &context(), Some(&kept)).err().unwrap();
        assert_eq!(trouble.code, "session_unreadable");
        assert!(!format!("{:?}", Kept::new(5, kept.address, &[7; 256])).contains("Bwc"), "no key is printed");
    }
}
