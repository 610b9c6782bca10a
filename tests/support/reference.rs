//! The tables of docs/reference.md and docs/options.md. They are made from the rows that parse the command line, so
//! that they can't say anything else.

use std::fmt::Write;

use ci_creds::testing::options::{self, Group, Opt, Takes};
use ci_creds::testing::provider::PROVIDERS;

/// The pages, by their paths.
pub const PAGES: [&str; 2] = ["docs/reference.md", "docs/options.md"];

/// The lines between which a page has its tables.
const START: &str = "<!-- Made by `cargo run --example reference`. Do not edit. -->\n";
const END: &str = "<!-- End of what is made. -->\n";

/// What every command that hands credentials over has.
static COMMON: [&Group; 4] = [&options::VAULT, &options::LOGIN, &options::OUTPUT, &options::COMMAND];

/// What only some commands have.
static OF_COMMANDS: [&Group; 6] =
    [&options::ENGINE, &options::READ, &options::ENV, &options::REVOKE, &options::SCANNING, &options::ROTATE];

/// The page of this path with its tables made anew.
pub fn page(path: &str, old: &str) -> String {
    let (before, rest) = old.split_once(START).expect("the page has a line where the tables start");
    let (_, after) = rest.split_once(END).expect("the page has a line where the tables end");
    let tables = if path == PAGES[0] { common() } else { of_commands() };
    format!("{before}{START}\n{tables}{END}{after}")
}

fn common() -> String {
    let tables = COMMON.map(|group| table(group.heading, true, group.options.iter().copied(), None));
    let rows = options::VARIABLES.options.iter().chain(options::USUAL.options).copied();
    let without_flag = table("Variables without an option", false, rows, None);
    let rows = options::UNSUPPORTED.options.iter().copied();
    let unsupported = table("Variables of vault and bao without effect", false, rows, None);
    format!("{}{without_flag}{unsupported}", tables.concat())
}

fn of_commands() -> String {
    let tables = OF_COMMANDS.map(|group| table(group.heading, true, group.options.iter().copied(), None));
    let clouds = PROVIDERS.iter().filter(|provider| !provider.options.is_empty()).map(|provider| {
        let rows = provider.options.iter().map(|option| option.opt);
        table(provider.title, true, rows, Some(provider.name))
    });
    format!("{}{}", tables.concat(), clouds.collect::<String>())
}

/// One table, under the heading that --help has.
fn table<'a>(
    heading: &str,
    flags: bool,
    rows: impl Iterator<Item = &'a Opt>,
    provider: Option<&str>,
) -> String {
    let head = if flags {
        "| option | variable | what it does |\n|---|---|---|"
    } else {
        "| variable | what it does |\n|---|---|"
    };
    let mut text = format!("### {heading}\n\n{head}\n");
    for row in rows {
        let flag = match row.takes {
            Takes::Value(value) | Takes::Values(value) => format!("`--{}` {value}", row.name),
            _ => format!("`--{}`", row.name),
        };
        let flag = if flags { format!("| {flag} ") } else { String::new() };
        let help = row.help.replace('|', "\\|");
        writeln!(text, "{flag}| {} | {help} |", variables(row, provider)).expect("memory takes it");
    }
    text.push('\n');
    text
}

/// The variables in order. Each VAULT_ name has its BAO_ form, which the page says once.
fn variables(row: &Opt, provider: Option<&str>) -> String {
    let names = row.variables(Some(provider.unwrap_or("X")));
    let names = names.iter().filter(|name| !name.starts_with("BAO_")).map(|name| format!("`{name}`"));
    let names: Vec<_> = names.collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}
