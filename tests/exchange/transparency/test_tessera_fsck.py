"""Tessera's own fsck, which knows nothing of Haulproof, accepts the served and the exported log."""

import subprocess
from pathlib import Path

import pytest

from exchange.transparency.repository import append_leaves
from haulproof.__main__ import main
from tests.exchange.world import World
from tests.go_programs import build

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

_PACKAGE, _VERSION = "github.com/transparency-dev/tessera/cmd/fsck", "v1.0.4"
_FSCK_S_MAX = 120
_ACCEPTED = "Successfully fsck'd log with size"
"""What it says; its exit code is 0 whatever it finds."""


@pytest.fixture(scope="module")
def fsck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(_PACKAGE, _VERSION, tmp_path_factory.mktemp("go"))


def run(fsck: Path, url: str, key: Path) -> subprocess.CompletedProcess[str]:
    words = [f"--storage_url={url}", f"--public_key={key}", "--N=2", "--ui=false"]
    return subprocess.run(
        [str(fsck), *words], capture_output=True, text=True, timeout=_FSCK_S_MAX, check=False
    )


def test_served_exported_and_mirrored_log_are_accepted(
    world: World, fsck: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAULPROOF_DATABASE_URL", world.settings.database_url)
    key = tmp_path / "vkey"
    key.write_text(world.exchange.log_vkey)
    served = f"{str(world.http.base_url).rstrip('/')}/log"
    export = ["log", "export", str(tmp_path / "export"), "--dir", str(world.directory.root)]
    mirror = ["log", "mirror", served, str(tmp_path / "mirror"), "--log-key", key.read_text()]

    for count in (2, 253, 1, 70_000):
        with world.exchange.connection() as conn:
            append_leaves(conn, [(1, bytes([count % 256, n % 256]) * 16) for n in range(count)])
        size = world.publish()
        assert main(export) == main(mirror) == 0
        for url in (f"{served}/", f"file://{tmp_path}/export/", f"file://{tmp_path}/mirror/"):
            said = run(fsck, url, key).stderr
            assert f"{_ACCEPTED} {size}" in said, said


def test_it_would_have_found_damage(
    world: World, fsck: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAULPROOF_DATABASE_URL", world.settings.database_url)
    key = tmp_path / "vkey"
    key.write_text(world.exchange.log_vkey)
    with world.exchange.connection() as conn:
        append_leaves(conn, [(1, bytes([n % 256]) * 32) for n in range(600)])
    world.publish()
    folder = tmp_path / "export"
    assert main(["log", "export", str(folder), "--dir", str(world.directory.root)]) == 0
    tile = folder / "tile" / "0" / "001"
    tile.write_bytes(tile.read_bytes()[:-1] + b"?")

    assert _ACCEPTED not in run(fsck, f"file://{folder}/", key).stderr
