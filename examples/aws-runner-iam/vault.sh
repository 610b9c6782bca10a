#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. With
# OpenBao, `bao` is the command, and the aws method and engine are plugins to register first. engine.sh comes before it.
set -eu
: "${ACCOUNT:=123456789012}"       # the AWS account of the runners
: "${SERVER_ID:=vault.example.com}" # what the jobs sign beside their request
# STS_ENDPOINT is set where AWS is reached by an endpoint of your own.

vault policy write deploy - <<'EOF'
path "aws/sts/deploy" { capabilities = ["read"] }
EOF

# Vault asks STS who signed; it needs no AWS credentials for that, as long as unique ids are not resolved.
vault auth list | grep -q '^aws/' || vault auth enable aws
vault write auth/aws/config/client iam_server_id_header_value="$SERVER_ID" \
  ${STS_ENDPOINT:+sts_endpoint="$STS_ENDPOINT" sts_region=us-east-1}
vault write auth/aws/role/runner auth_type=iam resolve_aws_unique_ids=false \
  bound_iam_principal_arn="arn:aws:iam::$ACCOUNT:role/gitlab-runner" \
  token_policies=deploy token_ttl=15m token_max_ttl=1h
