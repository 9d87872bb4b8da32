"""`chain.facts` for doit: an object for a task's ``uptodate``, which says in words why it said no.

doit looks at a task's ``uptodate`` objects first, and `doit info` prints those that say no; their
``repr`` is the sentence that a user reads there.  A check looks and compares, and does nothing.
"""

from typing import Any

from doit_diskimg.chain.facts import Facts
from doit_diskimg.tasks.action import interrupted

_Values = dict[str, Any]


class AsBefore:
    """Nothing changed that the task depends on.

    Facts with a path are stored by the action (`Facts.keep`).  Those without one, of a task that
    has no state folder, are kept in doit's database: then ``stored`` is true.
    """

    KEY = "doit_diskimg:facts"
    text = ""

    def __init__(self, facts: Facts, *, stored: bool = False) -> None:
        self.facts = facts
        self._stored = stored

    def configure_task(self, task: Any) -> None:
        """Called by doit when the task is made: ask for a word after each success."""
        if self._stored:
            task.value_savers.append(lambda: {self.KEY: dict(self.facts.values())})

    def __call__(self, task: Any, values: _Values) -> bool:
        """Called by doit: may the task be skipped?"""
        try:
            self.text = self.facts.difference(values.get(self.KEY))
        except KeyboardInterrupt:
            interrupted(task.name)
        return not self.text

    def __repr__(self) -> str:
        return self.text or "nothing changed that it depends on"
