//! Turns credentials into bytes: one file per format, listed in [`FORMATS`]. A format must not write anything: `sink`
//! does.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::ci::Job;
use crate::credentials::{Credentials, Variable};
use crate::exec::limits;
use crate::merge;

mod aws;
mod dotenv;
mod error;
mod fish;
mod json;
pub(crate) mod masking;
pub(crate) mod private;
mod profile;
mod scw;
mod sh;
pub(crate) mod sink;

pub use error::Error;

/// Turns credentials into what is written.
pub(crate) type Encode = fn(&[Credentials], &Options) -> Result<Zeroizing<Vec<u8>>, Error>;

/// A way to write credentials down.
#[derive(Debug)]
pub struct Format {
    /// As in `--format`.
    pub name: &'static str,
    /// For --help.
    pub about: &'static str,
    /// The one provider whose tools read it; `None`: any variables will do.
    pub provider: Option<&'static str>,
    /// For a file that people write themselves too: how a profile is put into it. An existing one is replaced only by
    /// --force.
    pub merge: Option<Merge>,
    /// Writes all of it, or fails.
    pub encode: Encode,
    /// For shells: the one line that unsets these variables and ends with this status. Other formats print
    /// nothing when a command fails.
    pub failure: Option<fn(unsets: &[String], code: u8) -> String>,
}

/// Every format; the first is the default.
pub static FORMATS: &[&Format] =
    &[&sh::SH, &fish::FISH, &dotenv::DOTENV, &json::JSON, &aws::PROCESS, &aws::FILE, &scw::CONFIG];

/// A profile: its name, and its lines without indentation.
pub(crate) type Section = (String, Zeroizing<String>);

/// How credentials become a profile of a file that has others too.
#[derive(Debug, Clone, Copy)]
pub struct Merge {
    /// The kind of file.
    pub form: &'static merge::Form,
    /// The profile.
    pub profile: fn(&[Credentials], &Options) -> Result<Section, Error>,
}

/// The format of this name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}

/// The format where none is named, for a failure: that of the shell that reads it.
pub(crate) fn implied() -> &'static Format {
    if is_fish() { &fish::FISH } else { FORMATS[0] }
}

/// Whether fish started this process. Its parser refuses what other shells read, and shows the whole line with it.
fn is_fish() -> bool {
    crate::process::parent().as_deref() == Some("fish")
}

impl Format {
    /// An error if the format has no place for what `providers` give.
    pub fn fits<'a>(&self, mut providers: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let Some(own) = self.provider else { return Ok(()) };
        match providers.find(|provider| *provider != own) {
            None => Ok(()),
            Some(other) => Err(Error::Provider { format: self.name, own, other: other.to_owned() }),
        }
    }
}

/// What the encoders can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The section or profile that profile files are written under.
    pub profile: Option<String>,
    /// How many variables a dotenv report may hold.
    pub dotenv_limit: usize,
}

impl Options {
    /// The profile that is written: the one that tools use where none is named.
    fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or(profile::DEFAULT)
    }
}

/// How credentials are handed over.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The form.
    pub format: &'static Format,
    /// Whether somebody chose the form.
    pub chosen: bool,
    /// What the form can be told.
    pub options: Options,
    /// The file, or stdout.
    pub file: Option<PathBuf>,
    /// Whether an existing profile file may be replaced.
    pub force: bool,
    /// Whether the profile is put into the file, beside others.
    pub merge: bool,
    /// Whether the user wants to see secrets.
    pub show: bool,
}

/// What is written.
#[derive(Debug)]
pub(crate) enum Content {
    /// To stdout, or as the whole of a file.
    Whole(Zeroizing<Vec<u8>>),
    /// Into a file, beside other profiles.
    Profile(merge::Profile),
}

impl Output {
    /// These credentials in the form that was asked for.
    pub(crate) fn encode(&self, all: &[Credentials], job: &Job) -> Result<Content, Error> {
        let Some(merge) = self.merge() else {
            return Ok(Content::Whole((self.format.encode)(all, &self.options)?));
        };
        let (name, values) = (merge.profile)(all, &self.options)?;
        let until = all.iter().filter_map(|one| one.life).map(|life| life.until).min();
        let owner = merge::Owner { job: job.id.clone(), until };
        Ok(Content::Profile(merge::Profile { form: merge.form, name, values, owner }))
    }

    /// How the profile is put into a file, where that is asked for.
    fn merge(&self) -> Option<Merge> {
        self.format.merge.filter(|_| self.merge)
    }
}

/// All variables, in the order in which they are written.
fn variables(all: &[Credentials]) -> Vec<&Variable> {
    all.iter().flat_map(|one| &one.variables).collect()
}

/// The names to unset: each once, and none that is also set.
fn unsets(all: &[Credentials]) -> Vec<&str> {
    let mut seen: HashSet<&str> = variables(all).iter().map(|variable| variable.name.as_str()).collect();
    all.iter().flat_map(|one| &one.unsets).map(String::as_str).filter(|name| seen.insert(name)).collect()
}

/// Refuses a NUL, which no environment and no shell but zsh can hold, and values that are too long for an
/// environment: a shell that has them can't start a command.
fn fits_a_shell(all: &[Credentials], format: &'static str) -> Result<(), Error> {
    let exported = variables(all).into_iter();
    limits::check(
        exported.map(|variable| (OsStr::new(&variable.name), OsStr::new(variable.value.reveal()))),
    )?;
    match variables(all).iter().find(|variable| variable.value.reveal().contains('\0')) {
        None => Ok(()),
        Some(variable) => Err(Error::Nul { variable: variable.name.clone(), format }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::ProptestConfig;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// The same cases in each run; more of them under `--features soak`.
    pub(crate) fn seeded() -> ProptestConfig {
        let cases = if cfg!(feature = "soak") { 10_000 } else { 1_000 };
        ProptestConfig {
            rng_seed: RngSeed::Fixed(20),
            failure_persistence: None,
            ..ProptestConfig::with_cases(cases)
        }
    }

    /// Credentials with these variables and these names to unset.
    pub(crate) fn credentials(set: &[(&str, &str)], unsets: &[&str]) -> Vec<Credentials> {
        let variables = set
            .iter()
            .map(|(name, value)| Variable {
                name: (*name).to_owned(),
                value: (*value).into(),
                sensitive: true,
            })
            .collect();
        let unsets = unsets.iter().map(|&name| name.to_owned()).collect();
        vec![Credentials {
            unsets,
            ..Credentials::of(crate::credentials::IssuedBy::Read, "secret/data/x", variables)
        }]
    }

    pub(super) fn options(dotenv_limit: usize) -> Options {
        Options { profile: None, dotenv_limit }
    }

    /// What `format` writes for these variables, as text.
    pub(super) fn written(
        format: &Format,
        set: &[(&str, &str)],
        unsets: &[&str],
        limit: usize,
    ) -> Result<String, Error> {
        let bytes = (format.encode)(&credentials(set, unsets), &options(limit))?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_name_is_unset_once_and_never_when_it_is_set() {
        let mut all = credentials(&[("A", "1")], &["B", "C"]);
        all.extend(credentials(&[("C", "1")], &["A", "B", "D"]));
        assert_eq!(unsets(&all), ["B", "D"]);
    }

    #[test]
    fn a_format_of_one_provider_says_so() {
        let format = find("aws-credentials").unwrap();
        assert!(format.fits(["aws"].into_iter()).is_ok());
        let error = format.fits(["aws", "exoscale"].into_iter()).unwrap_err().to_string();
        assert_eq!(error, "aws-credentials is a format for aws, and has no place for exoscale");
        assert!(find("sh").unwrap().fits(["aws", "exoscale", "login"].into_iter()).is_ok());
        for format in FORMATS {
            assert!(
                format.provider.is_none_or(|name| crate::provider::find(name).is_some()),
                "{}",
                format.name
            );
        }
    }

    #[test]
    fn names_of_formats_differ() {
        let names: HashSet<&str> = FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
    }
}
