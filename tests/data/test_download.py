from __future__ import annotations

import gzip
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kseq.data import download
from kseq.data.catalogue import PublicSet, RemoteFile
from kseq.errors import DataError

CONTENT = b"time,load\n" + b"1,0.5\n" * 30_000


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT at /o/r/x.csv in the way that the test has chosen."""

    behaviour = "good"
    asked: list[str]
    release: threading.Event

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.behaviour == "missing":
            self.send_error(404)
            return
        if self.behaviour in ("to file", "to ftp"):
            self.send_response(302)
            where = "file:///etc/hosts" if self.behaviour == "to file" else "ftp://127.0.0.1/x"
            self.send_header("Location", where)
            self.end_headers()
            return
        if self.behaviour == "rude":
            self.wfile.write(b"no http\r\n\r\n")
            return
        body = CONTENT
        if self.behaviour == "changed":
            body = CONTENT.replace(b"0.5", b"0.6")
        elif self.behaviour == "longer":
            body = CONTENT * 2
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.behaviour == "stalled":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.release.wait(10)
        elif self.behaviour == "cut off":
            self.wfile.write(body[:70_000])
        else:
            try:
                self.wfile.write(body)
            except OSError:  # the client hangs up on a body that is too long
                self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[type[Server], str]]:
    handler = type("Handler", (Server,), {"asked": [], "release": threading.Event()})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield handler, f"http://127.0.0.1:{http.server_port}"
    finally:
        handler.release.set()
        http.shutdown()
        thread.join()
        http.server_close()


def one_set(path: str = "tiny/x.csv.gz", url: str = "https://example.org/o/r/x.csv") -> PublicSet:
    file = RemoteFile(
        path=path, url=url, sha256=hashlib.sha256(CONTENT).hexdigest(), bytes=len(CONTENT)
    )
    return PublicSet(
        name="tiny", title="A tiny set", task="forecasting", licence="CC0 1.0",
        citation="Nobody", source="https://example.org", files=(file,),
    )  # fmt: skip


def in_pieces(made: bytes) -> PublicSet:
    """A set of one file, `made` of the names in Czech.txt and Greek.txt."""
    url = "https://example.org/o/r/"
    pieces = [
        RemoteFile(
            path=f"tiny/{name}",
            url=url + name,
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            bytes=len(CONTENT),
        )
        for name in ("Czech.txt", "Greek.txt")
    ]
    file = RemoteFile(
        path="tiny/names.tsv.gz",
        url=url,
        sha256=hashlib.sha256(made).hexdigest(),
        bytes=len(made),
        made="names",
        pieces=tuple(pieces),
    )
    return replace(one_set(), files=(file,))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of one set of one file."""
    monkeypatch.setattr(download, "find", lambda name: one_set())
    monkeypatch.delenv("KSEQ_DATA_MIRROR", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def left_behind(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_good_file_is_checked_packed_and_stored_with_its_licence(tmp_path, tiny, server):
    handler, mirror = server
    seen: list[tuple[str, int, int]] = []
    (path,) = download.get(
        "tiny", tmp_path, mirror=mirror, progress=lambda *step: seen.append(step)
    )
    assert path == tmp_path / "tiny/x.csv.gz"
    assert gzip.decompress(path.read_bytes()) == CONTENT
    assert handler.asked == ["/o/r/x.csv"]
    assert seen[-1] == ("tiny/x.csv.gz", len(CONTENT), len(CONTENT))
    assert left_behind(tmp_path) == ["tiny/LICENCE.txt", "tiny/x.csv.gz"]
    note = (path.parent / "LICENCE.txt").read_text()
    assert "CC0 1.0" in note
    assert "https://example.org/o/r/x.csv" in note


def test_a_file_in_pieces_is_put_together(tmp_path, tiny, server, monkeypatch):
    handler, mirror = server
    made = b"".join(
        line + b"\t" + language + b"\n"
        for language in (b"Czech", b"Greek")
        for line in CONTENT.splitlines()
    )
    monkeypatch.setattr(download, "find", lambda name: in_pieces(made))
    (path,) = download.get("tiny", tmp_path, mirror=mirror)
    assert gzip.decompress(path.read_bytes()) == made
    assert handler.asked == ["/o/r/Czech.txt", "/o/r/Greek.txt"]
    assert "https://example.org/o/r/Greek.txt" in (path.parent / "LICENCE.txt").read_text()
    download.get("tiny", tmp_path, mirror=mirror)
    assert len(handler.asked) == 2
    for behaviour, expected in (("changed", made), ("good", b"other")):
        handler.behaviour = behaviour
        monkeypatch.setattr(download, "find", lambda name, made=expected: in_pieces(made))
        with pytest.raises(DataError, match=r"not (the file that|what) the catalogue describes"):
            download.get("tiny", tmp_path / "b", mirror=mirror)
        assert left_behind(tmp_path / "b") == []


def test_the_stored_bytes_are_the_same_everywhere(tmp_path, tiny, server):
    _, mirror = server
    stored = []
    for name in ("a", "b"):
        (path,) = download.get("tiny", tmp_path / name, mirror=mirror)
        stored.append(path.read_bytes())
    assert stored[0] == stored[1]
    assert stored[0][4:8] == b"\0\0\0\0"  # no time in the gzip header
    assert stored[0][3] & 8 == 0  # no name either


def test_a_whole_file_is_left_alone_and_a_damaged_one_replaced(tmp_path, tiny, server, monkeypatch):
    handler, mirror = server
    monkeypatch.setenv("KSEQ_DATA_MIRROR", mirror + "/")
    monkeypatch.setenv("KSEQ_DATA_HOME", str(tmp_path))
    (path,) = download.get("tiny")
    download.get("tiny")
    assert len(handler.asked) == 1
    path.write_bytes(path.read_bytes()[:-20])
    download.get("tiny")
    assert len(handler.asked) == 2
    assert gzip.decompress(path.read_bytes()) == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (
            "changed",
            r"(?s)not the file .* sha256 expected [0-9a-f]{64}\n  sha256 received [0-9a-f]",
        ),
        ("cut off", rf"got 70000 of {len(CONTENT)} bytes|broke after \d+ of {len(CONTENT)} bytes"),
        ("longer", f"more than the {len(CONTENT)} bytes"),
        ("missing", "the server answers 404"),
        ("stalled", r"127\.0\.0\.1:\d+ has sent nothing for 0\.3 s after \d+ of"),
        ("to file", "the server answers 302"),
        ("to ftp", "unknown url type: ftp"),
        ("rude", "BadStatusLine"),
    ],
)
def test_a_bad_transfer_is_an_error_and_leaves_nothing(tmp_path, tiny, server, behaviour, message):
    handler, mirror = server
    handler.behaviour = behaviour
    begun = time.monotonic()
    with pytest.raises(DataError, match=message):
        download.get("tiny", tmp_path, mirror=mirror, timeout=0.3)
    assert time.monotonic() - begun < 5
    assert left_behind(tmp_path) == []


def test_a_bad_transfer_leaves_the_file_that_was_there(tmp_path, tiny, server):
    handler, mirror = server
    handler.behaviour = "changed"
    old = tmp_path / "tiny/x.csv.gz"
    old.parent.mkdir()
    old.write_bytes(b"mine")
    with pytest.raises(DataError):
        download.get("tiny", tmp_path, mirror=mirror)
    assert old.read_bytes() == b"mine"
    assert left_behind(tmp_path) == ["tiny/x.csv.gz"]


def test_a_server_that_is_not_there_is_named_with_the_reason(tmp_path, tiny):
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DataError, match=r"127\.0\.0\.1:\d+ cannot be reached: .*refused"):
            download.get("tiny", tmp_path, mirror=mirror)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://host/x", "/etc", "http:///x"])
def test_only_the_web_is_asked(tmp_path, tiny, mirror):
    with pytest.raises(DataError, match="expected a URL that begins with https://"):
        download.get("tiny", tmp_path, mirror=mirror)


@pytest.mark.parametrize("path", ["../x.csv", "tiny/../../x.csv", "/etc/x.csv", "tiny/.."])
def test_nothing_is_stored_outside_of_the_home(tmp_path, monkeypatch, path):
    monkeypatch.setattr(download, "find", lambda name: one_set(path=path))
    with pytest.raises(DataError, match="outside of the data home"):
        download.get("tiny", tmp_path / "home", mirror="http://127.0.0.1:9")


def test_an_unknown_name_is_an_error(tmp_path):
    with pytest.raises(DataError, match="did you mean 'etth1'"):
        download.get("etth", tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, tiny, server):
    _, mirror = server
    (tmp_path / "tiny").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written: .*KSEQ_DATA_HOME"):
        download.get("tiny", tmp_path, mirror=mirror)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a full disk")
def test_a_full_disk_is_an_error(tmp_path, tiny, server, monkeypatch):
    _, mirror = server
    opened = Path.open

    def full(self, mode="r", *args, **kwargs):
        return opened(Path("/dev/full"), "wb") if mode == "xb" else opened(self, mode, *args)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataError, match="cannot be written: No space left"):
        download.get("tiny", tmp_path, mirror=mirror)
    assert left_behind(tmp_path) == []
