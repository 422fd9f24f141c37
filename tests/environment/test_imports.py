"""What to import of a distribution, told by the paths of its RECORD."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.environment.imports import import_names
from legacy_doctor.model import Distribution, RecordedFile

TAG = "cpython-311-x86_64-linux-gnu"
ROOT = Path("/target/lib/python3.11/site-packages")


def names(*paths: str, name: str = "demo") -> tuple[str, ...]:
    """What one imports of a distribution with these files."""
    return import_names(
        Distribution(
            name=name,
            version="1",
            root=ROOT,
            info=ROOT / "demo-1.dist-info",
            files=tuple(RecordedFile(path, None, None) for path in paths),
        )
    )


CASES: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "a package with native code": (
        ["demo/__init__.py", f"demo/fast.{TAG}.so", "demo-1.dist-info/RECORD"],
        ("demo",),
    ),
    "native code deep in a package": (
        ["demo/__init__.py", "demo/a/b/fast.abi3.so"],
        ("demo",),
    ),
    "a package that is itself compiled": ([f"demo/__init__.{TAG}.so"], ("demo",)),
    "an extension module for one Python": ([f"orjson.{TAG}.so"], ("orjson",)),
    "an extension module for the stable ABI": (["hnswlib.abi3.so"], ("hnswlib",)),
    "an extension module without a tag": (["fast.so"], ("fast",)),
    "an extension module for PyPy": (["fast.pypy39-pp73-x86_64-linux-gnu.so"], ("fast",)),
    "an extension module whose name begins with lib": ([f"librt.{TAG}.so"], ("librt",)),
    "a library is no module": (["libfast.so", "libfast.so.3"], ()),
    "bundled libraries beside the package": (
        ["demo/__init__.py", "demo.libs/libgomp-a34b3233.so.1.0.0", "demo.libs/x.so"],
        ("demo",),
    ),
    "several, all with native code": (
        ["pymongo/__init__.py", "pymongo/a.so", "bson/__init__.py", "bson/b.so"],
        ("bson", "pymongo"),
    ),
    "what is pure Python beside native code is left alone": (
        ["demo/__init__.py", "demo/a.so", "demod/__init__.py", "pylab.py"],
        ("demo",),
    ),
    "a module beside its package": (
        ["mmh3/__init__.pyi", f"mmh3.{TAG}.so"],
        ("mmh3",),
    ),
    "a public package with a private extension module": (
        ["yaml/__init__.py", "_yaml/__init__.py", f"_yaml/_yaml.{TAG}.so"],
        ("yaml",),
    ),
    "a plain module with a private extension module": (
        ["webrtcvad.py", f"_webrtcvad.{TAG}.so"],
        ("webrtcvad",),
    ),
    "a plain module with private native data": (
        ["soundfile.py", "_soundfile.py", "_soundfile_data/__init__.py", "_soundfile_data/a.so"],
        ("soundfile",),
    ),
    "nothing but private names": (["_libvips.abi3.so"], ("_libvips",)),
    "nothing but a private package": (
        ["_polars_runtime_32/__init__.py", "_polars_runtime_32/_polars_runtime.abi3.so"],
        ("_polars_runtime_32",),
    ),
    "nothing but a private plain module": (["_demo.py"], ("_demo",)),
    "what mypyc calls its own": (
        ["black/__init__.py", f"black/a.{TAG}.so", f"fd7dcdb10166ebd4db98__mypyc.{TAG}.so"],
        ("black",),
    ),
    "what mypyc calls its own, with a digit first": (
        ["black/__init__.py", f"85cae5375ceb5d1ca6c6__mypyc.{TAG}.so"],
        ("black",),
    ),
    "tests and documents that came along": (
        ["demo/__init__.py", "tests/__init__.py", "tests/a.so", "docs/conf.py"],
        ("demo",),
    ),
    "nothing but tests": (["tests/__init__.py", "tests/a.so"], ("tests",)),
    "a namespace": (
        ["google/protobuf/__init__.py", "google/_upb/_message.abi3.so"],
        ("google.protobuf",),
    ),
    "a namespace with several packages": (
        ["azure/core/__init__.py", "azure/core/a.so", "azure/storage/__init__.py"],
        ("azure.core",),
    ),
    "a namespace with extension modules": (
        [f"librt/base64.{TAG}.so", f"librt/time.{TAG}.so"],
        ("librt.base64", "librt.time"),
    ),
    "a package inside a package is not asked for": (
        ["demo/__init__.py", "demo/inner/__init__.py", "demo/inner/a.so"],
        ("demo",),
    ),
    "no native code, and one of its own name": (
        ["adbc_driver_demo/__init__.py", "demo/__init__.py"],
        ("demo",),
    ),
    "no native code, and none of its own name": (
        ["attr/__init__.py", "attrs/__init__.py"],
        ("attr", "attrs"),
    ),
    "a plain module": (["six.py"], ("six",)),
    "stubs, commands and data": (
        [
            "demo-stubs/__init__.pyi",
            "../../../bin/demo",
            "../../../bin/demo.py",
            "demo-1.data/purelib/other.py",
            "/elsewhere/other.py",
            "demo.pth",
        ],
        (),
    ),
    "names that no import statement takes": (
        ["class.py", "a-b.py", "1a.so", "x y/__init__.py"],
        (),
    ),
    "libraries in a folder without Python": (["nvidia/cublas/lib/libcublas.so.12"], ()),
    "a package of nothing but libraries": (
        ["nvidia/cublas/__init__.py", "nvidia/cublas/lib/libcublas.so.12"],
        ("nvidia.cublas",),
    ),
    "no RECORD": ([], ()),
}


@pytest.mark.parametrize(("paths", "wanted"), CASES.values(), ids=CASES)
def test_what_is_imported(paths: list[str], wanted: tuple[str, ...]) -> None:
    assert names(*paths) == wanted


def test_its_own_name_may_be_spelled_otherwise() -> None:
    found = names("fake_http/__init__.py", "Ruamel_Yaml/__init__.py", name="ruamel-yaml")
    assert found == ("Ruamel_Yaml",)


PARTS = st.sampled_from(
    [
        "demo",
        "_demo",
        "tests",
        "__init__.py",
        "a.so",
        "a.abi3.so",
        "lib.so",
        "..",
        "",
        "x.libs",
        "é",
    ]
)


@given(st.lists(st.lists(PARTS, max_size=4).map("/".join) | st.text(), max_size=8))
def test_whatever_record_says_the_names_can_be_imported(paths: list[str]) -> None:
    found = names(*paths)
    assert len(set(found)) == len(found)
    assert all(part.isidentifier() for name in found for part in name.split("."))
    assert found == names(*reversed(paths))
