//! Forgejo Actions (docs: user, actions, reference). It must hold facts about Forgejo alone.

use super::{CiSystem, PLAIN};

/// The row.
pub(crate) static FORGEJO: CiSystem = CiSystem {
    name: "Forgejo",
    detect: |env| env.get("FORGEJO_ACTIONS").ok().flatten() == Some("true"),
    project_dir_variable: "FORGEJO_WORKSPACE",
    project_variable: "FORGEJO_REPOSITORY",
    job_id_variable: "FORGEJO_RUN_ID",
    job_secret_variable: "FORGEJO_TOKEN",
    facts: &[("project_path", "FORGEJO_REPOSITORY"), ("job_id", "FORGEJO_RUN_ID"), ("ref", "FORGEJO_REF_NAME")],
    session_prefix: "forgejo",
    give_id_token: "give the job `enable-openid-connect: true`, and put the token into NAME",
    id_token_origin: "the token that the job asked for",
    set_prefixes: &["FORGEJO_", "GITHUB_", "RUNNER_"],
    shown_claims: &["repository", "ref", "sub", "aud", "iss"],
    ref_claims: &["ref"],
    keep_to_protected: "`if: forgejo.ref == 'refs/heads/main'` keeps the job off such refs",
    give_environment: "the job has no environment: bind the role to its ref",
    secret_by_value: "in `env:`, take it from `secrets`",
    retry: "run the job again",
    give_on_runner: "in its config.yml, under runner: envs: NAME",
    ..PLAIN
};

#[cfg(test)]
mod tests {
    #[test]
    fn recipe_of_a_ci_system() {
        let env: crate::env::Env = [("FORGEJO_ACTIONS", "true"), ("CI", "true")].into_iter().collect();
        let found = crate::ci::SYSTEMS.iter().find(|system| (system.detect)(&env));
        assert_eq!(found.map(|system| system.name), Some("Forgejo"));
    }
}
