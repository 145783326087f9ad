"""Takes the pictures of a report that the documentation shows, as a real browser draws it: Debian's chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
SIZES = {1400: 1500, 400: 1100}
"""Width and height in pixels; what is below is for the reader to scroll to."""
_FRAME = '<body style="margin:0"><iframe src="{page}" style="border:0;width:{width}px;height:{height}px"></iframe>'


def take(browser: str, page: Path, width: int, height: int, picture: Path) -> None:
    """Write what a window of ``width`` shows; a frame, because no window of the browser is as narrow as a phone."""
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder, "frame.html")
        frame.write_text(_FRAME.format(page=page.resolve().as_uri(), width=width, height=height), encoding="utf-8")
        argv = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        argv += [f"--user-data-dir={folder}/profile", f"--window-size={width},{height}"]
        subprocess.run([*argv, f"--screenshot={picture}", frame.as_uri()], check=True, capture_output=True, timeout=120)


def main() -> int:
    """Take them all of the page that the command line names."""
    browser = shutil.which("chromium")
    if browser is None:
        sys.stderr.write("there is no chromium here: apt-get install chromium\n")
        return 1
    for width, height in SIZES.items():
        picture = FOLDER / f"report-{width}.png"
        take(browser, Path(sys.argv[1]), width, height, picture)
        sys.stdout.write(f"{picture}: {picture.stat().st_size // 1000} kB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
