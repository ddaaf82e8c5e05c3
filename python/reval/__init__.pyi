from typing import TypedDict

__all__ = ["disable", "enable", "status"]

class _Status(TypedDict):
    enabled: bool
    refusal: str | None
    version: str | None
    host: str | None
    tier2: str | None

def enable(*, jit: bool = False) -> None: ...
def disable() -> None: ...
def status() -> _Status: ...
