"""What ``import tinyformer`` brings with it."""

import subprocess
import sys
import sysconfig

CODE = """
import sys
before = set(sys.modules)   # what the installation itself loads, such as the finder of an editable install
import tinyformer as tfm
tfm.ops.gelu(tfm.nn.Linear(3, 2)(tfm.tensor([[1.0, 2.0, 3.0]])))
tfm.optim.SGD([tfm.tensor([1.0], requires_grad=True)], lr=0.1)
for name in set(sys.modules) - before:
    print(name, getattr(sys.modules[name], "__file__", None) or "")
"""


def test_numpy_is_the_only_third_party_import():
    output = subprocess.run([sys.executable, "-X", "utf8", "-c", CODE], capture_output=True, text=True,
                            check=True).stdout
    places = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    loaded = [line.split(" ", 1) for line in output.splitlines()]
    foreign = {name.partition(".")[0] for name, file in loaded if file.startswith(places)}
    assert foreign - {"tinyformer"} == {"numpy"}


def test_the_version_is_the_packages():
    from importlib.metadata import version

    import tinyformer
    assert tinyformer.__version__ == version("tinyformer")
