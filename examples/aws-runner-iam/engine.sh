#!/bin/sh
# The secrets engine, as an administrator. It can be run again. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong to
# a user for Vault alone, who may assume the role below. STS_ENDPOINT is set where AWS is reached by an endpoint of
# your own.
set -eu
command -v vault >/dev/null || vault() { bao "$@"; }

# What setup prints as a sketch, filled in.
# >>> ci-creds setup aws deploy --auth approle | sed -n 's|<role_arn>|arn:aws:iam::123456789012:role/deploy|; s/^#~ //p'
test -n "$(vault read -field=type sys/mounts/aws 2>/dev/null)" || vault secrets enable -path=aws aws
vault write aws/roles/deploy - <<'EOF'
{
  "credential_type": "assumed_role",
  "role_arns": [
    "arn:aws:iam::123456789012:role/deploy"
  ],
  "default_sts_ttl": 900,
  "max_sts_ttl": 3600
}
EOF
# <<<
# The engine has one user of its own, who stays: another one is written by hand.
vault read aws/config/root >/dev/null 2>&1 ||
  printf '{"access_key": "%s", "secret_key": "%s", "region": "eu-central-1"}' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" |
  vault write aws/config/root - ${STS_ENDPOINT:+sts_endpoint="$STS_ENDPOINT"} >/dev/null
