//! Only the binary: no /etc, no CA bundle, no passwd, no home, no PATH. The scripts are those that a release goes
//! through.

use std::path::Path;
use std::process::Command;

use crate::support::cmd::PROGRAM;
use crate::support::{Cmd, Fake, Pki, Reply, require, secret};

/// A script of the project's pipeline.
fn ci(name: &str) -> String {
    format!("{}/.ci/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// `program` is ci-creds, with what `.ci/empty-root` is to be told before it.
fn works_with_nothing_around(program: &[&str]) {
    if require("chroot").is_none() || require("unshare").is_none() {
        return;
    }
    let cmd = Cmd::program(ci("empty-root")).args(program).args(["exoscale", "ci"]);
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server(&["127.0.0.1"]), |_| Reply::Vault);
    let cmd = cmd.env("VAULT_TOKEN", secret()).env("VAULT_ADDR", &fake.addr);
    let run = cmd.clone().env("VAULT_CACERT_BYTES", pki.pem()).run().expect(0);
    assert!(run.stdout.contains("EXOSCALE_API_KEY="), "{run}");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
    // Mozilla's roots are built in: what is wrong is this certificate, and not the machine.
    let run = cmd.run().expect(3);
    assert!(run.stderr.contains("its certificate is from an unknown issuer, CN=A test's CA"), "{run}");
}

/// The program under test is linked dynamically: what it is linked to comes along, and nothing else.
#[test]
fn a_root_directory_with_only_the_binary_is_enough() {
    if require("ldd").is_some() {
        works_with_nothing_around(&["--libraries", &PROGRAM]);
    }
}

/// The shipped form, linked statically: a build of its own, which takes minutes.
#[test]
#[cfg_attr(not(feature = "soak"), ignore = "runs with --features soak")]
fn the_static_binary_needs_nothing_else() {
    let target = Path::new(&*PROGRAM).ancestors().nth(2).unwrap();
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let build = Command::new(ci("static"))
        .args([&triple, "dev"])
        .env("CARGO_TARGET_DIR", target.join("static"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    works_with_nothing_around(&[String::from_utf8(build.stdout).unwrap().trim_end()]);
}
