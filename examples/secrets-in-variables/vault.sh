#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. With
# OpenBao, `bao` is the command; the rest is the same. engine.sh comes before it.
set -eu
: "${GITLAB_URL:=https://gitlab.example.com}" # who signs the ID tokens
: "${AUDIENCE:=https://vault.example.com}"    # the aud of the jobs' ID tokens
: "${PROJECT_ID:=22}"                         # whose default branch may do this

vault policy write web-secrets - <<'POLICY'
# KV version 2 has data/ behind the mount, in policies and in requests.
path "secret/data/app"  { capabilities = ["read"] }
path "secret/data/kube" { capabilities = ["read"] }
path "web-db/creds/web" { capabilities = ["read"] }
POLICY

vault auth list | grep -q '^jwt/' || vault auth enable jwt
# The whole mount has one configuration, and other roles use it: it is written only where there is none.
case $(vault read -field=bound_issuer auth/jwt/config 2>/dev/null || true) in
"$GITLAB_URL") ;;
'') vault write auth/jwt/config jwks_url="$GITLAB_URL/oauth/discovery/keys" bound_issuer="$GITLAB_URL" ;;
*) echo "auth/jwt/config is for another GitLab" >&2; exit 1 ;;
esac
vault write auth/jwt/role/web-secrets - <<EOF
{
  "role_type": "jwt",
  "user_claim": "project_path",
  "bound_audiences": ["$AUDIENCE"],
  "bound_claims": { "project_id": "$PROJECT_ID", "ref": "main", "ref_type": "branch", "ref_protected": "true" },
  "token_policies": ["web-secrets"],
  "token_ttl": "15m",
  "token_max_ttl": "1h"
}
EOF
