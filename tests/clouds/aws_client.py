"""What a job's boto3 makes of its environment: `whoami URL`, or as the engine's user `keys URL USER…`."""

import json
import sys

import boto3

what, url, *more = sys.argv[1:]
if what == "whoami":
    session = boto3.Session()
    caller = session.client("sts", endpoint_url=url, region_name=session.region_name or "us-east-1")
    found = {"arn": caller.get_caller_identity()["Arn"], "region": session.region_name}
else:
    iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1")
    users = [user["UserName"] for user in iam.list_users()["Users"]]
    found = {name: [key["AccessKeyId"] for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]] for name in users}
print(json.dumps(found))
