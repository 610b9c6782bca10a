//! Misconfigurations of a job: the first ✗ names the true cause, and its remedy makes the next run succeed.

use serde_json::{Value, json};

use super::world::{self, ROLE, World};
use crate::support::{Space, bao, jwt};

/// How a case is cured.
enum Cure {
    /// The hint names this variable; it is set to what is right.
    Set(&'static str, fn(&World<'_>) -> String),
    /// The hint names this variable; it is unset.
    Unset(&'static str),
    /// The hint has policy lines: they are written.
    Policy,
    /// The hint has the value that role or mount must have: it is written.
    Role,
    /// The hint says so, and it is done.
    Do(&'static str, fn(&mut World<'_>)),
}

/// What is broken, the step with ✗, what it says, the cure.
type Case = (&'static str, fn(&mut World<'_>), &'static str, &'static str, Cure);

use Cure::{Do, Policy, Role, Set, Unset};

fn addr(_: &World<'_>) -> String {
    bao().addr.clone()
}
fn fresh(_: &World<'_>) -> String {
    jwt::mint(json!({}))
}
fn role_name(_: &World<'_>) -> String {
    ROLE.to_owned()
}
fn mount(world: &World<'_>) -> String {
    world.engine.mount.clone()
}
fn restore(world: &mut World<'_>) {
    let (mount, policy) = (world.jwt.mount.clone(), world.policy.clone());
    world.space.write(&format!("auth/{mount}/config"), jwt::trust());
    world.role(json!({"bound_claims": {}, "token_policies": policy, "token_ttl": "20m", "token_max_ttl": "40m", "token_num_uses": 0,
        "token_bound_cidrs": [], "user_claim": "project_path", "groups_claim": ""}));
}
fn fresh_secret_id(world: &mut World<'_>) {
    let login = world.approle();
    assert!(login.secret_id.is_some());
}

const SERVER: &[Case] = &[
    (
        "no address",
        |w| w.unset("VAULT_ADDR"),
        "configuration",
        "address of Vault is not set",
        Set("VAULT_ADDR", addr),
    ),
    ("no URL", |w| w.env("VAULT_ADDR", "vault"), "configuration", "VAULT_ADDR", Set("VAULT_ADDR", addr)),
    (
        "plain http",
        |w| w.env("VAULT_ADDR", "http://vault.example.com"),
        "configuration",
        "plain http to vault.example.com",
        Do("use https", |w| w.env("VAULT_ADDR", &bao().addr)),
    ),
    (
        "unknown host",
        |w| w.env("VAULT_ADDR", "https://vault.invalid"),
        "dns",
        "vault.invalid is not known",
        Set("VAULT_ADDR", addr),
    ),
    (
        "closed port",
        |w| w.env("VAULT_ADDR", "http://127.0.0.1:1"),
        "tcp",
        "takes no connection",
        Set("VAULT_ADDR", addr),
    ),
    (
        "a web page",
        |w| w.env("VAULT_ADDR", super::faults::web_page()),
        "health",
        "did not answer",
        Set("VAULT_ADDR", addr),
    ),
    (
        "dead proxy",
        |w| {
            w.env("VAULT_ADDR", "https://vault.example.com");
            w.env("HTTPS_PROXY", "http://127.0.0.1:1");
        },
        "tcp",
        "the proxy 127.0.0.1:1 takes no connection",
        Do("HTTPS_PROXY", |w| {
            w.unset("HTTPS_PROXY");
            w.env("VAULT_ADDR", &bao().addr);
        }),
    ),
    (
        "clock",
        |w| w.env("VAULT_ADDR", super::faults::other_time()),
        "clock",
        "clock is 10m",
        Do("set the clock", |w| w.env("VAULT_ADDR", &bao().addr)),
    ),
    (
        "sealed",
        |w| w.env("VAULT_ADDR", super::faults::sealed()),
        "health",
        "is sealed",
        Do("unseal it", |w| w.env("VAULT_ADDR", &bao().addr)),
    ),
    (
        "CA file",
        |w| {
            w.env("VAULT_ADDR", bao().addr.replace("http:", "https:"));
            w.env("VAULT_CACERT", "/nowhere.pem");
        },
        "tls",
        "/nowhere.pem",
        Do("VAULT_CACERT", |w| {
            w.unset("VAULT_CACERT");
            w.env("VAULT_ADDR", &bao().addr);
        }),
    ),
    (
        "no TLS there",
        |w| w.env("VAULT_ADDR", bao().addr.replace("http:", "https:")),
        "tls",
        "can't trust",
        Do("does it speak TLS", |w| w.env("VAULT_ADDR", &bao().addr)),
    ),
    (
        "half a client certificate",
        |w| w.env("VAULT_CLIENT_CERT", "/a.pem"),
        "configuration",
        "client certificate needs both",
        Do("set both, or none", |w| w.unset("VAULT_CLIENT_CERT")),
    ),
    (
        "boolean",
        |w| w.env("VAULT_SKIP_VERIFY", "maybe"),
        "configuration",
        "VAULT_SKIP_VERIFY must be true or false",
        Do("", |w| w.env("VAULT_SKIP_VERIFY", "false")),
    ),
    (
        "namespace",
        |w| w.env("VAULT_NAMESPACE", "nope"),
        "login",
        "namespace not found",
        Unset("VAULT_NAMESPACE"),
    ),
];

const LOGIN: &[Case] = &[
    (
        "no role",
        |w| w.unset("VAULT_AUTH_ROLE"),
        "configuration",
        "the exoscale role is not set",
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    (
        "no login",
        |w| w.unset("VAULT_ID_TOKEN"),
        "configuration",
        "nothing to log in with",
        Set("VAULT_ID_TOKEN", fresh),
    ),
    (
        "two logins",
        |w| w.env("VAULT_ROLE_ID", "r"),
        "configuration",
        "are both set",
        Set("VAULT_AUTH_METHOD", |_| "jwt".to_owned()),
    ),
    (
        "unknown login",
        |w| w.env("VAULT_AUTH_METHOD", "oidc"),
        "configuration",
        "names a login that does not exist",
        Do("jwt", |w| w.env("VAULT_AUTH_METHOD", "jwt")),
    ),
    (
        "no JWT",
        |w| w.env("VAULT_ID_TOKEN", "abc"),
        "id-token",
        "it is not a JWT",
        Do("id_tokens:", |w| w.token(json!({}))),
    ),
    (
        "expired",
        |w| {
            let now = jiff::Timestamp::now().as_second();
            w.token(json!({"exp": now - 900, "nbf": now - 1800, "iat": now - 1800}));
        },
        "id-token",
        "it expired 15m",
        Do("retry it", |w| w.token(json!({}))),
    ),
    (
        "future nbf",
        |w| {
            let now = jiff::Timestamp::now().as_second();
            w.token(json!({"nbf": now + 900}));
        },
        "id-token",
        "not valid for another",
        Do("clock", |w| w.token(json!({}))),
    ),
    (
        "wrong mount",
        |w| w.env("VAULT_AUTH_PATH", "nowhere"),
        "login",
        "permission denied",
        Set("VAULT_AUTH_PATH", |w| w.jwt.mount.clone()),
    ),
    (
        "wrong role",
        |w| {
            w.env("VAULT_AUTH_ROLE", "nobody");
            w.env("CI_CREDS_ROLE", ROLE);
        },
        "login",
        "could not be found",
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    (
        "no default role",
        |w| {
            w.unset("VAULT_AUTH_ROLE");
            w.env("CI_CREDS_ROLE", ROLE);
        },
        "login",
        "missing role",
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    ("audience", |w| w.token(json!({"aud": "https://other.example.com"})), "login", "invalid audience", Role),
    ("no audience bound", |w| w.role(json!({"bound_audiences": []})), "login", "no audiences bound", Role),
    (
        "issuer",
        |w| w.token(json!({"iss": "https://gitlab.other.example.com"})),
        "login",
        "invalid issuer",
        Role,
    ),
    (
        "subject",
        |w| w.role(json!({"bound_subject": "project_path:group/old:ref_type:branch:ref:main"})),
        "login",
        "invalid subject",
        Role,
    ),
    ("bound ref", |w| w.token(json!({"ref": "dev"})), "login", "claim \"ref\" does not match", Role),
    (
        "bound project",
        |w| w.role(json!({"bound_claims": {"project_id": "7"}})),
        "login",
        "claim \"project_id\" does not match",
        Role,
    ),
    (
        "bound number",
        |w| w.role(json!({"bound_claims": {"project_id": 22}})),
        "login",
        "claim \"project_id\" does not match",
        Role,
    ),
    (
        "bound boolean",
        |w| w.role(json!({"bound_claims": {"ref_protected": true}})),
        "login",
        "claim \"ref_protected\" does not match",
        Role,
    ),
    (
        "glob as a string",
        |w| w.role(json!({"bound_claims": {"ref": "ma*"}})),
        "login",
        "claim \"ref\" does not match",
        Role,
    ),
    (
        "bound claim missing",
        |w| w.role(json!({"bound_claims": {"customer": "x"}})),
        "login",
        "claim \"customer\" is missing",
        Do("customer, which this token does not have", restore),
    ),
    (
        "user claim",
        |w| w.role(json!({"user_claim": "email"})),
        "login",
        "claim \"email\" not found",
        Do("user_claim must be a claim", restore),
    ),
    (
        "wrong key",
        |w| {
            let mount = w.jwt.mount.clone();
            w.space.write(&format!("auth/{mount}/config"), super::faults::other_key());
        },
        "login",
        "no known key",
        Do("must use the keys", restore),
    ),
    (
        "addresses",
        |w| w.role(json!({"token_bound_cidrs": ["10.9.8.0/24"]})),
        "login",
        "permission denied",
        Do("address of this runner", restore),
    ),
];

const APPROLE: &[Case] = &[
    (
        "secret_id",
        |w| {
            w.approle();
            w.env("VAULT_SECRET_ID", "wrong");
        },
        "login",
        "invalid role or secret ID",
        Do("VAULT_ROLE_ID", fresh_secret_id),
    ),
    (
        "role_id",
        |w| {
            w.approle();
            w.env("VAULT_ROLE_ID", "wrong");
        },
        "login",
        "invalid role or secret ID",
        Do("VAULT_ROLE_ID is wrong", fresh_secret_id),
    ),
    (
        "no secret_id",
        |w| {
            w.approle();
            w.unset("VAULT_SECRET_ID");
        },
        "login",
        "missing secret_id",
        Do("VAULT_SECRET_ID", fresh_secret_id),
    ),
    (
        "issuing token",
        |w| {
            let login = w.approle();
            w.unset("VAULT_SECRET_ID");
            let policy = w.policy.clone();
            let token = w.space.token(&["default", &policy], json!({}));
            w.env("VAULT_TOKEN", token);
            w.env("VAULT_AUTH_ROLE", &login.role);
        },
        "login",
        "Vault refused to issue a secret_id",
        Policy,
    ),
    (
        "AppRole's name",
        |w| {
            w.approle();
            w.unset("VAULT_SECRET_ID");
            w.env("VAULT_TOKEN", &bao().root_token);
            w.env("VAULT_AUTH_ROLE", "nobody");
            w.env("CI_CREDS_ROLE", ROLE);
        },
        "login",
        "issue a secret_id",
        Set("VAULT_AUTH_ROLE", role_name),
    ),
    (
        "dead token",
        |w| {
            w.env("VAULT_AUTH_METHOD", "token");
            w.env("VAULT_TOKEN", "gone");
        },
        "token",
        "permission denied",
        Set("VAULT_TOKEN", |w| {
            let policy = w.policy.clone();
            w.space.token(&[&policy], json!({}))
        }),
    ),
];

const BEHIND: &[Case] = &[
    (
        "policy",
        |w| {
            let policy = w.policy.clone();
            w.space.server.ok(
                "PUT",
                &format!("sys/policies/acl/{policy}"),
                json!({"policy": "path \"x\" { capabilities = [\"read\"] }"}),
            );
        },
        "policy",
        "may not read",
        Policy,
    ),
    (
        "another mount",
        |w| w.env("CI_CREDS_EXOSCALE_MOUNT", "nowhere"),
        "policy",
        "nowhere/creds",
        Set("CI_CREDS_EXOSCALE_MOUNT", mount),
    ),
    (
        "not mounted",
        |w| {
            let mount = w.engine.mount.clone();
            w.space.server.ok("DELETE", &format!("sys/mounts/{mount}"), Value::Null);
        },
        "engine",
        "no engine is mounted",
        Do("mount it", |w| {
            let mount = w.engine.mount.clone();
            w.space.write(&format!("sys/mounts/{mount}"), json!({"type": "rabbitmq"}));
        }),
    ),
    (
        "engine's role",
        |w| {
            let path = format!("{}/roles/{ROLE}", w.engine.mount);
            w.space.server.ok("DELETE", &path, Value::Null);
            w.flag("--issue");
        },
        "issue",
        "the read of",
        Do("is there a role", |w| w.engine.role(ROLE)),
    ),
    (
        "TTL below the lease",
        |w| {
            w.flag("--issue");
            w.flag("--strict");
            let policy = w.policy.clone();
            w.role(json!({"token_ttl": "3m", "token_max_ttl": "3m", "token_policies": policy}));
        },
        "issue",
        "issued",
        Do("raise token_ttl and token_max_ttl", restore),
    ),
    (
        "uses",
        |w| {
            w.flag("--strict");
            w.role(json!({"token_num_uses": 2}));
        },
        "token",
        "good for",
        Do("set token_num_uses to 0", restore),
    ),
    (
        "min-ttl",
        |w| {
            w.env("CI_CREDS_EXOSCALE_MIN_TTL", "20m");
            w.role(json!({"token_type": "batch", "token_ttl": "15m"}));
        },
        "lifetime",
        "the token ends",
        Do("lower --min-ttl", |w| w.env("CI_CREDS_EXOSCALE_MIN_TTL", "10m")),
    ),
    (
        "static key",
        |w| {
            w.flag("--strict");
            let (mount, policy) = (w.space.kv1("kv"), w.policy.clone());
            w.space.write(&format!("{mount}/creds/{ROLE}"), json!({"username": "u", "password": "p"}));
            let rule = format!(
                "path \"{mount}/creds/{ROLE}\" {{ capabilities = [\"read\"] }}\npath \"{}/creds/{ROLE}\" {{ capabilities = [\"read\"] }}",
                w.engine.mount
            );
            w.space.server.ok("PUT", &format!("sys/policies/acl/{policy}"), json!({"policy": rule}));
            w.env("CI_CREDS_EXOSCALE_MOUNT", mount);
        },
        "engine",
        "type kv",
        Do("would make a new one for each job", |w| {
            let mount = w.engine.mount.clone();
            w.env("CI_CREDS_EXOSCALE_MOUNT", mount);
        }),
    ),
    (
        "output folder",
        |w| w.env("CI_CREDS_OUTPUT", "/nowhere/creds"),
        "output",
        "/nowhere/creds",
        Do("a new or regular file", |w| w.unset("CI_CREDS_OUTPUT")),
    ),
    (
        "trace",
        |w| w.env("CI_DEBUG_TRACE", "true"),
        "output",
        "CI_DEBUG_TRACE",
        Do("--show", |w| w.env("CI_CREDS_SHOW", "true")),
    ),
];

#[track_caller]
fn all(cases: &[Case]) {
    for (name, break_it, step, says, cure) in cases {
        let space = Space::new();
        let mut world = World::new(&space);
        break_it(&mut world);
        let strict = ["TTL below the lease", "uses", "static key"].contains(name);
        let broken = world.report();
        let first =
            broken.first(strict).unwrap_or_else(|| panic!("{name}: nothing is wrong: {:#}", broken.body));
        let told = format!("{name}: {:#}", broken.body);
        assert_eq!(first["id"], *step, "{told}");
        assert!(first["seen"].as_str().unwrap().contains(says), "{told}");
        assert!([3, 4, 5, 6].contains(&broken.code), "{told}");
        let hint = first["hint"].as_str().unwrap_or_default().to_owned();
        match cure {
            Set(variable, value) => {
                assert!(hint.contains(variable), "{told}");
                let value = value(&world);
                world.env(variable, value);
            }
            Unset(variable) => {
                assert!(hint.contains(variable), "{told}");
                world.unset(variable);
            }
            Policy => world::policy(&mut world, &hint),
            Role => world::role(&mut world, &hint),
            Do(text, cure) => {
                assert!(hint.contains(text), "{told}");
                cure(&mut world);
            }
        }
        let cured = world.report();
        assert!(
            cured.first(false).is_none(),
            "{name}: not cured: {:#}\nbefore: {:#}",
            cured.body,
            broken.body
        );
        assert!(
            !strict || cured.first(true).is_none_or(|step| step["id"] != first["id"]),
            "{name}: {:#}",
            cured.body
        );
    }
}

#[test]
fn faults_of_the_way_to_vault() {
    all(SERVER);
}

#[test]
fn faults_of_the_jwt_login() {
    all(LOGIN);
}

#[test]
fn faults_of_approles_and_tokens() {
    all(APPROLE);
}

#[test]
fn faults_behind_the_login() {
    all(BEHIND);
}
