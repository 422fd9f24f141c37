# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, BLE001, D103, F821, FBT002
# ruff: noqa: FBT003, INP001, N807, SIM105, SLF001, UP031
"""legacy-doctor's start-up hook, third part: what is changed in modules that need it."""

import functools
import os
import sys
import warnings


def switch_onednn_off(torch):
    torch._C._set_mkldnn_enabled(False)
    if torch.backends.quantized.engine == "onednn":
        torch.backends.quantized.engine = "qnnpack"


class WithoutWorkers:
    """A DataLoader as its iterator is to see it."""

    num_workers = 0
    timeout = 0

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)


def load_in_process(module):
    """Make every DataLoader of torch.utils.data.dataloader load in the calling process.

    Its attributes stay as they were asked for, so that nothing that reads, checks or sets them
    (prefetch_factor, persistent_workers, multiprocessing_context) meets a loader unlike its own.
    """
    loader_class = module.DataLoader
    original = loader_class._get_iterator
    if hasattr(original, "legacy_doctor"):
        return
    iterator_class, warned = in_process(module), []

    @functools.wraps(original)
    def _get_iterator(self):
        if self.num_workers == 0:
            return original(self)
        if not warned:
            warned.append(True)
            tell(
                "legacy-doctor loads data in this process: num_workers=%s has no effect "
                "(LEGACY_DOCTOR_DISABLE=shim:dataloader-num-workers-0 switches that off)"
                % self.num_workers
            )
        return iterator_class(WithoutWorkers(self))

    _get_iterator.legacy_doctor = True
    loader_class._get_iterator = _get_iterator


def in_process(module):
    """Return torch's own iterator without workers, able to begin again."""
    kinds = module._DatasetKind

    class InProcess(module._SingleProcessDataLoaderIter):
        def _reset(self, loader, first_iter=False):
            # Asked for by loaders with persistent workers when an epoch begins.
            super()._reset(loader, first_iter)
            self._dataset_fetcher = kinds.create_fetcher(
                self._dataset_kind,
                self._dataset,
                self._auto_collation,
                self._collate_fn,
                self._drop_last,
            )

    return InProcess


def tell(text):
    try:
        warnings.warn(text, UserWarning, stacklevel=4)
    except Warning:  # where warnings are errors, the program is to run all the same
        pass


def trust_listed(module, listed):
    """Make torch.load read the listed files, and no others, with weights_only=False.

    `listed` holds (path or None, sha256 or None, size or None). A caller that says weights_only
    itself is not overruled.
    """
    original = module.load
    if hasattr(original, "legacy_doctor"):
        return

    @functools.wraps(original)
    def load(f, *args, **kwargs):
        if kwargs.get("weights_only") is not None:
            return original(f, *args, **kwargs)
        by_hash = [item for item in listed if item[1]]
        if any(permits(item, f) for item in listed if not item[1]):
            return original(f, *args, **dict(kwargs, weights_only=False))
        if by_hash and not isinstance(f, (str, os.PathLike)):
            if any(permits(item, f) and has_content(item, f) for item in by_hash):
                return original(f, *args, **dict(kwargs, weights_only=False))
        elif any(permits(item, f) for item in by_hash):
            # Read from the very file that was hashed, whatever the path means a moment later.
            with open(f, "rb") as file:
                if any(permits(item, f) and has_content(item, file) for item in by_hash):
                    return original(
                        f if kwargs.get("mmap") else file, *args, **dict(kwargs, weights_only=False)
                    )
        return original(f, *args, **kwargs)

    load.legacy_doctor = True
    module.load = load


def permits(item, f):
    """Tell whether a file lies where an entry of the list says."""
    path, sha256, _ = item
    if path is None:
        return True
    try:
        name = f if isinstance(f, (str, os.PathLike)) else f.name
        real, home = os.path.realpath(os.fspath(name)), os.path.realpath(path)
        if real != home and not real.startswith(home.rstrip(os.sep) + os.sep):
            return False
        found = os.stat(real)
        if name is not f and not os.path.samestat(os.fstat(f.fileno()), found):
            return False
        # What anybody may write is vouched for by a hash, or not at all.
        return bool(sha256) or not found.st_mode & 0o002
    except Exception:
        return False


def has_content(item, file):
    import hashlib

    _, sha256, size = item
    try:
        if file.tell() or (size is not None and size != file.seek(0, os.SEEK_END)):
            return False
        file.seek(0)
        digest = hashlib.sha256()
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
        return digest.hexdigest() == sha256
    except Exception:
        return False
    finally:
        file.seek(0)


def mel_on_gpu(module):
    """Let torchaudio's MelSpectrogram compute on the GPU; the result comes back.

    `__call__` and not `forward`, which TorchScript compiles.
    """
    import weakref

    mel_class = module.MelSpectrogram
    original = mel_class.__call__
    if hasattr(original, "legacy_doctor"):
        return
    twins = weakref.WeakKeyDictionary()

    @functools.wraps(original)
    def __call__(self, waveform, *args, **kwargs):
        try:
            twin = twin_of(self, waveform, twins)
            if twin is not None:
                result = original(twin, waveform.to("cuda"), *args, **kwargs)
                return result.to(waveform.device)
        except Exception as error:
            boot.RUNTIME["say"]("shim:mel-on-gpu: computed on the CPU, because of %r" % error)
        return original(self, waveform, *args, **kwargs)

    __call__.legacy_doctor = True
    mel_class.__call__ = __call__


def twin_of(mel, waveform, twins):
    """Return a copy of the transform on the GPU; None where the CPU has to do."""
    import copy

    torch = sys.modules["torch"]
    tensors = [*mel.buffers(), *mel.parameters()]
    if waveform.device.type != "cpu" or any(item.device.type != "cpu" for item in tensors):
        return None
    # A forked child cannot use the GPU that its parent has opened.
    if not torch.cuda.is_available() or torch.cuda._is_in_bad_fork():
        return None
    state = [(item.data_ptr(), item._version, item.dtype) for item in tensors]
    made = twins.get(mel)
    if made is None or made[0] != state:
        made = twins[mel] = (state, copy.deepcopy(mel).to("cuda"))
    return made[1]


SHIMS = {
    "torch-onednn-off": switch_onednn_off,
    "dataloader-num-workers-0": load_in_process,
    "torch-load-weights-only-false": trust_listed,
    "mel-on-gpu": mel_on_gpu,
}
