"""A doctor for Python environments on old x86 CPUs that its patients cannot kill."""

__version__ = "0.1.0"
