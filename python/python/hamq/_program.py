"""How to start the ``hamq`` command of this package again, as a process of its own."""

import sys

# -P: the current folder is not searched for modules, so that a hamq.py in it is not run instead.
PROGRAM = [sys.executable, "-P", "-m", "hamq"]
