//! Ways out that nobody means: a name that resolves elsewhere, a header that is left out, a signal that nobody hears.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cmd, Fake, Reply, eventually, jwt, require, secret};

/// A run against this server that needs no login.
fn with_token(addr: &str) -> Cmd {
    Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", addr).env("VAULT_TOKEN", secret())
}

#[test]
fn localhost_is_this_machine_whatever_etc_hosts_says() {
    if require("unshare").is_none() || require("mount").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.9 localhost\n").unwrap();
    let fake = Fake::vault();
    let port = fake.addr.rsplit(':').next().unwrap();
    let cmd = with_token(&format!("http://localhost:{port}")).env("VAULT_MAX_RETRIES", "0");
    let script = "mount --bind \"$HOSTS\" /etc/hosts && exec \"$@\"";
    let arguments = ["-r", "-m", "--", "/bin/sh", "-c", script, "sh"];
    let cmd = cmd.wrapped("/usr/bin/unshare", arguments).env("HOSTS", &hosts).env("PATH", "/usr/bin:/bin");
    cmd.run().expect(0);
    assert!(!fake.seen().is_empty());
    let doctor = Cmd::new(["doctor", "exoscale", "ci"]).inherit(&cmd);
    let run = doctor.wrapped("/usr/bin/unshare", arguments).run();
    assert!(run.stdout.contains("127.0.0.1") && !run.stdout.contains("127.0.0.9"), "{run}");
}

#[test]
fn plain_http_is_allowed_to_vault_alone() {
    let far = "http://192.0.2.1:9";
    let vault = Fake::vault();
    let rotate =
        ["rotate", "--token-role", "issuing", "--approle", "ci", "--project", "22", "--gitlab-url", far];
    let mint = ["scaleway", "ci", "--mint", "--application-id", "8e9d0b7c-1a2b-4c3d-8e4f-0123456789ab"];
    for (arguments, variable) in
        [(&rotate[..], "CI"), (&mint, "SCW_API_URL"), (&["aws", "ci", "--wait"], "AWS_ENDPOINT_URL_STS")]
    {
        let cmd =
            with_token(&vault.addr).env("CI_CREDS_ALLOW_HTTP", "true").env("CI_CREDS_GITLAB_TOKEN", secret());
        let cmd = cmd.env("NO_COLOR", "1");
        let run = Cmd::new(arguments).inherit(&cmd).env(variable, far).run().expect(3);
        assert!(run.stderr.contains("hint: use https; --allow-http is for Vault alone"), "{run}");
    }
}

#[test]
fn the_command_gets_nothing_that_logs_in() {
    let vault = Fake::vault();
    let logs_in = [
        "CI_CREDS_GITLAB_TOKEN",
        "CI_CREDS_GITLAB_TOKEN_FILE",
        "VAULT_TOKEN_PATH",
        "BAO_TOKEN_PATH",
        "VAULT_TOKEN",
        "VAULT_SECRET_ID",
        "VAULT_WRAPPED_SECRET_ID",
        "CI_CREDS_SECRET_ID_FILE",
        "CI_CREDS_WRAPPED_SECRET_ID_FILE",
        "CI_CREDS_ID_TOKEN_FILE",
        "CI_JOB_JWT",
    ];
    let cmd = with_token(&vault.addr).env("VAULT_AUTH_METHOD", "token").env("PATH", "/usr/bin:/bin");
    let cmd = logs_in.iter().fold(cmd, |cmd, name| cmd.env(name, "/nowhere"));
    let run = cmd.args(["--", "env"]).may_show_secrets().run().expect(0);
    let left: Vec<_> = run
        .stdout
        .lines()
        .filter(|line| logs_in.iter().any(|name| line.starts_with(&format!("{name}="))))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The runner's own AWS identity logs in: the command gets none of the place that was used, and keeps the others.
#[test]
fn the_command_gets_no_aws_identity_that_logged_in() {
    let document = json!({"AccessKeyId": "AKIACONTAINER", "SecretAccessKey": secret(), "Token": "t",
        "Expiration": "2099-01-01T00:00:00Z"});
    let container = Fake::new(move |_| Reply::Json(200, document.clone()));
    let sts = Fake::new(|_| Reply::text(200, WEB_IDENTITY));
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let profile = file("profile", "[web]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n");
    let (token, creds) = (file("token", &jwt::mint(json!({}))), format!("{}/creds", container.addr));
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
    let shared = [("AWS_PROFILE", "web"), ("AWS_SHARED_CREDENTIALS_FILE", &profile)];
    let endpoint =
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", creds.as_str()), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t")];
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str())];
    let others = [
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web"),
        ("AWS_ENDPOINT_URL_STS", &sts.addr),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let left = |method: &str, source: &[&str], set: &[(&str, &str)]| {
        let vault = Fake::vault();
        let cmd =
            Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).env("VAULT_AUTH_METHOD", method);
        let cmd = cmd.env("VAULT_TOKEN", secret()).env("PATH", "/usr/bin:/bin").envs(others);
        let run =
            cmd.envs(set.iter().copied()).args(source).args(["--", "env"]).may_show_secrets().run().expect(0);
        let given = |name: &&str| run.stdout.lines().any(|line| line.starts_with(&format!("{name}=")));
        assert!(others.iter().all(|(name, _)| given(name)), "{run}");
        set.iter().map(|(name, _)| *name).filter(given).map(str::to_owned).collect::<Vec<_>>()
    };
    let names = |set: &[(&str, &str)]| set.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    for set in [&keys[..], &web, &shared, &endpoint] {
        assert_eq!(left("aws", &[], set), Vec::<String>::new());
        assert_eq!(left("token", &[], set), names(set), "no login used them");
    }
    // What an earlier `ci-creds aws` gave the job stays the job's.
    let both = [&keys[..], &endpoint].concat();
    assert_eq!(left("aws", &["--aws-source", "container"], &both), names(&keys));
    assert_eq!(left("aws", &[], &both), names(&endpoint));
}

/// What STS answers.
const WEB_IDENTITY: &str = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>s\
    </SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
    </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";

#[test]
fn read_sets_no_name_that_runs_or_redirects_the_next_program() {
    for name in [
        "BASH_LOADABLES_PATH",
        "GLIBC_TUNABLES",
        "GIT_EXEC_PATH",
        "_JAVA_OPTIONS",
        "DOTNET_STARTUP_HOOKS",
        "OPENSSL_CONF",
        "RUBYLIB",
        "PERL5DB",
        "LUA_INIT",
        "TF_CLI_ARGS_apply",
        "npm_config_script_shell",
        "VIMINIT",
        "VAULT_ADDR",
        "VAULT_SERVER_URL",
        "BAO_CACERT",
        "VAULT_CAPATH",
        "VAULT_TLS_SERVER_NAME",
        "BAO_SKIP_VERIFY",
        "VAULT_PROXY_ADDR",
        "CI_CREDS_STATE_FILE",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NODE_PATH",
        "SSL_CERT_FILE",
        "CLASSPATH",
        "ZDOTDIR",
        "SSLKEYLOGFILE",
        "GIT_SSH",
        "MAKEFLAGS",
        "LUA_INIT_5_4",
        "LUA_CPATH_5_4",
        "R_PROFILE_USER",
        "CORECLR_PROFILER_PATH_64",
        "GIT_SSL_CAPATH",
        "MFLAGS",
        "RUSTC",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "NPM_config_x",
        "TAR_OPTIONS",
        "RSYNC_RSH",
        "BUN_OPTIONS",
        "AWS_PAGER",
        "TERRAGRUNT_TFPATH",
    ] {
        let run = with_token("http://127.0.0.1:9").clone();
        let run = Cmd::new(["read", "kv/a", &format!("{name}=b")]).inherit(&run).run().expect(2);
        assert!(
            run.stderr.contains(&format!("{name} changes how a shell or the next program runs")),
            "{run}"
        );
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_named_and_nothing_is_sent() {
    let gitlab = Fake::new(|_| Reply::text(401, r#"{"message":"401 Unauthorized"}"#));
    let vault = Fake::vault();
    for token in [format!("glpat-{}\nx", secret()), format!("{}é", secret()), format!("a {}", secret())] {
        let rotate = ["rotate", "--token-role", "issuing", "--approle", "ci", "--project", "22"];
        let cmd = Cmd::new(rotate).args(["--gitlab-url", &gitlab.addr]).env("VAULT_TOKEN", secret());
        let cmd = cmd.env("VAULT_ADDR", &vault.addr);
        let run = cmd.clone().env("CI_CREDS_GITLAB_TOKEN", &token).run_both().expect(3);
        assert!(
            run.stderr.contains("CI_CREDS_GITLAB_TOKEN has blanks or characters that can't be sent"),
            "{run}"
        );
        let run = cmd.args(["--gitlab-token-file", "-"]).stdin(token).run().expect(3);
        assert!(run.stderr.contains("(--gitlab-token-file) has blanks or characters"), "{run}");
    }
    assert!(gitlab.seen().is_empty() && vault.seen().is_empty());
}

#[test]
fn an_aws_value_that_no_header_can_carry_is_named_and_nothing_is_sent() {
    let (vault, container) = (Fake::vault(), Fake::new(|_| Reply::text(500, "")));
    let creds = format!("{}/creds", container.addr);
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let endpoint = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", creds.as_str()), ("AWS_REGION", "eu-west-1")];
    let base = |set: &[(&str, &str)]| {
        let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).envs(set.iter().copied());
        cmd.env("VAULT_AUTH_METHOD", "aws").env("AWS_EC2_METADATA_DISABLED", "true")
    };
    for bad in [format!("{}\nx", secret()), format!("{}é", secret())] {
        for (name, set) in [
            ("AWS_SESSION_TOKEN", &keys),
            ("AWS_SECURITY_TOKEN", &keys),
            ("AWS_ACCESS_KEY_ID", &keys),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &endpoint),
        ] {
            let run = base(set).env(name, &bad).run().expect(3);
            assert!(run.stderr.contains(&format!("{name} has characters that can't be sent")), "{run}");
        }
    }
    let run = base(&keys).env("CI_CREDS_AWS_SERVER_ID", "vaulté").run().expect(3);
    assert!(run.stderr.contains("CI_CREDS_AWS_SERVER_ID must be text that a header can carry"), "{run}");
    let run = base(&keys).args(["--aws-server-id", "vaulté"]).run().expect(2);
    assert!(run.stderr.contains("--aws-server-id must be text that a header can carry"), "{run}");
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("profile");
    let text = "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\naws_session_token = ";
    std::fs::write(&profile, format!("{text}{}é\n", secret())).unwrap();
    let run = base(&[("AWS_SHARED_CREDENTIALS_FILE", profile.to_str().unwrap())]).run().expect(3);
    let said = "the session token of the shared profile has characters that can't be sent";
    assert!(run.stderr.contains(said), "{run}");
    assert!(vault.seen().is_empty() && container.seen().is_empty());
}

#[test]
fn a_parent_that_no_header_can_carry_is_named_and_nothing_is_sent() {
    let scaleway = Fake::new(|_| Reply::text(401, r#"{"type":"denied_authentication"}"#));
    let vault = Fake::new(|seen| {
        if seen.is_revocation() {
            Reply::Vault
        } else {
            Reply::Json(
                200,
                json!({"data": {"access_key": "SCWX", "secret_key": format!("{}\nx", secret())}}),
            )
        }
    });
    let id = "8e9d0b7c-1a2b-4c3d-8e4f-0123456789ab";
    let run = Cmd::new(["scaleway", "ci", "--mint", "--application-id", id])
        .env("VAULT_ADDR", &vault.addr)
        .env("VAULT_TOKEN", secret())
        .env("SCW_API_URL", &scaleway.addr)
        .run()
        .expect(3);
    assert!(
        run.stderr.contains("Scaleway's secret key, as Vault gave it, has characters that can't be sent"),
        "{run}"
    );
    assert!(scaleway.seen().is_empty());
}

#[test]
fn doctor_at_the_desk_hears_signals_while_it_reads() {
    let vault = Fake::new(|seen| {
        if seen.line.contains("sys/health") {
            Reply::Json(200, json!({"initialized": true, "sealed": false, "version": "2.7.2"}))
        } else {
            Reply::Json(200, json!({"data": {"user_claim": "sub", "role_type": "jwt"}}))
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    crate::support::fifo(&fifo);
    for flag in ["--claims", "--from-job"] {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let before = vault.seen().len();
            let running = Cmd::new(["doctor", "auth/jwt/role/ci", flag, "-"])
                .wrapped("/bin/sh", ["-c", "exec \"$@\" <>\"$FIFO\"", "sh"])
                .env("FIFO", &fifo)
                .env("VAULT_ADDR", &vault.addr)
                .env("VAULT_TOKEN", secret())
                .spawn();
            eventually("the configuration was read", || {
                vault.seen()[before..].iter().any(|seen| seen.line.contains("auth/jwt/config"))
            });
            std::thread::sleep(Duration::from_millis(200));
            let asked = Instant::now();
            running.signal(signal);
            let run = running.wait();
            assert_eq!(run.code, code, "{run}");
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        }
    }
}

#[test]
fn a_jwt_login_names_the_job_in_its_user_agent() {
    let agent = |change: &dyn Fn(Cmd) -> Cmd| {
        let vault = Fake::vault();
        let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr);
        let cmd = cmd
            .env("VAULT_ID_TOKEN", jwt::mint(json!({})))
            .env("CI_PROJECT_ID", "22")
            .env("CI_JOB_ID", "4711");
        change(cmd).run().expect(0);
        let seen = vault.seen();
        let of = |login| {
            let one = seen.iter().find(|seen| seen.is_login() == login);
            one.and_then(|seen| seen.header("user-agent")).unwrap_or_default().to_owned()
        };
        let usual = format!("ci-creds/{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(of(false), usual, "only the login names the job");
        of(true).replace(&usual, "ci-creds")
    };
    assert_eq!(agent(&|cmd| cmd), "ci-creds (gitlab; project 22; job 4711)");
    assert_eq!(agent(&|cmd| cmd.args(["--no-metadata"])), "ci-creds");
    assert_eq!(agent(&|cmd| cmd.no_env("CI_JOB_ID")), "ci-creds");
    assert_eq!(agent(&|cmd| cmd.env("CI_JOB_ID", "4711) evil\u{e9}")), "ci-creds");
    assert_eq!(agent(&|cmd| cmd.env("CI_JOB_ID", "4711\r\nX-Vault-Token: x")), "ci-creds");
}
