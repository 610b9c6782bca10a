//! Says where the credentials would go, and whether they can. It must not write there.

use super::{Step, Walk};
use crate::config::Config;
use crate::emit::sink;
use crate::input;
use crate::session::Token;
use crate::vault::Vault;

pub(super) async fn look(walk: &mut Walk, _: &Vault, _: &mut Token) -> Vec<Step> {
    vec![output(&walk.config)]
}

fn output(config: &Config) -> Step {
    if let Some(command) = &config.command {
        let program = command.argv.first().map(|program| input::shown(&program.to_string_lossy()));
        return Step::ok("output", format!("to {} alone; nothing is printed", program.unwrap_or_default()));
    }
    let output = &config.output;
    let place = output.file.as_ref().map_or("standard output".to_owned(), |path| input::path(path));
    let seen = format!("{} to {place}", output.format.name);
    let checked = match output.file {
        Some(_) => sink::check(output, &config.job),
        None => sink::check_shell(output, &config.job),
    };
    match checked {
        Ok(()) => Step::ok("output", seen),
        Err(error) => Step::failed("output", &error),
    }
}
