# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, BLE001, D100, D103, F821, INP001, UP031
# What this CPU lets a process execute.

# The registers of glibc's table of CPUID answers: four as the CPU gave them, four as usable.
LEAF = 8
KNOWN = []


def features():
    """Return what may be executed, as far as it was asked for; None where nobody can tell."""
    if not KNOWN:
        for witness in (ask_glibc, ask_kernel):
            try:
                KNOWN.append(witness())
                break
            except Exception as error:
                say("%s: %r" % (witness.__name__, error))
        else:
            KNOWN.append(None)
    return KNOWN[0]


def ask_glibc():
    # glibc 2.33 and later. Under an emulator it has seen the emulated CPU, the kernel has not.
    import ctypes

    leaf = getattr(ctypes.CDLL(None), "__x86_get_cpuid_feature_leaf")
    leaf.restype = ctypes.POINTER(ctypes.c_uint32 * LEAF)
    leaf.argtypes = (ctypes.c_uint32,)
    # Its word on what is usable counts for wide registers only: it tells that the system saves
    # them. What it has no use for itself it never calls usable.
    return frozenset(
        name
        for name, (place, register, bit, wide) in BITS.items()
        if leaf(place).contents[register] >> bit & 1
        and (not wide or leaf(place).contents[register + LEAF // 2] >> bit & 1)
    )


def ask_kernel():
    return frozenset(cpuinfo()["flags"].split())


def cpuinfo():
    facts = {}
    with open("/proc/cpuinfo", "rb") as file:
        for line in file:
            key, colon, value = line.partition(b":")
            if not colon:
                break  # the end of the first processor
            facts[key.strip().decode("ascii", "replace")] = value.strip().decode("ascii", "replace")
    return facts


def missing(where):
    needs, _, _ = where
    known = features()
    return () if known is None else tuple(name for name in needs if name not in known)


def lacking(conditions):
    """Say what this CPU lacks for the first of the conditions that speaks of it, or nothing."""
    for where in conditions:
        needs, vendor, level = where
        lack = missing(where)
        if needs and not lack:
            continue
        words = ["lacks " + ", ".join(lack)] if lack else []
        if vendor or level:
            try:
                facts = cpuinfo()
                highest = int(facts["cpuid level"])
                if (vendor and facts["vendor_id"] != vendor) or (level and highest >= level):
                    continue
                words.append("is of %s with CPUID leaves up to %d" % (facts["vendor_id"], highest))
            except Exception as error:
                say("/proc/cpuinfo: %r" % error)
                continue
        return words
    return []


def cpu_name(where):
    # The kernel's name for it, unless the kernel speaks of another CPU than the process sees.
    try:
        facts = cpuinfo()
        if not set(missing(where)) & set(facts["flags"].split()):
            return facts["model name"]
    except Exception as error:
        say("/proc/cpuinfo: %r" % error)
    return CPU
