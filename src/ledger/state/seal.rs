//! Lines are sealed for their job: the folder beside the checkout outlives it, and the next job in the same slot is
//! perhaps one of a branch that anybody may push to. What a line holds can only be read, and only be made, by a process
//! that has this job's own secret.
//!
//! HKDF-SHA256 (RFC 5869) makes a key of the token and of a salt that is new for each sealing; AES-256-GCM encrypts and
//! authenticates. The version of the form, the job and the time of writing are authenticated with it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

const SALT_LEN: usize = 32;
const KEY_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// The secret that only this job has.
#[derive(Debug, Clone)]
pub struct Seal {
    /// A secret that ends with the job.
    pub key: Secret,
    /// What a line is good for beside that: the job's id.
    pub context: String,
}

/// A line as other jobs see it. All they can do with it is to drop it when it is old.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    pub(super) version: u32,
    /// When it was written, in RFC 3339.
    pub(super) written: String,
    #[serde(with = "base64")]
    salt: Vec<u8>,
    #[serde(with = "base64")]
    nonce: Vec<u8>,
    #[serde(with = "base64")]
    sealed: Vec<u8>,
}

/// The library failed to encrypt.
#[derive(Debug, thiserror::Error)]
#[error("it can't be encrypted")]
pub(super) struct Broken;

impl Seal {
    /// Encrypts `text`.
    pub(super) fn close(&self, version: u32, written: String, text: &[u8]) -> Result<Sealed, Broken> {
        let mut salt = vec![0; SALT_LEN];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| Broken)?;
        let key = self.key(&salt).ok_or(Broken)?;
        // Room for the tag, so that no copy of the text is left behind.
        let mut sealed = Vec::with_capacity(text.len() + TAG_LEN);
        sealed.extend_from_slice(text);
        let aad = self.aad(version, &written);
        let nonce = key.seal_in_place_append_tag(Aad::from(aad), &mut sealed).map_err(|_| Broken)?;
        Ok(Sealed { version, written, salt, nonce: nonce.as_ref().to_vec(), sealed })
    }

    /// Decrypts a line; `None` if it was sealed by another job, or changed since.
    pub(super) fn open(&self, line: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; NONCE_LEN] = line.nonce.as_slice().try_into().ok()?;
        let key = self.key(&line.salt)?;
        let mut text = Zeroizing::new(line.sealed.clone());
        let aad = Aad::from(self.aad(line.version, &line.written));
        let length = key.open_in_place(Nonce::from(&nonce), aad, &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    fn key(&self, salt: &[u8]) -> Option<RandomizedNonceKey> {
        let made = Salt::new(HKDF_SHA256, salt).extract(self.key.reveal().as_bytes());
        let mut key = Zeroizing::new([0; KEY_LEN]);
        made.expand(&[b"ci-creds state file"], HKDF_SHA256).ok()?.fill(&mut *key).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, &*key).ok()
    }

    fn aad(&self, version: u32, written: &str) -> Vec<u8> {
        format!("ci-creds state file\n{version}\n{}\n{written}", self.context).into_bytes()
    }
}

/// Bytes in a line of JSON.
mod base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: &str, context: &str) -> Seal {
        Seal { key: Secret::from(key), context: context.to_owned() }
    }

    #[test]
    fn only_its_own_job_opens_a_line_and_only_as_it_was_written() {
        let (ours, text) = (seal("glcbt-1", "4711"), b"what was issued".as_slice());
        let line = || ours.close(2, "2026-11-21T10:15:00Z".to_owned(), text).unwrap();
        assert_eq!(ours.open(&line()).unwrap().as_slice(), text);
        assert!(!line().sealed.windows(4).any(|part| part == b"what"));
        assert_ne!((line().salt, line().sealed), (line().salt, line().sealed));
        for other in [seal("glcbt-2", "4711"), seal("glcbt-1", "4712"), seal("", "")] {
            assert!(other.open(&line()).is_none(), "{other:?}");
        }
        let changes: [fn(&mut Sealed); 6] = [
            |line| line.version += 1,
            |line| line.written = "2036-11-21T10:15:00Z".to_owned(),
            |line| line.salt[0] ^= 1,
            |line| line.nonce[0] ^= 1,
            |line| line.sealed[0] ^= 1,
            |line| line.sealed.clear(),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut line = line();
            change(&mut line);
            assert!(ours.open(&line).is_none(), "change {number}");
        }
    }
}
