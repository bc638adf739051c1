"""Requests are limited per key, across the processes of a machine."""

import multiprocessing
import timeit

import pytest
import time_machine

from crm.api import limits
from tests.conftest import ApiClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_counter")]


def ask(client):
    answer = client.get("/organisation")
    headers = answer.headers
    return (
        answer.status_code,
        headers["RateLimit-Limit"],
        headers["RateLimit-Remaining"],
        headers["RateLimit-Reset"],
    )


def test_past_the_limit_is_429_until_the_window_ends(api, settings):
    settings.API_RATE_LIMIT = "3/m"
    with time_machine.travel("2026-04-07T14:30:20Z", tick=False) as clock:
        assert ask(api) == (200, "3", "2", "40")
        assert ask(api) == (200, "3", "1", "40")
        assert ask(api) == (200, "3", "0", "40")
        assert ask(api) == (429, "3", "0", "40")
        answer = api.get("/organisation")
        assert answer.headers["Retry-After"] == "40"
        assert answer.headers["Content-Type"] == "application/problem+json"
        clock.shift(39.5)
        assert ask(api) == (429, "3", "0", "1")
        clock.shift(0.5)
        assert ask(api) == (200, "3", "2", "60")


def test_each_key_has_its_own(api, api_for, organisation, settings):
    settings.API_RATE_LIMIT = "1/h"
    other = api_for(organisation)
    assert [ask(c)[0] for c in (api, other, api, other)] == [200, 200, 429, 429]


def test_errors_count_and_tell_too(organisation, api_for, settings):
    settings.API_RATE_LIMIT = "2/h"
    client = api_for(organisation, ["contacts:read"])
    assert ask(client)[:3] == (403, "2", "1")
    assert client.post("/organisation").status_code == 405
    assert ask(client)[0] == 429


def test_without_a_key_there_is_nothing_to_count(settings):
    settings.API_RATE_LIMIT = "1/h"
    for _ in range(3):
        answer = ApiClient().get("/organisation")
        assert answer.status_code == 401
        assert "RateLimit-Limit" not in answer.headers


def _count(path, key, times, done):
    counter = limits.MachineCounter(path)
    for _ in range(times):
        counter.add(key, 7)
    done.put(counter.add(key, 7))


def test_processes_count_together(tmp_path):
    path, processes, times = tmp_path / "counts", 4, 500
    context = multiprocessing.get_context("fork")
    done = context.Queue()
    started = [
        context.Process(target=_count, args=(path, 5, times, done)) for _ in range(processes)
    ]
    for one in started:
        one.start()
    for one in started:
        one.join()
    assert limits.MachineCounter(path).add(5, 7) == processes * (times + 1) + 1


def test_keys_that_share_a_place_are_counted_apart(tmp_path):
    counter = limits.MachineCounter(tmp_path / "counts")
    keys = [n * (counter.SLOTS - counter.PROBES) + 3 for n in range(counter.PROBES)]
    for round_ in (1, 2, 3):
        for key in keys:
            assert counter.add(key, 7) == round_
    # A window that is over gives its place away.
    assert counter.add(keys[-1] + counter.SLOTS - counter.PROBES, 8) == 1
    assert counter.add(keys[-1], 7) == 4


def test_a_place_that_others_may_write_to_is_not_used(api, settings, tmp_path, caplog):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    settings.API_RATE_LIMIT_DIR = str(shared)
    assert ask(api)[0] == 200
    assert not list(shared.iterdir())
    assert "by each process alone" in caplog.text


def test_counting_is_cheap(tmp_path):
    counter = limits.MachineCounter(tmp_path / "counts")
    seconds = min(timeit.repeat(lambda: counter.add(5, 7), number=100, repeat=20)) / 100
    assert seconds < 0.0001
