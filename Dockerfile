# The control plane and the command line: `docker build .`
# Name a company's mirror with --build-arg PYTHON_IMAGE=…, PIP_INDEX_URL=….
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS packages
ARG PIP_INDEX_URL
COPY requirements/image.txt .
# No Envoy: it has an image of its own. Of the models of four hundred AWS services that botocore brings, one is used.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv install --quiet --disable-pip-version-check --require-hashes --requirement image.txt \
 && find /opt/venv/lib/python3*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d ! -name appmesh -exec rm -r {} +

FROM packages AS shopmesh
ARG REVISION=unknown
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN pip --python /opt/venv install --quiet --disable-pip-version-check --no-build-isolation --no-deps --target /app . \
 && echo "$REVISION" > /app/shopmesh/_revision.txt \
 && install -d -o 10001 -g 10001 /made/var/lib/shopmesh /made/run/shopmesh/api /made/run/shopmesh/xds

FROM packages AS installed
# Other packages name these for building themselves, for colouring source code and for Markdown, which nothing here does: 20 MB.
RUN pip --python /opt/venv uninstall --quiet --yes --disable-pip-version-check setuptools pbr pycparser \
    pygments markdown-it-py mdurl
# Of the client of Kubernetes its configuration, TLS and credentials are used; models and calls of 600 types are 40 MB.
RUN cd /opt/venv/lib/python3*/site-packages/kubernetes_asyncio/client \
 && rm -r api models/* __pycache__/__init__.* && touch models/__init__.py \
 && sed -i '/^from kubernetes_asyncio\.client\.\(api\|models\)\./d; /^__all__ = \[/,/^\]/d' __init__.py \
 && /opt/venv/bin/python -m compileall -q .

FROM ${PYTHON_IMAGE}
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shopmesh/control-plane" \
      org.opencontainers.image.description="An App-Mesh-compatible control plane for stock Envoy, and its command line" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/app/bin:/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SHOPMESH_WITHOUT_ENVOY=1
COPY --from=installed /opt/venv /opt/venv
# A named volume takes its owner from the folder that it is mounted on.
COPY --from=shopmesh --chown=10001:10001 /made/ /
COPY --from=shopmesh /app /app
WORKDIR /work
USER 10001:10001
EXPOSE 9080 18000
ENTRYPOINT ["shopmesh"]
CMD ["--help"]
