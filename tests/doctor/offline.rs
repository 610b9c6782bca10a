//! The evaluation of a role without the server agrees with the server: same verdict, and the claim that the server
//! names is among those that doctor names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ci_creds::testing::claims::Claims;
use ci_creds::testing::claims::change::change;
use ci_creds::testing::claims::demands::{self, Extent, Row, Verdict};
use ci_creds::testing::claims::role::Role;
use regex::Regex;
use serde_json::{Value, json};

use super::pairs::{self, Dice};
use crate::support::{Space, jwt};

const PAIRS: usize = if cfg!(feature = "soak") { 2_000 } else { 200 };

/// The claim in any of the server's texts; nothing where it names none.
fn named(text: &str) -> Option<&str> {
    static TEXTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"claim "([^"]+)"|claim '([^']+)'|\((\w+)\) claim|"([^"]+)" claim|field Claims\.(\w+) of"#,
        )
        .unwrap()
    });
    const NAMELESS: &[&str] = &[
        "is not a string, bool, int or list",
        "in groups claim could not be parsed as string",
        "missing name in alias",
    ];
    if text.contains("no audiences bound") {
        return Some("aud");
    }
    let found = TEXTS.captures(text).and_then(|found| found.iter().skip(1).flatten().next());
    assert!(found.is_some() || NAMELESS.iter().any(|part| text.contains(part)), "which claim? {text}");
    found.map(|found| found.as_str())
}

fn unmet(rows: &[Row]) -> Vec<&str> {
    rows.iter().filter(|row| row.verdict == Verdict::Unmet).map(|row| row.claim.as_str()).collect()
}

#[test]
fn doctor_judges_as_the_server_does() {
    let space = Space::new();
    let mount = space.jwt().mount;
    let config = space.server.ok("GET", &format!("auth/{mount}/config"), Value::Null);
    let config = config["data"].as_object().unwrap().clone();
    let mut dice = Dice(0x5eed_0009);
    let mut corners = pairs::corners().into_iter();
    let (mut count, mut accepted, mut not_written) = (0, 0, 0);
    // How often the server's claim was to be found under each of the role's fields.
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    while count < PAIRS {
        let (claims, written) = corners.next().unwrap_or_else(|| {
            let claims = pairs::claims(&mut dice);
            let role = pairs::role(&mut dice, &claims);
            (claims, role)
        });
        let path = format!("auth/{mount}/role/r{count}");
        if space.server.api("POST", &path, written.clone()).status >= 300 {
            not_written += 1;
            continue;
        }
        count += 1;
        let read = space.server.ok("GET", &path, Value::Null);
        let token = jwt::sign(&claims);
        let body = json!({"role": path.rsplit('/').next(), "jwt": token});
        let answer = space.server.api("POST", &format!("auth/{mount}/login"), body);
        let role = Role { role: read["data"].as_object().unwrap().clone(), config: config.clone() };
        let parsed = Claims::of(&token.as_str().into()).unwrap();
        let rows = demands::evaluate(&role, &parsed, Extent::Whole, jiff::Timestamp::now());
        let (server, ours) = (answer.status == 200, unmet(&rows));
        let told =
            format!("pair {count}\nrole {written}\nclaims {claims}\nserver {}\ndoctor {ours:?}", answer.body);
        assert_eq!(server, ours.is_empty(), "{told}");
        accepted += usize::from(server);
        if !server {
            if let Some(claim) = named(answer.body["errors"][0].as_str().unwrap_or_default()) {
                let row = rows.iter().find(|row| row.verdict == Verdict::Unmet && row.claim == claim);
                let row = row.unwrap_or_else(|| panic!("{claim} is not named\n{told}"));
                *kinds.entry(row.field).or_default() += 1;
            }
            opens(&space, &path, &role, &parsed, &rows, &token, &told);
        }
    }
    crate::support::say(&format!(
        "{count} pairs, {accepted} accepted, {not_written} roles not written: {kinds:?}"
    ));
    assert!(
        accepted * 4 >= count && accepted * 4 <= count * 3,
        "the pairs are lopsided: {accepted} of {count}"
    );
    let fields = [
        "bound_audiences",
        "bound_claims",
        "bound_subject",
        "claim_mappings",
        "groups_claim",
        "times",
        "user_claim",
    ];
    assert!(fields.iter().all(|field| kinds.contains_key(field)), "not every demand was refused: {kinds:?}");
}

/// The change that doctor prints lets the token in, unless its times or its issuer stand against it.
fn opens(space: &Space<'_>, path: &str, role: &Role, claims: &Claims, rows: &[Row], token: &str, told: &str) {
    let beyond = ["times", "bound_issuer"];
    if rows.iter().any(|row| row.verdict == Verdict::Unmet && beyond.contains(&row.field)) {
        return;
    }
    if rows.iter().any(|row| row.why.as_deref().is_some_and(|why| why.contains("must be a string")))
        && unmet(rows).iter().any(|claim| ["sub", "iss", "aud"].contains(claim))
    {
        return;
    }
    let change = change(role, claims, rows);
    let written = space.server.api("POST", path, Value::Object(change.role.clone()));
    assert!(written.status < 300, "{} {:?}\n{told}", written.body, change.role);
    let (mount, name) = path.rsplit_once("/role/").unwrap();
    let answer = space.server.api("POST", &format!("{mount}/login"), json!({"role": name, "jwt": token}));
    assert_eq!(answer.status, 200, "after {:?}: {}\n{told}", change.role, answer.body);
}
