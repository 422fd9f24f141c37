"""The compiled form of the start-up files, made by the interpreter that will read them.

Without it every start of a Python that may not write, or is told not to
(PYTHONDONTWRITEBYTECODE), compiles the first file anew, at ten times the cost of reading it.
Hash-checked, so that a copied tree with other times reads it too. Nothing is run here: `SNIPPET`
is for the target's `python -I -S -c`, `question` for its standard input, `answer` for what it
prints.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final

from legacy_doctor.errors import DoctorError

SNIPPET: Final = """\
import base64, importlib._bootstrap_external as external, importlib.util, json, sys
made = {}
for path, text in json.loads(sys.stdin.buffer.read().decode("ascii")).items():
    source = text.encode("utf-8")
    code = compile(source, path, "exec", dont_inherit=True)
    data = external._code_to_hash_pyc(code, importlib.util.source_hash(source), True)
    name = path.replace("\\\\", "/").rpartition("/")[2]
    cached = "__pycache__/" + name[:-3] + "." + sys.implementation.cache_tag + ".pyc"
    made[cached] = base64.b64encode(bytes(data)).decode("ascii")
sys.stdout.write(json.dumps(made))
"""


def question(files: Mapping[str, bytes], folder: str) -> str:
    """Return what the snippet is to read: the modules among `files`, as they will lie in `folder`.

    `sitecustomize.py` is left out: it may be somebody else's, and compiling it is Python's work.
    """
    return json.dumps(
        {
            f"{folder}/{name}": content.decode()
            for name, content in files.items()
            if name.endswith(".py") and name != "sitecustomize.py"
        }
    )


def answer(printed: str) -> dict[str, bytes]:
    """Return the compiled files, by their path relative to the folder."""
    try:
        made = json.loads(printed)
        return {path: base64.b64decode(text, validate=True) for path, text in made.items()}
    except (ValueError, AttributeError, TypeError, binascii.Error) as error:
        raise DoctorError(
            f"hook: the target's Python did not compile the start-up files: {printed[:100]!r}"
        ) from error
