"""When to stop trying an endpoint: a pure state machine that lets one probe through."""

from gateway.exchange import Reason, Refusal


class Breaker:
    """Opens after so many failures in a row, for so long; then one call, and only one, tries again."""

    __slots__ = ("_before", "_limit", "_open_seconds", "_open_until", "_probing", "failures")

    def __init__(self, *, failures: int, open_seconds: float) -> None:
        self._limit = failures
        self._open_seconds = open_seconds
        self._open_until: float | None = None
        self._probing = False
        self.failures = 0
        self._before: tuple[int, float | None, bool] = (0, None, False)

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, a probe under way or not."""
        return self._open_until is not None

    def check(self, now: float) -> None:
        """Raise Refusal if a call would not be let through now."""
        if self._open_until is not None and (self._probing or now < self._open_until):
            after = self._open_until - now
            raise Refusal(Reason.BREAKER_OPEN, retry_after=max(after, 1.0))

    def admit(self, now: float) -> bool:
        """Let a call through; True when it is the probe, whose end then decides. Raises Refusal."""
        if self._open_until is None:
            return False
        self.check(now)
        self._probing = True
        return True

    def end(self, now: float, *, ok: bool | None, probe: bool = False) -> None:
        """Take in how a call ended; `None` says nothing about the provider (cancelled, busy, our own fault)."""
        self._before = (self.failures, self._open_until, probe)
        if probe:
            self._probing = False
            self.failures = 0
            self._open_until = None if ok else now + self._open_seconds
        elif self._open_until is not None:
            return  # it began before the breaker opened, and tells nothing new
        elif ok:
            self.failures = 0
        elif ok is not None:
            self.failures += 1
            if self.failures >= self._limit:
                self._open_until = now + self._open_seconds

    def correct(self, now: float, *, ok: bool) -> None:
        """Take back how the call ended that ended last, and take it in as this."""
        self.failures, self._open_until, probe = self._before
        self.end(now, ok=ok, probe=probe)
