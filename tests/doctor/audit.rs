//! `doctor --audit`: the roles of a mount against jobs that they are not for, and Vault's own verdict on each.

use ci_creds::testing::claims::entry::jobs;
use ci_creds::testing::claims::role::Role;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::jwt::{self, Jwt};
use crate::support::{Cmd, Space};

const TIGHT: &str = "tight";

/// Roles of all kinds, the tightest first.
fn roles(jwt: &Jwt<'_>) -> Vec<&'static str> {
    let main = json!({"project_id": "22", "ref": "main", "ref_type": "branch", "ref_protected": "true"});
    let roles = [
        (TIGHT, json!({"bound_claims": main, "token_policies": "web", "token_ttl": "15m"})),
        (
            "path-glob",
            json!({"bound_claims": {"project_path": "group/*", "ref_protected": "true"}, "bound_claims_type": "glob"}),
        ),
        (
            "path-start",
            json!({"bound_claims": {"project_path": "group/p*", "ref_protected": "true"}, "bound_claims_type": "glob"}),
        ),
        (
            "path-end",
            json!({"bound_claims": {"project_path": "*/app", "ref_protected": "true"}, "bound_claims_type": "glob"}),
        ),
        (
            "id-start",
            json!({"bound_claims": {"project_id": ["7", "2*"], "ref_protected": "true"}, "bound_claims_type": "glob"}),
        ),
        (
            "subject-glob",
            json!({"bound_claims": {"sub": "project_path:group/*:ref_type:branch:ref:main", "ref_protected": "true"},
                "bound_claims_type": "glob"}),
        ),
        (
            "no-project",
            json!({"bound_claims": {"ref": "main", "ref_protected": "true"}, "token_policies": "admin"}),
        ),
        ("no-protection", json!({"bound_claims": {"project_id": "22", "ref": "main"}})),
        (
            "project",
            json!({"bound_claims": {"project_id": "22"}, "token_policies": ["web", "db"], "token_ttl": "8h"}),
        ),
        ("several", json!({"bound_claims": {"project_id": ["22", "23"], "ref_protected": ["true"]}})),
        ("number", json!({"bound_claims": {"project_id": 22}})),
        ("subject", json!({"bound_subject": "project_path:group/project:ref_type:branch:ref:main"})),
        ("glob-of-all", json!({"bound_claims": {"ref": "*"}, "bound_claims_type": "glob"})),
        ("source", json!({"bound_claims": {"project_id": "22", "pipeline_source": ["push", "web"]}})),
        ("nothing", json!({"token_ttl": "1h"})),
        ("narrow", json!({"bound_claims": main, "token_bound_cidrs": ["127.0.0.0/8"]})),
    ];
    for (name, params) in &roles {
        jwt.role(name, params.clone());
    }
    roles.map(|(name, _)| name).to_vec()
}

fn audit(space: &Space<'_>, jwt: &Jwt<'_>, more: &[&str]) -> Cmd {
    let mount = format!("auth/{}", jwt.mount);
    Cmd::new(["doctor", "--audit", &mount])
        .args(more)
        .vault(space.server)
        .env("VAULT_TOKEN", &space.server.root_token)
}

#[test]
fn each_verdict_is_vaults_own() {
    let space = Space::new();
    for bound in [true, false] {
        let jwt = space.jwt();
        let mut config = jwt::trust();
        if !bound {
            config["bound_issuer"] = json!("");
        }
        space.write(&format!("auth/{}/config", jwt.mount), config);
        let names = roles(&jwt);
        let run = audit(&space, &jwt, &["--format", "json"]).run().expect(0);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let read = |path: String| space.ok("GET", &path, Value::Null)["data"].as_object().unwrap().clone();
        let (mut count, mut beside) = (0, 0);
        for found in report["roles"].as_array().unwrap() {
            let name = found["role"].as_str().unwrap();
            let role = read(format!("auth/{}/role/{name}", jwt.mount));
            let role = Role { role, config: read(format!("auth/{}/config", jwt.mount)) };
            for (job, told) in
                jobs(&role, Timestamp::now()).into_iter().zip(found["jobs"].as_array().unwrap())
            {
                assert_eq!(told["job"], job.name);
                let body = json!({"role": name, "jwt": jwt::sign(&Value::Object(job.claims))});
                let reply = space.server.api_as("", "POST", &format!("auth/{}/login", jwt.mount), body);
                assert_eq!(
                    told["enters"],
                    json!(reply.status == 200),
                    "{name}: {}: {}",
                    job.name,
                    reply.body
                );
                count += 1;
                if job.name == "another project that a * stands for" {
                    assert_eq!(told["enters"], json!(true), "{name}");
                    beside += 1;
                }
            }
        }
        assert_eq!(report["roles"].as_array().unwrap().len(), names.len());
        assert_eq!((count, beside), (names.len() * 8 + 5, 5));
    }
}

#[test]
fn the_report_says_who_gets_in_and_what_keeps_them_out() {
    let space = Space::new();
    let jwt = space.jwt();
    jwt.role(
        TIGHT,
        json!({"bound_claims": {"project_id": "22", "ref": "main", "ref_protected": "true"},
        "token_policies": "web", "token_ttl": "15m"}),
    );
    let run = audit(&space, &jwt, &["--strict"]).run().expect(0);
    assert!(run.stdout.contains("tight keeps out all of them"), "{run}");
    assert!(run.stdout.contains("policies web; token TTL 15m"), "{run}");
    assert!(run.stdout.contains("All is well."), "{run}");
    jwt.role(
        "wide",
        json!({"bound_claims": {"ref": "main"}, "token_policies": ["web", "db"], "token_ttl": "8h"}),
    );
    let run = audit(&space, &jwt, &[]).run().expect(0);
    for says in [
        "wide lets in a fork of the project",
        "a merge request's pipeline",
        "policies web, db; token TTL 8h",
        "bind project_id",
    ] {
        assert!(run.stdout.replace("\n                 ", " ").contains(says), "{says}\n{run}");
    }
    let run = audit(&space, &jwt, &["--strict"]).run().expect(4);
    assert!(run.stderr.contains("doctor found one fault: role: wide lets in"), "{run}");
    let run = audit(&space, &jwt, &["--strict", "--format", "json"]).run().expect(4);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["code"], &report["roles"][1]["token_ttl_seconds"]), (&json!(4), &json!(28800)));
    assert_eq!(
        report["roles"][0]["jobs"][0],
        json!({"job": "the job that it is for", "enters": true, "kept_out_by": []})
    );
}

/// What opens more than it must, with no stranger at the door: each of it is told, and fails --strict.
#[test]
fn what_lives_or_reaches_too_far_is_told() {
    let space = Space::new();
    let jwt = space.jwt();
    let main = json!({"project_id": "22", "ref": "main", "ref_type": "branch", "ref_protected": "true"});
    for (more, says) in [
        (json!({"token_period": "24h"}), "token_period is 24h: its token can be renewed for ever"),
        (json!({"expiration_leeway": "1h"}), "expiration_leeway is 1h: an ID token is good for that long"),
        (json!({"not_before_leeway": "1h"}), "not_before_leeway is 1h"),
        (json!({"clock_skew_leeway": "10m"}), "clock_skew_leeway is 10m"),
        (
            json!({"bound_audiences": [jwt::AUDIENCE, "https://other.example.com"]}),
            "2 audiences are bound: an ID token for any of https://vault.example.com, https://other.example.com",
        ),
    ] {
        let mut params = json!({"bound_claims": main, "token_ttl": "15m", "token_period": 0, "expiration_leeway": 0,
            "not_before_leeway": 0, "clock_skew_leeway": 0, "bound_audiences": [jwt::AUDIENCE]});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jwt.role(TIGHT, params);
        let run = audit(&space, &jwt, &[]).run().expect(0);
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(says) && text.contains("tight keeps out all of them"), "{says}\n{run}");
        audit(&space, &jwt, &["--strict"]).run().expect(4);
        let run = audit(&space, &jwt, &["--format", "json"]).run().expect(0);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let found = report["roles"][0]["findings"].as_array().unwrap();
        assert!(
            found.len() == 1 && found[0].as_str().unwrap().starts_with(says.split(':').next().unwrap()),
            "{run}"
        );
    }
    // People's logins are told as what they are.
    let oidc = json!({"role_type": "oidc", "user_claim": "sub", "allowed_redirect_uris": ["http://localhost:8250/oidc/callback"]});
    space.write(&format!("auth/{}/role/people", jwt.mount), oidc);
    let run = audit(&space, &jwt, &[]).run().expect(0);
    let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("people is of role_type oidc: it takes no ID token of a job"), "{run}");
    assert!(text.contains("who may log in by a browser with the role people"), "{run}");
}

#[test]
fn what_can_not_be_audited_is_said() {
    let space = Space::new();
    let jwt = space.jwt();
    assert!(audit(&space, &jwt, &[]).run().expect(0).stdout.contains("there is no role at auth/"));
    jwt.role(TIGHT, json!({"bound_claims": {"project_id": "22"}}));
    let token = space.token(&["default"], json!({}));
    let run = audit(&space, &jwt, &[]).env("VAULT_TOKEN", &token).run().expect(4);
    assert!(run.stdout.contains("this VAULT_TOKEN may not list auth/"), "{run}");
    // Without the mount's configuration the issuer is not known.
    let rules = format!(
        "path \"auth/{0}/role\" {{ capabilities = [\"list\"] }} path \"auth/{0}/role/*\" {{ capabilities = [\"read\"] }}",
        jwt.mount
    );
    let token = space.token(&[&space.policy(&rules)], json!({}));
    let run = audit(&space, &jwt, &[]).env("VAULT_TOKEN", &token).run().expect(0);
    assert!(run.stdout.contains("config, for bound_issuer"), "{run}");
    // An AppRole mount has roles of another kind; a mount that is none, and words that are no mount.
    let approle = space.approle("ci", json!({}));
    let other = |mount: &str| {
        Cmd::new(["doctor", "--audit", mount])
            .vault(space.server)
            .env("VAULT_TOKEN", &space.server.root_token)
            .run()
    };
    assert!(other(&approle.mount).expect(0).stdout.contains("ci is no JWT role"));
    other("auth/nowhere").expect(4);
    other("auth//x").expect(2);
}
