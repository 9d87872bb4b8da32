"""Random damage: whatever fsck.fat complains of, we find an error too.

Not the other way round: it exits 0 on a dozen of the defects in test_damaged_fat.py.
"""

import os
import random
import re
import subprocess

import foreign
import pytest
from damage import KERNEL, SUB, Volume
from tools import tool

from doit_diskimg import verify_image

KNOWN = {
    # What fsck.fat ends with 1 for and we call a warning: what it says, and our code.
    r"Volume label '.*' stored in root directory and label '.*' stored in": "fat-label-differs",
    r"There is no label in boot sector, but": "fat-label-differs",
    r"Label in boot sector is '.*', but there is no volume label": "fat-label-differs",
    # Its locale has no such letter; the code page of the label's maker had it.
    r"Volume label '.*_.*' stored in root directory is not valid": "fat-label-differs",
    # Characters that a name can't have: a label is no name that anybody opens.
    r"Volume label '.*' stored in root directory is not valid": "fat-label-char",
    # A reserved bit beside the two for lower case: "no 8.3 name", which nobody else knows.
    r"Bad short file name|no 8.3 name flag": "fat-attributes",
    r"Dirty bit is set": "fat-dirty",
}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    return {fat: foreign.filled(folder / f"{fat}.img", fat).read_bytes() for fat in (12, 16, 32)}


def mutate(volume, chance):
    """Change one to three bytes of the metadata that counts; return what was done."""
    table = volume.reserved * 512
    regions = [
        (11, 36), (36, 90), (510, 512),  # boot sector
        (table, table + 60 * volume.fat // 8),  # the entries in use
        (volume.root, volume.root + 15 * 32),
        *((volume.place(volume.cluster(name)), volume.place(volume.cluster(name)) + 160)
          for name in (SUB, KERNEL)),
    ]
    if volume.fat == 32:
        regions += [(512, 516), (512 + 484, 1024), (6 * 512, 6 * 512 + 90)]
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(*chance.choice(regions))
        value = chance.choice((0, 1, 2, 0xE5, 0xFF, 0x0F, 0x08, 0x10, chance.randrange(256),
                               volume.data[at] ^ 1 << chance.randrange(8)))
        volume.put(at, bytes([value]))
        # Half of the time both copies of the FAT change: differing copies are found at once.
        if table <= at < table + volume.table_sectors * 512 and chance.random() < 0.5:
            volume.put(at + volume.table_sectors * 512, bytes([value]))
        done.append(f"{at:#x}={value:#04x}")
    return " ".join(done)


def fsck(path):
    done = subprocess.run(
        [tool("fsck.fat"), "-n", path], capture_output=True, timeout=60,
        env={"LC_ALL": "C"}, check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode("latin-1")


def agree(volumes, tmp_path, fat, seed):
    chance = random.Random(seed)
    volume = Volume(volumes[fat], fat)
    done = mutate(volume, chance)
    path = volume.write(tmp_path / "v.img")
    code, said = fsck(path)
    found = verify_image(path, offset=0, witnesses=False)
    if code == 1 and not any(one.is_error for one in found):
        codes = {one.code for one in found}
        assert any(re.search(text, said) and ours in codes for text, ours in KNOWN.items()), (
            f"seed {seed}, {done}\n{said}\n" + "\n".join(map(str, found))
        )
    return code


@pytest.mark.parametrize("fat", [12, 16, 32])
def test_a_few(volumes, tmp_path, fat):
    codes = [agree(volumes, tmp_path, fat, seed) for seed in range(100)]
    assert codes.count(1) > 20, "the damage is worth something"


@pytest.mark.slow
@pytest.mark.parametrize("fat", [12, 16, 32])
def test_many(volumes, tmp_path, fat):
    """`FSCK_MUTATIONS=2000` for a long search."""
    for seed in range(1000, 1000 + int(os.environ.get("FSCK_MUTATIONS", "50"))):
        agree(volumes, tmp_path, fat, seed)
