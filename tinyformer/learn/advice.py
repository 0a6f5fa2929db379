"""A hint for each code of the doctor, given if the answer is none of the exercise's named wrong answers."""

from ..gradcheck.codes import table

ADVICE = {
    **{name: code.advice for name, code in table().items() if code.is_mistake},
    "case": "The usual inputs pass, and these special inputs fail. Work them out by hand and read the docstring again.",
}
