"""What a real SDK finds in its environment and files, as one line of JSON."""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


def aws(url):
    import boto3

    session = boto3.Session()
    credentials = session.get_credentials()
    frozen = credentials.get_frozen_credentials()
    caller = session.client("sts", endpoint_url=url, region_name="us-east-1").get_caller_identity()
    return {
        "method": credentials.method,
        "key": frozen.access_key,
        "secret": frozen.secret_key,
        "token": frozen.token,
        "region": session.region_name,
        "arn": caller["Arn"],
    }


def expiry():
    """When botocore asks credential_process again."""
    import boto3

    credentials = boto3.Session().get_credentials()
    credentials.get_frozen_credentials()
    return {"until": credentials._expiry_time.isoformat() if hasattr(credentials, "_expiry_time") else None}


def scaleway():
    from scaleway import Client

    client = Client.from_config_file_and_env()
    client.validate_credentials()
    names = ["access_key", "secret_key", "default_project_id", "default_organization_id", "default_region", "default_zone"]
    return {name: getattr(client, name) for name in names}


def exoscale():
    """The client takes its keys as arguments, as its documentation's examples pass them; the request tells."""
    from exoscale.api.v2 import Client

    seen = {}

    class Api(BaseHTTPRequestHandler):
        def do_GET(self):
            seen["authorization"] = self.headers["Authorization"]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"instances": []}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Terraform's order: the older names first (pkg/provider/provider.go).
    first = lambda *names: next(os.environ[name] for name in names if name in os.environ)
    key = first("EXOSCALE_KEY", "EXOSCALE_API_KEY")
    secret = first("EXOSCALE_SECRET", "EXOSCALE_SECRET_KEY", "EXOSCALE_API_SECRET")
    Client(key, secret, url=f"http://127.0.0.1:{server.server_port}/v2").list_instances()
    return {"secret": secret, "credential": seen["authorization"].split("credential=")[1].split(",")[0]}


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
