"""Images of containers, which every installation should get alike."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_image_is_named_by_its_digest() -> None:
    images = [
        image
        for name in ("Dockerfile", "docker-compose.yml")
        for image in re.findall(r"(?:POSTGRES|PYTHON)_IMAGE(?:=|:-)([^\s}]+)", (ROOT / name).read_text())
    ]
    assert len(images) == 3
    assert [image for image in images if not re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)] == []
