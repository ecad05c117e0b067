//! What becomes of our requests on the connection that shows codes: answered, refused, or left without a word.

use super::CodeEnd;
use super::run::Run;
use crate::error::Error;
use wacore_binary::Node;

/// Which request an answer is for.
pub(super) enum Asked {
    Ping,
    Hello,
    Finish,
    Options,
    Reference,
    Prologue,
    Nonce(String),
    Sealed,
}

impl Run {
    pub(super) async fn unanswered(&mut self, asked: Asked) -> Result<(), Error> {
        match asked {
            Asked::Ping => Err(Error::Timeout("a sign of life")),
            Asked::Hello => self.end_code(CodeEnd::Refused(408)).await,
            // The phone may have everything; its own deadline goes on.
            Asked::Finish => Ok(()),
            Asked::Options => Err(Error::Timeout("the passkey's request")),
            Asked::Reference | Asked::Prologue | Asked::Nonce(_) | Asked::Sealed => {
                self.passkey_refused(408).await
            }
        }
    }

    pub(super) async fn answered(&mut self, asked: Asked, node: &Node) -> Result<(), Error> {
        match asked {
            Asked::Ping | Asked::Finish | Asked::Sealed | Asked::Prologue => Ok(()),
            Asked::Hello => self.code_granted(node).await,
            Asked::Options => self.passkey_options(node).await,
            Asked::Reference => self.passkey_reference(node).await,
            Asked::Nonce(code) => self.passkey_code(code).await,
        }
    }

    pub(super) async fn refused(&mut self, asked: Asked, code: u16) -> Result<(), Error> {
        match asked {
            Asked::Ping => Ok(()),
            Asked::Hello => {
                let throttled = matches!(code, 429);
                self.end_code(if throttled { CodeEnd::Throttled } else { CodeEnd::Refused(code) }).await
            }
            Asked::Finish => self.end_code(CodeEnd::Mistyped).await,
            Asked::Options => Err(Error::Answer { what: "the passkey's request", code }),
            Asked::Reference | Asked::Prologue | Asked::Nonce(_) | Asked::Sealed => {
                self.passkey_refused(code).await
            }
        }
    }
}
