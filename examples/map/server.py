"""Serves the scenes of an index as a web map: python server.py INDEX.parquet --band B04. See README.md."""

import argparse
import functools
import http.server
import json
import mimetypes
import os
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
LIBRARY = HERE / "node_modules" / "maplibre-gl" / "dist"
FILES = {"/": HERE / "index.html", "/map.js": HERE / "map.js"}
FILES |= {f"/{name}": LIBRARY / name for name in ("maplibre-gl.mjs", "maplibre-gl-worker.mjs", "maplibre-gl.css")}
TILE = "SELECT tile($1, $2, $3, $4)"
SCENES = "SELECT scene, id, box FROM scenes ORDER BY scene"
mimetypes.add_type("text/javascript", ".mjs")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the page, /scenes.json and /tiles/Z/X/Y.png, with status 204 outside of all scenes."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *words, database, style):
        self.database, self.style = database, style
        super().__init__(*words)

    def do_GET(self):
        path = self.path.partition("?")[0]
        try:
            if path.startswith("/tiles/"):
                z, x, y = (int(word) for word in path.removeprefix("/tiles/").removesuffix(".png").split("/"))
                (png,) = self.database.cursor().execute(TILE, [z, x, y, self.style]).fetchone()
                self.respond(200 if png else 204, "image/png", png or b"")
            elif path == "/scenes.json":
                rows = self.database.cursor().execute(SCENES).fetchall()
                scenes = [{"scene": scene, "id": name, "bounds": list(box.values())} for scene, name, box in rows]
                self.respond(200, "application/json", json.dumps(scenes).encode())
            else:
                self.respond(200, mimetypes.guess_type(FILES[path])[0], FILES[path].read_bytes())
        except KeyError:
            self.respond(404, "text/plain", b"not found")
        except (ValueError, duckdb.Error) as error:
            self.respond(400, "text/plain", str(error).encode())

    def respond(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index", help="an index of rasteret_enrich: a Parquet file or a glob")
    parser.add_argument("--band", required=True, help="asset to draw")
    parser.add_argument("--range", nargs=2, type=float, default=(0, 3000), help="values of the first and last colour")
    parser.add_argument("--colormap", default="viridis")
    parser.add_argument("--port", type=int, default=8000, help="0 for any")
    args = parser.parse_args()
    database = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    database.execute(f"LOAD '{os.environ['RASTERET_EXTENSION']}'")
    band, metadata = (f'"{name}"' for name in (args.band, f"{args.band}_metadata"))
    database.execute("SET VARIABLE index = ?", [args.index])
    database.execute((HERE / "scenes.sql").read_text().format(band=band, metadata=metadata))
    style = {"range": list(args.range), "colormap": args.colormap}
    handler = functools.partial(Handler, database=database, style=style)
    with http.server.ThreadingHTTPServer(("127.0.0.1", args.port), handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
