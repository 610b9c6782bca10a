//! The rows.

use super::Takes::{Count, Switch, Value, Values};
use super::Variables::{Own, Provider, Vault};
use super::{Group, Opt, Takes, Variables};

const fn opt(name: &'static str, takes: Takes, variables: Variables, help: &'static str) -> Opt {
    Opt { name, short: None, takes, variables, help }
}

const fn short(letter: char, opt: Opt) -> Opt {
    Opt { short: Some(letter), ..opt }
}

/// How to reach Vault.
pub static VAULT: Group = Group {
    heading: "Vault",
    only_in_long_help: true,
    options: &[
        opt(
            "addr",
            Value("URL"),
            Vault(&["AGENT_ADDR", "ADDR", "SERVER_URL"]),
            "The address of Vault or OpenBao",
        ),
        opt("namespace", Value("NAME"), Vault(&["NAMESPACE"]), "The namespace of everything"),
        opt("auth-namespace", Value("NAME"), Own, "The namespace of the login, where it is another"),
        opt("ca-cert", Value("FILE"), Vault(&["CACERT"]), "Trust only the CA certificates in this PEM file"),
        opt("ca-path", Value("DIR"), Vault(&["CAPATH"]), "Trust only the CA certificates in this folder"),
        opt("client-cert", Value("FILE"), Vault(&["CLIENT_CERT"]), "The client certificate, PEM"),
        opt("client-key", Value("FILE"), Vault(&["CLIENT_KEY"]), "The client certificate's key, PEM"),
        opt(
            "tls-server-name",
            Value("NAME"),
            Vault(&["TLS_SERVER_NAME"]),
            "The name that the certificate must be for",
        ),
        opt(
            "tls-skip-verify",
            Switch,
            Vault(&["SKIP_VERIFY"]),
            "Do not check Vault's certificate: anyone can then be Vault",
        ),
        opt(
            "proxy",
            Value("URL"),
            Vault(&["PROXY_ADDR", "HTTP_PROXY"]),
            "The proxy for Vault, instead of HTTPS_PROXY's",
        ),
        opt(
            "timeout",
            Value("DURATION"),
            Vault(&["CLIENT_TIMEOUT"]),
            "How long one request may take [default: 60s]",
        ),
        opt(
            "max-retries",
            Value("N"),
            Vault(&["MAX_RETRIES"]),
            "How often a request is repeated [default: as often as fits 20 s]",
        ),
        opt("redirect-host", Values("HOST"), Own, "A further host that Vault may redirect to"),
        opt("allow-http", Switch, Own, "Allow http:// to an address that is not this machine's"),
    ],
};

/// How to log in.
pub static LOGIN: Group = Group {
    heading: "Login",
    only_in_long_help: true,
    options: &[
        opt(
            "auth",
            Value("METHOD"),
            Vault(&["AUTH_METHOD"]),
            "The login: approle, jwt, kubernetes, aws, cert or token [default: by what is there]",
        ),
        opt(
            "auth-role",
            Value("ROLE"),
            Vault(&["AUTH_ROLE"]),
            "The role to log in with; for AppRole, whose secret_id is issued",
        ),
        opt(
            "auth-path",
            Value("MOUNT"),
            Vault(&["AUTH_PATH"]),
            "Where the auth method is mounted [default: its name]",
        ),
        opt("role-id", Value("ID"), Vault(&["ROLE_ID"]), "AppRole: the role_id"),
        opt(
            "secret-id-file",
            Value("FILE"),
            Own,
            "AppRole: the file with the secret_id, - for stdin, instead of VAULT_SECRET_ID",
        ),
        opt(
            "wrapped-secret-id-file",
            Value("FILE"),
            Own,
            "AppRole: the file with a wrapping token, - for stdin, instead of VAULT_WRAPPED_SECRET_ID",
        ),
        opt(
            "id-token-env",
            Value("NAME"),
            Own,
            "JWT: the variable with the ID token [default: VAULT_ID_TOKEN]",
        ),
        opt("id-token-file", Value("FILE"), Own, "JWT and Kubernetes: the file with the token, - for stdin"),
        opt(
            "aws-source",
            Value("SOURCE"),
            Own,
            "AWS: env, web-identity, profile, container or imds [default: the first that is there]",
        ),
        opt("aws-server-id", Value("ID"), Own, "AWS: the mount's iam_server_id_header_value"),
        opt("aws-sts-region", Value("REGION"), Own, "AWS: the region whose STS Vault asks"),
        opt(
            "no-metadata",
            Switch,
            Own,
            "AppRole: issue the secret_id without the job's name in its metadata",
        ),
    ],
};

/// What to ask the engine for. These belong to the provider named first.
pub static ENGINE: Group = Group {
    heading: "Engine",
    only_in_long_help: false,
    options: &[
        opt("mount", Value("MOUNT"), Provider("MOUNT"), "Where the secrets engine is mounted"),
        opt(
            "path",
            Value("PATH"),
            Provider("PATH"),
            "The path inside the mount, with {role} where the role goes",
        ),
        opt(
            "field",
            Values("OURS=THEIRS"),
            Provider("FIELDS"),
            "Another name of a field in the engine's answer",
        ),
        opt("ttl", Value("DURATION"), Provider("TTL"), "Ask for this life"),
        opt("min-ttl", Value("DURATION"), Provider("MIN_TTL"), "Refuse credentials that end sooner"),
    ],
};

/// How to hand the credentials over.
pub static OUTPUT: Group = Group {
    heading: "Output",
    only_in_long_help: false,
    options: &[
        opt("format", Value("FORMAT"), Own, "How to write the credentials [default: sh]"),
        opt("profile", Value("NAME"), Own, "The profile's name in a profile file [default: default]"),
        opt("output", Value("FILE"), Own, "Write to this file, readable by you alone, instead of stdout"),
        opt("force", Switch, Own, "Replace an existing profile file"),
        opt(
            "dotenv-limit",
            Value("N"),
            Own,
            "How many variables GitLab takes in a dotenv report [default: 20]",
        ),
        opt(
            "state-file",
            Value("FILE"),
            Own,
            "Note in this file what `ci-creds revoke` takes back; auto is $CI_PROJECT_DIR.tmp/ci-creds.state",
        ),
        opt("show", Switch, Own, "Print secrets to a terminal, or under CI_DEBUG_TRACE"),
        short('q', opt("quiet", Switch, Own, "Print nothing but warnings and errors on stderr")),
        short('v', opt("verbose", Count, Variables::None, "Say what is done; -vv says more")),
    ],
};

/// What concerns only `-- COMMAND`.
pub static COMMAND: Group = Group {
    heading: "Command",
    only_in_long_help: false,
    options: &[
        opt("no-mask", Switch, Own, "Leave the command's output alone: do not replace secrets by [MASKED]"),
        opt(
            "refresh",
            Switch,
            Own,
            "AWS: let the command ask for fresh credentials whenever the old ones are about to end",
        ),
    ],
};

/// Only `revoke` has these, beside some of the others.
pub static REVOKE: Group = Group {
    heading: "Revoke",
    only_in_long_help: false,
    options: &[opt(
        "best-effort",
        Switch,
        Own,
        "Succeed when Vault can't be reached or refuses: what is left stays in the file",
    )],
};

/// Only `read` has these.
pub static READ: Group = Group {
    heading: "Read",
    only_in_long_help: false,
    options: &[
        opt("data", Values("K=V"), Variables::None, "Send this to the engine: the request becomes a write"),
        opt(
            "allow-any-name",
            Switch,
            Variables::None,
            "Allow names that change how a shell or the next program runs",
        ),
    ],
};

/// Only `rotate` has these.
pub static ROTATE: Group = Group {
    heading: "Rotate",
    only_in_long_help: false,
    options: &[
        opt("token-role", Value("ROLE"), Own, "The token role that makes the new issuing token"),
        opt(
            "approle",
            Value("NAME"),
            Own,
            "The AppRole whose secret_ids it issues [default: VAULT_AUTH_ROLE]",
        ),
        opt("approle-path", Value("MOUNT"), Own, "Where AppRole is mounted [default: approle]"),
        opt("variable", Value("NAME"), Own, "The GitLab variable [default: VAULT_TOKEN]"),
        opt("project", Value("ID"), Own, "The project that has it [default: the job's]"),
        opt("group", Value("ID"), Own, "The group that has it"),
        opt("environment-scope", Value("SCOPE"), Own, "Its environment scope, where several have this name"),
        opt(
            "grace",
            Value("DURATION"),
            Own,
            "How long the old token goes on for jobs that have it; 0 revokes it [default: 1h]",
        ),
        opt("gitlab-url", Value("URL"), Own, "The address of GitLab [default: the job's]"),
        opt(
            "gitlab-token-file",
            Value("FILE"),
            Own,
            "The file with an access token of GitLab, - for stdin, instead of CI_CREDS_GITLAB_TOKEN",
        ),
        opt(
            "gitlab-ca-cert",
            Value("FILE"),
            Own,
            "Trust only these CA certificates for GitLab [default: CI_SERVER_TLS_CA_FILE, else the system's]",
        ),
        opt("dry-run", Switch, Own, "Check everything that can be checked, and change nothing"),
    ],
};

/// The groups that every command has.
pub static COMMON: &[&Group] = &[&VAULT, &LOGIN, &OUTPUT, &COMMAND];
