//! How many event streams may be open: each holds a task and a connection, so both a session and a node have their
//! bounds. Whoever gets none asks again by reading the step, as everybody could.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::kernel::ids::SessionId;

/// Streams of one session.
const PER_SESSION: usize = 2;
/// Streams of one node.
const PER_NODE: usize = 1024;

/// The streams that are open on this node.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<SessionId, usize>>>);

/// One open stream; dropping it makes room.
pub(super) struct Open {
    streams: Streams,
    id: SessionId,
}

impl Streams {
    /// Counts one more, if there is room.
    pub(super) fn open(&self, id: &SessionId) -> Option<Open> {
        let mut open = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(id).copied().unwrap_or_default();
        if own >= PER_SESSION || all >= PER_NODE {
            return None;
        }
        open.insert(id.clone(), own + 1);
        Some(Open { streams: self.clone(), id: id.clone() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.id) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::clock::Clock;
    use crate::kernel::random::Random;

    #[test]
    fn a_session_has_two_streams_and_room_comes_back() {
        let streams = Streams::default();
        let id = SessionId::new(Clock::system().now(), &Random::system());
        let (one, two) = (streams.open(&id), streams.open(&id));
        assert!(one.is_some() && two.is_some() && streams.open(&id).is_none());
        drop(one);
        assert!(streams.open(&id).is_some());
        drop(two);
        assert!(streams.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_node_has_its_bound_whatever_the_sessions() {
        let streams = Streams::default();
        let random = Random::system();
        let ids = (0..PER_NODE).map(|_| SessionId::new(Clock::system().now(), &random));
        let open: Vec<_> = ids.map(|id| streams.open(&id)).collect();
        assert!(open.iter().all(Option::is_some));
        assert!(streams.open(&SessionId::new(Clock::system().now(), &random)).is_none());
    }
}
