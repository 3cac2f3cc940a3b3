"""The same over REST, with the standard library: polls, waits as long as the server asks for, and tries again when it
is busy.
"""

import json
import time
import urllib.error
import urllib.request
from typing import Any


class Nightly:
    """`base_url` is the server's, "http://host:port"."""

    def __init__(self, base_url: str, tenant_id: str, project_id: str) -> None:
        self._base = f"{base_url}/api/{tenant_id}/{project_id}"

    def start(self, dataset_id: str) -> str:
        """Starts an analysis of a dataset."""
        body = {
            "operationType": "ProcessMiningAnalysis",
            "operationName": "Nightly analysis",
            "parameters": {"datasetId": dataset_id},
        }
        return str(self.call("POST", "/async/operation", body)["operationId"])

    def wait(self, operation_id: str) -> list[str]:
        """Every status on the way to the end."""
        seen: list[str] = []
        while not seen or seen[-1] in ("Initiated", "Running"):
            seen.append(str(self.call("GET", f"/async/operation/{operation_id}")["status"]))
        return seen

    def results(self, operation_id: str) -> dict[str, Any]:
        """What the operation produced."""
        return self.call("GET", f"/async/operation/{operation_id}/results")

    def call(self, verb: str, path: str, body: dict[str, Any] | None = None, tries: int = 5) -> dict[str, Any]:
        """Any call; a server that is too busy is asked again. Raises HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  # the address is the caller's own
            f"{self._base}{path}", data, {"content-type": "application/json"}, method=verb
        )
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or tries <= 1:
                raise
            # The mock says 0, so that tests of patient clients do not wait.
            time.sleep(float(error.headers["retry-after"]))  # noqa: TID251  # who is told to wait, waits
            return self.call(verb, path, body, tries - 1)
