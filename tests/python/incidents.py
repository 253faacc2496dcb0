"""Reads and writes Sentinel incidents with Microsoft's own client, unmodified, wherever the environment says.

So the simulator is shown to agree with somebody else than us.
"""

import os
import uuid

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import (
    Incident,
    IncidentComment,
    IncidentLabel,
    IncidentOwnerInfo,
)

endpoint = os.environ["ENDPOINT"]
credential = ClientSecretCredential(
    os.environ["TENANT_ID"],
    os.environ["CLIENT_ID"],
    os.environ["CLIENT_SECRET"],
    authority=endpoint,
    # Which asks Microsoft whether the authority is one of theirs.
    disable_instance_discovery=True,
)
place = (os.environ["RESOURCE_GROUP"], os.environ["WORKSPACE"])
owner = os.environ["OWNER"]
expected = int(os.environ["INCIDENTS"])


def refused(call, *arguments):
    try:
        call(*place, *arguments)
    except HttpResponseError as error:
        return error
    raise AssertionError("it was not refused")


with SecurityInsights(credential, os.environ["SUBSCRIPTION"], base_url=endpoint) as client:
    incidents, comments = client.incidents, client.incident_comments

    # Pages: as large as they come, by a number, and with a filter whose link has spaces and quotes in it.
    everything = [incident.name for incident in incidents.list(*place)]
    assert len(everything) == len(set(everything)) == expected, len(everything)
    ordered = list(
        incidents.list(
            *place,
            filter="properties/status eq 'New' and properties/createdTimeUtc ge 2020-01-01T00:00:00Z",
            orderby="properties/lastModifiedTimeUtc asc",
            top=7,
        )
    )
    assert sorted(one.name for one in ordered) == sorted(everything)
    numbers = [one.incident_number for one in ordered]
    assert numbers == sorted(numbers), numbers

    # One that is created, changed, and refused.
    name = str(uuid.uuid4())
    assert isinstance(refused(incidents.get, name), ResourceNotFoundError)
    created = incidents.create_or_update(
        *place,
        name,
        Incident(title="Made in Python", severity="High", status="New", labels=[IncidentLabel(label_name="sync")]),
    )
    assert created.name == name and created.labels[0].label_type == "User", created
    read = incidents.get(*place, name)
    stale = read.etag
    read.status = "Active"
    read.owner = IncidentOwnerInfo(user_principal_name=owner)
    changed = incidents.create_or_update(*place, name, read)
    assert (changed.status, changed.owner.email) == ("Active", owner), changed
    assert changed.owner.object_id and changed.etag != stale
    assert changed.last_modified_time_utc > created.last_modified_time_utc
    read.etag = stale
    conflict = refused(incidents.create_or_update, name, read)
    assert conflict.status_code == 409, conflict
    assert "exists. Data was not saved." in conflict.message, conflict.message
    changed.status = "Closed"
    assert refused(incidents.create_or_update, name, changed).status_code == 400
    changed.classification, changed.classification_reason = "FalsePositive", "InaccurateData"
    closed = incidents.create_or_update(*place, name, changed)
    assert closed.classification_reason == "InaccurateData", closed

    # Comments.
    texts = [f"Comment {number}" for number in range(60)]
    for text in texts:
        comments.create_or_update(*place, name, str(uuid.uuid4()), IncidentComment(message=text))
    listed = list(comments.list(*place, name))
    assert sorted(one.message for one in listed) == sorted(texts)
    first = listed[0]
    again = comments.create_or_update(*place, name, first.name, IncidentComment(message="Edited"))
    assert (again.message, again.author.name) == ("Edited", os.environ["CLIENT_NAME"]), again
    comments.delete(*place, name, first.name)
    assert incidents.get(*place, name).additional_data.comments_count == len(texts) - 1
    incidents.delete(*place, name)
    incidents.delete(*place, name)
    assert len(list(incidents.list(*place))) == expected
