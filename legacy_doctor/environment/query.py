"""Run by path inside the target interpreter (`-I -S`): print its paths and version as JSON.

Standard library only, and so old a dialect that Python 2.7 gets far enough to say its version.
`-S` keeps `.pth` files from running site-packages code; what the `site` module would have found
is worked out here without executing it. One line of JSON on stdout:
`version`, and from 3.8 on `executable`, `prefix`, `implementation`, `platform`, `machine`,
`libc`, `march`, `site_packages`.
"""

import json
import os
import sys


def main():
    facts = {"version": list(sys.version_info[:3])}
    if sys.version_info >= (3, 8):
        facts.update(describe())
    sys.stdout.write(json.dumps(facts) + "\n")


def describe():
    """Return what the doctor needs to know of this interpreter."""
    import site
    import sysconfig

    venv = venv_of(sys.executable)
    prefix = venv or sys.prefix
    folders = site.getsitepackages([prefix]) if venv is None else venv_folders(sysconfig, venv)
    if venv is None or inherits_system(venv):
        # Without `site`, sys.prefix is still the one of the base interpreter.
        folders += [p for p in user_site(site) if p not in folders]
        folders += [p for p in site.getsitepackages([sys.base_prefix]) if p not in folders]
    return {
        "executable": sys.executable,
        "prefix": prefix,
        "implementation": sys.implementation.name,
        "platform": sysconfig.get_platform(),
        "machine": os.uname().machine if hasattr(os, "uname") else "",
        "libc": libc(),
        "march": march(sysconfig),
        "site_packages": [path for path in folders if os.path.isdir(path)],
    }


def venv_of(executable):
    """Return the virtual environment that this executable belongs to, or None (PEP 405)."""
    beside = os.path.dirname(os.path.abspath(executable))
    for folder in (beside, os.path.dirname(beside)):
        if os.path.isfile(os.path.join(folder, "pyvenv.cfg")):
            return folder
    return None


def venv_folders(sysconfig, venv):
    """Return the site-packages of a virtual environment.

    Not by `site`: Debian's and Ubuntu's answers with dist-packages where `-S` keeps it from seeing
    that this is a virtual environment.
    """
    scheme = "nt" if os.name == "nt" else "posix_prefix"
    base = {"base": venv, "platbase": venv}
    found = [sysconfig.get_path(kind, scheme, base) for kind in ("purelib", "platlib")]
    return list(dict.fromkeys(found))


def inherits_system(venv):
    """True where pyvenv.cfg says `include-system-site-packages = true`."""
    with open(os.path.join(venv, "pyvenv.cfg"), encoding="utf-8", errors="replace") as config:
        for line in config:
            key, _, value = line.partition("=")
            if key.strip().lower() == "include-system-site-packages":
                return value.strip().lower() == "true"
    return False


def user_site(site):
    """Return the per-user folder (PEP 370); `-I` hides it, the user's own runs do not."""
    try:
        return [site.getusersitepackages()]
    except Exception:  # a home that cannot be found must not hide the rest
        return []


def libc():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return ""


def march(sysconfig):
    """Return the `-march=` this interpreter was compiled with, where its build flags say so."""
    for name in ("PY_CFLAGS", "CFLAGS", "OPT", "CONFIGURE_CFLAGS"):
        for word in str(sysconfig.get_config_var(name) or "").split():
            if word.startswith("-march="):
                return word[len("-march=") :]
    return None


if __name__ == "__main__":
    main()
