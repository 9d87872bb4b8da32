"""An MBR as few have it: boot code in the place of the disk signature, and two active entries."""

from guests import says_and_ends
from project import Project

DODO = """
from doit_diskimg import BootCode, Disk, Mbr, Partition, Zero

disk = Disk(
    "build/os.img", size="4MiB", boot=BootCode("boot.bin"),
    table=Mbr(disk_signature=False, several_active=True),
    partitions=[
        Partition(name, Zero(), type="linux-filesystem", size="1MiB", active=True) for name in "ab"
    ],
)

def task_image():
    return disk.tasks()
"""
LINE = "446 bytes of code, two active entries"


def boot_code() -> bytes:
    """Return code that runs through bytes 440 to 445: there and back again."""
    say = says_and_ends(LINE, origin=0x7C03)
    to_the_end = b"\xe9" + (440 - 3).to_bytes(2, "little")
    back = b"\xe9" + (3 - 443).to_bytes(2, "little", signed=True)
    return (to_the_end + say).ljust(440, b"\x90") + back + b"\xf4" * 3


def test_it_boots_and_is_noted(tmp_path, boot):
    project = Project(tmp_path, DODO)
    code = boot_code()
    assert len(code) == 446
    project.write("boot.bin", code)
    run = project.doit()
    assert (
        "note: partitions[1].active: partitions[0] is active too, boot code of the usual kind "
        "refuses such a disk\n"
    ) in run.out
    assert project.image_path.read_bytes()[:446] == code
    assert not project.doit().ran
    boot("seabios", f"if=ide,format=raw,snapshot=on,file={project.image_path}", says=LINE, ends=33)
    project.doit("os.img:verify")
    project.write("dodo.py", DODO.replace("disk_signature=False", "disk_signature=True"))
    said = project.doit(code=None).said
    assert (
        "os.img: boot: its 446 bytes reach over the partition table: byte 445 is not zero, bytes "
        "440 to 511 are the table's; a binary of 512 may have zeros there and 55 aa at the end "
        "(make the code 6 bytes shorter, or let it load a stage 2, or write "
        "Mbr(disk_signature=False))"
    ) in said
