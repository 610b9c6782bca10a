//! A secret where a path, a name or an address is meant: GitLab's "Variable" instead of "File", a variable's value
//! instead of its name. Every option and every variable gets each of them, in an error, in doctor's reports and at -vv.

use ci_creds::testing::options::{self, Opt, Takes};
use ci_creds::testing::provider::PROVIDERS;

use crate::support::{CANARY, Cmd, Fake, canary};

/// What stands in the wrong place; the canary is in all of them but the UUID, which has no room for it.
pub(super) fn contents() -> Vec<(&'static str, String)> {
    let pem = |kind: &str| {
        format!("-----BEGIN {kind}-----\nMIIE{CANARY}vQIBADANBg\nkq{CANARY}==\n-----END {kind}-----\n")
    };
    vec![
        ("a private key", pem("PRIVATE KEY")),
        ("a certificate", pem("CERTIFICATE")),
        ("a JWT", format!("eyJhbGciOiJSUzI1NiJ9.eyJ{CANARY}wIn0.c2ln{CANARY}")),
        ("a Vault token", format!("hvs.{CANARY}CAESIJk3bXl0b2tlbg")),
        ("an OpenBao token", format!("s.{CANARY}0123456789ab")),
        ("a GitLab token", format!("glpat-{CANARY}0123456789")),
        ("a UUID", UUID.to_owned()),
        ("a GitHub token", format!("ghp_{CANARY}aB3dE5fG7hI9jK1lM3nO5pQ7")),
        ("two lines", format!("web\n{CANARY}")),
        ("a token in quotes", format!("\"hvs.{CANARY}CAESIJk3bXl0b2tlbg\"")),
        ("a JWT with its scheme", format!("Bearer eyJhbGciOiJSUzI1NiJ9.eyJ{CANARY}wIn0.c2ln{CANARY}")),
        ("a token with its name", format!("TOKEN=glpat-{CANARY}0123456789")),
        ("a key in DER", DER.to_owned()),
        ("a long text", format!("{CANARY}{}", "x".repeat(300))),
    ]
}

/// A P-256 key, which opens nothing, as `openssl pkcs8 -topk8 -outform DER | base64 -w0` prints it.
const DER: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfMehefPms/mtV79uV3LRGtPSCHmlw9qctBa8obAu28KhRANCAARBaSNxmldVdEfiNXUrHNzN4NFfk/AHfSJyOEXEe5L4Jadti8hv98CPISBy2/O0y4Z2q8m6XUNCMORxUOiCcYkD";

const UUID: &str = "8e9d0b7c-1a2b-4c3d-8e4f-0123456789ab";

/// Variables that no option has, and what else a run looks at.
pub(super) const MORE: &[&str] = &[
    "HOME",
    "TMPDIR",
    "ALL_PROXY",
    "CI_CREDS_ROLE",
    "CI_CREDS_AWS_ROLE",
    "CI_CREDS_EXOSCALE_ROLE",
    "CI_CREDS_SCALEWAY_ROLE",
    "CI_CREDS_GITLAB_TOKEN",
    "CI_PROJECT_DIR",
    "CI_PROJECT_ID",
    "CI_SERVER_URL",
    "CI_API_V4_URL",
    "CI_SERVER_TLS_CA_FILE",
    "CI_JOB_JWT",
    "CI_JOB_JWT_V2",
    "SCW_API_URL",
    "SCW_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ENDPOINT_URL_STS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Nothing listens there: a run gets as far as it can without a server.
pub(super) const NOWHERE: &[(&str, &str)] = &[
    ("VAULT_ADDR", "https://127.0.0.1:9"),
    ("VAULT_MAX_RETRIES", "0"),
    ("VAULT_CLIENT_TIMEOUT", "2s"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// The login that looks at this option or variable.
fn login(name: &str) -> Vec<(&'static str, &'static str)> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let has = |part: &str| name.contains(part);
    if has("secret_id") || has("role_id") || has("wrap") {
        return vec![("VAULT_AUTH_METHOD", "approle"), ("VAULT_ROLE_ID", "ci"), ("VAULT_AUTH_ROLE", "ci")];
    }
    if has("id_token") || has("jwt") {
        return vec![("VAULT_AUTH_METHOD", "jwt"), ("VAULT_AUTH_ROLE", "ci")];
    }
    if has("aws") {
        return vec![("VAULT_AUTH_METHOD", "aws"), ("VAULT_AUTH_ROLE", "ci")];
    }
    if has("client_cert") || has("client_key") {
        return vec![
            ("VAULT_AUTH_METHOD", "cert"),
            ("VAULT_CLIENT_CERT", "/nowhere/cert.pem"),
            ("VAULT_CLIENT_KEY", "/nowhere/key.pem"),
        ];
    }
    if has("token_path") || has("home") {
        vec![("VAULT_AUTH_METHOD", "token")]
    } else {
        vec![("VAULT_AUTH_METHOD", "token"), ("VAULT_TOKEN", "none")]
    }
}

/// The command that has this option.
fn command(name: &str, provider: &'static str) -> Vec<&'static str> {
    let has = |group: &options::Group| group.options.iter().any(|opt| opt.name == name);
    match name {
        "data" | "allow-any-name" => vec!["read", "kv/web", "PASSWORD=password"],
        _ if has(&options::ROTATE)
            || name.contains("GITLAB")
            || name.contains("CI_SERVER")
            || name.contains("CI_API") =>
        {
            let both = [("token-role", "--token-role=issuing"), ("approle", "--approle=ci")];
            let others = both.iter().filter(|(option, _)| *option != name).map(|(_, typed)| *typed);
            ["rotate"].into_iter().chain(others).collect()
        }
        _ if has(&options::REVOKE) => vec!["revoke"],
        _ if has(&options::SCANNING) => vec!["scan", "/nowhere"],
        _ => vec![provider, "ci"],
    }
}

/// A command line with the value in it.
type Typed = fn(&str) -> Vec<String>;
/// One place for a value: the arguments and variables of a run with that value.
type Way = Box<dyn Fn(&str) -> Cmd>;

fn ways() -> Vec<(String, Way)> {
    let mut ways: Vec<(String, Way)> = Vec::new();
    let mut rows: Vec<(&'static Opt, &'static str)> = Vec::new();
    for group in [&options::VAULT, &options::LOGIN, &options::ENGINE, &options::OUTPUT] {
        rows.extend(group.options.iter().map(|opt| (*opt, "aws")));
    }
    for group in [&options::COMMAND, &options::REVOKE, &options::SCANNING, &options::READ, &options::ROTATE] {
        rows.extend(group.options.iter().map(|opt| (*opt, "aws")));
    }
    for provider in PROVIDERS {
        rows.extend(provider.options.iter().map(|option| (option.opt, provider.name)));
    }
    let base = |name: &str, provider: &'static str| {
        let cmd = Cmd::new(command(name, provider)).envs(NOWHERE.iter().copied()).envs(login(name));
        if name == "project-id" || name == "application-id" { cmd.args(["--mint"]) } else { cmd }
    };
    for (opt, provider) in rows {
        if matches!(opt.takes, Takes::Value(_) | Takes::Values(_)) {
            let flag = format!("--{}", opt.name);
            ways.push((
                flag.clone(),
                Box::new({
                    let flag = flag.clone();
                    move |text| base(opt.name, provider).args([&format!("{flag}={text}")])
                }),
            ));
            ways.push((
                format!("{flag} apart"),
                Box::new(move |text| base(opt.name, provider).args([&flag, text])),
            ));
        }
        if opt.takes != Takes::Count {
            for variable in opt.variables(Some(provider)) {
                ways.push((
                    variable.clone(),
                    Box::new(move |text| base(opt.name, provider).env(&variable, text)),
                ));
            }
        }
    }
    let only = options::VARIABLES.options.iter().flat_map(|row| row.variables(None));
    let usual = options::USUAL.options.iter().map(|row| row.name.to_owned());
    for variable in only.chain(usual).chain(MORE.iter().map(|name| (*name).to_owned())) {
        let provider =
            if variable.contains("SCALEWAY") || variable.contains("SCW") { "scaleway" } else { "aws" };
        ways.push((
            variable.clone(),
            Box::new(move |text| {
                let cmd = if variable.contains("ROLE") && variable.starts_with("CI_CREDS") {
                    Cmd::new([provider]).envs(NOWHERE.iter().copied()).envs(login(&variable))
                } else {
                    base(&variable, provider)
                };
                let cmd = if variable.contains("SCW") {
                    cmd.args(["--s3", "--mint", "--application-id", UUID])
                } else {
                    cmd
                };
                cmd.env(&variable, text)
            }),
        ));
    }
    let typed = |arguments: Typed| -> Way {
        Box::new(move |text| {
            let token = [("VAULT_AUTH_METHOD", "token"), ("VAULT_TOKEN", "none")];
            Cmd::new(arguments(text)).envs(NOWHERE.iter().copied()).envs(token)
        })
    };
    let all: &[(&str, Typed)] = &[
        ("COMMAND", |text| vec![text.into()]),
        ("ROLE", |text| vec!["exoscale".into(), text.into()]),
        ("a word too many", |text| vec!["exoscale".into(), "ci".into(), text.into()]),
        ("--and", |text| vec!["exoscale".into(), "ci".into(), "--and".into(), text.into()]),
        ("--and's role", |text| vec!["exoscale".into(), "ci".into(), format!("--and=aws={text}")]),
        ("an option that is none", |text| vec!["exoscale".into(), format!("--tokn={text}")]),
        ("PATH", |text| vec!["read".into(), text.into(), "A=b".into()]),
        ("NAME", |text| vec!["read".into(), "kv/a".into(), format!("{text}=b")]),
        ("NAME=FIELD", |text| vec!["read".into(), "kv/a".into(), text.into()]),
        ("FIELD", |text| vec!["read".into(), "kv/a".into(), format!("A={text}")]),
        ("--data's name", |text| {
            vec!["read".into(), "kv/a".into(), "A=b".into(), format!("--data={text}=@/nowhere")]
        }),
        ("--data's file", |text| {
            vec!["read".into(), "kv/a".into(), "A=b".into(), format!("--data=a=@{text}")]
        }),
        ("the program", |text| vec!["login".into(), "--".into(), text.into()]),
        ("doctor's subject", |text| vec!["doctor".into(), text.into()]),
        ("doctor's role", |text| vec!["doctor".into(), format!("auth/jwt/role/{text}")]),
        ("doctor's role of a provider", |text| vec!["doctor".into(), "exoscale".into(), text.into()]),
        ("doctor's second word", |text| vec!["doctor".into(), "login".into(), text.into()]),
        ("doctor's format", |text| vec!["doctor".into(), format!("--format={text}")]),
        ("doctor's claims", |text| {
            vec!["doctor".into(), "auth/jwt/role/ci".into(), format!("--claims={text}")]
        }),
        ("doctor's line", |text| {
            vec!["doctor".into(), "auth/jwt/role/ci".into(), format!("--from-job={text}")]
        }),
        ("the shell", |text| vec!["completions".into(), text.into()]),
    ];
    ways.extend(all.iter().map(|(name, arguments)| ((*name).to_owned(), typed(*arguments))));
    ways
}

/// The same run as doctor looks at it; `None` for a command that doctor does not know.
fn examined(cmd: &Cmd, format: &str) -> Option<Cmd> {
    let first = cmd.first()?;
    let known =
        PROVIDERS.iter().any(|provider| first == provider.name) || first == "read" || first == "login";
    known.then(|| cmd.clone().before(["doctor".to_owned(), format!("--format={format}")]))
}

/// What of the secrets is in `all`, which a run printed that had one of this kind at this place.
pub(super) fn leak(place: &str, kind: &str, all: &str) -> Option<String> {
    let known = || {
        let key = all.contains(&DER[100..]).then_some("the key");
        key.or_else(|| (kind == "a UUID" && all.contains(UUID) && !takes_uuid(place)).then_some("the UUID"))
    };
    canary::find(all).or_else(|| known().map(str::to_owned))
}

#[test]
fn a_secret_where_a_name_belongs_is_never_shown() {
    let contents = contents();
    let mut leaks = Vec::new();
    let mut runs = 0;
    for (number, (place, way)) in ways().iter().enumerate() {
        for (index, (kind, content)) in contents.iter().enumerate() {
            // Both keys, JWT and UUID each time, another of the rest each time; with `soak`, all of them.
            let rest = [1, 3, 4, 5, 7, 8, 9, 10, 11, 12];
            if !cfg!(feature = "soak")
                && ![0, 2, 6, 13].contains(&index)
                && rest[number % rest.len()] != index
            {
                continue;
            }
            let cmd = way(content);
            let mut modes = vec![("run", Some(cmd.clone().very_verbose()))];
            modes.push(("doctor", examined(&cmd, "plain")));
            modes.push(("doctor's JSON", examined(&cmd, "json")));
            if !cfg!(feature = "soak") && number % 2 == 0 {
                modes.swap_remove(1);
            }
            for (mode, cmd) in modes.into_iter().filter_map(|(mode, cmd)| Some((mode, cmd?))) {
                let run = cmd.may_show_secrets().run();
                runs += 1;
                let all = format!("{}{}", run.stdout, run.stderr);
                let leak = leak(place, kind, &all);
                if let Some(leak) = leak {
                    leaks.push(format!("{place}, {mode}, {kind}: {leak}"));
                }
                assert!(
                    run.code != 101 && run.code != 1 && run.signal.is_none(),
                    "{place}, {mode}, {kind}:\n{run}"
                );
            }
        }
    }
    assert!(runs > 1000, "{runs}");
    assert!(leaks.is_empty(), "{} of {runs}:\n{}", leaks.len(), leaks.join("\n"));
}

/// Where a UUID may stand: it names a role, a mount, a namespace or a project, and is shown like other names.
const UUIDS: &[&str] = &[
    "--namespace",
    "VAULT_NAMESPACE",
    "BAO_NAMESPACE",
    "--auth-namespace",
    "CI_CREDS_AUTH_NAMESPACE",
    "--auth-role",
    "VAULT_AUTH_ROLE",
    "BAO_AUTH_ROLE",
    "--auth-path",
    "VAULT_AUTH_PATH",
    "BAO_AUTH_PATH",
    "--mount",
    "CI_CREDS_AWS_MOUNT",
    "--path",
    "CI_CREDS_AWS_PATH",
    "CI_CREDS_ROLE",
    "CI_CREDS_AWS_ROLE",
    "CI_CREDS_EXOSCALE_ROLE",
    "CI_CREDS_SCALEWAY_ROLE",
    "--token-role",
    "CI_CREDS_TOKEN_ROLE",
    "--approle",
    "CI_CREDS_APPROLE",
    "--approle-path",
    "CI_CREDS_APPROLE_PATH",
    "--project",
    "CI_CREDS_PROJECT",
    "--group",
    "CI_CREDS_GROUP",
    "CI_PROJECT_ID",
    "--aws-server-id",
    "CI_CREDS_AWS_SERVER_ID",
    "--application-id",
    "CI_CREDS_SCALEWAY_APPLICATION_ID",
    "--project-id",
    "CI_CREDS_SCALEWAY_PROJECT_ID",
    "ROLE",
    "--and's role",
    "doctor's role",
    "doctor's role of a provider",
];

fn takes_uuid(place: &str) -> bool {
    UUIDS.contains(&place.trim_end_matches(" apart"))
}

/// A role of Kubernetes or a mount may be named after a project, whose ID is a UUID.
#[test]
fn a_uuid_may_name_a_role_or_a_mount_and_no_file() {
    let ways: Vec<_> = ways().into_iter().collect();
    for place in UUIDS {
        let (_, way) = ways.iter().find(|(name, _)| name == place).unwrap_or_else(|| panic!("{place}"));
        let run = way(UUID).may_show_secrets().run();
        assert!(!run.stderr.contains("a UUID, as secret_ids are"), "{place}: {run}");
    }
    for place in
        ["--ca-cert", "CI_CREDS_SECRET_ID_FILE", "--addr", "--id-token-env", "PATH", "FIELD", "--profile"]
    {
        let (_, way) = ways.iter().find(|(name, _)| name == place).unwrap_or_else(|| panic!("{place}"));
        let run = way(UUID).run();
        assert!(
            [2, 3].contains(&run.code) && run.stderr.contains("a UUID, as secret_ids are"),
            "{place}: {run}"
        );
    }
}

/// Keys and tokens of others, where a name belongs: nothing is sent, and none is shown. Names are sent.
#[test]
fn keys_of_others_are_neither_shown_nor_sent() {
    let letters = format!("{CANARY}aB3dE5fG7hI9jK1lM3nO5pQ7");
    let keys = [
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY".to_owned(),
        "EXO0123456789abcdef01234567".to_owned(),
        "SCW0123456789ABCDEFG".to_owned(),
        format!("ghp_{letters}"),
        format!("github_pat_{letters}_{letters}"),
        format!("glpat-{letters}"),
    ];
    let places: &[(&str, Typed)] = &[
        ("ROLE", |text| vec!["exoscale".into(), text.into()]),
        ("--mount", |text| vec!["exoscale".into(), "ci".into(), format!("--mount={text}")]),
        ("--path", |text| vec!["exoscale".into(), "ci".into(), format!("--path={text}")]),
        ("PATH", |text| vec!["read".into(), text.into(), "A=b".into()]),
        ("FIELD", |text| vec!["read".into(), "kv/a".into(), format!("A={text}")]),
    ];
    let variables = ["CI_CREDS_ROLE", "CI_CREDS_EXOSCALE_ROLE", "CI_CREDS_EXOSCALE_MOUNT", "VAULT_NAMESPACE"];
    for key in &keys {
        let server = Fake::vault();
        let cmd = |arguments: Vec<String>| {
            Cmd::new(arguments).env("VAULT_ADDR", &server.addr).env("VAULT_TOKEN", "none").very_verbose()
        };
        let typed = places.iter().map(|(place, arguments)| (*place, cmd(arguments(key))));
        let set = variables.iter().map(|name| (*name, cmd(vec!["exoscale".into()]).env(name, key)));
        for (place, cmd) in typed.chain(set) {
            let run = cmd.may_show_secrets().run();
            assert!([2, 3].contains(&run.code), "{place}: {run}");
            assert!(!run.stderr.contains(key) && !run.stdout.contains(key), "{place}: {run}");
        }
        assert_eq!(server.lines(), Vec::<String>::new(), "{key}");
    }
    for name in ["WebStack-ProductionDeployRole-1OK4FQ8ZB2", "AWSServiceRoleForAmazonEKSNodegroup20241"] {
        let server = Fake::vault();
        Cmd::new(["exoscale", name])
            .env("VAULT_ADDR", &server.addr)
            .env("VAULT_TOKEN", "none")
            .run()
            .expect(0);
        assert_eq!(server.lines(), [format!("GET /v1/exoscale/apikey/{name}")]);
    }
}

#[test]
fn the_remedy_for_a_key_in_place_of_its_file() {
    let key = &contents()[0].1;
    let run = Cmd::new(["exoscale", "ci"]).envs(NOWHERE.iter().copied()).envs(login("client_key"));
    let run = run.env("VAULT_CLIENT_KEY", key).run_both().expect(3);
    insta::assert_snapshot!(run, @r"
    exit code: 3
    ----- stdout -----
     unset EXOSCALE_API_KEY EXOSCALE_API_SECRET EXOSCALE_KEY EXOSCALE_SECRET EXOSCALE_SECRET_KEY; false && true; (exit 3) && false
    ----- stderr -----
    error: VAULT_CLIENT_KEY holds a private key, not the path of a file; it is not shown
    hint: set VAULT_CLIENT_KEY_BYTES instead, or make the GitLab variable VAULT_CLIENT_KEY one of type File
    ");
}
