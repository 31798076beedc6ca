"""What a command would do, before it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from ._commands import Commands


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of what a command would do."""

    step: int
    """Its number, from 1."""
    action: str
    """``Take offline``, ``Bring online``, ``Move``, ``Add group``, ``Delete messages`` ..."""
    object: str
    """What it is done to."""
    node: str
    """Where; empty where no node in particular does it."""
    note: str
    """Why, or what exactly."""

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            step=record["Step"],
            action=record["Action"],
            object=record["Object"],
            node=record["Node"],
            note=record["Note"],
        )


class Asked(BaseException):
    """A command that was given to :class:`Listener`; nobody's error handler is meant to see it."""

    def __init__(self, command: str, arguments: dict[str, object]) -> None:
        super().__init__(command)
        self.command = command
        self.arguments = arguments


class Listener(Commands):
    """Has every command as a method; the first one that is called ends in :class:`Asked`."""

    def _call(self, command: str, arguments: Mapping[str, object]) -> NoReturn:
        given = {name: value for name, value in arguments.items() if value is not None}
        raise Asked(command, given)
