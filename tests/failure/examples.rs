//! An example of each error variant. The pattern and the example of a variant stand in one row, and the patterns of
//! an enum must cover it: a new variant does not compile without an example.

use std::path::PathBuf;
use std::time::Duration;

use ci_creds::testing::ci::SYSTEMS;
use ci_creds::testing::claims::Unusable;
use ci_creds::testing::cloud::aws;
use ci_creds::testing::cloud::gitlab;
use ci_creds::testing::cloud::scaleway;
use ci_creds::testing::error::{Code, Error};
use ci_creds::testing::exec::background;
use ci_creds::testing::exec::limits::TooLarge;
use ci_creds::testing::ledger::state;
use ci_creds::testing::vault::{ServerErrors, WithHints};
use ci_creds::testing::{auth, config, emit, env, http, merge, policy, provider, session, shutdown, vault};

/// The examples of one enum, as errors on their way to `main`, by the text of their patterns.
macro_rules! examples {
    ($kind:ty { $($pattern:pat => $example:expr,)+ }) => {{
        #[deny(unreachable_patterns)]
        fn is_known(error: &$kind) {
            match error { $($pattern => {})+ }
        }
        let mut all: Vec<(String, Error)> = Vec::new();
        $(
            let example: $kind = $example;
            is_known(&example);
            assert!(matches!(example, $pattern), "the example of {} is another variant", stringify!($pattern));
            all.push((format!("{}: {}", stringify!($kind), stringify!($pattern)), example.into()));
        )+
        all
    }};
}

/// All examples of all modules.
pub(super) fn all() -> Vec<(String, Error)> {
    [
        config_errors(),
        policy_errors(),
        policy_refusals(),
        auth_errors(),
        aws_errors(),
        vault_errors(),
        http_errors(),
        session_errors(),
        output_errors(),
        rotation_errors(),
        setup_errors(),
        scan_errors(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn text() -> String {
    "x".to_owned()
}

fn said() -> ServerErrors {
    ServerErrors(vec!["permission denied".to_owned()])
}

fn refused() -> vault::Error {
    vault::Error::Refused { action: text(), status: 403, by_policy: false, said: said() }
}

/// What some step can't do without.
fn need() -> &'static provider::Need {
    let options = provider::PROVIDERS.iter().flat_map(|provider| provider.options);
    let mut needs = options.filter_map(|option| match option.effect {
        provider::Effect::Switches(step) => step.needs.first(),
        _ => None,
    });
    needs.next().unwrap()
}

fn config_errors() -> Vec<(String, Error)> {
    use config::Error as E;
    let source_name = text;
    examples!(config::Error {
        E::NoAddress => E::NoAddress,
        E::HiddenAddress => E::HiddenAddress,
        E::BaseUrl => E::BaseUrl,
        E::StepNeeds { .. } => E::StepNeeds { switch: "--mint", provider: "scaleway", need: need() },
        E::WithoutCommand(_) => E::WithoutCommand("refresh"),
        E::WithCommand(_) => E::WithCommand("output"),
        E::Merge(_) => E::Merge("x"),
        E::StdinTaken { .. } => E::StdinTaken { source_name: source_name() },
        E::AgentsToken => E::AgentsToken,
        E::NoProjectDir { .. } => E::NoProjectDir { source_name: source_name(), project_dir: "CI_PROJECT_DIR" },
        E::NoStateFile { .. } => E::NoStateFile { project_dir: "CI_PROJECT_DIR" },
        E::Unexpanded { .. } => E::Unexpanded { source_name: text(), variable: text() },
        E::PathForValue { .. } => E::PathForValue { source_name: source_name(), instead: Some(text()) },
        E::Id { .. } => E::Id { source_name: source_name(), by_flag: true, title: "Scaleway" },
        E::Without { .. } => E::Without { flag: text(), switch: "--mint" },
        E::Address { .. } => E::Address { source_name: source_name(), what: "x", example: "x" },
        E::PlainHttp { .. } => E::PlainHttp { source_name: source_name(), host: text(), can_be_allowed: true },
        E::Namespace { .. } => E::Namespace { source_name: source_name() },
        E::HalfClient { .. } => E::HalfClient { source_name: source_name() },
        E::Value { .. } => E::Value { source_name: source_name(), wanted: "x", by_flag: true },
        E::Content { .. } => E::Content {
            source_name: source_name(), by_flag: true, seems: ci_creds::testing::input::Seems::Key, meant: "a name"
        },
        E::Method { .. } => E::Method { source_name: source_name(), by_flag: true },
        E::Format { .. } => E::Format { source_name: source_name(), by_flag: true },
        E::NoLogin { .. } => E::NoLogin { ci: SYSTEMS[0], why_unset: Some(text()) },
        E::NoLoginRole { .. } => E::NoLoginRole { method: "Kubernetes" },
        E::AwsSource { .. } => E::AwsSource { source_name: source_name(), by_flag: true },
        E::Ambiguous { .. } => E::Ambiguous { one: text(), other: text() },
        E::MissingLoginParameter { .. } => E::MissingLoginParameter {
            method: "JWT", what: "an ID token", remedy: "x", ci: SYSTEMS[0], why_unset: None
        },
        E::NamedTokenUnset { .. } => E::NamedTokenUnset {
            source_name: source_name(), variable: text(), ci: SYSTEMS[0], why_unset: None
        },
        E::NoAppRole => E::NoAppRole,
        E::Reference { .. } => E::Reference { name: text(), fault: ci_creds::testing::reference::Fault::NoField },
        E::NeverReference { .. } => E::NeverReference { name: text() },
        E::OnlyUnset { .. } => E::OnlyUnset { name: text() },
        E::RepeatedReference { .. } => E::RepeatedReference { name: text(), other: text() },
        E::NoReference => E::NoReference,
        E::NoRole { .. } => E::NoRole { provider: "aws" },
        E::Ttl { .. } => E::Ttl { source_name: source_name(), provider: "exoscale" },
        E::Path { .. } => E::Path { what: text(), path: text() },
        E::FieldName { .. } => E::FieldName {
            source_name: source_name(),
            by_flag: true,
            given: text(),
            provider: "aws",
            known: text(),
        },
        E::Pair { .. } => E::Pair { given: text(), form: "K=V" },
        E::VariableName(_) => E::VariableName(text()),
        E::DangerousName(_) => E::DangerousName(text()),
        E::Twice { .. } => E::Twice { name: text(), one: text(), other: text() },
        E::Policy(_) => E::Policy(policy::Refused::Option { source_name: source_name() }),
        E::NotText(_) => E::NotText(env::NotText(text())),
    })
}

fn policy_errors() -> Vec<(String, Error)> {
    use policy::Error as E;
    examples!(policy::Error {
        E::Untrusted { .. } => E::Untrusted { path: policy::FILE, why: "x", remedy: text() },
        E::Unreadable { .. } => {
            E::Unreadable { path: policy::FILE, source: std::io::ErrorKind::PermissionDenied.into() }
        },
        E::Content { .. } => E::Content { what: text(), remedy: text() },
    })
}

fn policy_refusals() -> Vec<(String, Error)> {
    use policy::Refused as E;
    let source_name = text;
    examples!(policy::Refused {
        E::Address { .. } => E::Address { source_name: source_name(), address: text(), allowed: text() },
        E::Host { .. } => E::Host { source_name: source_name(), host: text(), allowed: text() },
        E::Option { .. } => E::Option { source_name: source_name() },
        E::NoLogin { .. } => E::NoLogin { method: text(), known: text() },
        E::Login { .. } => E::Login { method: "jwt", allowed: text() },
    })
}

fn auth_errors() -> Vec<(String, Error)> {
    use auth::Error as E;
    examples!(auth::Error {
        E::LoginParameter { .. } =>
            E::LoginParameter { what: "the ID token", source_name: text(), reason: text(), hint: text() },
        E::Time { .. } => E::Time { ci: "GitLab", source_name: text(), fault: Unusable::Expired(600), ahead: None },
        E::Intercepted { .. } =>
            E::Intercepted { source_name: text(), reason: text(), foreign: true, path: text() },
        E::Aws(_) => E::Aws(aws::Error::Nothing),
        E::TriedTwice { .. } => E::TriedTwice { role: text() },
        E::Vault(_) => E::Vault(refused().into()),
    })
}

fn aws_errors() -> Vec<(String, Error)> {
    use aws::Error as E;
    examples!(aws::Error {
        E::Nothing => E::Nothing,
        E::Absent { .. } => E::Absent { source_name: "env", needs: "x" },
        E::Failed { .. } => E::Failed {
            source_name: "imds", about: "x", named: false, reason: text(), silent: true, code: Code::Environment
        },
        E::Unsigned { .. } => E::Unsigned { reason: text() },
        E::Unsendable { .. } => E::Unsendable { what: "AWS_SESSION_TOKEN".to_owned() },
        E::Http(_) => E::Http(http::Error::TooLong { host: text() }),
    })
}

fn vault_errors() -> Vec<(String, Error)> {
    use vault::Error as E;
    examples!(vault::Error {
        E::Http(_) => E::Http(http::Error::TooLong { host: text() }),
        E::Refused { .. } => refused(),
        E::SecondFactor { .. } => E::SecondFactor { action: text() },
        E::Unable { .. } => E::Unable { action: text(), status: 503, said: said() },
        E::Behind { .. } => E::Behind { action: text() },
        E::Unsendable(_) => E::Unsendable("x"),
        E::NotVault { .. } => E::NotVault { action: text(), host: text(), lost: false, forbidden: false, said: said() },
    })
}

fn http_errors() -> Vec<(String, Error)> {
    use http::Error as E;
    let cause = || http::Cause(text());
    examples!(http::Error {
        E::Connect { .. } => E::Connect { host: text(), cause: cause(), proxy: None },
        E::Tls { .. } => E::Tls { host: text(), cause: cause(), hint: text() },
        E::Timeout { .. } => E::Timeout { host: text(), after: Duration::from_secs(1) },
        E::WantsTls { .. } => E::WantsTls { host: text() },
        E::Broken { .. } => E::Broken { host: text(), cause: cause() },
        E::Lost { .. } => E::Lost { host: text(), cause: text(), timed_out: true, foreign: false },
        E::Abandoned { .. } => E::Abandoned { host: text(), stopped: shutdown::Stopped(Code::Terminated) },
        E::TooLong { .. } => E::TooLong { host: text() },
        E::Redirect { .. } => E::Redirect { host: text(), reason: text(), hint: "x" },
        E::Setting { .. } => E::Setting { what: text(), hint: text() },
        E::Stopped(_) => E::Stopped(shutdown::Stopped(Code::Interrupted)),
    })
}

fn session_errors() -> Vec<(String, Error)> {
    use provider::Error as P;
    use session::Error as E;
    use state::Error as S;
    let mut all = examples!(session::Error {
        E::Login(_) => E::Login(auth::Error::Vault(refused().into())),
        E::Vault(_) => E::Vault(WithHints::from(refused())),
        E::Answer(_) => E::Answer(P::NoData { path: text() }),
        E::Step(_) => E::Step(provider::Failed::new(scaleway::Error::NotScaleway { host: text() })),
        E::Data { .. } => E::Data { name: text(), shown: text(), cause: std::io::ErrorKind::NotFound.into() },
        E::TooShort { .. } => E::TooShort { provider: "aws", life: Duration::ZERO, wanted: Duration::from_secs(9) },
        E::Unbounded { .. } => E::Unbounded { what: text(), why: "x" },
        E::LeftBehind { .. } =>
            E::LeftBehind { error: Box::new(WithHints::from(refused()).into()), left: vec![text()] },
        E::State(_) => E::State(state::Error::Locked { path: "/state".into() }),
        E::Stopped(_) => E::Stopped(shutdown::Stopped(Code::Terminated)),
    });
    all.extend(examples!(state::Error {
        S::Unsafe { .. } => S::Unsafe { path: "/state".into(), reason: "x" },
        S::Open { .. } => S::Open { path: "/state".into() },
        S::Damaged { .. } => S::Damaged { path: "/state".into(), line: 1, kept: None },
        S::Locked { .. } => S::Locked { path: "/state".into() },
        S::Io { .. } =>
            S::Io { path: "/state".into(), done: "read", cause: std::io::ErrorKind::NotFound.into() },
        S::Stopped(_) => S::Stopped(shutdown::Stopped(Code::Terminated)),
    }));
    all.extend(examples!(provider::Error {
        P::NoData { .. } => P::NoData { path: text() },
        P::Ended { .. } => P::Ended { path: text(), end: jiff::Timestamp::MIN },
        P::NotVersioned { .. } => P::NotVersioned { path: text(), version: 3 },
        P::Untold { .. } => P::Untold { path: text(), option: text() },
        P::Negative { .. } => P::Negative { path: text(), field: text() },
        P::Field { .. } => P::Field { path: text(), what: text(), there: vec![text()], option: "--field" },
    }));
    all.extend(scaleway_errors());
    all.push(("aws: --wait".to_owned(), provider::aws::Unknown.into()));
    all
}

fn scaleway_errors() -> Vec<(String, Error)> {
    use provider::scaleway::S3Error as S;
    use scaleway::Error as E;
    let said = || scaleway::ServerErrors::of(b"{}", str::to_owned);
    let mut all = examples!(provider::scaleway::S3Error {
        S::NoRegion => S::NoRegion,
        S::Region(_) => S::Region(text()),
    });
    all.extend(examples!(scaleway::Error {
        E::Http(_) => E::Http(http::Error::TooLong { host: text() }),
        E::Refused { .. } => E::Refused { action: text(), status: 403, said: said() },
        E::Unable { .. } => E::Unable { action: text(), status: 503, said: said() },
        E::Lost { .. } => E::Lost { host: text(), cause: text() },
        E::NotScaleway { .. } => E::NotScaleway { host: text() },
        E::Endless { .. } => E::Endless { key: text() },
        E::Unknown { .. } => E::Unknown { key: text(), after: Duration::ZERO },
    }));
    all
}

fn merge_errors() -> Vec<(String, Error)> {
    use merge::Error as E;
    let path = || PathBuf::from("/x");
    examples!(merge::Error {
        E::Unsafe { .. } => E::Unsafe { path: path(), reason: "x" },
        E::Content { .. } => E::Content { path: path(), line: 1, what: "x" },
        E::Taken { .. } => E::Taken { path: path(), profile: text() },
        E::Twice { .. } => E::Twice { path: path(), profile: text() },
        E::InUse { .. } => E::InUse { path: path(), profile: text(), job: text(), until: jiff::Timestamp::MIN },
        E::Locked { .. } => E::Locked { path: path() },
        E::Changed { .. } => E::Changed { path: path() },
        E::Deleted { .. } => E::Deleted { path: path() },
        E::Io { .. } => E::Io { path: path(), done: "read", cause: std::io::ErrorKind::NotFound.into() },
        E::Stopped(_) => E::Stopped(shutdown::Stopped(Code::Terminated)),
    })
}

fn output_errors() -> Vec<(String, Error)> {
    use emit::Error as E;
    use emit::sink::Error as S;
    let path = || PathBuf::from("/x");
    let mut all = examples!(emit::sink::Error {
        S::Terminal => S::Terminal,
        S::DebugTrace(_) => S::DebugTrace("CI_DEBUG_TRACE"),
        S::Fish => S::Fish,
        S::Closed => S::Closed,
        S::Stdout(_) => S::Stdout(text()),
        S::File { .. } => S::File { path: path(), reason: text() },
        S::Exists { .. } => S::Exists { path: path() },
        S::Deleted { .. } => S::Deleted { path: path() },
        S::Merge(_) => S::Merge(merge::Error::Locked { path: path() }),
    });
    all.extend(merge_errors());
    all.extend(examples!(emit::Error {
        E::Value { .. } => E::Value { variable: text(), format: "sh", what: text() },
        E::Nul { .. } => E::Nul { variable: text(), format: "sh" },
        E::Provider { .. } => E::Provider { format: "scw-config", own: "scaleway", other: text() },
        E::NoPlace { .. } => E::NoPlace { variable: text(), format: "scw-config" },
        E::ProfileName { .. } => E::ProfileName { format: "scw-config" },
        E::DotenvName { .. } => E::DotenvName { variable: text() },
        E::DotenvTwice { .. } => E::DotenvTwice { variable: text() },
        E::DotenvCount { .. } => E::DotenvCount { count: 2, limit: 1, variable: text() },
        E::TooLarge(_) => E::TooLarge(TooLarge::All { variable: text(), size: 3, limit: 2 }),
        E::DotenvSize { .. } => E::DotenvSize { size: 2, limit: 1, variable: text() },
    }));
    all.extend(examples!(background::Error {
        background::Error::NoShell(_) => background::Error::NoShell(std::io::ErrorKind::NotFound.into()),
        background::Error::NotStarted(_) => background::Error::NotStarted(std::io::ErrorKind::WouldBlock.into()),
    }));
    all
}

fn rotation_errors() -> Vec<(String, Error)> {
    use config::RotationError as E;
    use gitlab::Error as G;
    let mut all = examples!(config::RotationError {
        E::Common(_) => E::Common(config::Error::NoAddress),
        E::NoTokenRole => E::NoTokenRole,
        E::NoGitlabToken => E::NoGitlabToken,
        E::GitlabTokenPath { .. } => E::GitlabTokenPath {
            source_name: text(),
            by_flag: true,
            fault: ci_creds::testing::reference::Fault::NoField,
        },
        E::NoGitlab => E::NoGitlab,
        E::NoOwner => E::NoOwner,
        E::TwoOwners => E::TwoOwners,
    });
    all.extend(examples!(gitlab::Error {
        G::Http(_) => G::Http(http::Error::TooLong { host: text() }),
        G::Refused { .. } => G::Refused { action: text(), status: 403, said: text() },
        G::Unable { .. } => G::Unable { action: text(), status: 503, said: text() },
        G::NotGitlab { .. } => G::NotGitlab { action: text(), host: text(), status: 200 },
    }));
    all
}

fn setup_errors() -> Vec<(String, Error)> {
    use config::setup::Error as E;
    examples!(config::setup::Error {
        E::Common(_) => E::Common(config::Error::NoAddress),
        E::Login { .. } => E::Login { login: "cert" },
        E::NoProject => E::NoProject,
        E::MixedProjects => E::MixedProjects,
        E::Odd { .. } => E::Odd { option: "--ref", why: "x" },
        E::NoIssuer => E::NoIssuer,
        E::PlainIssuer { .. } => E::PlainIssuer { source_name: "--gitlab-url".to_owned(), host: text() },
        E::NoServiceAccount => E::NoServiceAccount,
        E::NoPrincipal => E::NoPrincipal,
        E::NoAudience => E::NoAudience,
        E::Name { .. } => E::Name { what: "the path", name: text() },
        E::NoClaims => E::NoClaims,
        E::Unread { .. } => E::Unread { from: text(), cause: std::io::ErrorKind::NotFound.into() },
        E::OwnPolicy { .. } => E::OwnPolicy { name: "default".to_owned() },
        E::Unproven { .. } => E::Unproven { claims: text() },
        E::OfAnotherLogin { .. } => E::OfAnotherLogin { option: "--ref", login: "approle", of: "jwt" },
        E::GroupClaim { .. } => E::GroupClaim { claim: text(), why: "no path of the run has it" },
        E::TwoNamespaces => E::TwoNamespaces,
    })
}

fn scan_errors() -> Vec<(String, Error)> {
    use ci_creds::testing::scan::{Error as E, Lines};
    let secrets = [ci_creds::testing::secret::Secret::new("x".repeat(8 << 20))];
    let Err(large) = ci_creds::testing::exec::mask::Patterns::of(secrets.iter()) else {
        panic!("too large a secret")
    };
    examples!(ci_creds::testing::scan::Error {
        E::NothingKnown { .. } => E::NothingKnown { why: text() },
        E::TooShort => E::TooShort,
        E::Found { .. } => E::Found { finds: Lines::default(), faults: Lines::default() },
        E::Incomplete { .. } => E::Incomplete { faults: Lines::default() },
        E::NoThread { .. } => E::NoThread { cause: std::io::ErrorKind::OutOfMemory.into() },
        E::TooLarge(_) => E::TooLarge(large),
    })
}
