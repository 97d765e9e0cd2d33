"""Serve: python -m crm_card --folder state --port 8000."""

import argparse
import socket
from functools import partial
from pathlib import Path

import uvicorn

import engagekit as ek
from crm_card.app import create
from crm_card.keeper import Keeper

MODEL = Path(__file__).resolve().parent / "model.toml"


def main() -> None:
    """Serve until told to stop, and say where."""
    parser = argparse.ArgumentParser(prog="crm_card", description="Engagement of contacts, as it is now.")
    parser.add_argument("--folder", type=Path, default=Path("state"), help="where state and journal lie")
    parser.add_argument("--model", type=Path, default=MODEL, help="the model, TOML or JSON")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="the port (8000); 0: any that is free")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between saves (5)")
    given = parser.parse_args()
    app = create(partial(Keeper, given.folder, ek.Model.load(given.model)), every=given.every)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    with socket.create_server((given.host, given.port)) as server:
        print(f"http://{given.host}:{server.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[server])


if __name__ == "__main__":
    main()
