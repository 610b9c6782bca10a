//! A Vault that takes requests and does not answer while everything is to be taken back: it ends in time, and what is
//! left is named.

use std::time::Duration;

use rustix::process::Signal;

use super::{one_read, with_jwt};
use crate::support::fake::Seen;
use crate::support::{Cmd, Fake, Reply};

/// No answer within the time of any test.
const NEVER: Reply = Reply::Late(Duration::from_secs(40));

/// Stops a run at its slow read of a Vault that never revokes anything.
fn stopped(cmd: impl Fn(&str) -> Cmd) -> String {
    let fake = Fake::new(|seen| match seen {
        seen if seen.is_revocation() => NEVER,
        seen if seen.line.starts_with("GET /v1/exoscale/") => Reply::Late(Duration::from_secs(1)),
        _ => Reply::Vault,
    });
    let running = cmd(&fake.addr).args(["-v"]).spawn();
    running.wait_for_stderr("debug: GET exoscale/apikey/ci");
    running.signal(Signal::TERM);
    let run = running.wait().expect(143);
    assert!(fake.seen().iter().any(Seen::is_revocation), "{run}");
    run.stderr
}

#[test]
fn what_there_was_no_time_to_take_back_is_named() {
    std::thread::scope(|scope| {
        let lease = scope.spawn(|| stopped(one_read));
        let token = scope.spawn(|| stopped(with_jwt));
        for (text, left) in [
            (lease.join().unwrap(), "exoscale/apikey/ci/a-lease was not revoked ("),
            (token.join().unwrap(), "the token with accessor an-accessor was not revoked ("),
        ] {
            assert!(text.contains(left) && text.contains("); it ends with its TTL, at 20"), "{text}");
        }
    });
}
