"""An S3 server for the tests: one that is named, Ceph's gateway where it was fetched, else moto's mock."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).parents[2]
GATEWAY = Path(__file__).with_name("radosgw.sh")
RCLONE = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
BUCKET = "phonanchor"
KEY, SECRET = "tests", "secret-of-tests"


@dataclass(frozen=True)
class Server:
    """A running server; ``real`` says whether it decides conditional puts as Amazon's does."""

    endpoint: str
    real: bool
    key: str = KEY
    secret: str = SECRET

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
        }


def free_port() -> int:
    """A port with a free one behind it, for the gateway's monitor."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def wait_for(port: int, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nothing listens on port {port}"
            time.sleep(0.1)


@contextmanager
def serving(*command: str, port: int) -> Iterator[str]:
    """Run a server until the end; yield its endpoint."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def make_bucket(server: Server) -> None:
    assert RCLONE, "rclone is part of the test extra"
    keys = ("--s3-access-key-id", server.key, "--s3-secret-access-key", server.secret)
    where = ("--s3-endpoint", server.endpoint, "--s3-region", "us-east-1", "--s3-force-path-style")
    kind = ("--s3-provider", "Other", "--config", os.devnull)
    subprocess.run([RCLONE, "mkdir", f":s3:{BUCKET}", *keys, *where, *kind], check=True, capture_output=True)


@contextmanager
def gateway(folder: Path) -> Iterator[Server]:
    port = free_port()
    run = subprocess.run(
        [GATEWAY, "start", folder, str(port), KEY, SECRET], capture_output=True, text=True, check=False
    )
    try:
        assert run.returncode == 0, run.stderr[-2000:]
        wait_for(port)
        yield Server(f"http://127.0.0.1:{port}", real=True)
    finally:
        subprocess.run([GATEWAY, "stop", folder], check=False)


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    named = os.environ.get("PHONANCHOR_TEST_S3")
    if named:
        yield Server(named, True, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        return
    if (ROOT / "build" / "radosgw").is_dir():
        with gateway(tmp_path_factory.mktemp("radosgw")) as found:
            make_bucket(found)
            yield found
        return
    port = free_port()
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    with serving(*command, port=port) as endpoint:
        found = Server(endpoint, real=False)
        make_bucket(found)
        yield found


@pytest.fixture
def real_server(server: Server) -> Server:
    if not server.real:
        pytest.skip(
            "moto is a mock: its conditional puts are no test; 'make s3-server' fetches a real server"
        )
    return server


@pytest.fixture
def uri(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address for a store that no other test uses."""
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}/features of {BUCKET}"
