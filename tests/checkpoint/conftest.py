"""The torch of the tests: files are written and read by it, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import clean, real_environment


class Torch:
    """torch 2.13.0 with safetensors beside it."""

    def __init__(self, environment: Path, needs: Sequence[Path]) -> None:
        self.python = environment / "bin/python"
        self.needs = needs

    def run(self, code: str, *arguments: object) -> Any:
        """Run code; return what its last line of output says in JSON."""
        path = os.pathsep.join(map(str, self.needs))
        done = subprocess.run(
            [str(self.python), "-W", "ignore", "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**clean(os.environ), "PYTHONPATH": path},
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def torch(torch_environment: Path) -> Torch:
    needs = real_environment(
        "filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions"
    )
    tools = real_environment("numpy==2.3.5", "safetensors==0.8.0")
    folders = [next(item.glob("lib/python3*/site-packages")) for item in (needs, tools)]
    return Torch(torch_environment, folders)
