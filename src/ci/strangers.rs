//! Jobs that are not meant: what an ID token would say of them. They are held against a role before it is trusted.

use serde_json::{Map, Value, json};

/// A job, by the claims of its ID token.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Who it is, for people.
    pub name: &'static str,
    /// What its token says.
    pub claims: Map<String, Value>,
}

/// The claims of a push to a protected branch, as GitLab writes them, with these in their place.
pub(crate) fn a_job(own: &Map<String, Value>) -> Map<String, Value> {
    let mut claims = object(json!({
        "project_id": "22", "project_path": "group/project", "namespace_id": "72", "namespace_path": "group",
        "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
        "pipeline_id": "1212", "pipeline_source": "push", "job_id": "4242", "user_login": "alice",
        "environment": "production", "environment_protected": "true", "deployment_tier": "production",
        "project_visibility": "private", "runner_environment": "self-hosted",
        "sub": "project_path:group/project:ref_type:branch:ref:main",
    }));
    claims.extend(own.clone());
    claims
}

/// What an outsider, or a colleague, can run that is like the job with these claims, and is not the job.
pub(crate) fn strangers(job: &Map<String, Value>) -> Vec<Stranger> {
    let like = |name, changes: Value| {
        let mut claims = job.clone();
        claims.extend(object(changes));
        Stranger { name, claims }
    };
    let feature = json!({"ref": "ci-creds-stranger", "ref_path": "refs/heads/ci-creds-stranger",
        "ref_type": "branch", "ref_protected": "false", "environment_protected": "false"});
    let merge_request = json!({"pipeline_source": "merge_request_event", "ref_protected": "false"});
    let mut all = vec![
        like(
            "a fork of the project",
            json!({"project_id": "999000111", "project_path": "ci-creds-stranger/project", "namespace_id": "999000222",
                "namespace_path": "ci-creds-stranger", "sub": "project_path:ci-creds-stranger/project:ref_type:branch:ref:main"}),
        ),
        like(
            "another project of the group",
            json!({"project_id": "999000333", "project_path": format!("{}/ci-creds-stranger", text(job, "namespace_path")),
                "sub": "project_path:group/ci-creds-stranger:ref_type:branch:ref:main"}),
        ),
        like("a feature branch", feature),
        // Its branch may have the name of a protected one of the project.
        like("a merge request's pipeline", merge_request),
        like("another GitLab", json!({"iss": "https://stranger.example.com"})),
        like("another audience", json!({"aud": "https://stranger.example.com"})),
    ];
    let registered = ["iss", "sub", "aud", "iat", "nbf", "exp"];
    let bare = job.iter().filter(|(name, _)| registered.contains(&name.as_str()));
    let claims = bare.map(|(name, value)| (name.clone(), value.clone())).collect();
    all.push(Stranger { name: "a token without the job's claims", claims });
    all
}

fn text<'a>(job: &'a Map<String, Value>, name: &str) -> &'a str {
    job.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
