//! The issuer's keys, and the edges of an ID token's life, at the real server.

use serde_json::{Value, json};

use super::faults;
use super::world::{ROLE, Report, World};
use crate::leaks::policy::Machine;
use crate::support::fake::redirect;
use crate::support::{Fake, Reply, Space, jwt};

#[test]
fn the_issuers_keys_are_asked_in_the_job() {
    let space = Space::new();
    let mut world = World::new(&space);
    let issuer = faults::issuer(jwt::jwks());
    trust(&world, &json!({"bound_issuer": issuer, "oidc_discovery_url": issuer}));
    world.token(json!({"iss": issuer}));
    let report = world.report();
    let signature = report.step("signature");
    assert_eq!((report.code, &signature["status"]), (0, &json!("ok")), "{:#}", report.body);
    assert!(signature["seen"].as_str().unwrap().contains(&format!("{issuer}/oauth/discovery/keys")));
    // Keys that Vault trusts and the issuer does not publish: odd, and no fault.
    let stranger = faults::issuer(json!({"keys": []}));
    trust(&world, &{
        let mut config = jwt::trust();
        config["bound_issuer"] = json!(stranger);
        config
    });
    world.token(json!({"iss": stranger}));
    let report = world.report();
    assert_eq!((report.code, &report.step("signature")["status"]), (0, &json!("warn")), "{:#}", report.body);
    // An issuer that can't be reached is no fault at all.
    let space = Space::new();
    let report = World::new(&space).report();
    assert_eq!((report.code, &report.step("signature")["status"]), (0, &json!("skip")), "{:#}", report.body);
}

/// A policy lists Vault's addresses, and an issuer is none of them: it may keep its keys elsewhere.
#[test]
fn a_policy_for_vault_does_not_hold_the_issuer() {
    let space = Space::new();
    let mut world = World::new(&space);
    let Some(machine) = Machine::with(&format!("addresses = [\"{}\"]\n", world.addr())) else { return };
    let keys = faults::issuer(jwt::jwks());
    let issuer = Fake::new(move |seen| match seen.target() {
        "/.well-known/openid-configuration" => {
            let address = format!("http://{}", seen.header("host").unwrap());
            Reply::Json(200, json!({"issuer": address, "jwks_uri": format!("{address}/keys")}))
        }
        _ => redirect(&format!("{keys}/keys")),
    });
    trust(&world, &json!({"bound_issuer": issuer.addr, "oidc_discovery_url": issuer.addr}));
    world.token(json!({"iss": issuer.addr}));
    let report = Report::of(&machine.on(world.cmd.clone().args(["--format", "json"])).run());
    assert_eq!((report.code, &report.step("signature")["status"]), (0, &json!("ok")), "{:#}", report.body);
}

#[test]
fn the_mounts_keys_are_asked_at_the_desk() {
    let space = Space::new();
    let world = World::new(&space);
    let issuer = faults::issuer(jwt::jwks());
    let token = jwt::mint(json!({"iss": issuer}));
    let (start, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{start}.{}", signature.chars().rev().collect::<String>());
    for config in [
        json!({"oidc_discovery_url": issuer}),
        json!({"jwks_url": format!("{issuer}/keys")}),
        jwt::trust(),
        json!({"jwt_validation_pubkeys": [EC_KEY]}),
    ] {
        let mut config = config;
        config["bound_issuer"] = json!(issuer);
        trust(&world, &config);
        let foreign = config["jwt_validation_pubkeys"][0] == EC_KEY;
        for (token, good) in [(&token, !foreign), (&forged, false)] {
            let report = super::desk::with_token(&world, token);
            let step = report.step("signature");
            let expected = if good { "ok" } else { "fail" };
            assert_eq!(step["status"], expected, "{config}: {:#}", report.body);
            assert_eq!(report.code, if good { 0 } else { 4 }, "{config}: {:#}", report.body);
            // The server says the same.
            let login = json!({"role": ROLE, "jwt": token});
            let answer = space.server.api("POST", &format!("auth/{}/login", world.jwt.mount), login);
            assert_eq!(answer.status == 200, good, "{config}: {}", answer.body);
        }
    }
}

/// Somebody's P-256 key.
const EC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\n\
    q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n\
    -----END PUBLIC KEY-----\n";

fn trust(world: &World<'_>, config: &Value) {
    world.space.write(&format!("auth/{}/config", world.jwt.mount), config.clone());
}

/// Both sides of each edge: what doctor and a run refuse beforehand is what Vault refuses, and nothing else.
#[test]
fn the_edges_of_a_tokens_life_are_vaults() {
    let space = Space::new();
    let mut world = World::new(&space);
    let login = format!("auth/{}/login", world.jwt.mount);
    for (name, edge, inside) in [("exp", -60, 4), ("nbf", 60, -4), ("iat", 60, -4)] {
        for (offset, good) in [(edge + inside, true), (edge - inside, false)] {
            let now = jiff::Timestamp::now().as_second();
            let mut claims = json!({"exp": now + 600, "nbf": now - 600, "iat": now - 600});
            claims[name] = json!(now + offset);
            let token = jwt::mint(claims);
            let answer = space.server.api("POST", &login, json!({"role": ROLE, "jwt": token}));
            assert_eq!(answer.status == 200, good, "{name} {offset}: {}", answer.body);
            world.env("VAULT_ID_TOKEN", &token);
            let report = world.report();
            assert_eq!(report.code, if good { 0 } else { 3 }, "{name} {offset}: {:#}", report.body);
            // The desk, which knows the role's leeways, says so too.
            let report = super::desk::with_token(&world, &token);
            assert_eq!(report.code, if good { 0 } else { 4 }, "{name} {offset}: {:#}", report.body);
        }
    }
    // With a role of no leeway the same token is refused, and only the role tells.
    world.role(json!({"clock_skew_leeway": -1}));
    let token = jwt::mint(json!({"exp": jiff::Timestamp::now().as_second() - 20}));
    let report = super::desk::with_token(&world, &token);
    let answer = space.server.api("POST", &login, json!({"role": ROLE, "jwt": token}));
    assert_eq!((report.code, answer.status), (4, 400), "{} {:#}", answer.body, report.body);
}
