//! The shared files, beside botocore itself: whose credentials sign, or that nobody's do.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Cmd, Fake, Reply, fake, python};

/// What botocore finds: an access key, a session token, or the name of an error.
const BOTOCORE: &str = "
import botocore.session
try:
    found = botocore.session.Session().get_credentials()
    print(found.access_key, found.token or '-') if found else print('none')
except Exception as error:
    print('error', type(error).__name__)
";

const PAIR: &str = "aws_access_key_id = AKIAFILE\naws_secret_access_key = s\n";

/// What is in the credentials file, in the config file, and in the environment.
fn table() -> Vec<(String, String, Option<&'static str>)> {
    let none = String::new;
    vec![
        (format!("[default]\n{PAIR}"), none(), None),
        (format!("[default]\n{PAIR}stray line\n"), none(), None),
        (format!("stray\n[default]\n{PAIR}"), none(), None),
        ("[default]\naws_access_key_id = AKIAFILE\n".to_owned(), none(), None),
        ("[default]\naws_secret_access_key = s\n".to_owned(), none(), None),
        (format!("[default]\n{PAIR}aws_security_token = old\n"), none(), None),
        (format!("[default]\n{PAIR}aws_security_token = old\naws_session_token = new\n"), none(), None),
        (format!("[default]\n{PAIR}aws_session_token = new\n"), none(), None),
        (format!("[default]\n{PAIR}[default]\n{PAIR}"), none(), None),
        (format!("[default]\n{PAIR}{PAIR}"), none(), None),
        (
            "# a remark\n[default]\n; another\nAWS_ACCESS_KEY_ID: AKIAFILE\naws_secret_access_key=s=\n"
                .to_owned(),
            none(),
            None,
        ),
        (none(), format!("[default]\n{PAIR}"), None),
        (none(), format!("[profile default]\n{PAIR}"), None),
        (none(), format!("[profile \"my web\"]\n{PAIR}"), Some("my web")),
        (none(), format!("[profile web]\ns3 =\n  max = 3\n{PAIR}"), Some("web")),
        (none(), "[default]\naws_access_key_id = AKIAFILE\n".to_owned(), None),
        (none(), format!("[default]\n{PAIR}stray\n"), None),
        (format!("[web]\n{PAIR}"), none(), Some("web")),
        (none(), "[default]\nregion = eu-west-1\n".to_owned(), None),
        (none(), none(), None),
        // What is not done here must stop the search: the container would sign as somebody else.
        (format!("[default]\n{ROLE}source_profile = base\n[base]\n{PAIR}"), none(), None),
        (none(), format!("[profile web]\n{ROLE}source_profile = web\n{PAIR}"), Some("web")),
        (none(), format!("[default]\n{ROLE}credential_source = Environment\n"), None),
        (none(), format!("[default]\n{ROLE}web_identity_token_file = /nonexistent/token\n"), None),
        (none(), format!("[default]\n{ROLE}web_identity_token_file = /nonexistent/token\n{PAIR}"), None),
        (none(), "[default]\ncredential_process = /nonexistent/program\n".to_owned(), None),
        (none(), format!("[default]\ncredential_process = /nonexistent/program\n{PAIR}"), None),
        // Keys in the credentials file come before a program that the config file names.
        (
            format!("[default]\n{PAIR}"),
            "[default]\ncredential_process = /nonexistent/program\n".to_owned(),
            None,
        ),
        (none(), format!("[default]\n{SSO}{PAIR}"), None),
        (format!("[default]\n{PAIR}"), format!("[default]\n{SSO}"), None),
    ]
}

const ROLE: &str = "role_arn = arn:aws:iam::123456789012:role/web\n";
const SSO: &str = "sso_start_url = http://127.0.0.1:1/start\nsso_region = eu-west-1\nsso_account_id = 123456789012\n\
                   sso_role_name = web\n";

#[test]
fn the_same_credentials_sign_as_botocores() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks/requirements.txt");
    let Some(bin) = python("test-sdks", &list) else { return };
    let container = Fake::new(|_| {
        Reply::Json(
            200,
            json!({"AccessKeyId": "AKIACONTAINER", "SecretAccessKey": "s", "Token": "-",
            "Expiration": "2099-01-01T00:00:00Z"}),
        )
    });
    let mut wrong = Vec::new();
    for (credentials, config, profile) in table() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".aws")).unwrap();
        for (name, text) in [("credentials", &credentials), ("config", &config)] {
            if !text.is_empty() {
                std::fs::write(dir.path().join(".aws").join(name), text).unwrap();
            }
        }
        let env = [
            ("HOME", dir.path().to_str().unwrap()),
            ("AWS_EC2_METADATA_DISABLED", "TRUE"),
            // botocore asks nobody else.
            ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/creds", container.addr)),
        ];
        let profile = profile.map(|profile| ("AWS_PROFILE", profile));
        let mut theirs = Command::new(bin.join("python"));
        let theirs = theirs.args(["-c", BOTOCORE]).env_clear().envs(env).envs(profile).output();
        let theirs = String::from_utf8(theirs.unwrap().stdout).unwrap();
        let vault = Fake::vault();
        let cmd = Cmd::new(["exoscale", "ci"]).env("VAULT_ADDR", &vault.addr).env("VAULT_AUTH_METHOD", "aws");
        let run = cmd.envs(env).envs(profile).may_show_secrets().run();
        let login = vault.seen().into_iter().find(fake::Seen::is_login);
        let what = format!("{credentials}\n{config}\nbotocore: {theirs}\n{run}");
        let same = match (theirs.split_once(' '), login) {
            (Some(("error", _)), login) => login.is_none() && run.code == 3,
            (Some((key, token)), Some(login)) => {
                let headers = login.json()["iam_request_headers"].as_str().unwrap().to_owned();
                let headers = String::from_utf8(decoded(&headers)).unwrap();
                let token = token.trim();
                let sent = headers.contains(&format!("\"x-amz-security-token\":[\"{token}\"]"));
                headers.contains(&format!("Credential={key}/")) && (sent || token == "-")
            }
            (_, login) => theirs.trim() == "none" && login.is_none(),
        };
        if !same {
            wrong.push(what);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table().len(), wrong.join("\n----\n"));
}

/// Standard base64, as Vault takes it.
fn decoded(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.chars().filter_map(|letter| letters.find(letter)) {
        bits = bits << 6 | u32::try_from(letter).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}
