//! The way back to the product.

use url::Url;

use crate::connect::Request;
use crate::kernel::ids::AccountId;
use crate::kernel::secret::Secret;

/// Where the browser goes when the account is connected: the product's URL, its own query kept, with `account_id`.
pub(super) fn after_success(request: &Request, account: &AccountId) -> Option<String> {
    with(request.success_redirect_url.as_deref()?, "account_id", account.as_str())
}

/// Where the browser goes when its backend has still to finish: with `finish_code` and nothing else. The session is not
/// named, so that a backend has to know it by the person who is signed in there, which is what the code is for.
pub(super) fn to_finish(request: &Request, code: &Secret) -> Option<String> {
    with(request.success_redirect_url.as_deref()?, "finish_code", code.reveal())
}

/// Where the browser goes otherwise, with `error=<stable code>`.
pub(super) fn after_failure(request: &Request, code: &str) -> Option<String> {
    with(request.failure_redirect_url.as_deref()?, "error", code)
}

fn with(url: &str, name: &str, value: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.query_pairs_mut().append_pair(name, value);
    Some(url.into())
}

/// Who asks: the configured name, or the host that the person will be sent back to.
pub(super) fn product(configured: Option<&str>, request: &Request) -> Option<String> {
    let urls = [&request.success_redirect_url, &request.failure_redirect_url, &request.notify_url];
    let host =
        || urls.into_iter().flatten().find_map(|url| Url::parse(url).ok()?.host_str().map(str::to_owned));
    configured.map(str::to_owned).or_else(host)
}

/// The host of a URL, for a visible link.
pub(super) fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_s_own_query_is_kept() {
        let url = with("https://app.example.com/done?state=a%20b&x=1#part", "error", "cancelled").unwrap();
        assert_eq!(url, "https://app.example.com/done?state=a%20b&x=1&error=cancelled#part");
    }
}
