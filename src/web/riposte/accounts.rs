//! Accounts. Wherever one is named, the product's own id for the person does as well, where that names only one.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::super::Web;
use super::super::api::{Caller, Refused, health, reply};
use super::super::extract::Segment;
use super::{Answer, Params, SPELLING, paged};
use crate::connect::{AccountView, Page};
use crate::dialects::envelope::Kind;
use crate::dialects::riposte as words;
use crate::kernel::ids::AccountId;

/// The most accounts that are named where one was meant.
const NAMED: i64 = 20;

/// `GET /accounts`: oldest first, `page`, `limit`, `customUserId`.
pub(super) async fn list(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    let (told, page) = paged(&caller, &params)?;
    let name = params.get("customUserId").map(String::as_str);
    let (found, total) =
        web.connect.account_page(name, page).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::account_list(found.iter().map(account).collect(), told, total)))
}

/// `GET /accounts/{id}`.
pub(super) async fn read(State(web): State<Web>, caller: Caller, Segment(named): Segment) -> Answer {
    let found = find(&web, &caller, &named).await?;
    Ok(reply(StatusCode::OK, &account(&found)))
}

/// `DELETE /accounts/{id}`.
pub(super) async fn delete(State(web): State<Web>, caller: Caller, Segment(named): Segment) -> Answer {
    let found = find(&web, &caller, &named).await?;
    web.connect.delete_account(&found.id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::account_deleted(found.id.as_str())))
}

/// The account of this id or, where it is none, the only account of this `customUserId`.
async fn find(web: &Web, caller: &Caller, named: &str) -> Result<AccountView, Refused> {
    if let Ok(id) = named.parse::<AccountId>() {
        return web.connect.account(&id).await.map_err(|error| caller.fail(error, &SPELLING));
    }
    let page = Page { number: 1, limit: NAMED };
    let found = web.connect.account_page(Some(named), page).await;
    let (mut found, _) = found.map_err(|error| caller.fail(error, &SPELLING))?;
    match found.as_slice() {
        [_] => Ok(found.remove(0)),
        [] => Err(caller.refuse(Kind::ResourceNotFound.detail("there is no such account"))),
        many => {
            let ids: Vec<_> = many.iter().map(|account| account.id.as_str()).collect();
            Err(caller.refuse(words::several(&ids)))
        }
    }
}

fn account(view: &AccountView) -> Value {
    words::account(&words::AccountWords {
        id: view.id.as_str(),
        provider: &view.provider,
        status: view.status,
        cause: view.cause.as_deref(),
        health: health(view),
        custom_user_id: view.name.as_deref(),
        identity: &view.identity,
        profile: &view.profile,
        created_at: view.created_at,
        updated_at: view.updated_at,
    })
}
