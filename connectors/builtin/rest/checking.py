"""A connection test, spelt out step by step."""

from typing import Literal

from connectors.builtin.rest.addresses import Target
from connectors.contract import CheckStep

Step = Literal["dns", "tcp", "tls", "credentials", "contract"]
ORDER: tuple[Step, ...] = ("dns", "tcp", "tls", "credentials", "contract")


def step_of(reason: str) -> Step:
    """Return the step that failed when nothing could be sent for this reason."""
    if reason == "dns":
        return "dns"
    return "tls" if reason.startswith("tls") else "tcp"


def steps(
    target: Target, failed: Step | None, detail: str, milliseconds: float | None = None
) -> list[CheckStep]:
    """Spell a test out: what lies before the failed step went well, what lies behind it was not tried."""
    found: list[CheckStep] = []
    reached = True
    for step in ORDER:
        if not reached:
            found.append(CheckStep(step=step, ok=None))
        elif step == failed:
            found.append(CheckStep(step=step, ok=False, detail=f"{target.authority}: {detail}"))
            reached = False
        elif (step == "tls" and target.base.startswith("http:")) or (step == "dns" and target.is_literal):
            found.append(CheckStep(step=step, ok=None, detail=f"{target.authority}: not needed"))
        else:
            last = step == ORDER[-1]
            found.append(
                CheckStep(
                    step=step,
                    ok=True,
                    detail=f"{target.authority}: {detail}" if last else target.authority,
                    milliseconds=milliseconds if last else None,
                )
            )
    return found
