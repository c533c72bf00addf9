"""Brightness of tissues per weighting."""

from __future__ import annotations

import numpy as np

from app.research.synthetic.contrast import draw_contrast


def test_csf_is_brighter_than_fat_in_t2_and_stir_and_darker_in_t1() -> None:
    rng = np.random.default_rng(0)
    t2, t1, stir = (draw_contrast(rng, w, 5) for w in ("t2_plain", "t1", "stir"))
    assert np.all(t2["csf"] > t2["fat"])
    assert np.all(stir["csf"] > 5 * stir["fat"])
    assert np.all(t1["csf"] < 0.3 * t1["fat"])


def test_training_contrasts_have_dark_cords_in_bright_csf_and_spread_widely() -> None:
    contrast = draw_contrast(np.random.default_rng(1), "t2", 300)
    assert np.mean(contrast["cord"] < 0.6 * contrast["csf"]) > 0.85
    assert contrast["marrow"].min() < 0.15
    assert contrast["marrow"].max() > 0.45
    assert contrast.count == 300
