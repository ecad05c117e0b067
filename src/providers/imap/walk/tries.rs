//! Trying a password at a server, as far as it may still be tried, and what a refusal there means.

use tokio::time::{Duration, Instant};

use crate::contract::Denied;
use crate::kernel::secret::Secret;

use super::super::probe::{self, Limits};
use super::super::refusal::{Code, Refusal};
use super::super::servers::Server;
use super::{ANSWER_BUDGET, Walk};

/// How long the other port may take to show that it is there.
const GLANCE: Duration = Duration::from_secs(3);

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::from(match denied {
            Denied::Spent => Code::TooManyConnects,
            Denied::Crowded => Code::Throttled,
        })
    }
}

impl Walk<'_> {
    /// Signs in where mail is read.
    pub(in super::super) async fn read(&self, server: &Server, password: &Secret) -> Result<(), Refusal> {
        self.cx.allowance.sign_in(&server.host, &server.login)?;
        let tried = probe::reading(&self.cx.egress, server, password, self.limits()).await;
        self.seen(tried, server).await
    }

    /// Signs in where mail is sent.
    pub(in super::super) async fn send(&self, server: &Server, password: &Secret) -> Result<(), Refusal> {
        self.cx.allowance.sign_in(&server.host, &server.login)?;
        let tried = probe::sending(&self.cx.egress, server, password, self.limits()).await;
        self.seen(tried, server).await
    }

    /// A server that does not answer on one port but does on the other is not the one at fault.
    async fn seen(&self, tried: Result<(), Refusal>, server: &Server) -> Result<(), Refusal> {
        let Err(refusal) = tried else { return Ok(()) };
        let other = server.other_port().filter(|port| self.config.permits(*port));
        let Some(other) = other.filter(|_| refusal.code == Code::Timeout) else { return Err(refusal) };
        if self.cx.allowance.connect(&server.host).is_err() {
            return Err(refusal);
        }
        let until = Instant::now() + GLANCE.min(self.left());
        let there = self.cx.egress.connect(&server.host, other, until).await.is_ok();
        Err(if there { Code::PortBlocked.into() } else { refusal })
    }

    fn left(&self) -> Duration {
        ANSWER_BUDGET.saturating_sub(self.since.elapsed())
    }

    fn limits(&self) -> Limits {
        Limits { connect: self.config.connect, whole: (2 * self.config.connect).min(self.left()) }
    }
}
