"""What each structure is called and which coded concepts describe it in DICOM.

Codes are SNOMED CT (scheme designator SCT) wherever a concept exists in the DICOM context groups
or is known otherwise; a structure without one gets a code of our own scheme, ``99SPINENODE``, and
SNOMED CT qualifiers and region around it. This module knows no segments and no colours.

References
----------
DICOM PS3.16 CID 7150 (category), 6115 (parts of a vertebra), 7602-7604 (vertebrae, discs),
244 (laterality), 7151. Not in a DICOM context group: 3572006 (structure of body of vertebra) and
360499006 (intervertebral disc), both from SNOMED CT itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from operators.anatomy.labels import DISC_OFFSET, ENDPLATE_OFFSET, SACRUM_INSTANCE, Structure
from operators.anatomy.vertebrae import vertebra_of

LOCAL_SCHEME = "99SPINENODE"
LOCAL_SCHEME_NAME = "SPINEPS Node local codes"


@dataclass(frozen=True, slots=True)
class Concept:
    """A coded concept (DICOM PS3.3 table 8.8-1).

    Attributes
    ----------
    value : str
        Code value, at most 16 characters.
    meaning : str
        Text for people, at most 64 characters.
    scheme : str
        Coding scheme designator.
    """

    value: str
    meaning: str
    scheme: str = "SCT"


SPINE = Concept("421060004", "Spine")


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that says what a segment is.

    Attributes
    ----------
    name : str
        Field term for people, at most 64 characters.
    type : Concept
        Segmented property type.
    modifiers : tuple of Concept
        Segmented property type modifiers: laterality, superior or inferior.
    category : Concept
        Segmented property category.
    region : Concept
        Anatomic region in which it lies.
    """

    name: str
    type: Concept
    modifiers: tuple[Concept, ...] = ()
    category: Concept = Concept("123037004", "Anatomical Structure")
    region: Concept = SPINE


LEFT = Concept("7771000", "Left")
RIGHT = Concept("24028007", "Right")
SUPERIOR = Concept("264217000", "Superior")
INFERIOR = Concept("261089000", "Inferior")

VERTEBRA = Concept("51282000", "Vertebra")
VERTEBRAL_BODY = Concept("3572006", "Structure of body of vertebra")
DISC = Concept("360499006", "Intervertebral disc")
SACRUM = Concept("54735007", "Sacrum")
ARCH = Concept("40265002", "Arch of vertebra")
SPINOUS_PROCESS = Concept("55678000", "Spinous process of vertebra")
TRANSVERSE_PROCESS = Concept("73400003", "Transverse process of vertebra")
SUPERIOR_ARTICULAR = Concept("317665004", "Superior articular process of vertebra")
INFERIOR_ARTICULAR = Concept("317766009", "Inferior articular process of vertebra")
CORD = Concept("2748008", "Spinal cord")
CANAL = Concept("61853006", "Vertebral canal")
DENS = Concept("1172006", "Odontoid process of axis")
ENDPLATE = Concept("ENDPLATE", "Vertebral endplate", LOCAL_SCHEME)
"""No SNOMED CT concept could be confirmed for the endplate."""
BODY_INTERIOR = Concept("BODY-INTERIOR", "Inside of vertebral body", LOCAL_SCHEME)

STRUCTURES: dict[int, Terms] = {
    Structure.CORPUS: Terms("Vertebral body", VERTEBRAL_BODY),
    Structure.CORPUS_DENSE: Terms("Vertebral body, inside", BODY_INTERIOR),
    Structure.DENS: Terms("Dens axis", DENS),
    Structure.DISC: Terms("Intervertebral disc", DISC),
    Structure.ENDPLATE_SUPERIOR: Terms("Superior endplate", ENDPLATE, (SUPERIOR,)),
    Structure.ENDPLATE_INFERIOR: Terms("Inferior endplate", ENDPLATE, (INFERIOR,)),
    Structure.ENDPLATE: Terms("Endplate", ENDPLATE),
    Structure.SACRUM: Terms("Sacrum", SACRUM),
    Structure.CANAL: Terms("Spinal canal", CANAL),
    Structure.CORD: Terms("Spinal cord", CORD),
    Structure.ARCUS: Terms("Vertebral arch", ARCH),
    Structure.SPINOUS_PROCESS: Terms("Spinous process", SPINOUS_PROCESS),
    Structure.COSTAL_PROCESS_LEFT: Terms(
        "Left transverse (costal) process", TRANSVERSE_PROCESS, (LEFT,)
    ),
    Structure.COSTAL_PROCESS_RIGHT: Terms(
        "Right transverse (costal) process", TRANSVERSE_PROCESS, (RIGHT,)
    ),
    Structure.SUPERIOR_ARTICULAR_LEFT: Terms(
        "Left superior articular process", SUPERIOR_ARTICULAR, (LEFT,)
    ),
    Structure.SUPERIOR_ARTICULAR_RIGHT: Terms(
        "Right superior articular process", SUPERIOR_ARTICULAR, (RIGHT,)
    ),
    Structure.INFERIOR_ARTICULAR_LEFT: Terms(
        "Left inferior articular process", INFERIOR_ARTICULAR, (LEFT,)
    ),
    Structure.INFERIOR_ARTICULAR_RIGHT: Terms(
        "Right inferior articular process", INFERIOR_ARTICULAR, (RIGHT,)
    ),
}
"""Terms of every semantic label, in the order in which a viewer lists them."""


def instance_concept(label: int) -> Concept:
    """Property type of a label of the instance map.

    Parameters
    ----------
    label : int
        X, 100 + X, 200 + X or 26.

    Returns
    -------
    Concept
        Vertebra, disc, endplate or sacrum; never a level, since running numbers are no levels.

    Raises
    ------
    KeyError
        If the label belongs to no vertebra and not to the sacrum.

    Examples
    --------
    >>> instance_concept(103).meaning
    'Intervertebral disc'
    """
    owner = vertebra_of(label)
    if label == SACRUM_INSTANCE:
        return SACRUM
    return {0: VERTEBRA, DISC_OFFSET: DISC, ENDPLATE_OFFSET: ENDPLATE}[label - owner]
