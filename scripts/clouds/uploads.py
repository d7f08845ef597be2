"""Uploads in parts, as S3 and Google Cloud Storage take them: for stubs that have checked the request."""

from __future__ import annotations

from clouds.http_server import Request, Response, part_of, xml_error


class Uploads:
    """Objects, and parts of those that are not complete."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.begun = 0

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
        if request.method == "POST":
            self.objects[request.path] = b"".join(parts[number] for number in sorted(parts))
            result = '<CompleteMultipartUploadResult><ETag>"all"</ETag></CompleteMultipartUploadResult>'
            return Response(200, result.encode(), xml)
        return Response(204)
