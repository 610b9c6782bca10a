#!/bin/sh
# The secrets engine, as an administrator. It can be run again. The plugin's binary lies in Vault's plugin_directory;
# SHA256 is its sum. EXOSCALE_ROOT_KEY and EXOSCALE_ROOT_SECRET are an API key for Vault alone, which may manage API
# keys.
set -eu
vault plugin register -sha256="$SHA256" secret vault-plugin-secrets-exoscale
vault secrets list | grep -q '^exoscale/' ||
  vault secrets enable -path=exoscale -default-lease-ttl=15m -max-lease-ttl=30m vault-plugin-secrets-exoscale
printf '{"root_api_key": "%s", "root_api_secret": "%s", "zone": "ch-gva-2"}' "$EXOSCALE_ROOT_KEY" "$EXOSCALE_ROOT_SECRET" |
  vault write exoscale/config/root - >/dev/null # the engine's answer has the secret in it
# gitlab-ci is the IAM role at Exoscale: what the keys may do.
vault write exoscale/role/gitlab-ci-runner iam-role=gitlab-ci ttl=15m max_ttl=30m renewable=true
