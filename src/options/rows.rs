//! The rows, one per option. They must not be repeated anywhere else.

use super::Secrecy::{Hidden, Place, Withheld};
use super::Takes::{Count, Switch, Value, Values, Variable};
use super::Variables::{self, Own, Provider, Usual, Vault};
use super::{Group, Opt};

/// Declares each option as a static of its own, and the group that lists them.
macro_rules! group {
    ($(#[$about:meta])* $group:ident: $heading:literal, only_in_long_help: $long:literal;
     $($option:ident = $row:expr;)+) => {
        $(pub(crate) static $option: Opt = $row;)+
        $(#[$about])*
        pub static $group: Group =
            Group { heading: $heading, only_in_long_help: $long, options: &[$(&$option),+] };
    };
}

/// A variable without a flag: a secret, which is never an argument, or what only `vault` and `bao` have.
const fn variable(name: &'static str, value: &'static str, variables: Variables, help: &'static str) -> Opt {
    Opt::new(name, Variable(value), variables, help)
}

group! {
    /// How to reach Vault.
    VAULT: "Vault", only_in_long_help: true;
    ADDR = Opt::new("addr", Value("URL"), Vault(&["AGENT_ADDR", "ADDR", "SERVER_URL"]),
        "The address of Vault or OpenBao");
    NAMESPACE = Opt::new("namespace", Value("NAMESPACE"), Vault(&["NAMESPACE"]), "The namespace of everything");
    AUTH_NAMESPACE = Opt::new("auth-namespace", Value("NAMESPACE"), Own,
        "The namespace of the login, where it is another");
    CA_CERT = Opt::new("ca-cert", Value("FILE"), Vault(&["CACERT"]),
        "Trust only the CA certificates in this PEM file").lock("ca-cert");
    CA_PATH = Opt::new("ca-path", Value("DIR"), Vault(&["CAPATH"]),
        "Trust only the CA certificates in this folder").lock("ca-cert");
    CLIENT_CERT = Opt::new("client-cert", Value("FILE"), Vault(&["CLIENT_CERT"]), "The client certificate, PEM");
    CLIENT_KEY = Opt::new("client-key", Value("FILE"), Vault(&["CLIENT_KEY"]),
        "The client certificate's key, PEM");
    TLS_SERVER_NAME = Opt::new("tls-server-name", Value("NAME"), Vault(&["TLS_SERVER_NAME"]),
        "The name that the certificate must be for").lock("tls-server-name");
    TLS_SKIP_VERIFY = Opt::new("tls-skip-verify", Switch, Vault(&["SKIP_VERIFY"]),
        "Do not check Vault's certificate: anyone can then be Vault").lock("tls-skip-verify").opens();
    PROXY = Opt::new("proxy", Value("URL"), Vault(&["PROXY_ADDR", "HTTP_PROXY"]),
        "The proxy for Vault, instead of HTTPS_PROXY's").secrecy(Hidden).lock("proxy");
    TIMEOUT = Opt::new("timeout", Value("DURATION"), Vault(&["CLIENT_TIMEOUT"]),
        "How long one request may take [default: 60s]");
    MAX_RETRIES = Opt::new("max-retries", Value("N"), Vault(&["MAX_RETRIES"]),
        "How often a request is repeated [default: as often as fits 20 s]");
    REDIRECT_HOST = Opt::new("redirect-host", Values("HOST"), Own, "A further host that Vault may redirect to").opens();
    ALLOW_HTTP = Opt::new("allow-http", Switch, Own, "Allow http:// to an address that is not this machine's").lock("allow-http").opens();
}

group! {
    /// How to log in.
    LOGIN: "Login", only_in_long_help: true;
    AUTH = Opt::new("auth", Value("METHOD"), Vault(&["AUTH_METHOD"]),
        "The login: approle, jwt, kubernetes, aws, cert, agent or token [default: by what is there]");
    AUTH_ROLE = Opt::new("auth-role", Value("ROLE"), Vault(&["AUTH_ROLE"]),
        "The role to log in with; for AppRole, whose secret_id is issued");
    AUTH_PATH = Opt::new("auth-path", Value("MOUNT"), Vault(&["AUTH_PATH"]),
        "Where the auth method is mounted [default: its name]");
    ROLE_ID = Opt::new("role-id", Value("ID"), Vault(&["ROLE_ID"]), "AppRole: the role_id").secrecy(Withheld);
    SECRET_ID_FILE = Opt::new("secret-id-file", Value("FILE"), Own,
        "AppRole: the file with the secret_id, - for stdin, instead of VAULT_SECRET_ID").secrecy(Place);
    WRAPPED_SECRET_ID_FILE = Opt::new("wrapped-secret-id-file", Value("FILE"), Own,
        "AppRole: the file with a wrapping token, - for stdin, instead of VAULT_WRAPPED_SECRET_ID").secrecy(Place);
    ID_TOKEN_ENV = Opt::new("id-token-env", Value("NAME"), Own,
        "JWT: the variable with the ID token [default: VAULT_ID_TOKEN]").secrecy(Place);
    ID_TOKEN_FILE = Opt::new("id-token-file", Value("FILE"), Own,
        "JWT and Kubernetes: the file with the token, - for stdin").secrecy(Place);
    AWS_SOURCE = Opt::new("aws-source", Value("SOURCE"), Own,
        "AWS: env, web-identity, profile, container or imds [default: the first that is there]");
    AWS_SERVER_ID = Opt::new("aws-server-id", Value("ID"), Own, "AWS: the mount's iam_server_id_header_value");
    AWS_STS_REGION = Opt::new("aws-sts-region", Value("REGION"), Own, "AWS: the region whose STS Vault asks");
    NO_METADATA = Opt::new("no-metadata", Switch, Own,
        "Log in without naming the job: in a secret_id's metadata, in the User-Agent of a JWT login");
}

group! {
    /// What to ask the engine for. These belong to the provider named first.
    ENGINE: "Engine", only_in_long_help: false;
    MOUNT = Opt::new("mount", Value("MOUNT"), Provider("MOUNT"), "Where the secrets engine is mounted");
    PATH = Opt::new("path", Value("PATH"), Provider("PATH"),
        "The path inside the mount, with {role} where the role goes");
    FIELD = Opt::new("field", Values("OURS=THEIRS"), Provider("FIELDS"),
        "Another name of a field in the engine's answer");
    KV_VERSION = Opt::new("kv-version", Value("1|2"), Provider("KV_VERSION"),
        "The version of the KV engine that it is read from, where its answer does not tell");
    TTL = Opt::new("ttl", Value("DURATION"), Provider("TTL"), "Ask for this life");
    MIN_TTL = Opt::new("min-ttl", Value("DURATION"), Provider("MIN_TTL"), "Refuse credentials that end sooner");
}

group! {
    /// How to hand the credentials over.
    OUTPUT: "Output", only_in_long_help: false;
    FORMAT = Opt::new("format", Value("FORMAT"), Own, "How to write the credentials [default: sh]");
    PROFILE = Opt::new("profile", Value("NAME"), Own, "The profile's name in a profile file [default: default]");
    OUTPUT_FILE = Opt::new("output", Value("FILE"), Own,
        "Write to this file, readable by you alone, instead of stdout");
    MERGE = Opt::new("merge", Switch, Own,
        "Put the profile into the profile file that --output names, and leave the rest of it as it is");
    FORCE = Opt::new("force", Switch, Own, "Replace an existing profile file").opens();
    DOTENV_LIMIT = Opt::new("dotenv-limit", Value("N"), Own,
        "How many variables GitLab takes in a dotenv report [default: 20]");
    STATE_FILE = Opt::new("state-file", Value("FILE"), Own,
        "Note in this file what `ci-creds revoke` takes back; auto is $CI_PROJECT_DIR.tmp/ci-creds.state");
    SHOW = Opt::new("show", Switch, Own, "Print secrets to a terminal, or under CI_DEBUG_TRACE").lock("show").opens();
    QUIET = Opt::new("quiet", Switch, Own, "Print nothing but warnings and errors on stderr").short('q');
    COLOR = Opt::new("color", Value("WHEN"), Own,
        "Colours in messages and reports: auto, always or never [default: auto, on a terminal and in a job's log]");
    VERBOSE = Opt::new("verbose", Count, Variables::None, "Say what is done; -vv says more").short('v');
}

group! {
    /// Options of `-- COMMAND`. --dead-man works with `eval` as well.
    COMMAND: "Command", only_in_long_help: false;
    NO_MASK = Opt::new("no-mask", Switch, Own,
        "Leave the command's output alone: do not replace secrets by [MASKED]").lock("no-mask").opens();
    REFRESH = Opt::new("refresh", Switch, Own,
        "AWS: let the command ask for fresh credentials whenever the old ones are about to end");
    DEAD_MAN = Opt::new("dead-man", Value("DURATION"), Own,
        "End the credentials so long after ci-creds is gone, however it went, or after Vault could not be reached: 30s to \
         10m. For `eval`, a process in the background renews them as long as the shell lives");
    DEAD_MAN_BEST_EFFORT = Opt::new("dead-man-best-effort", Switch, Own,
        "Warn of credentials that --dead-man can't end (AWS sessions, batch tokens), instead of an error").opens();
    SCAN = Opt::new("scan", Values("PATH"), Own,
        "Look for the credentials in this file or folder when the command has ended; a find is exit code 7");
}

group! {
    /// Only `revoke` has these, beside some of the others.
    REVOKE: "Revoke", only_in_long_help: false;
    BEST_EFFORT = Opt::new("best-effort", Switch, Own,
        "Succeed when Vault can't be reached or refuses: what is left stays in the file").opens();
}

group! {
    /// Only `scan` has these, beside some of the others.
    SCANNING: "Scan", only_in_long_help: false;
    REVOKE_FOUND = Opt::new("revoke", Switch, Variables::None,
        "Take back at once what the job was given when it is found");
}

group! {
    /// Only `read` has these.
    READ: "Read", only_in_long_help: false;
    READ_KV_VERSION = Opt::new("kv-version", Value("1|2"), Own,
        "The version of the KV engine that is read, where its answer does not tell");
    SECRET_VERSION = Opt::new("version", Values("N"), Variables::None,
        "KV version 2: read this version of the secret at the path before it");
    DATA = Opt::new("data", Values("K=V"), Variables::None,
        "Send this to the engine: the request becomes a write");
    ALLOW_ANY_NAME = Opt::new("allow-any-name", Switch, Variables::None,
        "Allow names that change how a shell or the next program runs").opens();
}

group! {
    /// What only `env` has.
    ENV: "References", only_in_long_help: false;
    ONLY = Opt::new("only", Values("NAME"), Own, "Look at this variable, and at no other that is not named");
    EXCEPT = Opt::new("except", Values("NAME"), Own, "Leave this variable as it is");
    REQUIRE = Opt::new("require", Switch, Own, "Fail when no variable holds a reference");
}

group! {
    /// Only `rotate` has these.
    ROTATE: "Rotate", only_in_long_help: false;
    TOKEN_ROLE = Opt::new("token-role", Value("ROLE"), Own, "The token role that makes the new issuing token");
    APPROLE = Opt::new("approle", Value("ROLE"), Own,
        "The AppRole whose secret_ids it issues [default: that of an AppRole login; else the old token's policies count]");
    APPROLE_PATH = Opt::new("approle-path", Value("MOUNT"), Own, "Where AppRole is mounted [default: approle]");
    VARIABLE = Opt::new("variable", Value("NAME"), Own, "The GitLab variable [default: VAULT_TOKEN; of an access token, CI_CREDS_GITLAB_TOKEN]");
    PROJECT = Opt::new("project", Value("ID"), Own, "The project that has it [default: the job's]");
    GROUP = Opt::new("group", Value("ID"), Own, "The group that has it");
    ENVIRONMENT_SCOPE = Opt::new("environment-scope", Value("SCOPE"), Own,
        "Its environment scope, where several have this name");
    GRACE = Opt::new("grace", Value("DURATION"), Own,
        "How long the old token goes on for jobs that have it; 0 revokes it [default: 1h]");
    GITLAB_URL = Opt::new("gitlab-url", Value("URL"), Own, "The address of GitLab [default: the job's]");
    GITLAB_TOKEN_FILE = Opt::new("gitlab-token-file", Value("FILE"), Own,
        "The file with an access token of GitLab, - for stdin, instead of CI_CREDS_GITLAB_TOKEN").secrecy(Place);
    GITLAB_TOKEN_PATH = Opt::new("gitlab-token-path", Value("PATH#FIELD"), Own,
        "Where Vault keeps an access token of GitLab, read by the same login, instead of CI_CREDS_GITLAB_TOKEN");
    GITLAB_CA_CERT = Opt::new("gitlab-ca-cert", Value("FILE"), Own,
        "Trust only these CA certificates for GitLab [default: CI_SERVER_TLS_CA_FILE, else the system's]");
    GITLAB_ACCESS_TOKEN = Opt::new("gitlab-access-token", Switch, Variables::None,
        "Rotate the access token of GitLab itself, into --gitlab-token-path, else into --variable");
    GITLAB_TOKEN_TTL = Opt::new("gitlab-token-ttl", Value("DURATION"), Own,
        "How long that is good for, in whole days [default: 30d]");
    DRY_RUN = Opt::new("dry-run", Switch, Own, "Check everything that can be checked, and change nothing");
}

group! {
    /// Variables without a flag.
    VARIABLES: "Variables", only_in_long_help: true;
    CACERT_BYTES = variable("ca-cert-bytes", "", Vault(&["CACERT_BYTES"]),
        "Trust only the CA certificates in this PEM text (after `VAULT_CACERT`, before `VAULT_CAPATH`)")
        .secrecy(Hidden).lock("ca-cert");
    CLIENT_CERT_BYTES = variable("client-cert-bytes", "", Vault(&["CLIENT_CERT_BYTES"]),
        "The client certificate as PEM text (after `VAULT_CLIENT_CERT`)").secrecy(Hidden);
    CLIENT_KEY_BYTES = variable("client-key-bytes", "", Vault(&["CLIENT_KEY_BYTES"]),
        "The client certificate's key as PEM text (after `VAULT_CLIENT_KEY`)").secrecy(Withheld);
    DISABLE_REDIRECTS = variable("disable-redirects", "BOOL", Vault(&["DISABLE_REDIRECTS"]),
        "Follow no redirect at all");
    SECRET_ID = variable("secret-id", "", Vault(&["SECRET_ID"]), "AppRole: the secret_id").secrecy(Withheld);
    WRAPPED_SECRET_ID = variable("wrapped-secret-id", "", Vault(&["WRAPPED_SECRET_ID"]),
        "AppRole: a wrapping token with the secret_id inside").secrecy(Withheld);
    TOKEN = variable("token", "", Vault(&["TOKEN"]), "The token to use, or the one that issues the secret_id")
        .secrecy(Withheld);
    WRAP_TTL = variable("wrap-ttl", "DURATION", Vault(&["WRAP_TTL"]),
        "AppRole: issue the secret_id wrapped, for this long");
    ID_TOKEN = variable("id-token", "", Vault(&["ID_TOKEN"]), "JWT: the ID token").secrecy(Withheld);
    TOKEN_PATH = variable("token-path", "FILE", Vault(&["TOKEN_PATH"]),
        "The file with the token, where the login `token` is named").secrecy(Place);
    PROVIDER_ROLE = variable("role", "ROLE", Provider("ROLE"), "The role in this provider's engine");
    ROLE = variable("role", "ROLE", Own, "The role in the engine of every provider");
    GITLAB_TOKEN = variable("gitlab-token", "", Own, "rotate: an access token of GitLab").secrecy(Withheld);
}

group! {
    /// Variables that many programs use, beside Vault's own.
    USUAL: "Usual variables", only_in_long_help: true;
    HTTPS_PROXY = variable("HTTPS_PROXY", "", Usual(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
        "The proxy for https:// (also in lower case; then `ALL_PROXY`)").secrecy(Hidden).lock("proxy");
    // In a CGI program HTTP_PROXY is a header that a client sends, hence the order.
    HTTP_PROXY = variable("HTTP_PROXY", "", Usual(&["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"]),
        "The proxy for http:// (also in lower case; then `ALL_PROXY`)").secrecy(Hidden).lock("proxy");
    NO_PROXY = variable("NO_PROXY", "", Usual(&["NO_PROXY", "no_proxy"]),
        "Hosts that are reached without the proxy (also in lower case)");
    SSL_CERT_FILE = variable("SSL_CERT_FILE", "FILE", Usual(&["SSL_CERT_FILE"]),
        "The system's CA certificates: one PEM file").lock("ca-cert");
    SSL_CERT_DIR = variable("SSL_CERT_DIR", "DIR", Usual(&["SSL_CERT_DIR"]),
        "The system's CA certificates: a folder").lock("ca-cert");
}

group! {
    /// Variables of `vault` and `bao` that have no effect here. Their help is what a warning says to do instead.
    UNSUPPORTED: "Unsupported variables", only_in_long_help: true;
    MFA = variable("mfa", "", Vault(&["MFA"]), "use a login without a second factor");
    RATE_LIMIT = variable("rate-limit", "", Vault(&["RATE_LIMIT"]), "a run sends a handful of requests");
    SRV_LOOKUP = variable("srv-lookup", "", Vault(&["SRV_LOOKUP"]),
        "give the address of a node or of the load balancer");
    HEADERS = variable("headers", "", Vault(&["HEADERS"]), "no header is added to the requests");
    CONFIG_PATH = variable("config-path", "", Vault(&["CONFIG_PATH"]),
        "no configuration file and no token helper is read; set VAULT_TOKEN");
}
