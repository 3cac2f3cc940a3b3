"""The files that runs of the mock leave behind: small, valid, and the same bytes every time."""

import hashlib
import io
import zipfile

from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import ArtifactStory

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
    "csv": "text/csv",
    "html": "text/html",
    "zip": "application/zip",
    "json": "application/json",
}
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def ending(file: ArtifactStory) -> str:
    """The ending of a file's name, which says what its bytes are: a model may come as "models.zip"."""
    return file.artifact_id.rsplit(".", 1)[-1].lower() if "." in file.artifact_id else file.format.lower()


def content(file: ArtifactStory, run_id: str) -> bytes:
    """The bytes of a file."""
    match ending(file):
        case "pdf":
            return _PDF
        case "svg":
            return (
                '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="60"><text x="10" y="35">'
                f"{file.name} ({run_id})</text></svg>\n"
            ).encode()
        case "csv":
            return b"case_id,activity,timestamp\n1,Register,2024-01-01T08:00:00Z\n1,Decide,2024-01-01T09:00:00Z\n"
        case "html":
            return f"<!doctype html><title>{file.name}</title><h1>{file.name}</h1><p>{run_id}</p>\n".encode()
        case "zip":
            return zipped({"README.txt": f"{file.name} of {run_id}\n".encode()})
    return f"{file.name} of {run_id}\n".encode()


def zipped(files: dict[str, bytes]) -> bytes:
    """One zip; no clock in it, so that it is the same every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 20, 0, 0, 0)), data)
    return out.getvalue()


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def download_path(tenant: str, project: str, run: Run, artifact_id: str) -> str:
    """Where the REST door serves a file, relative to the server's address."""
    return f"/api/{tenant}/{run.project_id or project}/runs/{run.run_id}/artifacts/{artifact_id}"
