#!/bin/sh
# Fill /opt/venv during the image build.
#   install   torch first (so that nothing drags in another build of it), then what pyproject.toml asks for, of a node
#   finish    the project itself, minus what it never loads; manifests; list of contents (CycloneDX)
# Environment: TORCH requirement, TORCH_INDEX its package index (may be empty).
set -eu

# The image's PATH begins with the environment that is being filled; "python3" below is the base's own.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
venv=/opt/venv
application=/opt/holoscan/app
pip="python3 -m pip --python $venv/bin/python3"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip PIP_ROOT_USER_ACTION=ignore
# A connection that breaks is taken up again (PIP_RESUME_RETRIES: pip 25.1 and later).
export PIP_RETRIES=10 PIP_RESUME_RETRIES=10 PIP_DEFAULT_TIMEOUT=60

# A download that was lost all the same: once more, what is complete comes from the cache.
persistently() { "$@" || "$@" || "$@"; }

install() {
  python3 -m venv --without-pip "$venv"
  if [ -n "${TORCH_INDEX:-}" ]; then
    $pip install --timeout 8 --retries 1 --index-url "$TORCH_INDEX" "$TORCH" || persistently $pip install "$TORCH"
  else
    persistently $pip install "$TORCH"
  fi
  python3 - <<'PYTHON' >/build/requirements.txt
import tomllib
with open("/build/pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
print(*project["dependencies"], *project["optional-dependencies"]["node"], sep="\n")
PYTHON
  # The CUDA pins are those of machines without a GPU; a CUDA build of torch brings its own libraries' versions.
  if "$venv/bin/python3" -W ignore -c 'import sys, torch; sys.exit(torch.version.cuda is None)'; then
    grep -v -E '^(cuda|nvidia)-' /build/constraints.txt >/build/pins.txt
  else
    cp /build/constraints.txt /build/pins.txt
  fi
  persistently $pip install --constraint /build/pins.txt --requirement /build/requirements.txt
  # holoscan makes its library links at the first start of Python that may write: now, not at run time.
  "$venv/bin/python3" -W ignore -c 'pass'
}

finish() {
  persistently $pip install --no-deps --editable "$application"
  "$venv/bin/python3" -m app.deploy.image_packages "$application/pyproject.toml" --unneeded >/build/unneeded.txt
  $pip uninstall --yes --quiet --requirement /build/unneeded.txt
  torch=$("$venv/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib") + "/torch")')
  rm -rf "$torch/include" "$torch/test" "$torch/share"
  find "$torch/bin" -type f ! -name torch_shm_manager -delete
  # OpenVINO's plugins for other devices: phase 1 asks for the CPU by name.
  openvino=${torch%/torch}/openvino
  rm -rf "$openvino/include" "$openvino/cmake" "$openvino/libs/cache.json" \
    "$openvino/libs/libopenvino_intel_gpu_plugin.so" "$openvino/libs/libopenvino_intel_npu_plugin.so"
  "$venv/bin/python3" -m compileall -q "$application"
  "$venv/bin/spine-node" manifests --output /etc/holoscan
  list_contents
}

# In an environment of its own: what lists the contents is not among them.
list_contents() {
  python3 -m venv --without-pip /build/list
  persistently python3 -m pip --python /build/list/bin/python3 install --quiet 'cyclonedx-bom==7.5.0'
  /build/list/bin/cyclonedx-py environment --output-reproducible --output-format JSON \
    --pyproject "$application/pyproject.toml" --output-file /opt/holoscan/docs/sbom.cdx.json "$venv/bin/python3"
}

"$1"
