#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. With
# OpenBao, `bao` is the command; the rest is the same. engine.sh comes before it.
set -eu
: "${GITLAB_URL:=https://gitlab.example.com}" # who signs the ID tokens
: "${AUDIENCE:=https://vault.example.com}"    # the aud of the rotating job's ID token
: "${PROJECT_ID:=22}"                         # whose default branch rotates

# What a job gets: one API key at a time, for the engine's role.
vault policy write exoscale-create-apikey - <<'EOF'
path "exoscale/apikey/gitlab-ci-runner" { capabilities = ["read"] }
EOF

# How a job logs in. A secret_id is good for one login, at once.
vault auth list | grep -q '^approle/' || vault auth enable approle
vault write auth/approle/role/gitlab-ci-runner \
  token_policies=exoscale-create-apikey token_ttl=15m token_max_ttl=30m \
  secret_id_num_uses=1 secret_id_ttl=5m

# What the variable VAULT_TOKEN may do: issue secret_ids. It can't be used to log in without the runner's role_id.
vault policy write gitlab-ci-runner-secrets - <<'EOF'
path "auth/approle/role/gitlab-ci-runner/secret-id" { capabilities = ["update"] }
EOF

# How it is made: an orphan, or it would end with the login that made it; renewable and without a period, or the next
# rotation could not shorten its life.
vault write auth/token/roles/gitlab-ci-runner-secrets \
  allowed_policies=gitlab-ci-runner-secrets,default orphan=true renewable=true token_type=service

# Who replaces it: the scheduled job of one project, on its protected default branch.
vault policy write rotate-vault-token - <<'EOF'
path "auth/token/create/gitlab-ci-runner-secrets" { capabilities = ["update"] }
path "auth/token/roles/gitlab-ci-runner-secrets" { capabilities = ["read"] }
EOF
vault auth list | grep -q '^jwt/' || vault auth enable jwt
# The whole mount has one configuration, and other roles use it: it is written only where there is none.
case $(vault read -field=bound_issuer auth/jwt/config 2>/dev/null || true) in
"$GITLAB_URL") ;;
'') vault write auth/jwt/config jwks_url="$GITLAB_URL/oauth/discovery/keys" bound_issuer="$GITLAB_URL" ;;
*) echo "auth/jwt/config is for another GitLab" >&2; exit 1 ;;
esac
vault write auth/jwt/role/rotate-vault-token - <<EOF
{
  "role_type": "jwt",
  "user_claim": "project_path",
  "bound_audiences": ["$AUDIENCE"],
  "bound_claims": { "project_id": "$PROJECT_ID", "ref": "main", "ref_type": "branch", "ref_protected": "true" },
  "token_policies": ["rotate-vault-token"],
  "token_ttl": "5m"
}
EOF
