"""The skin: turns a description into tasks of doit.  The only folder that imports doit."""

from doit_diskimg.host.session import Session

SESSION = Session()
"""What this process knows and holds: doit has no object that lives as long as a run."""
