"""tinyformer fairness"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer


def command(
    context: typer.Context,
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a classifier of texts. Default: the newest in runs/.")] = None,
    swap: Annotated[Optional[list[str]], typer.Option(
        metavar="he=she …", help="Pairs of words to swap.")] = None,
    swaps: Annotated[Optional[str], typer.Option(
        metavar="FILE", help="More pairs: pronouns, gender, names, or a JSON file such as {\"he\": \"she\"}. Default: "
                             "pronouns, English and Chinese.")] = None,
    texts: Annotated[Optional[Path], typer.Option(
        metavar="FILE", help="The texts: one a line, or the column of texts in a .csv or .tsv file. Default: the test "
                             "split of the model's recipe.")] = None,
    group: Annotated[Optional[str], typer.Option(
        metavar="COLUMN", help="Compare the groups in this column of the .csv or .tsv file instead.")] = None,
    target: Annotated[Optional[str], typer.Option(
        metavar="CLASS", help="The class whose probability is the score. Default: the last one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    plot: Annotated[bool, typer.Option(
        "--plot", help="Draw into DIR/fairness.png: the pairs of scores against the diagonal; with --group, the rates "
                       "of the groups with their intervals.")] = False,
) -> None:
    """Test a classifier of texts for bias.

    Every text with a swap word is scored before and after a swap of these words: he ↔ she, 他 ↔ 她. The gap is the
    score with the first word of the pair minus the score with the second. The command prints the mean gap with its 95 %
    interval and its test, the share of labels that the swap changes, and the largest gaps.

    With --group, it prints the rates of each group with their intervals, the differences of the groups, demographic
    parity, equalized odds, and calibration within groups.
    """
    from ..train.fairness import TextScorer
    from .runs import newest_run
    if group is not None and (texts is None or texts.suffix not in (".csv", ".tsv")):
        raise ValueError(f"--group {group}: expected --texts with a .csv or .tsv file that has this column")
    if group is not None and (swap or swaps):
        raise ValueError("--group compares groups and swaps no words; expected no --swap and no --swaps")
    if context.args and not swap:
        raise ValueError(f"got {context.args[0]!r}, expected options only")
    words = [*(swap or ()), *context.args]                  # all but the first after --swap
    pairs = {} if group is not None else chosen_pairs(words, swaps)
    scorer = TextScorer(model or newest_run("classification"), target)
    (compare_groups if group is not None else compare_swaps)(scorer, texts, group or pairs, as_json, plot)


def compare_swaps(scorer: Any, texts: Path | None, pairs: Any, as_json: bool, plot: bool) -> None:
    """Print the counterfactual test of the texts, or of the test split, and draw it."""
    from ..train.fairness import measure_swaps, read_texts
    from ..viz.fairness import draw_pairs
    data = scorer.run.recipe.data if scorer.run.recipe else None
    own = read_texts(texts, getattr(data, "text", "text")) if texts is not None else None
    report, largest = measure_swaps(scorer, own, pairs)
    if as_json:
        print(json.dumps({**report.as_dict(), "target": scorer.target, "largest": largest}, ensure_ascii=False))
    else:
        print(f"score: the probability of {scorer.target}; gap: first word − second word of a pair\n{report}\n")
        print("largest gaps:")
        for one in largest:
            print(f"{one['gap']:+.3f}  {one['text']}\n        {one['swapped']}")
    if plot:
        draw_pairs(report.first, report.second, scorer.folder / "fairness.png",
                   title=f"P({scorer.target}), {report.n} texts")
        say_where(scorer, as_json)


def compare_groups(scorer: Any, path: Path, column: Any, as_json: bool, plot: bool) -> None:
    """Print the rates of the groups in a column, and draw them."""
    from ..train.fairness import measure_groups
    from ..viz.fairness import draw_group_rates
    found = measure_groups(scorer, path, column)
    intervals = {name: one["intervals"] for name, one in found["groups"].items()}
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        show_groups(found)
    if plot:
        draw_group_rates(found["groups"], intervals, scorer.folder / "fairness.png",
                         title=f"positive class: {scorer.target}")
        say_where(scorer, as_json)


def show_groups(found: Mapping[str, Any]) -> None:
    """Print the report of ``measure_groups``: a block of rows for each rate."""
    print(f"positive class: {found['target']}   intervals: 95 %   differences: minus {found['reference']}")
    print("examples: " + "   ".join(f"{name} {one['count']:,}" for name, one in found["groups"].items()))
    for rate, differences in found["differences"].items():
        print(f"\n{rate.replace('_', ' ')}")
        for name, one in found["groups"].items():
            line = f"  {name:<16} {one[rate]:6.1%}  {shown(one['intervals'][rate]):<16}"
            if name in differences:
                line += f"   difference {differences[name]['difference']:+.1%} {shown(differences[name]['interval'])}"
            print(line.rstrip())
    print("\ncalibration: share of positive labels − mean probability")
    for name, one in found["calibration"].items():
        print(f"  {name:<16} {one['difference']:+6.1%}  {shown(one['interval'])}  error {one['error']:.3f}")
    print(f"\ndemographic parity difference {found['demographic_parity_difference']:.4f}")
    print(f"equalized odds difference     {found['equalized_odds_difference']:.4f}")


def shown(interval: Sequence[float]) -> str:
    """An interval of shares in percent."""
    return f"[{interval[0]:.1%}, {interval[1]:.1%}]"


def chosen_pairs(swap: Sequence[str], source: str | None) -> dict[str, Any]:
    """The pairs of --swap and of --swaps; a word may have several partners, as in --swap his=her --swap his=hers."""
    from ..fairness import load_swaps
    found: dict[str, Any] = dict(load_swaps(source or "pronouns")) if source or not swap else {}
    for pair in swap:
        first, equals, second = pair.partition("=")
        if not (equals and first.strip() and second.strip()):
            raise ValueError(f"--swap {pair}: expected two words such as he=she")
        have = found.get(first.strip(), [])
        found[first.strip()] = [*([have] if isinstance(have, str) else have), second.strip()]
    return found


def say_where(scorer: Any, as_json: bool) -> None:
    """Say where the picture is, unless the output is JSON."""
    if not as_json:
        print(f"\npicture  {scorer.folder / 'fairness.png'}")
