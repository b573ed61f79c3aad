"""`lgsp demo`: an invented province on one node, with real traffic and the figures that come of it. Open `run.py`."""

from gateway.demo.run import demo

__all__ = ["demo"]
