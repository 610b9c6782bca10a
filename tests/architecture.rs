//! The arrows between the rooms of src/: each goes down in the list that lib.rs prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ci_creds::testing::ci::SYSTEMS;

/// A source file: its path in src/, its text without unit tests, and of that the code without comments.
struct Source {
    path: PathBuf,
    text: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let code = code.collect::<Vec<_>>().join("\n");
                let path = path.strip_prefix(&root).unwrap().to_owned();
                found.push(Source { path, text: text.to_owned(), code });
            }
        }
    }
    assert!(found.len() > 100, "{} files", found.len());
    found
}

/// The rooms in the order in which lib.rs lists them, from the top.
fn rooms() -> Vec<String> {
    let list =
        include_str!("../src/lib.rs").split("//! ```text\n").nth(1).unwrap().split("//! ```").next().unwrap();
    list.lines().filter_map(|line| line.strip_prefix("//! ")?.split(' ').next().map(str::to_owned)).collect()
}

/// The room of a file: the first part of its path.
fn room(path: &Path) -> String {
    path.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The names that stand behind each `prefix` in `code`; of a group in braces, each first name.
fn names_behind(code: &str, prefix: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(name(rest));
            continue;
        };
        let (mut depth, mut start) = (1, 0);
        for (at, char) in group.char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {}
                _ => continue,
            }
            if depth == 0 || (char == ',' && depth == 1) {
                names.insert(name(&group[start..at]));
                start = at + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn every_arrow_goes_down() {
    let rooms = rooms();
    let floor = |name: &str| rooms.iter().position(|room| room == name);
    let mut upward = Vec::new();
    for source in
        sources().iter().filter(|source| !["lib.rs", "main.rs"].map(Path::new).contains(&&*source.path))
    {
        let own = room(&source.path);
        let from = floor(&own).unwrap_or_else(|| panic!("lib.rs does not list the room {own}"));
        for used in names_behind(&source.code, "crate::") {
            let to =
                floor(&used).unwrap_or_else(|| panic!("{}: crate::{used} is no room", source.path.display()));
            if to < from {
                upward.push(format!("{} uses {used}, which stands above {own}", source.path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
    let there: BTreeSet<_> = sources().iter().map(|source| room(&source.path)).collect();
    let listed: BTreeSet<_> = rooms.into_iter().chain(["lib", "main"].map(str::to_owned)).collect();
    assert_eq!(there, listed, "lib.rs lists the rooms that are there");
}

#[test]
fn no_two_files_of_a_room_use_each_other() {
    let sources = sources();
    let name = |source: &Source| source.path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut by_folder: BTreeMap<PathBuf, Vec<&Source>> = BTreeMap::new();
    for source in sources.iter().filter(|source| name(source) != "mod" && source.path.iter().count() > 1) {
        by_folder.entry(source.path.parent().unwrap().to_owned()).or_default().push(source);
    }
    for (folder, files) in by_folder {
        let uses: BTreeMap<String, BTreeSet<String>> =
            files.iter().map(|source| (name(source), names_behind(&source.code, "super::"))).collect();
        for file in uses.keys() {
            let (mut seen, mut next) = (BTreeSet::new(), vec![file]);
            while let Some(at) = next.pop() {
                let used = uses[at].iter().filter_map(|name| uses.get_key_value(name)).map(|(name, _)| name);
                next.extend(used.filter(|name| seen.insert(*name)));
            }
            assert!(!seen.contains(file), "{}: {file} is in a circle of {seen:?}", folder.display());
        }
    }
}

/// Where the name and the variables of a CI system may stand beside its own row in ci/.
const NAMES_A_CI_SYSTEM: &[&str] = &[
    "ci",
    // GitLab's API, and the command that replaces one of its variables.
    "cloud/gitlab",
    "command/rotate",
    "config/rotate",
    // Formats that GitLab defines: dotenv reports with their errors, and .gitlab-ci.yml.
    "emit/dotenv.rs",
    "emit/error.rs",
    "setup/gitlab.rs",
    // Texts of --help, and the first sentence about the program.
    "options",
    "cli/definition.rs",
    "lib.rs",
];

#[test]
fn only_its_own_row_names_a_ci_system() {
    for source in sources() {
        let may = NAMES_A_CI_SYSTEM.iter().any(|place| source.path.starts_with(place));
        let variables = SYSTEMS.iter().flat_map(|system| system.set_prefixes);
        let variables = variables.flat_map(|prefix| source.code.match_indices(prefix));
        let variables = variables.filter(|(at, _)| !source.code[*at..].starts_with("CI_CREDS_"));
        let variables = variables.filter(|(at, _)| {
            // After a colon it is the row of an option.
            !source.code[..*at].ends_with(|char: char| char.is_alphanumeric() || "_:".contains(char))
        });
        // Comments as well: where they need the name, the code depends on the system.
        let words = SYSTEMS.iter().flat_map(|system| source.text.match_indices(system.name));
        let words = words.map(|(at, _)| source.text[at..].lines().next());
        let names: Vec<_> =
            variables.map(|(at, _)| source.code[at..].lines().next()).chain(words).flatten().collect();
        assert!(may || names.is_empty(), "{}: {names:?}", source.path.display());
    }
    for place in NAMES_A_CI_SYSTEM {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(place).exists(), "{place}");
    }
}

#[test]
fn the_reader_of_arrows_reads_them() {
    let code = "use crate::a::B;\nuse crate::{c, d::{E, F}, g};\nlet x = crate::h::i();";
    let names = names_behind(code, "crate::").into_iter().collect::<Vec<_>>();
    assert_eq!(names, ["a", "c", "d", "g", "h"]);
}
