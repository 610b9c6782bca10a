//! Compares a policy with the lines that a run needs. It must not ask Vault.

use super::Finding;
use super::Fit::{Missing, Same, Wider};
use crate::setup::{Line, Policy};
use crate::vault::rules::{Rule, covers, parse};

/// A policy's text; `None` where there is none.
pub(crate) fn policy(wanted: &Policy, found: Option<&str>) -> Vec<Finding> {
    let place = format!("policy {}", wanted.name);
    let Some(found) = found else {
        return vec![Finding::new(Missing, &place, "there is no such policy")];
    };
    let Some(rules) = parse(found) else {
        return vec![Finding::new(Missing, &place, "it can't be read as the HCL of a policy")];
    };
    let mut findings: Vec<Finding> =
        wanted.lines.iter().flat_map(|line| of_line(&place, line, &rules)).collect();
    let known = |rule: &&Rule| !wanted.lines.iter().any(|line| line.path == rule.path);
    for rule in rules.iter().filter(known) {
        if rule.capabilities.iter().any(|one| one != "deny") {
            let seen =
                format!("{} on {}: the run does not ask for it", rule.capabilities.join(", "), rule.path);
            findings.push(Finding::new(Wider, &place, seen));
        }
    }
    findings
}

fn of_line(place: &str, line: &Line, rules: &[Rule]) -> Vec<Finding> {
    let exact = rules.iter().find(|rule| rule.path == line.path);
    let grants = |rule: &Rule| rule.capabilities.iter().any(|one| one == line.capability);
    let missing = || vec![Finding::new(Missing, place, line.text())];
    let Some(rule) = exact else {
        // A wider path does it too; it is named as such.
        return if rules.iter().any(|rule| covers(&rule.path, &line.path) && grants(rule)) {
            Vec::new()
        } else {
            missing()
        };
    };
    let mut findings = Vec::new();
    let mut add =
        |verdict, seen: String| findings.push(Finding::new(verdict, place, format!("{}: {seen}", line.path)));
    if !grants(rule) || rule.capabilities.iter().any(|one| one == "deny") {
        return missing();
    }
    let more: Vec<_> = rule.capabilities.iter().filter(|one| *one != line.capability).cloned().collect();
    if !more.is_empty() {
        add(Wider, format!("{} too, {} is needed", more.join(", "), line.capability));
    }
    if !rule.others.is_empty() {
        add(Missing, format!("{} may keep the run out", rule.others.join(", ")));
    }
    let is_sent = |name: &&String| line.parameters.iter().any(|(known, _)| known == *name);
    for name in rule.required.iter().filter(|name| !is_sent(name)) {
        add(Missing, format!("required_parameters has {name}, which the run does not send"));
    }
    for (name, values) in &line.parameters {
        match rule.parameters.iter().find(|(known, _)| known == name || known == "*") {
            None if rule.parameters.is_empty() => add(Wider, format!("any parameter may be sent, {name} is")),
            None => add(Missing, format!("the parameter {name} is not among the allowed_parameters")),
            Some((_, has)) => {
                let lacks = values.is_empty() && !has.is_empty()
                    || !has.is_empty() && values.iter().any(|one| !has.contains(one));
                if lacks {
                    add(Missing, format!("the parameter {name} may not have the value that is sent"));
                } else if !values.is_empty()
                    && (has.is_empty() || has.iter().any(|one| !values.contains(one)))
                {
                    add(
                        Wider,
                        format!("the parameter {name} may have other values than {}", values.join(", ")),
                    );
                }
            }
        }
    }
    let unknown =
        rule.parameters.iter().filter(|(name, _)| !line.parameters.iter().any(|(known, _)| known == name));
    for (name, _) in unknown {
        // It keeps nothing out, because the run does not send the parameter.
        add(Wider, format!("the parameter {name} may be sent, and is not"));
    }
    if findings.is_empty() {
        findings.push(Finding::new(Same, place, line.path.clone()));
    }
    findings
}
