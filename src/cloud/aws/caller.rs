//! Asks AWS whether it knows a key: IAM is eventually consistent, so parts of AWS don't know a new user's key for a
//! while (hashicorp/vault #8413: waiting is the client's part). It must not change anything at AWS.

use reqsign_aws_v4::Credential;
use reqwest::Method;
use zeroize::Zeroizing;

use super::{BODY, Error, REGION, signed};
use crate::http::{Call, Client, Endpoint, Judgement};
use crate::secret::Secret;

/// The partitions whose regions have another domain, by the beginning of their names (botocore:
/// `data/partitions.json`).
const DOMAINS: &[(&str, &str)] = &[
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
];

/// AWS's Security Token Service, as far as it says who a key is.
#[derive(Debug, Clone)]
pub(crate) struct Sts {
    /// Its address.
    pub endpoint: Endpoint,
    /// Its region; `None` for the global endpoint.
    pub region: Option<String>,
}

/// Whether this can be the name of a region.
pub(crate) fn is_region(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
}

impl Sts {
    /// The address of a region's STS, or of the global one.
    pub(crate) fn address(region: Option<&str>) -> String {
        let Some(region) = region else { return "https://sts.amazonaws.com/".to_owned() };
        let domain = DOMAINS.iter().find(|(start, _)| region.starts_with(start));
        format!("https://sts.{region}.{}/", domain.map_or("amazonaws.com", |(_, domain)| domain))
    }

    /// Whether `sts:GetCallerIdentity`, signed with this key, is answered. It needs no permission.
    pub(crate) async fn knows(&self, client: &Client, key: &Secret, secret: &Secret) -> Result<bool, Error> {
        let credential = Credential {
            access_key_id: key.reveal().to_owned(),
            secret_access_key: secret.reveal().to_owned(),
            ..Credential::default()
        };
        let region = self.region.as_deref().unwrap_or(REGION);
        let parts = signed(self.endpoint.url.as_str(), region, None, &credential).await?;
        let body = Some(Zeroizing::new(BODY.as_bytes().to_vec()));
        let call = Call { body, ..Call::new(Method::POST, self.endpoint.url.clone(), parts.headers) };
        // A new connection for each question: another of AWS's machines may answer, and that one must know the key too.
        let fresh = client.sibling(self.endpoint.settings.clone()).await?;
        let answer = fresh.send(&call, |_, _| Judgement::Final).await?;
        Ok(answer.status == 200)
    }
}
