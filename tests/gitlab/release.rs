//! What is released is what was built and reproduced: no cache, which any branch's job can write, has a part in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::pipeline::{Project, source};
use super::tools::{gitlab_ci_local, output};
use crate::support::shell::with_system_tools;
use crate::support::{Cmd, Run, require};

/// This project's pipeline as GitLab sees it.
fn pipeline() -> Option<Value> {
    let (program, node) = gitlab_ci_local()?;
    let project = Project::new(&fs::read_to_string(source(".gitlab-ci.yml")).unwrap(), &[])?;
    let file = project.home().join("resolved.yml");
    fs::write(&file, project.preview()).unwrap();
    let mut to_json = Command::new(program.with_file_name("js-yaml"));
    let text = output(to_json.arg(file).env_clear().env("PATH", format!("{}:/usr/bin:/bin", node.display())));
    Some(serde_json::from_str(&text).unwrap())
}

/// From the jobs that publish something, back by all that hand them files.
#[test]
fn no_file_of_a_release_passes_through_a_job_with_a_cache() {
    let Some(pipeline) = pipeline() else { return };
    let mut jobs = vec!["packages", "container", "sign", "upload", "release"];
    let mut at = 0;
    while let Some(name) = jobs.get(at) {
        let job = &pipeline[name];
        let cache = &job["cache"];
        assert!(cache.is_null() || cache.as_array().is_some_and(Vec::is_empty), "{name} restores {cache}");
        // Without `needs`, a job gets the artifacts of all earlier stages.
        for need in job["needs"].as_array().unwrap_or_else(|| panic!("{name} has no needs")) {
            let from = need.as_str().or(need["job"].as_str()).unwrap();
            if need["artifacts"] != false && !jobs.contains(&from) {
                jobs.push(from);
            }
        }
        at += 1;
    }
    for name in ["build", "reproducible", "package"] {
        assert!(jobs.contains(&name), "{jobs:?}");
    }
    // Others have one, so this looks at the right place.
    assert!(pipeline["test"]["cache"][0].is_object());
}

/// The tools of `.ci/package`: each does what the script needs of it, and nothing else.
const TOOLS: [(&str, &str); 2] = [
    (
        "cargo",
        "case $1 in\nrun) mkdir -p \"$7\"; echo page >\"$7/ci-creds.1\" ;;\ntree) echo 'ci-creds v1.2.3' ;;\n\
         cyclonedx) echo '{\"metadata\": {\"component\": {\"bom-ref\": \"a\"}}, \"components\": [], \"dependencies\": []}' \
         >ci-creds.cdx.json ;;\nesac\n",
    ),
    ("nfpm", "eval \"${TAMPER:-}\"\n"),
];

/// Packs two stand-ins for the programs, which `built` names. `tamper` is what a tool does beside its work.
fn package(root: &Path, built: &str, tamper: &str) -> Run {
    let dist = root.join("dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir(&dist).unwrap();
    for arch in ["x86_64", "aarch64"] {
        let program = dist.join(format!("ci-creds-linux-{arch}"));
        fs::write(&program, format!("#!/bin/sh\necho {arch}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    Cmd::program(root.join(".ci/package"))
        .args(["1.2.3", "dist"])
        .args(built.split_whitespace())
        .env("PATH", format!("{}:{}", root.join("tools").display(), with_system_tools()))
        .env("HOME", root)
        .env("TAMPER", tamper)
        .dir(root)
        .run()
}

#[test]
fn a_program_that_was_changed_on_the_way_is_not_packed() {
    let (Some(git), Some(_)) = (require("git"), require("jq")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join(".ci/metadata")).unwrap();
    fs::create_dir(root.join("tools")).unwrap();
    for name in
        [".ci/package", ".ci/metadata/mise.toml", "Cargo.toml", "LICENSE", "README.md", "CHANGELOG.md"]
    {
        fs::copy(source(name), root.join(name)).unwrap();
    }
    for (name, text) in TOOLS {
        fs::write(root.join("tools").join(name), format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(root.join("tools").join(name), Permissions::from_mode(0o755)).unwrap();
    }
    for args in [
        &["init", "-q"][..],
        &[
            "-c",
            "user.name=alice",
            "-c",
            "user.email=alice@example.com",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ],
    ] {
        output(Command::new(&git).current_dir(root).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null"));
    }
    let sums = root.join("dist/SHA256SUMS");
    package(root, "", "").expect(0);
    for arch in ["x86_64", "aarch64"] {
        let program = format!("ci-creds-linux-{arch}");
        let sum = output(Command::new("sha256sum").arg(&program).current_dir(root.join("dist")));
        fs::write(root.join(format!("reproduced-{arch}")), sum).unwrap();
    }
    let both = "reproduced-x86_64 reproduced-aarch64";
    package(root, both, "").expect(0);
    assert!(fs::read_to_string(&sums).unwrap().contains("  ci-creds-linux-aarch64\n"));
    for (built, tamper) in [
        // A tool that changes a program, or what was made of it.
        (both, "echo evil >dist/ci-creds-linux-x86_64"),
        ("", "echo evil >dist/ci-creds-linux-aarch64"),
        (
            both,
            "tar -czf dist/ci-creds-1.2.3-linux-x86_64.tar.gz --transform 's,LICENSE,ci-creds-1.2.3-linux-x86_64/ci-creds,' LICENSE",
        ),
        // One of the two was not reproduced.
        ("reproduced-x86_64", ""),
        // What was reproduced is another program.
        ("reproduced-x86_64 Cargo.toml", ""),
    ] {
        let run = package(root, built, tamper);
        assert!(run.code == 1 && !sums.exists(), "{built} {tamper}: {run}");
    }
}
