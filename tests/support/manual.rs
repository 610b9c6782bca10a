//! The man pages: `ci-creds.1`, and one for each command, as git has them. They are made out of the definition that
//! parses the command line, so that they can't say anything else.

/// The name of each page, and its text.
pub fn pages() -> Vec<(String, Vec<u8>)> {
    let mut command = ci_creds::testing::cli::command();
    // The options of a command are put in only when it is asked for.
    command.build();
    let commands: Vec<_> = command.get_subcommands().cloned().collect();
    let whole = (command.get_name().to_owned(), command);
    let each = commands.into_iter().map(|one| (format!("ci-creds-{}", one.get_name()), one));
    [whole].into_iter().chain(each).map(|(name, command)| page(name, command)).collect()
}

fn page(name: String, command: clap::Command) -> (String, Vec<u8>) {
    // What -h leaves to --help is told here.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(command.display_name(&name)).title(&name).manual("ci-creds");
    let man = man.source(concat!("ci-creds ", env!("CARGO_PKG_VERSION")));
    man.render(&mut text).expect("memory takes it");
    let text = String::from_utf8(text).expect("the definition is text");
    // What stands behind the options: the formats, the exit codes.
    let text = text.replace("\n.SH EXTRA\n", "\n.SH NOTES\n");
    // clap_mangen does not know what has to stand behind `--`.
    let text = text.replace("[\\fICOMMAND\\fR]", "[\\-\\- \\fICOMMAND\\fR...]");
    // troff itself reads no UTF-8.
    let plain =
        |char: char| if char.is_ascii() { char.to_string() } else { format!("\\[u{:04X}]", u32::from(char)) };
    (format!("{name}.1"), text.chars().map(plain).collect::<String>().into_bytes())
}
