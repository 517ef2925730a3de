"""What a policy needs of a training step."""

from typing import Literal, NamedTuple


class Needs(NamedTuple):
    """What a training step prepares for a policy, and what it is trained on.

    A *pass* computes the predictions and the losses above the mix point
    (``keras_amp.policies.passes``). A step makes one pass at the drawn coefficients. If
    the policy moves these, it makes another one where they have moved to.

    Attributes:
        moves: What moves up a gradient: ``"nothing"``; ``"lam"``, one coefficient of
            each example; ``"lam_per_dimension"``, one of each dimension of its hidden
            state; or ``"hidden"``, the hidden state itself.
        ascent_steps: Integer >= 0, how often it moves.
        gradient_of: Whose loss the gradient is of: ``"example"``, each example's own; or
            ``"mean"``, the batch's mean.
        noise: ``"shared"``: all passes of a step see the same noise; ``"independent"``:
            each draws its own.
        trains_on: ``"drawn"``: the losses of a pass at the drawn coefficients;
            ``"moved"``: those of a pass at the moved ones; ``"chosen"``: those of one
            more pass, at those of the two that ``policy.select`` chooses for each
            example; ``"compared"``: of the two passes themselves, each example's loss
            that ``policy.select`` chooses; ``"added"``: of several passes, which
            ``policy.search`` adds.
        first_gradient: Where the first gradient is taken: in a ``"trained"`` pass, or in
            a ``"probe"``.
        mixes: Whether the policy mixes examples at all.
        learns_unlabeled: Whether it learns from examples of sample weight 0, too.

    Example:
    >>> keras_amp.AdversarialMixing().needs.trains_on
    'chosen'
    >>> keras_amp.AdversarialMixing().needs.probes
    2
    """

    moves: Literal["nothing", "lam", "lam_per_dimension", "hidden"] = "nothing"
    ascent_steps: int = 0
    gradient_of: Literal["example", "mean"] = "example"
    noise: Literal["shared", "independent"] = "shared"
    trains_on: Literal["drawn", "moved", "chosen", "compared", "added"] = "drawn"
    first_gradient: Literal["trained", "probe"] = "trained"
    mixes: bool = True
    learns_unlabeled: bool = False

    @property
    def probes(self) -> int:
        """The number of passes of a step that are not trained on."""
        if self.trains_on == "added":
            trained = self.ascent_steps and self.first_gradient == "trained"
            return self.ascent_steps - trained
        unused = {"drawn": 0, "moved": 0, "chosen": 1, "compared": -1}
        return self.ascent_steps + unused[self.trains_on]

    @property
    def commutes(self) -> bool:
        """Whether the passes may mix above affine layers, at the same result.

        They may not where each dimension of the hidden state has its own coefficient.
        Where there is a single pass nothing is gained.
        """
        return self.moves == "lam"
