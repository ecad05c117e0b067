//! Talking with a provider while a step stands: codes that have to be scanned, or approved on a phone. A step says that it
//! is `live`; the engine then has its provider talk, on one node at a time, and keeps what is heard. A conversation holds
//! a connection and so dies with its process; another one begins from the state that is stored with the step.

use async_trait::async_trait;
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

use super::provider::{Next, State, Trouble};
use crate::kernel::clock::Millis;

/// What a person scans or types elsewhere. A secret while it lives: whoever sees it can take part in the sign-in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What the QR code says, or the code to type.
    pub value: String,
    /// When it stops working; `None` when nobody knows of an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What is heard in a conversation.
#[derive(Clone, Debug)]
pub enum Heard {
    /// The code that the step shows from now on; the step stands.
    Code(Code),
    /// What comes next. A live step goes on with the same conversation; anything else ends it.
    Next(Next),
}

/// One conversation.
#[async_trait]
pub trait Conversation: Send {
    /// What is heard next. Connects when it is first called. May be dropped at any await, and is called again then.
    ///
    /// # Errors
    /// `Trouble` when it cannot go on: the person sees the step with words about it, and may ask for another code.
    async fn next(&mut self) -> Result<Heard, Trouble>;

    /// The person answered the step, which led to another live one: this is its state. What was heard before and is not
    /// said yet is out of date.
    fn answered(&mut self, state: State);

    /// The last word, when nobody waits for the code any more: what was granted with it meanwhile, so that it can be ended and
    /// leaves no device behind. Nothing is asked afterwards.
    async fn last(&mut self) -> Option<Next> {
        while let Some(Ok(heard)) = self.next().now_or_never() {
            match heard {
                Heard::Code(_) | Heard::Next(Next::Step { .. }) => {}
                Heard::Next(next) => return Some(next),
            }
        }
        None
    }
}
