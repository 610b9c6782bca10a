//! A run is a transaction: after a lost answer it waits, revokes, and starts once more where the login allows that;
//! what may be left is named.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{one_read, with_jwt, with_secret_id};
use crate::support::fake::Seen;
use crate::support::{Cmd, Fake, Reply, secret};

fn is_read(seen: &Seen) -> bool {
    seen.line.starts_with("GET /v1/exoscale/")
}

/// Loses the answers to the first `count` requests that `which` picks.
fn losing(count: usize, which: fn(&Seen) -> bool, how: fn() -> Reply) -> Fake {
    let lost = std::sync::atomic::AtomicUsize::new(0);
    Fake::new(move |seen| {
        let more = which(seen) && lost.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < count;
        if more { how() } else { Reply::Vault }
    })
}

fn kinds(fake: &Fake) -> String {
    let kind = |seen: &Seen| match () {
        () if seen.is_login() => "login",
        () if seen.is_revocation() => "revoke",
        () if is_read(seen) => "read",
        () if seen.line.ends_with("secret-id") => "secret_id",
        () => "",
    };
    fake.seen().iter().map(kind).filter(|kind| !kind.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_lost_read_is_revoked_and_done_once_more() {
    let ways: [fn() -> Reply; 4] = [
        || Reply::Drop,
        || Reply::text(502, "<html>bad gateway</html>"),
        || Reply::text(504, ""),
        || Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"data\":{\"api".to_vec()),
    ];
    std::thread::scope(|scope| {
        for way in ways {
            scope.spawn(move || {
                let fake = losing(1, is_read, way);
                let run = with_jwt(&fake.addr).run().expect(0);
                assert_eq!(kinds(&fake), "login read revoke login read");
                assert!(run.elapsed >= Duration::from_secs(2), "the engine gets time: {:?}", run.elapsed);
                let left = "exoscale/apikey/ci, role ci, may have made a key whose name starts with vault- at about ";
                assert!(run.stderr.contains(left), "{run}");
            });
        }
    });
}

#[test]
fn a_success_that_cant_be_read_is_a_lost_answer() {
    let bodies: [fn() -> Reply; 6] = [
        || {
            Reply::text(
                200,
                r#"{"lease_id":"exoscale/apikey/ci/1","lease_duration":900.5,"data":{"api_key":"EXO1"}}"#,
            )
        },
        || Reply::text(200, r#"{"lease_id":"a","lease_id":"b","data":{"api_key":"EXO1"}}"#),
        || Reply::text(200, r#"{"data":{"api_key":"EXO1","api_secret":"x"}} and more"#),
        || Reply::text(200, b"{\"data\":{\"api_key\":\"\xff\"}}".to_vec()),
        || Reply::text(201, r#"{"data":{"api_key":"EXO1"#),
        || Reply::text(200, "{\"lease_id\":\"exoscale/apikey/ci/\u{202e}1\"}"),
    ];
    std::thread::scope(|scope| {
        for body in bodies {
            scope.spawn(move || {
                let fake = losing(1, is_read, body);
                let run = with_jwt(&fake.addr).run().expect(0);
                assert_eq!(kinds(&fake), "login read revoke login read");
                let left = "exoscale/apikey/ci, role ci, may have made a key whose name starts with vault- at about ";
                assert!(run.stderr.contains(left), "{run}");
                // A token that nobody can read is named, and asked for once more.
                let fake = losing(1, Seen::is_login, body);
                let run = with_jwt(&fake.addr).run().expect(0);
                assert_eq!(kinds(&fake), "login login read");
                assert!(run.stderr.contains("starts once more"), "{run}");
            });
        }
    });
    // What cannot be asked for once more fails, and says what may be left.
    let fake = losing(9, is_read, bodies[0]);
    let run = with_secret_id(&fake.addr).run().expect(5);
    assert!(run.stderr.contains("may have made a key"), "{run}");
    assert_eq!(kinds(&fake), "login read revoke");
    // A page for people is no answer of Vault's.
    let fake = losing(9, is_read, || Reply::text(200, "<html>sign in</html>"));
    with_jwt(&fake.addr).run().expect(5);
    assert_eq!(kinds(&fake), "login read revoke");
}

#[test]
fn a_second_loss_ends_the_run() {
    let fake = losing(9, is_read, || Reply::Drop);
    let run = with_jwt(&fake.addr).run().expect(5);
    assert_eq!(kinds(&fake), "login read revoke login read revoke");
    assert!(run.stderr.contains("the answer of 127.0.0.1:"), "{run}");
    let error = run.stderr.split("error: ").nth(1).unwrap();
    assert_eq!(error.matches("may have made a key whose name starts with vault-").count(), 2, "{run}");
    assert_eq!(run.stderr.matches("may have made a key").count(), 2, "each is named once: {run}");
    assert!(run.stdout.ends_with(" false && true; (exit 5) && false\n"), "{run}");
}

#[test]
fn a_lost_login_is_done_once_more_where_that_works() {
    let fake = losing(1, Seen::is_login, || Reply::Drop);
    with_jwt(&fake.addr).run().expect(0);
    assert_eq!(kinds(&fake), "login login read");
}

#[test]
fn a_login_whose_answers_are_always_lost_ends() {
    let fake = losing(9, Seen::is_login, || Reply::Drop);
    let run = with_jwt(&fake.addr).run().expect(5);
    assert_eq!(kinds(&fake), "login login login");
    assert_eq!(
        run.stderr.split("error: ").nth(1).unwrap().matches("may have made a token").count(),
        3,
        "{run}"
    );
    assert_eq!(run.stderr.matches("may have made a token").count(), 3, "each is named once: {run}");
}

#[test]
fn without_retries_a_lost_answer_is_not_asked_for_again() {
    for (retries, logins) in [("0", "login"), ("1", "login login"), ("9", "login login login")] {
        let fake = losing(9, Seen::is_login, || Reply::text(502, "<html>bad gateway</html>"));
        let run = with_jwt(&fake.addr).args(["--max-retries", retries]).run().expect(5);
        assert_eq!(kinds(&fake), logins, "{run}");
        assert!(run.stderr.contains("hint: is VAULT_ADDR right?"), "{run}");
    }
    let fake = losing(9, is_read, || Reply::Drop);
    with_jwt(&fake.addr).args(["--max-retries", "0"]).run().expect(5);
    assert_eq!(kinds(&fake), "login read revoke");
}

#[test]
fn a_node_that_loses_the_lead_has_not_answered() {
    for text in ["internal error", "1 error occurred:\n\t* internal error\n\n", "node is not the leader"] {
        let reply = json!({"errors": [text]});
        let fault = losing_once(is_read);
        let fake =
            Fake::new(move |seen| if fault(seen) { Reply::Json(500, reply.clone()) } else { Reply::Vault });
        let run = with_jwt(&fake.addr).run().expect(0);
        assert_eq!(kinds(&fake), "login read revoke login read");
        assert!(run.stderr.contains("the node stopped working on it (status 500)"), "{run}");
    }
}

#[test]
fn a_given_secret_id_is_not_tried_twice() {
    let fake = losing(1, Seen::is_login, || Reply::Drop);
    let run = with_secret_id(&fake.addr).run().expect(5);
    assert_eq!(kinds(&fake), "login");
    let left = "the AppRole login at auth/approle, role web may have made a token at about ";
    assert!(run.stderr.contains(left), "{run}");
    assert!(run.stderr.contains("it ends with the role's token TTL"), "{run}");
    let fake = losing(1, is_read, || Reply::Drop);
    let run = with_secret_id(&fake.addr).run().expect(5);
    assert_eq!(kinds(&fake), "login read revoke");
    assert!(run.stderr.contains("exoscale/apikey/ci, role ci, may have made a key"), "{run}");
    assert!(run.stderr.contains("retry: exit_codes: [5]"), "{run}");
    assert!(
        run.stderr.contains("with `|| exit $?` behind the line"),
        "the form that every runner takes: {run}"
    );
}

#[test]
fn split_custody_gets_a_new_secret_id() {
    let script = |lose: fn(&Seen) -> bool| {
        let fault = losing_once(lose);
        Fake::new(move |seen| {
            if fault(seen) {
                Reply::Drop
            } else if seen.line.ends_with("secret-id") {
                Reply::Json(200, json!({"data": {"secret_id": secret()}}))
            } else {
                Reply::Vault
            }
        })
    };
    let run = |fake: &Fake| {
        with_secret_id(&fake.addr).no_env("VAULT_SECRET_ID").env("VAULT_TOKEN", secret()).run().expect(0)
    };
    let fake = script(Seen::is_login);
    run(&fake);
    assert_eq!(kinds(&fake), "secret_id login secret_id login read");
    let fake = script(|seen| seen.line.ends_with("secret-id"));
    let run = run(&fake);
    assert_eq!(kinds(&fake), "secret_id secret_id login read");
    assert!(run.stderr.contains("a secret_id may have been made at auth/approle at about "), "{run}");
}

fn losing_once(which: fn(&Seen) -> bool) -> impl Fn(&Seen) -> bool + Send + Sync {
    let lost = std::sync::atomic::AtomicBool::new(false);
    move |seen| which(seen) && !lost.swap(true, std::sync::atomic::Ordering::SeqCst)
}

#[test]
fn a_given_token_is_neither_revoked_nor_asked_again() {
    let fake = losing(1, is_read, || Reply::Drop);
    let run = one_read(&fake.addr).run().expect(5);
    assert_eq!(kinds(&fake), "read");
    assert!(run.stderr.contains("exoscale/apikey/ci, role ci, may have made a key"), "{run}");
    assert!(run.stderr.contains("or when VAULT_TOKEN is revoked"), "{run}");
}

#[test]
fn a_refusal_beside_a_lost_answer_counts_more() {
    let fake = Fake::new(|seen| match seen.line.as_str() {
        "GET /v1/exoscale/apikey/ci" => Reply::Drop,
        line if line.contains("/aws/") => Reply::Json(403, json!({"errors": ["permission denied"]})),
        line if line.contains("capabilities") => Reply::Json(200, json!({"data": {}})),
        _ => Reply::Vault,
    });
    let run = with_jwt(&fake.addr).args(["--and", "aws=web"]).run().expect(4);
    assert!(run.stderr.contains("may have made a key"), "{run}");
    assert_eq!(kinds(&fake).matches("login").count(), 1);
    assert!(kinds(&fake).ends_with("revoke"));
}

#[test]
fn nothing_is_revoked_before_the_other_answer_is_there() {
    let fake = Fake::new(|seen| match seen.line.as_str() {
        "GET /v1/exoscale/apikey/ci" => Reply::Late(Duration::from_secs(2)),
        line if line.contains("/aws/") => Reply::Json(500, json!({"errors": ["broken"]})),
        _ => Reply::Vault,
    });
    let run = with_jwt(&fake.addr).args(["--and", "aws=web"]).run().expect(5);
    assert!(run.elapsed >= Duration::from_secs(2));
    assert!(kinds(&fake).ends_with("revoke"), "{}", kinds(&fake));
}

#[test]
fn an_answer_that_can_not_be_used_gives_its_lease_back() {
    let fake = Fake::new(|seen| {
        if is_read(seen) {
            Reply::Json(200, json!({"lease_id": "exoscale/apikey/ci/odd", "data": {"api_key": "EXO"}}))
        } else {
            Reply::Vault
        }
    });
    one_read(&fake.addr).run().expect(4);
    assert!(fake.seen().iter().any(|seen| seen.is_revocation() && seen.body.contains("apikey/ci/odd")));
}

#[test]
fn a_stop_waits_for_the_answer_and_takes_it_back() {
    let fake =
        Fake::new(|seen| if is_read(seen) { Reply::Late(Duration::from_secs(2)) } else { Reply::Vault });
    let running = with_jwt(&fake.addr).args(["-v"]).spawn();
    running.wait_for_stderr("debug: GET exoscale/apikey/ci");
    running.signal(Signal::TERM);
    let run = running.wait().expect(143);
    assert_eq!(kinds(&fake), "login read revoke", "{run}");
    assert!(run.stdout.contains("(exit 143) && false"), "{run}");
}

#[test]
fn a_stop_that_gets_no_answer_names_what_may_be_left() {
    let fake =
        Fake::new(|seen| if is_read(seen) { Reply::Late(Duration::from_secs(30)) } else { Reply::Vault });
    let running = with_jwt(&fake.addr).args(["-v"]).spawn();
    running.wait_for_stderr("debug: GET exoscale/apikey/ci");
    running.signal(Signal::TERM);
    let run = running.wait().expect(143);
    assert!(run.elapsed < Duration::from_secs(9), "GitLab kills after 10 s: {:?}", run.elapsed);
    assert!(run.stderr.contains("may have made a key whose name starts with vault-"), "{run}");
    assert_eq!(kinds(&fake), "login read revoke");
}

/// An answer has a lease before anybody knows whether it can be used.
#[test]
fn whatever_an_answer_is_not_good_for_its_lease_goes_back() {
    let scaleway = json!({"access_key": "SCW1", "secret_key": secret()});
    let cases = [
        (vec!["exoscale", "ci"], json!({"api_key": "EXO"}), 4),
        (vec!["scaleway", "r", "--s3"], scaleway.clone(), 3),
        (
            vec!["scaleway", "r", "--mint", "--application-id", "2f0b5c4e-6a3c-4a53-9a5e-0c1d2e3f4a5b"],
            scaleway,
            4,
        ),
    ];
    for ((args, data, code), batch) in
        cases.into_iter().flat_map(|case| [(case.clone(), false), (case, true)])
    {
        let fake = Fake::new(move |seen| match seen.line.as_str() {
            line if line.ends_with("/login") => {
                let mut login = crate::support::fake::login();
                login["auth"]["token_type"] = json!("batch");
                Reply::Json(200, login)
            }
            line if line.contains("/iam/") => Reply::Json(403, json!({"message": "denied"})),
            line if line.starts_with("GET ") => {
                Reply::Json(200, json!({"lease_id": "an/odd-lease", "lease_duration": 600, "data": data}))
            }
            _ => Reply::Vault,
        });
        let cmd = Cmd::new(&args).env("VAULT_ADDR", &fake.addr).env("SCW_API_URL", &fake.addr);
        let login = [("VAULT_ROLE_ID", secret()), ("VAULT_SECRET_ID", secret())];
        let cmd = if batch { cmd.envs(login) } else { cmd.env("VAULT_TOKEN", secret()) };
        let run = cmd.run().expect(code);
        let back = |seen: &Seen| seen.line.ends_with("/leases/revoke") && seen.body.contains("an/odd-lease");
        assert_eq!(fake.seen().iter().filter(|seen| back(seen)).count(), 1, "{args:?}, batch {batch}: {run}");
    }
}

#[test]
fn a_lease_that_can_not_go_back_is_named_also_when_nothing_came_of_it() {
    let fake = Fake::new(|seen| match seen.line.as_str() {
        line if line.ends_with("/leases/revoke") => {
            Reply::Json(403, json!({"errors": ["permission denied"]}))
        }
        _ => Reply::Json(
            200,
            json!({"lease_id": "an/odd-lease", "lease_duration": 600, "data": {"api_key": "EXO"}}),
        ),
    });
    let run = one_read(&fake.addr).run().expect(4);
    assert!(run.stderr.contains("an/odd-lease can't be revoked and ends with its TTL, at 20"), "{run}");
}

#[test]
fn an_answer_that_is_too_long_was_lost() {
    let fake =
        Fake::new(
            |seen| if is_read(seen) { Reply::text(200, vec![b' '; (4 << 20) + 1]) } else { Reply::Vault },
        );
    let run = one_read(&fake.addr).run().expect(5);
    assert!(run.stderr.contains("was lost: it is longer than 4 MiB"), "{run}");
    assert!(run.stderr.contains("exoscale/apikey/ci, role ci, may have made a key"), "{run}");
}
