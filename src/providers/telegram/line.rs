//! A line to Telegram: one session's connections, for one call to the provider or one conversation. Always: each call has
//! a deadline, since the library has none; and the library runs in a task of its own, so that its panics end this line alone.

use std::num::NonZeroUsize;
use std::sync::Arc;

use grammers_mtsender::{ConnectionParams, InvocationError, NoRetries, SenderPool, SenderPoolFatHandle};
use grammers_session::updates::UpdatesLike;
use grammers_tl_types::{self as tl, RemoteCall, enums};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::contract::{Context, Trouble};

use super::config::Application;
use super::refusal::Refusal;
use super::session::{Kept, Live};

/// A line.
pub struct Line {
    application: Arc<Application>,
    session: Arc<Live>,
    pool: SenderPoolFatHandle,
    updates: mpsc::Receiver<UpdatesLike>,
    _runner: Ends,
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
        let session = Arc::new(Live::new(cx, &application.centres, kept)?);
        let pool = SenderPool::with_configuration(session.clone(), application.id, parameters(application));
        let runner = tokio::spawn(pool.runner.run());
        Ok(Self {
            application: application.clone(),
            session,
            pool: pool.handle,
            updates: pool.updates,
            _runner: Ends(runner.abort_handle()),
        })
    }

    /// Asks the home data centre.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn call<R: RemoteCall>(&self, request: &R) -> Result<R::Return, Refusal> {
        let asked = self.pool.invoke_in_dc(self.session.home(), request);
        match tokio::time::timeout(self.application.call, asked).await {
            // Another key is only agreed on where ours was not known.
            Ok(Err(InvocationError::Authentication(_))) if self.session.keep().is_some() => {
                Err(Refusal::KeyLost)
            }
            Ok(answer) => answer.map_err(Refusal::from),
            Err(_) => Err(Refusal::Silent("timeout")),
        }
    }

    /// Goes on at another data centre.
    pub fn move_to(&self, cx: &Context, dc: i32) {
        self.pool.disconnect_from_dc(self.session.home());
        self.session.move_to(dc, cx, &self.application.centres);
    }

    /// What is to be kept of the session.
    ///
    /// # Errors
    /// When nothing was ever asked, so that there is no key.
    pub fn keep(&self) -> Result<Kept, Trouble> {
        self.session.keep().ok_or(Trouble::bug("session_without_key"))
    }

    /// Waits until a code was scanned; `false` when the connection ended, which is as good a reason to look.
    pub async fn scanned(&mut self) -> bool {
        let is_it = |update: &enums::Update| matches!(update, enums::Update::LoginToken);
        loop {
            match self.updates.recv().await {
                None | Some(UpdatesLike::ConnectionClosed) => return false,
                Some(UpdatesLike::Updates(update)) => {
                    let found = match &update {
                        enums::Updates::UpdateShort(short) => is_it(&short.update),
                        enums::Updates::Updates(many) => many.updates.iter().any(is_it),
                        enums::Updates::Combined(many) => many.updates.iter().any(is_it),
                        _ => false,
                    };
                    if found {
                        return true;
                    }
                }
                Some(_) => {}
            }
        }
    }
}

/// How we introduce ourselves. Written out whole, as the library's defaults run programs to find out about this machine, which
/// is nobody's business either.
fn parameters(application: &Application) -> ConnectionParams {
    ConnectionParams {
        device_model: application.device.clone(),
        system_version: "Server".to_owned(),
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
        system_lang_code: "en".to_owned(),
        lang_code: "en".to_owned(),
        use_ipv6: false,
        retry_policy: Box::new(NoRetries),
        updates_channel_capacity: NonZeroUsize::MIN.saturating_add(15),
        __non_exhaustive: (),
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
