//! Tokens other than the session's own: made through a token role, looked up, revoked (Vault's `auth/token`). It must
//! not touch the session's own.

use std::time::Duration;

use jiff::Timestamp;

use super::{Ask, Auth, Data, Error, NO_TOKEN, Vault};
use crate::secret::Secret;
use crate::text::Text;

/// What `auth/token/lookup-self` says of a token, as far as it is used.
#[derive(Debug, Clone)]
pub struct TokenInfo {
    /// Its public handle.
    pub accessor: Text,
    /// Its policies, those of its identity included.
    pub policies: Vec<String>,
    /// When it was made, by Vault's clock.
    pub created: Option<Timestamp>,
    /// What is left of its life; `None` if it never ends.
    pub ttl: Option<Duration>,
    /// Whether it outlives the token that made it.
    pub orphan: bool,
    /// Whether its life can be changed.
    pub renewable: bool,
    /// Whether each renewal gives it a whole period again. A period that comes from a token role does not show.
    pub periodic: bool,
    /// How many requests it is good for; 0 for any number.
    pub num_uses: u64,
    /// `service`, or `batch`, which can neither be renewed nor revoked.
    pub kind: Text,
}

/// What a token role says of the tokens that are made through it, as far as it is used.
#[derive(Debug, Clone)]
pub struct TokenRole {
    /// Whether they outlive the token that makes them.
    pub orphan: bool,
    /// `allowed_policies`: what a token gets that is made without naming any (vault: `vault/token_store.go`); where the
    /// list is empty, it gets those of the token that makes it.
    pub policies: Vec<String>,
    /// Whether they are batch tokens.
    pub batch: bool,
    /// How many requests they are good for; 0 for any number.
    pub num_uses: u64,
}

impl TokenInfo {
    fn of(data: &Data) -> Self {
        let text = |name: &str| Some(data.field(name)?.text()?.reveal().to_owned());
        let number = |name: &str| text(name).and_then(|text| crate::duration::whole(&text)).unwrap_or(0);
        let texts = |name: &str| {
            let list = match data.field(name) {
                Some(Data::List(list)) => list.as_slice(),
                _ => &[],
            };
            list.iter().filter_map(|one| Some(one.text()?.reveal().to_owned()))
        };
        let is = |name: &str| text(name).as_deref() == Some("true");
        Self {
            policies: texts("policies").chain(texts("identity_policies")).collect(),
            accessor: Text::new(&text("accessor").unwrap_or_default()),
            created: text("creation_time").and_then(|text| Timestamp::from_second(text.parse().ok()?).ok()),
            ttl: Some(Duration::from_secs(number("ttl"))).filter(|ttl| !ttl.is_zero()),
            orphan: is("orphan"),
            renewable: is("renewable"),
            periodic: number("period") > 0,
            num_uses: number("num_uses"),
            kind: Text::new(&text("type").unwrap_or_default()),
        }
    }
}

impl Vault {
    /// `POST auth/token/create/ROLE`. The role decides about the token's properties.
    pub async fn create_token(&self, by: &Secret, role: &str) -> Result<Auth, Error> {
        let path = format!("auth/token/create/{role}");
        let action = format!("to create a token at {path}");
        let ask = Ask::create(&action, &path)
            .by(by)
            .within(self.login_namespace())
            .with([("display_name", "ci-creds-rotate".into())]);
        let answer = self.ask(ask).await?;
        if answer.cached.is_some() {
            return Err(self.not_vault(&action, "an answer out of a cache, whose token is not a new one"));
        }
        answer.auth.ok_or_else(|| self.not_vault(&action, NO_TOKEN))
    }

    /// `auth/token/lookup-self`.
    pub async fn lookup_self(&self, token: &Secret) -> Result<TokenInfo, Error> {
        let data = self.read_as(token, "to look the token up", "auth/token/lookup-self").await?;
        Ok(TokenInfo::of(&data))
    }

    /// `auth/token/roles/ROLE`.
    pub async fn token_role(&self, token: &Secret, role: &str) -> Result<TokenRole, Error> {
        let path = format!("auth/token/roles/{role}");
        let data = self.read_as(token, &format!("the read of {path}"), &path).await?;
        let text = |name: &str| Some(data.field(name)?.text()?.reveal().to_owned());
        let policies = match data.field("allowed_policies") {
            Some(Data::List(list)) => list.as_slice(),
            _ => &[],
        };
        Ok(TokenRole {
            orphan: text("orphan").as_deref() == Some("true"),
            policies: policies.iter().filter_map(|one| Some(one.text()?.reveal().to_owned())).collect(),
            batch: text("token_type").as_deref() == Some("batch"),
            num_uses: text("token_num_uses").and_then(|text| crate::duration::whole(&text)).unwrap_or(0),
        })
    }

    async fn read_as(&self, token: &Secret, action: &str, path: &str) -> Result<Data, Error> {
        let ask = Ask::read(action, path).by(token).within(self.login_namespace());
        Ok(self.ask(ask).await?.data.unwrap_or(Data::Null))
    }
}
