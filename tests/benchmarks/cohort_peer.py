"""A cohort, a shell loop and ``spineps dataset``: the same images and weights on one machine.

``python -m tests.benchmarks.cohort_peer [--subjects 3] [--slices 9] [--threads 2]``; needs
PEER_VENV, an environment with SPINEPS 2.1.3 and TPTBox. All take the bundled networks, which have
the published format, on the CPU. Then TPTBox and SPINEPS (in that environment), nibabel and
ITK (in this one) read what the cohort wrote: labels, the place of the grid, whether every point of
the centroid file lies on the structure that it names, and how far SPINEPS's own centroids of the
bodies, from the same masks, are from ours. Processor time stands beside wall time, which a busy
machine changes more.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK

from app.research.synthetic.phantom import PhantomSettings, generate
from operators.imaging.nifti import ras_of
from tests.benchmarks.cohort import COMMAND, processor_s

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
FIRST_SEED = 950_100
BRIGHTNESS = 400.0
"""Of fluid, which is about 1 in a phantom: integers, as scanners write them."""

READ_BY_TPTBOX = """
import json, sys
from pathlib import Path
from TPTBox import NII, POI
from spineps.seg_pipeline import predict_centroids_from_both
told = {}
for file in sorted(Path(sys.argv[1]).rglob("*_ctd.json")):
    mask = NII.load(str(file).replace("seg-spine_ctd.json", "seg-vert_msk.nii.gz"), seg=True)
    parts = NII.load(str(file).replace("seg-spine_ctd.json", "seg-spine_msk.nii.gz"), seg=True)
    points = POI.load(file)
    hit = total = 0
    for vertebra, kind, place in points.items():
        at = tuple(int(round(x)) for x in place)
        total += 1
        hit += mask.get_array()[at] in (vertebra, 100 + vertebra)
    theirs = predict_centroids_from_both(mask, parts, [None, None], {})
    bodies = [(n, 50) for n in mask.unique() if n < 100 and (n, 50) in points]
    told[file.name] = {
        "vertebrae": [int(n) for n in mask.unique() if n < 100],
        "structures": [int(n) for n in parts.unique()],
        "same place": bool(mask.affine.round(3).tolist() == parts.affine.round(3).tolist()),
        "points": total, "on their structure": int(hit), "bodies": len(bodies),
        "voxels to SPINEPS's own": max(
            abs(a - b) for body in bodies for a, b in zip(points[body], theirs[body])
        ),
    }
print("TOLD " + json.dumps(told))
"""


def dataset(root: Path, chosen: argparse.Namespace) -> list[Path]:
    """Synthetic lumbar images, as both programs expect them."""
    settings = PhantomSettings(
        slices=chosen.slices,
        in_plane=(300, 240),
        spacing=(4.4, 0.9, 0.9),
        weightings=("t2",),
        no_spine=0.0,
        centred_on="L2",
    )
    images = []
    for n in range(1, chosen.subjects + 1):
        image = generate(FIRST_SEED + n, settings).images[0]
        path = root / "rawdata" / f"sub-{n:04d}" / "anat" / f"sub-{n:04d}_T2w.nii.gz"
        path.parent.mkdir(parents=True)
        scaled = np.rint(image.voxels_zyx * BRIGHTNESS).clip(0, 4095).astype(np.int16)
        affine = ras_of(image.affine_lps)
        nib.save(nib.Nifti1Image(scaled.transpose(2, 1, 0), affine), path)
        images.append(path)
    return images


def measured(name: str, command: list[str], images: int, environment: dict[str, str]) -> str:
    begun, used = time.monotonic(), processor_s()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    took, computed = time.monotonic() - begun, processor_s() - used
    if done.returncode:
        raise SystemExit(
            f"{name} answered {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return (
        f"{name}: {took:.0f} s, {3600 * images / took:.0f} images per hour, "
        f"{computed:.0f} s of processor, load {os.getloadavg()[0]:.1f}"
    )


def read_here(output: Path) -> list[str]:
    """What nibabel reads, and whether ITK reads the same."""
    lines = []
    for path in sorted(output.rglob("*_seg-vert_msk.nii.gz")):
        mask = nib.load(path)
        by_itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        equal = np.array_equal(by_itk.transpose(2, 1, 0), np.asarray(mask.dataobj))
        labels = [int(n) for n in np.unique(np.asarray(mask.dataobj)) if 0 < n < 100]
        lines.append(
            f"nibabel: {path.name}: {mask.shape}, {mask.get_data_dtype()}, {labels}; ITK: {equal}"
        )
    return lines


def compared(home: Path, venv: Path, chosen: argparse.Namespace) -> list[str]:
    images = dataset(home / "data", chosen)
    threads = str(chosen.threads)
    environment = {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads),
        "SPINEPS_TURN_OF_CITATION_REMINDER": "TRUE",
        "SPINEPS_SEGMENTOR_MODELS": str(MODELS),
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
    }
    models = ("spine_t2w_compact", "vertebra_instance_compact")
    peer = [str(venv / "bin" / "spineps"), "dataset", "-d", str(home / "data"), "--cpu"]
    peer += ["-ms", str(MODELS / models[0]), "-mi", str(MODELS / models[1]), "-ml", "none"]
    lines = [f"{len(images)} images of {chosen.slices} slices, {threads} threads"]
    runs = [[*COMMAND, "run", "-i", str(i), "-o", str(home / "loop" / i.stem)] for i in images]
    loop = ["sh", "-ec", "\n".join(shlex.join(one) for one in runs)]
    lines.append(measured("shell loop", loop, len(images), environment))
    for workers in (1, 2):
        command = [
            *COMMAND,
            "cohort",
            str(home / "data" / "rawdata"),
            "-o",
            str(home / f"out{workers}"),
        ]
        command += ["--workers", str(workers)]
        lines.append(measured(f"cohort, {workers} at once", command, len(images), environment))
    lines.append(measured("spineps dataset", peer, len(images), environment))
    masks = list((home / "data").rglob("derivatives_seg/**/*seg-vert_msk.nii.gz"))
    lines.append(f"spineps dataset wrote {len(masks)} instance masks")
    lines += read_here(home / "out1")
    read = subprocess.run(
        [str(venv / "bin" / "python"), "-c", READ_BY_TPTBOX, str(home / "out1")],
        capture_output=True,
        text=True,
        check=True,
    )
    told = next(line for line in read.stdout.splitlines() if line.startswith("TOLD "))
    for name, about in json.loads(told.removeprefix("TOLD ")).items():
        lines.append(f"TPTBox: {name}: {about}")
    return lines


def main() -> int:
    """Command line; 0 also where the peer is absent (said in one sentence)."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--subjects", type=int, default=3)
    options.add_argument("--slices", type=int, default=9)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--keep", type=Path, help="Folder to keep everything in.")
    chosen = options.parse_args()
    venv = os.environ.get("PEER_VENV")
    if not venv:
        sys.stdout.write("cohort_peer: skipped, PEER_VENV does not name SPINEPS's environment\n")
        return 0
    home = chosen.keep or Path(tempfile.mkdtemp())
    try:
        lines = compared(home, Path(venv), chosen)
    finally:
        if chosen.keep is None:
            shutil.rmtree(home)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
