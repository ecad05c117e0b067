//! How much a person may have us try at hosts of their choice. A session may connect so often, which the engine counts
//! in the session's row; and over all sessions of this node, one host is connected to so often in a minute and one
//! name tried so often in an hour. A provider asks before it connects, and what it is denied it does not do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::kernel::limits::Limiter;

/// Why something may not be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The session has connected as often as it may; waiting does not help.
    Spent,
    /// Too much was tried there in a short time, by whomever; waiting helps.
    Crowded,
}

/// What may still be tried during one answer. Clones share it.
#[derive(Clone, Debug)]
pub struct Allowance {
    left: Arc<AtomicU32>,
    /// By host.
    connects: Option<Arc<Limiter<String>>>,
    /// By host and sign-in name.
    sign_ins: Option<Arc<Limiter<(String, String)>>>,
}

impl Allowance {
    /// What all sessions share: connections to one host in a minute, and tries of one name at one host in an hour.
    /// Zero means no limit. It allows no connection yet; see [`Allowance::granting`].
    pub fn new(connects_a_minute: u32, sign_ins_an_hour: u32) -> Self {
        Self {
            left: Arc::default(),
            connects: Limiter::new(connects_a_minute, Duration::from_secs(60)).map(Arc::new),
            sign_ins: Limiter::new(sign_ins_an_hour, Duration::from_secs(3600)).map(Arc::new),
        }
    }

    /// The same for one answer that may make so many connections.
    #[must_use]
    pub fn granting(&self, connects: u32) -> Self {
        Self { left: Arc::new(AtomicU32::new(connects)), ..self.clone() }
    }

    /// How many connections are left.
    pub fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    /// Asks to connect to a host once.
    ///
    /// # Errors
    /// Why not.
    pub fn connect(&self, host: &str) -> Result<(), Denied> {
        let one_less = |left: u32| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).map_err(|_| Denied::Spent)?;
        let known = self.connects.as_ref().is_none_or(|hosts| hosts.spend(&host.to_owned()).is_ok());
        if known {
            return Ok(());
        }
        // No connection is made, so none is spent.
        self.left.fetch_add(1, Ordering::Relaxed);
        Err(Denied::Crowded)
    }

    /// Asks to connect to a host once and to try a secret there under this name.
    ///
    /// # Errors
    /// Why not.
    pub fn sign_in(&self, host: &str, login: &str) -> Result<(), Denied> {
        self.connect(host)?;
        // Most servers do not tell names apart by case, so that another spelling is no fresh budget.
        let who = (host.to_owned(), login.to_lowercase());
        let known = self.sign_ins.as_ref().is_none_or(|names| names.spend(&who).is_ok());
        if known {
            return Ok(());
        }
        self.left.fetch_add(1, Ordering::Relaxed);
        Err(Denied::Crowded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_connects_no_more_often_than_it_was_granted() {
        let shared = Allowance::new(0, 0);
        assert_eq!(shared.connect("a"), Err(Denied::Spent));
        let answer = shared.granting(2);
        let tab = answer.clone();
        assert_eq!(answer.connect("a"), Ok(()));
        assert_eq!(tab.sign_in("b", "ada"), Ok(()));
        assert_eq!((answer.left(), tab.left()), (0, 0));
        assert_eq!(answer.connect("a"), Err(Denied::Spent));
        assert_eq!(shared.granting(1).connect("a"), Ok(()));
    }

    #[test]
    fn a_host_and_a_name_have_budgets_over_all_answers() {
        let shared = Allowance::new(3, 2);
        for _ in 0..3 {
            assert_eq!(shared.granting(9).connect("a"), Ok(()));
        }
        assert_eq!(shared.granting(9).connect("a"), Err(Denied::Crowded));
        assert_eq!(shared.granting(9).sign_in("b", "ada"), Ok(()));
        assert_eq!(shared.granting(9).sign_in("b", "ADA"), Ok(()));
        assert_eq!(shared.granting(9).sign_in("b", "Ada"), Err(Denied::Crowded));
        assert_eq!(shared.granting(9).sign_in("c", "ada"), Ok(()));
        let held_back = shared.granting(1);
        assert_eq!(held_back.sign_in("b", "ada"), Err(Denied::Crowded));
        assert_eq!(held_back.left(), 1, "what was not connected to is not counted");
    }
}
