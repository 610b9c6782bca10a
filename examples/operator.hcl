# What an operator needs for `ci-creds doctor auth/…/role/…` and `ci-creds setup … --check`: it changes nothing.
# Adapt the mounts: this is for auth methods at auth/jwt, auth/approle, auth/kubernetes and auth/aws.

# The roles, and what the JWT mount trusts (bound_issuer, keys). `--audit` lists them.
path "auth/jwt/role" {
  capabilities = ["list"]
}
path "auth/jwt/role/*" {
  capabilities = ["read"]
}
path "auth/jwt/config" {
  capabilities = ["read"]
}
path "auth/approle/role/+" {
  capabilities = ["read"]
}

path "auth/kubernetes/role/+" {
  capabilities = ["read"]
}
path "auth/aws/role/+" {
  capabilities = ["read"]
}
# The name that a signature for AWS IAM is for. What is read has no secret key in it.
path "auth/aws/config/client" {
  capabilities = ["read"]
}

# For setup's check: the roles that make issuing tokens.
path "auth/token/roles/+" {
  capabilities = ["read"]
}

# Which engine is mounted where, and the version of KV.
path "sys/mounts" {
  capabilities = ["read"]
}

# The policies that the roles give: whether they open more than the jobs read.
path "sys/policies/acl/+" {
  capabilities = ["read"]
}

# For `ci-creds doctor PROVIDER ROLE` with this token: what the engines' roles say. They hold no secret.
path "exoscale/role/*" {
  capabilities = ["read"]
}
path "aws/roles/*" {
  capabilities = ["read"]
}
