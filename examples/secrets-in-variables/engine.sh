#!/bin/sh
# The secrets engines, as an administrator. It can be run again. DB_ADMIN_PASSWORD is the database's; API_TOKEN and
# KUBECONFIG (a file) are the secrets of the example. setup knows neither KV's secrets nor databases: this is all by hand.
set -eu
command -v vault >/dev/null || vault() { bao "$@"; }
: "${DB_ADDRESS:=db.example.com:5432}"
test -n "$(vault read -field=type sys/mounts/secret 2>/dev/null)" || vault secrets enable -path=secret -version=2 kv
printf '{"token": "%s"}' "$API_TOKEN" | vault kv put secret/app - >/dev/null
vault kv put secret/kube config=@"$KUBECONFIG" >/dev/null

test -n "$(vault read -field=type sys/mounts/web-db 2>/dev/null)" || vault secrets enable -path=web-db database
vault read web-db/config/web >/dev/null 2>&1 ||
  printf '{"plugin_name": "postgresql-database-plugin", "allowed_roles": "web", "username": "vault", "password": "%s",
  "connection_url": "postgresql://{{username}}:{{password}}@%s/web"}' "$DB_ADMIN_PASSWORD" "$DB_ADDRESS" |
  vault write web-db/config/web - >/dev/null
vault write web-db/roles/web db_name=web default_ttl=15m max_ttl=1h - <<'SQL'
{"creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE web_owner"]}
SQL
