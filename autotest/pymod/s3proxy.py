"""An S3 server (moto) on 127.0.0.1, and a proxy in front of it that does to chosen requests what networks do. Everything
stays on the loopback interface; ports are chosen by the system when the sockets are bound, so that none can be lost."""

import contextlib
import http.client
import http.server
import os
import socket
import struct
import threading
import time

REASONS = {403: ("AccessDenied", "The provided token has expired."), 429: ("SlowDown", "Please reduce your request rate."),
           500: ("InternalError", "We encountered an internal error."), 503: ("ServiceUnavailable", "Please reduce your request rate."),
           404: ("NoSuchBucket", "The specified bucket does not exist")}


class Rule:
    """action for the requests number first to first + count - 1 (from 1) of a method whose path ends with or contains
    part: an HTTP status, "bare 403" (without a body), "reset", "hang", "lost" (done, but the answer is not given), "slow"."""

    def __init__(self, action, method="PUT", first=1, count=1, part=""):
        self.action, self.method, self.first, self.count, self.part = action, method, first, count, part
        self.n_seen = self.n_done = 0

    def take(self, method, path):
        if method != self.method or self.part not in path:
            return None
        self.n_seen += 1
        if not self.first <= self.n_seen < self.first + self.count:
            return None
        self.n_done += 1
        return self.action


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"", headers=()):
        self.send_response(code)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        length = dict((name.lower(), value) for name, value in headers).get("content-length")
        self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.close()

    def handle_any(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = None
        with proxy.lock:
            proxy.requests.append((self.command, self.path))
            for rule in proxy.rules:
                action = action or rule.take(self.command, self.path)
        if action == "reset":
            return self.hang_up()
        if action == "hang":
            proxy.stop.wait(60)
            return self.hang_up()
        if action == "slow":
            time.sleep(0.3)
        if action == "bare 403":
            return self.answer(403)
        if isinstance(action, int):
            code, message = REASONS[action]
            text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return self.answer(action, text.encode(), [("Content-Type", "application/xml")])
        connection = http.client.HTTPConnection("127.0.0.1", proxy.behind, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if action == "lost":
            return self.hang_up()
        self.answer(response.status, text, response.getheaders())

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any


class Proxy:
    def __init__(self, behind):
        self.behind = behind
        self.lock = threading.Lock()
        self.rules, self.requests = [], []
        self.stop = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.proxy = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @contextlib.contextmanager
    def rule(self, *arguments, **named):
        rule = Rule(*arguments, **named)
        with self.lock:
            self.rules.append(rule)
        try:
            yield rule
        finally:
            with self.lock:
                self.rules.remove(rule)

    def count(self, method):
        with self.lock:
            return sum(1 for m, _ in self.requests if m == method)

    def close(self):
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()


class Servers:
    """moto with a bucket, the proxy, a boto3 client that goes past the proxy, and GDAL's options."""

    def __init__(self):
        import boto3
        from moto.server import ThreadedMotoServer

        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self.moto.start()
        self.port = self.moto.get_host_and_port()[1]
        self.client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.port}", region_name="us-east-1",
                                   aws_access_key_id="a", aws_secret_access_key="b")
        self.client.create_bucket(Bucket="bucket")
        self.proxy = Proxy(self.port)

    def options(self, through_proxy=True):
        port = self.proxy.port if through_proxy else self.port
        return {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "canary-secret", "AWS_REGION": "us-east-1",
                "AWS_S3_ENDPOINT": f"127.0.0.1:{port}", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"}

    def objects(self, prefix):
        """Key below the prefix -> bytes."""
        found, more = {}, {}
        while True:
            page = self.client.list_objects_v2(Bucket="bucket", Prefix=prefix, **more)
            for entry in page.get("Contents", []):
                body = self.client.get_object(Bucket="bucket", Key=entry["Key"])["Body"].read()
                found[entry["Key"][len(prefix):]] = body
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def uploads(self):
        return self.client.list_multipart_uploads(Bucket="bucket").get("Uploads", [])

    def close(self):
        self.proxy.close()
        self.moto.stop()
