//! How the service says no: in a `<failure>` to a login, or in a `<stream:error>` that ends a connection.

use crate::node::{child, number, text};
use std::fmt;
use std::time::Duration;
use wacore_binary::Node;

/// The service's no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The device is no longer linked: removed on the phone, or never known (401, a conflict over a removed device, 406,
    /// 516). The session is of no more use.
    Unlinked,
    /// The account is banned for a time (402).
    Banned {
        /// How long the service says it is for.
        ends_in: Option<Duration>,
        /// The service's number for what it was for.
        code: Option<u32>,
    },
    /// The account is locked, or banned for good (403).
    Locked,
    /// The client's version is too old (405), or its description of itself is not liked (409). Nothing is wrong with the
    /// session; whoever runs the client has to act.
    Outdated,
    /// Another connection with the same session took this one's place.
    Replaced,
    /// The account's phone has not joined linking of several devices.
    SingleDevice,
    /// The service is in trouble (500, 501, 503 and their like).
    Unavailable(u16),
    /// Any other number.
    Other(u16),
}

impl Refusal {
    /// Whether the session will never be let in again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Unlinked | Self::Locked)
    }

    /// Whether another try with nothing changed may go better.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    fn coded(code: u16, node: &Node) -> Self {
        match code {
            401 | 406 | 516 => Self::Unlinked,
            402 => Self::Banned {
                ends_in: number(node, "expire").map(Duration::from_secs),
                code: number(node, "code"),
            },
            403 => Self::Locked,
            405 | 409 => Self::Outdated,
            500..=599 => Self::Unavailable(code),
            _ => Self::Other(code),
        }
    }

    /// Reads a `<failure>`.
    pub fn from_failure(node: &Node) -> Self {
        Self::coded(number(node, "reason").unwrap_or(500), node)
    }

    /// Reads a `<stream:error>`; none for 515, which asks for a new connection and is no refusal.
    pub fn from_stream(node: &Node) -> Option<Self> {
        if let Some(conflict) = child(node, "conflict") {
            return Some(if text(conflict, "type") == "replaced" { Self::Replaced } else { Self::Unlinked });
        }
        match number(node, "code") {
            Some(515) => None,
            Some(code) => Some(Self::coded(code, node)),
            None => Some(Self::Unavailable(500)),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlinked => f.write_str("the device is no longer linked"),
            Self::Banned { ends_in: Some(time), .. } => {
                write!(f, "the account is banned for {} seconds", time.as_secs())
            }
            Self::Banned { .. } => f.write_str("the account is banned for a time"),
            Self::Locked => f.write_str("the account is locked"),
            Self::Outdated => f.write_str("the client is outdated"),
            Self::Replaced => f.write_str("another connection took the session over"),
            Self::SingleDevice => f.write_str("the phone does not link several devices"),
            Self::Unavailable(code) => write!(f, "the service is unavailable ({code})"),
            Self::Other(code) => write!(f, "the service says {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_binary::builder::NodeBuilder;

    #[test]
    fn every_number_has_its_meaning() {
        let failure =
            |reason: &str| Refusal::from_failure(&NodeBuilder::new("failure").attr("reason", reason).build());
        for (reason, refusal, is_final, may_pass) in [
            ("401", Refusal::Unlinked, true, false),
            ("403", Refusal::Locked, true, false),
            ("405", Refusal::Outdated, false, false),
            ("406", Refusal::Unlinked, true, false),
            ("409", Refusal::Outdated, false, false),
            ("500", Refusal::Unavailable(500), false, true),
            ("503", Refusal::Unavailable(503), false, true),
            ("418", Refusal::Other(418), false, false),
            ("x", Refusal::Unavailable(500), false, true),
        ] {
            let found = failure(reason);
            assert_eq!(
                (found, found.is_final(), found.may_pass()),
                (refusal, is_final, may_pass),
                "{reason}"
            );
        }
        let banned =
            NodeBuilder::new("failure").attr("reason", "402").attr("expire", "3600").attr("code", "101");
        let ends_in = Some(Duration::from_secs(3600));
        assert_eq!(Refusal::from_failure(&banned.build()), Refusal::Banned { ends_in, code: Some(101) });
    }

    #[test]
    fn a_restart_is_no_refusal_and_a_conflict_is() {
        let error = |code: &str| NodeBuilder::new("stream:error").attr("code", code);
        let conflict = |kind: &str| NodeBuilder::new("conflict").attr("type", kind).build();
        assert_eq!(Refusal::from_stream(&error("515").build()), None);
        assert_eq!(Refusal::from_stream(&error("503").build()), Some(Refusal::Unavailable(503)));
        let removed = error("401").children([conflict("device_removed")]).build();
        assert_eq!(Refusal::from_stream(&removed), Some(Refusal::Unlinked));
        let replaced = NodeBuilder::new("stream:error").children([conflict("replaced")]).build();
        assert_eq!(Refusal::from_stream(&replaced), Some(Refusal::Replaced));
    }
}
