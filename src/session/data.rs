//! The values of `--data` that do not stand on the command line.

use std::io::Read as _;

use zeroize::Zeroizing;

use super::Error;
use crate::provider::{Request, Source};
use crate::secret::Secret;
use crate::vault::Vault;

/// The requests with the values of `--data` that stand in files, or come in by standard input.
pub(super) async fn gather(vault: &Vault, requests: &[Request]) -> Result<Vec<Request>, Error> {
    let mut requests = requests.to_vec();
    for request in &mut requests {
        for (name, source) in std::mem::take(&mut request.from_files) {
            let shown = match &source {
                Source::Stdin => "-".to_owned(),
                Source::File(path) => path.display().to_string(),
            };
            let text = vault.stop().blocking(move || read(&source)).await?;
            let text = text.map_err(|cause| Error::Data { name: name.clone(), shown, cause })?;
            request.parameters.push((name, Secret::from(text.strip_suffix('\n').unwrap_or(&text))));
        }
    }
    Ok(requests)
}

fn read(source: &Source) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    match source {
        Source::Stdin => std::io::stdin().read_to_string(&mut text)?,
        Source::File(path) => std::fs::File::open(path)?.read_to_string(&mut text)?,
    };
    Ok(text)
}
