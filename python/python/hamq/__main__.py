"""The ``hamq`` command of the package: the same shell and the same roles as the binary."""

import signal
import sys

from . import _native
from ._program import PROGRAM


def main() -> int:
    """Runs the command line of this process to its exit code."""
    # The shell has its own handling of Ctrl-C, on top of the system's and not of Python's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.run_shell(sys.argv[1:], PROGRAM)


if __name__ == "__main__":
    sys.exit(main())
