#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. engine.sh
# comes before it. Each part is what the command above it prints: put your own names there, and print it again.

# Terraform, and AWS. Terraform's Vault provider makes itself a child token.
# >>> ci-creds setup aws web-pipeline --mount web-aws --ttl 1h --and login --allow auth/token/create=update --project 22 --ref main --gitlab-url https://gitlab.example.com --audience https://vault.example.com -- terraform apply | sed 1d
# The Vault side of: ci-creds aws web-pipeline --mount web-aws --ttl 1h --and login
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

# What `ci-creds aws web-pipeline --mount web-aws --ttl 1h --and login` does
vault policy write web-pipeline - <<'EOF'
# AWS credentials of one role.
path "web-aws/sts/web-pipeline" {
  capabilities = ["read"]
  allowed_parameters = {
    "ttl" = ["3600s"]
    "role_session_name" = []
  }
}
# What the job does with the token itself.
path "auth/token/create" { capabilities = ["update"] }
# The token lives as long as what was read with it.
path "auth/token/renew-self" { capabilities = ["update"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Which jobs may log in, and for how long.
vault write auth/jwt/role/web-pipeline - <<'EOF'
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
    "web-pipeline"
  ],
  "token_no_default_policy": true,
  "token_ttl": 900,
  "token_max_ttl": 3600,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_type": "service",
  "token_bound_cidrs": []
}
EOF

# The AWS engine. A sketch, for you to fill in what stands in <…>: setup knows what the run reads, not what the keys may do.
# With that done, the lines that begin with #~ are commands: sed -n 's/^#~ //p' prints them.
#~ test -n "$(vault read -field=type sys/mounts/web-aws 2>/dev/null)" || vault secrets enable -path=web-aws aws
#~ vault write web-aws/roles/web-pipeline - <<'EOF'
#~ {
#~   "credential_type": "assumed_role",
#~   "role_arns": [
#~     "<role_arn>"
#~   ],
#~   "default_sts_ttl": 900,
#~   "max_sts_ttl": 3600
#~ }
#~ EOF
# At AWS, the trust policy of <role_arn> lets Vault's own user, and nobody else, assume it:
# {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "<arn_of_vaults_user>"}}]}
# That user has this policy, and no other right:
# {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "<role_arn>"}]}
# web-aws/config/root has that user's access_key, secret_key and region. Write it from a file: vault write web-aws/config/root @root.json

# The job in .gitlab-ci.yml:
#   id_tokens: { VAULT_ID_TOKEN: { aud: "https://vault.example.com" } }
#   variables: { VAULT_AUTH_METHOD: jwt, VAULT_AUTH_ROLE: "web-pipeline" }
# <<<

# The migration has a role of its own: it has no way to AWS, and Terraform none to the database.
# >>> ci-creds setup read web-db/creds/web DB_USER=username DB_PASSWORD=password --auth-role web-db --project 22 --ref main --gitlab-url https://gitlab.example.com --audience https://vault.example.com -- ./migrate | sed 1d
# The Vault side of: ci-creds read web-db/creds/web DB_USER=username DB_PASSWORD=password
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

# What `ci-creds read web-db/creds/web DB_USER=username DB_PASSWORD=password` does
vault policy write web-db - <<'EOF'
# What the job reads, as from any engine but KV version 2, which has data/ in the path: --kv-version 2 puts it there.
path "web-db/creds/web" { capabilities = ["read"] }
# The token lives as long as what was read with it.
path "auth/token/renew-self" { capabilities = ["update"] }
# What was read is kept alive while the command runs.
path "sys/leases/renew" { capabilities = ["update"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Which jobs may log in, and for how long.
vault write auth/jwt/role/web-db - <<'EOF'
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
    "web-db"
  ],
  "token_no_default_policy": true,
  "token_ttl": 900,
  "token_max_ttl": 3600,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_type": "service",
  "token_bound_cidrs": []
}
EOF

# Where web-db is KV, say --kv-version 1 or 2: the policy of version 2 has data/ in the path. --check looks at the mount.

# The job in .gitlab-ci.yml:
#   id_tokens: { VAULT_ID_TOKEN: { aud: "https://vault.example.com" } }
#   variables: { VAULT_AUTH_METHOD: jwt, VAULT_AUTH_ROLE: "web-db" }
# <<<
