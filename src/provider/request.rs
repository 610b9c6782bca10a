//! One request to an engine, ready to be sent: a provider's table with the user's settings filled in, or what `read`
//! has on the command line. It must not read the environment.

use std::time::Duration;

use super::{Absent, Effect, Form, Provider, ProviderOption, Read, Settled, Step};
use crate::credentials::IssuedBy;
use crate::input::Input;
use crate::secret::Secret;
use crate::vault::Mount;

/// What to ask for and what to make of the answer.
#[derive(Debug, Clone)]
pub struct Request {
    /// What made the request.
    pub origin: Origin,
    /// The role, where there is one.
    pub role: Option<String>,
    /// What to read: a whole path below /v1/.
    pub read: Read,
    /// The version of the KV engine that it is read from, where the user says it.
    pub kv_version: Option<u32>,
    /// The version of the secret, where it is not the newest: the KV engine's version 2 alone keeps them.
    pub secret_version: Option<u64>,
    /// How long the credentials must last.
    pub min_ttl: Option<Duration>,
    /// Other ways to the same.
    pub fallbacks: Vec<Read>,
    /// Parameters: in the query of a GET, in the body of a POST.
    pub parameters: Vec<(String, Secret)>,
    /// Parameters whose values are read from these files, or from standard input.
    pub from_files: Vec<(String, Input)>,
    /// What the answer holds.
    pub fields: Vec<FieldSpec>,
    /// Variables that are exported as they are.
    pub constants: Vec<(String, String)>,
    /// See [`Provider::unsets`].
    pub unsets: Vec<String>,
    /// See [`Provider::label`].
    pub label: Option<String>,
    /// See [`Provider::outlives_token`].
    pub outlives_token: Option<String>,
    /// See [`Provider::expiry`].
    pub expiry: Vec<String>,
    /// See [`Provider::expiry_variable`].
    pub expiry_variable: Option<String>,
    /// What is done with the answer, in order, beyond what the table says.
    pub steps: Vec<(&'static Step, Settled)>,
}

/// What made a request.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// A cloud's table made it.
    Cloud(&'static Provider),
    /// `read` spelled it out.
    Read,
}

impl Origin {
    /// The command: `exoscale`, …, or `read`.
    pub fn name(self) -> &'static str {
        self.issued_by().name()
    }

    /// Who gives the credentials.
    pub fn issued_by(self) -> IssuedBy {
        match self {
            Self::Cloud(provider) => IssuedBy::Cloud(provider.name),
            Self::Read => IssuedBy::Read,
        }
    }

    /// The cloud, if it is one's.
    pub fn cloud(self) -> Option<&'static Provider> {
        match self {
            Self::Cloud(provider) => Some(provider),
            Self::Read => None,
        }
    }
}

/// See [`super::Field`].
#[derive(Debug, Clone)]
pub struct FieldSpec {
    /// Our name for it.
    pub name: String,
    /// The engine's names for it.
    pub from: Vec<String>,
    /// The variables that it becomes.
    pub sets: Vec<String>,
    /// What its absence means.
    pub absent: Absent,
    /// Whether it gives access by itself.
    pub sensitive: bool,
    /// How the variables get it.
    pub form: Form,
}

/// One NAME=FIELD of `read`, or NAME=@FIELD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The variable.
    pub name: String,
    /// The field of the answer.
    pub field: String,
    /// Whether there was an @.
    pub file: bool,
}

/// What the user can set for a provider.
#[derive(Debug, Default, Clone)]
pub struct Settings {
    /// The role in the engine.
    pub role: String,
    /// Where the engine is mounted.
    pub mount: Option<String>,
    /// The path inside the mount, instead of the table's reads.
    pub path: Option<String>,
    /// Our field names, and the engine's.
    pub fields: Vec<(String, String)>,
    /// The life to ask for, in seconds.
    pub ttl: Option<u64>,
    /// The provider's own options, by name.
    pub options: Vec<(&'static str, String)>,
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

impl Provider {
    /// Whether only the role in Vault decides how long a key lives.
    pub fn takes_no_ttl(&self) -> bool {
        let takes = |option: &ProviderOption| matches!(option.effect, Effect::Switches(step) if step.makes);
        self.ttl_parameter.is_none() && !self.options.iter().any(takes)
    }

    /// The request for these settings.
    pub fn request(&'static self, settings: &Settings) -> Request {
        let mount = settings.mount.as_deref().unwrap_or(self.mount).trim_matches('/');
        let whole = |post: bool, path: &str| Read {
            post,
            path: format!("{mount}/{}", path.trim_matches('/').replace("{role}", &settings.role)).into(),
        };
        let (read, fallbacks) = match &settings.path {
            Some(path) => (whole(false, path), Vec::new()),
            None => {
                let others = self.fallbacks.iter().map(|read| whole(read.post, read.path));
                (whole(self.read.post, self.read.path), others.collect())
            }
        };
        let mut parameters = Vec::new();
        let mut constants = Vec::new();
        for (name, value) in &settings.options {
            match self.options.iter().find(|option| option.opt.name == *name).map(|option| option.effect) {
                Some(Effect::Asks(parameter) | Effect::AsksForSession(parameter)) => {
                    parameters.push((parameter.to_owned(), Secret::from(value.as_str())));
                }
                Some(Effect::Sets(names)) => {
                    constants.extend(names.iter().map(|&name| (name.to_owned(), value.clone())));
                }
                Some(Effect::Switches(_) | Effect::Tells(_)) | None => {}
            }
        }
        if let (Some(parameter), Some(ttl)) = (self.ttl_parameter, settings.ttl) {
            parameters.push((parameter.to_owned(), Secret::new(format!("{ttl}s"))));
        }
        Request {
            kv_version: None,
            secret_version: None,
            min_ttl: None,
            origin: Origin::Cloud(self),
            role: Some(settings.role.clone()),
            read,
            fallbacks,
            parameters,
            from_files: Vec::new(),
            fields: self.field_specs(&settings.fields),
            constants,
            unsets: owned(self.unsets),
            label: self.label.map(str::to_owned),
            outlives_token: self.outlives_token.map(str::to_owned),
            expiry: owned(self.expiry),
            expiry_variable: self.expiry_variable.map(str::to_owned),
            steps: Vec::new(),
        }
    }

    /// What a failure unsets: whatever gives access, of our names and of those that tools prefer. Where a job
    /// works (a region, a project) stays as it is.
    pub fn variables(&self) -> Vec<String> {
        let fields = self.fields.iter().filter(|field| field.absent != Absent::Skip);
        let sets = fields.flat_map(|field| field.sets).chain(self.expiry_variable.as_ref());
        owned(&sets.chain(self.unsets).copied().collect::<Vec<_>>())
    }

    fn field_specs(&self, renamed: &[(String, String)]) -> Vec<FieldSpec> {
        let spec = |field: &super::Field| FieldSpec {
            name: field.name.to_owned(),
            from: match renamed.iter().find(|(ours, _)| ours == field.name) {
                Some((_, theirs)) => vec![theirs.clone()],
                None => owned(field.from),
            },
            sets: owned(field.sets),
            absent: field.absent,
            sensitive: field.sensitive,
            form: field.form,
        };
        self.fields.iter().map(spec).collect()
    }
}

impl Request {
    /// The request of `read PATH NAME=FIELD…`: no role, no table.
    pub fn custom(
        path: String,
        names: Vec<Wanted>,
        data: Vec<(String, Secret)>,
        from_files: Vec<(String, Input)>,
    ) -> Self {
        let field = |wanted: Wanted| FieldSpec {
            name: wanted.field.clone(),
            from: vec![wanted.field],
            sets: vec![wanted.name],
            absent: Absent::Error,
            sensitive: true,
            form: if wanted.file { Form::File } else { Form::Text },
        };
        Self {
            kv_version: None,
            secret_version: None,
            min_ttl: None,
            origin: Origin::Read,
            role: None,
            read: Read { post: !data.is_empty() || !from_files.is_empty(), path: path.into() },
            fallbacks: Vec::new(),
            parameters: data,
            from_files,
            fields: names.into_iter().map(field).collect(),
            constants: Vec::new(),
            unsets: Vec::new(),
            label: None,
            outlives_token: None,
            expiry: Vec::new(),
            expiry_variable: None,
            steps: Vec::new(),
        }
    }

    /// The request of a reference in a variable: like [`Request::custom`], but its parameters go into the query of a
    /// GET.
    pub(crate) fn referenced(path: String, names: Vec<Wanted>, parameters: Vec<(String, Secret)>) -> Self {
        let version = parameters.iter().find(|(name, _)| name == "version");
        let version =
            version.and_then(|(_, value)| value.reveal().parse().ok()).filter(|version| *version > 0);
        Self { parameters, ..Self::custom(path, names, Vec::new(), Vec::new()) }.at(version)
    }

    /// The same of a version of the secret; 0 is the newest, as for the engine.
    pub(crate) fn at(mut self, version: Option<u64>) -> Self {
        if let Some(version) = version {
            self.parameters.retain(|(name, _)| name != "version");
            self.parameters.push(("version".to_owned(), Secret::new(version.to_string())));
            (self.secret_version, self.kv_version) = (Some(version), Some(2));
        }
        self
    }

    /// The variables that it will set if every field is there.
    pub fn sets(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().flat_map(|field| &field.sets);
        let steps = self.steps.iter().flat_map(|(step, _)| step.sets.iter().copied());
        fields.chain(&self.expiry_variable).map(String::as_str).chain(steps)
    }
}

/// The path of the same secret in the other version of the KV engine: with data/ behind the mount, or without.
pub(crate) fn other_version(read: &Read, mount: &Mount) -> Option<(Read, &'static str)> {
    let rest = read.path.strip_prefix(mount.path.as_str()).filter(|_| !read.post)?;
    let (path, why) = match (mount.kv_version?, rest.strip_prefix("data/")) {
        (2, None) => (format!("{}data/{rest}", mount.path), "as it is KV version 2"),
        (1, Some(rest)) => (format!("{}{rest}", mount.path), "as it is KV version 1"),
        _ => return None,
    };
    Some((Read { post: false, path: path.into() }, why))
}
