//! The form of the pages: links lead somewhere, pages are short, sentences are short, and the reference is the code's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::support::pages::pages;
use crate::support::reference;

/// The limits of docs/: a page is read in one go.
const README_BYTES: usize = 9 * 1024;
const PAGE_BYTES: usize = 12 * 1024;
/// Words in one sentence: the middle one, and the longest.
const MEDIAN: usize = 15;
const LONGEST: usize = 35;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file that a reader can get to.
fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let skipped = ["target", ".git", ".cache", "node_modules"].contains(&name.as_str());
            if !skipped {
                markdown(&entry.path(), found);
            }
        } else if name.ends_with(".md") {
            found.push(entry.path());
        }
    }
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    let mut open = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        open ^= fence;
        !fence && !open
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The anchors of a page's headings, as GitLab makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let kept = |char: &char| char.is_alphanumeric() || " -_".contains(*char);
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    let numbered = |anchor: String| {
        let count = seen.entry(anchor.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    };
    headings.map(anchor).map(numbered).collect()
}

/// `a/../b` without going to the disk.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut done, part| {
        match part {
            Component::ParentDir => drop(done.pop()),
            Component::CurDir => {}
            part => done.push(part),
        }
        done
    })
}

#[test]
fn no_link_is_dead() {
    let mut files = Vec::new();
    markdown(root(), &mut files);
    let (mut count, mut dead) = (0, Vec::new());
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let prose = prose(&text).replace('\n', " ");
        for target in prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().trim()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = match path {
                "" => file.clone(),
                path => normal(&file.parent().unwrap().join(path)),
            };
            let lives = to.starts_with(root()) && to.exists();
            let lives = lives
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&to).unwrap()).contains(&anchor.to_owned()));
            if !lives {
                dead.push(format!("{}: {target}", file.display()));
            }
        }
    }
    println!("{count} links");
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(count > 100, "only {count} links were found");
}

#[test]
fn links_go_both_ways_and_a_page_says_for_whom_it_is() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for (name, text) in pages().into_iter().filter(|(name, _)| name != "README.md") {
        assert!(readme.contains(&format!("]({name}")), "README.md has no link to {name}");
        assert!(text.contains("](../README.md"), "{name} has no link to README.md");
        let head = text.split("\n\n").nth(1).unwrap();
        assert!(head.starts_with("For those who") || head.starts_with("For those with "), "{name}: {head}");
    }
}

#[test]
fn pages_are_short() {
    for (name, text) in pages() {
        let limit = if name == "README.md" { README_BYTES } else { PAGE_BYTES };
        assert!(text.len() <= limit, "{name} has {} bytes, {limit} are allowed", text.len());
    }
}

/// The sentences of a page. A cell of a table and an item of a list end one; code is one word.
fn sentences(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in prose(text).lines().map(str::trim) {
        let item =
            line.starts_with("* ") || line.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok());
        if line.is_empty() || line.starts_with(['#', '<']) || line.starts_with("|--") {
            blocks.push(String::new());
        } else if line.starts_with('|') {
            blocks.extend(line.replace("\\|", "/").split('|').map(str::to_owned));
            blocks.push(String::new());
        } else {
            if item {
                blocks.push(String::new());
            }
            let last = blocks.last_mut().unwrap();
            *last = format!("{last} {line}");
        }
    }
    let mut all = Vec::new();
    for block in blocks {
        let whole: String =
            block.split('`').enumerate().map(|(n, part)| if n % 2 == 1 { "code" } else { part }).collect();
        // Of a link only its text is read.
        let mut parts = whole.split("](");
        let mut read = parts.next().unwrap().to_owned();
        for part in parts {
            read.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
        }
        let ends = read.replace("? ", ". ").replace(".** ", ". ");
        all.extend(ends.split(". ").map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()));
    }
    all
}

#[test]
fn sentences_are_short() {
    let (mut counts, mut long) = (Vec::new(), Vec::new());
    for (name, text) in pages() {
        for sentence in sentences(&text) {
            let words =
                sentence.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
            if words > LONGEST {
                long.push(format!("{name}, {words} words: {sentence}"));
            }
            // A cell or a heading of a word or two is no sentence.
            if words > 3 {
                counts.push(words);
            }
        }
    }
    counts.sort_unstable();
    let median = counts[counts.len() / 2];
    println!("{} sentences, median {median} words, longest {}", counts.len(), counts.last().unwrap());
    assert!(long.is_empty(), "{long:#?}");
    assert!(median <= MEDIAN, "the median is {median} words");
}

#[test]
fn the_reference_is_what_the_code_says() {
    for name in reference::PAGES {
        let text = fs::read_to_string(root().join(name)).unwrap();
        assert!(text == reference::page(name, &text), "run `cargo run --example reference`: {name} is old");
    }
}

/// The cells of the tables between this heading and the next one.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let part = rest.split("\n#").next().unwrap();
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    part.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells).collect()
}

/// Whoever sees a code of ours in a job finds on the page of doctor what to look at first.
#[test]
fn each_exit_code_has_its_first_step() {
    let page = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let ours = rows(&page("README.md"), "## Exit codes");
    let ours: Vec<u8> =
        ours.iter().filter_map(|row| row[0].parse().ok()).filter(|code| (1..100).contains(code)).collect();
    assert_eq!(ours, [1, 2, 3, 4, 5, 6, 7]);
    let steps = rows(&page("docs/doctor.md"), "## What the codes ask for");
    let has = |code: u8| {
        let number = code.to_string();
        steps.iter().any(|row| row[0].split([',', ' ']).any(|word| word == number) && !row[1].is_empty())
    };
    let lacking: Vec<_> = ours.into_iter().filter(|code| !has(*code)).collect();
    assert!(lacking.is_empty(), "docs/doctor.md says nothing of the codes {lacking:?}");
}

/// A fault in the program is nothing for a public issue, and not everybody has an account on that GitLab.
#[test]
fn a_vulnerability_can_be_reported_in_two_ways() {
    let page = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let issue = concat!(env!("CARGO_PKG_REPOSITORY"), "/-/issues/new?issue[confidential]=true");
    assert!(page.contains(issue), "no form for a confidential issue:\n{page}");
    assert!(page.contains("git log -1 --format='%an <%ae>'"), "no second way:\n{page}");
}

/// What was tested is said where people read what it works with.
#[test]
fn the_readme_says_that_the_tests_have_openbao_alone() {
    let page = fs::read_to_string(root().join("README.md")).unwrap().replace('\n', " ");
    let sentence = page.split(". ").find(|text| text.contains("docs/support.md") && text.contains("OpenBao"));
    assert!(sentence.is_some_and(|text| text.contains("HashiCorp Vault")), "{sentence:?}");
}
