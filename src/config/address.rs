//! Parses addresses of servers that flags and variables give: Vault's and those of other services. It must not send
//! anything.

use reqwest::Url;

use super::Error;
use super::lookup::Lookup;
use crate::http::{self, is_loopback};
use crate::options;

/// The address of Vault in `text`, which may be http where --allow-http says so.
pub(super) fn vault(
    lookup: &Lookup<'_>,
    text: &str,
    source_name: &str,
    example: &'static str,
) -> Result<Url, Error> {
    parsed(text, source_name, example, Some(lookup.switch(&options::ALLOW_HTTP)?))
}

/// The address of another service than Vault in `text`: --allow-http is not meant for its tokens.
pub(super) fn web(text: &str, source_name: &str, example: &'static str) -> Result<Url, Error> {
    parsed(text, source_name, example, None)
}

/// Parses https, or http to this machine or where it is `allowed`; a host and a path, nothing else. `example` is a
/// valid one, for the hint.
fn parsed(text: &str, source_name: &str, example: &'static str, allowed: Option<bool>) -> Result<Url, Error> {
    let fault = |what| Error::Address { source_name: source_name.to_owned(), what, example };
    if text.contains('$') {
        return Err(fault(
            "holds a $: it was not expanded. Is the variable that it names defined, and for this job?",
        ));
    }
    let url = Url::parse(text).map_err(|_| {
        if text.contains("://") {
            fault("is not an address")
        } else {
            fault("has no scheme: is it https://?")
        }
    })?;
    // Without a host, the parser would take the first part of the path for one.
    if text
        .split_once("://")
        .is_none_or(|(_, rest)| rest.starts_with(['/', '\\', '?', '#']) || rest.is_empty())
    {
        return Err(fault("names no host"));
    }
    let secure = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url) || allowed == Some(true),
        _ => return Err(fault("begins neither with https:// nor with http://")),
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.query().is_some() || url.fragment().is_some() {
        return Err(fault("has a user, a query or a fragment, which no address here has"));
    }
    if secure {
        Ok(url)
    } else {
        Err(Error::PlainHttp {
            source_name: source_name.to_owned(),
            host: http::host(&url),
            can_be_allowed: allowed.is_some(),
        })
    }
}
