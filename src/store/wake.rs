//! Waking up: who waits for a row is told when it changed. Lost wake-ups cost a poll's delay, never an event. Those who wait
//! for an attempt are told of that one only: thousands may wait at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

/// What changed. Sent after the commit that changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There may be something to deliver.
    Deliveries,
    /// This attempt or its session moved on.
    Attempt(String),
}

impl Wake {
    pub(super) const CHANNEL: &str = "vestibule_wake";

    pub(super) fn encode(&self) -> String {
        match self {
            Self::Deliveries => "deliveries".to_owned(),
            Self::Attempt(id) => format!("attempt:{id}"),
        }
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "deliveries" => Some(Self::Deliveries),
            Some(("attempt", id)) => Some(Self::Attempt(id.to_owned())),
            _ => None,
        }
    }
}

/// The bell everybody listens to.
#[derive(Clone, Debug)]
pub(super) struct Bell {
    all: broadcast::Sender<Wake>,
    attempts: Arc<Mutex<HashMap<String, watch::Sender<()>>>>,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self { all: broadcast::Sender::new(1024), attempts: Arc::default() }
    }

    pub(super) fn ring(&self, wakes: Vec<Wake>) {
        for wake in wakes {
            if let Wake::Attempt(id) = &wake
                && let Some(waiting) = self.attempts().get(id)
            {
                waiting.send_replace(());
            }
            // Nobody listening is fine.
            let _ = self.all.send(wake);
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Wake> {
        self.all.subscribe()
    }

    pub(super) fn listen_to(&self, attempt: &str) -> Calls {
        let mut attempts = self.attempts();
        let waiting = attempts.entry(attempt.to_owned()).or_insert_with(|| watch::Sender::new(()));
        Calls { calls: Some(waiting.subscribe()), attempt: attempt.to_owned(), bell: self.clone() }
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said of one attempt from the moment it was made.
#[derive(Debug)]
pub struct Calls {
    /// Taken only at the end.
    calls: Option<watch::Receiver<()>>,
    attempt: String,
    bell: Bell,
}

impl Calls {
    /// The attempt.
    pub fn attempt(&self) -> &str {
        &self.attempt
    }

    /// Returns when the attempt has moved on since this was last asked. Giving the call up loses nothing.
    pub async fn moved(&mut self) {
        let called = match &mut self.calls {
            Some(calls) => calls.changed().await.is_ok(),
            None => false,
        };
        if !called {
            // The sender is kept as long as anybody listens.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        let mut attempts = self.bell.attempts();
        // Under the lock, or two that go at once would each count the other.
        drop(self.calls.take());
        if attempts.get(&self.attempt).is_some_and(|waiting| waiting.receiver_count() == 0) {
            attempts.remove(&self.attempt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_an_attempt_hears_of_that_one_and_leaves_nothing_behind() {
        let bell = Bell::new();
        let (mut one, mut other) = (bell.listen_to("a"), bell.listen_to("b"));
        let again = bell.listen_to("a");
        bell.ring(vec![Wake::Attempt("a".to_owned()), Wake::Attempt("c".to_owned())]);
        one.moved().await;
        let patience = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(patience, other.moved()).await.is_err());
        drop(one);
        assert_eq!(bell.attempts().len(), 2, "somebody still waits for each");
        drop((again, other));
        assert!(bell.attempts().is_empty());
    }
}
