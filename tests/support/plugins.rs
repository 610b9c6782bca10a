//! Plugins that OpenBao has not built in, made from tests/aws-plugins: Vault's for AWS, and a stand-in for Exoscale's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::openbao::install::target_dir;
use super::shell::find;
use super::{python, say};

/// The directories under the target directory, and the plugins in each. One program serves them all: the name it is
/// called by says which.
const PLUGINS: &[(&str, &[&str])] =
    &[(AWS, &["aws-auth", "aws-engine"]), (EXOSCALE, &["vault-plugin-secrets-exoscale"])];
const AWS: &str = "aws-plugins";
const EXOSCALE: &str = "exoscale-plugin";

/// A directory for [`super::Options::plugin_dir`], with Vault's plugins for AWS.
pub fn aws_plugins() -> Option<PathBuf> {
    built(AWS)
}

/// The same with the stand-in for Exoscale's.
pub fn exoscale_plugin() -> Option<PathBuf> {
    built(EXOSCALE)
}

/// The formatter of HCL that is a part of Terraform, for machines without Terraform.
pub fn hclfmt() -> Option<PathBuf> {
    let folder = target_dir().join(HCLFMT.replace(['/', '@'], "-"));
    let lock = File::create(target_dir().join("hclfmt.lock")).unwrap();
    lock.lock().unwrap();
    let program = folder.join("hclfmt");
    if !program.exists() {
        let mut install = Command::new(go()?);
        install.args(["install", HCLFMT]).env("GOBIN", &folder).env_remove("GOFLAGS").stdin(Stdio::null());
        let output = install.output().unwrap_or_else(|error| panic!("{install:?}: {error}"));
        assert!(output.status.success(), "{install:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Some(program)
}

/// The directory of a provider for `terraform validate`, which has the schema in the file that VAULT_SCHEMA names.
pub fn terraform_provider() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terraform-provider");
    let folder = target_dir().join("terraform-provider");
    let lock = File::create(target_dir().join("terraform-provider.lock")).unwrap();
    lock.lock().unwrap();
    let text =
        ["main.go", "go.mod", "go.sum"].map(|name| fs::read_to_string(source.join(name)).unwrap()).concat();
    let stamp = target_dir().join("terraform-provider.stamp");
    if !fs::read_to_string(&stamp).is_ok_and(|built| built == text) {
        say("building the provider of the tests with go (once, a minute)");
        let mut build = Command::new(go()?);
        build.current_dir(source).args(["build", "-trimpath", "-ldflags=-s -w", "-o"]);
        build.arg(folder.join("terraform-provider-vault")).arg(".").stdin(Stdio::null());
        let output = build.output().unwrap_or_else(|error| panic!("{build:?}: {error}"));
        assert!(output.status.success(), "{build:?}:\n{}", String::from_utf8_lossy(&output.stderr));
        fs::write(stamp, text).unwrap();
    }
    Some(folder)
}

const HCLFMT: &str = "github.com/hashicorp/hcl/v2/cmd/hclfmt@v2.24.0";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws-plugins")
}

fn go() -> Option<PathBuf> {
    match find("go") {
        Some(go) => Some(go),
        // The same program as a Python package: Debian's own may be too old.
        None => Some(python("python-go", &source().join("requirements.txt"))?.join("go")),
    }
}

/// Built by the first test that asks, in 2 to 3 minutes.
fn built(directory: &str) -> Option<PathBuf> {
    let source = source();
    let go = go()?;
    let home = target_dir();
    let lock = File::create(home.join("aws-plugins.lock")).unwrap();
    lock.lock().unwrap();
    let text = ["main.go", "exoscale.go", "go.mod", "go.sum"]
        .map(|name| fs::read_to_string(source.join(name)).unwrap())
        .concat();
    let stamp = home.join("aws-plugins.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|built| built == text) {
        return Some(home.join(directory));
    }
    say("building the plugins of the tests with go (once, 2 to 3 minutes)");
    let program = home.join("aws-plugins.program");
    let mut build = Command::new(go);
    build.current_dir(source).args(["build", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&program).arg(".");
    let output = build.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{build:?}: {error}"));
    assert!(output.status.success(), "{build:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    for (directory, names) in PLUGINS {
        fs::create_dir_all(home.join(directory)).unwrap();
        for name in *names {
            let link = home.join(directory).join(name);
            let _ = fs::remove_file(&link);
            fs::hard_link(&program, link).unwrap();
        }
    }
    fs::write(stamp, text).unwrap();
    Some(home.join(directory))
}
