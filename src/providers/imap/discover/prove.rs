//! Proving candidates: a server counts once it has been connected to, with a certificate for its name, and has said
//! what such a server says. Sources often name the same server, so each is connected to once a search.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use crate::contract::Context;

use super::super::probe;
use super::super::servers::{Encryption, Server, Servers};
use super::Outcome;

/// Servers that one source tried together: at most this many of a kind, the preferred first.
const MOST: usize = 2;

/// What a source names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Where mail is read, the preferred first.
    pub imap: Vec<Server>,
    /// Where mail is sent, the preferred first.
    pub smtp: Vec<Server>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Reading,
    Sending,
}

type Key = (Kind, String, u16, bool);

/// What was proved in this search.
pub struct Proofs<'a> {
    cx: &'a Context,
    known: Mutex<HashMap<Key, Arc<OnceCell<bool>>>>,
}

impl<'a> Proofs<'a> {
    /// Nothing yet.
    pub fn new(cx: &'a Context) -> Self {
        Self { cx, known: Mutex::default() }
    }

    /// The first server of each kind that holds.
    ///
    /// # Errors
    /// `Unusable` when a kind is missing, `Unproved` with the first server that did not hold.
    pub async fn of(&self, candidate: &Candidate, until: Instant) -> Result<Servers, Outcome> {
        if candidate.imap.is_empty() || candidate.smtp.is_empty() {
            return Err(Outcome::Unusable);
        }
        let (imap, smtp) = tokio::join!(
            self.first(Kind::Reading, &candidate.imap, until),
            self.first(Kind::Sending, &candidate.smtp, until)
        );
        Ok(Servers { imap: imap?, smtp: Some(smtp?) })
    }

    async fn first(&self, kind: Kind, servers: &[Server], until: Instant) -> Result<Server, Outcome> {
        for server in servers.iter().take(MOST) {
            if self.holds(kind, server, until).await {
                return Ok(server.clone());
            }
        }
        Err(Outcome::Unproved(servers.first().map(ToString::to_string).unwrap_or_default()))
    }

    async fn holds(&self, kind: Kind, server: &Server, until: Instant) -> bool {
        let key = (kind, server.host.clone(), server.port, server.encryption == Encryption::Tls);
        let cell = self.known.lock().await.entry(key).or_default().clone();
        let proof = async {
            // What may not be connected to any more looks like what does not answer.
            if self.cx.allowance.connect(&server.host).is_err() {
                return false;
            }
            match kind {
                Kind::Reading => probe::reads(&self.cx.egress, server, until).await,
                Kind::Sending => probe::sends(&self.cx.egress, server, until).await,
            }
        };
        *cell.get_or_init(|| proof).await
    }
}
