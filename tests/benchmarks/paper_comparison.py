"""The paper's comparison on synthetic spines: ``python -m tests.benchmarks.paper_comparison``.

Is its claim true here, that two phases beat one and that post-processing helps (Möller et al. 2024,
Table 2)? Three ways from the same network output to instances, on the same studies:

- **one network**: no phase 2, no cleaning. Bodies are the face-connected components of the label
  "corpus" of at least 200 mm3 (what the product asks of a body), every other vertebra voxel goes to
  the nearest of them, discs are components of at least 100 mm3. This stands for the paper's nnU-Net
  baseline and is *not* it: that one was trained for instances, ours is the semantic network of the
  product read without the method around it.
- **no post-processing**: phase 2 on the uncleaned map, brought to the image's grid, nothing else;
  discs as above, because phase 2 knows none.
- **spineps**: cleaning, phase 2, post-processing: what ``spine-node run`` does.

Studies: cervical, thoracic, lumbar; 1.5 to 4.5 mm slices; seeds that no training has used. Masks
are written as derivatives, one folder per way and one for the truth, so that ``spine-node
evaluate`` gives the same figures. Cases that are there already are not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from app.research.evaluation.cohort import score_folders, summaries, totals
from app.research.evaluation.results import as_document, evaluate_methods, write_results
from app.research.evaluation.tables import comparison_table, counts_table, paper_tables
from app.research.synthetic.phantom import PhantomSettings, generate
from operators.anatomy.labels import DISC_OFFSET, VERTEBRA_PARTS, Structure
from operators.errors import SpineError
from operators.imaging.components import components
from operators.imaging.nifti import write_label_map
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap, voxel_volume_mm3
from operators.networks.instances import InstanceModel, load_instance_model
from operators.networks.semantic import SemanticModel, load_semantic_model
from operators.segment_instances import settings_of
from operators.spine.bodiless import LEAST_BODY_MM3, without_bodiless
from operators.spine.instance_phase import segment_vertebrae
from operators.spine.postprocessing import PostprocessSettings, postprocess
from operators.spine.quality.presence import DISC_MM3, require_spine
from operators.spine.semantic_cleanup import clean_semantic

if TYPE_CHECKING:
    from app.research.evaluation.tables import Table
    from operators.imaging.volume import Volume

FIRST_SEED = 940_000
REGIONS = {"cervical": (1.0, 0, 0, 0), "thoracic": (0, 1.0, 0, 0), "lumbar": (0, 0, 1.0, 0)}
SLAB_MM = 60.0
IN_PLANE_MM = 1.0
FIELD_VOXELS = (250, 176)
MOST_INSTANCES = 25
WAYS = ("one_network", "no_postprocessing", "spineps")
MODELS = Path(__file__).parents[2] / "models"

Maps = tuple[LabelMap, LabelMap]


def settings_for(seed: int) -> PhantomSettings:
    """Region and slice distance of a study: the three regions in turn, 1.5 to 4.5 mm."""
    region = list(REGIONS.values())[seed % len(REGIONS)]
    slice_mm = float(np.random.default_rng([seed, 11]).uniform(1.5, 4.5))
    return PhantomSettings(
        slices=round(SLAB_MM / slice_mm),
        in_plane=FIELD_VOXELS,
        spacing=(slice_mm, IN_PLANE_MM, IN_PLANE_MM),
        weightings=("t2_plain",),
        region_odds=region,
        no_spine=0.0,
    )


def largest_parts(mask: np.ndarray, least_voxels: float) -> np.ndarray:
    """Number the face-connected parts that are large enough, biggest first."""
    parts = components(mask, 6)
    kept = [n for n in parts.by_size() if parts.voxel_counts[n - 1] >= least_voxels]
    table = np.zeros(parts.count + 1, np.uint16)
    for number, part in enumerate(kept[:MOST_INSTANCES], 1):
        table[part] = number
    return table[parts.labels_zyx]


def with_discs(vertebrae: LabelMap, semantic: LabelMap) -> LabelMap:
    """Add the components of the disc label, on the semantic map's grid."""
    voxel_mm3 = voxel_volume_mm3(semantic.affine_lps)
    discs = largest_parts(semantic.labels_zyx == Structure.DISC, DISC_MM3 / voxel_mm3)
    labels = np.where(discs > 0, discs + DISC_OFFSET, vertebrae.labels_zyx).astype(np.uint16)
    return vertebrae.with_labels(labels)


def one_network(semantic: LabelMap) -> LabelMap:
    """Instances from the semantic map alone: components, and the nearest of them."""
    voxel_mm3 = voxel_volume_mm3(semantic.affine_lps)
    bodies = largest_parts(semantic.labels_zyx == Structure.CORPUS, LEAST_BODY_MM3 / voxel_mm3)
    if not bodies.any():
        return semantic.with_labels(bodies)
    nearest = distance_transform_edt(
        bodies == 0,
        sampling=semantic.spacing_zyx_mm,
        return_distances=False,
        return_indices=True,
    )
    vertebra = np.isin(semantic.labels_zyx, VERTEBRA_PARTS)
    owner = bodies[tuple(nearest)]
    return with_discs(semantic.with_labels(np.where(vertebra, owner, 0)), semantic)


def on_image(maps: Maps, image: Volume) -> Maps:
    """Both maps on the image's grid, nearest voxel."""
    semantic, instances = (resample_labels_to_grid(m, image.grid) for m in maps)
    return semantic, instances


def no_postprocessing(raw: LabelMap, image: Volume, model: InstanceModel) -> Maps:
    """Phase 2 on what the network said, and nothing after it."""
    found = segment_vertebrae(raw, model, settings_of(model.config, raw)).instances
    semantic, instances = on_image((raw, found), image)
    kept = np.where(np.isin(semantic.labels_zyx, VERTEBRA_PARTS), instances.labels_zyx, 0)
    labels = np.where(kept <= MOST_INSTANCES, kept, 0).astype(np.uint16)
    return semantic, with_discs(instances.with_labels(labels), semantic)


def spineps(raw: LabelMap, image: Volume, model: InstanceModel) -> Maps:
    """Run the steps of the product's graph."""
    cleaned = clean_semantic(raw)
    found = segment_vertebrae(cleaned, model, settings_of(model.config, cleaned)).instances
    semantic, instances = on_image((cleaned, found), image)
    instances, _ = without_bodiless(semantic, instances)
    result = postprocess(semantic, instances, PostprocessSettings())
    require_spine(result.semantic, result.instances)
    return result.semantic, result.instances


def make_case(seed: int, output: Path, models: tuple[SemanticModel, InstanceModel]) -> None:
    """Segment one study in the three ways; a way that finds no spine writes no masks."""
    case = f"seed{seed}"
    if (output / "truth" / f"{case}_seg-vert_msk.nii.gz").exists():
        return
    start = time.perf_counter()
    made = generate(seed, settings_for(seed))
    image = made.images[0]
    raw = models[0].segment(image).labels
    ways = {
        "one_network": lambda: on_image((raw, one_network(raw)), image),
        "no_postprocessing": lambda: no_postprocessing(raw, image, models[1]),
        "spineps": lambda: spineps(raw, image, models[1]),
    }
    for way, segment in ways.items():
        try:
            store(segment(), output / way, case)
        except SpineError as error:
            sys.stdout.write(f"{case} {way}: {error}\n")
    store((made.semantic, made.instances), output / "truth", case)
    sys.stdout.write(f"{case}: {time.perf_counter() - start:.0f} s\n")
    sys.stdout.flush()


def store(maps: Maps, folder: Path, case: str) -> None:
    """Write both maps under SPINEPS's names."""
    folder.mkdir(parents=True, exist_ok=True)
    write_label_map(maps[0], folder / f"{case}_seg-spine_msk.nii.gz")
    write_label_map(maps[1], folder / f"{case}_seg-vert_msk.nii.gz")


def compare(output: Path) -> list[Table]:
    """Score the three ways, test every two of them, write one report per pair."""
    methods = {way: score_folders(output / "truth", output / way, way) for way in WAYS}
    tables = [
        *paper_tables([(way, summaries(scores)) for way, scores in methods.items()]),
        counts_table([(scores, totals(scores)) for scores in methods.values()]),
    ]
    document = {}
    for second, first in combinations(WAYS, 2):
        found = evaluate_methods((methods[first], methods[second]))
        write_results(found, output / f"{first}_against_{second}")
        tables.append(comparison_table(found.tested, (first, second)))
        document[f"{first}_against_{second}"] = as_document(found)["comparison"]
    (output / "comparisons.json").write_text(json.dumps(document, indent=1) + "\n")
    return tables


def markdown(tables: list[Table]) -> str:
    """All tables as one text."""
    lines: list[str] = []
    for table in tables:
        lines += [f"## {table.title}", "", table.note, ""]
        lines += [f"| {' | '.join(table.header)} |", "|" + " --- |" * len(table.header)]
        lines += [f"| {' | '.join(row)} |" for row in table.rows] + [""]
    return "\n".join(lines)


def main() -> int:
    """Segment, score, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--semantic", type=Path, default=MODELS / "spine_t2w_compact")
    parser.add_argument("--instance", type=Path, default=MODELS / "vertebra_instance_compact")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    models = load_semantic_model(arguments.semantic), load_instance_model(arguments.instance)
    sys.stdout.write(f"semantic {models[0].digest[:12]}\n")
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.cases):
        make_case(seed, arguments.output, models)
    text = markdown(compare(arguments.output))
    (arguments.output / "tables.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
