//! Where a redirect may lead: a standby node points to the active one. The token travels along, so the host must
//! be the one that was asked, or one that the user listed.

use reqwest::Url;

use super::{Error, Settings, host, is_loopback};

/// The target, if the rules allow it.
pub(super) fn target(from: &Url, location: Option<&str>, settings: &Settings) -> Result<Url, Error> {
    let refuse =
        |host: String, reason: &str, hint| Err(Error::Redirect { host, reason: reason.to_owned(), hint });
    let Some(to) = location.and_then(|location| from.join(location).ok()) else {
        return refuse(host(from), "it redirects to nowhere", "is this the address of Vault?");
    };
    let address = "give an address that needs no redirect, as the active node's or the load balancer's";
    if !settings.follow_redirects {
        return refuse(host(from), &format!("it redirects to {}", host(&to)), address);
    }
    let downgrade = from.scheme() == "https" && to.scheme() != "https";
    let plain = to.scheme() == "http" && !is_loopback(&to) && !settings.allow_http;
    if downgrade || plain || !matches!(to.scheme(), "http" | "https") {
        return refuse(
            host(from),
            &format!("it redirects to plain {}://{}", to.scheme(), host(&to)),
            address,
        );
    }
    let name = to.host_str().unwrap_or_default();
    let listed = settings
        .redirect_hosts
        .iter()
        .any(|listed| listed.eq_ignore_ascii_case(name) || *listed == host(&to));
    if to.host_str() != from.host_str() && !listed {
        let hint =
            "if that host is a node of this Vault, name it with --redirect-host or CI_CREDS_REDIRECT_HOST";
        return refuse(host(from), &format!("it redirects to another host, {}", host(&to)), hint);
    }
    Ok(to)
}
