//! The values of `--data` that are not on the command line. They must not appear in a message.

use super::Error;
use crate::input::shown;
use crate::provider::Request;
use crate::secret::Secret;
use crate::vault::Vault;

/// The requests with the values of `--data` that stand in files, or come in by standard input.
pub(super) async fn gather(vault: &Vault, requests: &[Request]) -> Result<Vec<Request>, Error> {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        for (name, input) in std::mem::take(&mut request.from_files) {
            let text = input.read(vault.stop()).await?;
            let fault = |cause| Error::Data { name: shown(&name), shown: input.to_string(), cause };
            let text = text.map_err(fault)?;
            request.parameters.push((name, Secret::from(text.strip_suffix('\n').unwrap_or(&text))));
        }
    }
    Ok(requests)
}
