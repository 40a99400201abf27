"""The prompt ensemble: sentences that stand for a normal and for an abnormal object."""

from __future__ import annotations

NORMAL_STATES = ("{}", "a {}", "the {}")
ABNORMAL_STATES = (
    "a damaged {}",
    "a broken {}",
    "a {} with flaw",
    "a {} with defect",
    "a {} with damage",
)
TEMPLATES = ("{}.", "a photo of {}.")


def sentences(states: tuple[str, ...], name: str) -> list[str]:
    """All states of the object `name` in all templates."""
    return [
        template.replace("{}", state.replace("{}", name))
        for state in states
        for template in TEMPLATES
    ]
