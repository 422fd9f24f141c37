"""What `check` costs: beside `pip check`, py-cpuinfo and a bare interpreter."""

from __future__ import annotations

import compileall
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import Ratio, command, compare
from tests.conftest import ROOT, real_environment

# Real wheels, pure and native, small and large, as an environment collects them.
DISTRIBUTIONS = """
aiofiles aiohappyeyeballs aiohttp aiosignal alembic annotated-types anyio appdirs argcomplete
arrow asgiref asttokens async-timeout attrs autopep8 babel backoff bcrypt beautifulsoup4 black
bleach blinker boltons boto3 botocore cachecontrol cachetools cattrs certifi cffi chardet
charset-normalizer click cloudpickle colorama coloredlogs comm contourpy coverage croniter
cryptography cycler debugpy decorator defusedxml deprecated dill distlib distro django dnspython
docker docutils ecdsa email-validator et-xmlfile exceptiongroup executing fastapi fastjsonschema
filelock flask fonttools frozenlist fsspec gitdb gitpython google-auth greenlet h11 h2 hpack
html5lib httpcore httptools httpx huggingface-hub humanfriendly hyperframe idna imagesize
importlib-metadata iniconfig ipykernel ipython isodate isort itsdangerous jedi jinja2 jmespath
joblib jsonpatch jsonpointer jsonschema jsonschema-specifications jupyter-client jupyter-core
kiwisolver lark lxml mako markdown markdown-it-py markupsafe marshmallow matplotlib
matplotlib-inline mccabe mdurl mistune more-itertools mpmath msgpack multidict mypy
mypy-extensions nest-asyncio networkx numpy==2.3.5 oauthlib openpyxl orjson packaging pandas==2.3.3
paramiko parso pathspec pexpect pillow platformdirs pluggy prettytable prompt-toolkit propcache
protobuf psutil ptyprocess pure-eval pyasn1 pyasn1-modules pycodestyle pycparser pydantic
pydantic-core pyflakes pygments pyjwt pymongo pynacl pyopenssl pyparsing pytest python-dateutil
python-dotenv python-multipart pytz pyyaml pyzmq redis referencing regex requests
requests-oauthlib rich rpds-py rsa ruamel-yaml s3transfer safetensors scikit-learn scipy setuptools
shellingham six smmap sniffio snowballstemmer sortedcontainers soupsieve sphinx sqlalchemy
sqlparse stack-data starlette sympy tabulate tenacity termcolor threadpoolctl tokenizers tomlkit
tornado tqdm traitlets transformers typer typing-extensions tzdata ujson urllib3 uvicorn uvloop
virtualenv watchdog watchfiles wcwidth webencodings websocket-client websockets werkzeug wheel
wrapt xlsxwriter yarl zipp zstandard
""".split()


def run() -> Iterator[Ratio]:
    """Yield the ratios of the README."""
    environment = real_environment(*DISTRIBUTIONS, options=("--no-deps",))
    count = len(list(environment.glob("lib/python3*/site-packages/*.dist-info")))
    yield compare(
        f"check of {count} distributions : pip check",
        command(
            *(*doctor(), "check", "--python", str(environment), "--cpu", "phenom-ii"), codes=(0, 1)
        ),
        command(str(environment / "bin/python"), "-m", "pip", "check", codes=(0, 1)),
        bound=0.6,
        rounds=7,
    )
    yield _detection()
    yield compare(
        "legacy-doctor --version : python -c pass",
        command(*doctor(), "--version"),
        command(sys.executable, "-c", "pass"),
        bound=2.5,
        rounds=15,
    )


def doctor() -> tuple[str, ...]:
    """Return the installed command, or the module where it is run from a checkout.

    With its bytecode, as an installation leaves it.
    """
    compileall.compile_dir(ROOT / "legacy_doctor", quiet=2)
    script = Path(sys.executable).with_name("legacy-doctor")
    return (str(script),) if script.is_file() else (sys.executable, "-m", "legacy_doctor")


def _detection() -> Ratio:
    import cpuinfo

    from legacy_doctor.cpu import detect

    return compare(
        "CPU detection in the process : py-cpuinfo get_cpu_info()",
        detect.detect,
        cpuinfo.get_cpu_info,
        bound=1 / 50,
        rounds=3,
    )
