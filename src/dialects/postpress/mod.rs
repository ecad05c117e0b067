//! The postpress dialect, which existing Unipile clients speak: `/v1` and `/api/v1`.

mod accounts;
mod deliveries;
mod link;
mod notify;
mod page;
mod status;
mod tags;
mod webhooks;

pub use accounts::{AccountWords, account, account_deleted, account_list};
pub use deliveries::{
    delivery, delivery_list, delivery_replayed, link_event, link_events, secret_rotated, webhook_replayed,
};
pub use link::{
    LinkGoal, LinkRequest, LinkWords, finished, link, link_cancelled, link_created, link_list, read_finish,
    read_link,
};
pub use notify::{TOLD, notify_body};
pub use page::{Page, next_cursor, read_page};
pub use status::{Telling, content_type, webhook_body};
pub use tags::{account_type, link_tag, slugs};
pub use webhooks::{
    WebhookChange, WebhookRequest, WebhookWords, read_webhook, read_webhook_change, webhook, webhook_created,
    webhook_deleted, webhook_list,
};
