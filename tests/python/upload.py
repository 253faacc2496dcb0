"""Uploads rows with Microsoft's own client, unmodified, to wherever the environment says.

So the simulator is shown to agree with somebody else than us.
"""

import os
import sys

from azure.identity import ClientSecretCredential
from azure.monitor.ingestion import LogsIngestionClient

endpoint = os.environ["ENDPOINT"]
credential = ClientSecretCredential(
    os.environ["TENANT_ID"],
    os.environ["CLIENT_ID"],
    os.environ["CLIENT_SECRET"],
    authority=endpoint,
    # Which asks Microsoft whether the authority is one of theirs.
    disable_instance_discovery=True,
)
rows = [
    {"TimeGenerated": "2026-11-23T12:00:00Z", "n": n, "text": f"row {n} " + "ä" * 300}
    for n in range(int(os.environ["ROWS"]))
]
failed = []
with LogsIngestionClient(endpoint, credential) as client:
    client.upload(os.environ["RULE_ID"], os.environ["STREAM"], rows, on_error=failed.append)
for failure in failed:
    print(failure.error, file=sys.stderr)
sys.exit(1 if failed else 0)
