//! Tells how far a cluster was when it answered: standbys of OpenBao 2.7 and Vault Enterprise answer reads themselves,
//! some 100 ms behind the active node. Sent back, the index lets a run see what it has just written (openbao: website
//! `concepts/consistency`; vault: `http/handler.go`, forwardBasedOnHeaders). It must not go to another cluster.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");
/// OpenBao's are about 120 bytes long, Vault's about 150.
const LONGEST: usize = 4096;

/// The newest index of each address: it goes back to that address alone, and nowhere else.
#[derive(Clone, Default)]
pub(super) struct Indexes {
    newest: Arc<Mutex<HashMap<String, HeaderValue>>>,
    /// Vault Enterprise forwards only where its configuration allows it (`allow_forwarding_via_header`).
    unforwarded: Arc<AtomicBool>,
}

impl Indexes {
    /// Adds to a request what makes its answer as new as the last one from this address.
    pub(super) fn put(&self, url: &Url, headers: &mut HeaderMap) {
        // A node tells its own health: forwarded, the question would be answered by the active one.
        if url.path().ends_with("/v1/sys/health") {
            return;
        }
        let Some(newest) = self.all().get(&address(url)).cloned() else { return };
        headers.insert(INDEX, newest);
        if !self.unforwarded.load(Ordering::Relaxed) {
            headers.insert(INCONSISTENT, HeaderValue::from_static("forward-active-node"));
        }
    }

    /// Remembers the index of an answer, unless a newer one is known: answers may overtake each other.
    pub(super) fn learn(&self, url: &Url, headers: &HeaderMap) {
        let Some(index) = headers.get(INDEX).filter(|index| (1..=LONGEST).contains(&index.len())) else {
            return;
        };
        let mut all = self.all();
        let newest = all.get(&address(url));
        if newest.is_none_or(|newest| !is_older(index, newest)) {
            let mut index = index.clone();
            index.set_sensitive(true);
            all.insert(address(url), index);
        }
    }

    /// Stops asking to be forwarded; false if it did not ask before.
    pub(super) fn stay(&self) -> bool {
        !self.unforwarded.swap(true, Ordering::Relaxed)
    }

    /// Whether this address has handed out an index.
    pub(super) fn knows(&self, url: &Url) -> bool {
        self.all().contains_key(&address(url))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, HeaderValue>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Scheme, host and port: another port may be another cluster.
fn address(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether `one` is of the same cluster as `other`, and was handed out before it.
fn is_older(one: &HeaderValue, other: &HeaderValue) -> bool {
    let (one, other) = (place(one.as_bytes()), place(other.as_bytes()));
    one.zip(other).is_some_and(|(one, other)| one.0 == other.0 && one.1 < other.1)
}

/// The cluster and its count of writes, where they can be told: `{"cluster":"ID","value":"123"}` in OpenBao,
/// `v1:ID:123:REPLICATED:HMAC` in Vault (its `api/client.go`), both in base64.
fn place(index: &[u8]) -> Option<(String, u64)> {
    #[derive(Deserialize)]
    struct Counted {
        cluster: String,
        value: String,
    }
    let text = String::from_utf8(STANDARD.decode(index).ok()?).ok()?;
    if let Some(rest) = text.strip_prefix("v1:") {
        let mut parts = rest.split(':');
        return Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?));
    }
    let place: Counted = serde_json::from_str(&text).ok()?;
    Some((place.cluster, place.value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openbao(cluster: &str, value: u64) -> HeaderMap {
        let text = format!(r#"{{"cluster":"{cluster}","value":"{value}"}}"#);
        HeaderMap::from_iter([(INDEX, STANDARD.encode(text).parse().unwrap())])
    }

    fn sent(indexes: &Indexes, url: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        indexes.put(&url.parse().unwrap(), &mut headers);
        headers
    }

    #[test]
    fn the_newest_index_goes_back_to_its_own_address_alone() {
        let (indexes, url) = (Indexes::default(), "https://vault:8200/v1/a".parse().unwrap());
        assert!(sent(&indexes, "https://vault:8200/").is_empty() && !indexes.knows(&url));
        for value in [9, 12, 10] {
            indexes.learn(&url, &openbao("one", value));
        }
        let headers = sent(&indexes, "https://vault:8200/v1/other");
        assert_eq!(headers[INDEX], openbao("one", 12)[INDEX]);
        assert_eq!(headers[INCONSISTENT], "forward-active-node");
        assert!(!format!("{headers:?}").contains("ey"), "an index is not shown");
        for other in [
            "https://vault:8200/v1/sys/health",
            "http://vault:8200/",
            "https://vault/",
            "https://vault.evil:8200/",
        ] {
            assert!(sent(&indexes, other).is_empty(), "{other}");
        }
        indexes.learn(&url, &openbao("two", 1));
        assert_eq!(sent(&indexes, url.as_str())[INDEX], openbao("two", 1)[INDEX]);
        assert!(indexes.stay() && !indexes.stay());
        assert_eq!(sent(&indexes, url.as_str()).get(INCONSISTENT), None);
    }

    #[test]
    fn an_index_is_a_server_s_text() {
        let (indexes, url) = (Indexes::default(), "https://vault/".parse().unwrap());
        for bad in ["", &"a".repeat(LONGEST + 1)] {
            indexes.learn(&url, &HeaderMap::from_iter([(INDEX, bad.parse().unwrap())]));
            assert!(!indexes.knows(&url), "{} bytes", bad.len());
        }
        assert_eq!(place(STANDARD.encode("v1:id:7:3:hmac").as_bytes()), Some(("id".to_owned(), 7)));
        assert_eq!(place(b"not base64"), None);
    }
}
