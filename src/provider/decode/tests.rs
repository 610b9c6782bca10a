//! Answers as the engines give them, and the credentials that they become.

use super::*;
use crate::error::{Code, Explain as _};
use crate::provider::{Settings, find};

fn decode(provider: &str, options: &[(&'static str, &str)], json: &str) -> Result<Credentials, Error> {
    let options = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let settings = Settings { role: "ci".to_owned(), options, ..Settings::default() };
    let request = find(provider).unwrap().request(&settings);
    let answer: Envelope = serde_json::from_str(json).unwrap();
    request.decode(
        &request.read.path,
        &answer,
        Some(2).filter(|_| json.contains("\"metadata\"")),
        "2026-11-21T10:00:00Z".parse().unwrap(),
    )
}

/// `NAME=value` in order, then `-NAME` for what is unset.
fn shown(credentials: &Credentials) -> Vec<String> {
    let sets = credentials.variables.iter().map(|one| format!("{}={}", one.name, one.value.reveal()));
    sets.chain(credentials.unsets.iter().map(|name| format!("-{name}"))).collect()
}

#[test]
fn exoscale() {
    let answer = r#"{"lease_id":"exoscale/apikey/ci/x","renewable":true,"lease_duration":600,
        "data":{"api_key":"EXO1","api_secret":"s","name":"vault-ci-1"}}"#;
    let credentials = decode("exoscale", &[("zone", "ch-gva-2")], answer).unwrap();
    assert_eq!(
        shown(&credentials),
        [
            "EXOSCALE_API_KEY=EXO1",
            "EXOSCALE_API_SECRET=s",
            "EXOSCALE_ZONE=ch-gva-2",
            "-EXOSCALE_KEY",
            "-EXOSCALE_SECRET",
            "-EXOSCALE_SECRET_KEY"
        ]
    );
    assert_eq!(credentials.path, "exoscale/apikey/ci");
    assert_eq!(credentials.label.as_deref(), Some("vault-ci-1"));
    assert_eq!(credentials.life.unwrap().until.to_string(), "2026-11-21T10:10:00Z");
    assert!(!credentials.outlives_token);
}

#[test]
fn aws_assumed_role_old_and_new() {
    for fields in [
        r#""security_token":"t""#,
        r#""session_token":"t""#,
        r#""session_token":"t","security_token":"old""#,
        r#""session_token":null,"security_token":"t""#,
    ] {
        let answer = format!(
            r#"{{"lease_id":"aws/sts/ci/x","lease_duration":3600,"renewable":false,
                "data":{{"access_key":"A","secret_key":"s",{fields},"arn":"arn:aws:sts::1:assumed-role/r/n","ttl":3599}}}}"#
        );
        let credentials = decode("aws", &[], &answer).unwrap();
        assert_eq!(
            shown(&credentials),
            [
                "AWS_ACCESS_KEY_ID=A",
                "AWS_SECRET_ACCESS_KEY=s",
                "AWS_SESSION_TOKEN=t",
                "AWS_CREDENTIAL_EXPIRATION=2026-11-21T10:59:59Z",
                "-AWS_SECURITY_TOKEN",
                "-AWS_PROFILE",
                "-AWS_DEFAULT_PROFILE"
            ]
        );
        assert!(credentials.outlives_token, "{fields}");
    }
}

#[test]
fn an_aws_user_unsets_the_session_token() {
    let answer = r#"{"lease_id":"aws/creds/ci/x","lease_duration":3600,"renewable":true,
        "data":{"access_key":"A","secret_key":"s","security_token":null}}"#;
    let credentials = decode("aws", &[("region", "eu-west-1")], answer).unwrap();
    assert!(credentials.unsets.contains(&"AWS_SESSION_TOKEN".to_owned()));
    assert!(shown(&credentials).contains(&"AWS_DEFAULT_REGION=eu-west-1".to_owned()));
    assert!(!credentials.outlives_token);
}

#[test]
fn a_static_key_has_no_end_but_its_own() {
    let credentials =
        decode("aws", &[], r#"{"lease_id":"","data":{"access_key":"A","secret_key":"s"}}"#).unwrap();
    assert!(credentials.life.is_none() && credentials.outlives_token);
    assert!(credentials.unsets.contains(&"AWS_CREDENTIAL_EXPIRATION".to_owned()));
    let answer =
        r#"{"lease_id":"","data":{"access_key":"A","secret_key":"s","expiration":"2026-11-21T12:00:00Z"}}"#;
    assert_eq!(decode("aws", &[], answer).unwrap().life.unwrap().ttl.as_secs(), 7200);
}

#[test]
fn scaleway_out_of_kv_version_2() {
    let answer = r#"{"lease_id":"","lease_duration":0,"data":{"data":{"access_key":"SCW1","secret_key":"u",
        "default_project_id":"p","region":"fr-par"},"metadata":{"version":2}}}"#;
    let credentials = decode("scaleway", &[("region", "nl-ams")], answer).unwrap();
    let shown = shown(&credentials);
    assert_eq!(
        &shown[..4],
        ["SCW_ACCESS_KEY=SCW1", "SCW_SECRET_KEY=u", "SCW_DEFAULT_PROJECT_ID=p", "SCW_DEFAULT_REGION=nl-ams"]
    );
    assert!(!shown.iter().any(|one| one.contains("ZONE")), "absent means: as the job has it");
}

#[test]
fn what_is_missing_is_named_and_values_are_not() {
    let error = decode("exoscale", &[], r#"{"data":{"api_key":"CANARY","other":"CANARY"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "the answer of exoscale/apikey/ci has no api_secret");
    assert_eq!(error.notes(), ["its fields: api_key, other"]);
    let error = decode("exoscale", &[], r#"{"data":{"api_key":["CANARY"],"api_secret":"x"}}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer of exoscale/apikey/ci has a field api_key that is not a single value"
    );
    let error = decode("exoscale", &[], r#"{"data":null}"#).unwrap_err();
    assert_eq!(error.to_string(), "the answer of exoscale/apikey/ci has no data");
}

#[test]
fn ends_are_times_and_lives_and_what_is_past_is_refused() {
    let life = |end: &str| {
        let answer = format!(r#"{{"data":{{"access_key":"A","secret_key":"s","expires_at":{end}}}}}"#);
        decode("scaleway", &[], &answer)
            .map(|one| one.life.map(|life| life.ttl.as_secs()))
            .map_err(|error| error.to_string())
    };
    let in_an_hour = "2026-11-21T11:00:00Z".parse::<Timestamp>().unwrap().as_second();
    assert_eq!(life(&in_an_hour.to_string()), Ok(Some(3600)));
    assert_eq!(life(&format!("\"{}\"", Timestamp::from_second(in_an_hour).unwrap())), Ok(Some(3600)));
    assert_eq!(life("\"1h\""), Ok(Some(3600)));
    assert_eq!(life("3600"), Ok(Some(3600)));
    assert_eq!(life("0"), Ok(None));
    assert_eq!(life("\"never\""), Ok(None));
    for past in ["\"2020-01-01T00:00:00Z\"", "1577836800"] {
        assert!(life(past).unwrap_err().contains("ended at 2020-01-01T00:00:00Z"), "{past}");
    }
}

#[test]
fn empty_is_no_value() {
    let aws = r#"{"data":{"access_key":"A","secret_key":"s","session_token":"","security_token":"real"}}"#;
    assert!(shown(&decode("aws", &[], aws).unwrap()).contains(&"AWS_SESSION_TOKEN=real".to_owned()));
    let aws = r#"{"data":{"access_key":"A","secret_key":"s","session_token":" ","security_token":""}}"#;
    assert!(shown(&decode("aws", &[], aws).unwrap()).contains(&"-AWS_SESSION_TOKEN".to_owned()));
    let scaleway = r#"{"data":{"access_key":"SCW","secret_key":"s","project_id":""}}"#;
    assert_eq!(
        shown(&decode("scaleway", &[], scaleway).unwrap())[..2],
        ["SCW_ACCESS_KEY=SCW", "SCW_SECRET_KEY=s"]
    );
    for (provider, answer, field) in [
        ("exoscale", r#"{"data":{"api_key":"","api_secret":"s"}}"#, "api_key"),
        ("exoscale", r#"{"data":{"api_key":"EXO1","api_secret":"\n"}}"#, "api_secret"),
        ("aws", r#"{"data":{"access_key":"A","secret_key":""}}"#, "secret_key"),
        ("scaleway", r#"{"data":{"access_key":"","secret_key":"s"}}"#, "access_key"),
    ] {
        let error = decode(provider, &[], answer).unwrap_err();
        assert!(error.to_string().ends_with(&format!("has a field {field} that is empty")), "{error}");
        assert_eq!(error.code(), Code::Refused);
    }
    // So is a field that is asked for by name: CI systems and shells take an empty variable for one that is not set.
    let pair = crate::provider::Wanted { name: "X".to_owned(), field: "x".to_owned(), file: false };
    let request = Request::custom("kv/app".to_owned(), vec![pair], Vec::new(), Vec::new());
    let answer: Envelope = serde_json::from_str(r#"{"data":{"x":""}}"#).unwrap();
    let error = request.decode("kv/app", &answer, None, Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!((error.to_string().contains("a field x that is empty"), error.code()), (true, Code::Refused));
}

#[test]
fn a_key_loses_the_newline_that_a_file_had() {
    let answer = r#"{"data":{"api_key":"EXO1\n","api_secret":"s\r\n"}}"#;
    let credentials = decode("exoscale", &[], answer).unwrap();
    assert_eq!(shown(&credentials)[..2], ["EXOSCALE_API_KEY=EXO1", "EXOSCALE_API_SECRET=s"]);
    let pair = crate::provider::Wanted { name: "X".to_owned(), field: "pem".to_owned(), file: false };
    let request = Request::custom("kv/app".to_owned(), vec![pair], Vec::new(), Vec::new());
    let answer: Envelope = serde_json::from_str(r#"{"data":{"pem":"-----END\n"}}"#).unwrap();
    let credentials = request.decode("kv/app", &answer, None, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(shown(&credentials), ["X=-----END\n"]);
}

#[test]
fn a_key_file_comes_out_of_base64() {
    let provider = crate::provider::find("exoscale").unwrap();
    let mut request = provider.request(&Settings { role: "ci".to_owned(), ..Settings::default() });
    request.fields[1].form = crate::provider::Form::Base64File;
    let field = request.fields[1].name.clone();
    request.outlives_token = Some(field.clone());
    let decode = |secret: &str| {
        let json = format!(
            r#"{{"lease_id":"a/b/c","lease_duration":600,"data":{{"api_key":"k","api_secret":"{secret}"}}}}"#
        );
        let answer = serde_json::from_str(&json).unwrap();
        request.decode("a/b", &answer, None, "2026-11-21T10:00:00Z".parse().unwrap())
    };
    let credentials = decode("eyJ0eXBlIjoiQ0FOQVJZIn0=").unwrap();
    let files: Vec<_> =
        credentials.files.iter().map(|file| (file.name.as_str(), file.content.reveal())).collect();
    assert_eq!(files, [("EXOSCALE_API_SECRET", r#"{"type":"CANARY"}"#)]);
    assert!(credentials.outlives_token);
    assert_eq!(request.value(&credentials, &field).map(Secret::reveal), Some(r#"{"type":"CANARY"}"#));
    assert!(credentials.variables.iter().all(|variable| variable.name != "EXOSCALE_API_SECRET"));
    for bad in ["CANARY!", "/w=="] {
        let error = decode(bad).unwrap_err().to_string();
        assert_eq!(error, "the answer of a/b has a field api_secret that is not text in base64");
    }
}
