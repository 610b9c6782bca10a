//! The evaluation of a role without the server agrees with the server: same verdict, and the claim that the server
//! names is among those that doctor names.

use std::sync::LazyLock;

use ci_creds::claims::Claims;
use ci_creds::claims::change::change;
use ci_creds::claims::demands::{self, Extent, Row, Verdict};
use ci_creds::claims::role::Role;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::support::{Space, jwt};

const PAIRS: usize = if cfg!(feature = "soak") { 2_000 } else { 200 };

/// xorshift: the same pairs on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn of(&mut self, values: &[Value]) -> Value {
        values[self.roll(values.len())].clone()
    }
}

/// Values that a claim or a bound claim may have: alike, and of every type.
fn value(dice: &mut Dice) -> Value {
    dice.of(&[
        json!("22"),
        json!(22),
        json!(22.7),
        json!(0),
        json!("true"),
        json!(true),
        json!(false),
        json!("main"),
        json!("Main"),
        json!("feature/a"),
        json!("feature/*"),
        json!("*"),
        json!("m*n"),
        json!("*-prod"),
        json!("web-prod"),
        json!("a*a"),
        json!("a"),
        json!(""),
        json!(["22", "main"]),
        json!([22, true, "feature/a"]),
        json!([]),
        json!(["feature/*", "*-prod"]),
        json!({"b": ["x", {"c/d": "deep", "n": 7}], "~": "tilde"}),
        json!(null),
    ])
}

const NAMES: &[&str] = &[
    "ref",
    "project_id",
    "runner_id",
    "x",
    "list",
    "/x/b/0",
    "/x/b/1/c~1d",
    "/x/~0",
    "/x/b/1/n",
    "/list/0",
    "aud",
    "sub",
    "ref_protected",
];

fn claims(dice: &mut Dice) -> Value {
    let mut claims = jwt::claims();
    for name in ["ref", "project_id", "runner_id", "ref_protected", "x", "list", "groups_direct"] {
        if dice.one_in(4) {
            claims[name] = value(dice);
        }
    }
    if dice.one_in(3) {
        claims["x"] = json!({"b": ["x", {"c/d": "deep", "n": 7}], "~": "tilde"});
    }
    if dice.one_in(4) {
        claims["aud"] = dice.of(&[
            json!([jwt::AUDIENCE, "other"]),
            json!(["other"]),
            json!(null),
            json!([]),
            json!("other"),
        ]);
    }
    if dice.one_in(12) {
        let name = ["sub", "iss", "user_login"][dice.roll(3)];
        claims[name] = dice.of(&[json!("else"), json!(7), json!(null)]);
    }
    times(dice, &mut claims);
    let map = claims.as_object_mut().unwrap();
    map.retain(|_, value| !value.is_null());
    claims
}

/// Times around every leeway, and never within seconds of one.
fn times(dice: &mut Dice, claims: &mut Value) {
    let now = claims["iat"].as_i64().unwrap();
    if !dice.one_in(4) {
        return;
    }
    for (name, offsets) in [
        ("exp", [-700, -400, -100, -40, 0, 300]),
        ("nbf", [-700, -100, 0, 40, 100, 400]),
        ("iat", [-700, -200, 0, 40, 100, 400]),
    ] {
        claims[name] = match dice.roll(8) {
            sides @ 0..6 if offsets[sides] != 0 => json!(now + offsets[sides]),
            6 => json!(null),
            _ => continue,
        };
    }
}

fn role(dice: &mut Dice, claims: &Value) -> Value {
    let mut bound = Map::new();
    for _ in 0..dice.roll(3) {
        let name = NAMES[dice.roll(NAMES.len())];
        let own = claims.pointer(name).or_else(|| claims.get(name)).filter(|_| !dice.one_in(5)).cloned();
        let mut wanted = own.filter(|value| !value.is_object()).unwrap_or_else(|| value(dice));
        if dice.one_in(4) {
            wanted = json!([value(dice), wanted]);
        }
        bound.insert(name.to_owned(), wanted);
    }
    let audiences = dice.of(&[
        json!([jwt::AUDIENCE]),
        json!([jwt::AUDIENCE]),
        json!(["no", jwt::AUDIENCE]),
        json!(["no"]),
        json!([]),
    ]);
    let sub = &claims["sub"];
    let leeway = |dice: &mut Dice| dice.of(&[json!(0), json!(0), json!(-1), json!(10), json!(250)]);
    let mut role = json!({
        "role_type": "jwt", "bound_claims": bound, "bound_audiences": audiences,
        "user_claim": dice.of(&[json!("project_path"), json!("user_login"), json!("x"), json!("sub"), json!("/x/b/0"), json!("project_path"), json!("runner_id")]),
        "user_claim_json_pointer": dice.one_in(3),
        "bound_claims_type": dice.of(&[json!("string"), json!("string"), json!("glob")]),
        "clock_skew_leeway": leeway(dice), "expiration_leeway": leeway(dice), "not_before_leeway": leeway(dice),
    });
    if dice.one_in(4) {
        role["bound_subject"] = dice.of(&[sub.as_str().map_or(json!(""), |sub| json!(sub)), json!("else")]);
    }
    if dice.one_in(4) {
        role["claim_mappings"] = json!({NAMES[dice.roll(10)]: "meta", "user_login": "login"});
    }
    if dice.one_in(12) {
        role["groups_claim"] =
            dice.of(&[json!("list"), json!("groups_direct"), json!("x"), json!("/list/0")]);
    }
    role
}

/// The claim in any of the server's texts.
fn named(text: &str) -> Option<&str> {
    static TEXTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"claim "([^"]+)"|claim '([^']+)'|\((\w+)\) claim|^"([^"]+)" claim"#).unwrap()
    });
    TEXTS.captures(text)?.iter().skip(1).flatten().next().map(|found| found.as_str())
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
    let (mut pairs, mut accepted, mut rejected_roles) = (0, 0, 0);
    while pairs < PAIRS {
        let claims = claims(&mut dice);
        let written = role(&mut dice, &claims);
        let path = format!("auth/{mount}/role/r{pairs}");
        if space.server.api("POST", &path, written.clone()).status >= 300 {
            rejected_roles += 1;
            continue;
        }
        pairs += 1;
        let read = space.server.ok("GET", &path, Value::Null);
        let token = jwt::sign(&claims);
        let body = json!({"role": path.rsplit('/').next(), "jwt": token});
        let answer = space.server.api("POST", &format!("auth/{mount}/login"), body);
        let role = Role { role: read["data"].as_object().unwrap().clone(), config: config.clone() };
        let parsed = Claims::of(&token.as_str().into()).unwrap();
        let rows = demands::evaluate(&role, &parsed, Extent::Whole, jiff::Timestamp::now());
        let (server, ours) = (answer.status == 200, unmet(&rows));
        let told =
            format!("pair {pairs}\nrole {written}\nclaims {claims}\nserver {}\ndoctor {ours:?}", answer.body);
        assert_eq!(server, ours.is_empty(), "{told}");
        let text = answer.body["errors"][0].as_str().unwrap_or_default();
        if let Some(claim) = named(text) {
            assert!(ours.contains(&claim), "{claim} is not named\n{told}");
        }
        accepted += usize::from(server);
        if !server {
            opens(&space, &path, &role, &parsed, &rows, &token, &told);
        }
    }
    crate::support::say(&format!("{pairs} pairs, {accepted} accepted, {rejected_roles} roles not written"));
    assert!(
        accepted * 20 > pairs && accepted * 4 < pairs * 3,
        "the pairs are lopsided: {accepted} of {pairs}"
    );
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
