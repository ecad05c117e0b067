//! What operators do: rotate keys, watch, forget, back up, read the guide.

mod backup;
mod deploy;
mod figures;
mod guide;
mod look;
mod rotation;
mod sweep;
mod traces;

use std::time::Duration;

use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::SessionId;
use vestibule::kernel::random::{Random, Token};
use vestibule::kernel::words::{Dialect, Purpose};
use vestibule::store::Session;
use zeroize::Zeroizing;

/// A session made at this moment, as it is stored.
fn session(at: Millis) -> Session {
    Session::unopened(
        SessionId::new(at, &Random::system()),
        Dialect::Postpress,
        Purpose::Create,
        Token::new(&Random::system()).hash(),
        Zeroizing::new(b"{}".to_vec()),
        at,
        at.after(Duration::from_secs(3600)),
    )
}
