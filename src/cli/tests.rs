use super::*;

fn parsed(line: &str) -> Result<Parsed, clap::Error> {
    parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
}

#[test]
fn the_definition_is_sound() {
    let mut command = command();
    command.build();
    command.debug_assert();
}

#[test]
fn flags_come_through_as_text() {
    let parsed = parsed("ci-creds aws web --region eu-west-1 --show -vv --and exoscale=ci").unwrap();
    assert_eq!(parsed.flags.0.get("region").map(|values| values[0].as_str()), Some("eu-west-1"));
    assert_eq!(parsed.flags.one(&options::SHOW), Some("true"));
    assert_eq!(parsed.flags.all(&options::VERBOSE).len(), 2);
    assert!(matches!(&parsed.verb, Verb::Provider(ask) if ask.role.as_deref() == Some("web")));
    assert!(matches!(&parsed.and[..], [Some(ask)] if ask.provider.name == "exoscale"));
}

#[test]
fn doctor_is_called_like_the_run() {
    let run = |line| match parsed(line).unwrap().verb {
        Verb::Doctor(Doctor { subject: Subject::Run(verb), .. }) => *verb,
        other => panic!("{line}: {other:?}"),
    };
    let Verb::Read(paths) = run("ci-creds doctor read db/creds/web A=b C=d kv/x --data k=v E=f") else {
        panic!()
    };
    let paths: Vec<_> =
        paths.iter().map(|one| (one.path.as_str(), one.names.len(), one.data.len())).collect();
    assert_eq!(paths, [("db/creds/web", 2, 0), ("kv/x", 1, 1)]);
    let aws = run("ci-creds doctor aws web --role-arn A --region eu-west-1 --wait -- terraform apply");
    assert!(matches!(aws, Verb::Provider(ask) if ask.role.as_deref() == Some("web")));
    assert!(matches!(run("ci-creds doctor login"), Verb::Login));
}

#[test]
fn what_stands_behind_the_dashes_is_the_commands() {
    let parsed = parsed("ci-creds read a B=c --no-mask -- sh -c --show -v").unwrap();
    assert_eq!(parsed.command, ["sh", "-c", "--show", "-v"]);
    assert_eq!(parsed.flags.one(&options::NO_MASK), Some("true"));
    assert!(parsed.flags.one(&options::SHOW).is_none());
}

/// What people type out of habit either works, or the answer says what does.
#[test]
fn habits_are_met() {
    for line in
        ["ci-creds -v exoscale", "ci-creds --addr https://v.example exoscale", "ci-creds --quiet aws web"]
    {
        assert!(matches!(parsed(line).unwrap().verb, Verb::Provider(_)), "{line}");
    }
    assert_eq!(
        parsed("ci-creds --addr https://aws exoscale").unwrap().flags.one(&options::ADDR),
        Some("https://aws")
    );
    let told = |line| parsed(line).unwrap_err();
    for (line, like) in [
        ("ci-creds help", "ci-creds --help"),
        ("ci-creds help aws", "ci-creds aws --help"),
        ("ci-creds version", "ci-creds --version"),
    ] {
        let error = told(line);
        assert!(!error.use_stderr(), "{line}");
        assert_eq!(error.to_string(), told(like).to_string(), "{line}");
    }
    for (line, tip) in [
        ("ci-creds aws --role web", "tip: the role is an argument: ci-creds aws web\n"),
        ("ci-creds aws --role=web", "tip: the role is an argument: ci-creds aws web\n"),
        ("ci-creds exoscale --json", "tip: write --format json\n"),
        ("ci-creds exoscale --token abc", "tip: no secret is ever an argument: set VAULT_TOKEN\n"),
        ("ci-creds exoscale packer build x", "behind `--`: ci-creds exoscale -- packer build x\n"),
        ("ci-creds -q exoscale packer build x", "behind `--`: ci-creds exoscale -- packer build x\n"),
        ("ci-creds exoscale ci aws", "with --and: ci-creds exoscale --and aws\n"),
    ] {
        let error = told(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(tip), "{line}: {error}");
    }
}

#[test]
fn a_command_without_its_dashes_is_told_so() {
    let error = |line| parsed(line).unwrap_err().to_string();
    assert!(error("ci-creds exoscale sh -c true").contains("stands behind `--`"));
    assert!(error("ci-creds exoscale --fromat json").contains("'--format'"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "ci-creds",
        "ci-creds exoscal",
        "ci-creds exoscale --and nope",
        "ci-creds read a",
        "ci-creds aws a b",
        "ci-creds doctor aws a b",
        "ci-creds doctor read a",
        "ci-creds doctor nope",
        "ci-creds aws a --",
        "ci-creds revoke -- sh",
    ] {
        assert!(parsed(line).is_err(), "{line}");
    }
}
