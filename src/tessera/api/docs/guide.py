"""The guide, a site that the build of the package generates from docs/. Its pages load nothing from other hosts."""

import base64
import hashlib
import re
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

import tessera
from tessera.api.docs.contents import BuiltContents, Content, content_of, respond
from tessera.api.docs.pages import HEADERS, MEDIA_TYPES, POLICY
from tessera.api.http.errors import UnknownPath

# In a wheel, the site is part of the package; in a checkout, it is beside docs/.
PACKAGE = Path(tessera.__file__).parent
DIRECTORY = next(
    (path for path in (PACKAGE / "_guide", PACKAGE.parents[1] / "guide") if path.is_dir()), PACKAGE / "_guide"
)
TYPES = MEDIA_TYPES | {".png": "image/png"}
OTHER_TYPE = "text/plain"  # examples of scripts and of configuration files
NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Tessera</title>
<p>This checkout has no guide yet. The command <code>make docs</code> builds it.</p>
</html>
"""
# The search dialog of the documentation tool adds this style sheet to the page. Another version has another digest.
STYLE = "'sha256-NwSx/R2V/U4jnW0Tq5pQ53Y/rzPVJ4dqE7D6UTA/J1k='"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def install_guide(app: FastAPI, directory: Path = DIRECTORY) -> None:
    """Serve the site in this directory at `/guide/`; without a site, a page that says how to build it."""

    def file(name: str) -> tuple[Content, str]:
        body = (directory / name).read_bytes()
        return content_of(body), _policy(body)

    @app.get("/guide", include_in_schema=False)
    async def guide_without_slash() -> Response:
        return RedirectResponse("guide/")

    @app.get("/guide/{name:path}", include_in_schema=False)
    async def guide(request: Request, name: str) -> Response:
        if not names:
            return Response(NOT_BUILT, 404, media_type="text/html", headers=HEADERS)
        name = name or "index.html"
        if name not in names:
            raise UnknownPath
        content, policy = await files.get(name)
        headers = HEADERS | {"Content-Security-Policy": policy}
        return respond(request, content, TYPES.get(Path(name).suffix, OTHER_TYPE), headers)

    files = BuiltContents(file)
    # Only these names are read, so that no path leads out of the directory.
    names = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def _policy(page: bytes) -> str:
    """The policy of a page: it also runs the scripts within the page, each known by its digest."""
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    sources = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    policy = POLICY.replace("script-src 'self'", f"script-src 'self'{sources}")
    return policy.replace("style-src 'self'", f"style-src 'self' {STYLE}")
