//! When a stop ends what.

use std::future::pending;

use super::*;

/// One that was asked so long ago.
fn asked(ago: Duration) -> Shutdown {
    let asked = Requested { by: Code::Terminated, at: Instant::now().checked_sub(ago).unwrap() };
    Shutdown { asked: watch::channel(Some(asked)).1, cancels: true }
}

#[tokio::test]
async fn a_limit_counts_from_the_stop() {
    let started = Instant::now();
    let long = Duration::from_secs(60);
    assert!(asked(LIMIT).within(long, pending::<()>()).await.is_none());
    assert!(asked(LIMIT).without_cancellation().within(long, pending::<()>()).await.is_none());
    assert!(asked(PATIENCE).guard(PATIENCE, pending::<()>()).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
    // An answer that is there counts, and without a stop the limit is the caller's.
    assert_eq!(asked(LIMIT).within(long, async { 1 }).await, Some(1));
    assert!(Shutdown::never().within(Duration::ZERO, pending::<()>()).await.is_none());
}

#[tokio::test]
async fn it_comes_in_the_midst_of_work() {
    let (sender, receiver) = watch::channel(None);
    let shutdown = Shutdown { asked: receiver, cancels: false };
    tokio::spawn(async move {
        let at = Instant::now().checked_sub(LIMIT).unwrap();
        sender.send_replace(Some(Requested { by: Code::Terminated, at }));
    });
    assert!(shutdown.within(Duration::from_secs(60), pending::<()>()).await.is_none());
    assert!(shutdown.is_requested() && shutdown.check().is_ok());
}

#[tokio::test]
async fn a_command_may_use_up_the_time() {
    for (spent, left) in [(3, 5), (7, 2), (9, 8), (3_600, 8)] {
        let (relay, after) = Shutdown::relayed();
        assert!(after.check().is_ok());
        relay.follow(&asked(Duration::from_secs(spent)));
        assert!(after.check().is_err());
        let end = after.requested().await.at + LIMIT;
        let off = (end - Instant::now()).abs_diff(Duration::from_secs(left));
        assert!(off < Duration::from_secs(1), "{spent} s: {off:?}");
    }
}
