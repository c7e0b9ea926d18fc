"""What a run tells of itself while it goes on, for whoever draws its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gdbench.cold_start.measure import ColdStart
from gdbench.machine.environment import Environment
from gdbench.verify.certificates import CertificateRow


@dataclass(frozen=True)
class Described:
    """The machine has been described: the content of ``environment.json``."""

    environment: Environment


@dataclass(frozen=True)
class Certified:
    """A certificate has been granted or refused."""

    row: CertificateRow


@dataclass(frozen=True)
class AllCertified:
    """Certification has ended; these are all its certificates."""

    rows: tuple[CertificateRow, ...]


@dataclass(frozen=True)
class ColdStartBegun:
    """A cold start is being measured."""

    job: ColdStart


@dataclass(frozen=True)
class BlockBegun:
    """A block has begun, or has begun anew without the case that ended its process."""

    index: int


@dataclass(frozen=True)
class CaseBegun:
    """A block has come to a case."""

    case_id: str


@dataclass(frozen=True)
class CaseEnded:
    """A case of the current block has been measured, or has failed for a reason."""

    case_id: str
    failed: str | None


@dataclass(frozen=True)
class BlockEnded:
    """The file of a block is on disk."""

    index: int


Event: TypeAlias = (
    Described | Certified | AllCertified | ColdStartBegun | BlockBegun | CaseBegun | CaseEnded | BlockEnded
)
ReportEvent: TypeAlias = Callable[[Event], None]
