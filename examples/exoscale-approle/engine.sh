#!/bin/sh
# The secrets engine, as an administrator. It can be run again. The plugin's binary lies in Vault's plugin_directory;
# SHA256 is its sum. EXOSCALE_ROOT_KEY and EXOSCALE_ROOT_SECRET are an API key for Vault alone, which may manage API
# keys.
set -eu
command -v vault >/dev/null || vault() { bao "$@"; }
vault plugin register -sha256="$SHA256" secret vault-plugin-secrets-exoscale

# What setup prints as a sketch, filled in: gitlab-ci is the IAM role at Exoscale, and says what the keys may do.
# >>> ci-creds setup exoscale gitlab-ci-runner --auth approle | sed -n 's|<iam_role>|gitlab-ci|; s/^#~ //p'
test -n "$(vault read -field=type sys/mounts/exoscale 2>/dev/null)" || vault secrets enable -path=exoscale vault-plugin-secrets-exoscale
vault write exoscale/role/gitlab-ci-runner - <<'EOF'
{
  "iam-role": "gitlab-ci",
  "ttl": 900,
  "max_ttl": 1800,
  "renewable": true
}
EOF
# <<<

# The engine has one key of its own, which stays: another one is written by hand.
vault read exoscale/config/root >/dev/null 2>&1 ||
  printf '{"root_api_key": "%s", "root_api_secret": "%s", "zone": "ch-gva-2"}' "$EXOSCALE_ROOT_KEY" "$EXOSCALE_ROOT_SECRET" |
  vault write exoscale/config/root - >/dev/null # the engine's answer has the secret in it
