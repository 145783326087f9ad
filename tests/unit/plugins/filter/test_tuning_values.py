# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.filter.tuning_values import KINDS, FilterModule, tuning_values

ROOT = Path(__file__).resolve().parents[4]
THE_TABLE: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(
    (ROOT / "roles" / "tuning" / "vars" / "main.yml").read_text(encoding="utf-8")
)["__breakwater_tuning_table"]
PAGE = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8")
GB = 1024

FLOWS = {"per_gb": 100, "at_least": 150, "at_most": 1000}
TABLE: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {
        "net.queue": {"value": 300},
        "net.buffer": {"value": [1, 30, FLOWS]},
        "net.idle": {"value": 0, "kind": "mode"},
        "net.ports": {"value": [2000, 5000], "kind": "range"},
    },
    "wide": {
        "net.queue": {"value": 200},
        "net.buffer": {"value": [2, 20, 250]},
        "net.ports": {"value": [3000, 6000], "kind": "range"},
        "net.flows": {"value": FLOWS},
    },
    "odd": {"net.idle": {"value": 1, "kind": "mode"}},
}


def test_the_filter_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"tuning_values": tuning_values}


def test_a_profile_as_the_kernel_writes_it_by_key() -> None:
    found = tuning_values(["fast"], TABLE, 4 * GB)
    assert list(found.items()) == [
        ("net.buffer", "1 30 400"),
        ("net.idle", "0"),
        ("net.ports", "2000 5000"),
        ("net.queue", "300"),
    ]


@pytest.mark.parametrize(
    ("memory_mb", "flows", "why"),
    [
        (512, "150", "below the lower bound"),
        (2 * GB, "200", "two GB"),
        (4 * GB, "400", "four GB"),
        (3724, "400", "four GB, less what kernel and firmware keep"),
        (3723, "200", "more than a tenth is missing"),
        (6 * GB, "400", "the power of two below"),
        (64 * GB, "1000", "above the upper bound"),
    ],
)
def test_what_scales_with_memory(memory_mb: int, flows: str, why: str) -> None:
    assert tuning_values(["wide"], TABLE, memory_mb)["net.flows"] == flows, why


def test_of_two_profiles_the_larger_number_and_the_wider_range_count() -> None:
    assert tuning_values(["fast", "wide"], TABLE, 2 * GB) == {
        "net.buffer": "2 30 250",
        "net.flows": "200",
        "net.idle": "0",
        "net.ports": "2000 6000",
        "net.queue": "300",
    }


def test_two_profiles_that_want_another_mode_are_refused_unless_somebody_decides() -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        tuning_values(["fast", "odd"], TABLE, GB)
    assert str(refused.value) == (
        "net.idle: the profiles differ: 'fast' sets it to 0, 'odd' sets it to 1; exclude it, or say its value in values"
    )
    assert tuning_values(["fast", "odd"], TABLE, GB, {"net.idle": 7})["net.idle"] == "7"
    assert "net.idle" not in tuning_values(["fast", "odd"], TABLE, GB, exclude=["net.idle"])


def test_own_values_stand_instead_of_those_of_the_profiles_and_beside_them() -> None:
    found = tuning_values(["wide"], TABLE, GB, {"net.queue": 5, "vm.swappiness": "10", "net.buffer": [1, 2, 3]})
    assert found == {
        "net.buffer": "1 2 3",
        "net.flows": "150",
        "net.ports": "3000 6000",
        "net.queue": "5",
        "vm.swappiness": "10",
    }
    assert tuning_values([], TABLE, GB, {"net.on": True}) == {"net.on": "1"}


def test_what_is_excluded_is_left_alone() -> None:
    assert list(tuning_values(["wide"], TABLE, GB, exclude=["net.b*", "net.flows"])) == ["net.ports", "net.queue"]
    assert "net.queue" in tuning_values(["wide"], TABLE, GB, exclude=["net.idle"]), "of a profile that is not asked for"


@pytest.mark.parametrize(
    ("kinds", "keys"),
    [
        (["mode"], ["net.idle"]),
        (["size"], ["net.buffer"]),
        (["range"], ["net.ports"]),
        (["own"], ["net.queue"]),
        (["mode", "own"], ["net.idle", "net.queue"]),
        ([], []),
    ],
)
def test_the_kinds_of_keys(kinds: list[str], keys: list[str]) -> None:
    assert list(tuning_values(["fast"], TABLE, GB, {"net.queue": 1}, kinds=kinds)) == keys


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profiles": ["quick"]}, "profiles: there is no profile 'quick', only fast, odd, wide"),
        ({"memory_mb": 0}, "memory_mb: expected a number of megabytes, found 0"),
        ({"memory_mb": "much"}, "memory_mb: expected a number of megabytes, found 'much'"),
        ({"exclude": ["net.flows", "net.flow"]}, "exclude[1]: no profile has a key 'net.flow'"),
        (
            {"exclude": ["net.q*"], "values": {"net.queue": 1}},
            "exclude[0]: 'net.q*' leaves net.queue alone, but values sets it",
        ),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        tuning_values(**{"profiles": ["wide"], "table": TABLE, "memory_mb": GB, **arguments})
    assert str(refused.value) == message


ANY_PROFILES = st.lists(st.sampled_from(sorted(THE_TABLE)), unique=True)


@given(ANY_PROFILES, st.integers(1, 2**22), st.randoms(use_true_random=False))
def test_the_order_of_profiles_does_not_matter(profiles: list[str], memory_mb: int, random: Any) -> None:
    shuffled = [*profiles, *profiles[:1]]
    random.shuffle(shuffled)
    assert tuning_values(shuffled, THE_TABLE, memory_mb) == tuning_values(profiles, THE_TABLE, memory_mb)


@given(ANY_PROFILES, st.integers(1, 2**22), st.integers(0, 2**20))
def test_more_memory_or_another_profile_never_makes_a_size_smaller(profiles: list[str], memory: int, more: int) -> None:
    def sizes(names: list[str], memory_mb: int) -> dict[str, list[int]]:
        found = tuning_values(names, THE_TABLE, memory_mb, kinds=["size"])
        return {key: [int(number) for number in value.split()] for key, value in found.items()}

    whole = sizes(profiles, memory + more)
    for each in [profiles, *([name] for name in profiles)]:
        for key, numbers in sizes(each, memory).items():
            assert all(small <= large for small, large in zip(numbers, whole[key])), key


def entries() -> list[tuple[str, str, dict[str, Any]]]:
    return [(profile, key, entry) for profile, keys in THE_TABLE.items() for key, entry in keys.items()]


@pytest.mark.parametrize("entry", [pytest.param(entry, id=f"{name}-{key}") for name, key, entry in entries()])
def test_each_entry_of_the_table_is_whole(entry: dict[str, Any]) -> None:
    assert set(entry) - {"kind"} == {"value", "reaches", "reason"}
    assert entry.get("kind", "size") in KINDS[:-1]
    assert entry["reaches"] in ("machine", "new containers", "host")
    assert entry["reason"].endswith(".")
    for number in entry["value"] if isinstance(entry["value"], list) else [entry["value"]]:
        if isinstance(number, dict):
            assert set(number) == {"per_gb", "at_least", "at_most"}
            assert number["at_least"] < number["at_most"] < 2**31
        else:
            assert isinstance(number, int)


def test_profiles_agree_on_the_kind_and_reach_of_a_key_and_can_all_be_asked_for_together() -> None:
    for (_one, key, entry), (_other, also, like) in itertools.combinations(entries(), 2):
        if key == also:
            assert (entry.get("kind"), entry["reaches"]) == (like.get("kind"), like["reaches"]), key
    found = tuning_values(THE_TABLE, THE_TABLE, GB)
    assert set(found) == {key for _profile, key, _entry in entries()}


@pytest.mark.parametrize("memory_mb", [256, GB, 3900, 64 * GB, 1024 * GB])
def test_the_parts_of_the_table_fit_each_other(memory_mb: int) -> None:
    """Each profile, and all: the hash has a chain for each flow, a whole page of them; a socket may ask for what TCP
    may take; the thresholds ascend.
    """
    for names in [*([each] for each in THE_TABLE), list(THE_TABLE)]:
        found = tuning_values(names, THE_TABLE, memory_mb)
        flows = found.get("net.netfilter.nf_conntrack_max", "512")
        assert flows == found.get("net.netfilter.nf_conntrack_buckets", "512")
        assert int(flows) % 512 == 0
        for way in ("rmem", "wmem"):
            assert found.get(f"net.ipv4.tcp_{way}", "").rpartition(" ")[2] == found.get(f"net.core.{way}_max", "")
        for version in ("ipv4", "ipv6"):
            kept = [found.get(f"net.{version}.neigh.default.gc_thresh{n}", "0") for n in (1, 2, 3)]
            assert kept == sorted(kept, key=int)


@pytest.mark.parametrize("profile", THE_TABLE)
def test_the_page_shows_each_profile_as_it_is(profile: str) -> None:
    """docs/tuning.md; where this fails, its table is to be replaced by the one that the failure shows."""
    columns = [tuning_values([profile], THE_TABLE, gb * GB) for gb in (4, 16, 64)]
    lines = ["| key | 4 GB | 16 GB | 64 GB | reaches | why |", "|---|---|---|---|---|---|"]
    for key, entry in THE_TABLE[profile].items():
        cells = [f"`{key}`", *(each[key] for each in columns), entry["reaches"], entry["reason"]]
        lines.append(f"| {' | '.join(cells)} |")
    section = PAGE.partition(f"\n## `{profile}`\n")[2].partition("\n## ")[0]
    shown = [line for line in section.splitlines() if line.startswith("|")]
    assert shown == lines, "\n".join(lines)


def test_the_page_shows_no_profile_that_there_is_not() -> None:
    assert [line[4:-1] for line in PAGE.splitlines() if line.startswith("## `")] == list(THE_TABLE)
