"""What a listed module looks like to the program that imports it, in every Python of this machine.

The rule: on a CPU that has what the module needs, nothing differs from a Python without the hook.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from legacy_doctor.hook import generate
from legacy_doctor.hook.rules import Shim
from tests.conftest import Answer
from tests.hook.conftest import ABSENT, PRESENT, STAND_IN, Room, armed, guard, printed

ALIVE = "\nprint('alive')\n"
TORCH = """
class _C:
    calls = []
    @staticmethod
    def _set_mkldnn_enabled(value):
        _C.calls.append(value)
class backends:
    class quantized:
        engine = "onednn"
"""
ONEDNN = Shim(id="torch-onednn-off")


def both(room: Room, code: str) -> Answer:
    """Run a program without and with the hook; both must say the same."""
    # Reading any .pth file makes Python 3.13 import a codec.
    (room.packages / "any.pth").write_text("# nothing\n")
    without = room.run(code)
    room.arm(armed(guard("listed", PRESENT)))
    with_hook = room.run(code)
    assert with_hook == without
    return with_hook


FAILING = {
    "an_error": "raise ValueError('its own fault')",
    "a_missing_import": "import missing_module",
    "an_import_error": "raise ImportError('told so')",
    "an_error_in_a_function": "def f():\n    raise KeyError(1)\nf()",
    "an_error_for_an_error": "try:\n    import missing_module\nexcept ImportError:\n    raise RuntimeError",
    "a_syntax_error": "def (:",
    "an_exit": "raise SystemExit(7)",
    "another_listed_one": "import an_error",
}


def test_the_tracebacks_of_modules_that_fail_are_the_same(room: Room) -> None:
    room.put(**FAILING, program="def main(name):\n    __import__(name)\n")
    (room.packages / "any.pth").write_text("# nothing\n")
    code = f"""
import program, traceback
for name in {list(FAILING)}:
    try:
        program.main(name)
    except BaseException:
        print(traceback.format_exc())
program.main("an_error")
"""
    without = room.run(code)
    assert without.out.count("Traceback") > len(FAILING)
    room.arm(armed(*(guard(name, PRESENT) for name in FAILING)))
    assert room.run(code) == without


LOOK = """
import importlib.util, json, sys
before = importlib.util.find_spec("listed")
import listed
names = sorted(set(sys.modules) - {"_legacy_doctor_boot", "ctypes", "_ctypes", "ctypes._endian",
                                   "struct", "_struct"})
loaders = [listed.__loader__, listed.__spec__.loader]
print(json.dumps([str(type(before.loader)), [sorted(vars(x)) for x in loaders],
                  [str(type(x)) for x in loaders], loaders[0] is loaders[1], names,
                  sorted(vars(listed)), listed.__spec__.origin, listed.__file__]))
"""


def test_a_module_that_is_let_through_bears_no_trace(room: Room) -> None:
    room.put(listed="x = 1")
    both(room, LOOK)


USES = """
import importlib, importlib.metadata, inspect, pickle, pkgutil, runpy
import listed
print(importlib.reload(listed) is listed, listed.x)
print(runpy.run_module("listed")["x"])
print([found.name for found in pkgutil.iter_modules() if found.name == "listed"])
print(inspect.getsource(listed))
from listed import x
importlib.invalidate_caches()
print(len(list(importlib.metadata.distributions())))
print(pickle.loads(pickle.dumps(listed.f)) is listed.f)
"""


def test_what_programs_do_with_modules_works_as_before(room: Room) -> None:
    room.put(listed="x = 1\ndef f(): pass\n")
    assert both(room, USES).code == 0


LAZY = """
import importlib.util, sys
spec = importlib.util.find_spec("listed")
loader = importlib.util.LazyLoader(spec.loader)
spec.loader = loader
module = importlib.util.module_from_spec(spec)
sys.modules["listed"] = module
loader.exec_module(module)
print("still lazy")
try:
    print(module.x)
except ImportError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(
    ("feature", "last"),
    [(PRESENT, "1"), (ABSENT, "CpuFeatureError")],
    ids=["let through", "stopped"],
)
def test_a_lazy_module_is_judged_at_its_first_use(room: Room, feature: str, last: str) -> None:
    room.put(listed="print('runs')\nx = 1")
    room.arm(armed(guard("listed", feature)))
    said = room.run(LAZY)
    assert said.err == ""
    assert said.out.splitlines()[0] == "still lazy"
    assert said.out.splitlines()[-1] == last


def test_availability_checks_get_what_they_expect(room: Room) -> None:
    room.package("listed", "1.0", "raise SystemExit('it ran')")
    room.put(listed__part="")
    room.arm(armed(guard("listed")))
    said = room.run(
        """
import importlib.util, json
present = importlib.util.find_spec("listed")
answers = [present is not None, type(present.loader).__name__, bool(present.submodule_search_locations)]
for line in ("import listed", "import listed.part", "from listed import part"):
    try:
        exec(line)
    except ModuleNotFoundError:
        answers.append("not found")
    except ImportError:
        answers.append("ImportError")
import sys
print(json.dumps([*answers, "listed" in sys.modules]))
"""
    )
    assert printed(said) == [True, "SourceFileLoader", True, *["ImportError"] * 3, False]


def test_a_module_in_an_archive(room: Room) -> None:
    if room.version < (3, 10):
        pytest.skip("before Python 3.10 an archive's modules have no exec_module: let through")
    room.put(
        make="import zipfile\nwith zipfile.ZipFile('a.zip', 'w') as z:\n"
        "    z.writestr('listed.py', 'x = 1')\n    z.writestr('free.py', 'y = 2')\n"
    )
    assert room.run("import make").code == 0
    code = """
import sys; sys.path.insert(0, 'a.zip')
import free
try:
    import listed
    print(type(listed.__loader__).__name__, listed.__loader__ is listed.__spec__.loader, free.y)
except ImportError as error:
    print(type(error).__name__)
"""
    assert both(room, code).out == "zipimporter True 2\n"
    room.arm(armed(guard("listed")))
    assert room.run(code).out == "CpuFeatureError\n"


def test_an_extension_module_is_stopped_before_its_library_is_opened(room: Room) -> None:
    code = """
import sys, sysconfig, os, shutil
folder = sysconfig.get_path("stdlib") + "/lib-dynload"
name = [n for n in sorted(os.listdir(folder)) if n.startswith("_heapq") or n.startswith("_json")]
if not name:
    print("none")
else:
    shutil.copy(os.path.join(folder, name[0]), sys.argv[1] if len(sys.argv) > 1 else ".")
    print(name[0].split(".")[0])
"""
    name = room.run(code).out.strip()
    if name == "none":
        pytest.skip("this Python has its extension modules built in")
    for file in room.folder.glob(f"{name}.*"):
        file.rename(room.packages / file.name)
    test = f"""
import sys
sys.path.insert(0, {str(room.packages)!r})
sys.modules.pop({name!r}, None)
try:
    import {name}
except ImportError as error:
    print(type(error).__name__)
print(any({name!r} in line for line in open("/proc/self/maps")))
"""
    room.arm(armed(guard(name)))
    assert room.run(test).out == "CpuFeatureError\nFalse\n"
    room.arm(armed(guard(name, PRESENT)))
    assert room.run(test).out == "True\n"


def test_namespaces_and_missing_modules_are_let_be(room: Room) -> None:
    (room.packages / "listed").mkdir()
    room.put(listed__part="x = 1")
    room.arm(armed(guard("listed"), guard("absent")))
    said = room.run(
        "import listed.part; print(listed.part.x)\ntry: import absent\nexcept ModuleNotFoundError: print('none')"
    )
    assert (said.code, said.out) == (0, "1\nnone\n")


def test_a_module_that_puts_another_object_in_its_place(room: Room) -> None:
    room.package(
        "torch",
        "2.4.0",
        TORCH
        + "import sys, types\nnew = types.ModuleType('torch')\nnew.__dict__.update(globals())\n"
        "sys.modules['torch'] = new\n",
    )
    room.arm(armed(shims=[ONEDNN]))
    said = room.run("import torch; print(torch._C.calls, torch.backends.quantized.engine)")
    assert (said.code, said.out, said.err) == (0, "[False] qnnpack\n", "")


@pytest.mark.parametrize(
    ("versions", "installed", "acts"),
    [("", "2.6.0", True), (">=2.2,<2.5", "2.4.1+cpu", True), (">=2.2,<2.5", "2.5.0", False)],
    ids=["any version", "a version it is made for", "another version"],
)
def test_a_shim_acts_on_the_versions_it_is_made_for(
    own_room: Room, versions: str, installed: str, acts: bool
) -> None:
    own_room.package("torch", installed, TORCH)
    own_room.arm(armed(shims=[Shim(id="torch-onednn-off", versions=versions)]))
    assert own_room.run("import torch; print(torch._C.calls)").out == (
        "[False]\n" if acts else "[]\n"
    )


def test_a_shim_that_fails_is_left_out(own_room: Room) -> None:
    own_room.package("torch", "2.4.0", "x = 1")
    own_room.arm(armed(shims=[ONEDNN]))
    said = own_room.run("import torch; print(torch.x)", env={"LEGACY_DOCTOR_DEBUG": "1"})
    assert said.out == "1\n"
    assert "shim:torch-onednn-off: left out, because of AttributeError" in said.err


def test_a_shim_is_applied_again_to_a_module_that_is_loaded_again(room: Room) -> None:
    room.package("torch", "2.4.0", TORCH)
    room.arm(armed(shims=[ONEDNN]))
    said = room.run("import importlib, torch; importlib.reload(torch); print(torch._C.calls)")
    assert said.out == "[False]\n"


NESTED = """
import importlib.util, sys
class Around:
    busy = set()
    def find_spec(self, name, path=None, target=None):
        if name != "torch" or name in self.busy:
            return None
        self.busy.add(name)
        try:
            return importlib.util.find_spec(name)
        finally:
            self.busy.discard(name)
place = {place}
sys.meta_path.insert(place, Around())
import torch
print(torch._C.calls)
"""


@pytest.mark.parametrize("place", [0, 1], ids=["before us", "behind us"])
def test_a_finder_that_asks_the_import_system_again(room: Room, place: int) -> None:
    room.package("torch", "2.4.0", TORCH)
    room.arm(armed(shims=[ONEDNN]))
    assert room.run(NESTED.replace("{place}", str(place))).out == "[False]\n"


PATCHING = """
import functools, sys
class Patching:  # as virtualenv does
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            from importlib.machinery import PathFinder
            spec = PathFinder.find_spec(name, path)
            old = spec.loader.exec_module
            def exec_module(module):
                old(module)
                module.theirs = module.__dict__.get("theirs", 0) + 1
            spec.loader.exec_module = exec_module
            return spec
sys.meta_path.insert(PLACE, Patching())
import torch
print(torch.theirs, torch._C.calls)
"""


def test_a_finder_that_writes_to_the_loader_as_well(room: Room) -> None:
    room.package("torch", "2.4.0", TORCH)
    room.arm(armed(shims=[ONEDNN]))
    assert room.run(PATCHING.replace("PLACE", "1")).out == "1 [False]\n"


def test_a_finder_that_raises_raises_as_before(room: Room) -> None:
    room.put(listed="x = 1")
    code = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "listed":
            raise ValueError("theirs")
sys.meta_path.insert(len(sys.meta_path) - 1, Broken())
import listed
"""
    assert "ValueError: theirs" in both(room, code).err


def test_a_finder_of_the_old_kind_is_left_to_the_import_system(room: Room) -> None:
    room.put(listed="x = 1")
    code = """
import sys, warnings
warnings.simplefilter("ignore")
class Old:
    def find_module(self, name, path=None):
        return None
sys.meta_path.insert(1, Old())
import listed
print(listed.x)
"""
    assert both(room, code).out == "1\n"


THREADS = """
import random, sys, threading
names = [f"listed{n}" for n in range(16)] + ["torch", "torch.serialization", "datasets", "pyarrow"]
barrier = threading.Barrier(16)
failed = []
def work(seed):
    order = names[:]
    random.Random(seed).shuffle(order)
    barrier.wait()
    for name in order:
        try:
            __import__(name)
        except ImportError as error:
            if name != "pyarrow":
                failed.append(repr(error))
        except BaseException as error:
            failed.append(repr(error))
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=work, args=(int(sys.argv[1]) * 16 + n,)) for n in range(16)]
for t in threads: t.start()
for t in threads: t.join()
import _legacy_doctor_boot as boot, datasets, torch, importlib
done = [line for line in boot.LOG if line.startswith("shim") and "not" not in line]
print(failed, sorted(done), torch._C.calls, hasattr(torch.serialization.load, "legacy_doctor"),
      datasets.WHY.startswith("this is legacy-doctor's"),
      all(sys.modules[f"listed{n}"].x == [n] for n in range(16)))
"""


def crowd(room: Room) -> None:
    """20 listed modules, with 3 shims and a guard that stops."""
    for n in range(16):
        needs = f"import listed{(n + 1) % 16}, sys\n" if n % 3 else "import sys\n"
        room.put(
            **{
                f"listed{n}": f"{needs}x = []\nimport json, time\ntime.sleep(0.001)\nx.append({n})\n"
            }
        )
    # Its __init__ imports no part of it: two threads that import a package and its part that way
    # meet CPython's own _DeadlockError, with or without a hook.
    room.package("torch", "2.4.0", TORCH)
    room.put(torch__serialization="def load(f): pass\n", program=THREADS)
    room.package("datasets", "3.0", "import pyarrow")
    room.package("pyarrow", "26.0.1", "raise SystemExit('it ran')")
    from legacy_doctor.hook.rules import Listed

    shims = [
        ONEDNN,
        Shim(id="torch-load-weights-only-false", listed=(Listed(path="/nowhere/a.pt"),)),
        Shim(id="datasets-stub", stand_in=STAND_IN),
    ]
    guards = [guard(f"listed{n}", PRESENT) for n in range(16)]
    room.arm(armed(*guards, guard("pyarrow"), shims=shims))


EXPECTED = (
    "[] ['shim:datasets-stub: took the place of datasets', "
    "'shim:torch-load-weights-only-false: applied to torch.serialization', "
    "'shim:torch-onednn-off: applied to torch'] [False] True True True\n"
)


def test_16_threads_import_20_listed_modules_without_a_deadlock(room: Room) -> None:
    crowd(room)
    for seed in range(2):
        said = room.run(
            f"import sys; sys.argv = ['', '{seed}']; exec(open('{room.packages}/program.py').read())"
        )
        assert (said.code, said.out, said.err) == (0, EXPECTED, "")


def test_50_processes_of_16_threads(own_room: Room) -> None:
    crowd(own_room)
    code = f"""
import subprocess, sys
program = {str(own_room.packages / "program.py")!r}
for start in range(0, 50, 10):
    children = [subprocess.Popen([sys.executable, program, str(n)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                for n in range(start, start + 10)]
    for child in children:
        print(child.communicate(timeout=120)[0].decode(), end="")
"""
    said = own_room.run(code).out.splitlines(keepends=True)
    assert [line for line in said if line != EXPECTED] == []
    assert len(said) == 50


WORKERS = """
import multiprocessing, sys
def look(_):
    try:
        import deadly
    except ImportError as error:
        import torch
        return type(error).__name__, torch._C.calls
if __name__ == "__main__":
    for method in ("spawn", "fork", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, set(map(str, pool.map(look, range(4)))))
"""


def test_workers_of_every_kind_are_guarded(room: Room) -> None:
    room.put(deadly="", program=WORKERS)
    room.package("torch", "2.4.0", TORCH)
    room.arm(armed(guard("deadly"), shims=[ONEDNN]))
    said = room.run(
        "import runpy; runpy.run_module('program', run_name='__main__', alter_sys=True)"
    )
    answer = "{\"('CpuFeatureError', [False])\"}"
    assert said.out.splitlines() == [f"{m} {answer}" for m in ("spawn", "fork", "forkserver")]


SUBINTERPRETERS = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
import sys
try:
    import deadly
except ImportError as error:
    sys.stdout.write(type(error).__name__ + " ")
import healthy
sys.stdout.write(str(healthy.x) + "\\\\n")
sys.stdout.flush()
'''
for _ in range(3):
    made = interpreters.create()
    done = (getattr(interpreters, "run_string"))(made, code)
    if done:
        print(done)
    interpreters.destroy(made)
"""


def test_sub_interpreters_are_guarded(room: Room) -> None:
    if room.version < (3, 12):
        pytest.skip("before Python 3.12 they share what they must not")
    room.put(deadly="", healthy="x = 1")
    room.arm(armed(guard("deadly"), guard("healthy", PRESENT)))
    said = room.run(SUBINTERPRETERS)
    assert (said.code, said.out) == (0, "CpuFeatureError 1\n" * 3)


def test_what_runs_under_the_import_lock_imports_nothing() -> None:
    """An import statement there deadlocks: only functions called later may have one."""
    folder = Path(generate.__file__).parent / "startup"
    may = {"ask_glibc", "parse", "arm"}
    for part in ("boot", "finder", "cpu", "versions"):
        for node in ast.walk(ast.parse((folder / f"{part}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name not in may:
                inner = [n for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom))]
                assert inner == [], (part, node.name)
        if part != "boot":
            top = ast.parse((folder / f"{part}.py").read_text(encoding="utf-8")).body
            assert not [n for n in top if isinstance(n, (ast.Import, ast.ImportFrom))]


def test_the_rules_of_two_guards_of_one_module_are_both_asked(own_room: Room) -> None:
    own_room.package("deadly", "1.5")
    own_room.arm(armed(guard("deadly", broken="<1"), guard("deadly", broken=">=1.5")))
    assert "CpuFeatureError: deadly 1.5" in own_room.run("import deadly").err


@pytest.mark.parametrize(
    ("broken", "installed", "runs"),
    [(">=2", "1.9", True), (">=2", "2.0.1", False), (">=2", None, True), ("", None, False)],
    ids=["a version that lives", "a version that dies", "no metadata", "all die, no metadata"],
)
def test_a_guard_stops_the_versions_that_die(
    own_room: Room, broken: str, installed: str | None, runs: bool
) -> None:
    if installed:
        own_room.package("deadly", installed)
    else:
        own_room.put(deadly="")
    own_room.arm(armed(guard("deadly", broken=broken)))
    assert (own_room.run("import deadly").code == 0) is runs


STUBBED = """
import importlib.util, json, sys
import datasets
from datasets import Dataset, load_dataset
from datasets.arrow_writer import ArrowWriter
answers = [datasets.__version__, type(datasets.__spec__).__name__, isinstance(1, Dataset),
           importlib.util.find_spec("datasets") is not None]
try:
    load_dataset("x")
except ImportError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def test_the_stand_in_takes_the_place_of_datasets(room: Room) -> None:
    room.package("datasets", "3.1.4", "import pyarrow")
    room.package("pyarrow", "26.0.1", "raise SystemExit('it ran')")
    room.arm(armed(guard("pyarrow"), shims=[Shim(id="datasets-stub", stand_in=STAND_IN)]))
    version, kind, is_one, found, why = printed(room.run(STUBBED))  # type: ignore[misc]
    assert (version, kind, is_one, found) == ("3.1.4", "ModuleSpec", False, True)
    assert "LEGACY_DOCTOR_DISABLE=1" in why


@pytest.mark.parametrize(
    ("feature", "broken", "pyarrow", "real"),
    [
        (PRESENT, "", "26.0.1", True),
        (ABSENT, ">=13", "12.0", True),
        (ABSENT, ">=13", "26.0.1", False),
        (ABSENT, ">=13", None, False),
    ],
    ids=["a CPU that has it", "a pyarrow that lives", "a pyarrow that dies", "no pyarrow at all"],
)
def test_the_real_datasets_is_used_where_it_can_live(
    own_room: Room, feature: str, broken: str, pyarrow: str | None, real: bool
) -> None:
    own_room.package("datasets", "3.1.4", "real = True")
    if pyarrow:
        own_room.package("pyarrow", pyarrow)
    shims = [Shim(id="datasets-stub", stand_in=STAND_IN)]
    own_room.arm(armed(guard("pyarrow", feature, broken), shims=shims))
    said = own_room.run("import datasets, json; print(json.dumps('real' in vars(datasets)))")
    assert json.loads(said.out) is real
