#!/bin/sh
# The secrets engines, as an administrator. It can be run again. With OpenBao, aws is a plugin to register first.
# AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong to a user for Vault alone, who may assume the roles below;
# DB_ADMIN_PASSWORD is the database's. STS_ENDPOINT is set where AWS is reached by an endpoint of your own.
set -eu
command -v vault >/dev/null || vault() { bao "$@"; }
: "${DB_ADDRESS:=db.example.com:5432}"

# What setup prints as a sketch, filled in. AWS gives no assumed role for less than 15 minutes. Several accounts: several
# role_arns, and --role-arn in the job.
# >>> ci-creds setup aws web-pipeline --mount web-aws --project 22 --gitlab-url https://gitlab.example.com --audience https://vault.example.com | sed -n 's|<role_arn>|arn:aws:iam::123456789012:role/web-pipeline|; s/^#~ //p'
test -n "$(vault read -field=type sys/mounts/web-aws 2>/dev/null)" || vault secrets enable -path=web-aws aws
vault write web-aws/roles/web-pipeline - <<'EOF'
{
  "credential_type": "assumed_role",
  "role_arns": [
    "arn:aws:iam::123456789012:role/web-pipeline"
  ],
  "default_sts_ttl": 900,
  "max_sts_ttl": 3600
}
EOF
# <<<
# The engine has one user of its own, who stays: another one is written by hand.
vault read web-aws/config/root >/dev/null 2>&1 ||
  printf '{"access_key": "%s", "secret_key": "%s", "region": "eu-central-1"}' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" |
  vault write web-aws/config/root - ${STS_ENDPOINT:+sts_endpoint="$STS_ENDPOINT"} >/dev/null

# setup knows no database.
test -n "$(vault read -field=type sys/mounts/web-db 2>/dev/null)" || vault secrets enable -path=web-db database
vault read web-db/config/web >/dev/null 2>&1 ||
  printf '{"plugin_name": "postgresql-database-plugin", "allowed_roles": "web", "username": "vault", "password": "%s",
  "connection_url": "postgresql://{{username}}:{{password}}@%s/web"}' "$DB_ADMIN_PASSWORD" "$DB_ADDRESS" |
  vault write web-db/config/web - >/dev/null
vault write web-db/roles/web db_name=web default_ttl=15m max_ttl=1h - <<'EOF'
{"creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE web_owner"]}
EOF
