"""The results as text in columns."""

from __future__ import annotations

from .measure import Figure

HEADINGS = ("what", "threads", "rustgrad", "torch", "numpy", "jax", "ratio", "wanted", "")
LIBRARIES = ("rustgrad", "torch", "numpy", "jax")
NOTHING = "–"


def quantity(value: float | None, unit: str) -> str:
    """A number with its unit, three digits: seconds as ns, µs, ms or s."""
    if value is None:
        return NOTHING
    if unit != "s":
        return f"{value:.3g} {unit}"
    for scale, name in ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms")):
        if value < 999.5 * scale:
            return f"{value / scale:.3g} {name}"
    return f"{value:.3g} s"


def cells(figure: Figure) -> tuple[str, ...]:
    relative = figure.against is not None or figure.unit == "s"
    ratio = NOTHING
    if figure.ratio is not None and relative:
        ratio = f"{figure.ratio:.2f} ×"
    wanted = ""
    if figure.limit is not None:
        sign = "≥" if figure.higher_is_better else "≤"
        against = figure.against or figure.note
        wanted = f"{sign} {figure.limit:g} × {against}" if relative else f"{sign} {figure.limit:g} {figure.unit}"
    verdict = {True: "pass", False: "MISS", None: ""}[figure.met]
    return (
        figure.name,
        str(figure.threads or ""),
        *(quantity(figure.values.get(name), figure.unit) for name in LIBRARIES),
        ratio,
        wanted,
        verdict,
    )


WIDTHS = (62, 7, 10, 10, 10, 10, 8, 17, 4)


def line(parts: tuple[str, ...]) -> str:
    first, *rest = parts
    aligned = [first.ljust(WIDTHS[0])]
    for n, (part, width) in enumerate(zip(rest, WIDTHS[1:], strict=True), start=1):
        aligned.append(part.ljust(width) if n >= 7 else part.rjust(width))
    return "  ".join(aligned).rstrip()


def heading() -> str:
    return f"{line(HEADINGS)}\n{'─' * (sum(WIDTHS) + 2 * (len(WIDTHS) - 1))}"


def summary(figures: list[Figure]) -> str:
    met = sum(figure.met is True for figure in figures)
    missed = [figure for figure in figures if figure.met is False]
    unjudged = sum(figure.met is None and figure.limit is not None for figure in figures)
    text = f"{met} figures reached, {len(missed)} missed, {unjudged} not comparable here"
    return "\n".join(
        [text, *(f"  MISS {f.group}: {f.name}" + (f", {f.threads} threads" * bool(f.threads)) for f in missed)]
    )
