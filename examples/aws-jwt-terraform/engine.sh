#!/bin/sh
# The secrets engines, as an administrator. It can be run again. With OpenBao, aws is a plugin to register first.
# AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong to a user for Vault alone, who may assume the roles below;
# DB_ADMIN_PASSWORD is the database's. STS_ENDPOINT is set where AWS is reached by an endpoint of your own.
set -eu
: "${DB_ADDRESS:=db.example.com:5432}"
vault secrets list | grep -q '^web-aws/' || vault secrets enable -path=web-aws aws
printf '{"access_key": "%s", "secret_key": "%s", "region": "eu-central-1"}' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" |
  vault write web-aws/config/root - ${STS_ENDPOINT:+sts_endpoint="$STS_ENDPOINT"} >/dev/null
# AWS gives no assumed role for less than 15 minutes. Several accounts: several role_arns, and --role-arn in the job.
vault write web-aws/roles/web-pipeline credential_type=assumed_role \
  role_arns=arn:aws:iam::123456789012:role/web-pipeline default_sts_ttl=15m max_sts_ttl=1h

vault secrets list | grep -q '^web-db/' || vault secrets enable -path=web-db database
printf '{"plugin_name": "postgresql-database-plugin", "allowed_roles": "web", "username": "vault", "password": "%s",
  "connection_url": "postgresql://{{username}}:{{password}}@%s/web"}' "$DB_ADMIN_PASSWORD" "$DB_ADDRESS" |
  vault write web-db/config/web - >/dev/null
vault write web-db/roles/web db_name=web default_ttl=15m max_ttl=1h - <<'EOF'
{"creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE web_owner"]}
EOF
