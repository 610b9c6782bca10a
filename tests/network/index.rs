//! X-Vault-Index, byte for byte: where it goes, and what a node says that has not caught up with it.

use serde_json::json;

use super::with_jwt;
use crate::support::fake::{login, redirect};
use crate::support::{Cmd, Fake, Reply, jwt, secret};

const INDEX: &str = "an-opaque-index";

/// A login that is answered with an index.
fn indexed() -> Reply {
    Reply::Full(200, format!("X-Vault-Index: {INDEX}\r\n"), login().to_string().into_bytes())
}

#[test]
fn an_index_goes_back_with_every_later_request() {
    let fake = Fake::new(|seen| if seen.is_login() { indexed() } else { Reply::Vault });
    let run = with_jwt(&fake.addr).run_both().expect(0);
    assert!(!run.stderr.contains(INDEX), "{run}");
    for seen in fake.seen() {
        let sent = (seen.header("x-vault-index"), seen.header("x-vault-inconsistent"));
        let expected =
            if seen.is_login() { (None, None) } else { (Some(INDEX), Some("forward-active-node")) };
        assert_eq!(sent, expected, "{}", seen.line);
    }
}

#[test]
fn an_index_goes_to_no_other_address() {
    let active = Fake::vault();
    let to = active.addr.clone();
    let standby =
        Fake::new(
            move |seen| if seen.is_login() { indexed() } else { redirect(&format!("{to}{}", seen.target())) },
        );
    with_jwt(&standby.addr).run().expect(0);
    assert!(standby.seen().iter().skip(1).all(|seen| seen.header("x-vault-index") == Some(INDEX)));
    assert!(active.seen().iter().all(|seen| seen.header("x-vault-index").is_none()));
    assert!(!active.seen().is_empty());
}

/// OpenBao's 429 and Vault's 412: the pause is a short one whatever Retry-After says, and no limit is named.
#[test]
fn a_node_that_is_behind_is_asked_again_soon() {
    for status in [429, 412] {
        let behind =
            move || Reply::Full(status, "Retry-After: 1\r\n".to_owned(), br#"{"errors":[]}"#.to_vec());
        let fake = Fake::new(move |seen| if seen.number < 2 { behind() } else { Reply::Vault });
        let run = with_jwt(&fake.addr).env("VAULT_MAX_RETRIES", "5").very_verbose().run().expect(0);
        assert!(run.stderr.contains(&format!("status {status}; ")), "{run}");
        assert!(!run.stderr.contains("again in 1."), "{run}");
        let fake = Fake::new(move |_| behind());
        let run = with_jwt(&fake.addr).env("VAULT_MAX_RETRIES", "1").run().expect(5);
        assert!(run.stderr.contains("this node has not caught up with its cluster"), "{run}");
    }
}

/// Vault Enterprise refuses the wish to be forwarded, unless its configuration allows it: then time must do.
#[test]
fn a_server_that_does_not_forward_is_asked_without_it() {
    let text = "forwarding via header X-Vault-Inconsistent=forward-active-node disabled in configuration";
    let fake = Fake::new(move |seen| match (seen.is_login(), seen.header("x-vault-inconsistent")) {
        (true, _) => indexed(),
        (_, Some(_)) => Reply::Json(400, json!({"errors": [text]})),
        _ => Reply::Vault,
    });
    with_jwt(&fake.addr).env("VAULT_MAX_RETRIES", "0").run().expect(0);
    let wishes = fake.seen().iter().filter(|seen| seen.header("x-vault-inconsistent").is_some()).count();
    assert_eq!(wishes, 1, "{:?}", fake.lines());
    assert!(fake.seen().iter().skip(1).all(|seen| seen.header("x-vault-index") == Some(INDEX)));
}

/// A run by split custody; `login` answers the logins.
fn split(login: impl Fn(usize) -> Reply + Send + Sync + 'static, standby: bool) -> (Fake, Cmd) {
    let logins = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::new(move |seen| {
        if seen.is_login() {
            return login(logins.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        }
        match seen.target() {
            target if target.ends_with("/secret-id") => {
                Reply::Json(200, json!({"data": {"secret_id": secret(), "secret_id_num_uses": 1}}))
            }
            target if target.starts_with("/v1/sys/health") => Reply::Json(
                200,
                json!({"initialized": true, "sealed": false, "standby": standby, "version": "2.6.2"}),
            ),
            _ => Reply::Vault,
        }
    });
    let cmd = Cmd::new(["exoscale", "ci"])
        .env("VAULT_ADDR", &fake.addr)
        .env("VAULT_ROLE_ID", secret())
        .env("VAULT_TOKEN", secret())
        .env("VAULT_AUTH_ROLE", "web");
    (fake, cmd)
}

fn count(fake: &Fake, what: &str) -> usize {
    fake.seen().iter().filter(|seen| seen.target().contains(what)).count()
}

fn refused() -> Reply {
    Reply::Json(400, json!({"errors": ["invalid role or secret ID"]}))
}

#[test]
fn a_secret_id_of_the_run_is_tried_twice_at_most() {
    let (fake, cmd) = split(|_| refused(), true);
    let run = cmd.run().expect(4);
    assert_eq!((count(&fake, "/login"), count(&fake, "/secret-id")), (2, 1), "{:?}", fake.lines());
    assert!(run.stderr.contains("a standby of OpenBao 2.6.2, answered"), "{run}");
    // The active node knows what it says.
    let (fake, cmd) = split(|_| refused(), false);
    cmd.run().expect(4);
    assert_eq!((count(&fake, "/login"), count(&fake, "/health")), (1, 1), "{:?}", fake.lines());
    // A lost answer between two refusals makes no third of them.
    let (fake, cmd) = split(|number| if number == 1 { Reply::Drop } else { refused() }, true);
    cmd.run().expect(4);
    assert_eq!(count(&fake, "/login"), 3, "{:?}", fake.lines());
}

#[test]
fn a_login_that_may_have_used_its_secret_id_up_gets_a_new_one() {
    let no_leader = || {
        let text = "local node not active but active cluster node not found";
        Reply::Json(500, json!({"errors": [text]}))
    };
    let (fake, cmd) = split(move |number| if number == 0 { no_leader() } else { Reply::Vault }, true);
    cmd.run().expect(0);
    assert_eq!((count(&fake, "/login"), count(&fake, "/secret-id")), (2, 2), "{:?}", fake.lines());
    let sent: Vec<_> = fake.seen().iter().filter(|seen| seen.is_login()).map(|seen| seen.json()).collect();
    assert_ne!(sent[0]["secret_id"], sent[1]["secret_id"]);
    // A JWT is as good as before.
    let fake = Fake::new(move |seen| if seen.number == 0 { no_leader() } else { Reply::Vault });
    Cmd::new(["exoscale", "ci"])
        .env("VAULT_ADDR", &fake.addr)
        .env("VAULT_ID_TOKEN", jwt::mint(json!({})))
        .run()
        .expect(0);
}
