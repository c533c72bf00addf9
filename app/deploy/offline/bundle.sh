#!/usr/bin/env bash
# Pack everything an installation without network needs into one tar file.
#
#   bundle.sh PYTHON OUTPUT_DIR      (make bundle)
#
# PYTHON is that of an environment in which the product is installed: its very packages are packed, minus those the
# product never loads (app/deploy/image_packages.py). Wheels come from pip's own sources; TORCH_INDEX names the index that has
# this build of torch. What was fetched stays in pip's cache: a second call, after one that broke off, fetches only the rest.
set -euo pipefail

(($# == 2)) || { echo 'usage: bundle.sh PYTHON OUTPUT_DIR' >&2; exit 2; }
python=$1
root=$(cd "$(dirname "$0")/../../.." && pwd)
version=$("$python" -c 'from app import __version__; print(__version__)')
tag=$("$python" -c 'import sys; print(f"py{sys.version_info.major}{sys.version_info.minor}")')
name=spine-node-$version-$tag-linux-x86_64
mkdir -p "$2"
output=$(cd "$2" && pwd)
stage=$output/$name
pip=("$python" -m pip --disable-pip-version-check --quiet --quiet)
# A download that was lost although pip retries: once more, what is complete comes from the cache.
persistently() { "$@" || "$@" || "$@"; }

rm -rf "$stage"
mkdir -p "$stage/wheels"
cd "$root"
"$python" -m app.deploy.image_packages pyproject.toml >"$stage/requirements.txt"
torch=$(grep '^torch==' "$stage/requirements.txt")
# From its own index, where that answers soon; the packages below come from pip's configuration alone.
"${pip[@]}" download --no-deps --dest "$stage/wheels" --timeout 8 --retries 0 --index-url "${TORCH_INDEX:-}" "$torch" 2>/dev/null \
  || persistently "${pip[@]}" download --no-deps --dest "$stage/wheels" "$torch"
grep --invert-match '^torch==' "$stage/requirements.txt" >"$stage/others.txt"
persistently "${pip[@]}" wheel --no-deps --wheel-dir "$stage/wheels" --requirement "$stage/others.txt"
rm "$stage/others.txt"
persistently "${pip[@]}" wheel --no-deps --wheel-dir "$stage/wheels" .
printf 'spine-node==%s\n' "$version" >>"$stage/requirements.txt"
# The installer brings its own pip: a bare Python has none.
persistently "${pip[@]}" download --no-deps --dest "$stage/wheels" pip
cp -R models app.yaml LICENSE README.md CHANGELOG.md "$stage/"
install -m 755 app/deploy/offline/install.sh "$stage/install.sh"
cp app/deploy/offline/spine-node.service "$stage/"
"$python" -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")' >"$stage/PYTHON_VERSION"
printf '%s\n' "$version" >"$stage/VERSION"
(cd "$stage" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)
tar --create --file "$output/$name.tar" --directory "$output" --owner 0 --group 0 --sort name "$name"
rm -rf "$stage"
printf '%s\n' "$output/$name.tar ($(du -m "$output/$name.tar" | cut -f1) MB)"
