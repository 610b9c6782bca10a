//! `--format sh`: commands for `vault` or `bao`. Text that is not ours stands in single quotes, or in a here-document
//! whose lines begin with a blank, a brace, or `path`. The shell must not read a name of a project or role as anything
//! else.

use serde_json::{Map, Value};

use super::sketch::{ABOUT, Sketch};
use super::{ACCESSOR, Format, MountConfig, Object, Plan};
use crate::text::one_line;

/// `--format sh`.
pub(super) static SH: Format =
    Format { name: "sh", about: "Commands for `vault` or `bao`, which can be run again", write };

fn write(plan: &Plan, cli: &str) -> String {
    let mut text = format!(
        "#!/bin/sh\n{}# Run it as an administrator, with {cli}'s own variables set. It can be run again.\nset -eu\n",
        comment(&format!("The Vault side of: {}", plan.call))
    );
    if cli == "vault" {
        text.push_str("# Where there is only OpenBao's program, that does it.\ncommand -v vault >/dev/null || vault() { bao \"$@\"; }\n");
    }
    if let Some(namespace) = &plan.namespace {
        text.push_str(&format!("export VAULT_NAMESPACE={}\n", quoted(namespace)));
    }
    text.push_str(&mount(plan, cli));
    // First of all: where it stops, nothing was replaced.
    if let Some(config) = &plan.config {
        text.push_str(&unless_there(config, cli));
    }
    for policy in &plan.policies {
        let (about, name, rules) = (comment(&policy.about), quoted(&policy.name), policy.text());
        text.push_str(&if rules.contains(ACCESSOR) {
            // An accessor has letters, digits and _ alone.
            let method = quoted(&format!("sys/auth/{}", plan.auth.1));
            format!(
                "\n{about}accessor=$({cli} read -field=accessor {method})\nsed \"s/{ACCESSOR}/$accessor/g\" <<'EOF' | {cli} policy \
                 write {name} -\n{rules}EOF\n"
            )
        } else {
            format!("\n{about}{cli} policy write {name} - <<'EOF'\n{rules}EOF\n")
        });
    }
    for role in &plan.roles {
        let about: String = role.about.lines().map(comment).collect();
        text.push_str(&format!("\n{about}{}", written(role, cli)));
    }
    plan.sketches.iter().for_each(|sketch| text.push_str(&sketched(sketch, cli)));
    for paragraph in &plan.by_hand {
        text.push('\n');
        paragraph.iter().for_each(|line| text.push_str(&comment(&line.replace("{cli}", cli))));
    }
    text
}

/// The auth method, unless it is there.
fn mount(plan: &Plan, cli: &str) -> String {
    let (login, mount) = &plan.auth;
    let path = quoted(&format!("sys/auth/{mount}"));
    let at = quoted(&format!("-path={mount}"));
    format!(
        "\ncase $({cli} read -field=type {path} 2>/dev/null || true) in\n\
         '') {cli} auth enable {at} {} ;;\n\
         {}) ;;\n\
         *) echo {path} 'is another method' >&2; exit 1 ;;\n\
         esac\n",
        login.name,
        login.types.join(" | ")
    )
}

/// Writes a configuration only where there is none, and stops where there is another.
fn unless_there(config: &MountConfig, cli: &str) -> String {
    let MountConfig { object, decides } = config;
    let wanted = object.fields.get(*decides).and_then(Value::as_str).unwrap_or_default();
    let (path, wanted) = (quoted(&object.path), quoted(wanted));
    format!(
        "\n{}# The whole mount has it: it is written only where there is none.\n\
         if found=$({cli} read -field={decides} {path} 2>&1); then\n  \
         test \"$found\" = {wanted} || {{ echo {path} \"is set up for $found\" >&2; exit 1; }}\n\
         else\n\
         case $found in\n\
         *'No value found'*) ;;\n\
         *) echo \"$found\" >&2; exit 1 ;;\n\
         esac\n{}fi\n",
        comment(&object.about),
        written(object, cli)
    )
}

fn written(object: &Object, cli: &str) -> String {
    json_written(&object.path, &object.fields, cli)
}

fn json_written(path: &str, fields: &Map<String, Value>, cli: &str) -> String {
    // The lines of this JSON begin with a brace or a blank, and hold no line end.
    let fields = serde_json::to_string_pretty(fields).unwrap_or_default();
    format!("{cli} write {} - <<'EOF'\n{fields}\nEOF\n", quoted(path))
}

/// An engine, as lines that the shell skips. Those of the commands have a mark of their own.
fn sketched(sketch: &Sketch, cli: &str) -> String {
    let mount = quoted(&format!("sys/mounts/{}", sketch.mount));
    let path = quoted(&format!("-path={}", sketch.mount));
    let options: String = sketch.options.iter().map(|(name, value)| format!("-{name}={value} ")).collect();
    let namespace = sketch.namespace.iter().map(|name| format!("export VAULT_NAMESPACE={}\n", quoted(name)));
    let mut commands: String = namespace.collect();
    commands.push_str(&format!(
        "test -n \"$({cli} read -field=type {mount} 2>/dev/null)\" || {cli} secrets enable {path} {options}{}\n",
        sketch.engine
    ));
    if !sketch.fields.is_empty() {
        commands.push_str(&json_written(&sketch.path, &sketch.fields, cli));
    }
    let mut text = format!(
        "\n{}{}",
        comment(&format!("The {} engine. {ABOUT}", sketch.title)),
        comment("With that done, the lines that begin with #~ are commands: sed -n 's/^#~ //p' prints them.")
    );
    commands.lines().for_each(|line| text.push_str(&format!("#~ {}\n", one_line(line))));
    sketch.notes.iter().for_each(|line| text.push_str(&comment(&line.replace("{cli}", cli))));
    text
}

/// A line that the shell skips, whatever is in it.
fn comment(text: &str) -> String {
    format!("# {}\n", one_line(text))
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_/+=.,:@%-".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
