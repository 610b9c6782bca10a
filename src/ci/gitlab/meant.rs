//! Which jobs a role is for, as claims of their ID tokens (GitLab: `lib/gitlab/ci/jwt.rb`, `jwt_v2.rb`). It must not
//! read the environment.

use serde_json::{Map, Value, json};

/// The jobs that may do something.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meant {
    /// Their projects; all by number, or all by path.
    pub projects: Vec<String>,
    /// The groups of their projects, instead; all by number, or all by path.
    pub groups: Vec<String>,
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
    pub(crate) fn project_claim(&self) -> &'static str {
        if self.projects.iter().all(|one| is_number(one)) { "project_id" } else { "project_path" }
    }

    /// What the claims must be.
    pub(crate) fn claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        let one_or_all = |all: &[String]| match all {
            [one] => json!(one),
            all => json!(all),
        };
        if self.groups.is_empty() {
            claims.insert(self.project_claim().to_owned(), one_or_all(&self.projects));
        } else {
            let by_number = self.groups.iter().all(|one| is_number(one));
            let claim = if by_number { "namespace_id" } else { "namespace_path" };
            claims.insert(claim.to_owned(), one_or_all(&self.groups));
        }
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
    pub(crate) fn has_globs(&self) -> bool {
        let texts = self.projects.iter().chain(&self.groups).chain(&self.reference).chain(&self.environment);
        texts.into_iter().any(|text| text.contains('*'))
    }
}

/// A claim that can stand in a path of a run, and in its place the job's own value.
#[derive(Debug)]
pub(crate) struct PathClaim {
    /// The claim.
    pub name: &'static str,
    /// The variable in which a job has it.
    pub variable: &'static str,
    /// Whether a policy can be templated by it: OpenBao refuses a value with `/`, `+` or `*` in it.
    pub templated: bool,
    /// The variable in which a job has it in a form that fits into a name.
    pub slug: &'static str,
}

impl PathClaim {
    /// What stands for it in a path: `{project_id}`.
    pub(crate) fn mark(&self) -> String {
        format!("{{{}}}", self.name)
    }

    /// A text with this value in the place of the mark.
    pub(crate) fn filled(&self, text: &str, value: &str) -> String {
        text.replace(&self.mark(), value)
    }
}

/// The claims that name a project, or its group. GitLab alone decides their values. The names of branches and
/// environments are left out, because anybody can choose them.
pub(crate) static PATH_CLAIMS: &[PathClaim] = &[
    PathClaim { name: "project_id", variable: "CI_PROJECT_ID", templated: true, slug: "CI_PROJECT_ID" },
    PathClaim {
        name: "namespace_id",
        variable: "CI_PROJECT_NAMESPACE_ID",
        templated: true,
        slug: "CI_PROJECT_NAMESPACE_ID",
    },
    PathClaim {
        name: "project_path",
        variable: "CI_PROJECT_PATH",
        templated: false,
        slug: "CI_PROJECT_PATH_SLUG",
    },
];

/// A project as GitLab has it in `CI_PROJECT_PATH_SLUG`; a number stays as it is.
pub(crate) fn slug(project: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    let text: String = project.chars().map(plain).take(63).collect();
    text.trim_matches('-').to_owned()
}

/// Whether a project is given by its number.
pub(crate) fn is_number(project: &str) -> bool {
    !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_digit())
}
