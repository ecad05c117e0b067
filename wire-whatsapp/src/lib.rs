//! Links a device to a WhatsApp account, and looks after the link: nothing more. No messages are read or written.
//!
//! The crate connects nowhere by itself and reads no clock, file or environment: streams come from a [`Connector`], the time
//! from [`Settings::clock`]. It keeps nothing between calls; what is to be kept is a [`Session`].
//!
//! # Linking
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use wire_whatsapp::{Connector, End, Event, Linking, Settings};
//! # async fn link(settings: Arc<Settings>, connector: Arc<dyn Connector>) {
//! let mut linking = Linking::start(settings, connector);
//! while let Some(event) = linking.next().await {
//!     match event {
//!         Event::Qr { text, ends_in, .. } => { /* show it until it ends, or the next event comes */ }
//!         Event::Paired(session) | Event::Linked(session) => { /* store session.to_json(), sealed */ }
//!         Event::Ended(End::Linked) => { /* done */ }
//!         Event::Ended(End::Expired) => { /* offer a new code: start again */ }
//!         Event::Ended(End::Failed(error)) => { /* error.may_pass() says whether trying again helps */ }
//!         _ => { /* the pairing code and the passkey gate */ }
//!     }
//! }
//! # }
//! ```
//!
//! What can happen, in order:
//!
//! - [`Event::Qr`] up to six times: 60 seconds, then 20 each; once more in between when the service withdraws what the code
//!   on show says. Then [`End::Expired`].
//! - [`Linking::request_code`] adds a pairing code: [`Event::Code`], and when it was typed [`Event::CodeTyped`]; or
//!   [`Event::CodeEnded`], after which another may be asked for. QR codes go on beside it.
//! - [`Event::Passkey`] takes the codes' place for accounts that are behind that gate: [`Linking::answer_passkey`], then
//!   [`Event::PasskeyCode`], then [`Linking::confirm_passkey`].
//! - [`Event::Paired`] once the phone said yes, [`Event::Linked`] once the device has logged in and left its keys.
//!
//! An attempt costs one connection and one task; it ends when the [`Linking`] is dropped. A process that ends with a code on
//! show has lost nothing: the codes die with their connection, and a new [`Linking`] shows new ones. One that ends between
//! the last two events goes on with [`complete`].
//!
//! # Afterwards
//!
//! [`check`] logs in for a moment and says whether the session is let in; [`logout`] unlinks the device. The service lets a
//! session be online **once**: neither may be called while somebody else uses it.
//!
//! # Trust
//!
//! The server proves who it is by a chain of certificates under [`Settings::root`], which is [`WHATSAPP_ROOT`] unless a test
//! says otherwise; TLS below is the connector's. What a server may send is bounded in size, depth and number before anything
//! is made of it, and everything that is waited for has a deadline ([`Deadlines`]). Private keys are wiped when dropped, and
//! no `Debug` shows one.

mod base64;
mod certificate;
mod channel;
mod code;
mod crypto;
mod curve;
mod device;
mod error;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod link;
mod login;
mod node;
mod noise;
mod pairing;
mod passkey;
mod proto;
mod refusal;
mod session;
mod settings;
pub mod version;

pub use certificate::{ServerKey, WHATSAPP_ROOT};
pub use channel::{Connecting, Connector, Stream, Target};
pub use error::Error;
pub use link::{CodeEnd, End, Event, Linking};
pub use login::{check, complete, logout};
pub use passkey::Assertion;
pub use refusal::Refusal;
pub use session::{Account, Pair, Private, Session, SignedPreKey};
pub use settings::{Browser, Clock, Deadlines, Settings};
pub use version::Version;
