//! Renews and revokes the token itself and leases. It must not decide when.

use super::{Ask, Auth, Data, Error, NO_TOKEN, Value, Vault};
use crate::secret::Secret;

/// The path at which a token renews itself.
pub(crate) const RENEW_SELF: &str = "auth/token/renew-self";
/// The path at which a token revokes itself.
pub(crate) const REVOKE_SELF: &str = "auth/token/revoke-self";
/// The path at which a lease is renewed.
pub(crate) const RENEW_LEASE: &str = "sys/leases/renew";

impl Vault {
    /// `auth/token/renew-self`, so that the token lives `seconds` from now if it may.
    pub async fn renew_self(&self, token: &Secret, seconds: u64) -> Result<Auth, Error> {
        let action = "to renew the token";
        let ask = Ask::write(action, RENEW_SELF)
            .by(token)
            .within(self.login_namespace())
            .with([("increment", Value::Plain(seconds.into()))]);
        self.ask(ask).await?.auth.ok_or_else(|| self.not_vault(action, NO_TOKEN))
    }

    /// `auth/token/revoke-self`: the token's leases go with it.
    pub async fn revoke_self(&self, token: &Secret) -> Result<(), Error> {
        let ask = Ask::write("to revoke the token", REVOKE_SELF);
        self.ask(ask.by(token).within(self.login_namespace())).await.map(drop)
    }

    /// `sys/leases/renew`: the seconds from now that were granted, of `seconds` that were asked for.
    pub async fn renew_lease(&self, token: &Secret, lease: &str, seconds: u64) -> Result<u64, Error> {
        let ask = Ask::write(format!("to renew the lease {lease}"), RENEW_LEASE)
            .by(token)
            .within(self.namespace.as_deref())
            .with([("lease_id", lease.into()), ("increment", Value::Plain(seconds.into()))]);
        self.ask(ask).await.map(|answer| answer.lease_duration)
    }

    /// `sys/leases/lookup`: the seconds that a lease has left.
    pub async fn lease_ttl(&self, token: &Secret, lease: &str) -> Result<u64, Error> {
        let ask = Ask::write(format!("to look the lease {lease} up"), "sys/leases/lookup")
            .by(token)
            .within(self.namespace.as_deref())
            .with([("lease_id", lease.into())]);
        let data = self.ask(ask).await?.data.unwrap_or(Data::Null);
        Ok(data
            .field("ttl")
            .and_then(Data::text)
            .and_then(|text| crate::duration::whole(text.reveal()))
            .unwrap_or(0))
    }

    /// `sys/leases/revoke`, done when it answers.
    pub async fn revoke_lease(&self, token: &Secret, lease: &str) -> Result<(), Error> {
        let ask = Ask::write(format!("to revoke the lease {lease}"), "sys/leases/revoke")
            .by(token)
            .within(self.namespace.as_deref())
            .with([("lease_id", lease.into()), ("sync", Value::Plain(true.into()))]);
        self.ask(ask).await.map(drop)
    }
}
