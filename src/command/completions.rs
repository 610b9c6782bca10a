//! `ci-creds completions SHELL`: prints completions made from the definition that parses the command line. It must not
//! read the environment.

use crate::emit::sink;
use crate::error::Error;
use crate::shutdown::Shutdown;

/// Prints the completions.
pub(crate) async fn run(shell: clap_complete::Shell, shutdown: &Shutdown) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::with_values(), "ci-creds", &mut script);
    // clap_complete's bash script takes the hyphen of a program's name for the start of a subcommand in one of two
    // places, and then completes nothing behind the first word.
    let mut script = String::from_utf8_lossy(&script).replace("ci__subcmd__creds", "ci__creds");
    if shell == clap_complete::Shell::Fish {
        script.push_str(&words_for_fish());
    }
    sink::text_unless_stopped(script, shutdown).await
}

/// clap_complete's fish script has no values of arguments that stand without an option.
fn words_for_fish() -> String {
    let command = crate::cli::with_values();
    let arguments =
        command.get_subcommands().flat_map(|one| one.get_positionals().map(move |word| (one, word)));
    let lines = arguments.filter_map(|(one, word)| {
        let values: Vec<_> =
            word.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let condition = format!("__fish_ci_creds_using_subcommand {}", one.get_name());
        let line = format!("complete -c ci-creds -n \"{condition}\" -f -a \"{}\"\n", values.join(" "));
        (!values.is_empty()).then_some(line)
    });
    lines.collect()
}
