"""The OpenAPI document says what the server does, which a fuzzer checks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from moeclip_cli.inspection.result import COLUMNS
from moeclip_cli.inspection.verdicts import VERDICTS

TOKEN = "correct-horse-battery"
OPTIONS = [
    "--checks=all", "--phases=coverage,fuzzing", "--max-examples=10", "--no-color",
    "--generation-deterministic", "--warnings=off", "--suppress-health-check=all",
    # That bytes are a picture is nothing that a schema can say.
    "--exclude-checks=positive_data_acceptance",
]  # fmt: skip


@pytest.mark.slow
def test_no_request_gets_an_answer_that_the_document_lacks(live):
    pytest.importorskip("schemathesis")
    server = live(token=TOKEN)
    header = f"--header=Authorization: Bearer {TOKEN}"
    url = f"http://{server.host}:{server.port}/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", url, *OPTIONS, header]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.service.in_hand.requests == 0


def test_the_document_describes_every_column(live):
    document = live().get("/openapi.json").json
    result = document["components"]["schemas"]["Result"]
    assert result["required"] == [*COLUMNS, "boxes", "schema"]
    assert [*result["properties"]] == [*result["required"], "unsure_threshold"]
    assert result["properties"]["verdict"]["enum"] == [*VERDICTS, None]
    assert result["properties"]["score"]["type"] == ["number", "null"]
    assert "securitySchemes" not in document["components"]
    assert document["paths"]["/inspect"]["post"]["parameters"][0]["required"] is False
