"""`python -m benchmarks check`: measure, print the table, exit 0. Numbers are for reading."""

from __future__ import annotations

import sys

from benchmarks import check, gate, hook, probe, replay, treat

SUITES = {
    "check": check.run,
    "gate": gate.run,
    "hook": hook.run,
    "probe": probe.run,
    "treat": treat.run,
}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["replay"]:
        return replay.main(arguments[1:])
    if len(arguments) != 1 or arguments[0] not in SUITES:
        print(f"usage: python -m benchmarks {{{','.join([*SUITES, 'replay'])}}}", file=sys.stderr)
        return 2
    for row in SUITES[arguments[0]]():
        print(row.text, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
