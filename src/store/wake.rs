//! Waking up: who waits for a row is told when it changed. Lost wake-ups cost a poll's delay, never an event.

use tokio::sync::broadcast;

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
pub(super) struct Bell(broadcast::Sender<Wake>);

impl Bell {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(1024))
    }

    pub(super) fn ring(&self, wakes: Vec<Wake>) {
        for wake in wakes {
            // Nobody listening is fine.
            let _ = self.0.send(wake);
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Wake> {
        self.0.subscribe()
    }
}
