//! The loops behind the server, over leased rows. They decide nothing: what happened was decided, and written
//! down, by the use cases.

mod call;
mod complaint;
pub mod deliver;
pub mod grants;
mod places;
pub mod ring;
mod schedule;
mod sign;
pub mod sweep;
pub mod watch;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::watch::Sender;

/// Runs one of the loops. A bug that ends it is told to `broken`: without the loop the server would go on as if nothing
/// were missing, so it stops instead, and whoever watches over the process starts it again.
pub async fn run(name: &'static str, work: impl Future<Output = ()>, broken: Sender<bool>) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!(name, "a loop of the server ended in a bug");
        let _ = broken.send(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_ends_in_a_bug_is_told_and_one_that_just_ends_is_not() {
        let (broken, broke) = tokio::sync::watch::channel(false);
        run("fine", async {}, broken.clone()).await;
        assert!(!*broke.borrow());
        let bug = async {
            tokio::task::yield_now().await;
            assert!(*broke.borrow(), "a bug");
        };
        run("broken", bug, broken).await;
        assert!(*broke.borrow());
    }
}
