#!/bin/sh
# The secrets engines, as an administrator. It can be run again. DB_ADMIN_PASSWORD is the database's; API_TOKEN and
# KUBECONFIG (a file) are the secrets of the example.
set -eu
: "${DB_ADDRESS:=db.example.com:5432}"
vault secrets list | grep -q '^secret/' || vault secrets enable -path=secret -version=2 kv
printf '{"token": "%s"}' "$API_TOKEN" | vault kv put secret/app - >/dev/null
vault kv put secret/kube config=@"$KUBECONFIG" >/dev/null

vault secrets list | grep -q '^web-db/' || vault secrets enable -path=web-db database
printf '{"plugin_name": "postgresql-database-plugin", "allowed_roles": "web", "username": "vault", "password": "%s",
  "connection_url": "postgresql://{{username}}:{{password}}@%s/web"}' "$DB_ADMIN_PASSWORD" "$DB_ADDRESS" |
  vault write web-db/config/web - >/dev/null
vault write web-db/roles/web db_name=web default_ttl=15m max_ttl=1h - <<'SQL'
{"creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE web_owner"]}
SQL
