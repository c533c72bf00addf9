"""A list of contents is reduced to what is shipped, and stays whole."""

from __future__ import annotations

from app.deploy.contents import shipped_contents


def test_only_what_is_shipped_stays_and_nothing_points_at_what_went() -> None:
    listed = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"bom-ref": "root", "name": "spine-node"}},
        "components": [
            {"bom-ref": "a==1", "name": "Some_Lib", "licenses": [{"license": {"id": "MIT"}}]},
            {"bom-ref": "b==2", "name": "base"},
            {"bom-ref": "t==3", "name": "test-tool"},
        ],
        "dependencies": [
            {"ref": "root", "dependsOn": ["a==1", "t==3"]},
            {"ref": "a==1", "dependsOn": ["b==2"]},
            {"ref": "b==2"},
            {"ref": "t==3", "dependsOn": ["b==2"]},
        ],
    }
    kept = shipped_contents(listed, {"some-lib", "base"})
    assert kept == {
        "bomFormat": "CycloneDX",
        "metadata": listed["metadata"],
        "components": [
            {"bom-ref": "a==1", "name": "Some_Lib", "licenses": [{"license": {"id": "MIT"}}]},
            {"bom-ref": "b==2", "name": "base"},
        ],
        "dependencies": [
            {"ref": "root", "dependsOn": ["a==1"]},
            {"ref": "a==1", "dependsOn": ["b==2"]},
            {"ref": "b==2"},
        ],
    }
