"""Follow a log of events, keep the scores up to date, and survive being killed at any instant.

    python examples/log_consumer.py --write-log events.jsonl        make a log: the shipped one, as JSON lines
    python examples/log_consumer.py events.jsonl --state shop.live  read it from where the state stopped
    python examples/log_consumer.py events.jsonl --state shop.live --follow   and wait for more

The log only grows: a line an event, with the columns that the model reads. The position that is saved with
the state is the number of bytes read, so a start after a crash counts every line once: what was read after
the last save is read again, by a state that does not know it.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import engagekit as ek

EXAMPLES = Path(__file__).resolve().parent
EVENTS = EXAMPLES / "data" / "completejourney" / "events.parquet"
MODEL = EXAMPLES / "models" / "grocery.toml"


def opened(state: Path, model: ek.Model) -> ek.Live:
    """Return the state as it was last saved, or a new one."""
    if not state.exists():
        return ek.Live(model)
    live = ek.Live.load(state)
    if live.model.fingerprint != model.fingerprint:
        raise SystemExit(f"{state} was made with another model: move it away, and the log is counted anew")
    return live


def consume(log: Path, live: ek.Live, *, at_once: int, follow: bool = False) -> None:
    """Take in what the log has beyond the state's position."""
    live.ingest(batches(log, live.model, int(live.position or 0), at_once=at_once, follow=follow))


def batches(
    log: Path, model: ek.Model, position: int, *, at_once: int, follow: bool
) -> Iterator[tuple[dict[str, list[Any]], int]]:
    """Read the log in tables of at most so many events, each with the position behind it."""
    names = {name: model.columns.get(name, name) for name in ("contact", "type", "time")}
    columns = {*names.values(), *model.columns.values(), *(model.fields - names.keys())}
    with log.open("rb") as file:
        file.seek(position)
        while True:
            lines = list(whole_lines(file, at_once))
            if lines:
                events = [parsed(line, names["time"], f"{log}, behind byte {position}") for line in lines]
                position += sum(map(len, lines))
                yield {name: [event.get(name) for event in events] for name in columns}, position
            elif follow:
                time.sleep(0.2)
            else:
                return


def whole_lines(file: Any, most: int) -> Iterator[bytes]:
    """Read lines that have an end; one that is still being written waits for the next time."""
    for _ in range(most):
        place = file.tell()
        line = file.readline()
        if not line.endswith(b"\n"):
            file.seek(place)
            return
        yield line


def parsed(line: bytes, time_name: str, where: str) -> dict[str, Any]:
    """Read one event."""
    try:
        event = json.loads(line)
        event[time_name] = datetime.fromisoformat(event[time_name])
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{where}: expected an event as JSON with a {time_name!r}, got {line!r}") from error
    return event


def write_log(path: Path) -> None:
    """Write the shipped events as JSON lines."""
    import polars as pl

    pl.read_parquet(EVENTS).with_columns(pl.col("timestamp").dt.to_string("iso")).write_ndjson(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Consume the log, saving in the background, and print who is most engaged."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("log", type=Path, nargs="?", help="the log, JSON lines")
    parser.add_argument(
        "--state", type=Path, default=Path("log.live"), help="where the state is saved (log.live)"
    )
    parser.add_argument(
        "--model", type=Path, default=MODEL, help="the model, TOML or JSON (the grocery shop's)"
    )
    parser.add_argument("--every", default="1s", help="how often it is saved (1s)")
    parser.add_argument("--at-once", type=int, default=2000, help="lines taken in at once (2000)")
    parser.add_argument("--follow", action="store_true", help="wait for more at the end of the log")
    parser.add_argument("--write-log", type=Path, help="write the shipped events as a log instead")
    given = parser.parse_args(arguments)
    if given.write_log:
        write_log(given.write_log)
        return
    if given.log is None:
        parser.error("say which log")
    if not given.log.is_file():
        parser.error(f"{given.log}: no such file")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # a polite end: the `with` block saves once more
    live = opened(given.state, ek.Model.load(given.model))
    with live:
        live.autosave(given.state, every=given.every)
        print(f"{live}, from byte {live.position or 0} of {given.log}", flush=True)
        consume(given.log, live, at_once=given.at_once, follow=given.follow)
    print(live.scores(at="latest"))


if __name__ == "__main__":
    main()
