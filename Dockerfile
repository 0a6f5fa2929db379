# The server in a container:
#
#     docker build -t tinyformer .
#     docker run -p 127.0.0.1:8000:8000 -v "$PWD/runs/pydocs-char:/models:ro" tinyformer
#
# If the folder wheels/ exists, the build installs from there alone and asks no index. With Python 3.11 on the same kind
# of machine, this command fills the folder:
#
#     pip wheel --wheel-dir wheels ".[serve]" "setuptools>=77" "pybind11>=2.13"

# Both images must have the same Python in the same place: the second stage takes over a virtual environment.
ARG BUILD_IMAGE=docker.io/library/python:3.11.14-bookworm
ARG RUN_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

# First stage, with a C++ compiler: a wheel with the kernels, and an environment in which it is installed.
FROM ${BUILD_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore TINYFORMER_REQUIRE_NATIVE=1
WORKDIR /source
COPY . .
RUN if [ -d wheels ]; then export PIP_NO_INDEX=1 PIP_FIND_LINKS=/source/wheels; fi \
    && python -m venv /opt/tinyformer \
    && /opt/tinyformer/bin/pip wheel --no-deps --wheel-dir /dist . \
    && /opt/tinyformer/bin/pip install "$(ls /dist/tinyformer-*.whl)[serve]"

# Second stage: that environment on a small image, without a compiler and without the source.
FROM ${RUN_IMAGE}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin tinyformer
COPY --from=build /opt/tinyformer /opt/tinyformer
ENV PATH=/opt/tinyformer/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp
USER 10001
VOLUME /models
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"]
# No shell in between: SIGTERM reaches the server, which finishes the running requests and ends.
ENTRYPOINT ["tinyformer", "serve", "--host", "0.0.0.0", "--port", "8000", "--model", "/models"]
