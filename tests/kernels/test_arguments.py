"""What the bindings take: arrays, and nothing that would become one behind the caller's back."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

N, C, V, T, B, H = 3, 4, 5, 2, 3, 2
NOT_A_KERNEL = {"isa", "use_isa", "set_num_threads", "get_num_threads", "threading", "peak"}


def f(*shape):
    return np.ones(shape, "f")


def i(*shape):
    return np.zeros(shape, np.int64)


# For each kernel a call that is right: (arguments, the name of each that is an array).
HEADS = f(1, 2, 3, 4)
SCORES = f(1, 2, 3, 3)
WINDOWS = (1, 1, 0, 0, 1, 1)
ATTENTION = "q k v bias keep o L"
CALLS = {
    "matmul": ((f(N, C), f(C, V), f(N, V), 1.0, 0.0, f(V), f(N, V), f(N, V)), "a b c - - bias preactivation residual"),
    "attention_forward": ((HEADS, HEADS, HEADS, SCORES, SCORES, HEADS.copy(), f(2, 1, 2, 3), 1.0, False), ATTENTION),
    "attention_backward": ((HEADS, HEADS, HEADS, SCORES, SCORES, HEADS, f(2, 1, 2, 3), HEADS, HEADS.copy(),
                            HEADS.copy(), HEADS.copy(),
                            SCORES.copy(), 1.0, False), ATTENTION + " dO dq dk dv ds"),
    "norm_forward": ((f(N, C), f(C), f(C), 1e-5, f(N, C), f(N), f(N)), "x weight bias - y mean inverse"),
    "norm_backward": ((f(N, C), f(C), f(N), f(N), f(N, C), f(N, C), f(C), f(C)),
                      "x weight mean inverse dy dx dweight dbias"),
    "softmax_forward": ((f(N, C), f(N, C)), "x y"),
    "softmax_backward": ((f(N, C), f(N, C), f(N, C)), "y dy dx"),
    "cross_entropy_forward": ((f(N, V), i(N), 0.1, f(N), f(N)), "logits targets - losses sums"),
    "cross_entropy_backward": ((f(N, V), i(N), 0.1, f(N), f(N), f(N, V)), "logits targets - sums weights dlogits"),
    "activation_forward": ((0, f(C), f(C)), "- x y"),
    "activation_backward": ((0, f(C), f(C), f(C)), "- x dy dx"),
    "dropout": ((f(C), f(C), 0.5, f(C)), "x draws - y"),
    "embedding_gradient": ((i(N), f(N, C), f(V, C)), "indices dy dweight"),
    "conv_forward": ((f(2, 4, 5, 5), f(6, 2, 3, 3), f(6), WINDOWS, f(2, 6, 3, 3)), "x weight bias - y"),
    "conv_input_gradient": ((f(2, 6, 3, 3), f(6, 2, 3, 3), WINDOWS, f(2, 4, 5, 5)), "dy weight - dx"),
    "conv_weight_gradient": ((f(2, 6, 3, 3), f(2, 4, 5, 5), WINDOWS, f(6, 2, 3, 3)), "dy x - dweight"),
    "max_pool_forward": ((f(2, 4, 5, 5), 3, 3, WINDOWS, f(2, 4, 3, 3), i(2, 4, 3, 3)), "x - - - y indices"),
    "max_pool_backward": ((f(2, 4, 3, 3), i(2, 4, 3, 3), f(2, 4, 5, 5)), "dy indices dx"),
    "lstm_forward": ((f(T, B, 4 * H), f(4 * H, H), i(B), False, f(T + 1, B, H), f(T + 1, B, H)),
                     "gates weight lengths - h c"),
    "lstm_backward": ((f(T, B, 4 * H), f(T + 1, B, H), f(4 * H, H), i(B), False, f(T, B, H), f(T, B, 4 * H), f(B, H),
                       f(B, H)),
                      "gates c weight lengths - dy da dh dc"),
    "block_step": ((f(B, 4), f(B, 2, 3, 2), f(B, 2, 3, 2), 0,
                    (f(4), f(4), f(12, 4), f(12), f(4, 4), f(4), f(4), f(4), f(5, 4), f(5), f(4, 5), f(4)), 1e-5, i(B)),
                   "x keys values - "
                   "norm1,norm1's_bias,qkv,qkv's_bias,proj,proj's_bias,norm2,norm2's_bias,fc,fc's_bias,out,"
                   "out's_bias - pasts"),
    "adamw": (([(f(C), f(C), f(C), f(C), 0.1, 0.1, 0.9, 0.9, 1e-8, 0.1, 0.1)],), "[theta,gradient,m,v"),
    "sum_of_squares": (([f(C), f(C)],), "arrays[0],arrays[1]"),
}


def places(call):
    """(name, replace) of each array of the call: replace(x) gives the arguments with x in its place."""
    arguments, names = CALLS[call]
    for at, name in enumerate(names.split()):
        if "," not in name:
            if name != "-":
                yield name, lambda x, at=at: (*arguments[:at], x, *arguments[at + 1:])
            continue
        for inner, part in enumerate(name.removeprefix("[").split(",")):
            def replace(x, at=at, inner=inner):
                group = arguments[at][0] if call == "adamw" else arguments[at]
                group = type(group)((*group[:inner], x, *group[inner + 1:]))
                return (*arguments[:at], [group] if call == "adamw" else group, *arguments[at + 1:])
            yield part.replace("_", " "), replace


def test_every_kernel_is_tried(binding):
    functions = {name for name, member in inspect.getmembers(binding.library, callable) if not name.startswith("_")}
    assert functions - NOT_A_KERNEL == set(CALLS)


@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_array_is_refused_by_name(binding, call):
    kernel = getattr(binding.library, call)
    kernel(*CALLS[call][0])
    for name, replace in places(call):
        for wrong in ([1.0, 2.0], (1.0,), 3.0, np.float32(3), "text", memoryview(b"1234")):
            message = f"^{re.escape(name)} is a (numpy.)?{type(wrong).__name__}, expected a NumPy array$"
            with pytest.raises(TypeError, match=message):
                kernel(*replace(wrong))


@pytest.mark.parametrize("call", CALLS)
def test_arrays_of_another_type_are_refused_by_name(binding, call):
    for name, replace in places(call):
        right = next(walk(CALLS[call][0], replace))
        for dtype in (np.float16, np.dtype(">f4"), np.complex64, object):
            with pytest.raises(TypeError, match=f"^{re.escape(name)} is "):
                getattr(binding.library, call)(*replace(np.ones(right.shape, dtype)))


def walk(arguments, replace):
    """The array that ``replace`` would replace."""
    marker = object()
    stack = list(zip(replace(marker), arguments))
    while stack:
        new, old = stack.pop()
        if new is marker:
            yield old
        elif isinstance(new, (list, tuple)):
            stack += zip(new, old)


def test_a_kernel_of_more_channels_than_the_picture_is_refused(binding):
    with pytest.raises(ValueError, match=r"^weight has shape \(6, 2, 3, 3\), expected \(6, 1, 3, 3\)$"):
        binding.library.conv_forward(f(2, 1, 5, 5), f(6, 2, 3, 3), None, WINDOWS, f(2, 6, 3, 3))


@pytest.mark.parametrize("call",
                         [call for call in CALLS if call not in ("matmul", "attention_forward", "attention_backward")])
def test_arrays_with_gaps_are_refused(binding, call):
    for _, replace in places(call):
        right = next(walk(CALLS[call][0], replace))
        gaps = np.repeat(right, 2, axis=-1)[..., ::2]
        with pytest.raises(ValueError, match="not contiguous|not laid out as theta"):
            getattr(binding.library, call)(*replace(gaps))


@pytest.mark.parametrize("kernel", ["matmul(x, x)", "softmax(x)[1](x)", "attention(q, q, q)[1](q)",
                                    "sum_of_squares([x] * 9)"])
def test_python_ends_while_a_daemon_thread_is_in_a_kernel(binding, kernel):
    code = textwrap.dedent(f"""
        import threading, time
        import numpy as np
        from tinyformer.kernels import {binding.__name__.rpartition(".")[2]} as module
        x, q = np.ones((300, 300), "f"), np.ones((1, 4, 128, 32), "f")

        def forever():
            while True:
                module.{kernel}

        for _ in range(3):
            threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.05)
        print("end", flush=True)
    """)
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_gradient_that_numpy_made_a_number_is_taken(binding):
    theta, m, v = np.array(3, "f"), np.zeros((), "f"), np.zeros((), "f")
    binding.adamw([(theta, np.float32(2), m, v, 0.5, 0, 0.5, 0.5, 0, 1, 1)])
    assert (theta, m, v) == (3 - 0.5 / np.sqrt(np.float32(2)), 1, 2)
    assert binding.sum_of_squares([np.float32(3), np.ones(2, "f")]) == 11
