//! The postpress dialect, which existing Unipile clients speak: `/v1` and `/api/v1`.

mod accounts;
mod link;
mod notify;
mod page;
mod tags;

pub use accounts::{AccountWords, account, account_deleted, account_list};
pub use link::{
    LinkGoal, LinkRequest, LinkWords, finished, link, link_cancelled, link_created, link_list, read_finish,
    read_link,
};
pub use notify::{TOLD, notify_body};
pub use page::{Page, next_cursor, read_page};
pub use tags::{account_type, link_tag, slugs};
