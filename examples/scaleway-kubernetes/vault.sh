#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. With
# OpenBao, `bao` is the command; the rest is the same. engine.sh comes before it.
set -eu
: "${KUBERNETES_API:=https://kapsule.example.com:6443}" # where Vault has a pod's token reviewed
: "${KUBERNETES_CA:?is the CA certificate of that address, in PEM form}"

# Vault reviews each token with that token itself: the service accounts need the cluster role system:auth-delegator.
vault auth list | grep -q '^kubernetes/' || vault auth enable kubernetes
vault write auth/kubernetes/config kubernetes_host="$KUBERNETES_API" kubernetes_ca_cert="$KUBERNETES_CA" \
  disable_local_ca_jwt=true

# The namespace that a pod runs in is the only role that it may read: dev can't reach prod, whatever the pipeline says.
accessor=$(vault read -field=accessor sys/auth/kubernetes)
vault policy write app-deployer - <<EOF
path "scaleway/creds/{{identity.entity.aliases.$accessor.metadata.service_account_namespace}}" { capabilities = ["read"] }
EOF
vault write auth/kubernetes/role/app-deployer \
  bound_service_account_names=app-deployer bound_service_account_namespaces=dev,preprod,prod \
  token_policies=app-deployer token_ttl=15m token_max_ttl=1h
