#!/bin/sh
# The secrets engine, as an administrator. It can be run again. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong to
# a user for Vault alone, who may assume the role below. STS_ENDPOINT is set where AWS is reached by an endpoint of
# your own.
set -eu
vault secrets list | grep -q '^aws/' || vault secrets enable aws
printf '{"access_key": "%s", "secret_key": "%s", "region": "eu-central-1"}' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" |
  vault write aws/config/root - ${STS_ENDPOINT:+sts_endpoint="$STS_ENDPOINT"} >/dev/null
vault write aws/roles/deploy credential_type=assumed_role \
  role_arns=arn:aws:iam::123456789012:role/deploy default_sts_ttl=15m max_sts_ttl=1h
