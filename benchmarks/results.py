"""Results: figures, their medians over rounds, a printed table and a JSON file."""

import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

FILE = Path(__file__).parent / "results.json"
COLUMNS = (
    ("per_second", "/s", "{:,.0f}"),
    ("p50", "p50 ms", "{:.2f}"),
    ("p95", "p95 ms", "{:.2f}"),
    ("p99", "p99 ms", "{:.2f}"),
    ("cpu_ms", "CPU ms", "{:.3f}"),
    ("database_ms", "db CPU ms", "{:.3f}"),
    ("memory_mib", "MiB", "{:.0f}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The known figures of one run: rate, latencies and CPU time per request in ms, memory, cores in use."""

    per_second: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    cpu_ms: float | None = None
    database_ms: float | None = None
    memory_mib: float | None = None
    load_cores: float | None = None
    server_cores: float | None = None
    database_cores: float | None = None


Contenders = Mapping[str, Callable[[], Figures]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender of a case: the medians of all rounds, and the ratio of its rate to that of the floor."""

    case: str
    name: str
    figures: Figures
    ratio: float | None = None
    ratios: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The target of a figure and its measured value."""

    case: str
    target: str
    measured: float
    reached: bool


class Results:
    """The results of one run of the benchmarks. Each case is printed as soon as it is measured."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.verdicts: list[Verdict] = []
        self.notes: dict[str, float | str] = {}
        self._began = time.monotonic()

    def interleave(self, case: str, contenders: Contenders, *, rounds: int) -> dict[str, Figures]:
        """Measure the contenders in turn, round by round; the last one is the floor."""
        runs: dict[str, list[Figures]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, measure in contenders.items():
                runs[name].append(measure())
        *_, floor = contenders
        medians = {name: _medians(each) for name, each in runs.items()}
        self._print(f"\n{case}\n{'':34}" + "".join(f"{title:>10}" for _, title, _ in COLUMNS) + f"{'of floor':>10}")
        for name, figures in medians.items():
            ratios = [_ratio(ours, bare) for ours, bare in zip(runs[name], runs[floor], strict=True)]
            row = Row(case=case, name=name, figures=figures, ratio=median(ratios), ratios=ratios)
            self.rows.append(row)
            self._print(_line(row))
        return medians

    def ratio(self, case: str, name: str) -> float:
        """The median ratio of a contender's rate to that of the floor."""
        ratio = next(row.ratio for row in self.rows if (row.case, row.name) == (case, name))
        assert ratio is not None
        return ratio

    def judge(self, case: str, target: str, measured: float, *, reached: bool) -> None:
        """Record and print whether a figure reaches its target."""
        self.verdicts.append(Verdict(case=case, target=target, measured=measured, reached=reached))
        self._print(f"  -> {target}: {measured:.2f} {'reached' if reached else 'NOT REACHED'}")

    def note(self, name: str, value: float | str, unit: str = "") -> None:
        """Record and print a figure without a target."""
        self.notes[name] = value
        text = f"{value:,.1f}" if isinstance(value, float) else value
        self._print(f"  {name}: {text} {unit}")

    def finish(self) -> None:
        """Write the JSON file, and print all targets and the duration."""
        content = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
            "seconds": round(time.monotonic() - self._began),
            **{name: [asdict(each) for each in getattr(self, name)] for name in ("rows", "verdicts")},
            "notes": self.notes,
        }
        FILE.write_text(json.dumps(content, indent=1))
        self._print(f"\n{'case':58}{'must reach':34}{'measured':>9}")
        for each in self.verdicts:
            self._print(f"{each.case:58}{each.target:34}{each.measured:>9.2f}{'' if each.reached else '  NOT REACHED'}")
        self._print(f"\n{content['seconds']} s; all figures are in {FILE}")

    def _print(self, text: str) -> None:
        print(text, flush=True)


def _medians(runs: list[Figures]) -> Figures:
    names = Figures.__dataclass_fields__
    values = {name: [getattr(run, name) for run in runs] for name in names}
    return Figures(**{name: median(each) for name, each in values.items() if None not in each})


def _ratio(ours: Figures, floor: Figures) -> float:
    assert ours.per_second
    assert floor.per_second
    return ours.per_second / floor.per_second


def _line(row: Row) -> str:
    cells = ["" if (value := getattr(row.figures, name)) is None else form.format(value) for name, _, form in COLUMNS]
    spread = f"  ({min(row.ratios):.2f} to {max(row.ratios):.2f})" if row.ratios else ""
    return f"{row.name:34}" + "".join(f"{cell:>10}" for cell in cells) + f"{row.ratio or 0:>10.2f}{spread}"
