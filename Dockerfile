# One image for both journeys: a MAP that runs once over a folder (no arguments) and the PACS node ("spine-node serve").
#
#   docker build --target cpu  --tag spine-node:cpu  .      (make image)
#   docker build --target cuda --tag spine-node:cuda .      (make image-cuda)
#
# TORCH_INDEX names a package index for torch alone; empty: pip's own configuration decides. Wheels in
# .ci/wheelhouse (make wheelhouse) are taken first by the cpu image, so that it never fetches the CUDA build.
# What pip fetches stays in the builder's cache: a build that breaks off goes on with what it has.

FROM python:3.11.14-slim-bookworm AS base

# Any uid: USER, because libraries look the name up and fail for an unknown uid; HOME, because caches need a writable
# folder. NVIDIA_*: the slim base has none, and without them no GPU is injected.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    USER=holoscan \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    HOLOSCAN_APPLICATION=/opt/holoscan/app \
    HOLOSCAN_INPUT_PATH=/var/holoscan/input \
    HOLOSCAN_OUTPUT_PATH=/var/holoscan/output \
    HOLOSCAN_WORKDIR=/var/holoscan \
    HOLOSCAN_MODEL_PATH=/opt/holoscan/models \
    HOLOSCAN_CONFIG_PATH=/var/holoscan/app.yaml \
    HOLOSCAN_APP_MANIFEST_PATH=/etc/holoscan/app.json \
    HOLOSCAN_PKG_MANIFEST_PATH=/etc/holoscan/pkg.json \
    HOLOSCAN_DOCS_PATH=/opt/holoscan/docs \
    HOLOSCAN_LOGS_PATH=/var/holoscan/logs \
    SPINE_NODE_DATA=/var/lib/spine-node


# ---- what is the same for every variant: code, models, documents, folders
FROM base AS product

COPY LICENSE README.md CHANGELOG.md /opt/holoscan/docs/
COPY models /opt/holoscan/models
COPY app.yaml /var/holoscan/app.yaml
COPY --chmod=755 app/deploy/tools /var/holoscan/tools
COPY pyproject.toml README.md LICENSE /opt/holoscan/app/
COPY operators /opt/holoscan/app/operators
COPY app /opt/holoscan/app/app
# MONAI Deploy Express starts "python3 -u /opt/holoscan/app/", so this file has to lie there too.
COPY app/__main__.py /opt/holoscan/app/__main__.py
# spine-node's settings name the folder "models" beside app.yaml; no folder for logs: a host that wants them mounts one.
RUN ln -s /opt/holoscan/models /var/holoscan/models \
 && mkdir -p /var/holoscan/input /var/holoscan/output /var/lib/spine-node \
 && chown 1000:1000 /var/holoscan/output /var/lib/spine-node


# ---- Python packages, CPU build of torch
FROM base AS packages-cpu

ARG TORCH=torch==2.13.0
ARG TORCH_INDEX=
ARG PIP_FIND_LINKS=/wheelhouse
COPY .ci/wheelhouse /wheelhouse
COPY pyproject.toml constraints.txt app/deploy/install-packages.sh /build/
RUN --mount=type=cache,target=/var/cache/pip sh /build/install-packages.sh install
COPY --from=product /opt/holoscan /opt/holoscan
COPY --from=product /var/holoscan /var/holoscan
RUN --mount=type=cache,target=/var/cache/pip sh /build/install-packages.sh finish


# ---- Python packages, CUDA build of torch
FROM base AS packages-cuda

ARG TORCH=torch==2.13.0
ARG TORCH_INDEX=
COPY pyproject.toml constraints.txt app/deploy/install-packages.sh /build/
RUN --mount=type=cache,target=/var/cache/pip sh /build/install-packages.sh install
COPY --from=product /opt/holoscan /opt/holoscan
COPY --from=product /var/holoscan /var/holoscan
RUN --mount=type=cache,target=/var/cache/pip sh /build/install-packages.sh finish


# ---- the images: product + packages
FROM product AS image

ARG VERSION=0.2.0
ARG BASE=python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="SPINEPS Node" \
      org.opencontainers.image.description="Spine MR segmentation: sagittal T2w series in, DICOM SEG out. Research use only." \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.nvidia.holoscan="4.2.0" \
      org.monai.deploy.app-sdk="4.0.0" \
      base="$BASE"

RUN groupadd --gid 1000 holoscan \
 && useradd --uid 1000 --gid 1000 --home-dir /tmp --no-create-home --shell /bin/bash holoscan
WORKDIR /var/holoscan
EXPOSE 11112 8042
ENTRYPOINT ["/var/holoscan/tools"]


FROM image AS cuda

LABEL tag="spine-node:cuda"
COPY --from=packages-cuda /opt/venv /opt/venv
COPY --from=packages-cuda /opt/holoscan/docs/sbom.cdx.json /opt/holoscan/docs/sbom.cdx.json
COPY --from=packages-cuda /etc/holoscan /etc/holoscan
USER 1000:1000
RUN python3 -W ignore -m app.deploy.self_check && rm -rf /tmp/*


FROM image AS cpu

LABEL tag="spine-node:cpu"
COPY --from=packages-cpu /opt/venv /opt/venv
COPY --from=packages-cpu /opt/holoscan/docs/sbom.cdx.json /opt/holoscan/docs/sbom.cdx.json
COPY --from=packages-cpu /etc/holoscan /etc/holoscan
USER 1000:1000
# The build fails if anything the product imports was left out, or if a model is not as registered.
RUN python3 -W ignore -m app.deploy.self_check && rm -rf /tmp/*
