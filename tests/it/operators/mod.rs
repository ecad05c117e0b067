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
use vestibule::kernel::words::{Dialect, Purpose, SessionState};
use vestibule::store::Session;
use zeroize::Zeroizing;

/// A session made at this moment, as it is stored.
fn session(at: Millis) -> Session {
    Session {
        id: SessionId::new(at, &Random::system()),
        dialect: Dialect::Postpress,
        purpose: Purpose::Create,
        state: SessionState::Open,
        link_hash: Token::new(&Random::system()).hash(),
        providers: vec![],
        request: Zeroizing::new(b"{}".to_vec()),
        name_mark: None,
        provider: None,
        account_id: None,
        cookie_hash: None,
        claim_no: 0,
        claimed_at: None,
        attempt_id: None,
        secrets_tried: 0,
        connects: 0,
        cause: None,
        trace: None,
        seq: 0,
        version: 1,
        created_at: at,
        expires_at: at.after(Duration::from_secs(3600)),
        ended_at: None,
    }
}
