//! Which jobs a role is for, as claims of their ID tokens (GitLab: `lib/gitlab/ci/jwt.rb`, `jwt_v2.rb`). It must not
//! read the environment.

use serde_json::{Map, Value, json};

/// The jobs that may do something.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    /// Their projects; all by number, or all by path.
    pub projects: Vec<String>,
    /// The branch or tag, without `refs/heads/` or `refs/tags/`.
    pub reference: Option<String>,
    /// Whether it is a tag.
    pub is_tag: bool,
    /// Whether the ref must be a protected one.
    pub protected: bool,
    /// Their environment.
    pub environment: Option<String>,
}

impl Meant {
    /// The claim that names a project: a number can't be taken over by a project that is renamed.
    pub fn project_claim(&self) -> &'static str {
        if self.projects.iter().all(|one| is_number(one)) { "project_id" } else { "project_path" }
    }

    /// What the claims must be.
    pub fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        let projects = match &self.projects[..] {
            [one] => json!(one),
            all => json!(all),
        };
        claims.insert(self.project_claim().to_owned(), projects);
        if let Some(reference) = &self.reference {
            claims.insert("ref".to_owned(), json!(reference));
            claims.insert("ref_type".to_owned(), json!(if self.is_tag { "tag" } else { "branch" }));
        }
        if self.protected {
            claims.insert("ref_protected".to_owned(), json!("true"));
        }
        if let Some(environment) = &self.environment {
            claims.insert("environment".to_owned(), json!(environment));
        }
        claims
    }

    /// Whether a `*` stands for any text: neither refs, nor paths, nor names of environments may have one.
    pub fn has_globs(&self) -> bool {
        let texts = self.projects.iter().chain(&self.reference).chain(&self.environment);
        texts.into_iter().any(|text| text.contains('*'))
    }
}

/// Whether a project is given by its number.
pub(crate) fn is_number(project: &str) -> bool {
    !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_digit())
}
