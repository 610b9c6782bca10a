//! Scaleway: no public engine exists, so any KV mount or plugin with these fields serves. Names and shapes are those of
//! scaleway-sdk-go (`scw/env.go`, `validation/is.go`). This file holds data only; its steps are in
//! the files beside it.

mod mint;
mod s3;

pub use s3::Error as S3Error;

use super::{Effect, Field, PLAIN, Provider, ProviderOption, Sketch, option, sketch, switch};
use crate::options::Opt;

static REGION: Opt = option("region", "REGION", "REGION", "The region to export");
static ZONE: Opt = option("zone", "ZONE", "ZONE", "The zone to export");
static S3: Opt = switch("s3", "S3", "Export the key for S3 tools and Object Storage too: AWS_… variables");
static MINT: Opt = switch(
    "mint",
    "MINT",
    "What Vault gives is a parent: make a key of this job's own with it, and delete it at the end",
);
static APPLICATION_ID: Opt = option(
    "application-id",
    "ID",
    "APPLICATION_ID",
    "--mint: the IAM application that the job's key belongs to",
);
static PROJECT_ID: Opt =
    option("project-id", "ID", "PROJECT_ID", "--mint: the key's default project, exported as well");

const NAME: &str = "scaleway";

/// `ci-creds scaleway`.
pub(super) static SCALEWAY: Provider = Provider {
    name: NAME,
    title: "Scaleway",
    about: "A Scaleway API key",
    mount: "scaleway",
    fields: &[
        Field::id("access_key", &["access_key"], &["SCW_ACCESS_KEY"]),
        Field::secret("secret_key", &["secret_key"], &["SCW_SECRET_KEY"]),
        Field::optional("project_id", &["project_id", "default_project_id"], &["SCW_DEFAULT_PROJECT_ID"]),
        Field::optional(
            "organization_id",
            &["organization_id", "default_organization_id"],
            &["SCW_DEFAULT_ORGANIZATION_ID"],
        ),
        Field::optional("region", &["region", "default_region"], &["SCW_DEFAULT_REGION"]),
        Field::optional("zone", &["zone", "default_zone"], &["SCW_DEFAULT_ZONE"]),
    ],
    // Legacy names that the SDK still reads, and the profile that would supply what is not set.
    unsets: &[
        "SCW_TOKEN",
        "SCW_ORGANIZATION",
        "SCALEWAY_TOKEN",
        "SCALEWAY_ACCESS_KEY",
        "SCALEWAY_ORGANIZATION",
        "SCALEWAY_REGION",
        "SCW_PROFILE",
    ],
    options: &[
        ProviderOption { opt: &REGION, effect: Effect::Sets(&["SCW_DEFAULT_REGION"]) },
        ProviderOption { opt: &ZONE, effect: Effect::Sets(&["SCW_DEFAULT_ZONE"]) },
        // What is exported for S3 tools is the key that was made.
        ProviderOption { opt: &MINT, effect: Effect::Switches(&mint::STEP) },
        ProviderOption { opt: &APPLICATION_ID, effect: Effect::Tells(&mint::STEP) },
        ProviderOption { opt: &PROJECT_ID, effect: Effect::Tells(&mint::STEP) },
        ProviderOption { opt: &S3, effect: Effect::Switches(&s3::STEP) },
    ],
    expiry: &["expires_at"],
    externals: Some(&mint::EXTERNALS),
    sketch: Sketch {
        engine: "kv",
        options: &[("version", "1")],
        notes: &[
            "A key is kept there by hand, from a file that nobody else can read, with access_key, secret_key and, if you like, \
             project_id: {cli} kv put {mount}/creds/{role} @key.json",
        ],
        of_parent: &[
            "It is the parent. Its IAM policy at Scaleway has the permission set IAMApplicationManager, for the organization, \
             and nothing else.",
            "What a job's own key may do is said by the policy of the application that --application-id names.",
        ],
        ..sketch::NONE
    },
    ..PLAIN
};
