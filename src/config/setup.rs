//! What `setup` needs: the requests of the run, found as the run finds them, and who may do it. It must not ask Vault.

use std::net::IpAddr;

use super::lookup::Lookup;
use super::{address, hands_over, references, requests};
use crate::auth;
use crate::ci::{self, Job, Meant, PATH_CLAIMS, PathClaim, gitlab};
use crate::claims::Claims;
use crate::cli::{Flags, Parsed, Setup, Verb, again};
use crate::env::Env;
use crate::error::{Code, Explain};
use crate::options;
use crate::provider::Request;
use crate::setup::{self, Order, Who};

/// How long a login's token lives where nothing else is said.
const TOKEN_TTL: std::time::Duration = std::time::Duration::from_secs(900);

/// A setup that can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error that a run has too.
    #[error(transparent)]
    Common(#[from] super::Error),
    /// A login that needs nothing, or that is not known here.
    #[error("setup does not know the login {login}")]
    Login {
        /// The login.
        login: &'static str,
    },
    /// No project is named.
    #[error("no project is named: whose jobs may do this?")]
    NoProject,
    /// Projects are given by number and by path.
    #[error("--project is given by number and by path: one role can compare only one of them")]
    MixedProjects,
    /// A claim that no path can have, or that no path has.
    #[error("--group-claim {claim}: {why}")]
    GroupClaim {
        /// The claim.
        claim: String,
        /// What is wrong.
        why: &'static str,
    },
    /// An option with a value that can't be.
    #[error("{option} {why}")]
    Odd {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No service account, or one without its namespace.
    #[error("--service-account NAMESPACE/NAME is not given for each service account of the jobs")]
    NoServiceAccount,
    /// No IAM role, or no ARN.
    #[error("--principal is no ARN of an IAM role, or is not given")]
    NoPrincipal,
    /// No issuer.
    #[error("the address of {} is not set", ci::usual().name)]
    NoIssuer,
    /// An issuer whose keys Vault would fetch by plain http.
    #[error("{source_name} is plain http to {host}: anyone on the way can give Vault other keys")]
    PlainIssuer {
        /// The flag or variable.
        source_name: String,
        /// Host and port.
        host: String,
    },
    /// No audience.
    #[error("the audience of the ID tokens is not set")]
    NoAudience,
    /// A name that no policy or role can have.
    #[error("{what} {name} can't stand in a policy as itself")]
    Name {
        /// What it is.
        what: &'static str,
        /// The name, fit to show.
        name: String,
    },
    /// The role's policy would replace one that Vault itself has.
    #[error("the policy {name} is Vault's own")]
    OwnPolicy {
        /// Its name.
        name: String,
    },
    /// The line of a job that holds no claims.
    #[error("--from-job holds no claims")]
    NoClaims,
    /// The role would keep out the job that it is for.
    #[error("the role would refuse the job that it is for: {claims}")]
    Unproven {
        /// The claims that keep it out.
        claims: String,
    },
    /// An option of another login: left out in silence, the role would let in more than was asked for.
    #[error("{option} does not go with --auth {login}")]
    OfAnotherLogin {
        /// The option.
        option: &'static str,
        /// The login.
        login: &'static str,
        /// The login that it belongs to.
        of: &'static str,
    },
    /// Two namespaces.
    #[error("the namespace is not below the login's, whose token can't be used there")]
    TwoNamespaces,
}

impl Explain for Error {
    fn code(&self) -> Code {
        match self {
            Self::Common(error) => error.code(),
            Self::Unproven { .. } => Code::Bug,
            Self::NoIssuer | Self::NoAudience | Self::PlainIssuer { .. } => Code::Environment,
            _ => Code::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Common(error) => return error.hints(),
            Self::Login { login: "agent" } => {
                "--auth names the login of the agent's auto_auth: approle, jwt, kubernetes or aws"
            }
            Self::Login { .. } => "--auth names jwt, approle, kubernetes or aws",
            Self::NoProject => {
                "name one with --project ID (its number, under Settings > General), several times for several"
            }
            Self::MixedProjects => {
                "give the numbers of all of them: a number stays when a project is renamed"
            }
            Self::GroupClaim { .. } => {
                "project_id and namespace_id are numbers, which fit in a path: write {project_id} where the number goes. With \
                 --project several times, one role for each is printed, and {project_path} can be used too"
            }
            Self::Odd { option: "--allow", .. } => "give it several times for several lines",
            Self::Odd { option: "--bound-cidr", .. } => {
                "name the network of the runners, several times for several"
            }
            Self::Odd { option: "--principal", .. } | Self::NoPrincipal => {
                "such as --principal arn:aws:iam::123456789012:role/gitlab-runner"
            }
            Self::Odd { .. } => return vec![format!("write it as {} shows it", ci::usual().name)],
            Self::NoServiceAccount => "such as --service-account ci/deployer, several times for several",
            Self::NoIssuer => {
                "set --gitlab-url or CI_CREDS_GITLAB_URL to the address such as https://gitlab.example.com"
            }
            Self::PlainIssuer { .. } => {
                "use https; where plain http is meant, set CI_CREDS_ALLOW_HTTP=true or --allow-http"
            }
            Self::NoAudience => {
                "set --audience to the aud of the job's id_tokens:, or VAULT_ADDR, which is the usual one"
            }
            Self::Name { .. } => {
                "choose a name of letters, digits, - and _; --auth-role names the role of the login"
            }
            Self::OfAnotherLogin { of, .. } => return vec![format!("leave it out, or set up --auth {of}")],
            Self::OwnPolicy { .. } => {
                "--auth-role gives the role, and the policy of the same name, another one"
            }
            Self::Unproven { .. } => "this is a bug in ci-creds; please report it",
            Self::NoClaims => "copy the line of the job's log that begins with `this token says:`",
            Self::TwoNamespaces => {
                "VAULT_NAMESPACE must begin with CI_CREDS_AUTH_NAMESPACE and a /, as in team/app and team"
            }
        };
        vec![hint.to_owned()]
    }
}

/// Puts flags and environment together.
pub(crate) fn resolve(setup: &Setup, parsed: &Parsed, env: &Env) -> Result<Order, Error> {
    let (and, flags, command) = (parsed.and.clone(), parsed.flags.clone(), parsed.command.clone());
    let run = Parsed { verb: (*setup.run).clone(), and, command, flags };
    let lookup = Lookup::of(&run, env);
    let references = references::all(&run, &lookup)?;
    // The run happens in a job, whatever this is.
    let requests = requests::all(&run, references, &lookup, &Job::default())?;
    let claim = group_claim(setup, &requests)?;
    for request in &requests {
        let path = claim.map_or(request.read.path.to_string(), |claim| claim.filled(&request.read.path, "1"));
        named("the path", &path)?;
    }
    let text = |option| Ok::<_, Error>(lookup.text(option)?.map(|found| found.value.trim().to_owned()));
    let trimmed = |option| text(option).map(|found| found.map(|name| name.trim_matches('/').to_owned()));
    let (namespace, own) = (trimmed(&options::NAMESPACE)?, trimmed(&options::AUTH_NAMESPACE)?);
    let below = match &own {
        Some(own) if namespace.as_ref() != Some(own) => {
            let rest = namespace.as_ref().and_then(|name| name.strip_prefix(own)?.strip_prefix('/'));
            format!("{}/", rest.ok_or(Error::TwoNamespaces)?)
        }
        _ => String::new(),
    };
    named("the namespace", &below)?;
    let method = text(&options::AUTH)?;
    let method = auth::find(method.as_deref().unwrap_or("jwt"));
    let method = method.ok_or(Error::Login { login: "that --auth names" })?;
    let login = setup::login(method.name).ok_or(Error::Login { login: method.name })?;
    let mount = super::login::mount(&lookup)?.unwrap_or_else(|| method.name.to_owned());
    named("the mount", &mount)?;
    let engine_role = requests.iter().find_map(|request| request.role.clone());
    let engine_role = engine_role.filter(|role| !role.contains('{'));
    let role = text(&options::AUTH_ROLE)?.or(engine_role).unwrap_or_else(|| own_role(&requests));
    let plain = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
    if role.is_empty() || !role.chars().all(plain) || role.starts_with(['-', '.']) {
        return Err(Error::Name { what: "the role", name: crate::input::shown(&role) });
    }
    // Vault's names of policies have no capitals.
    if ["default", "root"].contains(&role.to_ascii_lowercase().as_str()) {
        return Err(Error::OwnPolicy { name: role });
    }
    // A process that is killed before it has cut the token's life then leaves one that ends with the window as well.
    let dead_man = lookup.window(&options::DEAD_MAN)?;
    let token_ttl = match &setup.token_ttl {
        Some(text) => crate::duration::parse(text).filter(|ttl| !ttl.is_zero()),
        None => dead_man.or(Some(TOKEN_TTL)),
    };
    let token_ttl =
        token_ttl.ok_or(Error::Odd { option: "--token-ttl", why: "is no duration such as 15m" })?;
    let variables = [
        ("VAULT_ADDR", text(&options::ADDR)?),
        ("VAULT_NAMESPACE", namespace.clone()),
        ("CI_CREDS_AUTH_NAMESPACE", own.clone().filter(|_| !below.is_empty())),
    ];
    let variables = variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Order {
        variables: variables.collect(),
        call: again::run(&run),
        hands_over: hands_over(&run),
        allowed: setup.allowed.iter().map(|one| allowed(one)).collect::<Result<_, _>>()?,
        takes_kv_version: !matches!(run.verb, Verb::Env),
        has_window: dead_man.is_some(),
        refreshes: !run.command.is_empty() && lookup.switch(&options::REFRESH)?,
        runs_command: !run.command.is_empty(),
        requests,
        login,
        mount,
        role,
        engine_namespace: namespace.clone(),
        namespace: own.or(namespace),
        below,
        token_ttl: token_ttl.as_secs(),
        claim,
        who: who(login.name, setup, &lookup)?,
    })
}

/// The variables that this run has, and that its setup needs as well: they are not in its words. Each value is as a
/// shell takes it, and none is a secret.
pub(crate) fn variables(run: &Parsed, env: &Env) -> Vec<(String, String)> {
    let first = match &run.verb {
        Verb::Provider(ask) => Some(ask.provider),
        _ => None,
    };
    let others = run.and.iter().flatten().map(|ask| ask.provider);
    let mut found = Vec::new();
    let mut add = |opt: &options::Opt, provider: Option<&str>, by_flag: bool| {
        let flags = if by_flag { &run.flags } else { &Flags::default() };
        let lookup = Lookup { flags, env, provider, flags_count: by_flag };
        // The run itself reports a value that is not valid.
        let Ok(Some(set)) = lookup.text(opt) else { return };
        if !set.by_flag && !opt.is_secret() {
            found.push((set.source, again::value_of(opt, &set.value)));
        }
    };
    let common: &[&options::Opt] = match &run.verb {
        Verb::Read(_) => &[&options::READ_KV_VERSION],
        Verb::Env => &[&options::ONLY, &options::EXCEPT],
        _ => &[],
    };
    for opt in [&options::NAMESPACE, &options::AUTH_NAMESPACE, &options::AUTH_ROLE, &options::AUTH_PATH] {
        add(opt, None, true);
    }
    add(&options::AWS_SERVER_ID, None, true);
    common.iter().for_each(|opt| add(opt, None, true));
    for (provider, by_flag) in first.map(|one| (one, true)).into_iter().chain(others.map(|one| (one, false)))
    {
        let own = provider.options.iter().map(|option| option.opt);
        for opt in
            [&options::PROVIDER_ROLE].into_iter().chain(options::ENGINE.options.iter().copied()).chain(own)
        {
            add(opt, Some(provider.name), by_flag);
        }
    }
    if first.is_some() || !run.and.is_empty() {
        add(&options::ROLE, None, true);
    }
    if matches!(run.verb, Verb::Env) {
        let lookup = Lookup::of(run, env);
        for (name, reference) in references::all(run, &lookup).map(|all| all.found).unwrap_or_default() {
            // A parameter that is sent along may be a secret.
            let plain = reference.parameters.iter().all(|(name, _)| name == "version");
            let value = env.get(&name).ok().flatten().filter(|_| plain).unwrap_or("…").to_owned();
            found.push((name, again::shown(&value)));
        }
    }
    found
}

/// The claim that stands in the run's paths.
fn group_claim(
    setup: &Setup,
    requests: &[crate::provider::Request],
) -> Result<Option<&'static PathClaim>, Error> {
    let Some(name) = &setup.group_claim else { return Ok(None) };
    let wrong = |why| Error::GroupClaim { claim: crate::input::shown(name), why };
    let claim = PATH_CLAIMS.iter().find(|claim| claim.name == name);
    let claim = claim.ok_or_else(|| wrong("it is not a number that nobody can choose"))?;
    let needs_list = setup.projects.is_empty();
    if needs_list && !claim.templated {
        return Err(wrong("it has a /, and OpenBao refuses a path that is filled in with /, + or *"));
    }
    if needs_list && setup.groups.is_empty() {
        return Err(wrong("it needs --group, or --project for each project"));
    }
    if !needs_list {
        let by_number = setup.projects.iter().all(|one| ci::is_number(one));
        let fits = claim.name == if by_number { "project_id" } else { "project_path" };
        let globs = setup.projects.iter().any(|one| one.contains('*'));
        if !fits || globs {
            return Err(wrong(
                "give --project the number of each project for project_id, its path for project_path",
            ));
        }
    }
    if !requests.iter().any(|request| request.read.path.contains(&claim.mark())) {
        return Err(wrong("no path of the run has it"));
    }
    Ok(Some(claim))
}

/// The name of the role where neither --auth-role nor an engine's role gives one: that of the path, so that the setup of one
/// secret does not replace that of another.
fn own_role(requests: &[Request]) -> String {
    let path = requests.first().map_or("", |request| &*request.read.path);
    // Without the claims that stand in it.
    let path = path.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let slug = ci::slug(&path.collect::<String>());
    let words: Vec<_> = slug.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "ci".to_owned() } else { words.join("-") }
}

fn named(what: &'static str, name: &str) -> Result<(), Error> {
    if setup::can_be_in_policy(name) {
        Ok(())
    } else {
        Err(Error::Name { what, name: crate::input::shown(name) })
    }
}

/// A further line of the policy: `PATH=CAPABILITY`.
fn allowed(text: &str) -> Result<(String, &'static str), Error> {
    let parts = text.rsplit_once('=').and_then(|(path, capability)| {
        Some((path, setup::CAPABILITIES.iter().find(|known| **known == capability)?))
    });
    let why = "is a path and one capability: auth/token/create=update";
    let (path, capability) = parts.ok_or(Error::Odd { option: "--allow", why })?;
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Err(Error::Odd { option: "--allow", why });
    }
    named("the path", path)?;
    Ok((path.to_owned(), capability))
}

/// The options that narrow who may log in: each belongs to one login, and is refused with another.
fn belongs(login: &'static str, setup: &Setup) -> Result<(), Error> {
    let options = [
        ("jwt", "--project", !setup.projects.is_empty()),
        ("jwt", "--group", !setup.groups.is_empty()),
        ("jwt", "--group-claim", setup.group_claim.is_some()),
        ("jwt", "--ref", setup.reference.is_some()),
        ("jwt", "--protected", setup.protected),
        ("jwt", "--unprotected", setup.unprotected),
        ("jwt", "--environment", setup.environment.is_some()),
        ("jwt", "--from-job", setup.from_job.is_some()),
        ("approle", "--bound-cidr", !setup.cidrs.is_empty()),
        ("kubernetes", "--service-account", !setup.service_accounts.is_empty()),
        ("aws", "--principal", !setup.principals.is_empty()),
    ];
    match options.into_iter().find(|(of, _, given)| *given && *of != login) {
        Some((of, option, _)) => Err(Error::OfAnotherLogin { option, login, of }),
        None => Ok(()),
    }
}

fn who(login: &'static str, setup: &Setup, lookup: &Lookup<'_>) -> Result<Who, Error> {
    belongs(login, setup)?;
    match login {
        "approle" => match setup.cidrs.iter().find_map(|one| flaw_of_network(one)) {
            Some(why) => Err(Error::Odd { option: "--bound-cidr", why }),
            None => Ok(Who::Runners { cidrs: setup.cidrs.clone() }),
        },
        "kubernetes" => {
            let whole =
                |one: &String| one.split('/').filter(|part| !part.is_empty() && *part != "*").count() == 2;
            if setup.service_accounts.is_empty() || !setup.service_accounts.iter().all(whole) {
                return Err(Error::NoServiceAccount);
            }
            let who = Who::ServiceAccounts(setup.service_accounts.clone());
            // Vault compares the two apart from each other: each namespace may have each name.
            if who.lets_in_other_pairs() {
                Err(Error::Odd {
                    option: "--service-account",
                    why: "would let in other pairs of these namespaces and names: set up one role for each",
                })
            } else {
                Ok(who)
            }
        }
        "aws" => {
            let arns = setup.principals.clone();
            if arns.iter().any(|arn| arn.ends_with(":root")) {
                let why = "with :root names a whole account, or its owner: name a role of it";
                return Err(Error::Odd { option: "--principal", why });
            }
            if arns.is_empty() || !arns.iter().all(|arn| is_principal(arn)) {
                return Err(Error::NoPrincipal);
            }
            let server_id = lookup.text(&options::AWS_SERVER_ID)?.map(|found| found.value);
            Ok(Who::Principals { arns, server_id })
        }
        _ => jobs(setup, lookup),
    }
}

/// What is wrong with an address or a network, as Vault binds them.
fn flaw_of_network(text: &str) -> Option<&'static str> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return Some("is no network such as 10.0.0.0/8, and no address"),
    };
    let plain = |bits: &&str| bits.bytes().all(|byte| byte.is_ascii_digit());
    match bits.map(|bits| Some(bits).filter(plain)?.parse::<u8>().ok().filter(|bits| *bits <= most)) {
        Some(None) => Some("has no number of bits behind its /, such as the 8 of 10.0.0.0/8"),
        Some(Some(0)) => Some("binds nothing: every address is in it. Leave it out, if that is meant"),
        _ => None,
    }
}

/// Whether this is the ARN of one IAM role or user. That of a session (`arn:aws:sts::…`) is not what Vault compares.
fn is_principal(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [arn, partition, "iam", "", account, name] = parts[..] else { return false };
    let kind = ["role/", "user/"].iter().find_map(|kind| name.strip_prefix(kind));
    arn == "arn"
        && partition.starts_with("aws")
        && ci::is_number(account)
        && kind.is_some_and(|name| !name.is_empty() && !name.contains('*'))
}

/// The jobs that are named, or that are like the one whose claims are given.
fn jobs(setup: &Setup, lookup: &Lookup<'_>) -> Result<Who, Error> {
    let claims = match &setup.from_job {
        Some(line) => Some(Claims::from_line(line).ok_or(Error::NoClaims)?),
        None => None,
    };
    let claim = |name: &str| claims.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let groups = setup.groups.clone();
    let projects = match &setup.projects[..] {
        [] if !groups.is_empty() => Vec::new(),
        [] => claim("project_id").or_else(|| claim("project_path")).into_iter().collect(),
        all => all.to_vec(),
    };
    if projects.is_empty() && groups.is_empty() {
        return Err(Error::NoProject);
    }
    let is_list = |one: &String| one.split(',').count() > 1 && one.split(',').all(|part| part.contains('/'));
    let is_one = |one: &String| ci::is_number(one) || (one.contains('/') && !is_list(one));
    if groups.iter().any(|one| ci::is_number(one)) && !groups.iter().all(|one| ci::is_number(one)) {
        return Err(Error::MixedProjects);
    }
    if !projects.iter().all(is_one) {
        let why = "is a number or GROUP/PROJECT, given several times for several";
        return Err(Error::Odd { option: "--project", why });
    }
    let numbers = projects.iter().filter(|one| ci::is_number(one)).count();
    if numbers != 0 && numbers != projects.len() {
        return Err(Error::MixedProjects);
    }
    let typed = setup.reference.clone().or_else(|| claim("ref").filter(|_| !setup.protected));
    let tagged = setup.reference.is_none() && claim("ref_type").as_deref() == Some("tag");
    let (reference, is_tag) = match typed.as_deref().map(|text| (text.strip_prefix("refs/tags/"), text)) {
        Some((Some(tag), _)) => (Some(tag.to_owned()), true),
        Some((None, text)) => (Some(text.strip_prefix("refs/heads/").unwrap_or(text).to_owned()), tagged),
        None => (None, false),
    };
    let unprotected = setup.unprotected || claim("ref_protected").as_deref() == Some("false");
    if unprotected && reference.is_none() {
        return Err(Error::Odd { option: "--unprotected", why: "needs --ref: else every branch would do" });
    }
    let environment = setup.environment.clone().or_else(|| claim("environment"));
    let texts = projects.iter().map(|one| ("--project", Some(one)));
    let texts = texts.chain(groups.iter().map(|one| ("--group", Some(one))));
    for (option, text) in
        texts.chain([("--ref", reference.as_ref()), ("--environment", environment.as_ref())])
    {
        let Some(text) = text else { continue };
        if text.is_empty() || text.contains(char::is_control) {
            return Err(Error::Odd { option, why: "must be a text without control characters" });
        }
        if text.bytes().all(|byte| byte == b'*') {
            return Err(Error::Odd { option, why: "must not let in everybody: * alone does" });
        }
    }
    let named = lookup.first(&[&options::GITLAB_URL, &gitlab::ISSUER])?;
    if named.as_ref().is_some_and(|url| !url.value.contains("://")) {
        return Err(Error::Odd { option: "--gitlab-url", why: "has no scheme: https://HOST" });
    }
    let of_job = claim("iss").map(|issuer| (issuer, "iss in --from-job".to_owned()));
    let issuer = of_job.or_else(|| named.map(|found| (found.value, found.source)));
    let (issuer, source) = issuer.ok_or(Error::NoIssuer)?;
    // Vault fetches the keys from there: who can change them on their way signs tokens.
    address::vault(lookup, issuer.trim(), &source, "https://gitlab.example.com").map_err(
        |error| match error {
            super::Error::PlainHttp { source_name, host, .. } => Error::PlainIssuer { source_name, host },
            error => Error::Common(error),
        },
    )?;
    let address = lookup.text(&options::ADDR)?.map(|found| found.value);
    let audience = setup.audience.clone().or_else(|| claims.as_ref()?.shown("aud")).or(address);
    Ok(Who::Jobs {
        meant: Meant { projects, groups, reference, is_tag, protected: !unprotected, environment },
        issuer: issuer.trim().trim_end_matches('/').to_owned(),
        audience: audience.ok_or(Error::NoAudience)?,
    })
}
