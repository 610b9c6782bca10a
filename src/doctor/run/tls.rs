//! Checks whether the server's certificate is accepted, whose it is, and until when it is valid. It must not send a
//! request of its own: the health check's shows it.

use std::rc::Rc;

use jiff::Timestamp;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{Step, Way};
use crate::error::Code;
use crate::http;
use crate::text::Text;
use crate::vault::{self, Vault};

pub(super) async fn look(way: &mut Way) -> Vec<Step> {
    let vault = match Vault::at(&way.server, way.shutdown.clone()).await {
        Ok(vault) => way.vault.insert(Rc::new(vault)),
        Err(error) => return vec![Step::failed("tls", &error)],
    };
    let health = vault.health().await;
    if let Err(error @ vault::Error::Http(http::Error::Tls { .. } | http::Error::Setting { .. })) = &health {
        return vec![Step::failed("tls", error)];
    }
    let health = way.health.insert(health);
    let Some(health) = health.as_ref().ok().filter(|_| way.server.address.scheme() == "https") else {
        return Vec::new();
    };
    let certificate = health.certificate.as_deref().and_then(certificate);
    vec![certificate.unwrap_or_else(|| Step::ok("tls", "the certificate is accepted"))]
}

/// Whose certificate it is, and until when.
fn certificate(der: &[u8]) -> Option<Step> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|names| &names.value.general_names);
    let names: Vec<String> = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
            _ => None,
        })
        .take(5)
        .collect();
    let end = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
    let clean = |text: String| Text::new(&text).chars().take(80).collect::<String>();
    let seen = format!(
        "for {}, from {}, until {end}",
        clean(names.join(" ")),
        clean(certificate.issuer().to_string())
    );
    let left = end.as_second() - vault::now().as_second();
    Some(match left {
        ..604_800 => {
            let hint = "renew the server's certificate: it ends within a week";
            Step::warn("tls", seen, hint).code(Code::Environment)
        }
        _ => Step::ok("tls", seen),
    })
}
