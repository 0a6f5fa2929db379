"""Any number of threads gives the same bits; calls from several threads, and after fork, give them too."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest


def work(module, rng_seed=0):
    """Results of kernels that share work: all shapes large enough to be cut into many pieces."""
    rng = np.random.default_rng(rng_seed)
    x, W = rng.standard_normal((400, 150)).astype("f"), rng.standard_normal((200, 150)).astype("f")
    q, k, v = rng.standard_normal((3, 2, 3, 100, 16)).astype("f")
    out, vjp = module.attention(q, k, v, is_causal=True)
    batch = rng.standard_normal((24, 40, 50)).astype("f")
    results = [module.matmul(x, W.T), module.matmul(x.T, x), module.matmul(batch, batch.swapaxes(1, 2)), out,
               *vjp(out)[:3]]

    targets, draws = rng.integers(-1, 150, 400), rng.random(x.shape, dtype="f")
    for y, back in (module.layer_norm(x, x[0], x[1], 1e-5), module.rms_norm(x, x[0], 1e-5), module.softmax(x),
                    module.gelu(x), module.gelu_tanh(x), module.silu(x), module.dropout(x, draws, 0.1),
                    module.linear_gelu(x, W, None), module.cross_entropy(x, targets, 0.1)):
        gradients = back(np.cos(y))
        results += [y, *(gradients if isinstance(gradients, tuple) else [gradients])]
    theta, m, v = x.copy(), np.zeros_like(x), np.zeros_like(x)
    module.adamw([(theta, x, m, v, 0.1, 0.01, 0.9, 0.99, 1e-8, 0.1, 0.01),
                  (W, W.copy(), W.copy(), W * W, 0.1, 0, 0.9, 0.99, 1e-8, 1, 1)])
    return [*results, theta, m, v, W, module.embedding_gradient(targets + 1, x, 151), module.sum_of_squares([x, W])]


def assert_same(results, expected):
    for got, want in zip(results, expected, strict=True):
        assert np.array_equal(got, want)


def test_the_same_bits_for_any_number_of_threads(binding):
    binding.library.set_num_threads(1)
    alone = work(binding)
    for n in (2, 3, 5, 16):
        binding.library.set_num_threads(n)
        assert binding.library.get_num_threads() == n
        for _ in range(3):
            assert_same(work(binding), alone)


def test_several_threads_call_at_once(binding):
    expected = [work(binding, seed) for seed in range(4)]
    failed = []

    def run(seed):
        try:
            for _ in range(10):
                assert_same(work(binding, seed), expected[seed])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_fork_the_child_computes_alone(binding):
    binding.library.set_num_threads(4)
    expected = work(binding)
    child = os.fork()
    if child == 0:
        try:
            assert_same(work(binding), expected)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert_same(work(binding), expected)


@pytest.mark.parametrize("variable, value, call, expected", [("TINYFORMER_NUM_THREADS", "3", "get_num_threads", "3"),
                                                             ("TINYFORMER_ISA", "portable", "isa", "portable")])
def test_the_environment_decides_at_start(binding, variable, value, call, expected):
    code = f"from tinyformer.kernels import native; print(native.library.{call}())"
    out = subprocess.run([sys.executable, "-c", code], env={**os.environ, variable: value}, text=True,
                         capture_output=True,
                         check=True).stdout
    assert out.strip() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen on this system")
def test_where_the_user_allows_one_processor_there_is_one_thread(binding):
    code = """if True:
        import os
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        from tinyformer.kernels import native
        import numpy as np
        print(native.library.get_num_threads())
        native.library.set_num_threads(3)
        native.matmul(np.ones((500, 500)), np.ones((500, 500)))
        print(*[len(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task")])"""
    env = {name: value for name, value in os.environ.items() if name != "TINYFORMER_NUM_THREADS"}
    out = subprocess.run([sys.executable, "-c", code], env=env, text=True, capture_output=True, check=True).stdout
    started, where = out.splitlines()
    assert started == "1"
    assert set(where.split()) == {"1"}, f"a worker may leave the processor that the user allowed: {where}"


def test_wrong_settings_are_refused(binding):
    with pytest.raises(ValueError, match="out of range"):
        binding.library.set_num_threads(0)
    with pytest.raises(ValueError, match="use_isa mmx"):
        binding.library.use_isa("mmx")
