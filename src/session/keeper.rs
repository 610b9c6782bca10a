//! Who renews a token of --dead-man where no command is run: a process in the background, as long as the shell that
//! evaluates lives. It must not hold more than the token and the way to the server.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zeroize::Zeroizing;

use super::Token;
use crate::duration::granted;
use crate::exec::background::{self, Background};
use crate::exec::shell::Shell;
use crate::http::{self, FileFrom, Pem};
use crate::ledger::Ledger;
use crate::ledger::state::{Reach, revealed};
use crate::private_file::whole;
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::vault::{self, Server, Vault};

/// The pause after a renewal that did not succeed.
const PAUSE: Duration = Duration::from_secs(2);

/// How long the certificates may take to be read: a FIFO gives them once, and the run has read it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the process in the background is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    server: Reach,
    /// The client certificate and its key.
    client: Option<(Part, Part)>,
    #[serde(serialize_with = "revealed")]
    token: Secret,
    /// In seconds.
    window: u64,
    /// In so many seconds the job's time is over, where it is limited: the process then ends even if it watches the
    /// wrong shell.
    rest: Option<u64>,
    shell: Shell,
}

/// A [`Pem`].
#[derive(Serialize, Deserialize)]
enum Part {
    File(PathBuf),
    Text(#[serde(serialize_with = "revealed")] Secret),
}

impl Part {
    fn of(pem: &Pem) -> Self {
        match pem {
            Pem::File(file) => Self::File(whole(&file.path)),
            Pem::Text { text, .. } => Self::Text(text.clone()),
        }
    }

    fn pem(self) -> Pem {
        let source = "the client certificate".to_owned();
        match self {
            Self::File(path) => Pem::File(FileFrom { path, source }),
            Self::Text(text) => Pem::Text { text, source },
        }
    }
}

/// Starts the process that keeps `token` alive as long as `shell` lives, if --dead-man has cut its life.
pub(crate) async fn start(
    server: &Server,
    token: &Token,
    shell: Option<Shell>,
    deadline: Option<Timestamp>,
) -> Result<Option<Background>, background::Error> {
    let (Some(window), Some(shell)) = (token.window, shell) else { return Ok(None) };
    let client = server.http.tls.client.as_ref();
    let order = Order {
        server: Reach::of(server),
        client: client.map(|(certificate, key)| (Part::of(certificate), Part::of(key))),
        token: token.secret.clone(),
        window: window.as_secs(),
        rest: deadline.map(|end| u64::try_from(end.duration_since(vault::now()).as_secs()).unwrap_or(0)),
        shell,
    };
    let text = serde_json::to_string(&order).map(Zeroizing::new);
    let text = text.map_err(|error| background::Error::NotStarted(error.into()))?;
    Background::start(&text).await.map(Some)
}

impl Order {
    /// The order as it was sent.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The shell whose end is the token's.
    pub(crate) fn shell(&self) -> Shell {
        self.shell
    }

    /// Renews the token until `left` has come or the job's time is over, then revokes it; or until it has ended by
    /// itself.
    pub(crate) async fn carry_out(self, left: impl Future<Output = ()>) -> Result<(), http::Error> {
        let mut server = self.server.server();
        server.http.tls.client = self.client.map(|(certificate, key)| (certificate.pem(), key.pem()));
        let Ok(vault) = timeout(PATIENCE, Vault::at(&server, Shutdown::never())).await else { return Ok(()) };
        let vault = vault?;
        let over = async {
            match self.rest {
                Some(rest) => sleep(Duration::from_secs(rest)).await,
                None => std::future::pending().await,
            }
        };
        let (left, over) = (pin!(left), pin!(over));
        let alive = renew(&vault, &self.token, Duration::from_secs(self.window));
        if let Either::Left(_) = select(select(left, over), pin!(alive)).await {
            let mut ledger = Ledger::default();
            ledger.token(&self.token, "", None, false);
            ledger.revoke_all(&vault).await;
        }
        Ok(())
    }
}

/// Renews a token at each third of its window. Returns when it has ended: `revoke` took it back, Vault did not answer
/// for too long, or its longest life is over.
async fn renew(vault: &Vault, token: &Secret, window: Duration) {
    let mut asked = Instant::now();
    let mut ends = asked + window;
    let mut next = asked + window / 3;
    loop {
        sleep_until(next).await;
        asked = Instant::now();
        let left = ends.saturating_duration_since(asked);
        next = match timeout(window / 6, vault.renew_self(token, window.as_secs())).await {
            Ok(Ok(auth)) => {
                ends = asked + granted(auth.lease_duration);
                asked + window / 3
            }
            Ok(Err(error)) if error.refusal().is_some() => return,
            _ if left.is_zero() => return,
            _ => Instant::now() + PAUSE.min(left / 8).max(Duration::from_millis(200)),
        };
    }
}
