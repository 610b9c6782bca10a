//! Jobs that a role is not for, as claims of their ID tokens, with which a role is tested. It must not talk to Vault.

use serde_json::{Map, Value, json};

/// The [`Stranger`] of the same group.
pub(crate) const OF_THE_GROUP: &str = "another project of the group";
/// The [`Stranger`] for whom a `*` stands as well.
pub(crate) const BESIDE: &str = "another project that a * stands for";

/// A job, by the claims of its ID token.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Its description in messages.
    pub name: &'static str,
    /// What its token says.
    pub claims: Map<String, Value>,
    /// What keeps it out of a role.
    pub remedy: &'static str,
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

/// Jobs that an outsider or a colleague can run, and whose claims are like those of `job`.
pub(crate) fn strangers(job: &Map<String, Value>) -> Vec<Stranger> {
    let like = |name, changes: Value, remedy| {
        let mut claims = job.clone();
        claims.extend(object(changes));
        let part = |name| text(&claims, name);
        let (project, kind, reference) = (part("project_path"), part("ref_type"), part("ref"));
        // A sub for the same project and ref stays as the job has it, because a role may be bound to another form of
        // it.
        if ["project_path", "ref_type", "ref"].iter().any(|name| claims.get(*name) != job.get(*name)) {
            let sub = format!("project_path:{project}:ref_type:{kind}:ref:{reference}");
            claims.insert("sub".to_owned(), json!(sub));
        }
        Stranger { name, claims, remedy }
    };
    let group = text(job, "project_path").rsplit_once('/').map_or("", |(group, _)| group).to_owned();
    let project = "bind project_id in bound_claims: its number is the project's alone";
    let guarded = "bind ref_protected: \"true\" in bound_claims, with the ref where one is meant";
    let mut all = vec![
        like(
            "a fork of the project",
            json!({"project_id": "999000111", "project_path": "ci-creds-stranger/project", "namespace_id": "999000222",
                "namespace_path": "ci-creds-stranger"}),
            project,
        ),
        like(
            OF_THE_GROUP,
            json!({"project_id": "999000333", "project_path": format!("{group}/ci-creds-stranger")}),
            project,
        ),
        like(
            "a feature branch",
            json!({"ref": "ci-creds-stranger", "ref_path": "refs/heads/ci-creds-stranger", "ref_type": "branch",
                "ref_protected": "false", "environment_protected": "false"}),
            guarded,
        ),
        // Its branch may have the name of a protected one of the project.
        like(
            "a merge request's pipeline",
            json!({"pipeline_source": "merge_request_event", "ref_protected": "false"}),
            guarded,
        ),
        like(
            "another GitLab",
            json!({"iss": "https://stranger.example.com"}),
            "set bound_issuer in the mount's config: until then, its keys alone keep other instances out",
        ),
        like(
            "another audience",
            json!({"aud": "https://stranger.example.com"}),
            "set bound_audiences to the aud of the jobs' ID tokens",
        ),
    ];
    let registered = ["iss", "sub", "aud", "iat", "nbf", "exp"];
    let bare = job.iter().filter(|(name, _)| registered.contains(&name.as_str()));
    let claims = bare.map(|(name, value)| (name.clone(), value.clone())).collect();
    all.push(Stranger { name: "a token without the job's claims", claims, remedy: project });
    all
}

/// A job of another project for which a `*` of these bound claims stands as well; none where no `*` is in the claims
/// that name a project.
pub(crate) fn beside(job: &Map<String, Value>, bound: &Map<String, Value>) -> Option<Stranger> {
    let first = |name: &str| match bound.get(name)? {
        Value::Array(list) => list.iter().filter_map(Value::as_str).find(|text| text.contains('*')),
        one => one.as_str().filter(|text| text.contains('*')),
    };
    let mut claims = job.clone();
    let mut put = |name: &str, text: String| drop(claims.insert(name.to_owned(), json!(text)));
    put("project_id", "999000444".to_owned());
    put("project_path", "ci-creds-stranger/beside".to_owned());
    put("sub", "project_path:ci-creds-stranger/beside:ref_type:branch:ref:main".to_owned());
    let mut found = false;
    for (name, other) in [
        ("project_id", "999000444"),
        ("project_path", "ci-creds-stranger"),
        ("namespace_id", "999000555"),
        ("namespace_path", "ci-creds-stranger"),
    ] {
        if let Some(glob) = first(name) {
            put(name, glob.replace('*', other));
            found = true;
        }
    }
    // The project is the first part of a subject; what follows names the ref.
    let subject = first("sub").and_then(|glob| glob.split_once(":ref_type:"));
    if let Some((project, rest)) = subject.filter(|(project, _)| project.contains('*')) {
        put(
            "sub",
            format!("{}:ref_type:{}", project.replace('*', "ci-creds-stranger"), rest.replace('*', "x")),
        );
        found = true;
    }
    let remedy = "bind project_id, or whole names: a * in the name of a project stands for others as well";
    found.then_some(Stranger { name: BESIDE, claims, remedy })
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
