"""The demo: a prototype worth moving, built on the spot."""

from buttress.demo.prototype import build_prototype

__all__ = ["build_prototype"]
