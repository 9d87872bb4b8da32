"""The GUIDs of a disk and its partitions: as given, else derived from names.

So they are known before the build, and the same in every checkout.
"""

from uuid import UUID

from doit_diskimg.disk.model import Disk, Identity, Partition
from doit_diskimg.ondisk.guids import as_uuid, derived_guid

_NAMESPACE = UUID("fc12ab56-eba0-53cb-8443-2345f4181d3f")
"""Namespace of every derived GUID: uuid5(NAMESPACE_DNS, "doit_diskimg"), for ever."""


def disk_guid(disk: Disk) -> UUID:
    """Return the disk GUID.  Raises ValueError if the one that is given is malformed."""
    return as_uuid(disk.guid) if disk.guid else derived_guid(_NAMESPACE, disk.name)


def partition_guid(disk: Disk, partition: Partition) -> UUID:
    """Return the GUID of a partition, derived from its name and the disk's GUID if need be."""
    if partition.guid:
        return as_uuid(partition.guid)
    return derived_guid(disk_guid(disk), partition.name)


def identity_of(disk: Disk) -> Identity:
    """Return the disk's GUID and its MBR signature."""
    guid = disk_guid(disk)
    if disk.signature is None:
        return Identity(guid, guid.int & 0xFFFFFFFF or 1)
    return Identity(guid, disk.signature, signature_given=True)
