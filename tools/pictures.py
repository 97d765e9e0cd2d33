"""Make the pictures of the README and the docs, from the example data: ``make pictures``.

The meter is the code's own SVG. Card and report are HTML, so Chromium takes their pictures, the card's light
and dark; a picture carries a digest of the HTML it was taken of, by which a test knows whether it is up to
date.
"""

import os
import re
import shutil
import struct
import sys
import zlib
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import engagekit as ek

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
CONTACT = "2489"
LABELS = {
    "rule.purchase": "purchases",
    "rule.every_week": "comes every week",
    "rule.manufacturer_coupon": "manufacturers' coupons",
    "rule.coupon_redeemed": "redeemed our coupon",
    "rule.mailing_ignored": "ignored a mailing",
}
THEMES = ("light", "dark")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEY = b"Source\x00"


def cards() -> dict[str | None, ek.Card]:
    """Make the card of a household of the grocery shop: in both themes, and in that of the reader."""
    import pyarrow.parquet as pq

    data = ROOT / "examples" / "data" / "completejourney"
    events = pq.read_table(data / "events.parquet", filters=[("contact_id", "==", CONTACT)])
    model = ek.Model.load(ROOT / "examples" / "models" / "grocery.toml")
    scores = model.score(events, at="2018-01-01T04:01:20Z")
    return {theme: scores.card(CONTACT, labels=LABELS, theme=theme) for theme in (*THEMES, None)}


def report() -> str:
    """Write the report on the grocery shop; without engagekit's version, which is not always the same."""
    import pyarrow.parquet as pq

    data = ROOT / "examples" / "data" / "completejourney"
    model = ek.Model.load(ROOT / "examples" / "models" / "grocery.toml")
    events, contacts = (pq.read_table(data / f"{name}.parquet") for name in ("events", "contacts"))
    with TemporaryDirectory() as folder:
        file = Path(folder, "report.html")
        model.score(events, at="2018-01-01T04:01:20Z", contacts=contacts).report(file, since="90d")
        return re.sub(r"<p>engagekit [^<]*</p>", "<p>engagekit</p>", file.read_text("utf-8"))


def meter_file(theme: str | None) -> str:
    """Name the picture of the meter."""
    return "gauge.svg" if theme is None else f"gauge-{theme}.svg"


def digest_of(html: str) -> bytes:
    """Tell one page from another; digits that nobody sees may differ from machine to machine."""
    seen = re.sub(r"\d+\.\d{5,}(e-\d+)?", lambda found: f"{float(found[0]):.3f}", html)
    return sha256(seen.encode()).hexdigest().encode()


def signed(png: bytes, html: str) -> bytes:
    """Write into a picture what it was taken of, as a text chunk after its header."""
    text = b"tEXt" + _KEY + digest_of(html)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    head = len(_SIGNATURE) + 25
    return png[:head] + chunk + png[head:]


def signature(png: bytes) -> bytes:
    """Read what a picture was taken of."""
    start = png.index(_KEY) + len(_KEY)
    return png[start : start + 64]


def main() -> None:
    """Write all pictures."""
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    made = cards()
    for theme, card in made.items():
        (PICTURES / meter_file(theme)).write_text(card.gauge, encoding="utf-8")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for theme in THEMES:
            card = made[theme]
            page = browser.new_page(device_scale_factor=2, viewport={"width": 720, "height": 600})
            page.set_content(f"<!doctype html><style>body{{margin:0}}</style>{card.html}")
            png = page.locator("article").screenshot(omit_background=True)
            (PICTURES / f"card-{theme}.png").write_bytes(signed(png, card.html))
        shown = report()
        page = browser.new_page(
            device_scale_factor=2, viewport={"width": 1200, "height": 950}, color_scheme="light"
        )
        page.set_content(shown)
        flow = page.locator("section.split").bounding_box()
        assert flow is not None
        upper = {"x": 0, "y": 0, "width": 1200, "height": flow["y"] + flow["height"] + 14}
        (PICTURES / "report.png").write_bytes(signed(page.screenshot(clip=upper, full_page=True), shown))
        browser.close()
    sys.stdout.write(f"Pictures are in {PICTURES.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
