"""Methods that prune once, before the LLM."""

from __future__ import annotations

from dataclasses import dataclass

from pruneviz.methods.base.method import Method, Stage


@dataclass(frozen=True, kw_only=True)
class BeforeLLM(Method):
    """Base of methods with a single stage at layer 0."""

    def stages(self) -> tuple[Stage, ...]:
        """One stage, before the LLM."""
        return (Stage(0),)
