#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. engine.sh
# comes before it. Each part is what the command above it prints: put your own names there, and print it again. The
# namespace that a pod runs in decides its role: dev can't reach prod, whatever the pipeline says.

# >>> ci-creds setup scaleway dev --auth kubernetes --auth-role app-deployer-dev --service-account dev/app-deployer | sed 1d
# The Vault side of: ci-creds scaleway dev
# Run it as an administrator, with vault's own variables set. It can be run again.
set -eu
# Where there is only OpenBao's program, that does it.
command -v vault >/dev/null || vault() { bao "$@"; }

case $(vault read -field=type sys/auth/kubernetes 2>/dev/null || true) in
'') vault auth enable -path=kubernetes kubernetes ;;
kubernetes) ;;
*) echo sys/auth/kubernetes 'is another method' >&2; exit 1 ;;
esac

# What `ci-creds scaleway dev` does
vault policy write app-deployer-dev - <<'EOF'
# Scaleway credentials of one role.
path "scaleway/creds/dev" { capabilities = ["read"] }
# The token lives as long as what was read with it.
path "auth/token/renew-self" { capabilities = ["update"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Who may log in, and for how long.
vault write auth/kubernetes/role/app-deployer-dev - <<'EOF'
{
  "bound_service_account_namespaces": [
    "dev"
  ],
  "bound_service_account_names": [
    "app-deployer"
  ],
  "alias_name_source": "serviceaccount_uid",
  "token_policies": [
    "app-deployer-dev"
  ],
  "token_no_default_policy": true,
  "token_ttl": 900,
  "token_max_ttl": 3600,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_type": "service",
  "token_bound_cidrs": []
}
EOF

# The Scaleway engine. A sketch, for you to fill in what stands in <…>: setup knows what the run reads, not what the keys may do.
# With that done, the lines that begin with #~ are commands: sed -n 's/^#~ //p' prints them.
#~ test -n "$(vault read -field=type sys/mounts/scaleway 2>/dev/null)" || vault secrets enable -path=scaleway -version=1 kv
# A key is kept there by hand, from a file that nobody else can read, with access_key, secret_key and, if you like, project_id: vault kv put scaleway/creds/dev @key.json

# auth/kubernetes must know the cluster: kubernetes_host and kubernetes_ca_cert in its config.
# The job has the variables VAULT_AUTH_METHOD=kubernetes and VAULT_AUTH_ROLE=app-deployer-dev
# <<<

# >>> ci-creds setup scaleway preprod --auth kubernetes --auth-role app-deployer-preprod --service-account preprod/app-deployer | sed 1d
# The Vault side of: ci-creds scaleway preprod
# Run it as an administrator, with vault's own variables set. It can be run again.
set -eu
# Where there is only OpenBao's program, that does it.
command -v vault >/dev/null || vault() { bao "$@"; }

case $(vault read -field=type sys/auth/kubernetes 2>/dev/null || true) in
'') vault auth enable -path=kubernetes kubernetes ;;
kubernetes) ;;
*) echo sys/auth/kubernetes 'is another method' >&2; exit 1 ;;
esac

# What `ci-creds scaleway preprod` does
vault policy write app-deployer-preprod - <<'EOF'
# Scaleway credentials of one role.
path "scaleway/creds/preprod" { capabilities = ["read"] }
# The token lives as long as what was read with it.
path "auth/token/renew-self" { capabilities = ["update"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Who may log in, and for how long.
vault write auth/kubernetes/role/app-deployer-preprod - <<'EOF'
{
  "bound_service_account_namespaces": [
    "preprod"
  ],
  "bound_service_account_names": [
    "app-deployer"
  ],
  "alias_name_source": "serviceaccount_uid",
  "token_policies": [
    "app-deployer-preprod"
  ],
  "token_no_default_policy": true,
  "token_ttl": 900,
  "token_max_ttl": 3600,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_type": "service",
  "token_bound_cidrs": []
}
EOF

# The Scaleway engine. A sketch, for you to fill in what stands in <…>: setup knows what the run reads, not what the keys may do.
# With that done, the lines that begin with #~ are commands: sed -n 's/^#~ //p' prints them.
#~ test -n "$(vault read -field=type sys/mounts/scaleway 2>/dev/null)" || vault secrets enable -path=scaleway -version=1 kv
# A key is kept there by hand, from a file that nobody else can read, with access_key, secret_key and, if you like, project_id: vault kv put scaleway/creds/preprod @key.json

# auth/kubernetes must know the cluster: kubernetes_host and kubernetes_ca_cert in its config.
# The job has the variables VAULT_AUTH_METHOD=kubernetes and VAULT_AUTH_ROLE=app-deployer-preprod
# <<<

# >>> ci-creds setup scaleway prod --auth kubernetes --auth-role app-deployer-prod --service-account prod/app-deployer | sed 1d
# The Vault side of: ci-creds scaleway prod
# Run it as an administrator, with vault's own variables set. It can be run again.
set -eu
# Where there is only OpenBao's program, that does it.
command -v vault >/dev/null || vault() { bao "$@"; }

case $(vault read -field=type sys/auth/kubernetes 2>/dev/null || true) in
'') vault auth enable -path=kubernetes kubernetes ;;
kubernetes) ;;
*) echo sys/auth/kubernetes 'is another method' >&2; exit 1 ;;
esac

# What `ci-creds scaleway prod` does
vault policy write app-deployer-prod - <<'EOF'
# Scaleway credentials of one role.
path "scaleway/creds/prod" { capabilities = ["read"] }
# The token lives as long as what was read with it.
path "auth/token/renew-self" { capabilities = ["update"] }
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Who may log in, and for how long.
vault write auth/kubernetes/role/app-deployer-prod - <<'EOF'
{
  "bound_service_account_namespaces": [
    "prod"
  ],
  "bound_service_account_names": [
    "app-deployer"
  ],
  "alias_name_source": "serviceaccount_uid",
  "token_policies": [
    "app-deployer-prod"
  ],
  "token_no_default_policy": true,
  "token_ttl": 900,
  "token_max_ttl": 3600,
  "token_explicit_max_ttl": 0,
  "token_period": 0,
  "token_num_uses": 0,
  "token_type": "service",
  "token_bound_cidrs": []
}
EOF

# The Scaleway engine. A sketch, for you to fill in what stands in <…>: setup knows what the run reads, not what the keys may do.
# With that done, the lines that begin with #~ are commands: sed -n 's/^#~ //p' prints them.
#~ test -n "$(vault read -field=type sys/mounts/scaleway 2>/dev/null)" || vault secrets enable -path=scaleway -version=1 kv
# A key is kept there by hand, from a file that nobody else can read, with access_key, secret_key and, if you like, project_id: vault kv put scaleway/creds/prod @key.json

# auth/kubernetes must know the cluster: kubernetes_host and kubernetes_ca_cert in its config.
# The job has the variables VAULT_AUTH_METHOD=kubernetes and VAULT_AUTH_ROLE=app-deployer-prod
# <<<

# Where Vault has a pod's token reviewed: written where there is nothing yet. Vault reviews each token with that token
# itself, so that the service accounts need the cluster role system:auth-delegator.
: "${KUBERNETES_API:=https://kapsule.example.com:6443}"
vault read auth/kubernetes/config >/dev/null 2>&1 ||
  vault write auth/kubernetes/config kubernetes_host="$KUBERNETES_API" disable_local_ca_jwt=true \
    kubernetes_ca_cert="${KUBERNETES_CA:?is the CA certificate of that address, in PEM form}"
