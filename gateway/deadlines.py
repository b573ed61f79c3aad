"""One timer for all deadlines of a worker: `asyncio.timeout` for the hot path, at a tenth of its price.

Deadlines fall into slots of 50 ms; a single timer empties the slots that are due, and sleeps while there are
none. A deadline therefore ends up to 50 ms late, never early.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from types import TracebackType

SLOT_SECONDS = 0.05


class Deadlines:
    """Keeps what has to end at a moment of `time.monotonic`. Used from one event loop."""

    __slots__ = ("_slots", "_timer")

    def __init__(self) -> None:
        self._slots: dict[int, set[Entry]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def until(self, when: float) -> "Until":
        """Return a context manager that raises TimeoutError from what is awaited inside it after `when`."""
        return Until(self, when)

    def call_at(self, when: float, action: Callable[[], object]) -> "Alarm":
        """Call `action` after `when`, unless the alarm is cancelled."""
        alarm = Alarm(self, when, action)
        self.add(alarm)
        return alarm

    def add(self, entry: "Entry") -> None:
        """Take up an entry whose `slot` is set."""
        slot = self._slots.get(entry.slot)
        if slot is None:
            self._slots[entry.slot] = {entry}
        else:
            slot.add(entry)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SLOT_SECONDS, self._tick)

    def discard(self, entry: "Entry") -> None:
        """Forget an entry, if it is still there."""
        slot = self._slots.get(entry.slot)
        if slot is not None:
            slot.discard(entry)
            if not slot:
                del self._slots[entry.slot]

    def _tick(self) -> None:
        now = int(monotonic() / SLOT_SECONDS)
        for number in [number for number in self._slots if number < now]:
            for entry in self._slots.pop(number, ()):
                entry.expire()
        self._timer = None
        if self._slots:
            self._timer = asyncio.get_running_loop().call_later(SLOT_SECONDS, self._tick)


class Entry:
    """Something that ends in a slot of time."""

    __slots__ = ("slot",)
    slot: int

    def expire(self) -> None:
        """Called once, when the time is over."""
        raise NotImplementedError


class Alarm(Entry):
    """An action at a moment."""

    __slots__ = ("_action", "_deadlines")

    def __init__(self, deadlines: Deadlines, when: float, action: Callable[[], object]) -> None:
        self._deadlines = deadlines
        self._action = action
        self.slot = int(when / SLOT_SECONDS)

    def cancel(self) -> None:
        """Forget the action."""
        self._deadlines.discard(self)

    def expire(self) -> None:
        self._action()


class Until(Entry):
    """Cancels the task inside when its time is over, and turns that cancellation into TimeoutError."""

    __slots__ = ("_cancelling", "_deadlines", "_task", "expired")

    def __init__(self, deadlines: Deadlines, when: float) -> None:
        self._deadlines = deadlines
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.slot = int(when / SLOT_SECONDS)
        self.expired = False

    def __enter__(self) -> "Until":
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if not self.expired:
            self._deadlines.discard(self)
        elif (
            task is not None
            and task.uncancel() <= self._cancelling
            and kind is not None
            and issubclass(kind, asyncio.CancelledError)
        ):
            # Somebody else's cancellation is not ours to swallow: then the count stays above.
            raise TimeoutError from error

    def expire(self) -> None:
        # The task is suspended inside the block: this runs from the loop, never from the task itself.
        self.expired = True
        if self._task is not None:
            self._task.cancel()
