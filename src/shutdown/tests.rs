//! When a stop ends what.

use std::future::pending;

use super::*;

/// One that was asked so long ago.
fn asked(ago: Duration) -> Stop {
    let asked = Asked { by: Code::Terminated, at: Instant::now().checked_sub(ago).unwrap() };
    Stop { asked: watch::channel(Some(asked)).1, heeded: true }
}

#[tokio::test]
async fn a_limit_counts_from_the_stop() {
    let started = Instant::now();
    let long = Duration::from_secs(60);
    assert!(asked(LIMIT).within(long, pending::<()>()).await.is_none());
    assert!(asked(LIMIT).unheeded().within(long, pending::<()>()).await.is_none());
    assert!(asked(PATIENCE).guard(PATIENCE, pending::<()>()).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
    // An answer that is there counts, and without a stop the limit is the caller's.
    assert_eq!(asked(LIMIT).within(long, async { 1 }).await, Some(1));
    assert!(Stop::never().within(Duration::ZERO, pending::<()>()).await.is_none());
}

#[tokio::test]
async fn it_comes_in_the_midst_of_work() {
    let (sender, receiver) = watch::channel(None);
    let stop = Stop { asked: receiver, heeded: false };
    tokio::spawn(async move {
        let at = Instant::now().checked_sub(LIMIT).unwrap();
        sender.send_replace(Some(Asked { by: Code::Terminated, at }));
    });
    assert!(stop.within(Duration::from_secs(60), pending::<()>()).await.is_none());
    assert!(stop.is_asked() && stop.check().is_ok());
}

#[tokio::test]
async fn a_command_may_use_up_the_time() {
    for (spent, left) in [(3, 5), (7, 2), (9, 8), (3_600, 8)] {
        let (later, after) = Stop::later();
        assert!(after.check().is_ok());
        later.follow(&asked(Duration::from_secs(spent)));
        assert!(after.check().is_err());
        let end = after.requested().await.at + LIMIT;
        let off = (end - Instant::now()).abs_diff(Duration::from_secs(left));
        assert!(off < Duration::from_secs(1), "{spent} s: {off:?}");
    }
}
