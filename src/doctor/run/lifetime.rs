//! Compares the token's life with the job's. It must not renew the token.

use super::{Status, Step, Walk};
use crate::config::Config;
use crate::duration::{self, show};
use crate::error::Code;
use crate::session::Token;
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, _: &Vault, token: &mut Token) -> Vec<Step> {
    vec![lifetime(token, &walk.config)]
}

fn lifetime(token: &Token, config: &Config) -> Step {
    let Some(life) = token.life else { return Step::ok("lifetime", "the token has no expiry") };
    let seen = format!("the token ends at {}, after {}", life.until, duration::life(life.ttl));
    let wanted = config.requests.iter().filter_map(|one| one.min_ttl).max();
    if let Some(wanted) = wanted.filter(|wanted| *wanted > life.ttl && !token.renewable) {
        return Step::fail("lifetime", Code::Output, seen)
            .hint(format!("set token_ttl={} or more on the login's role, or lower --min-ttl", show(wanted)));
    }
    match config.job.time_after(life.until) {
        Some(rest) if !config.requests.is_empty() => {
            let hint = "leased keys end with it: raise token_ttl, or issue them shortly before they are used";
            let seen = format!("{seen}; the job may run {} longer", show(rest));
            Step { status: Status::Ok, ..Step::ok("lifetime", seen).hint(hint) }
        }
        _ => Step::ok("lifetime", seen),
    }
}
