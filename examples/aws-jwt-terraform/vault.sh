#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. With
# OpenBao, `bao` is the command; the rest is the same. engine.sh comes before it.
set -eu
: "${GITLAB_URL:=https://gitlab.example.com}" # who signs the ID tokens
: "${AUDIENCE:=https://vault.example.com}"    # the aud of the jobs' ID tokens
: "${PROJECT_ID:=22}"                         # whose default branch may do this

vault policy write web-pipeline - <<'EOF'
# AWS credentials for the accounts that the engine's role names.
path "web-aws/sts/web-pipeline" { capabilities = ["read", "update"] }
# Database users.
path "web-db/creds/web" { capabilities = ["read"] }
# Terraform's Vault provider makes itself a child token.
path "auth/token/create" { capabilities = ["update"] }
EOF

vault auth list | grep -q '^jwt/' || vault auth enable jwt
# This replaces the whole configuration: leave it out where the mount has one for this GitLab already.
vault write auth/jwt/config \
  jwks_url="$GITLAB_URL/oauth/discovery/keys" bound_issuer="$GITLAB_URL" default_role=web-pipeline
vault write auth/jwt/role/web-pipeline - <<EOF
{
  "role_type": "jwt",
  "user_claim": "user_email",
  "bound_audiences": ["$AUDIENCE"],
  "bound_claims": { "project_id": "$PROJECT_ID", "ref": "main", "ref_type": "branch", "ref_protected": "true" },
  "token_policies": ["web-pipeline"],
  "token_ttl": "15m",
  "token_max_ttl": "1h"
}
EOF
