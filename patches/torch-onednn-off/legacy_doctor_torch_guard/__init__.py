# legacy-doctor: switch oneDNN off in PyTorch on a CPU that oneDNN cannot run on.
#
# Two faults, one cure. oneDNN before 3.8 divides by zero on AMD CPUs whose highest basic CPUID
# leaf is below 0xB; later ones fail in convolutions and LSTMs on CPUs without SSE4.1.
# LEGACY_DOCTOR_DISABLE=1 switches this off. Standard library only, Python 3.8 and later.
# The same text serves as a module and as a block in torch/__init__.py, where names like `int`
# and `bool` are dtypes: hence the long names and `builtins`.


def legacy_doctor_autoload():
    # torch calls this as its import ends, and dies of any exception. So none leaves, whatever
    # happens, and a CPU that cannot be read is taken for one that needs no help.
    import os

    disabled = os.environ.get("LEGACY_DOCTOR_DISABLE", "").split(",")
    if "1" in disabled or "torch" in disabled:
        return
    try:
        if legacy_doctor_needs_guard(legacy_doctor_cpu()):
            import torch

            torch._C._set_mkldnn_enabled(False)
            if torch.backends.quantized.engine == "onednn":
                torch.backends.quantized.engine = "qnnpack"
    except Exception:
        pass


def legacy_doctor_needs_guard(cpu):
    vendor, highest_leaf, sse4_1 = cpu
    return not sse4_1 or (vendor == "AuthenticAMD" and highest_leaf < 11)


def legacy_doctor_cpu():
    # CPUID first: it is what oneDNN asks, and /proc/cpuinfo shows the host under qemu-user.
    try:
        return legacy_doctor_cpuid()
    except Exception:
        return legacy_doctor_cpuinfo()


def legacy_doctor_cpuid():
    import ctypes
    import mmap
    import os
    import sys

    if sys.platform == "win32" or os.uname().machine not in ("x86_64", "amd64"):
        raise OSError("no x86-64, or another calling convention")
    code = bytes.fromhex(
        "534989d089f889f10fa2"  # push rbx; mov r8,rdx; mov eax,edi; mov ecx,esi; cpuid
        "41890041895804418948084189500c"  # mov [r8],eax; [r8+4],ebx; [r8+8],ecx; [r8+12],edx
        "5bc3"  # pop rbx; ret
    )
    # Written first, executable afterwards: never both at once.
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    memory.write(code)
    view = ctypes.c_char.from_buffer(memory)
    libc = ctypes.CDLL(None)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if libc.mprotect(ctypes.addressof(view), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError("executable memory is refused")
    words = ctypes.c_uint32 * 4
    call = ctypes.CFUNCTYPE(
        None, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)
    )(ctypes.addressof(view))
    base, features = words(), words()
    call(0, 0, base)
    call(1, 0, features)
    vendor = b"".join(base[index].to_bytes(4, "little") for index in (1, 3, 2))
    return vendor.decode("ascii", "replace"), base[0], features[2] >> 19 & 1 == 1


def legacy_doctor_cpuinfo():
    import builtins  # inside torch/__init__.py `int` is a dtype

    facts = {}
    with builtins.open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            key, colon, value = line.partition(":")
            if not colon:  # the end of the first processor
                break
            facts[key.strip()] = value.strip()
    leaf = builtins.int(facts["cpuid level"])
    sse4_1 = "sse4_1" in facts["flags"].split()
    return facts["vendor_id"], leaf, sse4_1
