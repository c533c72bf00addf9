from app.cli.installation import description
from app.settings import load_settings


def test_it_says_that_nifti_is_read_and_written() -> None:
    capabilities = description(load_settings())["capabilities"]
    assert any("NIfTI" in text for text in capabilities["input"])
    assert any("NIfTI" in text for text in capabilities["output"])
