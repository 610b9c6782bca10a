#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. engine.sh
# comes before it. Each part is what the command above it prints: put your own names there, and print it again.

# >>> ci-creds setup exoscale gitlab-ci-runner --auth approle --dead-man 2m | sed 1d
# The Vault side of: ci-creds exoscale gitlab-ci-runner --dead-man 2m
# Run it as an administrator, with vault's own variables set. It can be run again.
set -eu
# Where there is only OpenBao's program, that does it.
command -v vault >/dev/null || vault() { bao "$@"; }

case $(vault read -field=type sys/auth/approle 2>/dev/null || true) in
'') vault auth enable -path=approle approle ;;
approle) ;;
*) echo sys/auth/approle 'is another method' >&2; exit 1 ;;
esac

# What `ci-creds exoscale gitlab-ci-runner --dead-man 2m` does
vault policy write gitlab-ci-runner - <<'EOF'
# Exoscale credentials of one role.
path "exoscale/apikey/gitlab-ci-runner" { capabilities = ["read"] }
# The token lives as long as what was read with it.
path "auth/token/renew-self" { capabilities = ["update"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# What the issuing token may do: it has no rights in any engine
vault policy write gitlab-ci-runner-issue - <<'EOF'
# A secret_id for one login.
path "auth/approle/role/gitlab-ci-runner/secret-id" {
  capabilities = ["update"]
  allowed_parameters = {
    "metadata" = []
  }
}
EOF

# How a job logs in: with a secret_id that is good for one login, at once.
vault write auth/approle/role/gitlab-ci-runner - <<'EOF'
{
  "bind_secret_id": true,
  "secret_id_num_uses": 1,
  "secret_id_ttl": 300,
  "secret_id_bound_cidrs": [],
  "token_policies": [
    "gitlab-ci-runner"
  ],
  "token_no_default_policy": true,
  "token_ttl": 120,
  "token_max_ttl": 3600,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_type": "service",
  "token_bound_cidrs": []
}
EOF

# How the issuing token is made, also by `ci-creds rotate`: it outlives the login that made it.
# The policy `default` is for `rotate` and `doctor`: lookup-self, renew-self, revoke-self, capabilities-self.
vault write auth/token/roles/gitlab-ci-runner-issue - <<'EOF'
{
  "allowed_policies": [
    "gitlab-ci-runner-issue",
    "default"
  ],
  "allowed_policies_glob": [],
  "disallowed_policies": [],
  "disallowed_policies_glob": [],
  "orphan": true,
  "renewable": true,
  "token_type": "service",
  "token_period": 0,
  "token_explicit_max_ttl": 0,
  "token_num_uses": 0,
  "token_bound_cidrs": [],
  "path_suffix": ""
}
EOF

# The Exoscale engine. A sketch, for you to fill in what stands in <…>: setup knows what the run reads, not what the keys may do.
# With that done, the lines that begin with #~ are commands: sed -n 's/^#~ //p' prints them.
#~ test -n "$(vault read -field=type sys/mounts/exoscale 2>/dev/null)" || vault secrets enable -path=exoscale vault-plugin-secrets-exoscale
#~ vault write exoscale/role/gitlab-ci-runner - <<'EOF'
#~ {
#~   "iam-role": "<iam_role>",
#~   "ttl": 900,
#~   "max_ttl": 1800,
#~   "renewable": true
#~ }
#~ EOF
# <iam_role> is the IAM role at Exoscale: what the keys may do. The older keys have no role: they take operations=<list-zones,…> in its place, and resources.
# exoscale/config/root has the engine's own key: root_api_key, root_api_secret, zone. Write it from a file, and look at no answer, which has the key in it: vault write exoscale/config/root @root.json >/dev/null

# The runner gets the role_id, in its config.toml as environment = ["VAULT_ROLE_ID=…"]:
#   vault read -field=role_id auth/approle/role/gitlab-ci-runner/role-id
# GitLab gets the issuing token, as the variable VAULT_TOKEN: masked, protected, and scoped to its environment:
#   vault token create -role=gitlab-ci-runner-issue -ttl=768h -field=token
# The job has the variables VAULT_AUTH_METHOD=approle and VAULT_AUTH_ROLE=gitlab-ci-runner
# <<<

# Who replaces the issuing token: the scheduled job of one project, on its protected default branch.
# >>> ci-creds setup login --auth-role rotate-vault-token --project 22 --ref main --gitlab-url https://gitlab.example.com --audience https://vault.example.com --token-ttl 5m --allow auth/token/create/gitlab-ci-runner-issue=update --allow auth/token/roles/gitlab-ci-runner-issue=read | sed 1d
# The Vault side of: ci-creds login
# Run it as an administrator, with vault's own variables set. It can be run again.
set -eu
# Where there is only OpenBao's program, that does it.
command -v vault >/dev/null || vault() { bao "$@"; }

case $(vault read -field=type sys/auth/jwt 2>/dev/null || true) in
'') vault auth enable -path=jwt jwt ;;
jwt | oidc) ;;
*) echo sys/auth/jwt 'is another method' >&2; exit 1 ;;
esac

# Who signs the ID tokens.
# The whole mount has it: it is written only where there is none.
if found=$(vault read -field=bound_issuer auth/jwt/config 2>&1); then
  test "$found" = https://gitlab.example.com || { echo auth/jwt/config "is set up for $found" >&2; exit 1; }
else
case $found in
*'No value found'*) ;;
*) echo "$found" >&2; exit 1 ;;
esac
vault write auth/jwt/config - <<'EOF'
{
  "oidc_discovery_url": "https://gitlab.example.com",
  "bound_issuer": "https://gitlab.example.com"
}
EOF
fi

# What `ci-creds login` does
vault policy write rotate-vault-token - <<'EOF'
# What the job does with the token itself.
path "auth/token/create/gitlab-ci-runner-issue" { capabilities = ["update"] }
# What the job does with the token itself.
path "auth/token/roles/gitlab-ci-runner-issue" { capabilities = ["read"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Which jobs may log in, and for how long.
vault write auth/jwt/role/rotate-vault-token - <<'EOF'
{
  "role_type": "jwt",
  "bound_audiences": [
    "https://vault.example.com"
  ],
  "bound_claims_type": "string",
  "bound_claims": {
    "project_id": "22",
    "ref": "main",
    "ref_type": "branch",
    "ref_protected": "true"
  },
  "bound_subject": "",
  "user_claim": "project_path",
  "user_claim_json_pointer": false,
  "groups_claim": "",
  "claim_mappings": {
    "project_path": "project_path",
    "ref": "ref",
    "job_id": "job_id",
    "pipeline_id": "pipeline_id"
  },
  "expiration_leeway": 0,
  "not_before_leeway": 0,
  "clock_skew_leeway": 0,
  "token_policies": [
    "rotate-vault-token"
  ],
  "token_no_default_policy": true,
  "token_ttl": 300,
  "token_max_ttl": 3600,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_type": "service",
  "token_bound_cidrs": []
}
EOF

# The job in .gitlab-ci.yml:
#   id_tokens: { VAULT_ID_TOKEN: { aud: "https://vault.example.com" } }
#   variables: { VAULT_AUTH_METHOD: jwt, VAULT_AUTH_ROLE: "rotate-vault-token" }
# <<<
