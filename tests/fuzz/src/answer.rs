//! Vault's answers: whatever a server says, secrets stay secrets, and a lost answer is seen to be lost.

use ci_creds::testing::http::{Answer, Call, Judgement};
use ci_creds::testing::provider::{PROVIDERS, Settings};
use ci_creds::testing::secret::Secret;
use ci_creds::testing::text::LONGEST_TEXT;
use ci_creds::testing::vault::{Data, Envelope, judge, readable};
use http::HeaderMap;
use jiff::Timestamp;
use reqwest::{Method, Url};
use serde_json::Value;

use super::parts;

/// A body, and a secret that was sent.
pub fn answer(input: &[u8]) {
    let mut parts = parts(input);
    let body = parts.next().unwrap_or_default();
    let secret = parts.next().and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default();
    judged(body);
    let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else { return };
    says_no_secret(&envelope, secret);
    // What is not looked at may be no text at all; then serde_json's own tree can't be had.
    if let (Some(data), Ok(open)) = (&envelope.data, serde_json::from_slice::<Value>(body)) {
        assert!(same(data, &open["data"]), "{open}");
    }
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    for provider in PROVIDERS {
        let request = provider.request(&Settings { role: "ci".to_owned(), ..Settings::default() });
        if let Ok(credentials) = request.decode("the path", &envelope, None, now) {
            assert!(!credentials.variables.is_empty() || !credentials.files.is_empty());
            assert!(credentials.life.is_none_or(|life| life.until >= now));
        }
    }
}

/// A request that creates something is repeated only after an answer that Vault gave without carrying it out.
fn judged(body: &[u8]) {
    let mut call = Call {
        method: Method::POST,
        url: Url::parse("https://vault.example.com/v1/x").unwrap(),
        headers: HeaderMap::new(),
        body: None,
        creates: true,
        leases: true,
        spends: false,
    };
    // What is not looked at may be no text at all.
    let text = String::from_utf8_lossy(body);
    let vaults = serde_json::from_str::<Value>(&text).is_ok_and(|body| body["errors"].is_array());
    for status in [200, 204, 400, 403, 404, 412, 429, 472, 473, 500, 502, 503, 504, 599] {
        let verdict = judge(&call, &Answer::new(status, body));
        match (status, verdict) {
            (412, verdict) => assert_eq!(verdict, Judgement::Soon),
            (429, verdict) => assert!(matches!(verdict, Judgement::Again | Judgement::Soon)),
            (500.., Judgement::Again) => assert!(vaults, "{status}"),
            (500.., Judgement::Final) => assert!(vaults, "{status}"),
            (300.., Judgement::Lost(_)) => assert!(status >= 500),
            (_, verdict) => assert_ne!(verdict, Judgement::Again),
        }
    }
    // A whole object is no lost answer, and a part of it is.
    if serde_json::from_slice::<serde_json::Map<String, Value>>(body).is_ok() && body.first() == Some(&b'{') {
        assert_eq!(judge(&call, &Answer::new(200, body)), Judgement::Final);
        let cut = &body[..body.trim_ascii_end().len() / 2];
        if !cut.is_empty() {
            assert!(matches!(judge(&call, &Answer::new(200, cut)), Judgement::Lost(_)));
        }
    }
    call.creates = false;
    for status in [200, 500, 503] {
        assert!(!matches!(judge(&call, &Answer::new(status, body)), Judgement::Lost(_)));
    }
}

fn says_no_secret(envelope: &Envelope, secret: &str) {
    let known = [Secret::from(secret)];
    for texts in [&envelope.errors, &envelope.warnings].into_iter().flatten() {
        for line in readable(texts, &known) {
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(line.chars().count() <= LONGEST_TEXT + 1, "{line}");
            // What is short, or part of the mark, may be there. So may what other letters come to when they are cut.
            for secret in secret.lines().map(str::trim).filter(|secret| secret.len() >= 4) {
                assert!(
                    "[secret]".contains(secret) || line.split("[secret]").all(|part| !part.contains(secret)),
                    "{secret:?} in {line}"
                );
            }
        }
    }
}

/// Whether the tree says what serde_json's own says; numbers are kept as texts.
fn same(data: &Data, open: &Value) -> bool {
    match (data, open) {
        (Data::Null, Value::Null) => true,
        (Data::Text(text), Value::String(open)) => text.reveal() == open,
        (Data::Bare(text), Value::Bool(open)) => text.reveal() == open.to_string(),
        (Data::Bare(text), Value::Number(open)) => text.reveal().parse::<f64>().ok() == open.as_f64(),
        (Data::List(list), Value::Array(open)) => {
            list.len() == open.len() && list.iter().zip(open).all(|(data, open)| same(data, open))
        }
        // Of two fields of one name serde_json has the last.
        (Data::Map(fields), Value::Object(open)) => fields.iter().enumerate().all(|(index, (name, data))| {
            fields[index + 1..].iter().any(|(other, _)| other == name) || same(data, &open[name])
        }),
        _ => false,
    }
}
