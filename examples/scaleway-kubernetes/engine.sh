#!/bin/sh
# The secrets engine, as an administrator. It can be run again. There is no public one for Scaleway: here it is KV
# version 1, with one API key for each environment. An engine that makes keys, and answers creds/ROLE alike, takes its
# place without any change to the pipeline. SCW_KEYS is a folder with dev.json, preprod.json and prod.json:
#   {"access_key": "SCW…", "secret_key": "…", "project_id": "…", "expires_at": "2026-12-01T00:00:00Z"}
set -eu
command -v vault >/dev/null || vault() { bao "$@"; }

# >>> ci-creds setup scaleway dev --auth approle | sed -n 's/^#~ //p'
test -n "$(vault read -field=type sys/mounts/scaleway 2>/dev/null)" || vault secrets enable -path=scaleway -version=1 kv
# <<<
for environment in dev preprod prod; do
  vault write "scaleway/creds/$environment" @"$SCW_KEYS/$environment.json" >/dev/null
done
