//! A session as it is kept, and as the library uses it. Always: a key that is there is never replaced in silence, since it
//! is what the person approved; and no address is connected to that the way out forbids, not even one that Telegram names.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grammers_session::types::{DcOption, PeerId, PeerInfo, UpdateState, UpdatesState};
use grammers_session::{BoxFuture, Session};
use serde::{Deserialize, Serialize};

use crate::contract::{Context, Trouble};
use crate::kernel::egress::Egress;
use crate::kernel::random;
use crate::kernel::secret::Secret;

use super::centres::{AuthKey, Centres};

/// A session at rest: where the person is at home, and the key that is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The number of the data centre.
    pub dc: i32,
    /// Its address.
    pub address: SocketAddrV4,
    /// The key, in URL-safe base64.
    auth_key: Secret,
}

impl Kept {
    /// Keeps a key.
    pub fn new(dc: i32, address: SocketAddrV4, key: &AuthKey) -> Self {
        Self { dc, address, auth_key: Secret::new(URL_SAFE_NO_PAD.encode(key)) }
    }

    /// What tells it from every other, and says nothing of the key.
    pub fn name(&self) -> Option<String> {
        self.key().ok().map(|key| random::hash(&URL_SAFE_NO_PAD.encode(key)))
    }

    /// The key.
    ///
    /// # Errors
    /// When it is none.
    pub fn key(&self) -> Result<AuthKey, Trouble> {
        let key = URL_SAFE_NO_PAD.decode(self.auth_key.reveal()).ok();
        key.and_then(|key| key.try_into().ok()).ok_or(Trouble::bug("session_unreadable"))
    }
}

/// Why the library is not given what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The data centre does not know the key any more, so another would have been agreed on.
    #[error("the data centre does not know the key")]
    KeyLost,
    /// The address is not to be connected to.
    #[error("the address is not one this server may connect to")]
    Address,
}

/// A session in use.
pub struct Live {
    egress: Egress,
    inside: Mutex<Inside>,
}

struct Inside {
    home: i32,
    options: BTreeMap<i32, DcOption>,
}

impl Live {
    /// Goes on with one that was kept, or begins one.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn new(cx: &Context, centres: &Centres, kept: Option<&Kept>) -> Result<Self, Trouble> {
        let known = centres.addresses().iter().map(|(id, address)| (*id, option(*id, *address, None)));
        let mut inside = Inside { home: centres.first(), options: known.collect() };
        if let Some(kept) = kept {
            inside.home = kept.dc;
            inside.options.insert(kept.dc, option(kept.dc, kept.address, Some(kept.key()?)));
        }
        let live = Self { egress: cx.egress.clone(), inside: Mutex::new(inside) };
        if kept.is_none() {
            live.move_to(centres.first(), cx, centres);
        }
        Ok(live)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing in here is left half done by a panic.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the home data centre.
    pub fn home(&self) -> i32 {
        self.inside().home
    }

    /// Goes on at another data centre.
    pub fn move_to(&self, dc: i32, cx: &Context, centres: &Centres) {
        let key = centres.key(dc, &cx.random);
        let mut inside = self.inside();
        inside.home = dc;
        if let Some(option) = inside.options.get_mut(&dc)
            && option.auth_key.is_none()
        {
            option.auth_key = key;
        }
    }

    /// What is to be kept of it; `None` before there is a key.
    pub fn keep(&self) -> Option<Kept> {
        let inside = self.inside();
        let option = inside.options.get(&inside.home)?;
        Some(Kept::new(option.id, option.ipv4, &option.auth_key?))
    }

    fn permits(&self, address: SocketAddrV4) -> bool {
        self.egress.may_reach(&address.ip().to_string())
    }
}

fn option(id: i32, address: SocketAddrV4, auth_key: Option<AuthKey>) -> DcOption {
    let mapped = std::net::SocketAddrV6::new(address.ip().to_ipv6_mapped(), address.port(), 0, 0);
    DcOption { id, ipv4: address, ipv6: mapped, auth_key }
}

impl Session for Live {
    type Error = Denied;

    fn home_dc_id(&self) -> Result<i32, Denied> {
        Ok(self.home())
    }

    fn set_home_dc_id(&self, dc: i32) -> BoxFuture<'_, Result<(), Denied>> {
        self.inside().home = dc;
        Box::pin(async { Ok(()) })
    }

    fn dc_option(&self, dc: i32) -> Result<Option<DcOption>, Denied> {
        let found = self.inside().options.get(&dc).cloned();
        match found {
            // Asked for right before it is connected to, by address.
            Some(option) if !self.permits(option.ipv4) => Err(Denied::Address),
            found => Ok(found),
        }
    }

    fn set_dc_option(&self, option: &DcOption) -> BoxFuture<'_, Result<(), Denied>> {
        let mut option = option.clone();
        let permitted = self.permits(option.ipv4);
        let mut inside = self.inside();
        let result = match inside.options.get(&option.id) {
            Some(known) if known.auth_key.is_some() && known.auth_key != option.auth_key => {
                Err(Denied::KeyLost)
            }
            known => {
                if !permitted && let Some(known) = known {
                    option.ipv4 = known.ipv4;
                }
                if permitted || known.is_some() {
                    inside.options.insert(option.id, option);
                }
                Ok(())
            }
        };
        drop(inside);
        Box::pin(async move { result })
    }

    fn peer(&self, _peer: PeerId) -> BoxFuture<'_, Result<Option<PeerInfo>, Denied>> {
        Box::pin(async { Ok(None) })
    }

    fn cache_peer(&self, _peer: PeerInfo) -> BoxFuture<'_, Result<(), Denied>> {
        Box::pin(async { Ok(()) })
    }

    fn updates_state(&self) -> BoxFuture<'_, Result<UpdatesState, Denied>> {
        Box::pin(async { Ok(UpdatesState::default()) })
    }

    fn set_update_state(&self, _update: UpdateState) -> BoxFuture<'_, Result<(), Denied>> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_what_was_there() {
        let centres = Centres::real();
        let address = "91.108.56.104:443".parse().unwrap();
        let kept = Kept::new(5, address, &[7; 256]);
        assert!(!format!("{kept:?}").contains("Bwc"), "no key is printed");
        let stored = serde_json::to_value(&kept).unwrap();
        let kept: Kept = serde_json::from_value(stored).unwrap();
        let live = Live::new(&context(), &centres, Some(&kept)).unwrap();
        assert_eq!((live.home(), live.keep()), (5, Some(kept)));
        let mut known = live.dc_option(4).unwrap().unwrap();
        known.auth_key = Some([8; 256]);
        live.set_dc_option(&known).await.unwrap();
        live.move_to(4, &context(), &centres);
        assert_eq!(live.keep().unwrap().key().unwrap(), [8; 256]);
    }

    #[tokio::test]
    async fn a_key_is_not_replaced() {
        let kept = Kept::new(5, "91.108.56.104:443".parse().unwrap(), &[7; 256]);
        let live = Live::new(&context(), &Centres::real(), Some(&kept)).unwrap();
        let mut option = live.dc_option(5).unwrap().unwrap();
        option.auth_key = Some([9; 256]);
        assert_eq!(live.set_dc_option(&option).await, Err(Denied::KeyLost));
        assert_eq!(live.keep().unwrap().key().unwrap(), [7; 256]);
    }

    #[tokio::test]
    async fn an_address_that_is_forbidden_is_neither_learnt_nor_given() {
        let live = Live::new(&context(), &Centres::real(), None).unwrap();
        let mut option = live.dc_option(2).unwrap().unwrap();
        let before = option.ipv4;
        option.ipv4 = "10.0.0.1:443".parse().unwrap();
        live.set_dc_option(&option).await.unwrap();
        assert_eq!(live.dc_option(2).unwrap().unwrap().ipv4, before);
        option.id = 77;
        live.set_dc_option(&option).await.unwrap();
        assert_eq!(live.dc_option(77), Ok(None));
        let kept = Kept::new(1, "127.0.0.1:443".parse().unwrap(), &[7; 256]);
        let live = Live::new(&context(), &Centres::real(), Some(&kept)).unwrap();
        assert_eq!(live.dc_option(1), Err(Denied::Address));
    }

    #[test]
    fn a_session_that_is_none_is_not_gone_on_with() {
        let kept: Kept =
            serde_json::from_str(r#"{"dc":1,"address":"149.154.175.53:443","auth_key":"AAAA"}"#).unwrap();
        assert_eq!(
            Live::new(&context(), &Centres::real(), Some(&kept)).err().unwrap().code,
            "session_unreadable"
        );
    }
}
