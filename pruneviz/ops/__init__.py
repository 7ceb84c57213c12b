"""The pure maths of visual-token pruning: tensors in, tensors out.

Nothing here knows a model, a hook or a file. Every function accepts any device
and floating dtype and computes in float32 or better.
"""

from pruneviz.ops.attention import attention_rows, rotated, self_attention_means
from pruneviz.ops.coverage import Coverage, coverage_greedy, coverage_profile
from pruneviz.ops.kernels import plain_only, transition_stats
from pruneviz.ops.merging import (
    assign_to_targets,
    bipartite_merge,
    contextual_tokens,
    density_peaks,
    even_places,
    grid_cells,
    group_means,
    group_sizes,
    split_budget,
    spread_cells,
)
from pruneviz.ops.places import added_at, homes, others, places_in, taken_at
from pruneviz.ops.residual import (
    conditional_dpp,
    diversity_profile,
    dpp_profile,
    max_min_diversity,
    pick_profile,
    pick_scores,
    residual_greedy,
    text_relevance,
)
from pruneviz.ops.scores import (
    fopru_significance,
    l1_normalise,
    larger_variance,
    products,
    text_raters,
    top_indices,
)
from pruneviz.ops.transition import (
    DIRECTIONS,
    PARTS,
    token_transition,
    transition_terms,
    transition_values,
)

__all__ = [
    "DIRECTIONS",
    "PARTS",
    "Coverage",
    "added_at",
    "assign_to_targets",
    "attention_rows",
    "bipartite_merge",
    "conditional_dpp",
    "contextual_tokens",
    "coverage_greedy",
    "coverage_profile",
    "density_peaks",
    "diversity_profile",
    "dpp_profile",
    "even_places",
    "fopru_significance",
    "grid_cells",
    "group_means",
    "group_sizes",
    "homes",
    "l1_normalise",
    "larger_variance",
    "max_min_diversity",
    "others",
    "pick_profile",
    "pick_scores",
    "places_in",
    "plain_only",
    "products",
    "residual_greedy",
    "rotated",
    "self_attention_means",
    "split_budget",
    "spread_cells",
    "taken_at",
    "text_raters",
    "text_relevance",
    "token_transition",
    "top_indices",
    "transition_stats",
    "transition_terms",
    "transition_values",
]
