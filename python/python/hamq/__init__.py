"""HAMQ: message queues that survive their machine.

Cluster and queues::

    import hamq

    with hamq.connect("lab") as cluster:
        orders = cluster.queue("VS1/private$/orders")
        orders.send(json={"id": 7}, label="new")
        with orders.process(timeout=5) as message:
            print(message.json())

One process, no server::

    with hamq.QueueManager.open("/var/lib/app/queues") as manager:
        manager.create_queue("orders", transactional=True)
        manager.queue("orders").send("order 7")

Every failure is a subclass of :class:`hamq.MqError` with a message, a hint and a code.
"""

import os as _os

from . import _native
from ._commands import *
from ._commands import __all__ as _records
from ._native import Message
from .body import BodyStream
from .cluster import Cluster, connect
from .cursor import Cursor
from .errors import *
from .errors import __all__ as _errors
from .manager import QueueManager
from .plan import PlannedStep
from .queue import Acknowledge, Properties, Queue
from .transaction import Transaction

__version__ = _native.__version__

_os.register_at_fork(after_in_child=_native._after_fork_in_child)

__all__ = [
    "Acknowledge",
    "BodyStream",
    "Cluster",
    "Cursor",
    "Message",
    "PlannedStep",
    "Properties",
    "Queue",
    "QueueManager",
    "Transaction",
    "connect",
    *_errors,
    *_records,
]
