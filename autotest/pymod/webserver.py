"""A web server of a folder on 127.0.0.1 that answers as web servers do: 404, 403, 401 or a page for what is not there, no
HEAD, no ranges, a pause before each answer, a cookie that is wanted; and tells what it was asked for."""

import contextlib
import http.server
import os
import re
import threading
import time

PAGE = b"<!DOCTYPE html>\n<html><body>Our application starts here</body></html>"


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def serve(self):
        web = self.server.web
        with web.lock:
            web.asked.append((self.command, self.path))
        time.sleep(web.delay)
        if self.command == "HEAD" and web.absent == "no HEAD":
            return self.answer(405)
        if web.cuts and web.cuts in self.path and self.command == "GET":
            web.n_cut += 1
            if web.n_cut <= web.most_cut:
                return self.cut()
        path = self.translate_path(self.path)
        if web.refuses and web.refuses in self.path:
            return self.answer(403)
        if web.cookie and self.headers.get("Cookie") != web.cookie:
            return self.answer(401)
        if not os.path.isfile(path):
            if web.absent == "302" and not self.path.startswith("/index.html"):
                return self.answer(302, b"", [("Location", "/index.html")])
            if web.absent in ("page", "302"):
                return self.answer(200, PAGE, [("Content-Type", "text/html")])
            return self.answer(int(web.absent) if web.absent.isdigit() else 404)
        with open(path, "rb") as file:
            body = file.read()
        kind = [("Content-Type", self.guess_type(path))]  # workers of browsers take only what says that it is a script
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not part or web.absent == "no ranges":
            return self.answer(200, body, kind)
        first, last = int(part[1]), min(int(part[2] or len(body)), len(body) - 1)
        if first >= len(body):
            return self.answer(416)
        return self.answer(206, body[first:last + 1], kind + [("Content-Range", f"bytes {first}-{last}/{len(body)}")])

    do_GET = do_HEAD = serve

    def answer(self, code, body=b"", headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        """The connection ends within the body."""
        with open(self.translate_path(self.path), "rb") as file:
            body = file.read()
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2])
        self.close_connection = True


class Web:
    def __init__(self, folder):
        self.lock, self.asked, self.absent, self.delay, self.refuses = threading.Lock(), [], "404", 0, None
        self.cuts, self.n_cut, self.most_cut, self.cookie = None, 0, 0, None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a, **k: Handler(*a, directory=str(folder), **k))
        self.server.daemon_threads = True
        self.server.web = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def of_store(self, name):
        """What was asked for in the store, but not GDAL's looks at the folder itself and at side files."""
        return [(verb, path) for verb, path in self.asked if path.startswith(f"/{name}/")]


@contextlib.contextmanager
def serve(folder):
    web = Web(folder)
    try:
        yield web
    finally:
        web.server.shutdown()
        web.server.server_close()
