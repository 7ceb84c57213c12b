"""All mutations, place by place."""

from tests.mutations.catalogue.around import AROUND
from tests.mutations.catalogue.asking import ASKING
from tests.mutations.catalogue.bench import BENCH
from tests.mutations.catalogue.evaluation import EVALUATION
from tests.mutations.catalogue.howmuch import HOWMUCH
from tests.mutations.catalogue.lmms import LMMS
from tests.mutations.catalogue.maths import MATHS
from tests.mutations.catalogue.matters import MATTERS
from tests.mutations.catalogue.methods import METHODS
from tests.mutations.catalogue.models import MODELS
from tests.mutations.catalogue.peers import NEWER
from tests.mutations.catalogue.pruning import PRUNING
from tests.mutations.catalogue.serving import SERVING

MUTATIONS = (
    *METHODS, *NEWER, *MATHS, *PRUNING, *ASKING, *MODELS, *AROUND, *BENCH, *EVALUATION,
    *MATTERS,
    *HOWMUCH,
    *LMMS,
    *SERVING,
)  # fmt: skip
"""In the order in which a token meets the code."""

__all__ = ["MUTATIONS"]
