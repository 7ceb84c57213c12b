"""The beta distribution, which exact intervals of a proportion and Student's t are made of."""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt

TINY = 1e-300
"""In place of a zero denominator."""
TERMS = 10_000
HALVINGS = 60


def beta_cdf(x: float, a: float, b: float) -> float:
    """Probability that a beta variable of shapes `a` and `b`, above 0, is at most `x`.

    Notes
    -----
    The continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, summed by
    Lentz's method; it takes about the square root of the larger shape in terms.
    """
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction is quick on the other side only
        return 1.0 - beta_cdf(1.0 - x, b, a)
    front = a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b) - log(a)
    return exp(front) / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...))."""
    value, upper, lower = 1.0, 1.0, 0.0
    for term in range(1, TERMS):
        half, odd = divmod(term, 2)
        if odd:
            d = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            d = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        upper = 1.0 + d / upper or TINY
        lower = 1.0 / (1.0 + d * lower or TINY)
        value *= upper * lower
        if abs(upper * lower - 1.0) < 1e-15:
            break
    return value


def beta_quantile(p: float, a: float, b: float) -> float:
    """Where :func:`beta_cdf` reaches `p`, by halving; to 1e-15 or better."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t with so many degrees of freedom; `p` above one half."""
    x = beta_quantile(2 * (1 - p), freedom / 2, 0.5)
    return sqrt(freedom * (1 - x) / x)
