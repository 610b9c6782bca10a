//! Only the binary: no /etc, no CA bundle, no passwd, no home.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::cmd::PROGRAM;
use crate::support::{Cmd, Fake, Pki, Reply, require, secret};

/// ci-creds as /ci-creds in this root directory; without root, in a user namespace.
fn in_root(root: &Path, chroot: &Path) -> Option<Cmd> {
    let (cmd, words) = if rustix::process::geteuid().is_root() {
        (Cmd::program(chroot), Vec::new())
    } else {
        (Cmd::program(require("unshare")?), vec![PathBuf::from("-r"), chroot.to_owned()])
    };
    Some(
        cmd.args(words)
            .args([root, Path::new("/ci-creds")])
            .args(["exoscale", "ci"])
            .env("VAULT_TOKEN", secret()),
    )
}

fn works_with_nothing_around(root: &Path) {
    let Some(cmd) = require("chroot").and_then(|chroot| in_root(root, &chroot)) else { return };
    let pki = Pki::new("A test's CA");
    let fake = Fake::tls(pki.server(&["127.0.0.1"]), |_| Reply::Vault);
    let cmd = cmd.env("VAULT_ADDR", &fake.addr);
    let run = cmd.clone().env("VAULT_CACERT_BYTES", pki.pem()).run().expect(0);
    assert!(run.stdout.contains("EXOSCALE_API_KEY="), "{run}");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
    // Mozilla's roots are built in: what is wrong is this certificate, and not the machine.
    let run = cmd.run().expect(3);
    assert!(run.stderr.contains("its certificate is from an unknown issuer, CN=A test's CA"), "{run}");
}

#[test]
fn a_root_directory_with_only_the_binary_is_enough() {
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(&*PROGRAM, root.path().join("ci-creds")).unwrap();
    // The program under test is linked dynamically: what it is linked to comes along, and nothing else.
    let Some(ldd) = require("ldd") else { return };
    let listing = Command::new(ldd).arg(&*PROGRAM).output().unwrap().stdout;
    for library in String::from_utf8(listing).unwrap().split_whitespace().filter(|word| word.starts_with('/'))
    {
        let copy = root.path().join(library.trim_start_matches('/'));
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(library, copy).unwrap();
    }
    works_with_nothing_around(root.path());
}

/// The shipped form, linked statically: a build of its own, which takes minutes.
#[test]
#[cfg_attr(not(feature = "soak"), ignore = "runs with --features soak")]
fn the_static_binary_needs_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let target = Path::new(&*PROGRAM).ancestors().nth(2).unwrap();
    // --target keeps the flags away from build scripts and macros, which can't be static.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let build = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--target", &triple, "--target-dir"])
        .arg(target.join("static"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let built = target.join("static").join(&triple).join("debug/ci-creds");
    std::fs::copy(built, root.path().join("ci-creds")).unwrap();
    works_with_nothing_around(root.path());
}
