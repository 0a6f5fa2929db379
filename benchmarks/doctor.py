"""How well the gradient doctor names mistakes, and whether it ever accuses correct code.

    python benchmarks/doctor.py [--full]
    python benchmarks/doctor.py --blind [--list]
    python benchmarks/doctor.py --loops
    python benchmarks/doctor.py --alone

Prints, for each collection of wrong answers, how many are refused, named rightly, left unexplained and misnamed, and
how many a checker would name that always answers with the most frequent code; a table of what was found where another
code was expected; and the false alarms over correct operations. --full prints the whole confusion table.

--blind measures on the blind set alone, whose author had not read the hypotheses (tests/gradcheck/blind_*.py): how many
mistakes are refused, named and misnamed, and how many of 2,000 right functions are accused. A defensible name neither
names the mistake nor misleads. --list prints the cases that failed, with what was said.

--loops measures on mistakes in loops, cells, pairs and layers (tests/gradcheck/loops_*.py): the half that the
hypotheses were improved on, and the half that was held out. It also times checks of a whole Transformer block.

--alone prints for each hypothesis how many planted and written mistakes it names, and how many only it can name.
"""

from __future__ import annotations

import argparse
import collections
import importlib
import runpy
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from tinyformer.gradcheck import check

TESTS = Path(__file__).parent.parent / "tests"
PLANTED = runpy.run_path(str(TESTS / "gradcheck" / "mistakes.py"))
functions = runpy.run_path(str(TESTS / "gradcheck" / "functions.py"))["functions"]
UNSEEN, WRITTEN, STUDIED, HELD_OUT, BLOCK = (functions(TESTS / "gradcheck" / f"{name}.py") for name in (
    "unseen", "written", "loops_studied", "loops_held_out", "transformer_block"))


def exercises():
    """(what, expected codes, codes found or None if it passed) of each wrong answer of each exercise that has a vjp."""
    from tinyformer import learn
    for exercise, wrong, function in learn.wrong_answers():
        verdict = learn.grade(exercise, function)
        yield f"{exercise.name}: {wrong.name}", wrong.code.split("/"), None if verdict.ok else list(verdict.codes)


def planted(held_out):
    for mistake in PLANTED["MISTAKES"]:
        if mistake.held_out == held_out:
            report = check(mistake.function(), *mistake.operation.draw(square=mistake.square))
            yield repr(mistake), " ".join(mistake.codes).split(), _codes(report, mistake.which)


def written(functions):
    """Of each edit of each function; here the first code found must be right."""
    for function in functions:
        for which, old, new, names in function.mistakes:
            report = check(function.build(old, new), *function.draw())
            one = next(one for one in report.inputs if one.name == which)
            found = None if one.ok else [finding.code for finding in one.findings if finding.is_mistake]
            yield f"{function.name}: d{which} with {new!r}", names.split("|"), found and found[:1]


def _codes(report, which):
    one = report.inputs[which]
    return None if one.ok else [finding.code for finding in one.findings]


# What may befall any gradient g, whatever the operation: code, and the wrong gradient; None where it would change
# nothing.
WHOLE = [
    ("sign", lambda g, x, dy: -g),
    ("factor", lambda g, x, dy: 2 * g),
    ("factor", lambda g, x, dy: g / 2),
    ("factor", lambda g, x, dy: g / len(x) if x.ndim and len(x) > 1 else None),
    ("factor", lambda g, x, dy: g * np.sqrt(x.shape[-1]) if x.ndim and x.shape[-1] > 1 else None),
    ("factor", lambda g, x, dy: g * 0.9),
    ("sign factor", lambda g, x, dy: -3 * g),
    ("zero", lambda g, x, dy: 0 * g),
    ("missing", lambda g, x, dy: None),
    ("nonfinite", lambda g, x, dy: g * np.nan),
    ("upstream", lambda g, x, dy: g + 0.1),
    ("upstream", lambda g, x, dy: g * np.sum(dy ** 2)),
    ("upstream", lambda g, x, dy: g + x),
    ("transpose", lambda g, x, dy: g.T if g.ndim == 2 and 1 not in g.shape else None),
    ("keepdims", lambda g, x, dy: g[None]),
    ("shape", lambda g, x, dy: np.concatenate([g, g]) if g.ndim else None),
    ("permuted", lambda g, x, dy: g[::-1] if g.ndim and len(g) > 2 else None),
    ("permuted gate-order", lambda g, x, dy: np.roll(g, 1, axis=0) if g.ndim and len(g) > 2 else None),
    ("dropped", lambda g, x, dy: g * (np.arange(g.size).reshape(g.shape) % 3 != 0) if g.size > 4 else None),
    ("row-scale local-derivative", lambda g, x, dy: g * np.arange(1.0, len(g) + 1).reshape(-1, *(1,) * (g.ndim - 1))
     if g.ndim > 1 and min(g.shape) > 2 else None),
    ("local-derivative", lambda g, x, dy: g * x if x.size > 3 else None),
    ("local-derivative", lambda g, x, dy: g * np.exp(x) if x.size > 3 else None),
    ("dtype", lambda g, x, dy: g.astype(np.float32)),
]


def generated():
    """Each of ``WHOLE`` done to each gradient of each planted operation, and the gradient of another input in its
    place."""
    for operation in PLANTED["OPERATIONS"]:
        function, inputs = operation.function(), operation.draw(seed=1)
        for i, x in enumerate(inputs):
            if x.dtype.kind == "f":
                for code, spoil in WHOLE:
                    codes = _spoiled(function, inputs, i, spoil)
                    if codes != "same":
                        yield f"{operation.name}: d{operation.names[i]} spoiled by {code}", code.split(), codes


def _spoiled(function, inputs, i, spoil):
    same = False

    def wrong(*arrays):
        value, vjp = function(*arrays)

        def spoiled(dy):
            nonlocal same
            gradients = list(vjp(dy))
            with np.errstate(all="ignore"):
                changed = spoil(gradients[i] * 1.0, arrays[i], dy)
            same = changed is not None and np.shape(changed) == np.shape(gradients[i]) and changed.dtype == np.float64 \
                and np.array_equal(changed, gradients[i])
            gradients[i] = changed
            return tuple(gradients)
        return value, spoiled

    value, vjp = function(*inputs)
    probe = spoil(vjp(np.ones(np.shape(value)))[i] * 1.0, inputs[i], np.ones(np.shape(value)))
    if probe is None and spoil is not WHOLE[8][1]:
        return "same"
    report = check(wrong, *inputs)
    return "same" if same else _codes(report, i)


def table(title, outcomes, full):
    """Print what came of a collection."""
    began = time.perf_counter()
    counts, pairs, codes, misses = collections.Counter(), collections.Counter(), collections.Counter(), []
    for what, expected, found in outcomes:
        if found is None:
            outcome = "accepted"
        elif set(found) & set(expected):
            outcome = "named"
        else:
            outcome = "unexplained" if set(found) <= {"unexplained"} else "misnamed"
        counts[outcome] += 1
        codes.update(set(expected))
        pairs[expected[0], "+".join(found or ["accepted"])] += 1
        if outcome != "named":
            misses.append((what, "/".join(expected), outcome, "+".join(found or [])))
    total = max(sum(counts.values()), 1)
    print(f"\n{title}: {total} in {time.perf_counter() - began:.0f} s")
    for outcome in ("named", "unexplained", "misnamed", "accepted"):
        print(f"  {outcome:<12}{counts[outcome]:>5}  {100 * counts[outcome] / total:5.1f} %")
    for code, n in codes.most_common(1):
        print(f"  baseline, always {code}: {n}, {100 * n / total:.1f} %")
    for what, expected, outcome, found in misses:
        print(f"    {outcome}: {what}: expected {expected}, found {found}")
    if full:
        for (expected, found), n in sorted(pairs.items()):
            print(f"    {expected:<18}{found:<36}{n:>4}")


def false_alarms(wanted):
    """(checks, alarms) over correct operations, random shapes, float64; and over the same in float32, which is to be
    noted."""
    cases = runpy.run_path(str(TESTS / "ops" / "conftest.py"))
    all_cases = [cases["Case"](name, i) for name, rows in cases["CASES"].items() for i in range(len(rows))]
    alarms, checks, seed = [], 0, 0
    while checks < wanted:
        for case in all_cases:
            inputs, options = case.draw(100 + seed)
            if any(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in inputs):
                checks += 1
                if not check(case.operation.raw, *inputs, **options).ok:
                    alarms.append(f"{case!r}, seed {100 + seed}")
        seed += 1
    narrow = 0
    for operation in PLANTED["OPERATIONS"]:
        function, inputs = operation.function(), operation.draw()

        def in_float32(*arrays):
            value, vjp = function(*(a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays))
            return np.asarray(value, np.float32), lambda dy: tuple(None if g is None else np.asarray(g, np.float32)
                                                                   for g in vjp(dy))
        report = check(in_float32, *inputs)
        narrow += 1
        if not report.ok or any("float32" not in [f.code for f in one.findings] for one in report.inputs
                                if one.differentiated):
            alarms.append(f"{operation.name} in float32: {[f.code for one in report.inputs for f in one.findings]}")
    return checks, narrow, alarms


def blind(listed):
    """Print the figures of the blind set, and the cases that failed if ``listed``; return whether a bound is missed."""
    sys.path.insert(0, str(TESTS / "gradcheck"))
    from blind_mistakes import MISTAKES
    from blind_right import right_functions
    warnings.simplefilter("ignore", RuntimeWarning)         # of right functions at degenerate sizes
    began, totals = time.perf_counter(), []
    results = [(mistake, *mistake.outcome()) for mistake in MISTAKES]
    for what, some in (("all", results), ("with loops or classes", [r for r in results if r[0].program.loops])):
        counts = collections.Counter(outcome for _, outcome, _ in some)
        totals.append(counts)
        counts["refused"] = len(some) - counts["accepted"]
        print(f"\nblind mistakes, {what}: {len(some)}")
        for outcome in ("refused", "named", "defensible", "unexplained", "misnamed"):
            print(f"  {outcome:<12}{counts[outcome]:>5}  {100 * counts[outcome] / len(some):5.1f} %")
        (code, n), = collections.Counter(code for one, *_ in some for code in one.codes.split("|")).most_common(1)
        print(f"  baseline, always {code}: {n}, {100 * n / len(some):.1f} %")
    print(f"  in {time.perf_counter() - began:.0f} s")
    if listed:
        for mistake, outcome, said in results:
            if outcome != "named":
                print(f"    {outcome}: {mistake.name}: d{mistake.which}, {mistake.old!r} -> {mistake.new!r}: "
                      f"expected {mistake.codes}, said {said or 'nothing'}")
    checks, alarms = collections.Counter(), []
    for right in right_functions():
        checks[right.kind] += 1
        if said := right.alarm():
            alarms.append((right, said))
    print(f"\nfalse alarms on right functions: {len(alarms)} in {checks.total()}")
    for kind, n in checks.items():
        print(f"  {kind:<12}{sum(right.kind == kind for right, _ in alarms):>5} in {n}")
    if listed:
        for right, said in alarms:
            print(f"    {right.kind}: {right.name}: {said}")
    n = len(results)
    return bool(alarms) or totals[0]["refused"] < n or totals[0]["named"] < 0.92 * n or totals[0]["misnamed"] > 0.01 * n


def loops():
    """Print what is named in loops and layers, and how long a check of a whole Transformer block takes."""
    table("in loops, cells, pairs and layers, improved on", written(STUDIED), False)
    table("in loops, cells, pairs and layers, held out", written(HELD_OUT), False)
    block, = BLOCK
    print(f"\na Transformer block, B = 2, T = 4, C = 8, {sum(x.size for x in block.draw())} entries of 13 inputs")
    for old, new, codes in [("", "", "right"), *((old, new, codes) for _, old, new, codes in block.mistakes)]:
        began = time.process_time()
        report = check(block.build(old, new), *block.draw())
        found = {finding.code for one in report.inputs for finding in one.findings if finding.is_mistake}
        print(f"  {codes:<18}found {'+'.join(sorted(found)) or 'nothing':<20}"
              f"{time.process_time() - began:5.1f} s on one core")


def alone():
    """Print for each hypothesis how many mistakes it names rightly, and how many no other one would name."""
    doctor = importlib.import_module("tinyformer.gradcheck.doctor")
    everything = list(doctor.HYPOTHESES)
    cases = [(m.function(), m.operation.draw(square=m.square), m.which, " ".join(m.codes).split())
             for m in PLANTED["MISTAKES"]]
    cases += [(f.build(old, new), f.draw(), f.names.index(which), names.split("|"))
              for f in WRITTEN + UNSEEN for which, old, new, names in f.mistakes]
    named, wins = collections.Counter(), collections.Counter()
    for function, inputs, which, codes in cases:
        found = check(function, *inputs).inputs[which].findings
        by = found[0].evidence.get("hypothesis") if found and found[0].code in codes else None
        if by is not None:
            named[by] += 1
            doctor.HYPOTHESES[:] = [row for row in everything if row[0].__name__ != by]
            found = check(function, *inputs).inputs[which].findings
            wins[by] += not (found and found[0].code in codes)
            doctor.HYPOTHESES[:] = everything
    print("\nhypothesis           names   alone")
    for hypothesis, _ in everything:
        print(f"  {hypothesis.__name__:<18}{named[hypothesis.__name__]:>6}{wins[hypothesis.__name__]:>8}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--checks", type=int, default=1000, help="how many of correct operations")
    parser.add_argument("--alone", action="store_true", help="what each hypothesis wins, alone")
    parser.add_argument("--loops", action="store_true", help="measure on loops and layers, and time a whole block")
    parser.add_argument("--blind", action="store_true", help="measure on the blind set alone")
    parser.add_argument("--list", action="store_true", help="with --blind: print the cases that failed")
    options = parser.parse_args()
    if options.alone:
        return alone()
    if options.loops:
        return loops()
    if options.blind:
        return blind(options.list)
    table("wrong answers of the exercises", exercises(), options.full)
    table("planted mistakes, tuned on", planted(False), options.full)
    table("planted mistakes, held out", planted(True), options.full)
    table("in functions as learners write them, tuned on", written(WRITTEN), options.full)
    table("in functions as learners write them, held out (of first contact: see tests/gradcheck/unseen.py)",
          written(UNSEEN), options.full)
    table("generated mistakes", generated(), options.full)
    checks, narrow, alarms = false_alarms(options.checks)
    print(f"\nfalse alarms: {len(alarms)} in {checks} checks of correct operations and {narrow} in float32", *alarms,
          sep="\n    ")
    return bool(alarms)


if __name__ == "__main__":
    sys.exit(main())
