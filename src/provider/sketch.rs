//! How a cloud's engine and one of its roles are made: what `setup` prints as a sketch, for people to fill in.

/// What stands in `<…>` is to be filled in; `<role_arn>` and its like are, where the run says them. `{mount}` and
/// `{role}` are the run's.
#[derive(Debug)]
pub struct Sketch {
    /// The type of the engine, as it is enabled; empty where nothing is known of it.
    pub engine: &'static str,
    /// The options that it is enabled with.
    pub options: &'static [(&'static str, &'static str)],
    /// The fields of the role, as a JSON object; empty where a person writes a secret in its place.
    pub role: &'static str,
    /// What is to be known and done beside it, a line each. `{cli}` stands for `vault` or `bao`.
    pub notes: &'static [&'static str],
    /// The notes for a run that makes a key at the cloud with the one that it reads.
    pub of_parent: &'static [&'static str],
    /// The resource of the role in Terraform's Vault provider; empty where it has none of its own.
    pub resource: &'static str,
}

/// Nothing is known of the engine.
pub(super) const NONE: Sketch =
    Sketch { engine: "", options: &[], role: "", notes: &[], of_parent: &[], resource: "" };
