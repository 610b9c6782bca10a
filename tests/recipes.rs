//! The recipes of CONTRIBUTING.md, followed: what each one says is enough to add a cloud, a format, a login, a check or a
//! CI system. The new files are in `tests/recipes/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A recipe, and what somebody does who follows it.
struct Recipe {
    /// Its title in CONTRIBUTING.md.
    title: &'static str,
    /// What its NAME stands for.
    name: &'static str,
    /// The one new file in `src/`, and its text.
    file: (&'static str, &'static str),
    /// Files that are there, a text in each that occurs once, and what takes its place.
    edits: &'static [(&'static str, &'static str, &'static str)],
}

const RECIPES: &[Recipe] = &[
    Recipe {
        title: "Add a cloud",
        name: "hetzner",
        file: ("src/provider/hetzner.rs", include_str!("recipes/cloud.rs")),
        edits: &[
            ("src/provider/mod.rs", "mod exoscale;\n", "mod exoscale;\nmod hetzner;\n"),
            (
                "src/provider/mod.rs",
                "] = &[&exoscale::EXOSCALE, ",
                "] = &[&exoscale::EXOSCALE, &hetzner::HETZNER, ",
            ),
            ("templates/ci-creds/template.yml", "[exoscale, aws, ", "[exoscale, hetzner, aws, "),
        ],
    },
    Recipe {
        title: "Add a format",
        name: "env_file",
        file: ("src/emit/env_file.rs", include_str!("recipes/format.rs")),
        edits: &[
            ("src/emit/mod.rs", "mod dotenv;\n", "mod dotenv;\nmod env_file;\n"),
            ("src/emit/mod.rs", "&scw::CONFIG]", "&scw::CONFIG, &env_file::ENV_FILE]"),
        ],
    },
    Recipe {
        title: "Add a login",
        name: "azure",
        file: ("src/auth/azure.rs", include_str!("recipes/login.rs")),
        edits: &[
            ("src/auth/mod.rs", "mod aws;\n", "mod aws;\nmod azure;\n"),
            ("src/auth/mod.rs", "    &token::TOKEN,\n];", "    &token::TOKEN,\n    &azure::AZURE,\n];"),
            ("templates/ci-creds/template.yml", "[jwt, kubernetes, aws,", "[jwt, kubernetes, azure, aws,"),
        ],
    },
    Recipe {
        title: "Add a check to doctor",
        name: "system",
        file: ("src/doctor/run/system.rs", include_str!("recipes/check.rs")),
        edits: &[
            ("src/doctor/run/mod.rs", "mod setup;\n", "mod setup;\nmod system;\n"),
            (
                "src/doctor/run/mod.rs",
                "    of_way(\"address\"",
                "    of_run(\"system\", &[], |walk| Box::pin(system::look(walk))),\n    of_way(\"address\"",
            ),
        ],
    },
    Recipe {
        title: "Add a CI system",
        name: "forgejo",
        file: ("src/ci/forgejo.rs", include_str!("recipes/system.rs")),
        edits: &[
            ("src/ci/mod.rs", "pub(crate) mod gitlab;\n", "mod forgejo;\npub(crate) mod gitlab;\n"),
            ("src/ci/mod.rs", "&gitlab::GITLAB];", "&forgejo::FORGEJO, &gitlab::GITLAB];"),
        ],
    },
];

/// The files that a recipe names.
fn named(recipe: &Recipe) -> BTreeSet<String> {
    let all = fs::read_to_string(Path::new(ROOT).join("CONTRIBUTING.md")).unwrap();
    let (_, rest) =
        all.split_once(&format!("\n## {}\n", recipe.title)).unwrap_or_else(|| panic!("{}", recipe.title));
    let text = rest.split("\n## ").next().unwrap().replace("NAME", recipe.name);
    let words = text.split(|char: char| char.is_whitespace() || "`()[],".contains(char));
    let mut named: BTreeSet<String> = words.filter(|word| word.contains('/')).map(str::to_owned).collect();
    // `src/emit/` is the folder of the one new file.
    let (folder, _) = recipe.file.0.rsplit_once('/').unwrap();
    if named.contains(&format!("{folder}/")) {
        named.insert(recipe.file.0.to_owned());
    }
    named
}

/// One file and one line, as lib.rs promises: in `src/`, one new file and one that changes.
#[test]
fn a_recipe_names_every_file_that_it_takes() {
    for recipe in RECIPES {
        let named = named(recipe);
        let edited: BTreeSet<&str> = recipe.edits.iter().map(|(file, _, _)| *file).collect();
        for file in edited.iter().chain([&recipe.file.0]) {
            assert!(named.contains(*file), "`{}` does not name {file}, but {named:?}", recipe.title);
        }
        assert_eq!(edited.iter().filter(|file| file.starts_with("src/")).count(), 1, "{}", recipe.title);
    }
}

#[test]
fn what_the_recipes_say_is_enough() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    // Always in the same place, so that the compiler finds its earlier work again.
    let copy = target.join("recipes");
    for part in [
        "src",
        "templates",
        "examples",
        "tests/fuzz",
        "tests/main.rs",
        "build.rs",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        mirror(&Path::new(ROOT).join(part), &copy.join(part), &edited);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--lib", "--target-dir"]).arg(target).current_dir(&copy);
    // The tests that the recipes name, and those in the new files.
    cargo.args(["--", "ci::", "cli::", "config::", "provider::", "emit::", "recipe_of_"]);
    #[allow(
        clippy::disallowed_methods,
        reason = "the rule is for src/: cargo must not inherit its own variables"
    )]
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && !["CARGO_HOME", "CARGO_NET_OFFLINE"].contains(&name.as_str()) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    let passed = shown.lines().filter(|line| line.contains("::recipe_of_") && line.ends_with(" ok")).count();
    assert_eq!(passed, RECIPES.len(), "{shown}");
}

/// The text of a file of the project after all recipes. The copy is a package of another name: Cargo would take what it
/// compiles for this one's.
fn edited(file: &str, mut text: String) -> String {
    let name = match file {
        "Cargo.toml" => "[package]\nname = \"ci-creds",
        "Cargo.lock" => "[[package]]\nname = \"ci-creds",
        _ => "",
    };
    if !name.is_empty() {
        assert_eq!(text.matches(&format!("{name}\"\n")).count(), 1, "{file}");
        text = text.replacen(name, &format!("{name}-recipes"), 1);
    }
    for (_, from, to) in
        RECIPES.iter().flat_map(|recipe| recipe.edits).filter(|(edited, _, _)| *edited == file)
    {
        assert_eq!(text.matches(from).count(), 1, "{file}: {from}");
        text = text.replace(from, to);
    }
    text
}

/// Copies a file or folder; what is as it should be stays untouched, so that it is not compiled again.
fn mirror(from: &Path, to: &Path, change: &dyn Fn(&str, String) -> String) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        let names = |folder: &Path| -> BTreeSet<PathBuf> {
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into()).collect()
        };
        let inside = from.strip_prefix(ROOT).unwrap();
        let new = RECIPES
            .iter()
            .map(|recipe| recipe.file)
            .filter(|(file, _)| Path::new(file).parent() == Some(inside));
        let new: Vec<_> =
            new.map(|(file, text)| (PathBuf::from(Path::new(file).file_name().unwrap()), text)).collect();
        let mut wanted = names(from);
        for name in wanted.iter().filter(|name| name.as_os_str() != "target") {
            assert!(new.iter().all(|(file, _)| file != name), "{} is there already", name.display());
            mirror(&from.join(name), &to.join(name), change);
        }
        for (name, text) in new {
            write(&to.join(&name), text.as_bytes());
            wanted.insert(name);
        }
        for old in names(to).difference(&wanted) {
            fs::remove_file(to.join(old)).unwrap();
        }
        return;
    }
    let file = from.strip_prefix(ROOT).unwrap().to_str().unwrap();
    match String::from_utf8(fs::read(from).unwrap()) {
        Ok(text) => write(to, change(file, text).as_bytes()),
        Err(bytes) => write(to, bytes.as_bytes()),
    }
}

fn write(file: &Path, bytes: &[u8]) {
    if fs::read(file).is_ok_and(|there| there == bytes) {
        return;
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}
