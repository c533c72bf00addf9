#!/usr/bin/env bash
# Install SPINEPS Node from this folder, without network and without root.
#
#   install.sh FOLDER [PYTHON]
#
# FOLDER receives everything: venv/, models/, app.yaml, bin/spine-node, spine-node.service (an example for systemd).
# Over an older installation: the packages are replaced; app.yaml and models that the site added stay as they are.
set -euo pipefail

die() { echo "install.sh: $1" >&2; exit 2; }

(($# == 1 || $# == 2)) || die 'usage: install.sh FOLDER [PYTHON]'
here=$(cd "$(dirname "$0")" && pwd)
wanted=$(<"$here/PYTHON_VERSION")
python=${2:-python$wanted}
[[ $(uname -sm) == 'Linux x86_64' ]] || die "this bundle is for Linux on x86_64, not $(uname -sm)"
command -v "$python" >/dev/null || die "$python is missing: install Python $wanted or name one"
found=$("$python" -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")')
[[ $found == "$wanted" ]] || die "this bundle is for Python $wanted; $python is $found"
(cd "$here" && sha256sum --check --quiet --strict SHA256SUMS) || die 'files of the bundle are damaged'
mkdir -p "$1/bin"
target=$(cd "$1" && pwd)

rm -rf "$target/venv"
"$python" -m venv --without-pip "$target/venv"
environment=$target/venv/bin/python3
pip_wheel=("$here"/wheels/pip-*.whl)
PYTHONPATH=${pip_wheel[-1]} "$environment" -m pip --disable-pip-version-check --quiet install --no-cache-dir --no-index --no-deps \
  --find-links "$here/wheels" --requirement "$here/requirements.txt"
# holoscan makes its library links at the first start of Python that may write.
"$environment" -W ignore -c 'pass'

if [[ -e $target/app.yaml ]]; then
  cp "$here/app.yaml" "$target/app.yaml.new"
  echo "kept $target/app.yaml; this version's own lies beside it as app.yaml.new"
else
  cp "$here/app.yaml" "$target/app.yaml"
fi
"$environment" -m app.deploy.merge_registry "$here/models" "$target/models"
cat >"$target/bin/spine-node" <<LAUNCHER
#!/bin/sh
# Written by install.sh: the command with this installation's settings.
HOLOSCAN_CONFIG_PATH=\${HOLOSCAN_CONFIG_PATH:-$target/app.yaml}
export HOLOSCAN_CONFIG_PATH
exec $target/venv/bin/spine-node "\$@"
LAUNCHER
chmod 755 "$target/bin/spine-node"
sed "s#@FOLDER@#$target#g" "$here/spine-node.service" >"$target/spine-node.service"
"$target/bin/spine-node" check-config
echo "SPINEPS Node $(<"$here/VERSION") is installed: $target/bin/spine-node"
