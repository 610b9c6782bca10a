#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. engine.sh
# comes before it. The part between the marks is what its command prints: put your own names there, and print it again.

# >>> API_TOKEN=vault:secret/data/app#token KUBECONFIG=vault-file:secret/data/kube#config DB_USER=vault:web-db/creds/web#username DB_PASSWORD=vault:web-db/creds/web#password ci-creds setup env --auth-role web-secrets --project 22 --ref main --gitlab-url https://gitlab.example.com --audience https://vault.example.com -- ./migrate | sed 1d
# The Vault side of: ci-creds env
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

# What `ci-creds env` does
vault policy write web-secrets - <<'EOF'
# What the job reads.
path "secret/data/app" { capabilities = ["read"] }
# What the job reads, as from any engine but KV version 2, which has data/ in the path: write it into the reference.
path "web-db/creds/web" { capabilities = ["read"] }
# What the job reads.
path "secret/data/kube" { capabilities = ["read"] }
# The token lives as long as what was read with it.
path "auth/token/renew-self" { capabilities = ["update"] }
# What was read is kept alive while the command runs.
path "sys/leases/renew" { capabilities = ["update"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Which jobs may log in, and for how long.
vault write auth/jwt/role/web-secrets - <<'EOF'
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
    "web-secrets"
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

# Where web-db is KV version 2, write data/ into the references: the policy of version 2 has data/ in the path. --check looks at the mount.

# The job in .gitlab-ci.yml:
#   id_tokens: { VAULT_ID_TOKEN: { aud: "https://vault.example.com" } }
#   variables: { VAULT_AUTH_METHOD: jwt, VAULT_AUTH_ROLE: "web-secrets" }
# <<<
