"""Runs one service or all of them in a process: settings, wiring of carriers, signals, supervision."""

from jornada.runtime.service import Resource, Service
from jornada.runtime.settings import CommonSettings

__all__ = ["CommonSettings", "Resource", "Service"]
