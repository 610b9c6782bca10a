//! The words of `read`: paths, what each gives, and what is sent to it. It must not judge names or fields.

use clap::{Arg, ArgMatches, ValueHint};

use super::again::shown;
use super::typed::is_program;

/// One path of `read`, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathRead {
    /// The path, mount included.
    pub path: String,
    /// `NAME=FIELD` and `NAME=@FIELD`.
    pub names: Vec<String>,
    /// `K=V` of each `--data` behind the path.
    pub data: Vec<String>,
    /// The last `--version` behind the path.
    pub version: Option<String>,
}

/// The positional arguments.
pub(super) fn arguments() -> [Arg; 2] {
    [
        Arg::new("PATH").required(true).value_hint(ValueHint::Other).help("The path, mount included: web-db/creds/web, secret/data/app"),
        Arg::new("NAME=FIELD").required(true).num_args(1..).value_hint(ValueHint::Other).help(
            "The variable to set, and the field of the answer that it gets. A word without = is the next path",
        ),
    ]
}

/// The paths of a command line whose words are the values of these arguments.
pub(super) fn parsed(matches: &ArgMatches, ids: &[&str]) -> Result<Vec<PathRead>, String> {
    let placed = |id: &str| -> Vec<(usize, String)> {
        let values = matches.try_get_many::<String>(id).ok().flatten().into_iter().flatten();
        matches.indices_of(id).into_iter().flatten().zip(values.cloned()).collect()
    };
    let words = ids.iter().flat_map(|id| placed(id)).map(|(place, word)| (place, word, Kind::Plain));
    let data = placed("data").into_iter().map(|(place, word)| (place, word, Kind::Data));
    let versions = placed("version").into_iter().map(|(place, word)| (place, word, Kind::Version));
    let mut all: Vec<_> = words.chain(data).chain(versions).collect();
    all.sort_unstable_by_key(|(place, ..)| *place);
    let plain: Vec<&str> = all
        .iter()
        .filter(|(.., kind)| matches!(kind, Kind::Plain))
        .map(|(_, word, _)| word.as_str())
        .collect();
    slip(&plain)?;
    grouped(all.into_iter().map(|(_, word, kind)| (word, kind)))
}

/// What a word is: a path or a NAME=FIELD, or the value of an option of the path before it.
enum Kind {
    Plain,
    Data,
    Version,
}

/// What hands type instead of PATH NAME=FIELD.
fn slip(words: &[&str]) -> Result<(), String> {
    let is_pair = |word: &str| word.split_once('=').is_some_and(|(name, _)| is_name(name));
    let (first, rest) = words.split_first().unwrap_or((&"", &[]));
    if let (true, Some(path)) = (is_pair(first), rest.iter().find(|word| !word.contains('='))) {
        return Err(format!("the path comes first: ci-creds read {} {}", shown(path), shown(first)));
    }
    let parted = |pair: &[&str]| pair[0].ends_with('=') && !pair[1].contains('=');
    if words.iter().any(|word| word.starts_with('=')) || rest.windows(2).any(parted) {
        return Err("no blank stands beside the = of NAME=FIELD".to_owned());
    }
    let glued = rest.iter().find(|word| {
        let parts: Vec<_> = word.split_whitespace().collect();
        parts.len() > 1 && parts.iter().all(|part| is_pair(part))
    });
    if let Some(glued) = glued {
        return Err(format!("`{}` is one word: give each NAME=FIELD as a word of its own", shown(glued)));
    }
    // Words behind the last NAME=FIELD are no paths, because nothing is read from them: they may be a command.
    let command = rest.iter().rposition(|word| word.contains('=')).map_or(rest, |last| &rest[last + 1..]);
    match command {
        [program, ..] if command.len() < rest.len() && (command.len() > 1 || is_program(program)) => {
            Err(format!(
                "a command to run stands behind `--`: ci-creds read … -- {}",
                command.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ")
            ))
        }
        _ => Ok(()),
    }
}

/// Whether it could be a variable's.
fn is_name(text: &str) -> bool {
    let fits = |char: char| char == '_' || char.is_ascii_alphanumeric();
    !text.is_empty() && text.chars().all(fits)
}

/// Paths with the words that belong to them. An option before the first path is that path's.
fn grouped(words: impl Iterator<Item = (String, Kind)>) -> Result<Vec<PathRead>, String> {
    let (mut paths, mut early) = (Vec::<PathRead>::new(), PathRead::default());
    for (word, kind) in words {
        match (paths.last_mut(), kind) {
            (path, Kind::Data) => path.unwrap_or(&mut early).data.push(word),
            (path, Kind::Version) => path.unwrap_or(&mut early).version = Some(word),
            (Some(path), Kind::Plain) if word.contains('=') => path.names.push(word),
            (Some(path), Kind::Plain) if path.names.is_empty() => return Err(gives_nothing(&path.path)),
            (_, Kind::Plain) => paths.push(PathRead { path: word, ..std::mem::take(&mut early) }),
        }
    }
    match paths.last() {
        Some(last) if last.names.is_empty() => Err(gives_nothing(&last.path)),
        Some(_) => Ok(paths),
        None => Err("`read` takes PATH NAME=FIELD…".to_owned()),
    }
}

fn gives_nothing(path: &str) -> String {
    format!("no NAME=FIELD stands behind the path {path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, names: &[&str], data: &[&str]) -> PathRead {
        let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        PathRead { path: path.to_owned(), names: owned(names), data: owned(data), version: None }
    }

    fn parse(line: &str) -> Result<Vec<PathRead>, String> {
        let mut words = line.split(' ').peekable();
        let mut all = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "--data" => all.push((words.next().unwrap_or_default().to_owned(), Kind::Data)),
                "--version" => all.push((words.next().unwrap_or_default().to_owned(), Kind::Version)),
                word => all.push((word.to_owned(), Kind::Plain)),
            }
        }
        grouped(all.into_iter())
    }

    #[test]
    fn a_word_without_an_equals_sign_begins_the_next_path() {
        assert_eq!(
            parse("db/creds/web U=username P=password secret/app T=token").unwrap(),
            [read("db/creds/web", &["U=username", "P=password"], &[]), read("secret/app", &["T=token"], &[])]
        );
    }

    #[test]
    fn data_belongs_to_the_path_before_it() {
        assert_eq!(
            parse("pki/issue/a C=certificate --data cn=a pki/issue/b D=certificate --data cn=b --data x=y")
                .unwrap(),
            [
                read("pki/issue/a", &["C=certificate"], &["cn=a"]),
                read("pki/issue/b", &["D=certificate"], &["cn=b", "x=y"])
            ]
        );
        assert_eq!(parse("--data cn=a pki/issue/a C=x").unwrap(), [read("pki/issue/a", &["C=x"], &["cn=a"])]);
    }

    #[test]
    fn a_version_belongs_to_the_path_before_it() {
        let version = |path: &str, names: &[&str], version: Option<&str>| PathRead {
            version: version.map(str::to_owned),
            ..read(path, names, &[])
        };
        assert_eq!(
            parse("--version 1 kv/a A=a kv/b B=b kv/c C=c --version 3").unwrap(),
            [
                version("kv/a", &["A=a"], Some("1")),
                version("kv/b", &["B=b"], None),
                version("kv/c", &["C=c"], Some("3"))
            ]
        );
    }

    #[test]
    fn a_path_that_gives_nothing_is_refused() {
        for line in ["a", "a b N=f", "a N=f b", "--data x=y"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
