//! The Riposte dialect: camelCase under `/auth`, `/accounts` and `/providers`.

mod accounts;
mod events;
mod names;
mod page;
mod sessions;

pub use accounts::{AccountWords, account, account_deleted, account_list, several};
pub use events::{TOLD, Telling, event_body};
pub use names::{provider_name, slug};
pub use page::{Paged, read_page};
pub use sessions::{
    SessionRequest, SessionWords, StartRequest, read_finish, read_session, read_start, session,
    session_cancelled, session_created, session_finished, session_list, started,
};
