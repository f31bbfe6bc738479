"""Object stores (S3, Azure) on 127.0.0.1, and a proxy in front of each that does to chosen requests what networks do. Everything
stays on the loopback interface; ports are chosen by the system when the sockets are bound, so that none can be lost."""

import contextlib
import http.client
import http.server
import os
import socket
import struct
import subprocess
import threading
import time

REASONS = {403: ("AccessDenied", "The provided token has expired."), 429: ("SlowDown", "Please reduce your request rate."),
           500: ("InternalError", "We encountered an internal error."), 503: ("ServiceUnavailable", "Please reduce your request rate."),
           404: ("NoSuchBucket", "The specified bucket does not exist")}


class Rule:
    """action for the requests number first to first + count - 1 (from 1) of a method ("READ": GET, HEAD, which also list) whose path
    ends with or contains part: an HTTP status, "bare 403" (without a body), "reset", "hang", "lost" (done, but the answer is not
    given), "cut" (half of the answer, then the end), "slow", or a function that is called before the request is done."""

    def __init__(self, action, method="PUT", first=1, count=1, part=""):
        self.action, self.method, self.first, self.count, self.part = action, method, first, count, part
        self.n_seen = self.n_done = 0
        self.is_met = threading.Event()

    def take(self, method, path):
        if (method != self.method and not (self.method == "READ" and method in ("GET", "HEAD"))) or self.part not in path:
            return None
        self.n_seen += 1
        if not self.first <= self.n_seen < self.first + self.count:
            return None
        self.n_done += 1
        self.is_met.set()
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
        if callable(action):
            action()
        if action == "bare 403":
            return self.answer(403)
        if isinstance(action, int):
            code, message = REASONS[action]
            text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return self.answer(action, text.encode(), [("Content-Type", "application/xml")])
        connection = http.client.HTTPConnection("127.0.0.1", proxy.behind, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        if headers.get("Authorization", "").startswith("GOOG1 "):  # moto takes what stands behind a slash for the name of a service
            headers["Authorization"] = headers["Authorization"].replace("/", "_")
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if action == "lost":
            return self.hang_up()
        if action == "cut" and text:
            return self.cut(response, text)
        if proxy.forbids_missing and response.status == 404 and self.command in ("GET", "HEAD"):
            code, message = REASONS[403]
            text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return self.answer(403, text.encode(), [("Content-Type", "application/xml")])
        self.answer(response.status, text, response.getheaders())

    def cut(self, response, text):
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[: len(text) // 2])
        self.wfile.flush()
        self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any


class Proxy:
    def __init__(self, behind):
        self.behind = behind
        self.lock = threading.Lock()
        self.rules, self.requests = [], []
        self.forbids_missing = False  # as S3 for those who may not list
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


class S3:
    """A bucket of an S3 server, a proxy before it, a boto3 client that goes past the proxy, and GDAL's options."""

    root = "/vsis3/bucket"
    look = "GET"  # how GDAL finds out whether there is an object

    def __init__(self, port, key="a", secret="canary-secret"):
        import boto3

        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
        self.port, self.key, self.secret = port, key, secret
        self.client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                                   aws_access_key_id=key, aws_secret_access_key=secret)
        with contextlib.suppress(self.client.exceptions.BucketAlreadyOwnedByYou):  # by another process of pytest
            self.client.create_bucket(Bucket="bucket")
        self.proxy = Proxy(port)

    def options(self, through_proxy=True):
        port = self.proxy.port if through_proxy else self.port
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": "us-east-1",
                "AWS_S3_ENDPOINT": f"127.0.0.1:{port}", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"}

    def entries(self, prefix):
        more = {}
        while True:
            page = self.client.list_objects_v2(Bucket="bucket", Prefix=prefix, **more)
            yield from page.get("Contents", [])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def sizes(self, prefix):
        return {entry["Key"][len(prefix):]: entry["Size"] for entry in self.entries(prefix)}

    def objects(self, prefix):
        """Key below the prefix -> bytes."""
        return {key: self.client.get_object(Bucket="bucket", Key=prefix + key)["Body"].read() for key in self.sizes(prefix)}

    def put(self, key, body):
        self.client.put_object(Bucket="bucket", Key=key, Body=body)

    def delete(self, key):
        self.client.delete_object(Bucket="bucket", Key=key)

    def uploads(self):
        """What was begun and neither ended nor given up."""
        import botocore.exceptions

        try:
            return self.client.list_multipart_uploads(Bucket="bucket").get("Uploads", [])
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "NotImplemented":  # s3rver has none
                return []
            raise

    def tensorstore(self, path, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", self.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", self.secret)
        return {"driver": "s3", "bucket": "bucket", "path": path, "endpoint": f"http://127.0.0.1:{self.port}", "aws_region": "us-east-1"}

    def close(self):
        self.proxy.close()


class Moto(S3):
    def __init__(self):
        from moto.server import ThreadedMotoServer

        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self.moto.start()
        super().__init__(self.moto.get_host_and_port()[1])

    def close(self):
        super().close()
        self.moto.stop()


class Azurite:
    """The same on Azure Blob Storage, as azurite has it; Microsoft's Python client looks at the container."""

    root = "/vsiaz/bucket"
    look = "HEAD"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # azurite's, for everybody

    def __init__(self, program):
        from azure.storage.blob import BlobServiceClient

        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
        self.server = subprocess.Popen([program, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry",
                                        "--skipApiVersionCheck", "--silent"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for line in self.server.stdout:
            if "listen" in line and "http://" in line:
                break
        self.port = int(line.rsplit(":", 1)[1])
        threading.Thread(target=self.server.stdout.read, daemon=True).start()
        self.service = BlobServiceClient.from_connection_string(self.connection(self.port))
        self.client = self.service.create_container("bucket", public_access="container")
        self.proxy = Proxy(self.port)

    def connection(self, port):
        return (f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={self.key};"
                f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;")

    def options(self, through_proxy=True):
        return {"AZURE_STORAGE_CONNECTION_STRING": self.connection(self.proxy.port if through_proxy else self.port)}

    def sizes(self, prefix):
        return {blob.name[len(prefix):]: blob.size for blob in self.client.list_blobs(name_starts_with=prefix)}

    def objects(self, prefix):
        return {key: self.client.download_blob(prefix + key).readall() for key in self.sizes(prefix)}

    def put(self, key, body):
        self.client.upload_blob(key, body, overwrite=True)

    def delete(self, key):
        from azure.core.exceptions import ResourceNotFoundError

        with contextlib.suppress(ResourceNotFoundError):
            self.client.delete_blob(key)

    def uploads(self):
        return [blob.name for blob in self.client.list_blobs(include=["uncommittedblobs"]) if blob.etag is None]

    def tensorstore(self, path, monkeypatch):
        return {"driver": "http", "base_url": f"http://127.0.0.1:{self.port}/devstoreaccount1/bucket/{path}"}

    def close(self):
        self.proxy.close()
        self.service.close()
        self.server.terminate()
        self.server.wait()
        self.server.stdout.close()
