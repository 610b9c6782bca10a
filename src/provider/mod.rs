//! The clouds, as data: one const table per command says where to read, which fields come back, and which variables they
//! become. The tables send nothing; the steps of a cloud may, for what no table can say. A new cloud is one file and one
//! entry in [`PROVIDERS`]; a cloud that gives two kinds of credentials from two paths has two tables in its file.

use crate::options::{Opt, Takes, Variables};

pub mod aws;
mod decode;
mod exoscale;
mod request;
pub mod scaleway;
mod sketch;
mod steps;

pub use decode::Error;
pub use request::Settings;
pub(crate) use request::{FieldSpec, Origin, Request, Wanted, other_version};
pub(crate) use sketch::Sketch;
pub(crate) use steps::{Api, Context, Externals, Settled, Step};
pub use steps::{Failed, Need};

/// Every provider.
pub static PROVIDERS: &[&Provider] = &[&exoscale::EXOSCALE, &aws::AWS, &scaleway::SCALEWAY];

/// The provider of this name.
pub(crate) fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.name == name)
}

/// What there is to know about a cloud.
#[derive(Debug)]
pub struct Provider {
    /// The command, and the X of CI_CREDS_X_ROLE.
    pub name: &'static str,
    /// Its name in messages.
    pub title: &'static str,
    /// For --help.
    pub about: &'static str,
    /// The engine's usual mount.
    pub mount: &'static str,
    /// What to read.
    pub read: Route,
    /// Where the engine keeps the role itself, inside the mount: for doctor.
    pub role_config: &'static str,
    /// The fields of that role that doctor shows; policy documents are too long.
    pub role_fields: &'static [&'static str],
    /// What a text of this engine's means, and what to do about it; the first that fits is shown.
    pub refusals: &'static [(&'static str, &'static str)],
    /// Other requests that give the same, in order. They are tried only after a 403: the policy may allow one of them.
    pub fallbacks: &'static [Route],
    /// What the answer holds.
    pub fields: &'static [Field],
    /// Variables that the cloud's tools would prefer over ours.
    pub unsets: &'static [&'static str],
    /// Options that only this cloud has.
    pub options: &'static [ProviderOption],
    /// The field, by the engine's name, that tells people which key this is.
    pub label: Option<&'static str>,
    /// How the engine begins the names of the keys that it makes, so that people find one that was left behind.
    pub key_prefix: &'static str,
    /// The field, by our name, whose presence means that the credentials stay good when Vault's token ends. It also counts
    /// where the answer has no lease. Without it, `setup` lets the job renew its token.
    pub outlives_token: Option<&'static str>,
    /// The request parameter that asks for a life, where the engine has one.
    pub ttl_parameter: Option<&'static str>,
    /// Fields, by the engine's names, that tell when the credentials end: seconds from now, or since 1970 where they are
    /// more than 20 years; a duration; a time.
    pub expiry: &'static [&'static str],
    /// The variable that gets the end.
    pub expiry_variable: Option<&'static str>,
    /// What its steps leave at the cloud itself.
    pub externals: Option<&'static Externals>,
    /// How the engine and a role are made, for `setup`.
    pub sketch: Sketch,
}

/// The defaults of a row.
const PLAIN: Provider = Provider {
    name: "",
    title: "",
    about: "",
    mount: "",
    read: Route::get("creds/{role}"),
    role_config: "roles/{role}",
    role_fields: &["ttl", "max_ttl", "renewable"],
    refusals: &[],
    fallbacks: &[],
    fields: &[],
    unsets: &[],
    options: &[],
    label: None,
    key_prefix: "",
    outlives_token: None,
    ttl_parameter: None,
    expiry: &[],
    expiry_variable: None,
    externals: None,
    sketch: sketch::NONE,
};

/// A request of a table.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Whether it is a POST; else a GET.
    pub post: bool,
    /// Inside the mount; `{role}` is filled in.
    pub path: &'static str,
}

impl Route {
    const fn get(path: &'static str) -> Self {
        Self { post: false, path }
    }
    const fn post(path: &'static str) -> Self {
        Self { post: true, path }
    }
}

/// One request that gives the whole set.
#[derive(Debug, Clone)]
pub struct Read {
    /// Whether it is a POST; else a GET.
    pub post: bool,
    /// The whole path, below /v1/.
    pub path: std::borrow::Cow<'static, str>,
}

impl Read {
    /// As in `GET aws/sts/web`.
    pub fn show(&self) -> String {
        format!("{} {}", if self.post { "POST" } else { "GET" }, self.path)
    }
    /// The capability that a policy must grant for it.
    pub fn capability(&self) -> &'static str {
        if self.post { "update" } else { "read" }
    }
}

/// One field of the answer.
#[derive(Debug)]
pub struct Field {
    /// Our name for it, as in --field.
    pub name: &'static str,
    /// The engine's names for it, the newest first.
    pub from: &'static [&'static str],
    /// The variables that it becomes.
    pub sets: &'static [&'static str],
    /// What it means when it is not there, or null. A failed run leaves the variables of `Skip` as they are: a field that
    /// gives access must not have it.
    pub absent: Absent,
    /// Whether a text gives access by itself. What goes into a file always counts as a secret.
    pub sensitive: bool,
    /// How the variables get it.
    pub form: Form,
}

impl Field {
    /// A field without which the answer is useless; it gives access by itself.
    const fn secret(
        name: &'static str,
        from: &'static [&'static str],
        sets: &'static [&'static str],
    ) -> Self {
        Self { name, from, sets, absent: Absent::Error, sensitive: true, form: Form::Text }
    }

    /// A field without which the answer is useless; it names the key.
    const fn id(name: &'static str, from: &'static [&'static str], sets: &'static [&'static str]) -> Self {
        Self { sensitive: false, ..Self::secret(name, from, sets) }
    }

    /// A field that may be missing, and says where the credentials are for.
    const fn optional(
        name: &'static str,
        from: &'static [&'static str],
        sets: &'static [&'static str],
    ) -> Self {
        Self { absent: Absent::Skip, ..Self::id(name, from, sets) }
    }
}

/// How the variables of a field get its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The value as it is.
    Text,
    /// The value goes into a file, and the variables get its path.
    File,
    /// The same, after base64 is decoded, as Vault's engine for Google Cloud needs it.
    Base64File,
}

/// What the absence of a field means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The answer can't be used.
    Error,
    /// Its variables stay as the job has them.
    Skip,
    /// Its variables are unset.
    Unset,
}

/// An option that only one cloud has.
#[derive(Debug)]
pub struct ProviderOption {
    /// Its row.
    pub opt: &'static Opt,
    /// What it does.
    pub effect: Effect,
}

/// What a provider's option does.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// It is sent along as this parameter.
    Asks(&'static str),
    /// The same; where it is not given, the name of a session of this job is sent.
    AsksForSession(&'static str),
    /// It is exported under these names.
    Sets(&'static [&'static str]),
    /// It is a switch that adds this step.
    Switches(&'static Step),
    /// It is a parameter of this step.
    Tells(&'static Step),
}

const fn switch(name: &'static str, suffix: &'static str, help: &'static str) -> Opt {
    Opt::new(name, Takes::Switch, Variables::Provider(suffix), help)
}

const fn option(name: &'static str, value: &'static str, suffix: &'static str, help: &'static str) -> Opt {
    Opt::new(name, Takes::Value(value), Variables::Provider(suffix), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sound() {
        for provider in PROVIDERS {
            assert!(provider.fields.iter().any(|field| field.absent == Absent::Error), "{}", provider.name);
            let ours: Vec<_> = provider.fields.iter().map(|field| field.name).collect();
            assert!(provider.outlives_token.is_none_or(|name| ours.contains(&name)), "{}", provider.name);
            for field in provider.fields {
                assert!(!field.sensitive || field.absent != Absent::Skip, "{}", field.name);
                assert!(field.sets.iter().all(|name| !provider.unsets.contains(name)), "{}", field.name);
            }
        }
    }
}
