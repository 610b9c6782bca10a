//! Reads a policy as Vault returns it: its paths, and what each allows. It must not accept HCL that policies can't
//! have.

use std::iter::Peekable;
use std::str::Chars;

/// One path of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// As it stands there: a `*` at its end stands for any rest.
    pub(crate) path: String,
    /// What is allowed, or `deny`.
    pub(crate) capabilities: Vec<String>,
    /// The parameters that may be sent, each with its values.
    pub(crate) parameters: Vec<(String, Vec<String>)>,
    /// The parameters that must be sent.
    pub(crate) required: Vec<String>,
    /// The names of what else the path has: it may keep a request out.
    pub(crate) others: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Text(String),
    Sign(char),
}

/// The rules of a policy; `None` where it is no HCL of this kind.
pub(crate) fn parse(text: &str) -> Option<Vec<Rule>> {
    let mut words = words(text)?.into_iter().peekable();
    let mut rules = Vec::new();
    while let Some(word) = words.next() {
        let (Word::Text(kind), Some(Word::Text(path))) = (word, words.next()) else { return None };
        if kind != "path" || words.next()? != Word::Sign('{') {
            return None;
        }
        let mut rule = Rule { path, ..Rule::default() };
        loop {
            let name = match words.next()? {
                Word::Sign('}') => break,
                Word::Sign(',') => continue,
                Word::Text(name) => name,
                Word::Sign(_) => return None,
            };
            if words.peek() == Some(&Word::Sign('=')) {
                words.next();
            }
            match &*name {
                "capabilities" => rule.capabilities = list(&mut words)?,
                "allowed_parameters" => rule.parameters = map(&mut words)?,
                "required_parameters" => rule.required = list(&mut words)?,
                // The form of before Vault 0.5, which is still read.
                "policy" => rule.capabilities.extend(legacy(words.next()?)?),
                _ => {
                    skip(&mut words)?;
                    rule.others.push(name);
                }
            }
        }
        // Vault merges the blocks of one path.
        match rules.iter_mut().find(|known: &&mut Rule| known.path == rule.path) {
            Some(known) => known.add(rule),
            None => rules.push(rule),
        }
    }
    Some(rules)
}

impl Rule {
    /// Adds another block of the same path, as Vault's `NewACL` does it: what either allows is allowed.
    fn add(&mut self, other: Self) {
        let new: Vec<_> =
            other.capabilities.into_iter().filter(|one| !self.capabilities.contains(one)).collect();
        self.capabilities.extend(new);
        for (name, values) in other.parameters {
            match self.parameters.iter_mut().find(|(known, _)| *known == name) {
                // No value listed is any value.
                Some((_, known)) if known.is_empty() || values.is_empty() => known.clear(),
                Some((_, known)) => known.extend(values),
                None => self.parameters.push((name, values)),
            }
        }
        self.required.extend(other.required);
        self.others.extend(other.others);
    }
}

/// What `policy = "write"` allows.
fn legacy(word: Word) -> Option<Vec<String>> {
    let Word::Text(name) = word else { return None };
    let allowed: &[&str] = match &*name {
        "deny" => &["deny"],
        "read" => &["read", "list"],
        "write" => &["create", "read", "update", "delete", "list"],
        "sudo" => &["create", "read", "update", "delete", "list", "sudo"],
        _ => return None,
    };
    Some(allowed.iter().map(|&one| one.to_owned()).collect())
}

type Words = Peekable<std::vec::IntoIter<Word>>;

fn list(words: &mut Words) -> Option<Vec<String>> {
    if words.next()? != Word::Sign('[') {
        return None;
    }
    let mut all = Vec::new();
    loop {
        match words.next()? {
            Word::Sign(']') => return Some(all),
            Word::Sign(',') => {}
            Word::Text(text) => all.push(text),
            Word::Sign(_) => return None,
        }
    }
}

fn map(words: &mut Words) -> Option<Vec<(String, Vec<String>)>> {
    if words.next()? != Word::Sign('{') {
        return None;
    }
    let mut all = Vec::new();
    loop {
        match words.next()? {
            Word::Sign('}') => return Some(all),
            Word::Sign(',') => {}
            Word::Text(name) => {
                if words.next()? != Word::Sign('=') {
                    return None;
                }
                all.push((name, list(words)?));
            }
            Word::Sign(_) => return None,
        }
    }
}

/// One value of any kind.
fn skip(words: &mut Words) -> Option<()> {
    let mut depth = 0_usize;
    loop {
        match words.next()? {
            Word::Sign('{' | '[') => depth += 1,
            Word::Sign('}' | ']') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(());
        }
    }
}

fn words(text: &str) -> Option<Vec<Word>> {
    let mut chars = text.chars().peekable();
    let mut words = Vec::new();
    while let Some(char) = chars.next() {
        match char {
            _ if char.is_whitespace() => {}
            '#' => to_line_end(&mut chars),
            '/' if chars.peek() == Some(&'/') => to_line_end(&mut chars),
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                chars.find(|&char| {
                    (last == '*' && char == '/') || {
                        last = char;
                        false
                    }
                })?;
            }
            '"' => words.push(Word::Text(quoted(&mut chars)?)),
            '{' | '}' | '[' | ']' | '=' | ',' => words.push(Word::Sign(char)),
            _ if char.is_alphanumeric() => {
                let mut name = char.to_string();
                while let Some(next) = chars.next_if(|&next| next.is_alphanumeric() || "_-.".contains(next)) {
                    name.push(next);
                }
                words.push(Word::Text(name));
            }
            _ => return None,
        }
    }
    Some(words)
}

fn to_line_end(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|&char| char != '\n').is_some() {}
}

fn quoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            char => text.push(char),
        }
    }
}

/// Whether a policy's path stands for `path`: a `*` at its end for any rest, a part `+` for any one part.
pub(crate) fn covers(pattern: &str, path: &str) -> bool {
    let (pattern, open) = match pattern.strip_suffix('*') {
        Some(start) => (start, true),
        None => (pattern, false),
    };
    let (wanted, has): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let last = wanted.len() - 1;
    if has.len() < wanted.len() || (!open && has.len() != wanted.len()) {
        return false;
    }
    wanted.iter().zip(&has).enumerate().all(|(at, (want, part))| {
        if open && at == last { part.starts_with(want) } else { *want == "+" || want == part }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read() {
        let text = "# path \"no\" {}\n/* path \"no\" */ path \"a/b\" { capabilities = [\"read\", \"list\",] } // x\n\
            path \"c/*\" {\n  capabilities = [\"update\"]\n  min_wrapping_ttl = \"60s\"\n  allowed_parameters = {\n    \
            \"x\" = []\n    y = [\"1\", \"2\"]\n  }\n  control_group = { factor \"f\" { identity { n = [1] } } }\n}";
        let rules = parse(text).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!((&*rules[0].path, rules[0].capabilities.len()), ("a/b", 2));
        assert_eq!(rules[1].parameters[1], ("y".to_owned(), vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(rules[1].others, ["min_wrapping_ttl", "control_group"]);
        for odd in [
            "path \"a\"",
            "path \"a\" {",
            "{\"path\": {}}",
            "path a b",
            "path \"a\" { capabilities = \"x\" }",
            "\"",
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
        assert_eq!(parse(" # nothing\n"), Some(Vec::new()));
        let twice = "path \"a\" { capabilities = [\"read\"] }\npath \"a\" { policy = \"sudo\" }";
        let rules = parse(twice).unwrap();
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].capabilities, ["read", "create", "update", "delete", "list", "sudo"]);
    }

    #[test]
    fn patterns_stand_for_paths() {
        for (pattern, path, whether) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/*", "a/b/c", true),
            ("a/b*", "a/bc", true),
            ("a/b*", "a/c", false),
            ("*", "a/b", true),
            ("a/+/c", "a/b/c", true),
            ("a/+", "a/b/c", false),
            ("+/+/c*", "a/b/cd/e", true),
        ] {
            assert_eq!(covers(pattern, path), whether, "{pattern} {path}");
        }
    }
}
