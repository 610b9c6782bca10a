"""An AWS that checks keys, signatures and session tokens: moto, with its access control switched on.

Prints one line of JSON, `{"url", "role": {key, secret, token}, "user": {key, secret}}`, and serves until standard
input ends.
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

trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
iam, sts = (boto3.client(name, endpoint_url=url) for name in ("iam", "sts"))
role = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
session = sts.assume_role(RoleArn=role, RoleSessionName="job")["Credentials"]
iam.create_user(UserName="ci")
user = iam.create_access_key(UserName="ci")["AccessKey"]
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0


def pair(keys):
    return {"access_key": keys["AccessKeyId"], "secret_key": keys["SecretAccessKey"]}


print(json.dumps({"url": url, "role": pair(session) | {"session_token": session["SessionToken"]}, "user": pair(user)}))
sys.stdout.flush()
sys.stdin.read()
