//! Renews what was issued while a command runs: the token and each renewable lease at two thirds of its life, through
//! short outages, for as long as the server moves its end. It must not stay silent about what ends all the same, and
//! says it once.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Session, Token};
use crate::ci::Job;
use crate::credentials::{Credentials, IssuedBy};
use crate::duration::{self, show};
use crate::secret::Secret;
use crate::vault::{self, Vault};

/// How long one renewal may take, repeats included, before the next thing gets its turn.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause after a renewal that did not succeed, unless the end is nearer.
const PAUSE: Duration = Duration::from_secs(5);

/// The token and leases that are renewed.
#[derive(Debug)]
pub(crate) struct Renewer {
    items: Vec<Item>,
    deadline: Option<Timestamp>,
}

#[derive(Debug)]
struct Item {
    /// For messages: `the exoscale lease`, …
    name: String,
    /// How to renew it; `None` where it can't be.
    way: Option<Way>,
    /// What to ask for.
    wanted: Duration,
    ends: Instant,
    /// When to look at it again; `None` when there is nothing left to do.
    next: Option<Instant>,
    /// Whether a warning of an outage was written.
    outage: bool,
    /// How long it lives without a renewal, where --dead-man has cut that.
    window: Option<Duration>,
    /// How long one renewal may take.
    patience: Duration,
    /// The hint of its warning.
    hint: &'static str,
}

#[derive(Debug, Clone)]
enum Way {
    Token(Secret),
    Lease(Secret, String),
}

impl Renewer {
    /// For all of `session`. `fresh` names what is issued anew instead; `token_needed` says whether the token is
    /// needed even if nothing that was issued depends on it.
    pub(crate) fn new(session: &Session, job: &Job, fresh: Option<usize>, token_needed: bool) -> Self {
        let depends = session.credentials.iter().any(|one| !one.outlives_token);
        let longest = session.credentials.iter().filter_map(|one| Some(one.lease.as_ref()?.ttl)).max();
        let mut items = Vec::new();
        if depends || token_needed {
            items.extend(Item::token(&session.token, longest.unwrap_or_default()));
        }
        let credentials = session.credentials.iter().enumerate();
        let credentials =
            credentials.filter(|(index, one)| Some(*index) != fresh && one.issued_by != IssuedBy::Login);
        items.extend(credentials.filter_map(|(_, one)| Item::credentials(one, &session.token)));
        // A lease's renewal that hangs must not delay the token's, which ends sooner.
        let patience = session.token.window.map_or(PATIENCE, |window| PATIENCE.min(window / 6));
        items.iter_mut().for_each(|item| item.patience = patience);
        let mut renewer = Self { items, deadline: job.deadline };
        renewer.announce();
        renewer
    }

    /// Warns at once of what can't be renewed and ends before the job's deadline.
    fn announce(&mut self) {
        let Some(deadline) = self.deadline else { return };
        for item in self.items.iter_mut().filter(|item| item.way.is_none()) {
            item.next = None;
            item.warn_before(Some(deadline));
        }
    }

    /// Renews what is due, until it is dropped.
    pub(crate) async fn run(&mut self, vault: &Vault) -> std::convert::Infallible {
        loop {
            let due = self.items.iter_mut().filter(|item| item.next.is_some()).min_by_key(|item| item.next);
            match due {
                Some(item) => {
                    if let Some(next) = item.next {
                        sleep_until(next).await;
                    }
                    item.look_after(vault, self.deadline).await;
                }
                None => std::future::pending().await,
            }
        }
    }
}

impl Item {
    fn new(name: String, way: Option<Way>, wanted: Duration, life: Duration) -> Self {
        let now = Instant::now();
        let hint = "";
        let next = Some(now + two_thirds(life));
        let (window, patience) = (None, PATIENCE);
        Self { name, way, wanted, ends: now + life, next, outage: false, window, patience, hint }
    }

    fn token(token: &Token, longest: Duration) -> Option<Self> {
        let life = token.life?.ttl;
        let way =
            (token.renewable && !token.given && !token.counted).then(|| Way::Token(token.secret.clone()));
        let mut item = Self::new(token.name().to_owned(), way, life.max(longest), life);
        item.hint = ", and takes what was read with it along";
        if let Some(window) = token.window {
            item.window = Some(window);
            item.wanted = window;
            item.ends = Instant::now() + window;
            item.next = Some(Instant::now() + window / 3);
        }
        Some(item)
    }

    fn credentials(one: &Credentials, token: &Token) -> Option<Self> {
        let name = format!("the {} credentials", one.issued_by.name());
        if one.outlives_token {
            let mut item = Self::new(name, None, Duration::ZERO, one.life?.ttl);
            if one.refreshable() {
                item.hint = "; with --refresh the command gets fresh ones";
            }
            return Some(item);
        }
        let lease = one.lease.as_ref().filter(|lease| !lease.ttl.is_zero())?;
        let way =
            (lease.renewable && !token.counted).then(|| Way::Lease(token.secret.clone(), lease.id.clone()));
        Some(Self::new(name, way, lease.ttl, lease.ttl))
    }

    async fn look_after(&mut self, vault: &Vault, deadline: Option<Timestamp>) {
        let Some(way) = self.way.clone() else {
            self.next = None;
            return self.warn_before(None);
        };
        let asked = Instant::now();
        let patience = self.patience.min(self.ends.saturating_duration_since(asked));
        match timeout(patience, renew(vault, &way, self.wanted)).await {
            Ok(Ok(granted)) => self.granted(asked, granted, deadline),
            Ok(Err(error)) if error.refusal().is_some() => {
                tracing::debug!("{} can't be renewed: {error}", self.name);
                self.next = None;
                self.warn_before(None);
            }
            other => self.failed(other.ok().and_then(Result::err)),
        }
    }

    fn granted(&mut self, asked: Instant, granted: Duration, deadline: Option<Timestamp>) {
        tracing::debug!("{} renewed for {}", self.name, show(granted));
        let moved = (asked + granted).saturating_duration_since(self.ends);
        self.ends = asked + granted;
        self.outage = false;
        // Less than was asked for may be the period of a periodic token, which never ends. At its maximum, the end
        // does not move; the comparison is in seconds, with one for the round trip.
        if moved <= Duration::from_secs(1) {
            self.next = None;
            self.warn_before(deadline);
        } else {
            self.next = Some(asked + self.window.map_or_else(|| two_thirds(granted), |window| window / 3));
        }
    }

    fn failed(&mut self, error: Option<vault::Error>) {
        let left = self.ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.next = None;
            tracing::warn!("{} could not be renewed in time and has ended", self.name);
            return;
        }
        // There is time for another try or two before a warning.
        let is_early = self.window.is_some_and(|window| left > window / 2 + Duration::from_millis(100));
        if !self.outage && !is_early {
            let why = error.map_or_else(|| "no answer came".to_owned(), |error| error.to_string());
            tracing::warn!("{} is not renewed yet ({why}); {} are left", self.name, show(left));
            self.outage = true;
        }
        self.next = Some(Instant::now() + PAUSE.min(left / 8).max(Duration::from_millis(200)));
    }

    /// Warns once, unless it ends only after `deadline`.
    fn warn_before(&self, deadline: Option<Timestamp>) {
        let left = self.ends.saturating_duration_since(Instant::now());
        let Ok(ends) = vault::now().checked_add(left) else { return };
        if deadline.is_some_and(|deadline| deadline <= ends) {
            return;
        }
        let beyond = match deadline {
            Some(_) => ", before the job has to",
            None => "",
        };
        tracing::warn!(
            "{} can't be renewed: {} are left, until {ends}{beyond}{}",
            self.name,
            show(left),
            self.hint
        );
    }
}

async fn renew(vault: &Vault, way: &Way, wanted: Duration) -> Result<Duration, vault::Error> {
    let seconds = match way {
        Way::Token(token) => vault.renew_self(token, wanted.as_secs()).await?.lease_duration,
        Way::Lease(token, id) => vault.renew_lease(token, id, wanted.as_secs()).await?,
    };
    Ok(duration::granted(seconds))
}

/// Two thirds, less up to a tenth, so that jobs that began together don't renew together.
fn two_thirds(life: Duration) -> Duration {
    life.mul_f64(2.0 / 3.0 - f64::from(crate::process::jitter()) / 255.0 / 10.0)
}
