"""What happened: the deployments of each app, their entries, and where they are kept.

Other rooms import from here. Where entries are kept is behind `Store`; only this room knows its files.
"""

from ecsplan.journal.entries import (
    Began,
    Chosen,
    Closed,
    Damaged,
    Deployment,
    Done,
    Entry,
    Failed,
    Holder,
    Opened,
    Origin,
    Outcome,
    Remade,
    StepState,
    after,
    all_unfinished,
    unfinished,
    waiting,
)
from ecsplan.journal.folder import write_file
from ecsplan.journal.journal import Journal, Writer, check_version
from ecsplan.journal.store import Appender, Place, Store, open_store

__all__ = [
    "Appender", "Began", "Chosen", "Closed", "Damaged", "Deployment", "Done", "Entry", "Failed", "Holder", "Journal",
    "Opened", "Origin", "Outcome", "Place", "Remade", "StepState", "Store", "Writer", "after", "all_unfinished",
    "check_version", "open_store", "unfinished", "waiting", "write_file",
]  # fmt: skip
