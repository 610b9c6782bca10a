//! Pairs of a role and claims, made so that about half of them fit: a role is written for its claims, and now and then
//! something is wrong with it.

use serde_json::{Map, Value, json};

use crate::support::jwt;

/// xorshift: the same pairs on every machine.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }

    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    pub fn of(&mut self, values: &[Value]) -> Value {
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

/// Rules that dice rarely roll: a claim, what the role has for it, and how it compares.
pub fn corners() -> Vec<(Value, Value)> {
    let corners = [
        ("string", "list", json!([22]), json!(22)),
        ("string", "list", json!(["22"]), json!(["7", "22"])),
        ("string", "list", json!([]), json!("22")),
        ("string", "x", json!(22.7), json!(22)),
        ("string", "x", json!(-22.7), json!(-22)),
        ("string", "x", json!(22), json!(22.7)),
        ("string", "x", json!(22), json!("22")),
        ("string", "x", json!(true), json!("true")),
        ("string", "x", json!(true), json!(true)),
        ("string", "x", json!(1e15), json!(1e15)),
        ("string", "x", json!(""), json!("")),
        ("string", "x", json!("a"), json!([])),
        ("string", "x", json!("a"), json!(["*", "A"])),
        ("string", "x", json!({"a": 1}), json!("a")),
        ("string", "/list/1", json!(["a", "b"]), json!("b")),
        ("string", "/list/2", json!(["a", "b"]), json!("b")),
        ("string", "/list/-1", json!(["a", "b"]), json!("b")),
        ("glob", "x", json!(22), json!("*")),
        ("glob", "x", json!(""), json!("*")),
        ("glob", "list", json!(["a", "web-prod"]), json!(["b", "*-prod"])),
        ("glob", "x", json!("a/b/c"), json!("a/*")),
        ("glob", "x", json!("aba"), json!("a*b*a")),
        ("glob", "x", json!("ab"), json!("a*b*b")),
        ("glob", "x", json!("a"), json!(1)),
    ];
    let pair = |(kind, name, has, wants): (&str, &str, Value, Value)| {
        let mut claims = jwt::claims();
        claims[name.trim_start_matches('/').split('/').next().unwrap()] = has;
        let role = json!({"role_type": "jwt", "user_claim": "project_path", "bound_audiences": [jwt::AUDIENCE],
            "bound_claims_type": kind, "bound_claims": {name: wants}});
        (claims, role)
    };
    corners.into_iter().map(pair).collect()
}

/// Claims as GitLab writes them, with values of every kind under names that roles are bound to.
pub fn claims(dice: &mut Dice) -> Value {
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
    if dice.one_in(25) {
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
        ("exp", [-700, -100, -40, 40, 300, 300]),
        ("nbf", [-700, -200, -100, 40, 40, 100]),
        ("iat", [-700, -200, -40, 40, 40, 100]),
    ] {
        claims[name] = match dice.roll(10) {
            sides @ 0..6 => json!(now + offsets[sides]),
            6 => json!(null),
            _ => continue,
        };
    }
}

/// A role for these claims.
pub fn role(dice: &mut Dice, claims: &Value) -> Value {
    let globs = dice.one_in(3);
    let mut bound = Map::new();
    for _ in 0..dice.roll(4) {
        let name = NAMES[dice.roll(NAMES.len())];
        let own = own(claims, name);
        if own.is_some() || dice.one_in(5) {
            bound.insert(name.to_owned(), wanted(dice, own, globs));
        }
    }
    let mut role = json!({
        "role_type": "jwt", "bound_claims": bound, "bound_audiences": audiences(dice, claims),
        "bound_claims_type": if globs { "glob" } else { "string" },
        "user_claim": "project_path", "user_claim_json_pointer": dice.one_in(3),
    });
    if dice.one_in(6) {
        role["user_claim"] =
            dice.of(&[json!("user_login"), json!("x"), json!("sub"), json!("/x/b/0"), json!("runner_id")]);
    }
    for name in ["clock_skew_leeway", "expiration_leeway", "not_before_leeway"] {
        role[name] = dice.of(&[json!(0), json!(0), json!(-1), json!(10), json!(250)]);
    }
    if dice.one_in(4) {
        let sub = claims["sub"].as_str().filter(|_| !dice.one_in(5)).unwrap_or("else");
        role["bound_subject"] = json!(sub);
    }
    if dice.one_in(4) {
        let name = if dice.one_in(3) { NAMES[dice.roll(NAMES.len())] } else { "pipeline_source" };
        // A mapped aud is the one demand that doctor leaves open: servers differ in it.
        let name = if name == "aud" { "sub" } else { name };
        role["claim_mappings"] = json!({name: "meta", "user_login": "login"});
    }
    if dice.one_in(12) {
        role["groups_claim"] =
            dice.of(&[json!("list"), json!("groups_direct"), json!("x"), json!("/list/0"), json!("ref")]);
    }
    role
}

/// What the token has under a name or a pointer.
fn own<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.pointer(name).filter(|_| name.starts_with('/')).or_else(|| claims.get(name))
}

/// What a role may be bound to: mostly the claim's own value, or a list with it, or a glob of it.
fn wanted(dice: &mut Dice, own: Option<&Value>, globs: bool) -> Value {
    let item = match own {
        Some(Value::Array(list)) if !list.is_empty() => Some(list[dice.roll(list.len())].clone()),
        Some(Value::Object(_)) | None => None,
        Some(value) => Some(value.clone()),
    };
    let Some(item) = item.filter(|_| !dice.one_in(8)) else { return value(dice) };
    let item = match item {
        Value::String(text) if globs && dice.one_in(2) => {
            let cut = text.char_indices().nth(dice.roll(text.chars().count().max(1))).map_or(0, |(at, _)| at);
            let (start, end) = text.split_at(cut);
            json!(if dice.one_in(2) { format!("{start}*") } else { format!("*{end}") })
        }
        other => other,
    };
    if dice.one_in(4) { json!([value(dice), item]) } else { item }
}

fn audiences(dice: &mut Dice, claims: &Value) -> Value {
    let own = match &claims["aud"] {
        Value::Array(list) => list.first().cloned(),
        Value::String(aud) => Some(json!(aud)),
        _ => None,
    };
    match own.filter(|_| !dice.one_in(10)) {
        Some(own) => json!(if dice.one_in(3) { vec![json!("no"), own] } else { vec![own] }),
        None => dice.of(&[json!([]), json!([]), json!(["no"])]),
    }
}
