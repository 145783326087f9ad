"""The lab's images: their recipes, and building them from Debian packages when a recipe changes."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from access import STATE
from command import LabError, attempt, in_parallel, run, say
from engine import docker

_HERE = Path(__file__).resolve().parent
SAVED = STATE / "images"
ECHO_SERVICE = _HERE / "workload" / "echo_service.py"

WORKLOAD = "breakwater/workload:latest"
RECIPE_LABEL = "breakwater.recipe"

# Debian's suites by name, with the packages that only they need.
SUITES: Mapping[str, tuple[str, ...]] = {
    "bookworm": (),
    "trixie": ("docker-cli",),
    "forky": ("docker-cli",),
}

_HOST_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "ca-certificates"),
    *("docker.io", "python3", "python3-docker"),
    *("iptables", "nftables", "ipset", "iproute2", "conntrack", "procps", "kmod", "util-linux"),
    *("iputils-ping", "tcpdump", "traceroute", "wireguard-tools", "wireguard-go"),
)
_WORKLOAD_PACKAGES = (
    *("python3", "busybox", "nginx", "haproxy", "redis-server", "postgresql-15"),
    *("util-linux", "hostname"),
)

# What no lab host and no workload reads: documentation, translations, a compiler for queries.
_EXCLUDED = (
    *("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"),
    *("/usr/share/i18n/*", "/usr/share/lintian/*", "/usr/share/bash-completion/*"),
    *("/usr/lib/*/libLLVM*", "/usr/lib/postgresql/*/lib/llvmjit*"),
    "/usr/lib/postgresql/*/lib/bitcode/*",
)


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in an image: packages of a suite, files laid over them, a script."""

    repository: str
    suite: str
    packages: tuple[str, ...]
    files: tuple[tuple[str, Path], ...]
    script: Path
    settings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return the hash that names this version of the image."""
        parts = [self.repository, self.suite, *self.packages, *self.settings, *_EXCLUDED]
        content = [self.script.read_bytes()]
        for path, source in self.files:
            parts.append(path)
            content.append(source.read_bytes())
        texts = "\0".join(parts).encode()
        return hashlib.sha256(b"\0".join([texts, *content])).hexdigest()[:12]

    @property
    def tag(self) -> str:
        """Return the name of the image in the outer engine."""
        return f"{self.repository}:{self.digest}"


def below(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by their path in it."""
    return {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}


def host(suite: str) -> Recipe:
    """Return the recipe of a lab host of `suite`, as which the outside node runs too."""
    folder = _HERE / "host"
    return Recipe(
        repository=f"breakwater-lab/host-{suite}",
        suite=suite,
        packages=(*_HOST_PACKAGES, *SUITES[suite]),
        files=tuple(below(folder / "rootfs").items()),
        script=folder / "customize.sh",
    )


def workload() -> Recipe:
    """Return the recipe of the image that the containers on the lab hosts run."""
    folder = _HERE / "workload"
    names = ("run-haproxy", "run-nginx", "run-postgres", "run-redis")
    service = {"usr/local/bin/echo-service": ECHO_SERVICE}
    return Recipe(
        repository="breakwater-lab/workload",
        suite="bookworm",
        packages=_WORKLOAD_PACKAGES,
        files=tuple((service | {f"usr/local/bin/{n}": folder / n for n in names}).items()),
        script=folder / "customize.sh",
        settings=(
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "ENV LC_ALL=C.UTF-8",
            'CMD ["echo-service"]',
        ),
    )


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of files that belong to root; those in a bin folder can be executed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            entry.mode = 0o755 if "/bin/" in path else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def build(recipes: list[Recipe]) -> None:
    """Build the images of the recipes that the engine does not hold yet, all at once."""
    argv = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    held = run("listing the images", argv).splitlines()
    missing = [recipe for recipe in recipes if recipe.tag not in held]
    if not missing:
        return
    in_parallel(_build, missing)


def _build(recipe: Recipe) -> None:
    with tempfile.TemporaryDirectory(prefix="breakwater-lab-") as folder:
        rootfs = Path(folder, "rootfs.tar")
        bootstrap(recipe, rootfs)
        changes = [*recipe.settings, f"LABEL {RECIPE_LABEL}={recipe.digest}"]
        run(
            f"importing {recipe.tag}",
            docker("import", *(f"--change={c}" for c in changes), str(rootfs), recipe.tag),
            timeout=300,
        )
    say(f"{recipe.repository}: built")


def bootstrap(recipe: Recipe, target: Path, files: Mapping[str, bytes] | None = None) -> None:
    """Make the root file system of a recipe at `target`, a folder or a .tar; `files` are laid over it, too."""
    say(f"{recipe.repository}: building from Debian {recipe.suite}")
    with tempfile.NamedTemporaryFile(prefix="breakwater-lab-", suffix=".tar") as overlay:
        laid = {**{path: file.read_bytes() for path, file in recipe.files}, **(files or {})}
        overlay.write(archive(laid))
        overlay.flush()
        run(
            f"building {recipe.repository} (is the suite {recipe.suite} on this machine's mirror?)",
            [
                *("mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io"),
                *(f"--aptopt={option}" for option in _apt_options()),
                *(f"--dpkgopt=path-exclude={path}" for path in _EXCLUDED),
                f"--include={','.join(recipe.packages)}",
                f"--customize-hook=tar-in {overlay.name} /",
                f"--customize-hook={recipe.script}",
                *(recipe.suite, str(target), _mirror()),
            ],
            timeout=1200,
        )


def save_workload() -> Path:
    """Return a file for `docker load`: the workload image, under the name that playbooks use."""
    recipe = workload()
    saved = SAVED / f"workload-{recipe.digest}.tar"
    if not saved.exists():
        SAVED.mkdir(parents=True, exist_ok=True)
        for outdated in SAVED.iterdir():
            outdated.unlink()
        unfinished = saved.with_suffix(".unfinished")
        run("naming the workload image", docker("tag", recipe.tag, WORKLOAD))
        save = docker("save", "--output", str(unfinished), WORKLOAD)
        run("saving the workload image", save, timeout=300)
        unfinished.rename(saved)
    return saved


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine's apt uses for its own suite."""
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
    sources = run("reading apt's sources", ask)
    if not sources:  # apt tells of no source before its first update
        run("refreshing the package lists", ["apt-get", "update"], timeout=300)
        sources = run("reading apt's sources", ask)
    for line in sources.splitlines():
        address, *which = line.split(" ")
        if which == [suite, "main"]:
            return address
    raise LabError(f"finding the Debian mirror: apt has no source for '{suite} main'")


def _apt_options() -> list[str]:
    """Return this machine's apt settings of how to reach a mirror, and those of the lab."""
    dump = run("reading apt's settings", ["apt-config", "dump", "--format", '%f "%v"%n'])
    reach = ("Acquire::http::", "Acquire::https::", "Acquire::Retries", "Acquire::Check-")
    passed = [line for line in dump.splitlines() if line.startswith(reach)]
    # A suite under development may be past the date until which its index is valid.
    return [*passed, 'Acquire::Check-Valid-Until "false"', 'Acquire::Languages "none"']


def remove_outdated(current: list[Recipe]) -> None:
    """Remove what this checkout built of these recipes before; what a container uses stays."""
    remembered = STATE / "recipes.json"
    known = json.loads(remembered.read_text()) if remembered.exists() else {}
    tags = {recipe.repository: recipe.tag for recipe in current}
    for repository, tag in tags.items():
        if known.get(repository, tag) != tag:
            attempt(docker("image", "rm", known[repository]))
    if known != known | tags:
        remembered.write_text(json.dumps(known | tags))


def remove_all() -> None:
    """Remove every image that the lab built."""
    built = docker("image", "ls", "--quiet", "--filter", f"label={RECIPE_LABEL}")
    ids = set(run("listing the lab's images", built).split())
    if ids:
        run("removing the lab's images", docker("image", "rm", "--force", *ids), timeout=300)
