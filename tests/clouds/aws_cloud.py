"""AWS for the real engine: moto, with the user that the engine works as.

With `strict` it checks every key, signature and session token; it knows those of users and assumed roles only, so
`open` serves the other kinds. Prints `{"url", "access_key", "secret_key"}` and serves until standard input ends.
"""

import json
import os
import sys

os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="us-east-1")

import boto3
from moto import settings
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"

anything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
trust = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
)
iam = boto3.client("iam", endpoint_url=url)
for user in ("engine", "static"):
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=anything)
for role in ("deploy", "audit"):
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=anything)
key = iam.create_access_key(UserName="engine")["AccessKey"]
if sys.argv[1] == "strict":
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0

print(json.dumps({"url": url, "access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}))
sys.stdout.flush()
sys.stdin.read()
