# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, D100, D103, F821, INP001, RUF005, RUF059, UP031
# Which version is installed, and whether a specifier (PEP 440) speaks of it. No library: what
# is installed beside us may be what is broken.

VERSION = (
    r"v?(?:(\d+)!)?(\d+(?:\.\d+)*)"
    r"(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?(\d*))?"
    r"(?:-(\d+)|([-_.]?(?:post|rev|r)[-_.]?(\d*)))?"
    r"([-_.]?dev[-_.]?(\d*))?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?"
)
PHASES = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
LAST = float("inf")


def version_of(distribution, spec):
    """Return the version that the metadata beside the module (else on sys.path) tells."""
    origin = getattr(spec, "origin", None)
    folders = [os.path.dirname(os.path.dirname(origin)), os.path.dirname(origin)] if origin else []
    for folder in folders + sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            stem, dot, kind = name.rpartition(".")
            if kind in ("dist-info", "egg-info"):
                parts = stem.split("-")
                if len(parts) > 1 and normal(parts[0]) == distribution:
                    return parts[1]
    return None


def normal(name):
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(word for word in words if word)


def parse(text):
    """Return a version as (epoch, release, pre, post, dev) in the order of PEP 440, and local."""
    import re

    found = re.match(VERSION + r"\Z", text.strip().lower())
    if found is None:
        raise ValueError("no version: %r" % text)
    epoch, release, phase, number, implicit, is_post, post, is_dev, dev, local = found.groups()
    after = int(implicit or post or 0) if implicit or is_post else -1
    before = int(dev or 0) if is_dev else LAST
    if phase:
        pre = (PHASES.get(phase, phase), int(number or 0))
    else:
        pre = ("", 0) if is_dev and after < 0 else ("z", 0)
    numbers = [int(part) for part in release.split(".")]
    label = local and local.replace("-", ".").replace("_", ".")
    return (int(epoch or 0), numbers, pre, after, before), label


def key(parsed):
    epoch, numbers, pre, after, before = parsed
    short = numbers[:]
    while len(short) > 1 and not short[-1]:
        short.pop()
    return epoch, short, pre, after, before


def matches(specifiers, text):
    """Tell whether a version meets all of the comma-separated specifiers."""
    version, local = parse(text)
    return all(meets(item.strip(), version, local, text) for item in specifiers.split(","))


def meets(specifier, version, local, text):
    operator = specifier[: len(specifier) - len(specifier.lstrip("=<>!~"))]
    wanted = specifier[len(operator) :].strip()
    if operator == "===":
        return wanted.lower() == text.strip().lower()
    if wanted.endswith(".*"):
        return starts(version, parse(wanted[:-2])[0]) == (operator == "==")
    other, other_local = parse(wanted)
    if operator in ("==", "!="):
        same = key(version) == key(other) and other_local in (None, local)
        return same == (operator == "==")
    return ordered(operator, version, other)


def ordered(operator, version, other):
    one, two = key(version), key(other)
    if operator == "~=":
        return one >= two and starts(version, (other[0], other[1][:-1]) + other[2:])
    if operator == ">=":
        return one >= two
    if operator == "<=":
        return one <= two
    epoch, short, pre, after, before = two
    final = before == LAST and pre[0] == "z"
    if operator == "<":  # <2.0 does not mean 2.0rc1
        first = (epoch, short, pre if after >= 0 else ("", 0), after, 0)
        return one < (first if final else two)
    if operator == ">":  # >2.0 does not mean 2.0.post1
        return one > two and not (before == LAST and after < 0 and one[:3] == two[:3])
    raise ValueError("no specifier: %r" % operator)


def starts(version, prefix):
    epoch, numbers = prefix[0], prefix[1]
    padded = version[1] + [0] * len(numbers)
    return version[0] == epoch and padded[: len(numbers)] == numbers
