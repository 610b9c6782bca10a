//! Compares what the token may do with the calls that a run makes. It must not make those calls.

use super::engine::{self, Mounted};
use super::{Status, Step, Walk};
use crate::doctor::policy_line;
use crate::error::{Code, chain};
use crate::options::env_suffix;
use crate::provider::{Read, Request};
use crate::session::{self, Token};
use crate::vault::{self, Mount, Vault};

/// A role that does not exist: a token that may read its key may read every role's.
const NOBODY: &str = "ci-creds-doctor-asks";
/// Beyond these a policy is wider than a read.
const NARROW: &[&str] = &["read", "update", "create", "deny"];

/// A policy that does not exist: a token that may read it may read every policy.
const SOMEBODYS: &str = "sys/policies/acl/ci-creds-doctor-asks";

pub(super) async fn look(walk: &mut Walk, vault: &Vault, token: &mut Token) -> Vec<Step> {
    if token.counted {
        let seen = "not checked: each look would use up one of the token's requests";
        return vec![unread(&walk.config.requests, seen.to_owned(), walk.issue)];
    }
    for request in &walk.config.requests {
        walk.mounted.push(vault.mount_of(&token.secret, &request.read.path).await);
    }
    let requests: Vec<_> = walk.config.requests.iter().zip(&walk.mounted).collect();
    let outside_ci = !walk.config.job.in_ci;
    let steps = match allowed_to_all(vault, token, &requests, outside_ci).await {
        Ok(steps) => steps,
        Err(error) => {
            // It is then not known either whether the token may see what is mounted.
            walk.refused = true;
            return vec![not_read(&walk.config.requests, &error, walk.issue)];
        }
    };
    walk.refused = sees_nothing(&steps);
    let open = "what the job's own token may do: run doctor in the job too";
    let skipped = |step: Step| if step.status == Status::Skip { step.unchecked(open) } else { step };
    steps.into_iter().map(skipped).collect()
}

/// What is asked about one request.
struct Asked<'a> {
    request: &'a Request,
    /// The ways that the run would try.
    ways: Vec<Read>,
    /// The same path for a role that does not exist.
    nobody: Option<String>,
    /// Where the engine keeps the role itself: what an operator may read, and a job need not.
    role: Option<String>,
}

impl<'a> Asked<'a> {
    fn of(request: &'a Request, mount: Option<&Mount>) -> Self {
        let mut ways = vec![request.read.clone()];
        ways.extend(request.fallbacks.iter().cloned());
        if request.fallbacks.is_empty() {
            let other = mount.and_then(|mount| session::other_version(&request.read, mount));
            ways.extend(other.map(|(read, _)| read));
        }
        let nobody = match &request.role {
            Some(role) => request.read.path.strip_suffix(role).filter(|before| before.ends_with('/')),
            // The last way of a KV secret is the one that its engine's version wants.
            None => mount.zip(ways.last()).and_then(|(mount, read)| whole_of(&read.path, mount)),
        };
        let nobody = nobody.map(|before| format!("{before}{NOBODY}"));
        let role = mount.and_then(|mount| engine::role_path(request, mount));
        Self { request, ways, nobody, role }
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        self.ways.iter().map(|read| &*read.path).chain(self.nobody.as_deref()).chain(self.role.as_deref())
    }
}

/// A path that does not exist, and that only a policy that is too wide covers. It is beside the path that is read;
/// for KV it is at the top of the mount, because a team may well read all of its own folder.
fn whole_of<'a>(path: &'a str, mount: &Mount) -> Option<&'a str> {
    if mount.kind != "kv" {
        return path.rsplit_once('/').map(|(before, _)| path.get(..=before.len()))?;
    }
    let inside = path.strip_prefix(&mount.path)?;
    let top =
        mount.path.len() + if inside.starts_with("data/") && mount.kv_version == Some(2) { 5 } else { 0 };
    path.get(..top)
}

/// What `paths` are allowed, in their order.
struct Granted(Vec<(String, Vec<String>)>);

impl Granted {
    fn on(&self, path: &str) -> &[String] {
        self.0.iter().find(|(known, _)| known == path).map_or(&[], |(_, granted)| granted)
    }
}

/// Capabilities on every path that a run would use.
///
/// `outside_ci`: a token that may manage roles or policies is then an operator's, and need not read keys.
async fn allowed_to_all(
    vault: &Vault,
    token: &Token,
    requests: &[(&Request, &Mounted)],
    outside_ci: bool,
) -> Result<Vec<Step>, vault::Error> {
    let asked: Vec<_> =
        requests.iter().map(|(request, mount)| Asked::of(request, mount.as_ref().ok())).collect();
    let mut paths: Vec<&str> =
        asked.iter().flat_map(Asked::paths).chain(["auth/token/revoke-self", SOMEBODYS]).collect();
    paths.sort_unstable();
    paths.dedup();
    let granted = vault.capabilities(&token.secret, &paths).await?;
    let granted = Granted(paths.into_iter().map(str::to_owned).zip(granted).collect());
    let mut steps: Vec<Step> =
        asked.iter().map(|one| allowed(one, token.given && outside_ci, &granted)).collect();
    let may_revoke = granted.on("auth/token/revoke-self").iter().any(|one| one == "update" || one == "root");
    if !may_revoke && !token.given {
        let hint = policy_line("the policy should have", "auth/token/revoke-self", "update");
        steps.push(Step::warn("policy", "the token can't be revoked when the job is done", hint));
    }
    if requests.len() > 1 && stops(&steps) {
        steps.push(whole(&asked));
    }
    Ok(steps)
}

/// The step where the policy can't be read: it is then not known whether the run may do what it asks for.
fn unread(requests: &[Request], why: String, issue: bool) -> Step {
    let step = Step::skip("policy", why);
    if issue || requests.is_empty() {
        return step;
    }
    let reads: Vec<_> =
        requests.iter().map(|one| format!("{} {}", one.read.capability(), one.read.path)).collect();
    let open = format!("whether the token may {}: --issue tries it", reads.join(" and "));
    Step { status: Status::Warn, ..step }.unchecked(open)
}

/// The same, where the look at the policy failed.
fn not_read(requests: &[Request], error: &vault::Error, issue: bool) -> Step {
    if error.is_by_front() {
        return unread(requests, format!("not told: {}", chain(error)), issue);
    }
    let step = unread(requests, format!("not checked: {error}"), issue);
    step.hint(policy_line("the policy should have", "sys/capabilities-self", "update"))
}

/// The lines for all that the run reads, each once: what the login's policy needs to hold.
fn whole(asked: &[Asked<'_>]) -> Step {
    let mut lines: Vec<String> = Vec::new();
    for one in asked {
        // The last way of a KV secret is the one that its engine's version wants.
        let read = if one.request.fallbacks.is_empty() {
            one.ways.last().unwrap_or(&one.request.read)
        } else {
            &one.request.read
        };
        let line = vault::policy(&read.path, read.capability());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let step = Step::skip("policy", "all that this run reads needs these lines in the policy:");
    lines.into_iter().fold(step, Step::hint)
}

fn allowed(asked: &Asked<'_>, outside_ci: bool, granted: &Granted) -> Step {
    let found = asked.ways.iter().find(|read| session::allows(granted.on(&read.path), read));
    let Some(read) = found else { return refused(asked, outside_ci, granted) };
    let own = granted.on(&read.path);
    let seen = format!("{} on {}", own.join(", "), read.path);
    let everybody = asked.nobody.as_deref().is_some_and(|path| session::allows(granted.on(path), read));
    let hint = policy_line("the job needs no more than", &read.path, read.capability());
    // Another check warns of a root token.
    let root = own.iter().any(|one| one == "root");
    if !root && own.iter().any(|one| !NARROW.contains(&one.as_str())) {
        Step::warn("policy", seen, hint)
    } else if !root && everybody {
        let others = if asked.request.role.is_some() { "every other role" } else { "other paths too" };
        let seen = format!("{seen}, and on {others}: the policy is wider than the path");
        Step::warn("policy", seen, hint)
    } else {
        Step::ok("policy", seen)
    }
}

fn refused(asked: &Asked<'_>, outside_ci: bool, granted: &Granted) -> Step {
    let read = &asked.request.read;
    let looks = |path: &str| granted.on(path).iter().any(|one| one == "read");
    if outside_ci && (asked.role.as_deref().is_some_and(looks) || looks(SOMEBODYS)) {
        let seen = format!(
            "this token may look at roles or policies, and not {} {}: an operator's",
            read.capability(),
            read.path
        );
        return Step::skip("policy", seen).hint(
            "the job's own token has other policies, and it alone needs the key: run doctor in the job too",
        );
    }
    let seen = format!("the token may not {} {}", read.capability(), read.path);
    let step = Step::fail("policy", Code::Refused, seen).absent(true);
    let step = step.hint(policy_line("the policy must have", &read.path, read.capability()));
    step.hint(match asked.request.origin.cloud() {
        Some(cloud) => {
            let suffix = env_suffix(cloud.name);
            format!(
                "or the engine or its role is another one: CI_CREDS_{suffix}_MOUNT, CI_CREDS_{suffix}_ROLE"
            )
        }
        None => "or the path is another one: it begins with the engine's mount".to_owned(),
    })
}

/// Whether the policy lets the run have this request, as far as `steps` tell.
fn stops(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.status == Status::Fail)
}

/// Whether this token may see nothing of what a request reads: the job's is refused, or an operator's is not asked.
fn sees_nothing(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step.status, Status::Fail | Status::Skip))
}
