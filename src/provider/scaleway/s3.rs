//! `--s3`: exports the key for S3 tools and Object Storage too. It must not make a key of its own.

use super::super::steps::{Context, Failed, Settled, Step};
use crate::credentials::{Credentials, Variable};
use crate::error::{Code, Explain};
use crate::secret::Secret;
use crate::text::Text;

/// What --s3 exports: key ID and secret, endpoint, and the region, which AWS's tools read under two names.
const SETS: [&str; 5] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"];
/// Variables that S3 tools would use beside the pair, or instead of it.
const UNSETS: [&str; 5] = [
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CREDENTIAL_EXPIRATION",
];
/// The variable of Scaleway's tools.
const REGION: &str = "SCW_DEFAULT_REGION";

pub(super) static STEP: Step = Step {
    switch: "--s3",
    variables: &[(REGION, "the name of a region")],
    sets: &SETS,
    access: &[SETS[0], SETS[1], UNSETS[0], UNSETS[1], UNSETS[2], UNSETS[3], UNSETS[4]],
    check: |settled, credentials| region(settled, credentials).map(drop).map_err(Failed::new),
    apply: |context, credentials| {
        Box::pin(std::future::ready(add(context, credentials).map_err(Failed::new)))
    },
    ..Step::NOTHING
};

/// Why the key can't be exported for S3 tools.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No region is known, and the endpoint's name has it.
    #[error("--s3 needs a region, and neither the job nor the answer names one")]
    NoRegion,
    /// A region that can't be part of an address.
    #[error("`{0}` is not a region of Scaleway's")]
    Region(String),
}

impl Explain for Error {
    fn code(&self) -> Code {
        Code::Environment
    }

    fn hints(&self) -> Vec<String> {
        vec!["give --region or CI_CREDS_SCALEWAY_REGION, such as fr-par".to_owned()]
    }
}

/// The region of the credentials (Vault's answer or --region has it), else SCW_DEFAULT_REGION of the job.
fn region(settled: &Settled, credentials: &Credentials) -> Result<String, Error> {
    let variable = credentials.variables.iter().find(|variable| variable.name == REGION);
    let region = variable.map(|variable| variable.value.reveal()).or_else(|| settled.variable(REGION));
    let region = region.ok_or(Error::NoRegion)?;
    // It becomes part of a host's name (scaleway-sdk-go: validation/is.go).
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    if !region.is_empty() && region.chars().all(fits) {
        Ok(region.to_owned())
    } else {
        Err(Error::Region(Text::new(region).chars().take(40).collect()))
    }
}

fn add(context: &Context<'_>, mut credentials: Credentials) -> Result<Credentials, Error> {
    let region = region(context.settled, &credentials)?;
    let field = |name| context.request.value(&credentials, name).cloned().unwrap_or_else(|| Secret::from(""));
    let values = [
        field("access_key"),
        field("secret_key"),
        Secret::new(format!("https://s3.{region}.scw.cloud")),
        Secret::from(region.as_str()),
        Secret::from(region.as_str()),
    ];
    let sensitive = [false, true, false, false, false];
    for ((name, value), sensitive) in SETS.into_iter().zip(values).zip(sensitive) {
        credentials.variables.push(Variable { name: name.to_owned(), value, sensitive });
    }
    credentials.unsets.extend(UNSETS.map(str::to_owned));
    Ok(credentials)
}
