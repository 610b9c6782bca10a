//! `--format terraform`: HCL for the Vault provider of Terraform and OpenTofu. It must not make a secret, because that
//! would be in the state.

use serde_json::{Map, Value};

use super::sketch::{ABOUT, Sketch};
use super::{ACCESSOR, Format, Object, Plan};
use crate::text::one_line;

/// `--format terraform`.
pub(super) static TERRAFORM: Format =
    Format { name: "terraform", about: "Resources of the Vault provider of Terraform and OpenTofu", write };

/// What a path is to the provider (hashicorp/terraform-provider-vault, `vault/resource_*.go`).
struct Resource {
    /// How the path goes on behind `auth/MOUNT/`, or as a whole.
    start: &'static str,
    /// The login whose role it is; empty for any.
    login: &'static str,
    kind: &'static str,
    /// The attribute that has the role's name.
    name: &'static str,
    /// Fields that have another name there.
    renamed: &'static [(&'static str, &'static str)],
}

static RESOURCES: &[Resource] = &[
    Resource {
        start: "auth/token/roles/",
        login: "",
        kind: "vault_token_auth_backend_role",
        name: "role_name",
        renamed: &[],
    },
    Resource {
        start: "role/",
        login: "jwt",
        kind: "vault_jwt_auth_backend_role",
        name: "role_name",
        renamed: &[],
    },
    Resource {
        start: "role/",
        login: "approle",
        kind: "vault_approle_auth_backend_role",
        name: "role_name",
        renamed: &[],
    },
    Resource {
        start: "role/",
        login: "kubernetes",
        kind: "vault_kubernetes_auth_backend_role",
        name: "role_name",
        renamed: &[],
    },
    Resource {
        start: "role/",
        login: "aws",
        kind: "vault_aws_auth_backend_role",
        name: "role",
        renamed: &[("bound_iam_principal_arn", "bound_iam_principal_arns")],
    },
];

fn write(plan: &Plan, _: &str) -> String {
    let (login, mount) = &plan.auth;
    let mut text = format!("# The Vault side of: {}\n", one_line(&plan.call));
    let mut variable = |name: &str, about: &str, value: &str| {
        text.push_str(&block(
            &format!("variable {}", string(name)),
            &[("description", string(about)), ("type", "string".to_owned()), ("default", string(value))],
            &[],
        ));
    };
    variable("mount", "Where the auth method is mounted", mount);
    let method = if login.name == "jwt" { "vault_jwt_auth_backend" } else { "vault_auth_backend" };
    let accessor = format!("${{{method}.login.accessor}}");
    for policy in &plan.policies {
        let name = ("name", string(&policy.name));
        let rules =
            format!("  policy = <<-EOT\n{}  EOT\n", indented(&policy.text()).replace(ACCESSOR, &accessor));
        text.push_str(&block(&resource("vault_policy", &policy.name), &[name], &[rules]));
    }
    let config = plan.config.as_ref().map(|config| &config.object.fields);
    let mut fields: Vec<(&str, String)> =
        vec![("path", "var.mount".to_owned()), ("type", string(login.name))];
    if login.name == "jwt" {
        fields.extend(config.into_iter().flatten().map(|(name, field)| (name.as_str(), value(field))));
        text.push_str(&block(&resource("vault_jwt_auth_backend", "login"), &fields, &[]));
    } else {
        text.push_str(&block(&resource("vault_auth_backend", "login"), &fields, &[]));
        if let Some(config) = config {
            let mut fields = vec![("backend", "vault_auth_backend.login.path".to_owned())];
            fields.extend(config.iter().map(|(name, field)| (name.as_str(), value(field))));
            text.push_str(&block(&resource("vault_aws_auth_backend_client", "login"), &fields, &[]));
        }
    }
    for role in &plan.roles {
        text.push_str(&of_role(plan, role));
    }
    plan.sketches.iter().for_each(|sketch| text.push_str(&sketched(sketch)));
    text
}

fn of_role(plan: &Plan, role: &Object) -> String {
    let (login, mount) = &plan.auth;
    let inside = role.path.strip_prefix(&format!("auth/{mount}/"));
    let fits = |one: &&Resource| match one.login {
        "" => role.path.starts_with(one.start),
        known => known == login.name && inside.is_some_and(|path| path.starts_with(one.start)),
    };
    let Some(found) = RESOURCES.iter().find(fits) else { return String::new() };
    let name = role.path.rsplit('/').next().unwrap_or_default();
    let mut fields = vec![(found.name, string(name))];
    if !found.login.is_empty() {
        let backend = if login.name == "jwt" { "vault_jwt_auth_backend" } else { "vault_auth_backend" };
        fields.insert(0, ("backend", format!("{backend}.login.path")));
    }
    let mut maps = Vec::new();
    for (field, content) in &role.fields {
        let field =
            found.renamed.iter().find(|(ours, _)| ours == field).map_or(field.as_str(), |(_, theirs)| theirs);
        match content {
            Value::Object(map) if field == "bound_claims" => {
                // The provider parts a text at its commas.
                if map.values().any(|value| value.as_str().is_some_and(|text| text.contains(','))) {
                    fields.push(("disable_bound_claims_parsing", "true".to_owned()));
                }
                maps.push(object(field, map));
            }
            Value::Object(map) if map.is_empty() => fields.push((field, "{}".to_owned())),
            Value::Object(map) => maps.push(object(field, map)),
            content => fields.push((field, value(content))),
        }
    }
    block(&resource(found.kind, name), &fields, &maps)
}

/// An engine and its role, as comments, so that nobody applies them before they are filled in.
fn sketched(sketch: &Sketch) -> String {
    let mount = format!("vault_mount.{}", name_of(&sketch.mount));
    let mut fields = vec![("path", string(&sketch.mount)), ("type", string(sketch.engine))];
    let options: Vec<_> =
        sketch.options.iter().map(|(name, value)| format!("{name} = {}", string(value))).collect();
    if !options.is_empty() {
        fields.push(("options", format!("{{ {} }}", options.join(", "))));
    }
    let mut hcl = block(&resource("vault_mount", &sketch.mount), &fields, &[]);
    let role = &sketch.fields;
    if !role.is_empty() && sketch.resource.is_empty() {
        // What the provider has no resource of is written as JSON.
        let data = string(&Value::from(role.clone()).to_string());
        hcl.push_str(&block(
            &resource("vault_generic_endpoint", &sketch.role),
            &[
                ("path", string(&sketch.path)),
                ("data_json", data),
                ("ignore_absent_fields", "true".to_owned()),
                ("depends_on", format!("[{mount}]")),
            ],
            &[],
        ));
    } else if !role.is_empty() {
        let mut fields = vec![("backend", format!("{mount}.path")), ("name", string(&sketch.role))];
        fields.extend(role.iter().map(|(name, field)| (name.as_str(), value(field))));
        hcl.push_str(&block(&resource(sketch.resource, &sketch.role), &fields, &[]));
    }
    let mut text = format!(
        "\n# The {} engine. {ABOUT}\n# With that done, take the #~ from the lines that have it.\n",
        sketch.title
    );
    for line in hcl.lines().skip(1) {
        text.push_str(format!("#~ {}", one_line(line)).trim_end());
        text.push('\n');
    }
    for line in &sketch.notes {
        text.push_str(&format!("# {}\n", one_line(&line.replace("{cli}", "vault"))));
    }
    text
}

fn resource(kind: &str, name: &str) -> String {
    format!("resource \"{kind}\" \"{}\"", name_of(name))
}

/// A name of Terraform's: letters, digits, - and _, and no digit first.
fn name_of(name: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let start = if name.starts_with(|char: char| char.is_ascii_digit() || char == '-') { "_" } else { "" };
    format!("{start}{name}")
}

/// A block as `terraform fmt` has it.
fn block(head: &str, fields: &[(&str, String)], parts: &[String]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = format!("\n{head} {{\n");
    for (name, value) in fields {
        text.push_str(&format!("  {name:width$} = {value}\n"));
    }
    for part in parts {
        text.push_str(&format!("\n{part}"));
    }
    text + "}\n"
}

fn object(name: &str, map: &Map<String, Value>) -> String {
    let keys: Vec<_> = map.iter().map(|(key, content)| (string(key), joined(content))).collect();
    let width = keys.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
    let lines: String = keys.iter().map(|(key, value)| format!("    {key:width$} = {value}\n")).collect();
    format!("  {name} = {{\n{lines}  }}\n")
}

/// In a map of texts, several values are one text with commas.
fn joined(content: &Value) -> String {
    match content {
        Value::Array(all) => string(&all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        other => string(other.as_str().unwrap_or_default()),
    }
}

fn value(content: &Value) -> String {
    match content {
        Value::Array(all) => format!("[{}]", all.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

/// A text, in which Terraform fills nothing in.
fn string(text: &str) -> String {
    Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
