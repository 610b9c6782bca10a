//! GitLab's access token, as it is sent. It must not be used here.

use super::error::Fault;
use crate::config::Given;
use crate::error::Error;
use crate::input::BYTE_ORDER_MARK;
use crate::secret::Secret;
use crate::session::Session;
use crate::shutdown::Shutdown;

/// The access token that this job has.
pub(super) async fn given(given: &Given, shutdown: &Shutdown) -> Result<Secret, Error> {
    let (input, source) = match given {
        Given::Value(secret) => return sendable(secret.reveal(), "CI_CREDS_GITLAB_TOKEN"),
        Given::Input { input, source } => (input, source),
    };
    let name = format!("{input} ({source})");
    let text = input.read(shutdown).await?;
    let text = text.map_err(|cause| Fault::GitlabToken(format!("{name}: {cause}")))?;
    match text.trim_start_matches(BYTE_ORDER_MARK).trim() {
        "" => Err(Fault::GitlabToken(format!("{name} is empty")).into()),
        text => sendable(text, &name),
    }
}

/// The token, unless no header can carry it: a request without one would be refused as if it had expired.
fn sendable(text: &str, name: &str) -> Result<Secret, Error> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret::from(text))
    } else {
        Err(Fault::GitlabToken(format!("{name} has blanks or characters that can't be sent")).into())
    }
}

/// The access token that the login has read.
pub(super) fn read(session: &Session) -> Result<Secret, Error> {
    let read = session.credentials.first();
    let value = read.and_then(|one| Some((one.path.as_str(), &one.variables.first()?.value)));
    let (path, value) = value.ok_or_else(|| Fault::GitlabToken("it was not read".to_owned()))?;
    sendable(value.reveal().trim(), &format!("what is at {path} in Vault"))
}
