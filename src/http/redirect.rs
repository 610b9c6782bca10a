//! Where a redirect may lead: a standby node points to the active one. The token travels along, so the host must
//! be the one that was asked, or one that the user listed.

use reqwest::Url;

use super::{Error, Settings, host, is_loopback};

const ADDRESS: &str = "give an address that needs no redirect, as the active node's or the load balancer's";

/// The target, if the rules allow it.
pub(super) fn target(
    from: &Url,
    status: u16,
    location: Option<&str>,
    settings: &Settings,
) -> Result<Url, Error> {
    let refuse = |reason: String, hint| Err(Error::Redirect { host: settings.peer(from), reason, hint });
    let Some(mut to) = location.and_then(|location| from.join(location).ok()) else {
        return refuse("it redirects to nowhere".to_owned(), "is this the address of Vault?");
    };
    // A redirect can't make us send a password.
    let _ = (to.set_username(""), to.set_password(None));
    if !settings.follow_redirects {
        let reason = format!("it redirects to {}, and VAULT_DISABLE_REDIRECTS is set", host(&to));
        return refuse(reason, ADDRESS);
    }
    if !matches!(status, 307 | 308) {
        let reason = format!("it answers with a redirect ({status}) to {}://{}", to.scheme(), host(&to));
        return refuse(reason, "if that is Vault, set VAULT_ADDR to it; if not, what answers is not Vault");
    }
    let downgrade = from.scheme() == "https" && to.scheme() != "https";
    let plain = to.scheme() == "http" && !is_loopback(&to) && !settings.allow_http;
    if downgrade || plain || !matches!(to.scheme(), "http" | "https") {
        return refuse(format!("it redirects to plain {}://{}", to.scheme(), host(&to)), ADDRESS);
    }
    if settings.unix_socket.is_some() {
        return refuse(format!("it redirects to {}", host(&to)), "set VAULT_ADDR to that address");
    }
    let name = to.host_str().unwrap_or_default();
    let listed = settings
        .redirect_hosts
        .iter()
        .any(|listed| listed.eq_ignore_ascii_case(name) || listed.eq_ignore_ascii_case(&host(&to)));
    if to.host_str() != from.host_str() && !listed {
        let hint =
            "if that host is a node of this Vault, name it with --redirect-host or CI_CREDS_REDIRECT_HOST";
        return refuse(format!("it redirects to another host, {}", host(&to)), hint);
    }
    if !settings.policy.allows(&to, None) {
        let reason = format!("it redirects to {}, which {} does not list", host(&to), crate::policy::FILE);
        return refuse(reason, ADDRESS);
    }
    Ok(to)
}
