"""Builds the guide from docs/ for wheels, which contain it, and for editable installations."""

import subprocess
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GuideBuildHook(BuildHookInterface[Any]):
    """Runs the documentation tool before the files of the package are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the site; a failure fails the build of the package."""
        subprocess.run([sys.executable, "-m", "zensical", "build"], cwd=self.root, stdout=sys.stderr, check=True)
        if version != "editable":
            build_data["force_include"][f"{self.root}/guide"] = "tessera/_guide"
