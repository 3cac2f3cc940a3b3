"""How well variants fit a net: replay and alignment of each, added up by cases. Knows nothing of logs and files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lodestream_server.workloads.process_models.alignments import Aligned, Aligner, OutOfBounds, Unreachable
from lodestream_server.workloads.process_models.deviations import Deviation, Deviations, deviations_of
from lodestream_server.workloads.process_models.game import Game
from lodestream_server.workloads.process_models.net import PetriNet
from lodestream_server.workloads.process_models.precision import Precision
from lodestream_server.workloads.process_models.replay import Replay, Tokens

#: What all alignments of a run may cost: states, and for each alignment so many more. About two minutes.
MOST_EFFORT, _EACH = 30_000_000, 100


@dataclass(frozen=True, slots=True)
class Fit:
    """How a variant fits; `fitness` is that of its alignment and None where none was found within bounds."""

    replay: float
    fitness: float | None
    deviations: tuple[Deviation, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it is a run of the model."""
        return self.fitness is not None and not self.deviations


@dataclass(slots=True)
class Measuring:
    """Give it variants, the most frequent first, so that what stays out of bounds is the rare.

    `shortest` is the number of activities of the shortest run of the model; None when no run from its start to its end
    was found: then nothing is aligned.
    """

    net: PetriNet
    check: Callable[[], None]
    shortest: int | None = None
    #: Whether there is certainly no run.
    dead: bool = False
    tokens: Tokens = field(default_factory=Tokens)
    deviations: Deviations = field(default_factory=Deviations)
    cases: int = 0
    fitting: int = 0
    aligned: int = 0
    #: Sums over aligned cases: fitness, cost, and cost at the worst.
    fitness: float = 0.0
    cost: int = 0
    worst: int = 0
    effort: int = 0
    precision: Precision = field(init=False)
    _replay: Replay = field(init=False)
    _aligner: Aligner = field(init=False)

    def __post_init__(self) -> None:
        """Looks for the shortest run of the model."""
        game = Game(self.net)
        self.precision, self._replay, self._aligner = Precision(game), Replay(game), Aligner(game, self.check)
        try:
            self.shortest = self._aligner.trace([]).cost
        except OutOfBounds:
            self.shortest = None
        except Unreachable:
            self.dead = True

    def add(self, activities: Sequence[str], cases: int) -> Fit:
        """A variant with so many cases."""
        replayed = self._replay.trace(activities)
        self.tokens = self.tokens.plus(replayed.tokens, cases)
        self.cases += cases
        if replayed.tokens.perfect:
            for state, activity in zip(replayed.states, activities, strict=True):
                self.precision.add(state, activity, cases)
            return self._fitted(Fit(1.0, 1.0), len(activities), 0, cases)
        aligned = self._align(activities)
        if aligned is None or self.shortest is None:
            return Fit(replayed.tokens.fitness, None)
        for move in aligned.moves:
            if move.kind == "together":
                self.precision.add(move.state, move.activity or "", cases)
        found = deviations_of(aligned.moves)
        self.deviations.add(found, cases)
        worst = len(activities) + self.shortest
        fit = Fit(replayed.tokens.fitness, 1 - aligned.cost / worst if worst else 1.0, tuple(found))
        return self._fitted(fit, len(activities), aligned.cost, cases)

    def _align(self, activities: Sequence[str]) -> Aligned | None:
        if self.shortest is None or self.effort >= MOST_EFFORT:
            return None
        self.effort += _EACH
        try:
            aligned = self._aligner.trace(activities)
        except OutOfBounds:
            self.effort += self._aligner.most_states
            return None
        self.effort += aligned.states
        return aligned

    def _fitted(self, fit: Fit, length: int, cost: int, cases: int) -> Fit:
        self.aligned += cases
        self.fitting += cases * fit.fits
        self.fitness += cases * (fit.fitness or 0.0)
        self.cost += cases * cost
        self.worst += cases * (length + (self.shortest or 0))
        return fit
