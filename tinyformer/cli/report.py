"""How the figures of trained models are printed."""

from __future__ import annotations

from typing import Any

from ..train.private import in_words
from ..train.scores import spread, standard_error


def show(figures: dict[str, Any]) -> None:
    """Print what ``Task.evaluate`` returned: tables for classifiers and translations, otherwise a line per figure."""
    figures = dict(figures)
    if private := figures.pop("privacy", None):
        show(figures)
        print(f"\nprivacy             {in_words(private)}")
        return
    if "confusion" in figures:
        show_classifier(figures)
        return
    if "exact_match" in figures:
        show_answers(figures)
        return
    if "frechet_distance" in figures:
        show_pictures(figures)
        return
    width = max(19, *map(len, figures)) + 1
    for name, value in figures.items():
        if isinstance(value, float):
            value = f"{value:,.4f}"
        elif isinstance(value, int):
            value = f"{value:,}"
        elif isinstance(value, tuple):
            value = "{:,.4f} … {:,.4f} (95 %)".format(*value)
        print(f"{name:<{width}}{value}")


def show_classifier(figures: dict[str, Any]) -> None:
    """Print the figures of ``Labeled.evaluate`` as tables."""
    (low, high), n = figures["confidence_interval"], figures["examples"]
    print(f"{figures['model']} on {figures['set']}, {figures['split']} split, {figures['examples']:,} "
          f"{figures['kind']}\n")
    print(f"accuracy            {share(figures['accuracy'], n)} (standard error; 95 % interval {low:.2%} … {high:.2%})")
    print(f"{figures['baseline']:<20}{share(figures['baseline_accuracy'], n)}   {verdict(figures)}")
    print(f"most frequent class {share(figures['most_frequent_class_accuracy'], n)}")
    for name, title in (("roc_auc", "ROC-AUC"), ("calibration_error", "calibration error"),
                        ("test_loss", "loss (nats)"),
                        ("perplexity", "perplexity")):
        print(f"{title:<20}{figures[name]:.4f}")
    print(f"size                {figures['parameters']:,} parameters, {figures['megabytes']:.2f} MB")
    print(f"speed               {figures['examples_per_s']:,} {figures['kind']}/s")
    if figures.get("cut"):
        print(f"cut                 {figures['cut']:,} {figures['kind']}, which are longer than the model reads")
    print()

    width = max(12, *(len(name) + 2 for name in figures["classes"]))
    print(f"{'class':<{width}}precision   recall       F1   predicted as each class, in this order")
    scores = [figures[name] for name in ("precision", "recall", "f1")]
    wide = max(len(f"{n:,}") for row in figures["confusion"] for n in row)
    for k, (name, row) in enumerate(zip(figures["classes"], figures["confusion"])):
        counts = "  ".join(f"{n:>{wide},}" for n in row) if len(row) <= 10 else ""
        print(f"{name:<{width}}" + "".join(f"{score['per_class'][k]:9.4f}" for score in scores) + f"   {counts}")
    for kind in ("macro", "micro"):
        print(f"{kind:<{width}}" + "".join(f"{score[kind]:9.4f}" for score in scores))


def share(value: float, n: int) -> str:
    """A share that was counted on ``n`` examples, with its standard error."""
    return f"{value:.2%} ± {standard_error(value, n):.2%}"


def show_answers(figures: dict[str, Any]) -> None:
    """Print the figures of ``Translation.evaluate``."""
    print(f"{figures['model']} on {figures['set']}, {figures['split']} split, {figures['texts']:,} texts\n")
    print(f"exact match         {figures['exact_match']:.2%} ± {figures['standard_error']:.2%} (standard error)")
    print(f"  symbol by symbol  {figures['baseline_exact_match']:.2%} ± {figures['baseline_standard_error']:.2%}   "
          f"each symbol's most frequent partner, without context")
    print(f"error rate          {figures['error_rate']:.2%} of the symbols (edit distance)")
    print(f"  symbol by symbol  {figures['baseline_error_rate']:.2%}")
    print(f"loss                {figures['test_loss']:.4f} nats per symbol, perplexity {figures['perplexity']:.4f}")
    print(f"size                {figures['parameters']:,} parameters, {figures['megabytes']:.2f} MB")
    print(f"speed               {figures['texts_per_s']:,} texts/s, {figures['beams']} "
          f"beam{'s' * (figures['beams'] > 1)}")


def show_pictures(figures: dict[str, Any]) -> None:
    """Print the figures of a model that generates pictures: bounds on its likelihood, the judge's of its samples."""
    print(f"{figures['model']} on {figures['set']}, {figures['split']} split, {figures['examples']:,} "
          f"{figures['kind']}\n")
    if "neg_elbo" in figures:
        print(f"−ELBO               {figures['neg_elbo']:.2f} ± {figures['standard_error']:.2f} nats a picture: "
              f"reconstruction {figures['reconstruction']:.2f}, KL {figures['kl']:.2f}")
        print(f"−ln p(x)            at most {figures['neg_log_likelihood']:.2f}, by {figures['weighted_samples']} "
              f"weighted samples of z")
        for name, value in figures["baselines"].items():
            print(f"  {name:<26}{value:.2f}")
        print(f"latent numbers      {figures['active_latents']} of {figures['n_latent']} used")
    print(f"samples             {figures['samples']:,}, judged by a classifier whose accuracy is "
          f"{figures['judge_accuracy']:.1%} on real pictures")
    print(f"classes covered     {figures['classes_covered']} of {len(figures['class_shares'])} (at least 1 % of the "
          f"samples); shares {' '.join(f'{share:.0%}' for share in figures['class_shares'])}")
    print(f"confidence          {figures['confidence']:.3f}; of real pictures {figures['real_confidence']:.3f}")
    print(f"Fréchet distance    {figures['frechet_distance']:.2f}; of as many training pictures "
          f"{figures['training_frechet_distance']:.2f}")
    print(f"nearest training    {figures['nearest_distance']:.2f} (median distance); from real pictures "
          f"{figures['real_nearest_distance']:.2f}")
    print(f"size                {figures['parameters']:,} parameters, {figures['megabytes']:.2f} MB")


def verdict(figures: dict[str, Any]) -> str:
    """Whether a classifier is better than its baseline, with the p-value."""
    test, difference = figures["against_baseline"], figures["accuracy"] - figures["baseline_accuracy"]
    if test["only_first"] + test["only_second"] == 0:
        return "the same answers"
    sure = f"p = {test['p_exact']:.2g} by McNemar's test"
    if difference > 0:
        return f"this model is better by {difference:.2%} ({sure})"
    return f"this model LOSES to it by {-difference:.2%} ({sure})" if difference else f"as good as it ({sure})"


def show_comparison(figures: dict[str, Any]) -> None:
    """Print what ``train.compare`` returned: a line for each model and for the baseline, then mean and spread."""
    rows = [*figures["models"], figures["baseline"]]
    width = max(len(row["model"]) for row in rows) + 2
    print(f"{'model':<{width}}accuracy  (standard error of the test)   against the first: "
          "right alone, p of McNemar's test")
    for i, row in enumerate(rows):
        test = row.get("against_first")
        against = "on another test" * (i > 0)
        if test:
            against = f"{test['only_first']} : {test['only_second']}   p = {test['p_exact']:.3g}"
        print(f"{row['model']:<{width}}{row['accuracy']:.2%}    ± {row['standard_error']:.2%}    {against}".rstrip())
    if "accuracy" in figures:
        print(summary(figures["accuracy"]))


def summary(spread: dict[str, float]) -> str:
    """The line about the mean of several runs."""
    return (f"mean of {spread['n']} runs {spread['mean']:.2%} ± {spread['se']:.2%} (standard error), "
            f"standard deviation {spread['sd']:.2%}")


def show_explanations(figures: dict[str, Any]) -> None:
    """Print what ``evaluate_explanations`` returned, for one model or for several: areas and rank correlations."""
    models = figures.get("models", [figures])
    for one in models:
        noun = "pictures" if "pictures" in one else "texts"
        print(f"{one['model']}, {one[noun]} {noun} of the test split; areas under the probability of the predicted "
              f"class (± standard error over {noun})\n")
        _explanation_rows({name: [part[side] for side in ("deletion", "insertion")]
                           for name, part in one["methods"].items()}, one["sanity"])
    if len(models) > 1:
        print(f"the means of {len(models)} models (± standard deviation between them)\n")
        means = {name: [spread([one["methods"][name][side]["mean"] for one in models])
                        for side in ("deletion", "insertion")]
                 for name in models[0]["methods"] if all(name in one["methods"] for one in models)}
        sanity = {name: sum(one["sanity"][name] for one in models) / len(models) for name in means if name != "random"}
        _explanation_rows({name: [{"mean": part["mean"], "standard_error": part["sd"]} for part in both]
                           for name, both in means.items()}, sanity)


def _explanation_rows(areas: dict[str, list[dict[str, float]]], sanity: dict[str, float]) -> None:
    print(f"{'':<22}{'deletion (low is good)':<26}{'insertion (high is good)':<27}rank correlation, random weights")
    for name, both in areas.items():
        cells = "".join(f"{part['mean']:.3f} ± {part['standard_error']:.3f}".ljust(26) for part in both)
        print(f"{name:<22}{cells} {sanity[name]:+.2f}" if name in sanity else f"{name:<22}{cells}".rstrip())
    print()
