# AWS for the tests: moto answers STS and IAM, botocore signs. One JSON command a line, one JSON answer a line.
import datetime
import json
import sys

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
endpoint = "http://%s:%s" % server.get_host_and_port()


def client(service):
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1",
                        aws_access_key_id="root", aws_secret_access_key="root")


def assume(role):
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam = client("iam")
    try:
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=policy)
    except iam.exceptions.EntityAlreadyExistsException:
        pass
    arn = "arn:aws:iam::123456789012:role/" + role
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="job")["Credentials"]
    return {"access_key": keys["AccessKeyId"], "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"], "expiration": keys["Expiration"].isoformat()}


# The Authorization header that botocore gives the same request at the same time.
def sign(url, body, headers, region, access_key, secret_key, token):
    keys = botocore.credentials.Credentials(access_key, secret_key, token)
    signer = botocore.auth.SigV4Auth(keys, "sts", region)
    request = botocore.awsrequest.AWSRequest("POST", url, data=body, headers=headers)
    time = headers["x-amz-date"]
    # Not add_auth, which takes the time of its own call; the steps are the same.
    request.context["timestamp"] = time
    datetime.datetime.strptime(time, "%Y%m%dT%H%M%SZ")
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    return "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (signer.scope(request), signed, signature)


print(json.dumps(endpoint), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(globals()[command.pop("do")](**command)), flush=True)
