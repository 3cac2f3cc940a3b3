"""A labelled Petri net with two markings: what discovery makes, files hold and conformance replays."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition; `label` is the activity, None for a silent one."""

    name: str
    label: str | None


@dataclass(frozen=True, slots=True)
class PetriNet:
    """Arcs lead from a place to a transition or back, by name, each with weight 1. Names are unique in the net.

    Markings map places to tokens; a place that is missing has none.
    """

    places: tuple[str, ...]
    transitions: tuple[Transition, ...]
    arcs: tuple[tuple[str, str], ...]
    initial: Mapping[str, int]
    final: Mapping[str, int]
    name: str = "process"
