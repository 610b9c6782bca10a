#!/bin/sh
# The Vault side of this example, as an administrator: VAULT_ADDR and VAULT_TOKEN are set. It can be run again. engine.sh
# comes before it. With OpenBao, the aws method and engine are plugins to register first. The part between the marks is
# what its command prints: put your own names there, and print it again.

# >>> ci-creds setup aws deploy --auth aws --auth-role runner --principal arn:aws:iam::123456789012:role/gitlab-runner --aws-server-id vault.example.com | sed 1d
# The Vault side of: ci-creds aws deploy
# Run it as an administrator, with vault's own variables set. It can be run again.
set -eu
# Where there is only OpenBao's program, that does it.
command -v vault >/dev/null || vault() { bao "$@"; }

case $(vault read -field=type sys/auth/aws 2>/dev/null || true) in
'') vault auth enable -path=aws aws ;;
aws | aws-auth | vault-plugin-auth-aws) ;;
*) echo sys/auth/aws 'is another method' >&2; exit 1 ;;
esac

# A signature for another server is not good here.
# The whole mount has it: it is written only where there is none.
if found=$(vault read -field=iam_server_id_header_value auth/aws/config/client 2>&1); then
  test "$found" = vault.example.com || { echo auth/aws/config/client "is set up for $found" >&2; exit 1; }
else
case $found in
*'No value found'*) ;;
*) echo "$found" >&2; exit 1 ;;
esac
vault write auth/aws/config/client - <<'EOF'
{
  "iam_server_id_header_value": "vault.example.com"
}
EOF
fi

# What `ci-creds aws deploy` does
vault policy write runner - <<'EOF'
# AWS credentials of one role.
path "aws/sts/deploy" {
  capabilities = ["read"]
  allowed_parameters = {
    "role_session_name" = []
  }
}
# The token ends with the job.
path "auth/token/revoke-self" { capabilities = ["update"] }
EOF

# Who may log in, and for how long.
vault write auth/aws/role/runner - <<'EOF'
{
  "auth_type": "iam",
  "bound_iam_principal_arn": [
    "arn:aws:iam::123456789012:role/gitlab-runner"
  ],
  "resolve_aws_unique_ids": false,
  "token_policies": [
    "runner"
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

# The AWS engine. A sketch, for you to fill in what stands in <…>: setup knows what the run reads, not what the keys may do.
# With that done, the lines that begin with #~ are commands: sed -n 's/^#~ //p' prints them.
#~ test -n "$(vault read -field=type sys/mounts/aws 2>/dev/null)" || vault secrets enable -path=aws aws
#~ vault write aws/roles/deploy - <<'EOF'
#~ {
#~   "credential_type": "assumed_role",
#~   "role_arns": [
#~     "<role_arn>"
#~   ],
#~   "default_sts_ttl": 900,
#~   "max_sts_ttl": 3600
#~ }
#~ EOF
# At AWS, the trust policy of <role_arn> lets Vault's own user, and nobody else, assume it:
# {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "<arn_of_vaults_user>"}}]}
# That user has this policy, and no other right:
# {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "<role_arn>"}]}
# aws/config/root has that user's access_key, secret_key and region. Write it from a file: vault write aws/config/root @root.json

# The job has the variables VAULT_AUTH_METHOD=aws and VAULT_AUTH_ROLE=runner, and CI_CREDS_AWS_SERVER_ID=vault.example.com
# <<<

# Vault asks STS who signed; it needs no AWS credentials for that. STS_ENDPOINT is set where AWS is reached by an endpoint
# of your own.
test -z "${STS_ENDPOINT:-}" || vault write auth/aws/config/client sts_endpoint="$STS_ENDPOINT" sts_region=us-east-1
