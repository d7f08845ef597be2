"""Uploads in parts, as S3 and Google Cloud Storage take them: for stubs that have checked the request."""

from __future__ import annotations

import re

from clouds.http_server import Request, Response, part_of, xml_error

# Of all parts of an upload but the last one.
LEAST_PART = 5 << 20


class Uploads:
    """Objects, and parts of those that are not complete."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.begun = 0

    def complete(self, path: str, data: bytes) -> str:
        """Stores a complete object; returns its ETag."""
        self.objects[path] = data
        return "all"

    def respond(self, request: Request) -> Response | None:
        """Responds to a request of an upload, or for an object that was uploaded; None for others."""
        upload, xml = request.query.get("uploadId"), [("Content-Type", "application/xml")]
        if request.method == "POST" and "uploads" in request.query:
            self.begun += 1
            self.parts[f"upload-{self.begun}"] = {}
            name = f"<UploadId>upload-{self.begun}</UploadId>"
            return Response(200, f"<InitiateMultipartUploadResult>{name}</InitiateMultipartUploadResult>".encode(), xml)
        if upload is None:
            if request.method in ("GET", "HEAD") and request.path in self.objects:
                return part_of(self.objects[request.path], request)
            return None
        if upload not in self.parts:
            return xml_error(404, "NoSuchUpload")
        if request.method == "PUT":
            number = int(request.query["partNumber"])
            self.parts[upload][number] = request.body
            return Response(200, b"", [("ETag", f'"{number}"')])
        parts = self.parts.pop(upload)
        if request.method != "POST":
            return Response(204)
        *others, _ = numbers = sorted(parts)
        listed = re.findall(rb"<Part>(.*?)</Part>", request.body)
        if listed != [b'<ETag>"%d"</ETag><PartNumber>%d</PartNumber>' % (number, number) for number in numbers]:
            return xml_error(400, "InvalidPart")
        if any(len(parts[number]) < LEAST_PART for number in others):
            return xml_error(400, "EntityTooSmall")
        tag = self.complete(request.path, b"".join(parts[number] for number in numbers))
        result = f'<CompleteMultipartUploadResult><ETag>"{tag}"</ETag></CompleteMultipartUploadResult>'
        return Response(200, result.encode(), xml)
