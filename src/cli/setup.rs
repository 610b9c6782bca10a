//! The command line of `setup`: the words of the run, and which jobs may do it. It must not judge values: `config`
//! does.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::arguments::{listed, switch, value};
use super::{Setup, Subject, arguments, doctor};
use crate::options;
use crate::setup::FORMATS;

/// Its arguments: those of a run, but for --format, which is the plan's.
pub(super) fn options(command: Command) -> Command {
    let formats = listed(FORMATS.iter().map(|format| (format.name, format.about)));
    let command = command
        .after_long_help(formats)
        .arg(
            Arg::new("SUBJECT")
                .required(true)
                .help("What the job runs: a provider, `login`, `read` or `env`"),
        )
        .arg(arguments::rest())
        .arg(
            value("plan", "FORMAT", "How to write the setup")
                .long("format")
                .value_parser(PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))
                .default_value("sh"),
        )
        .arg(
            value("cli", "CLI", "sh: the program that the commands call")
                .value_parser(["vault", "bao"])
                .default_value("vault"),
        )
        .arg(switch(
            "check",
            "Print nothing to write: look whether Vault has it all, with an operator's VAULT_TOKEN",
        ))
        .arg(switch("strict", "--check: let what is wider than needed fail").requires("check"))
        .next_help_heading("Which jobs")
        .arg(
            value("project", "ID|PATH", "A project whose jobs may do this; several times for several")
                .action(ArgAction::Append),
        )
        .arg(
            value(
                "group",
                "ID|PATH",
                "All projects of this group, instead; PATH/* are those of its subgroups",
            )
            .action(ArgAction::Append)
            .conflicts_with("project"),
        )
        .arg(
            value(
                "group-claim",
                "CLAIM",
                "Each project has a path of its own: {project_id} stands for its number in the run's words",
            )
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("project_id"),
        )
        .arg(value("ref", "REF", "The branch that they run on, or refs/tags/NAME; * stands for any text"))
        .arg(switch("protected", "On any protected branch or tag; the default where --ref is not given"))
        .arg(
            switch("unprotected", "Where --ref names a ref that is not protected")
                .conflicts_with("protected"),
        )
        .arg(value("environment", "NAME", "In this environment only"))
        .arg(value(
            "from-job",
            "LINE|FILE",
            "Such as the job that printed this line: `this token says: …`; or its log, - for stdin",
        ))
        .arg(value("audience", "AUD", "The aud of their ID tokens [default: the address of Vault]"))
        .arg(arguments::arg(&options::GITLAB_URL, None))
        .next_help_heading("Other logins")
        .arg(value("bound-cidr", "CIDR", "AppRole: the addresses of the runners").action(ArgAction::Append))
        .arg(
            value("service-account", "NAMESPACE/NAME", "Kubernetes: the service account of the jobs")
                .action(ArgAction::Append),
        )
        .arg(value("principal", "ARN", "AWS: the IAM role of the runners").action(ArgAction::Append))
        .next_help_heading("The token")
        .arg(value(
            "token-ttl",
            "DURATION",
            "How long the login's token lives before it is renewed [default: the window of --dead-man, else 15m]",
        ))
        .arg(
            value(
                "allow",
                "PATH=CAPABILITY",
                "A further line of the policy, for what the job does with the token: auth/token/create=update",
            )
            .action(ArgAction::Append),
        );
    doctor::of_run(
        arguments::with_and(command)
            .mut_arg("COMMAND", |command| command.help("As in the run; setup does not run it")),
    )
}

/// Parses what was typed.
pub(super) fn parsed(matches: &ArgMatches) -> Result<Setup, String> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let list = |name: &str| -> Vec<String> {
        matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
    };
    let subject = text("SUBJECT").unwrap_or_default();
    let is_run =
        |text: &str| ["login", "read", "env"].contains(&text) || crate::provider::find(text).is_some();
    let none =
        || format!("`{subject}` is not a provider, `login`, `read` or `env`{}", doctor::meant(&subject));
    if !is_run(&subject) {
        return Err(none());
    }
    let Subject::Run(run) = doctor::subject(&subject, matches)? else { return Err(none()) };
    Ok(Setup {
        run,
        format: text("plan").unwrap_or_default(),
        check: matches.get_flag("check"),
        strict: matches.get_flag("strict"),
        cli: text("cli").unwrap_or_default(),
        projects: list("project"),
        groups: list("group"),
        group_claim: text("group-claim"),
        reference: text("ref"),
        protected: matches.get_flag("protected"),
        unprotected: matches.get_flag("unprotected"),
        environment: text("environment"),
        from_job: text("from-job"),
        audience: text("audience"),
        cidrs: list("bound-cidr"),
        service_accounts: list("service-account"),
        principals: list("principal"),
        token_ttl: text("token-ttl"),
        allowed: list("allow"),
    })
}
